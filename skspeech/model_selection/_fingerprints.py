"""Fingerprints of waveforms: landmarks that move with the sound, and what is around each.

A landmark is the largest value within 2 ms of a band-passed waveform. Its fingerprint is which of
40 values around it, 15 ms in all, have the sign of the landmark. Landmarks move with the sound by
single samples, so that no shift is too small or too odd for them, and neither gain nor polarity
nor a constant changes a sign. What is rounded or compressed keeps some of its fingerprints, and
two that agree on the shift are enough for a look at the samples (:mod:`._shared_runs`).
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

__all__ = ["Index", "Suspicion", "band_length", "band_passed", "landmarks", "suspicions"]

# All our choice, measured on speech (docs/results.md): what keeps most fingerprints of 0.25 s
# through 8 bits and MP3, and gives the fewest that agree by chance.
_APART = 0.002  # seconds between landmarks, at least
_STEP = 6 / 16_000  # seconds between the values of a fingerprint
_N_BITS = 40
_SLOW = 1 / 4_000  # seconds: half the length of the band-pass filter

_BLOCK = 1 << 20  # samples that are fingerprinted at a time
_QUERIES = 1 << 14  # landmarks that are looked up at a time
_MOST_PARTNERS = 1_000  # of a fingerprint
_MOST_REPEATS = 2  # of a fingerprint within _STRETCH of a waveform: more, and it is a tone
_STRETCH = 1 << 12  # samples: shorter than what recurs in a recording, longer than a tone's period
_LONGEST_GAP = 1 << 14  # samples between fingerprints that speak for the same run


class Index(NamedTuple):
    """The landmarks of all waveforms, those of a waveform in order and together."""

    waveforms: np.ndarray  #: Which waveform each landmark is in.
    places: np.ndarray  #: Sample of the waveform.
    prints: np.ndarray  #: Fingerprint.


class Suspicion(NamedTuple):
    """Two waveforms that may share sound: sample i of the first is sample i + lag of the second."""

    first: int
    second: int
    lag: int
    places: np.ndarray  #: Samples of the first at which fingerprints agree, ascending.


def band_length(sample_rate: float) -> int:
    """Return half the length of the band-pass filter, samples."""
    return max(1, round(_SLOW * sample_rate))


def band_passed(waveform: np.ndarray, sample_rate: float) -> np.ndarray:
    """Return a waveform without its constant, its hum and what is near and above 4 kHz.

    Parameters
    ----------
    waveform : ndarray of float32, shape (n_samples,)
    sample_rate : float
        Hz.

    Returns
    -------
    ndarray of float32, shape (n_samples,)
        Zero for the first half millisecond. A constant becomes zero exactly.
    """
    half = band_length(sample_rate)
    smooth = waveform.astype(np.float32, copy=True)
    for shift in range(1, half):
        smooth[shift:] += waveform[:-shift]
    found = np.zeros_like(smooth)
    if len(found) > 2 * half:
        found[2 * half :] = smooth[2 * half :] - smooth[half:-half]
    return found


def landmarks(waveform: np.ndarray, sample_rate: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the landmarks of a waveform and their fingerprints.

    Parameters
    ----------
    waveform : ndarray of float32, shape (n_samples,)
    sample_rate : float
        Hz.

    Returns
    -------
    places : ndarray of int64, shape (n_landmarks,)
        Samples, ascending.
    prints : ndarray of uint64, shape (n_landmarks,)
    """
    apart = max(1, round(_APART * sample_rate))
    around = np.rint((np.arange(_N_BITS) - (_N_BITS - 1) / 2) * _STEP * sample_rate).astype(int)
    margin = max(apart, -around[0], around[-1]) + 2 * band_length(sample_rate)
    places, prints = [np.empty(0, np.int64)], [np.empty(0, np.uint64)]
    for begin in range(0, len(waveform), _BLOCK):
        left = max(0, begin - margin)
        band = band_passed(waveform[left : begin + _BLOCK + margin], sample_rate)
        found = _peaks(band, apart)
        found = found[(found >= begin - left) & (found < begin - left + _BLOCK)]
        found = found[(found + around[0] >= 0) & (found + around[-1] < len(band))]
        places.append(found + left)
        prints.append(_signs(band, found, around))
    return np.concatenate(places), np.concatenate(prints)


def _peaks(band: np.ndarray, apart: int) -> np.ndarray:
    from scipy.ndimage import maximum_filter1d

    size = np.abs(band)
    return np.flatnonzero((size == maximum_filter1d(size, 2 * apart + 1)) & (size > 0))


