"""Splits that keep speakers apart, as the papers drew them.

They are ordinary splitters of scikit-learn's: ``split(X, y, groups)`` gives train and test indices
and ``groups`` are the speakers. Protocols that also name speakers for the choice of the best epoch
give these by ``split_with_validation``, and leave them out of both parts of ``split``:
:func:`~skspeech.model_selection.cross_validate_speakers` hands them to the early stopping.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from sklearn.model_selection import BaseCrossValidator
from sklearn.utils import check_consistent_length, check_random_state

from skspeech.training.validation import reads_groups

__all__ = ["LeaveOneSessionOut", "LeaveOneSpeakerOut", "SpeakerShuffleSplit", "ValidateOnTest"]

Parts = tuple[np.ndarray, np.ndarray, np.ndarray]


class _SpeakerSplitter(BaseCrossValidator):
    """Base: a subclass draws test and validation speakers, and this gives their recordings."""

    __metadata_request__split = {"groups": True}

    def _draw(self, speakers: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield the test and the validation speakers of each fold, indices into `speakers`."""
        raise TypeError(f"{type(self).__name__} must define _draw.")

    def split_with_validation(self, X: Any, y: Any = None, groups: Any = None) -> Iterator[Parts]:
        """Yield the training, validation and test recordings of each fold.

        Parameters
        ----------
        X : collection of n recordings
            Only counted.
        y : None
            Not used.
        groups : array-like of shape (n_recordings,)
            The speaker of each recording.

        Yields
        ------
        train, validation, test : ndarray of int
            Sorted indices; no speaker is in two of them.

        Raises
        ------
        ValueError
            If there are no groups, or too few speakers.
        """
        speakers, speaker_of = _speakers(X, groups, type(self).__name__)
        for test, validation in self._draw(speakers):
            if len(test) + len(validation) >= len(speakers):
                raise ValueError(
                    f"{self!r} leaves none of {len(speakers)} speakers to train on. Pass "
                    "recordings of more speakers, or hold out fewer."
                )
            held = np.isin(speaker_of, np.concatenate([test, validation]))
            yield (
                np.flatnonzero(~held),
                np.flatnonzero(np.isin(speaker_of, validation)),
                np.flatnonzero(np.isin(speaker_of, test)),
            )

    def split(self, X: Any, y: Any = None, groups: Any = None) -> Iterator[tuple]:
        """Yield the training and test recordings of each fold, without the validation speakers.

        Parameters
        ----------
        X, y, groups
            As for :meth:`split_with_validation`.

        Yields
        ------
        train, test : ndarray of int
        """
        for train, _, test in self.split_with_validation(X, y, groups):
            yield train, test


