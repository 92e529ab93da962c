"""What is sung: motifs, and songs of phrases that hold them among other notes.

Pitch is in semitones from the singer's tonic until the notes of a song are laid out in time.
"""

from typing import NamedTuple

import numpy as np

from skspeech.datasets._voice import Seed

LOWEST, HIGHEST = -2, 10
"""The range of a voice, in semitones from its tonic."""
MODES = ((0, 1, 3, 5, 7, 8, 10), (0, 1, 4, 5, 7, 8, 10))
"""Phrygian, and with the major third that flamenco gives it."""
SHORTEST_NOTE = 0.09
"""Seconds."""

NOTE = np.dtype(
    [
        ("recording", np.int64),
        ("phrase", np.int64),
        ("motif", np.int64),
        ("start", np.float64),
        ("end", np.float64),
        ("cents", np.float64),
    ]
)
OCCURRENCE = np.dtype(
    [("recording", np.int64), ("motif", np.int64), ("start", np.float64), ("end", np.float64)]
)


class Motif(NamedTuple):
    """A melodic figure: the same steps wherever it begins."""

    name: str
    steps: tuple[int, ...]  # semitones, from note to note
    beats: np.ndarray  # of the notes, one more than steps


class Style(NamedTuple):
    """What all singers have in common in a song."""

    mode: tuple[int, ...]
    beat: float  # seconds


def draw_motifs(seed: Seed, n_singers: int, n_motifs: int) -> tuple[list[Motif], np.ndarray]:
    """Return the motifs and which of them each singer has, of shape (n_singers, n_motifs).

    A third of a singer's motifs, rounded down, are those of the next singer too: the first and the
    second share theirs, the third and the fourth, and so on.
    """
    motifs: list[Motif] = []
    taken: set[tuple[int, ...]] = set()
    number = np.empty((n_singers, n_motifs), dtype=np.int64)
    for i, k in np.ndindex(n_singers, n_motifs):
        shared = k >= n_motifs - n_motifs // 3
        if shared and i % 2:
            number[i, k] = number[i - 1, k]
            continue
        owners = (
            f"singers {i + 1} and {i + 2}" if shared and i + 1 < n_singers else f"singer {i + 1}"
        )
        rng = seed.rng(0, i, k)
        motif = _draw_motif(rng, f"{owners}, motif {k + 1}")
        while motif.steps in taken:
            motif = _draw_motif(rng, motif.name)
        taken.add(motif.steps)
        number[i, k] = len(motifs)
        motifs.append(motif)
    return motifs, number


def _draw_motif(rng: np.random.Generator, name: str) -> Motif:
    """Draw five to eight steps that turn at least twice and leave room to begin elsewhere."""
    while True:
        size = rng.choice([1, 2, 3, 4, 5], p=[0.3, 0.3, 0.1, 0.15, 0.15], size=rng.integers(5, 9))
        steps = size * rng.choice([-1, 1], size=len(size))
        reach = np.cumsum(steps, dtype=np.int64)
        n_turns = np.count_nonzero(np.diff(np.sign(steps)))
        if n_turns >= 2 and max(reach.max(), 0) - min(reach.min(), 0) <= 8:
            beats = rng.choice([1.0, 1.5, 2.0], p=[0.6, 0.2, 0.2], size=len(steps) + 1)
            return Motif(name, tuple(steps.tolist()), beats)


def draw_style(rng: np.random.Generator) -> Style:
    return Style(MODES[rng.integers(len(MODES))], rng.uniform(0.11, 0.16))


def compose(
    rng: np.random.Generator,
    motifs: list[Motif],
    numbers: np.ndarray,
    style: Style,
    *,
    n_phrases: int,
    n_repeats: int,
) -> tuple[np.ndarray, np.ndarray, float]:
    """Return the notes of a song, where its motifs are, and its length in seconds.

    Cents count from the tonic; each of `numbers`, indices into `motifs`, is sung in `n_repeats` of
    the phrases.
    """
    plan: list[list[int]] = [[] for _ in range(n_phrases)]
    for number in numbers.tolist():
        for phrase in rng.choice(n_phrases, n_repeats, replace=False).tolist():
            plan[phrase].insert(int(rng.integers(len(plan[phrase]) + 1)), number)
    notes, occurrences = [], []
    clock = 0.3
    for phrase, inside in enumerate(plan):
        parts = _draw_phrase(rng, motifs, inside, style)
        for number, pitches, lengths in parts:
            seconds = lengths * np.exp(rng.normal(0.0, 0.06, len(lengths)))
            seconds = np.maximum(seconds, SHORTEST_NOTE)
            edges = clock + np.concatenate([[0.0], np.cumsum(seconds)])
            clock = edges[-1]
            for start, end, pitch in zip(edges[:-1], edges[1:], pitches, strict=True):
                notes.append((0, phrase, number, start, end, 100.0 * pitch))
            if number >= 0:
                occurrences.append((0, number, edges[0], edges[-1]))
        clock += rng.uniform(0.3, 0.7)  # a breath
    return np.array(notes, dtype=NOTE), np.array(occurrences, dtype=OCCURRENCE), clock


def _draw_phrase(
    rng: np.random.Generator, motifs: list[Motif], inside: list[int], style: Style
) -> list[tuple[int, list[int], np.ndarray]]:
    """Return the parts of a phrase: motif (-1 for what lies between), pitches, seconds."""
    scale = [
        12 * octave + degree
        for octave in (-1, 0, 1)
        for degree in style.mode
        if LOWEST <= 12 * octave + degree <= HIGHEST
    ]
    parts: list[tuple[int, list[int], np.ndarray]] = []
    here = int(rng.choice(scale))
    for number in [*inside, -1]:
        # notes of no plan, few before and after a motif
        pitches = [here]
        for _ in range(rng.integers(1, 4) if inside else rng.integers(5, 10)):
            pitches.append(_leap(rng, pitches[-1], scale))
        beats = rng.choice([1.0, 2.0, 3.0], p=[0.6, 0.3, 0.1], size=len(pitches) - 1)
        parts.append((-1, pitches[1:], style.beat * beats))
        here = pitches[-1]
        if number >= 0:
            reach = np.cumsum((0, *motifs[number].steps))
            starts = range(LOWEST - int(reach.min()), HIGHEST - int(reach.max()) + 1)
            pitches = (_leap(rng, here, list(starts)) + reach).tolist()
            tempo = np.exp(rng.normal(0.0, 0.15))
            parts.append((number, pitches, style.beat * tempo * motifs[number].beats))
            here = pitches[-1]
    parts[-1][2][-1] *= 3.0  # a phrase comes to rest
    return parts


def _leap(rng: np.random.Generator, here: int, choices: list[int]) -> int:
    """Move to another of the pitches, rather a near one."""
    others = np.array([pitch for pitch in choices if pitch != here])
    weights = 0.7 ** np.abs(others - here)
    return int(rng.choice(others, p=weights / weights.sum()))
