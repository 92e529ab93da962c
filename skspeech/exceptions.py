"""Errors and warnings that a user may want to catch by name."""

__all__ = [
    "AudioWarning",
    "LeakageWarning",
    "MissingExtraError",
    "MotifWarning",
    "NoMotifError",
    "PatternExplosionError",
    "PluginWarning",
    "RecordingError",
    "SpeakerWarning",
    "ValidationWarning",
]


class AudioWarning(UserWarning):
    """An audio file cannot be used, and silence stands for it."""


class LeakageWarning(UserWarning):
    """The same sound is on both sides of a split, so that scores are of what was heard before."""


class MissingExtraError(ImportError):
    """A library is needed that comes with one of the package's extras and is not installed.

    Parameters
    ----------
    caller : str
        What needs it.
    module : str
        The library.
    extra : str
        The extra of skspeech that brings it.

    Examples
    --------
    >>> from skspeech.exceptions import MissingExtraError
    >>> print(MissingExtraError("plot_history", "matplotlib", "report"))
    plot_history needs matplotlib. Install it: pip install 'skspeech[report]'
    """

    def __init__(self, caller: str, module: str, extra: str):
        super().__init__(caller, module, extra)
        self.caller, self.module, self.extra = caller, module, extra

    def __str__(self) -> str:
        return (
            f"{self.caller} needs {self.module}. Install it: pip install 'skspeech[{self.extra}]'"
        )


class MotifWarning(UserWarning):
    """A recording has no motif, and its loudest part stands for it."""


class NoMotifError(ValueError):
    """Nothing in the recordings of a fit recurs as a motif has to; the message says what to try."""


class PatternExplosionError(ValueError):
    """There are more closed patterns than were asked for at most.

    Parameters
    ----------
    patterns : list of (tuple, int)
        As many patterns as were allowed, with their supports, longest first, then lexicographic.
    max_patterns : int
        How many were allowed.
    n_patterns : int or None, default=None
        How many there are, where the search went on to the end.

    Examples
    --------
    >>> from skspeech.exceptions import PatternExplosionError
    >>> from skspeech.mining import closed_sequences
    >>> try:
    ...     closed_sequences(["abcd", "dcba"], 2, max_patterns=3)
    ... except PatternExplosionError as error:
    ...     error.patterns
    [(('a',), 2), (('b',), 2), (('c',), 2)]
    """

    def __init__(
        self,
        patterns: list[tuple[tuple, int]],
        max_patterns: int,
        n_patterns: int | None = None,
    ):
        super().__init__(patterns, max_patterns, n_patterns)
        self.patterns, self.max_patterns, self.n_patterns = patterns, max_patterns, n_patterns

    def __str__(self) -> str:
        limit = self.max_patterns
        found = f"more than {limit:,}" if self.n_patterns is None else f"{self.n_patterns:,}"
        return (
            f"There are {found} closed patterns (max_patterns={limit}). Raise min_support, bound "
            "them by max_length or max_gap, or raise max_patterns. "
            f"The first {limit:,} are in this error's `patterns`."
        )

    def __repr__(self) -> str:
        # Without the patterns: they may be many.
        return f"{type(self).__name__}({str(self)!r})"


class PluginWarning(UserWarning):
    """A plugin cannot be used as it stands: it fails to import, or shares its name with another."""


class RecordingError(ValueError):
    """One recording cannot be used; the message names it, the problem and the mend.

    Parameters
    ----------
    problem : str
        What is wrong, as the rest of a sentence that begins with the recording.
    mend : str
        What to do about it, a sentence.
    index : int or None, default=None
        Which recording of the collection, where it is known.

    Examples
    --------
    >>> from skspeech.exceptions import RecordingError
    >>> print(RecordingError("is empty", "Remove it.", 17))
    X[17] is empty. Remove it.
    """

    def __init__(self, problem: str, mend: str, index: int | None = None):
        super().__init__(problem, mend, index)
        self.problem, self.mend, self.index = problem, mend, index

    def __str__(self) -> str:
        name = "A recording" if self.index is None else f"X[{self.index}]"
        return f"{name} {self.problem}. {self.mend}"

    def at(self, index: int) -> "RecordingError":
        """Return the same error about recording `index`."""
        return RecordingError(self.problem, self.mend, index)


class SpeakerWarning(UserWarning):
    """A speaker is on both sides of a split, or a split or step by speakers does not know them."""


class ValidationWarning(UserWarning):
    """Groups were given, yet no speaker could be held out to stop the training at its best."""
