"""One pitch a frame from several, and which frames are voiced."""

import math
from typing import NamedTuple

import numpy as np

from skspeech.compiled import compiler

__all__ = ["Voicing", "best_path", "voiced_frames"]

# What a frame of a contour must have of the mean harmonicity that the contour must have: where a
# note begins or ends, half the window hears something else (our choice, measured).
_WEAKEST = 0.75


class Voicing(NamedTuple):
    """What tells voiced frames from others; see :class:`SaliencePitch` for each."""

    min_harmonicity: float
    dynamic_range: float
    min_frames: float
    largest_step: float
    tolerance: float | None


@compiler()
def best_path(found: np.ndarray, largest_step: float, change: float) -> np.ndarray:
    """Return which of the pitches of each frame lie on the best path through all frames.

    Dynamic programming: a pitch costs the logarithm of how many times more salient the frame's
    best one is, and a step costs `change` times its size over `largest_step`, at most
    `change`. Where a frame or the one before it has no pitch, steps are free.

    Parameters
    ----------
    found : ndarray of float32, shape (n_frames, n_candidates, 3)
        Cents, salience (0 where there is no pitch), and a third that is not used here.
    largest_step : float
        Cents from which on all steps cost the same.
    change : float
        What such a step costs.

    Returns
    -------
    ndarray of int64, shape (n_frames,)
    """
    n_frames, n_candidates = found.shape[0], found.shape[1]
    came_from = np.zeros((n_frames, n_candidates), np.int8)
    costs = np.zeros((2, n_candidates))
    best = 0
    for frame in range(n_frames):
        before, cost = costs[frame % 2], costs[1 - frame % 2]
        least = before[best]  # taken away from all, so that sums stay small
        best = 0
        for c in range(n_candidates):
            salience = found[frame, c, 1]
            if salience == 0 and c > 0:
                cost[c] = np.inf
                continue
            place, cheapest = 0, np.inf
            for b in range(n_candidates):
                reached = before[b]
                if frame > 0 and salience > 0 and found[frame - 1, b, 1] > 0:
                    step = abs(found[frame, c, 0] - found[frame - 1, b, 0])
                    reached += change * min(step / largest_step, 1.0)
                if reached < cheapest:
                    place, cheapest = b, reached
            if salience > 0:
                cheapest += math.log(found[frame, 0, 1] / salience)
            came_from[frame, c] = place
            cost[c] = cheapest - least
            if cost[c] < cost[best]:
                best = c
    path = np.zeros(n_frames, np.int64)
    for frame in range(n_frames - 1, -1, -1):
        path[frame] = best
        best = came_from[frame, best]
    return path


def voiced_frames(track: np.ndarray, voicing: Voicing) -> np.ndarray:
    """Say which frames of a track are voiced.

    Parameters
    ----------
    track : ndarray of float32, shape (n_frames, 3)
        Cents, salience and harmonicity.
    voicing : Voicing

    Returns
    -------
    ndarray of bool, shape (n_frames,)
    """
    cents, salience, harmonicity = track.astype(np.float64).T
    harmonic = (salience > 0) & (harmonicity >= voicing.min_harmonicity)
    if not harmonic.any():
        return harmonic
    # The salience of the average unit of salience: silence, however much of it, hardly counts.
    loud = np.average(salience[harmonic], weights=salience[harmonic])
    voiced = (salience > 0) & (harmonicity >= _WEAKEST * voicing.min_harmonicity)
    voiced &= salience >= loud * 10 ** (-voicing.dynamic_range / 20)

    # Contours: runs of frames without a gap or a leap.
    new = np.diff(voiced, prepend=False)
    new[1:] |= np.abs(np.diff(cents)) > voicing.largest_step
    new[0] = True
    starts = np.flatnonzero(new)
    lengths = np.diff(starts, append=len(voiced))
    kept = voiced[starts] & (lengths >= voicing.min_frames)
    kept &= np.add.reduceat(harmonicity, starts) >= voicing.min_harmonicity * lengths
    if voicing.tolerance is not None and kept.any():
        means = np.add.reduceat(salience, starts) / lengths
        kept &= means >= means[kept].mean() - voicing.tolerance * means[kept].std()
    return np.repeat(kept, lengths)
