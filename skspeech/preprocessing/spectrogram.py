"""Transformers from waveforms to spectrograms."""

import warnings
from functools import lru_cache
from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.utils._param_validation import Interval, StrOptions

from skspeech.exceptions import RecordingError
from skspeech.preprocessing._base import RecordingTransformer
from skspeech.recordings import RecordingSequence

__all__ = ["LogMelSpectrogram"]

# Samples windowed at once, and mel bands multiplied at once: small enough to stay in the cache
# and to leave out most of the filters' zeros (our choice, measured).
_BLOCK_SAMPLES = 2**18
_BLOCK_BANDS = 16

# Decibels in a natural logarithm of power.
_DB = np.float32(10 / np.log(10))

_FLOAT32 = np.finfo(np.float32)


class LogMelSpectrogram(RecordingTransformer):
    """Log-mel spectrogram of each waveform.

    Frame i is centred on sample ``i * hop_length``, with zeros beyond both ends, so a waveform
    of any length gives ``1 + n_samples // hop_length`` frames (an odd `n_fft` one less where
    the hops end with the waveform). Windows (periodic Hann), mel
    filters (Slaney's, area-normalised) and decibels are librosa's (``ref=1.0``,
    ``top_db=None``). The defaults are those of Zhao, Mao and Chen (2019, section 3.5): 8 s at
    16 kHz give 128 x 251.

    Parameters
    ----------
    sample_rate : float, default=16000
        Samples per second of the waveforms, Hz.
    n_fft : int, default=2048
        Samples in a window and points of its Fourier transform.
    hop_length : int, default=512
        Samples from one frame to the next.
    n_mels : int, default=128
        Mel bands.
    f_min : float, default=0.0
        Lower edge of the lowest band, Hz.
    f_max : float or None, default=None
        Upper edge of the highest band, Hz; None is half the sample rate, and the most.
    scale : {"db", "ln", "power"}, default="db"
        10 log10, the natural logarithm, or no logarithm of the power in a band.
    amin : float, default=1e-10
        Powers below are raised to it before the logarithm; a normal number of float32.

    Examples
    --------
    >>> import numpy as np
    >>> from skspeech.preprocessing import LogMelSpectrogram
    >>> rng = np.random.default_rng(0)
    >>> voices = [0.1 * rng.standard_normal(n) for n in (128000, 9000)]
    >>> [s.shape for s in LogMelSpectrogram().fit_transform(voices)]
    [(128, 251), (128, 18)]
    """

    _parameter_constraints: dict = {
        "sample_rate": [Interval(Real, 0, None, closed="neither")],
        "n_fft": [Interval(Integral, 2, None, closed="left")],
        "hop_length": [Interval(Integral, 1, None, closed="left")],
        "n_mels": [Interval(Integral, 1, None, closed="left")],
        "f_min": [Interval(Real, 0, None, closed="left")],
        "f_max": [Interval(Real, 0, None, closed="neither"), None],
        "scale": [StrOptions({"db", "ln", "power"})],
        "amin": [Interval(Real, float(_FLOAT32.tiny), float(_FLOAT32.max), closed="both")],
    }
    _input_kind = "waveform"
    _output_kind = "spectrogram"

    def __init__(
        self,
        *,
        sample_rate: float = 16000,
        n_fft: int = 2048,
        hop_length: int = 512,
        n_mels: int = 128,
        f_min: float = 0.0,
        f_max: float | None = None,
        scale: str = "db",
        amin: float = 1e-10,
    ):
        self.sample_rate = sample_rate
        self.n_fft = n_fft
        self.hop_length = hop_length
        self.n_mels = n_mels
        self.f_min = f_min
        self.f_max = f_max
        self.scale = scale
        self.amin = amin

    def _validate_params(self) -> None:
        super()._validate_params()
        if self.f_min >= self._highest():
            raise ValueError(
                f"f_min is {self.f_min:g} Hz, not below f_max, {self._highest():g} Hz. "
                "Lower f_min, or check the sample rate."
            )
        if self._highest() > self.sample_rate / 2:
            raise ValueError(
                f"f_max is {self.f_max:g} Hz, above half the sample rate, "
                f"{self.sample_rate / 2:g} Hz. Lower f_max, or check the sample rate."
            )

    def _highest(self) -> float:
        return self.sample_rate / 2 if self.f_max is None else self.f_max

    def _filters(self) -> np.ndarray:
        return _mel_filters(self.sample_rate, self.n_fft, self.n_mels, self.f_min, self._highest())

    def transform(self, X: Any) -> np.ndarray | RecordingSequence:
        """Compute the spectrogram of each waveform.

        Parameters
        ----------
        X : collection of n waveforms, or of bags of them

        Returns
        -------
        ndarray of float32, shape (n_recordings, n_mels, n_frames)
            For an array; an object array of such spectrograms, or of bags of them, for ragged
            collections, and a RecordingSequence for a RecordingSequence.

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

    def _transform_batch(self, recordings: list[np.ndarray]) -> list[np.ndarray]:
        power = _MelPower(self.n_fft, self.hop_length, self._filters())
        # a contiguous copy; a view would keep what it is a part of alive
        return [
            self._rescale(_check_power(power(recording), i)).T.copy()
            for i, recording in enumerate(recordings)
        ]

    def _rescale(self, power: np.ndarray) -> np.ndarray:
        if self.scale == "power":
            return power
        logarithm = np.log(np.maximum(power, np.float32(self.amin), out=power), out=power)
        return logarithm if self.scale == "ln" else np.multiply(logarithm, _DB, out=logarithm)


def _check_power(power: np.ndarray, index: int) -> np.ndarray:
    if not np.isfinite(power).all():
        raise RecordingError(
            "is so loud that its power is too large for float32",
            "Rescale it to [-1, 1] before LogMelSpectrogram.",
            index,
        )
    return power


class _MelPower:
    """Power in mel bands of one waveform after the other, a block of frames at a time.

    scipy's transform and not torch's: on blocks this small, threads only wait for each other,
    and most of all where other processes keep the cores busy.
    """

    def __init__(self, n_fft: int, hop_length: int, filters: np.ndarray):
        from scipy.signal.windows import hann

        self.n_fft, self.hop_length = n_fft, hop_length
        self.n_mels = len(filters)
        self.window = hann(n_fft, sym=False).astype(np.float32)
        self.bands = _band_blocks(filters)
        self.windowed = np.empty((max(1, _BLOCK_SAMPLES // n_fft), n_fft), np.float32)

    @np.errstate(over="ignore", invalid="ignore")  # left for _check_power to name
    def __call__(self, waveform: np.ndarray) -> np.ndarray:
        """Return the power of a waveform (n_samples,), shape (n_frames, n_mels)."""
        from scipy.fft import rfft

        padded = np.pad(waveform, self.n_fft // 2)
        frames = np.lib.stride_tricks.sliding_window_view(padded, self.n_fft)[:: self.hop_length]
        power = np.empty((len(frames), self.n_mels), np.float32)
        step = len(self.windowed)
        for start in range(0, len(frames), step):
            block = frames[start : start + step]
            windowed = np.multiply(block, self.window, out=self.windowed[: len(block)])
            parts = rfft(windowed).view(np.float32)
            squares = np.square(parts, out=parts)
            for bands, bins, weights in self.bands:
                power[start : start + step, bands] = squares[:, bins] @ weights
        return power


def _band_blocks(filters: np.ndarray) -> list[tuple[slice, slice, np.ndarray]]:
    """Cut the filters into blocks of bands, each with the part of a spectrum that it reads.

    The columns of a spectrum are the real and imaginary part of each bin, squared.
    """
    blocks = []
    for start in range(0, len(filters), _BLOCK_BANDS):
        bands = slice(start, start + _BLOCK_BANDS)
        heard = np.flatnonzero(filters[bands].any(axis=0))
        first, last = (heard[0], heard[-1] + 1) if heard.size else (0, 0)
        weights = np.repeat(filters[bands, first:last].T, 2, axis=0)
        blocks.append((bands, slice(2 * first, 2 * last), weights))
    return blocks


@lru_cache(maxsize=16)  # read one recording at a time, a RecordingSequence would rebuild them
def _mel_filters(
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
