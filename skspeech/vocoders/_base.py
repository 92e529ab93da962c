"""What vocoders share: what they read and give, and the stream of a recording."""

from fractions import Fraction
from numbers import Real
from typing import Any

import numpy as np
from sklearn.utils import Tags
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_is_fitted

from skspeech.preprocessing._base import RecordingTransformer
from skspeech.preprocessing._mel_inversion import check_rates, exact_hop
from skspeech.recordings import RecordingSequence, check_recording
from skspeech.tags import SpeechTags

__all__ = ["Vocoder", "WaveformStream", "n_samples_of"]


def n_samples_of(n_frames: int, hop: Fraction) -> int:
    """Return how long a sound of so many frames may be: the next sample is another frame's."""
    return max(1, -(-n_frames * hop.numerator // hop.denominator) - 1)


class WaveformStream:
    """The waveform of one recording whose spectra come a few at a time.

    A subclass takes frames in `_push` and gives the rest in `_finish`.

    Parameters
    ----------
    lookahead : int
        Frames: once frame i is pushed, the sound of frame ``i - lookahead`` has been given, up to
        the sample that it is centred on.
    """

    def __init__(self, lookahead: int):
        self.lookahead = lookahead
        self._finished = False

    def push(self, frames: Any) -> np.ndarray:
        """Take the next spectra, and return what has become known of the waveform.

        Parameters
        ----------
        frames : array-like of shape (n_frames, n_mels)
            One frame or more; what is pushed together or one by one makes no difference.

        Returns
        -------
        ndarray of float32, shape (n_samples,)
            What follows on the samples given so far; it may be empty.

        Raises
        ------
        RecordingError
            If they are no spectra.
        ValueError
            After `finish`.
        """
        self._check_open()
        return self._push(check_recording(frames, kind="frame_targets", reader=type(self).__name__))

    def finish(self) -> np.ndarray:
        """Return the rest of the waveform, shape (n_samples,): nothing follows any more."""
        self._check_open()
        self._finished = True
        return self._finish()

    def _push(self, frames: np.ndarray) -> np.ndarray:
        raise TypeError(f"{type(self).__name__} must define _push.")

    def _finish(self) -> np.ndarray:
        raise TypeError(f"{type(self).__name__} must define _finish.")

    def _check_open(self) -> None:
        if self._finished:
            raise ValueError("The stream has been finished. Open another with stream().")


class Vocoder(RecordingTransformer):
    """Base of the transformers from log-mel spectra to waveforms.

    A subclass has the parameters of `_parameter_constraints` and its own, makes waveforms in
    `_transform_batch`, and says in `stream` how it does so frame by frame.
    """

    _parameter_constraints: dict = {
        "sample_rate": [Interval(Real, 0, None, closed="neither")],
        "frame_rate": [Interval(Real, 0, None, closed="neither")],
        "random_state": ["random_state"],
    }
    _input_kind = "frame_targets"
    _output_kind = "waveform"

    sample_rate: float
    frame_rate: float

    def __speech_tags__(self) -> SpeechTags:
        return SpeechTags(input_kind=self._input_kind, output_kind=self._output_kind)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.requires_fit = True
        tags.input_tags.two_d_array = False
        tags.input_tags.three_d_array = True
        return tags

    def _validate_params(self) -> None:
        super()._validate_params()
        check_rates(self.sample_rate, self.frame_rate)

    @property
    def _hop(self) -> Fraction:
        return exact_hop(self.sample_rate, self.frame_rate)

    def transform(self, X: Any) -> np.ndarray | RecordingSequence:
        """Make the waveform of each recording.

        Parameters
        ----------
        X : collection of n arrays (n_frames, n_mels)
            Natural logarithms of magnitudes in mel bands, as
            :class:`~skspeech.preprocessing.MelTargets` makes them.

        Returns
        -------
        ndarray of float32, 1-D object array of such, or RecordingSequence
            Waveforms (n_samples,), the longest with as many frames again: a sample less than
            ``n_frames * sample_rate / frame_rate``. A recording depends on its spectra alone, and
            sounds the same each time.

        Raises
        ------
        RecordingError
            Names the recording that is no spectra of a sound.
        """
        check_is_fitted(self)
        return super().transform(X)

    def stream(self) -> WaveformStream:
        """Begin a recording whose spectra come a few at a time.

        Returns
        -------
        WaveformStream
            ``push(frames)`` and ``finish()`` return, piece by piece, what ``transform`` makes of
            the whole recording; its ``lookahead`` is how many frames a piece may lag behind.
        """
        raise TypeError(f"{type(self).__name__} must define stream.")
