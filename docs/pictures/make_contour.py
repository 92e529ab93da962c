"""Draw contour.png: a song's pitch, its contour by both methods, and the motifs in it.

Run ``python docs/pictures/make_contour.py vocadito_1.wav`` in an environment that has
skspeech[report]. The song is number 1 of vocadito (Bittner, Pasalo, Bosch, Meseguer-Brocal and
Rubinstein 2021, https://zenodo.org/record/5578807, CC BY 4.0); it takes some seconds.
"""

import sys
from io import BytesIO
from pathlib import Path

import matplotlib.pyplot as plt
from PIL import Image

from skspeech.inspection import plot_motifs
from skspeech.preprocessing import AudioLoader, ContourApproximator, MotifExtractor

RATE = 44100
INTERVAL = (4.75, 12.25)  # seconds
CREDIT = "Song 1 of vocadito, Bittner et al. 2021, doi.org/10.5281/zenodo.5578807, CC BY 4.0"
METHODS = {
    "24 levels, learnt from the song (method='kmeans')": {"method": "kmeans"},
    "within 60 cents (method='segments')": {"method": "segments"},
}


def main(path: str) -> None:
    """Write contour.png beside this file."""
    songs = AudioLoader(sample_rate=RATE).transform([path])
    plt.rcParams.update({"font.family": "DejaVu Sans", "font.size": 8, "axes.titlesize": 8})
    figure = plt.figure(figsize=(9, 6.4), dpi=160, layout="constrained")
    for axis, (name, parameters) in zip(figure.subplots(2, 1), METHODS.items(), strict=True):
        extractor = MotifExtractor(sample_rate=RATE, contour=ContourApproximator(**parameters))
        plot_motifs(extractor.fit(songs), songs[0], interval=INTERVAL, ax=axis)
        axis.set_title(name, loc="left")
    figure.supxlabel(CREDIT, fontsize=6, x=0.99, ha="right")
    drawn = BytesIO()
    figure.savefig(drawn, format="png")
    picture = Image.open(drawn).convert("RGB").quantize(256)
    picture.save(Path(__file__).with_name("contour.png"), optimize=True)


if __name__ == "__main__":
    main(sys.argv[1])
