"""Transformers that add how a spectrogram changes over time."""

from numbers import Integral
from typing import Any

import numpy as np
from sklearn.utils._param_validation import Interval

from skspeech.exceptions import RecordingError
from skspeech.preprocessing._base import RecordingTransformer
from skspeech.recordings import RecordingSequence

__all__ = ["Deltas"]


class Deltas(RecordingTransformer):
    """Spectrogram, its change over time, and the change of that, as channels.

    Channel 0 is the spectrogram itself; channel k is the k-th derivative with respect to the
    frame, at each frame, of the polynomial of degree k that fits `width` frames around it best
    (Savitzky and Golay), as ``librosa.feature.delta(order=k, mode="nearest")`` has it. Where
    the frames around reach beyond the recording, its first or last frame is repeated, so
    recordings of any length will do and nothing beyond the recording is seen. librosa's
    default mode, "interp", differs within ``width // 2`` frames of the ends and refuses
    recordings shorter than `width`.

    Static, delta and delta-delta channels are what Chen, He, Yang and Zhang (2018, "3-D
    convolutional recurrent neural networks with attention model for speech emotion
    recognition") read; nine frames are librosa's default.

    Parameters
    ----------
    order : int, default=2
        The highest derivative.
    width : int, default=9
        Frames fitted; odd, and more than `order`.

    Examples
    --------
    >>> import numpy as np
    >>> from skspeech.preprocessing import Deltas
    >>> rising = 3 * np.arange(20.0)[None]
    >>> (with_deltas,) = Deltas(order=1).transform([rising])
    >>> with_deltas.shape
    (2, 1, 20)
    >>> with_deltas[:, 0, 10].round(3).tolist()  # its value, and its growth a frame
    [30.0, 3.0]
    """

    _parameter_constraints: dict = {
        "order": [Interval(Integral, 1, None, closed="left")],
        "width": [Interval(Integral, 3, None, closed="left")],
    }
    _input_kind = "spectrogram"
    _output_kind = "spectrogram"

    def __init__(self, *, order: int = 2, width: int = 9):
        self.order = order
        self.width = width

    def _validate_params(self) -> None:
        super()._validate_params()
        if self.width % 2 == 0 or self.width <= self.order:
            raise ValueError(
                f"width is {self.width}; it must be odd, so that it has a middle frame, and "
                f"greater than order, {self.order}."
            )

    def transform(self, X: Any) -> np.ndarray | RecordingSequence:
        """Put the derivatives of each spectrogram beside it.

        Parameters
        ----------
        X : collection of n spectrograms (n_bins, n_frames), or of bags of them

        Returns
        -------
        ndarray of float32, shape (n_recordings, 1 + order, n_bins, n_frames)
            For an array; an object array of (1 + order, n_bins, n_frames), or of bags of them,
            for ragged collections, and a RecordingSequence for a RecordingSequence.

        Raises
        ------
        RecordingError
            Names the recording that cannot be used, and the mend; one that has channels
            already is such.
        """
        return super().transform(X)

    def inverse_transform(self, X: Any) -> np.ndarray | RecordingSequence:
        """Return channel 0 of each recording: the spectrogram without its derivatives.

        Parameters
        ----------
        X : collection of n spectrograms (1 + order, n_bins, n_frames), or of bags of them

        Returns
        -------
        ndarray of float32, shape (n_recordings, n_bins, n_frames)
            An object array or a RecordingSequence as in ``transform``.

        Raises
        ------
        RecordingError
            If a recording has not ``1 + order`` channels.
        """
        return self._map(X, type(self)._static_batch)

    def _transform_batch(self, recordings: list[np.ndarray]) -> list[np.ndarray]:
        return [self._with_deltas(recording, i) for i, recording in enumerate(recordings)]

    def _static_batch(self, recordings: list[np.ndarray]) -> list[np.ndarray]:
        return [_static(channels, 1 + self.order, i) for i, channels in enumerate(recordings)]

    def _with_deltas(self, static: np.ndarray, index: int) -> np.ndarray:
        from scipy.signal import savgol_filter

        if static.ndim != 2:
            raise RecordingError(
                f"has {len(static)} channels already (shape {static.shape})",
                "Give Deltas one channel a recording: shape (n_bins, n_frames).",
                index,
            )
        channels = np.empty((1 + self.order, *static.shape), np.float32)
        channels[0] = static
        for k in range(1, 1 + self.order):
            channels[k] = savgol_filter(static, self.width, polyorder=k, deriv=k, mode="nearest")
        return channels


def _static(channels: np.ndarray, n_channels: int, index: int) -> np.ndarray:
    if channels.ndim != 3 or len(channels) != n_channels:
        raise RecordingError(
            f"has shape {channels.shape}, not ({n_channels}, n_bins, n_frames)",
            "Give inverse_transform what transform of the same Deltas gave.",
            index,
        )
    return channels[0].copy()
