"""Print what is measured on real songs: pitch at other rates, contours, motifs.

Run ``python docs/make_singing_checks.py DIR`` with mir_eval installed; DIR holds vocadito/ and
dagstuhl_choirset/, the files of the two corpora's test resources in mirdata. The figures of
docs/results.md (Pitch) and docs/arronte2020.md that no benchmark prints are from here.
"""

import sys
from pathlib import Path

import mir_eval
import numpy as np
import soundfile
import soxr

from skspeech.datasets import make_singing
from skspeech.exceptions import NoMotifError
from skspeech.preprocessing import ContourApproximator, MotifExtractor, SaliencePitch

RATES = {2000: 16, 8000: 64, 16_000: 160, 48_000: 256, 96_000: 512}
CONTOURS = {
    "24 levels, the default": {},
    "the authors' segments and borders": {"method": "segments", "interval_borders": (70, 112)},
    "12 levels, smoothed": {"n_levels": 12, "min_duration": 0.02, "max_dropout": 0.03},
}
DISTANT = {"24 levels": 24, "12 levels": 12}


def read(path: Path) -> tuple[np.ndarray, int, np.ndarray]:
    """Return waveform, sample rate, and the annotation: seconds, Hz."""
    waveform, sample_rate = soundfile.read(path, dtype="float32")
    return waveform, sample_rate, np.loadtxt(f"{path.with_suffix('')}_f0.csv", delimiter=",")


def scores(truth: np.ndarray, pitch: np.ndarray, step: float) -> str:
    """Return raw pitch accuracy and overall accuracy, by mir_eval."""
    times = np.arange(len(pitch)) * step
    found = mir_eval.melody.evaluate(*truth.T, times, pitch.astype(float))
    return f"{found['Raw Pitch Accuracy']:.3f}, {found['Overall Accuracy']:.3f}"


def main(folder: Path) -> None:
    """Print everything."""
    song, rate, truth = read(folder / "vocadito" / "vocadito_1.flac")
    for other, hop in RATES.items():
        resampled = soxr.resample(song, rate, other)
        (pitch,) = SaliencePitch(sample_rate=other, hop_length=hop).transform([resampled])
        print(f"vocadito at {other} Hz, hop {hop}: {scores(truth, pitch, hop / other)}")
    for path in sorted((folder / "dagstuhl_choirset").glob("*.flac")):
        take, rate_of_take, known = read(path)
        (pitch,) = SaliencePitch(sample_rate=rate_of_take, hop_length=64).transform([take])
        at = np.rint(known[:, 0] * rate_of_take / 64).astype(int)
        cents = 1200 * np.log2(pitch[at] / known[:, 1])
        print(f"{path.stem}: cents from the annotation {np.round(cents, 1).tolist()}")
    singing = make_singing(4, 1, random_state=0)
    step = singing.hop_length / singing.sample_rate
    for known, pitch in zip(singing.pitch, SaliencePitch().transform(singing.data), strict=True):
        known = np.column_stack([np.arange(len(known)) * step, known])
        print(f"make_singing: {scores(known, pitch, step)}")
    (pitch,) = SaliencePitch(sample_rate=rate).transform([song])
    for name, n_levels in DISTANT.items():
        for least in (0.0, 0.02):
            contour = ContourApproximator(
                n_levels=n_levels, max_dropout=0.03, min_duration=least
            ).fit([pitch])
            stairs = contour.approximate([pitch])[0][pitch > 0]
            far = np.abs(1200 * np.log2(stairs / pitch[pitch > 0])) > 100
            print(f"{name}, min_duration {least}: {far.mean():.3f} of the frames 100 cents off")
    for name, options in CONTOURS.items():
        extractor = MotifExtractor(contour=ContourApproximator(**options))
        try:
            n_places = len(extractor.fit([song]).locate([song]))
            print(f"{name}: {len(extractor.miner_.patterns_)} motifs in {n_places} places")
        except NoMotifError as error:
            print(f"{name}: {error}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
