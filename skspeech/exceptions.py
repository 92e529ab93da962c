"""Errors and warnings that a user may want to catch by name."""

__all__ = [
    "AudioWarning",
    "MissingExtraError",
    "PluginWarning",
    "RecordingError",
    "SpeakerWarning",
    "ValidationWarning",
]


class AudioWarning(UserWarning):
    """An audio file cannot be used, and silence stands for it."""


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
