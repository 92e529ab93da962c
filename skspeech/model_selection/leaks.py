"""The same sound on both sides of a split: exact copies, and excerpts that recordings share."""

from collections.abc import Iterator
from functools import lru_cache
from numbers import Real
from typing import Any, NamedTuple

import numpy as np

from skspeech.exceptions import RecordingError
from skspeech.model_selection._copies import as_recordings, digest
from skspeech.model_selection._fingerprints import Index, landmarks, suspicions
from skspeech.model_selection._shared_runs import shared_runs
from skspeech.model_selection._sides import AcrossFolds, AcrossGroups, sides_of
from skspeech.recordings import check_recording, segments_of
from skspeech.training.labels import check_groups

__all__ = ["Leak", "find_leaks"]


class Leak(NamedTuple):
    """Sound that two recordings share; a list of them is a table, ``pandas.DataFrame(leaks)``.

    Attributes
    ----------
    first, second : int
        The recordings, indices into ``X``, ``first < second``. They are the same one where a
        split has a recording on both of its sides.
    first_segment, second_segment : int
        Which segment, where a recording is a bag; else 0.
    first_start, second_start : float
        Where the shared sound begins in each, seconds.
    duration : float
        How long it is, seconds; NaN for whole spectrograms.
    kind : {"copy", "excerpt"}
        Equal in every sample from beginning to end, as numbers of 32 bits, or not.
    correlation : float
        Of the two stretches, band-passed: 1 is the same sound up to its volume. It is negative
        where the polarity is turned round.
    folds : tuple of int
        Which splits of `cv` part the two; empty without `cv`.
    tested : tuple of int
        Which of the two recordings each of these folds tests.
    """

    first: int
    second: int
    first_segment: int
    second_segment: int
    first_start: float
    second_start: float
    duration: float
    kind: str
    correlation: float
    folds: tuple[int, ...]
    tested: tuple[int, ...]


def find_leaks(
    X: Any,
    groups: Any = None,
    cv: Any = None,
    *,
    y: Any = None,
    sample_rate: float = 16_000,
    min_duration: float | None = 0.25,
) -> list[Leak]:
    """Find the same sound on both sides of a split.

    A model that has heard a part of a test recording in training is tested on its memory. Copies
    are told by their samples, in whatever container they come. Excerpts are told by fingerprints,
    and then by the samples: at another volume, with the polarity turned round, a constant
    added, moved by any number of samples, rounded to 16 or 8 bits, or compressed as MP3. What is
    played faster or slower, resampled, filtered, faded, clipped, heard through another room or
    microphone, or mixed with other sound as loud as itself is not found, or not always. Silence,
    clicks, tones, hum, chords of a few tones and whatever repeats itself within a third of
    `min_duration` are no leaks: other recordings may hold them, too.

    Parameters
    ----------
    X : list, tuple, ndarray, data frame or RecordingSequence of n recordings
        Waveforms, or bags of them. Arrays of more axes (spectrograms) are looked at for exact
        copies only: two spectrograms of one sound differ when their frames begin elsewhere. Stereo
        would be taken for one: mix it down first. Recordings read on access are read once, and
        once more for each suspicious pair, of which the last 64 waveforms are kept.
    groups : array-like of shape (n_recordings,) or None, default=None
        The speaker, singer or song of each recording. Without `cv`, pairs of different groups are
        looked for, or all pairs if there are no groups, either.
    cv : splitter, int, iterable or None, default=None
        Pairs that at least one of its splits has on different sides, whatever their groups, which
        the splitter gets. The validation part of ``split_with_validation`` counts as learnt.
    y : array-like of shape (n_recordings,) or None, default=None
        Labels, for splitters that need them.
    sample_rate : float, default=16000
        Hz. At a wrong one, excerpts may be missed.
    min_duration : float or None, default=0.25
        The shortest excerpt to be found, seconds, 0.1 at least; its ends may be lost in noise, so
        that what is reported lasts for four fifths of it or more. Beginnings and ends are true to
        some 10 ms, in noise to less. None looks for exact copies only.

    Returns
    -------
    list of Leak
        Sorted by recordings and time; empty for an honest split. Each pair is listed: 100 copies
        of a recording are 4,950 of them. An excerpt that more than 1,000 recordings share may be
        told for each of them with some of the others only, and one that comes several times in a
        recording may be told once or several times.

    Raises
    ------
    RecordingError
        If a recording cannot be read or holds what is no number.
    ValueError
        If groups, sample rate or shortest duration do not fit.

    Notes
    -----
    Time grows with the square of how much there is of one steady sound: 24 recordings, 136 s, that
    ended with 4 s of the same clean mains hum each took 26 s, half as many 6 s.

    Fingerprints are the signs around the largest values of the waveform after a band-pass filter
    (below 4 kHz). Two recordings with two fingerprints alike and the same shift between them are
    compared sample by sample, in blocks of 4 ms: the correlation of a shared stretch is 0.9 at
    least. It is a leak only if the sound, shifted by itself once or 24 times, leaves half a
    percent of its energy unexplained, and twice as much as the other recording does.

    Examples
    --------
    >>> import numpy as np
    >>> from skspeech.datasets import make_emotional_speech
    >>> from skspeech.model_selection import find_leaks
    >>> speech = make_emotional_speech(2, 2, emotions=("anger", "sadness"), random_state=0)
    >>> find_leaks(speech.data, groups=speech.speakers)
    []
    >>> speech.data[7] = np.concatenate([speech.data[7], -0.5 * speech.data[0][4000:12000]])
    >>> [leak] = find_leaks(speech.data, groups=speech.speakers)
    >>> leak.first, leak.second, round(leak.first_start, 1), round(leak.duration, 1)
    (0, 7, 0.2, 0.5)
    """
    groups = check_groups(X, groups)
    _check(sample_rate, min_duration)
    recordings = as_recordings(X)
    sides = sides_of(cv, X, y, groups, len(recordings))
    sounds = _read(recordings, sample_rate, min_duration is not None)
    found = _copies(sounds, sides, sample_rate)
    if min_duration is not None:
        found += _excerpts(sounds, sides, recordings, sample_rate, min_duration)
    return sorted(found, key=_by_place)


