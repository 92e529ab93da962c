"""Print how many planted motifs of synthetic songs are found again: a row a kind of contour.

Run ``python docs/make_recovery.py [SEED ...]``; each seed makes two songs of each of two singers
for each column. A cell holds recall and precision, means over the seeds. The last row is what
chance gives: the greatest recall, and the range of the precision, of all that was located after its
times were shifted along the songs, means over four shifts.
"""

import sys
from typing import Any

import numpy as np

from skspeech.datasets import make_singing
from skspeech.exceptions import NoMotifError
from skspeech.metrics import motif_recovery
from skspeech.mining import ClosedMotifMiner
from skspeech.preprocessing import ContourApproximator, MotifExtractor

RATE, HOP = 16_000, 93
SEEDS = (10, 11, 12, 13, 14)
SMOOTH = {"min_duration": 0.02, "max_dropout": 0.03}
CONTOURS: dict[str, dict[str, Any]] = {
    "24 levels, the default": {},
    "24 levels, smoothed": SMOOTH,
    "12 levels": {"n_levels": 12},
    "12 levels, smoothed": {"n_levels": 12, **SMOOTH},
    "within 60 cents": {"method": "segments"},
    "within 60 cents, smoothed": {"method": "segments", **SMOOTH},
    "within 150 cents": {"method": "segments", "margin": 150},
    "within 150 cents, smoothed": {"method": "segments", "margin": 150, **SMOOTH},
}
PLAIN: dict[str, Any] = {"vibrato": 0, "ornaments": 0, "glide": 0, "drift": 0, "snr": np.inf}
SONGS: dict[str, dict[str, Any]] = {
    "nothing": PLAIN,
    "drift of 40 cents": {**PLAIN, "drift": 40},
    "ornaments on a fifth": {**PLAIN, "ornaments": 0.2},
    "vibrato of 40 cents": {**PLAIN, "vibrato": 40},
    "glides of 80 ms": {**PLAIN, "glide": 0.08},
    "all by default": {},
}
SHIFTS = (5.0, 10.0, 15.0, 20.0)  # seconds


def located(singing: Any, contour: dict[str, Any]) -> np.ndarray:
    """Return where motifs are located in the audio; nowhere where there are none."""
    extractor = MotifExtractor(
        sample_rate=RATE,
        contour=ContourApproximator(sample_rate=RATE, hop_length=HOP, **contour),
        miner=ClosedMotifMiner(occurrences="all"),
    )
    try:
        return extractor.fit(singing.data, singing.target).locate(singing.data)
    except NoMotifError:
        return singing.motifs[:0]


def by_chance(singing: Any, found: np.ndarray) -> np.ndarray:
    """Return recall and precision of the same table at other times of the same songs."""
    lengths = np.array([len(song) / RATE for song in singing.data])
    figures = []
    for seconds in SHIFTS:
        shifted = found.copy()
        shifted["start"] = (found["start"] + seconds) % lengths[found["recording"]]
        shifted["end"] += shifted["start"] - found["start"]
        figures.append(motif_recovery(singing.motifs, shifted))
    return np.mean(figures, axis=0)


def main(seeds: tuple[int, ...]) -> None:
    """Print the table."""
    columns = {
        name: [make_singing(2, 2, sample_rate=RATE, random_state=s, **manner) for s in seeds]
        for name, manner in SONGS.items()
    }
    print("| contour | " + " | ".join(columns) + " |")
    print("| --- |" + " --- |" * len(columns))
    chances = []
    for name, contour in CONTOURS.items():
        cells = []
        for songs in columns.values():
            found = [located(singing, contour) for singing in songs]
            pairs = list(zip(songs, found, strict=True))
            chances.append(_mean([by_chance(*pair) for pair in pairs]))
            recall, precision = _mean([motif_recovery(s.motifs, f) for s, f in pairs])
            cells.append(f"{recall:.2f}, {precision:.2f}" if recall else "0")
        print(f"| {name} | " + " | ".join(cells) + " |", flush=True)
    recalls, precisions = np.transpose(chances)
    print(f"\nBy chance: {recalls.max():.2f}; {np.nanmin(precisions):.2f}", end=" ")
    print(f"to {np.nanmax(precisions):.2f}. Seeds {', '.join(map(str, seeds))}.")


def _mean(figures: list[Any]) -> np.ndarray:
    """Return the mean over the seeds; of precision over those where something was located."""
    found = np.isfinite(figures)
    return np.where(found, figures, 0).sum(axis=0) / np.where(
        found.any(axis=0), found.sum(0), np.nan
    )


if __name__ == "__main__":
    main(tuple(int(seed) for seed in sys.argv[1:]) or SEEDS)
