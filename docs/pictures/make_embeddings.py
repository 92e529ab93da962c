"""Draw embeddings.png: acoustic motif embeddings of four singers, by PCA and by t-SNE.

Run ``python docs/pictures/make_embeddings.py`` in an environment that has skspeech[report]; it
takes about a minute on one core. The songs are synthetic. Motifs are mined in three songs of
each singer, and a small Residual-BLSTM learns from these; the fourth song of each it has never
heard. Printed is how many of the motifs it answers rightly.
"""

from io import BytesIO
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from PIL import Image
from sklearn.manifold import TSNE

from skspeech.datasets import make_singing
from skspeech.inspection import plot_embeddings
from skspeech.models import ResidualBLSTMClassifier
from skspeech.preprocessing import ContourApproximator, MotifExtractor
from skspeech.recordings import Segments, explode

RATE = 16000
TEST = 3  # the song of each singer that is set aside


def main() -> None:
    """Write embeddings.png beside this file."""
    motifs, songs = find_motifs()
    network = ResidualBLSTMClassifier(
        n_maps=8, lstm_units=32, dense_units=64, max_epochs=8, validation=None, random_state=0
    )
    known = songs != TEST
    network.fit(motifs.data[known], motifs.target[known])
    for name, part in (("training", known), ("test", ~known)):
        right = network.predict(motifs.data[part]) == motifs.target[part]
        print(f"{name}: {right.mean():.1%} of {part.sum():,} motifs")
    draw(
        network.transform(motifs.data),
        motifs.target,
        np.where(known, "training songs", "test song"),
    )


def find_motifs() -> tuple[Segments, np.ndarray]:
    """Return the motifs of all songs as samples, and which of its singer's songs each is from."""
    singing = make_singing(4, 4, n_phrases=6, n_repeats=3, sample_rate=RATE, random_state=0)
    contour = ContourApproximator(
        sample_rate=RATE, hop_length=93, n_levels=12, min_duration=0.02, max_dropout=0.03
    )
    singers = singing.target_names[singing.target]
    known = singing.songs != TEST
    extractor = MotifExtractor(sample_rate=RATE, contour=contour)
    bags = extractor.fit(singing.data[known], singers[known]).transform(singing.data)
    motifs = explode(bags, singers)
    return motifs, singing.songs[motifs.recordings]


def draw(embeddings: np.ndarray, singers: np.ndarray, parts: np.ndarray) -> None:
    """Draw both projections side by side."""
    plt.rcParams.update({"font.family": "DejaVu Sans", "font.size": 8, "axes.titlesize": 8})
    figure = plt.figure(figsize=(9, 4), dpi=160, layout="constrained")
    left, right = figure.subplots(1, 2)
    plot_embeddings(embeddings, singers, marks=parts, ax=left).legend_.remove()
    plot_embeddings(embeddings, singers, marks=parts, projection=TSNE(random_state=0), ax=right)
    drawn = BytesIO()
    figure.savefig(drawn, format="png")
    picture = Image.open(drawn).convert("RGB").quantize(256)
    picture.save(Path(__file__).with_name("embeddings.png"), optimize=True)


if __name__ == "__main__":
    main()
