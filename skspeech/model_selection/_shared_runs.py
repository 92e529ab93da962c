"""Whether waveforms hold the same sound where their fingerprints agree: a look at the samples."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from skspeech.model_selection._fingerprints import Suspicion, band_length, band_passed

__all__ = ["Run", "shared_runs"]

# All our choice, measured on speech and on songs (docs/results.md).
_BLOCK = 0.004  # seconds: what is compared at once, together with its neighbours
_ALIKE = 0.9  # the correlation of a stretch of sound that is the same
_NEARLY = 0.8  # and of its blocks
_MARGIN = 0.15  # seconds that are looked at beyond the fingerprints, at first
_FOUND = 0.8  # how much of the shortest run must be found: its ends may be lost in noise
_OWN = 0.005  # the part of its energy that a sound must not repeat itself
_LOOKS = 8  # at how many places of a long run, at most, it is asked whether it is a tone
_FAILURES = 20  # shifts that come to nothing until no more are tried, and one more for each second


class Run(NamedTuple):
    """What two waveforms share: samples of each, and how well they agree."""

    first_start: int
    second_start: int
    n_samples: int
    correlation: float  #: Negative where the polarity is turned round.


def shared_runs(
    first: np.ndarray,
    second: np.ndarray,
    suspicions: list[Suspicion],
    sample_rate: float,
    min_duration: float,
) -> list[Run]:
    """Return the stretches of sound that two waveforms share.

    Parameters
    ----------
    first, second : ndarray of float32, shape (n_samples,)
    suspicions : list of Suspicion
        Of these two waveforms, what is most likely first.
    sample_rate : float
        Hz.
    min_duration : float
        Seconds; what is shorter is left out.

    Returns
    -------
    list of Run
        By their beginning in the first waveform. No sound of it is in two of them.
    """
    found: list[Run] = []
    failures = 0
    enough = _FAILURES + min(len(first), len(second)) / sample_rate
    for suspicion in suspicions:
        places = suspicion.places
        for run in found:  # known by another shift: sound that repeats itself
            inside = (places >= run.first_start) & (places < run.first_start + run.n_samples)
            places = places[~inside]
        if not len(places):
            continue
        runs = list(_runs(first, second, suspicion._replace(places=places), sample_rate))
        new = [
            run
            for run in runs
            if run.n_samples >= _FOUND * min_duration * sample_rate
            and not any(_overlap(run, other) for other in found)
            and _has_content(first, run, sample_rate, min_duration)
        ]
        found += new
        failures = 0 if new else failures + 1
        if failures > enough:
            break
    return sorted(found)


def _overlap(run: Run, other: Run) -> bool:
    return (
        run.first_start < other.first_start + other.n_samples
        and other.first_start < run.first_start + run.n_samples
    )


def _runs(
    first: np.ndarray, second: np.ndarray, suspicion: Suspicion, sample_rate: float
) -> Iterator[Run]:
    """Yield the stretches at one lag that hold a place of the suspicion."""
    block = max(1, round(_BLOCK * sample_rate))
    lag, places = suspicion.lag, suspicion.places
    least, most = max(0, -lag), min(len(first), len(second) - lag)
    margin = round(_MARGIN * sample_rate)
    while True:
        begin, end = max(least, places[0] - margin), min(most, places[-1] + margin)
        sums = _block_sums(first, second, lag, begin, end, sample_rate, block)
        at = np.unique((places - begin) // block)
        bounds = _bounds(sums, at[at < sums.shape[1]])
        touches = any(
            (a == 0 and begin > least) or (b == sums.shape[1] and end < most - block)
            for a, b in bounds
        )
        if not touches:
            break
        margin *= 4
    for a, b in bounds:
        cross, energy, other = sums[:, a:b].sum(axis=1)
        start = int(begin + a * block)
        correlation = float(cross / np.sqrt(energy * other))
        if abs(correlation) >= _ALIKE:
            yield Run(start, start + lag, int((b - a) * block), correlation)


def _block_sums(
    first: np.ndarray,
    second: np.ndarray,
    lag: int,
    begin: int,
    end: int,
    sample_rate: float,
    block: int,
) -> np.ndarray:
    """Return product and energies of two waveforms in blocks, shape (3, n_blocks)."""
    one = _band(first, begin, end, sample_rate)
    other = _band(second, begin + lag, end + lag, sample_rate)
    n_blocks = len(one) // block
    one, other = (part[: n_blocks * block].reshape(n_blocks, block) for part in (one, other))
    pairs = ((one, other), (one, one), (other, other))
    return np.array([np.einsum("ij,ij->i", *pair, dtype=np.float64) for pair in pairs])


def _band(waveform: np.ndarray, begin: int, end: int, sample_rate: float) -> np.ndarray:
    left = max(0, begin - 2 * band_length(sample_rate))
    return band_passed(waveform[left:end], sample_rate)[begin - left :]


def _bounds(sums: np.ndarray, at: np.ndarray) -> list[tuple[int, int]]:
    """Return the runs of blocks that agree, first and one past the last, that hold one of `at`."""
    windows = np.array([np.convolve(row, np.ones(3), mode="same") for row in sums])
    sign = 1.0 if windows[0, at].sum() >= 0 else -1.0
    agree = _agrees(windows, sign)
    core = at[agree[at]]
    if not len(core):
        return []
    gain = windows[0, core].sum() / windows[1, core].sum()
    rest = windows[2] - 2 * gain * windows[0] + gain**2 * windows[1]
    # pauses, in which only the rounding differs, part no run
    in_runs = agree | (rest <= 4 * np.median(rest[core]))
    edges = np.flatnonzero(np.diff(in_runs, prepend=False, append=False)).reshape(-1, 2)
    alone = _agrees(sums, sign)
    bounds = []
    for begin, end in edges.tolist():
        held = np.flatnonzero(agree[begin:end]) + begin
        if 2 * len(held) < end - begin or not ((core >= begin) & (core < end)).any():
            continue
        begin, end = int(held[0]), int(held[-1]) + 1
        while begin > 0 and alone[begin - 1]:
            begin -= 1
        while end < len(alone) and alone[end]:
            end += 1
        bounds.append((begin, end))
    return bounds


def _agrees(sums: np.ndarray, sign: float) -> np.ndarray:
    cross, energy, other = sums
    return (sign * cross >= _NEARLY * np.sqrt(energy * other)) & (energy > 0) & (other > 0)


def _has_content(waveform: np.ndarray, run: Run, sample_rate: float, min_duration: float) -> bool:
    """Whether what is shared tells more than that both hold such a sound, as a tone would.

    What can be told from itself, shifted, could be so in another recording of such a sound: what
    one shift explains, as of a hum, or several together, as of a chord of steady tones.
    """
    begin = max(run.first_start, 2 * band_length(sample_rate))  # where the band-pass has begun
    band = _band(waveform, begin, run.first_start + run.n_samples, sample_rate)
    band = band.astype(np.float64)
    size = min(len(band), round(min_duration * sample_rate))
    least = max(_OWN, 2 * (1 - run.correlation**2))
    step = max(1, size // 2, (len(band) - size) // _LOOKS)
    for start in range(0, len(band) - size + 1, step):
        sound = band[start : start + size]
        if min(_rest_of_one_shift(sound), _rest_of_many_shifts(sound, sample_rate)) > least:
            return True
    return False


def _rest_of_one_shift(sound: np.ndarray) -> float:
    """Return which part of the energy of a sound its best shift by itself leaves unexplained."""
    from scipy.fft import irfft, next_fast_len, rfft

    n = len(sound)
    size = next_fast_len(2 * n, real=True)
    products = irfft(np.abs(rfft(sound, size)) ** 2, size)[: n // 2]
    energy = np.concatenate([[0.0], np.cumsum(sound**2)])
    shifts = np.arange(n // 2)
    both = np.sqrt(energy[n - shifts] * (energy[n] - energy[shifts]))
    alike = products / np.maximum(both, np.finfo(np.float64).tiny)
    crossing = np.flatnonzero(alike <= 0)  # shifts within the sound's own waves are no shifts
    best = alike[crossing[0] :].max() if len(crossing) else 1.0
    return float(1 - min(1.0, best) ** 2)


def _rest_of_many_shifts(sound: np.ndarray, sample_rate: float) -> float:
    """Return which part of its energy the best sum of 24 shifts leaves, 4 to 27 ms."""
    shifts = np.rint(np.arange(4, 28) * sample_rate / 1000).astype(int)
    n_samples = len(sound) - shifts[-1]
    if n_samples <= 0:
        return 1.0
    begins = shifts[-1] - shifts
    shifted = np.array([sound[begin : begin + n_samples] for begin in begins])
    later = sound[shifts[-1] :]
    weights = np.linalg.lstsq(shifted @ shifted.T, shifted @ later, rcond=1e-10)[0]
    rest = later - weights @ shifted
    return float(rest @ rest / max(later @ later, np.finfo(np.float64).tiny))
