"""From paths of audio files to waveforms."""

import copy
import os
import warnings
from collections.abc import Mapping, Set
from numbers import Real
from typing import Any

import numpy as np
from sklearn.utils import Tags
from sklearn.utils._param_validation import Interval, StrOptions

from skspeech.exceptions import AudioWarning, RecordingError
from skspeech.preprocessing._audio_files import read_waveform
from skspeech.preprocessing._base import RecordingTransformer
from skspeech.recordings import RecordingSequence
from skspeech.tags import SpeechTags

__all__ = ["AudioLoader"]

#: Seconds of silence that stand for a file which cannot be read. Our choice: every step here takes
#: a single sample; a tenth of a second is also a few windows for a step of somebody else's.
SILENCE = 0.1


class AudioLoader(RecordingTransformer):
    """Read audio files when their waveforms are asked for, and keep none.

    WAV (RF64 and W64, too), FLAC, Ogg (Vorbis and Opus), MP3, AIFF, AU and NIST SPHERE; channels
    are averaged.
    ``transform`` opens nothing: it gives a :class:`~skspeech.recordings.RecordingSequence`, which
    reads a file each time its waveform is asked for. Later transformers answer that with another
    one and networks read it batch by batch, so that a corpus of any size never stands in memory.

    Parameters
    ----------
    sample_rate : float or None, default=16000
        Samples per second of the waveforms, Hz. A file of another rate is resampled by soxr in its
        quality HQ, to ceil(n_frames * sample_rate / file's rate) samples. None keeps each file's
        own rate; later steps are not told which, so all files should have one.
    on_error : {"raise", "warn"}, default="raise"
        What a missing, damaged or truncated file does: it raises a RecordingError, or an
        :class:`~skspeech.exceptions.AudioWarning` names it and 0.1 s of silence stand for it (at
        16 kHz if `sample_rate` is None).

    Notes
    -----
    A path is a ``str`` or an ``os.PathLike``; a relative one is read from the working directory at
    the time of reading. Integer samples are scaled to [-1, 1); those of files of floats and of
    compressed files may exceed that a little and are left as they are.

    Found and refused: WAV, RF64, W64, AIFF, AU and NIST SPHERE files shorter than their headers
    say, FLAC and MP3 that end early, Ogg whose last page is not marked so, WAV headers whose sizes
    contradict each other or leave more than 1 kB of the file unexplained, W64 and NIST SPHERE files
    followed by what would be read as sound, NaN and infinity. The other containers of libsndfile
    (CAF, VOC, IRCAM, SVX, PAF, MAT and more) are refused, because it does not show whether they are
    whole.

    Not to be found: samples overwritten in place, cuts in an MP3 file without a header of its
    length, an AU file longer than its header says, and a WAV file longer than its header says as a
    whole. A FLAC file that does not tell its length is not read.

    Examples
    --------
    >>> from importlib.resources import files
    >>> from skspeech.preprocessing import AudioLoader
    >>> folder = files("skspeech.datasets") / "data" / "voice_prompts" / "en_US_f_Allison"
    >>> waveforms = AudioLoader(sample_rate=8000).transform([folder / "hello-world.flac"])
    >>> waveforms.shape, waveforms[0].shape  # now the file was read
    ((1,), (11234,))
    """

    _parameter_constraints: dict = {
        "sample_rate": [Interval(Real, 0, None, closed="neither"), None],
        "on_error": [StrOptions({"raise", "warn"})],
    }
    _input_kind = "path"
    _output_kind = "waveform"

    def __init__(self, *, sample_rate: float | None = 16000, on_error: str = "raise"):
        self.sample_rate = sample_rate
        self.on_error = on_error

    def __speech_tags__(self) -> SpeechTags:
        return SpeechTags(input_kind="path", output_kind="waveform")

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.one_d_array = True
        tags.input_tags.string = True
        return tags

    def transform(self, X: Any) -> RecordingSequence:
        """Return the waveforms, each read when it is asked for.

        Parameters
        ----------
        X : list, tuple, 1-D array, column of a data frame or RecordingSequence of n paths

        Returns
        -------
        RecordingSequence of n waveforms
            Each a float32 array of shape (n_samples,). Reading one raises a RecordingError, or
            warns with an AudioWarning, that names the file which cannot be used.

        Raises
        ------
        RecordingError
            If something in a collection is no path.
        TypeError, ValueError
            If `X` is no collection of paths, or an empty one.
        """
        self._validate_params()
        # a copy: what set_params does later must not change what was asked for now
        return self._validated(X, reset=False).map(copy.copy(self)._transform_one)

    def _validated(self, X: Any, *, reset: bool) -> RecordingSequence:
        """Return the paths as a sequence; one that is read on access is checked when it is read."""
        if not isinstance(X, RecordingSequence):
            for i, path in enumerate(_as_collection(X)):
                _as_name(path, i)
            X = RecordingSequence(X)
        if len(X) == 0:
            raise ValueError("X holds no paths (0 sample(s)); at least one is needed.")
        return X

    def _transform_one(self, recording: Any) -> np.ndarray:
        name = _as_name(recording)
        try:
            return read_waveform(name, self.sample_rate)
        except RecordingError as error:
            if self.on_error == "raise":
                # a corpus is read by it, too, and has no such parameter
                mend = f"{error.mend} AudioLoader(on_error='warn') puts silence in its place."
                raise RecordingError(f"({name!r}) {error.problem}", mend) from error
            warnings.warn(
                f"{name!r} {error.problem}; {SILENCE} s of silence stand for it. {error.mend}",
                AudioWarning,
                stacklevel=2,
            )
        rate = 16000 if self.sample_rate is None else self.sample_rate
        return np.zeros(max(1, round(SILENCE * rate)), dtype=np.float32)


def _as_collection(X: Any) -> Any:
    if isinstance(X, str | bytes | os.PathLike):
        raise TypeError(f"AudioLoader reads a collection of paths: put one into a list, [{X!r}].")
    if getattr(X, "ndim", 1) != 1:
        raise ValueError(
            f"AudioLoader reads a collection of paths, got {X.ndim} axes. Give it the one column "
            "that holds them."
        )
    if isinstance(X, Mapping | Set) or not (hasattr(X, "__len__") and hasattr(X, "__getitem__")):
        raise TypeError(
            "AudioLoader reads a list, tuple, 1-D array, column or RecordingSequence of paths, "
            f"got {type(X).__name__}."
        )
    return X


def _as_name(path: Any, index: int | None = None) -> str:
    """Return a path as a plain string."""
    name = os.fspath(path) if isinstance(path, str | os.PathLike) else path
    if not isinstance(name, str):
        raise RecordingError(
            f"is no path but {type(path).__name__}",
            "Give AudioLoader the path of an audio file, a str or an os.PathLike.",
            index,
        )
    if not name:
        raise RecordingError(
            "is an empty path", "Remove the recording before AudioLoader or give its path.", index
        )
    return str(name)  # numpy's strings are heirs of it that show their type