def _signs(band: np.ndarray, places: np.ndarray, around: np.ndarray) -> np.ndarray:
    """Return as bits which of the values around each place have its sign."""
    bits = np.zeros((len(places), 64), bool)
    bits[:, :_N_BITS] = (band[places[:, None] + around] > 0) ^ (band[places] < 0)[:, None]
    return np.packbits(bits, axis=1).view(np.uint64).ravel()


def suspicions(
    index: Index, may_leak: Callable[[np.ndarray, np.ndarray], np.ndarray]
) -> Iterator[list[Suspicion]]:
    """Yield where waveforms agree in two fingerprints or more with the same shift between them.

    Parameters
    ----------
    index : Index
    may_leak : callable
        Says of arrays of first and second waveforms which pairs are asked for.

    Yields
    ------
    list of Suspicion
        Of one pair of waveforms, what agrees most first.
    """
    order, same = _lookup(index)
    rank = np.full(len(index.prints), -1)
    rank[order] = np.arange(len(order))
    # whole waveforms at a time: all that speaks for a pair is found together
    stops = np.flatnonzero(np.diff(index.waveforms, append=-1)) + 1
    begin = 0
    for stop in stops.tolist():
        if stop - begin >= _QUERIES or stop == len(rank):
            asked = rank[begin:stop]
            pairs = _partners(asked[asked >= 0], order, same, index, may_leak)
            yield from _agreements(pairs, index)
            begin = stop


def _lookup(index: Index) -> tuple[np.ndarray, np.ndarray]:
    """Return the landmarks sorted by fingerprint, and which of these have the same one.

    What a waveform soon repeats is left out: it says nothing of where in the waveform it is.
    """
    order = np.argsort(index.prints, kind="stable")  # and so by waveform
    prints, waveforms = index.prints[order], index.waveforms[order]
    stretches = index.places[order] // _STRETCH
    same = np.cumsum(np.diff(prints, prepend=prints[:1]) != 0)
    is_new = np.zeros(len(order), bool)
    for part in (same, waveforms, stretches):
        is_new |= np.diff(part, prepend=-1) != 0
    repeats = np.diff(np.append(np.flatnonzero(is_new), len(order)))
    kept = np.repeat(repeats, repeats) <= _MOST_REPEATS
    return order[kept], same[kept]


def _partners(
    asked: np.ndarray,
    order: np.ndarray,
    same: np.ndarray,
    index: Index,
    may_leak: Callable[[np.ndarray, np.ndarray], np.ndarray],
) -> tuple[np.ndarray, np.ndarray]:
    """Return pairs of landmarks with the same fingerprint, the first of them among those asked."""
    firsts, seconds = [asked[:0]], [asked[:0]]
    for step in range(1, _MOST_PARTNERS + 1):
        asked = asked[asked + step < len(order)]
        asked = asked[same[asked] == same[asked + step]]
        if not len(asked):
            break
        first, second = order[asked], order[asked + step]
        one, other = index.waveforms[first], index.waveforms[second]
        wanted = one != other
        wanted[wanted] = may_leak(one[wanted], other[wanted])
        firsts.append(first[wanted])
        seconds.append(second[wanted])
    return np.concatenate(firsts), np.concatenate(seconds)


def _agreements(pairs: tuple[np.ndarray, np.ndarray], index: Index) -> Iterator[list[Suspicion]]:
    """Yield what two pairs of landmarks or more say of two waveforms and a lag, by waveforms."""
    first, second = pairs
    one, other = index.waveforms[first], index.waveforms[second]
    places = index.places[first]
    lags = index.places[second] - places
    order = np.lexsort((places, lags, other, one))
    one, other, lags, places = one[order], other[order], lags[order], places[order]
    is_new = np.ones(len(one), bool)
    is_new[1:] = (np.diff(one) != 0) | (np.diff(other) != 0) | (np.diff(lags) != 0)
    is_new[1:] |= np.diff(places) > _LONGEST_GAP
    bounds = np.append(np.flatnonzero(is_new), len(one))
    found: list[Suspicion] = []
    for i in np.flatnonzero(np.diff(bounds) >= 2).tolist():
        at = bounds[i]
        pair = int(one[at]), int(other[at])
        if found and (found[0].first, found[0].second) != pair:
            yield _most_first(found)
            found = []
        found.append(Suspicion(*pair, int(lags[at]), places[at : bounds[i + 1]]))
    if found:
        yield _most_first(found)


def _most_first(found: list[Suspicion]) -> list[Suspicion]:
    return sorted(found, key=lambda suspicion: -len(suspicion.places))
