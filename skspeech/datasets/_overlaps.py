"""Which recordings are cuts of the same audio: those that share an exact run of samples."""

from collections.abc import Iterator, Sequence

import numpy as np

__all__ = ["MIN_RUN", "overlap_groups", "sample_bits"]

#: Samples; 12 ms at 22,050 Hz. So many of sound are never alike by chance.
MIN_RUN = 256

#: Odd, so that powers have inverses modulo 2**64: the golden ratio, and a number of MurmurHash.
_BASE = 0x9E3779B97F4A7C15
_MIXER = 0xFF51AFD7ED558CCD

#: Sorted hashes that are compared at a time.
_BLOCK = 1 << 22


def sample_bits(waveform: np.ndarray) -> np.ndarray:
    """Return the samples, as float32, in the form of uint32 that are equal where they are."""
    return (np.asarray(waveform, dtype=np.float32) + np.float32(0)).view(np.uint32)  # -0.0 is 0.0


def overlap_groups(waveforms: Sequence[np.ndarray], *, min_run: int = MIN_RUN) -> np.ndarray:
    """Return groups of recordings that share audio, sample by sample, at any two places.

    Two recordings overlap if `min_run` consecutive samples of the one are also in the other, and
    at least half of these differ from the sample before them: silence, clipping and other constants
    are no common audio. What overlaps with anything in a group is in the group.

    Parameters
    ----------
    waveforms : sequence of n ndarrays of shape (n_samples,)
        Each read once, as float32; all are in memory, with 8 bytes more a sample while hashes are
        sorted.
    min_run : int, default=256
        At least 2. Recordings that are shorter are groups of their own.

    Returns
    -------
    ndarray of shape (n,), dtype int64
        0 for the group of the first recording, 1 for the next new one, and so on.

    Notes
    -----
    The hashes of all runs of `min_run` samples are sorted. Recordings that meet in a hash are
    compared sample by sample before they are joined: nothing is joined by chance. Were two
    different runs to have the same 64 bits, less those of the number of a recording, a link might
    be missed that hangs on this run alone.

    Examples
    --------
    >>> import numpy as np
    >>> from skspeech.datasets._overlaps import overlap_groups
    >>> noise = np.random.default_rng(0).standard_normal(3000)
    >>> overlap_groups([noise[:1000], noise[2000:], noise[700:1200]]).tolist()
    [0, 1, 0]
    """
    from scipy.cluster.hierarchy import DisjointSet

    bits = [sample_bits(waveform) for waveform in waveforms]
    runs = _Runs(min_run, max(map(len, bits), default=0))
    groups = DisjointSet(range(len(bits)))
    for i, j in _meetings(bits, runs):
        if not groups.connected(i, j) and runs.are_shared(bits[i], bits[j]):
            groups.merge(i, j)
    numbers: dict[int, int] = {}
    return np.array(
        [numbers.setdefault(groups[i], len(numbers)) for i in range(len(bits))], dtype=np.int64
    )


class _Runs:
    """Hashes of all runs of so many samples: polynomials in a base, from one running sum."""

    def __init__(self, min_run: int, longest: int):
        self.min_run = min_run
        self.powers = np.cumprod(np.full(longest, _BASE, dtype=np.uint64))
        inverse = np.uint64(pow(_BASE, -1, 1 << 64))
        self.inverses = np.cumprod(np.full(longest, inverse))

    def hashes(self, bits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the hash of each run that is not near to constant, and where it begins."""
        n_runs = len(bits) - self.min_run + 1
        if n_runs < 1:
            return np.empty(0, dtype=np.uint64), np.empty(0, dtype=np.int64)
        # the low bits of a product know only lower ones, and those of samples may all be zero
        mixed = bits * np.uint64(_MIXER)
        mixed ^= mixed >> np.uint64(32)
        mixed *= self.inverses[: len(bits)]
        hashes = _over_runs(mixed, self.min_run) * self.powers[:n_runs]
        changes = _over_runs(bits[1:] != bits[:-1], self.min_run - 1)
        begins = np.flatnonzero(2 * changes >= self.min_run)
        return hashes[begins], begins

    def are_shared(self, bits: np.ndarray, others: np.ndarray) -> bool:
        """Whether two recordings have such a run in common, by their samples."""
        (first, begins), (second, other_begins) = self.hashes(bits), self.hashes(others)
        _, places, other_places = np.intersect1d(first, second, return_indices=True)
        pairs = zip(begins[places], other_begins[other_places], strict=True)
        n = self.min_run
        return any(np.array_equal(bits[i : i + n], others[j : j + n]) for i, j in pairs)


def _over_runs(values: np.ndarray, length: int) -> np.ndarray:
    """Return the sum of each run of so many values, modulo 2**64."""
    sums = np.zeros(len(values) + 1, dtype=np.uint64)
    np.cumsum(values, dtype=np.uint64, out=sums[1:])
    return sums[length:] - sums[: len(sums) - length]


def _meetings(bits: list[np.ndarray], runs: _Runs) -> Iterator[tuple[int, int]]:
    """Give the pairs of recordings that stand side by side where hashes are equal."""
    n_low = np.uint64(max(1, len(bits) - 1).bit_length())
    low = (np.uint64(1) << n_low) - np.uint64(1)
    keys = np.empty(sum(max(0, len(each) - runs.min_run + 1) for each in bits), dtype=np.uint64)
    used = 0
    for i, each in enumerate(bits):
        hashes, _ = runs.hashes(each)
        keys[used : used + len(hashes)] = (hashes & ~low) | np.uint64(i)
        used += len(hashes)
    keys = keys[:used]
    keys.sort()
    pairs = [np.empty(0, dtype=np.uint64)]
    for begin in range(0, used, _BLOCK):
        block = keys[begin : begin + _BLOCK + 1]
        differing = block[1:] ^ block[:-1]
        meet = np.flatnonzero((differing <= low) & (differing > 0))
        pairs.append(np.unique(((block[meet] & low) << n_low) | (block[meet + 1] & low)))
    for pair in np.unique(np.concatenate(pairs)).tolist():
        yield pair >> int(n_low), pair & int(low)
