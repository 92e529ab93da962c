"""What the transformers that listen in mel bands share."""

import warnings
from collections.abc import Callable
from functools import lru_cache
from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.utils._param_validation import Interval

from skspeech.preprocessing._power import FLOAT32, MelPower, PowerTransformer
from skspeech.recordings import RecordingSequence

__all__ = ["MelTransformer", "check_highest", "mel_filters"]


class MelTransformer(PowerTransformer):
    """Base of the transformers from waveforms to what is heard in mel bands.

    A subclass has the parameters of `_parameter_constraints`, and its own.
    """

    _parameter_constraints: dict = {
        "sample_rate": [Interval(Real, 0, None, closed="neither")],
        "n_fft": [Interval(Integral, 2, None, closed="left")],
        "hop_length": [Interval(Integral, 1, None, closed="left")],
        "n_mels": [Interval(Integral, 1, None, closed="left")],
        "f_min": [Interval(Real, 0, None, closed="left")],
        "f_max": [Interval(Real, 0, None, closed="neither"), None],
        "amin": [Interval(Real, float(FLOAT32.tiny), float(FLOAT32.max), closed="both")],
    }

    sample_rate: float
    n_fft: int
    hop_length: int
    n_mels: int
    f_min: float
    f_max: float | None

    def _validate_params(self) -> None:
        super()._validate_params()
        if self.f_min >= self._highest():
            raise ValueError(
                f"f_min is {_hertz(self.f_min)}, not below f_max, {_hertz(self._highest())}. "
                "Lower f_min, or check the sample rate."
            )
        check_highest(self.f_max, self.sample_rate)

    def _highest(self) -> float:
        return self.sample_rate / 2 if self.f_max is None else self.f_max

    def _filters(self) -> np.ndarray:
        return mel_filters(self.sample_rate, self.n_fft, self.n_mels, self.f_min, self._highest())

    def transform(self, X: Any) -> np.ndarray | RecordingSequence:
        """Compute the spectrogram of each waveform.

        Parameters
        ----------
        X : collection of n waveforms, or of bags of them

        Returns
        -------
        ndarray of float32, shape (n_recordings, n_bins, n_frames)
            For an array, with as many bins as there are mel bands or coefficients; frames come
            before bins in frame targets. An object array of such spectrograms, or of bags of them,
            for ragged collections, and a RecordingSequence for a RecordingSequence.

        Raises
        ------
        RecordingError
            Names the recording that cannot be used, and the mend.

        Warns
        -----
        UserWarning
            If bands are so narrow that no frequency of the Fourier transform falls into them.
        """
        transformed = super().transform(X)
        n_deaf = self.n_mels - np.count_nonzero(self._filters().any(axis=1))
        if n_deaf:
            warnings.warn(
                f"{n_deaf} of {self.n_mels} mel bands hear nothing: they are narrower than the "
                f"{self.sample_rate / self.n_fft:g} Hz that a window of {self.n_fft} samples "
                "tells apart. Lower n_mels or raise n_fft.",
                UserWarning,
                stacklevel=3,  # scikit-learn wraps transform
            )
        return transformed

    def _make_power(self) -> Callable[[np.ndarray], np.ndarray]:
        return MelPower(self._filters(), self.n_fft, self.hop_length)


def check_highest(f_max: float | None, sample_rate: float) -> None:
    """Refuse an upper edge beyond half the sample rate."""
    if f_max is not None and f_max > sample_rate / 2:
        raise ValueError(
            f"f_max is {_hertz(f_max)}, above half the sample rate, "
            f"{_hertz(sample_rate / 2)}. Lower f_max, or check the sample rate."
        )


def _hertz(frequency: float) -> str:
    """Write a frequency with every digit: what two differ by is what the error is about."""
    return f"{repr(float(frequency)).removesuffix('.0')} Hz"


@lru_cache(maxsize=16)  # read one recording at a time, a RecordingSequence would rebuild them
def mel_filters(
    sample_rate: float, n_fft: int, n_mels: int, f_min: float, f_max: float
) -> np.ndarray:
    """Return librosa's mel filters, shape (n_mels, 1 + n_fft // 2)."""
    import librosa

    with warnings.catch_warnings():
        # transform says it in our words, and not at the first use of these filters only
        warnings.filterwarnings("ignore", message="Empty filters detected")
        return librosa.filters.mel(
            sr=sample_rate, n_fft=n_fft, n_mels=n_mels, fmin=f_min, fmax=f_max
        )