def _by_place(leak: Leak) -> tuple:
    return (*leak[:2], leak.first_segment, leak.first_start, *leak[3:6])


def _check(sample_rate: Any, min_duration: Any) -> None:
    if not (isinstance(sample_rate, Real) and 0 < float(sample_rate) < np.inf):
        raise ValueError(f"sample_rate is {sample_rate!r}; it must be a number of Hz above 0.")
    if min_duration is None:
        return
    if not (isinstance(min_duration, Real) and 0.1 <= float(min_duration) < np.inf):
        raise ValueError(
            f"min_duration is {min_duration!r}; it must be 0.1 s or more, or None to look for "
            "exact copies only."
        )


class _Sounds(NamedTuple):
    """All different segments, by the order in which they come first."""

    members: list[list[tuple[int, int]]]  #: Recording and segment of each that is the same.
    durations: list[int]  #: Samples; 0 of what is no waveform.
    landmarks: Index


def _read(recordings: Any, sample_rate: float, with_excerpts: bool) -> _Sounds:
    """Read each recording once: which segments are the same, and the fingerprints of the others."""
    members: dict[bytes, list[tuple[int, int]]] = {}
    durations: list[int] = []
    places, prints = [np.empty(0, np.int64)], [np.empty(0, np.uint64)]
    counts: list[int] = []
    for i in range(len(recordings)):
        for s, segment in enumerate(_segments(recordings, i)):
            key = digest(segment)
            if key is None:
                continue
            if key in members:
                members[key].append((i, s))
                continue
            members[key] = [(i, s)]
            durations.append(len(segment) if segment.ndim == 1 else 0)
            if segment.ndim == 1 and with_excerpts:
                at, signs = landmarks(segment, sample_rate)
                places.append(at)
                prints.append(signs)
                counts.append(len(at))
            else:
                counts.append(0)
    waveforms = np.repeat(np.arange(len(counts)), counts)
    index = Index(waveforms, np.concatenate(places), np.concatenate(prints))
    return _Sounds(list(members.values()), durations, index)


def _segments(recordings: Any, i: int) -> list[np.ndarray]:
    """Return the segments of a recording, checked: waveforms, or arrays of more axes."""
    recording = recordings[i]
    one = segments_of(recording)
    n_axes = np.ndim(one[0]) if len(one) else 1
    if n_axes > 3:
        raise RecordingError(
            f"has {n_axes} axes", "find_leaks reads waveforms and spectrograms.", i
        )
    kind = "waveform" if n_axes < 2 else "spectrogram"
    checked = check_recording(recording, kind=kind, index=i, reads_bags=True, reader="find_leaks")
    return list(segments_of(checked))


def _copies(sounds: _Sounds, sides: AcrossGroups | AcrossFolds, sample_rate: float) -> list[Leak]:
    found = []
    for members, n_samples in zip(sounds.members, sounds.durations, strict=True):
        duration = n_samples / sample_rate if n_samples else float("nan")
        for at, (i, s) in enumerate(members):
            # a recording may be on both sides
            for j, t in members[at:]:
                if (i, s) != (j, t) and i == j:
                    continue
                if sides.are_apart(i, j):
                    found.append(
                        Leak(i, j, s, t, 0.0, 0.0, duration, "copy", 1.0, *sides.folds(i, j))
                    )
    return found


def _excerpts(
    sounds: _Sounds,
    sides: AcrossGroups | AcrossFolds,
    recordings: Any,
    sample_rate: float,
    min_duration: float,
) -> list[Leak]:
    @lru_cache(maxsize=64)
    def read(sound: int) -> np.ndarray:
        i, s = sounds.members[sound][0]
        return _segments(recordings, i)[s]

    if not len(sounds.landmarks.prints):
        return []
    merged = sides.merged([[i for i, _ in members] for members in sounds.members])
    found = []
    for pair in suspicions(sounds.landmarks, merged.are_apart):
        first, second = pair[0].first, pair[0].second
        for run in shared_runs(read(first), read(second), pair, sample_rate, min_duration):
            at = run.first_start / sample_rate, run.second_start / sample_rate
            lasts = run.n_samples / sample_rate
            for one, other in _pairs(sounds.members[first], sounds.members[second], sides):
                (i, s), (j, t) = sorted([one, other])
                starts = at if (i, s) == one else at[::-1]
                where = sides.folds(i, j)
                found.append(Leak(i, j, s, t, *starts, lasts, "excerpt", run.correlation, *where))
    return found


def _pairs(
    first: list[tuple[int, int]],
    second: list[tuple[int, int]],
    sides: AcrossGroups | AcrossFolds,
) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
    """Yield the pairs of segments of different recordings that are apart."""
    for one in first:
        for other in second:
            if one[0] != other[0] and sides.are_apart(one[0], other[0]):
                yield one, other