def _speakers(X: Any, groups: Any, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the speakers, sorted, and the speaker of each recording as an index into them."""
    if groups is None:
        raise ValueError(f"{name} splits by speaker: pass groups, one speaker a recording.")
    groups = np.asarray(groups)
    if X is not None:
        check_consistent_length(X, groups)
    return np.unique(groups, return_inverse=True)


class LeaveOneSpeakerOut(_SpeakerSplitter):
    """Each speaker is the test part once; others may choose the epoch.

    With ``n_validation=1`` and ten speakers this is the eight, one and one of Chen et al.
    (2018). Without, it is scikit-learn's LeaveOneGroupOut.

    Parameters
    ----------
    n_validation : int, default=0
        Speakers set aside in each fold to choose the best epoch: those who follow the test
        speaker, in the sorted order or the one `random_state` draws.
    random_state : int, RandomState instance or None, default=None
        Draws the order in which speakers follow each other; None keeps them sorted. The test
        speakers come in sorted order whatever it is.

    Examples
    --------
    >>> from skspeech.model_selection import LeaveOneSpeakerOut
    >>> speakers = ["Ann", "Ann", "Bob", "Cid"]
    >>> splitter = LeaveOneSpeakerOut(n_validation=1)
    >>> for parts in splitter.split_with_validation(speakers, groups=speakers):
    ...     print(*(part.tolist() for part in parts))
    [3] [2] [0, 1]
    [0, 1] [3] [2]
    [2] [0, 1] [3]
    """

    def __init__(self, *, n_validation: int = 0, random_state: Any = None):
        self.n_validation = n_validation
        self.random_state = random_state

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """Return the number of speakers."""
        return len(_speakers(X, groups, type(self).__name__)[0])

    def _draw(self, speakers: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        _check_count("n_validation", self.n_validation, 0)
        order = np.arange(len(speakers))
        if self.random_state is not None:
            order = check_random_state(self.random_state).permutation(order)
        place_of = np.argsort(order)
        for speaker, place in enumerate(place_of):
            yield np.array([speaker]), np.roll(order, -place)[1 : 1 + self.n_validation]


class LeaveOneSessionOut(_SpeakerSplitter):
    """One session is left out; one of its speakers is the test part, the others choose the epoch.

    The protocol of Ma et al. (2018, section 4) on IEMOCAP's five sessions of two speakers. They do
    not say who of the two tests, so each does once: ten folds.

    Parameters
    ----------
    sessions : mapping
        The session of each speaker.

    Examples
    --------
    >>> from skspeech.model_selection import LeaveOneSessionOut
    >>> sessions = {"Ann": 1, "Bob": 1, "Cid": 2, "Dan": 2}
    >>> speakers = list(sessions)
    >>> splitter = LeaveOneSessionOut(sessions=sessions)
    >>> [part.tolist() for part in next(splitter.split_with_validation(speakers, groups=speakers))]
    [[2, 3], [1], [0]]
    """

    def __init__(self, *, sessions: Mapping):
        self.sessions = sessions

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """Return the number of speakers."""
        return len(_speakers(X, groups, type(self).__name__)[0])

    def _draw(self, speakers: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        unknown = [name for name in speakers.tolist() if name not in self.sessions]
        if unknown:
            raise ValueError(f"sessions does not name the session of speaker {unknown[0]!r}.")
        sessions = np.asarray([self.sessions[name] for name in speakers.tolist()])
        _, session_of = np.unique(sessions, return_inverse=True)
        for speaker in np.argsort(session_of, kind="stable"):
            partners = np.flatnonzero(session_of == session_of[speaker])
            yield np.array([speaker]), partners[partners != speaker]


class SpeakerShuffleSplit(_SpeakerSplitter):
    """Some speakers, drawn by chance, are the test part; others may choose the epoch.

    With ``n_test=2`` and ten speakers this is the speaker-independent protocol of Zhao, Mao and
    Chen (2019, section 4.2), who do not say which two.

    Parameters
    ----------
    n_splits : int, default=1
    n_test : int, default=2
        Speakers in the test part.
    n_validation : int, default=0
        Speakers set aside to choose the best epoch.
    random_state : int, RandomState instance or None, default=None

    Examples
    --------
    >>> from skspeech.model_selection import SpeakerShuffleSplit
    >>> speakers = list("aabbccddee")
    >>> splitter = SpeakerShuffleSplit(n_test=2, random_state=0)
    >>> [(len(train), len(test)) for train, test in splitter.split(speakers, groups=speakers)]
    [(6, 4)]
    """

    def __init__(
        self, *, n_splits: int = 1, n_test: int = 2, n_validation: int = 0, random_state: Any = None
    ):
        self.n_splits = n_splits
        self.n_test = n_test
        self.n_validation = n_validation
        self.random_state = random_state

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """Return `n_splits`."""
        return self.n_splits

    def _draw(self, speakers: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        _check_count("n_splits", self.n_splits, 1)
        _check_count("n_test", self.n_test, 1)
        _check_count("n_validation", self.n_validation, 0)
        rng = check_random_state(self.random_state)
        for _ in range(self.n_splits):
            order = rng.permutation(len(speakers))
            yield order[: self.n_test], order[self.n_test : self.n_test + self.n_validation]


class ValidateOnTest:
    """A splitter whose test part also chooses the epoch, as some papers did it.

    It is there to reproduce published figures and nothing else: what chose the best epoch cannot
    judge it, and such scores are too good. ``ValidateOnTest(splitter=ShuffleSplit(test_size=0.2))``
    is the speaker-dependent protocol of Zhao, Mao and Chen (2019, section 4.1) as printed.

    Parameters
    ----------
    splitter : splitter
        Gives the training and test parts.

    Examples
    --------
    >>> from sklearn.model_selection import KFold
    >>> from skspeech.model_selection import ValidateOnTest
    >>> split = ValidateOnTest(splitter=KFold(2)).split_with_validation([[0], [1]])
    >>> [part.tolist() for part in next(split)]
    [[1], [0], [0]]
    """

    def __init__(self, *, splitter: Any):
        self.splitter = splitter

    def __repr__(self) -> str:
        return f"ValidateOnTest(splitter={self.splitter!r})"

    def get_metadata_routing(self) -> Any:
        """Return what the splitter inside asks for."""
        from sklearn.utils.metadata_routing import get_routing_for_object

        return get_routing_for_object(self.splitter)

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """Return the number of splits of the splitter inside."""
        return self.splitter.get_n_splits(X, y, groups)

    def split(self, X: Any, y: Any = None, groups: Any = None) -> Iterator[tuple]:
        """Yield the training and test recordings of each split."""
        asked = groups if reads_groups(self.splitter) else None
        return self.splitter.split(X, y, asked)

    def split_with_validation(self, X: Any, y: Any = None, groups: Any = None) -> Iterator[Parts]:
        """Yield the training and test recordings of each split, the latter twice."""
        for train, test in self.split(X, y, groups):
            yield train, test, test


def _check_count(name: str, value: Any, least: int) -> None:
    if not isinstance(value, int | np.integer) or value < least:
        raise ValueError(f"{name} must be an integer of {least} or more, got {value!r}.")
