"""Transformers from waveforms to waveforms."""

from numbers import Real
from typing import Any

import numpy as np
from sklearn.utils._param_validation import Interval, StrOptions

from skspeech.preprocessing._base import RecordingTransformer
from skspeech.recordings import RecordingSequence
from skspeech.tags import SpeechTags

__all__ = ["FixedDuration"]


class FixedDuration(RecordingTransformer):
    """Make every waveform equally long: short ones are padded with zeros at the end.

    Zhao, Mao and Chen (2019, section 3.5) read 8 s of each utterance; Satt et al. (2017), as
    Ma et al. (2018, section 3) describe them, split an utterance longer than 3 s into pieces
    of equal length, each padded to 3 s.

    Parameters
    ----------
    duration : float, default=8.0
        Seconds.
    sample_rate : float, default=16000
        Samples per second of the waveforms, Hz.
    long : {"truncate", "split"}, default="truncate"
        What happens to longer waveforms: their beginning is kept, or they become a bag of
        the fewest pieces of equal length (to a sample) that are short enough. With
        ``"split"`` every recording is a bag, so that the kind does not depend on the data.

    Examples
    --------
    >>> import numpy as np
    >>> from skspeech.preprocessing import FixedDuration
    >>> voices = [np.ones(3), np.ones(9)]
    >>> FixedDuration(duration=0.5, sample_rate=8).fit_transform(voices)
    array([[1., 1., 1., 0.],
           [1., 1., 1., 1.]], dtype=float32)
    >>> split = FixedDuration(duration=0.5, sample_rate=8, long="split")
    >>> [len(bag) for bag in split.fit_transform(voices)]
    [1, 3]
    """

    _parameter_constraints: dict = {
        "duration": [Interval(Real, 0, None, closed="neither")],
        "sample_rate": [Interval(Real, 0, None, closed="neither")],
        "long": [StrOptions({"truncate", "split"})],
    }
    _input_kind = "waveform"
    _output_kind = "waveform"

    def __init__(
        self, *, duration: float = 8.0, sample_rate: float = 16000, long: str = "truncate"
    ):
        self.duration = duration
        self.sample_rate = sample_rate
        self.long = long

    def __speech_tags__(self) -> SpeechTags:
        splits = self.long == "split"
        return SpeechTags(
            input_kind="waveform",
            output_kind="waveform",
            reads_bags=not splits,  # a piece of a segment would have no place in the bag
            gives_bags=splits,
        )

    def transform(self, X: Any) -> np.ndarray | RecordingSequence:
        """Pad, and truncate or split, each waveform.

        Parameters
        ----------
        X : collection of n waveforms, or of bags of them unless `long` is ``"split"``

        Returns
        -------
        ndarray of float32, shape (n_recordings, n_samples)
            An object array of bags (lists of such rows) with ``long="split"`` or for bags; a
            RecordingSequence for a RecordingSequence.

        Raises
        ------
        RecordingError
            Names the recording that cannot be used, and the mend.
        """
        transformed = super().transform(X)
        if isinstance(transformed, RecordingSequence) or transformed.ndim == 2:
            return transformed
        rows = list(transformed)
        return transformed if any(isinstance(row, list) for row in rows) else np.stack(rows)

    def _transform_batch(self, recordings: list[np.ndarray]) -> list[Any]:
        n_samples = max(1, round(self.duration * self.sample_rate))
        if self.long == "truncate":
            return [_pad(recording[:n_samples], n_samples) for recording in recordings]
        return [
            [_pad(piece, n_samples) for piece in _pieces(recording, n_samples)]
            for recording in recordings
        ]


def _pad(waveform: np.ndarray, n_samples: int) -> np.ndarray:
    padded = np.zeros(n_samples, dtype=np.float32)
    padded[: len(waveform)] = waveform
    return padded


def _pieces(waveform: np.ndarray, n_samples: int) -> list[np.ndarray]:
    return np.array_split(waveform, -(-len(waveform) // n_samples))
