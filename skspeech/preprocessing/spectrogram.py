"""Transformers from waveforms to spectrograms."""

from numbers import Integral, Real

import numpy as np
from sklearn.utils._param_validation import Interval, StrOptions

from skspeech.preprocessing._mel import MelTransformer, check_highest
from skspeech.preprocessing._power import FLOAT32, SCALES, BinPower, PowerTransformer

__all__ = ["LogMelSpectrogram", "LogPowerSpectrogram"]


class LogMelSpectrogram(MelTransformer):
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
        **MelTransformer._parameter_constraints,
        "scale": [StrOptions(SCALES)],
    }

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


class LogPowerSpectrogram(PowerTransformer):
    """Log-power spectrogram of each waveform on an even grid of frequencies.

    Frame i is centred on sample ``i * hop_length``, with zeros beyond both ends, so a waveform
    of any length gives ``1 + n_samples // hop_length`` frames (an odd `n_fft` one less where
    the hops end with the waveform). A window shorter than `n_fft` is centred in it; windows
    (periodic) and decibels are librosa's (``ref=1.0``, ``top_db=None``). Bin k is k times
    ``sample_rate / n_fft`` Hz, and bins from `f_max` on are left out.

    The defaults are those of Ma et al. (2018, section 4.1): Hamming windows of 40 ms every
    10 ms, and a grid of 10 Hz below 4 kHz, so 400 bins, from 0 to 3,990 Hz.

    Parameters
    ----------
    sample_rate : float, default=16000
        Samples per second of the waveforms, Hz.
    win_length : int, default=640
        Samples in a window; at most `n_fft`.
    hop_length : int, default=160
        Samples from one frame to the next.
    n_fft : int, default=1600
        Points of the Fourier transform.
    f_max : float or None, default=4000.0
        Bins below this frequency are kept, Hz; None keeps all ``1 + n_fft // 2``.
    window : {"hamming", "hann"}, default="hamming"
        Shape of the window.
    scale : {"db", "ln", "power"}, default="db"
        10 log10, the natural logarithm, or no logarithm of the power of a bin.
    amin : float, default=1e-10
        Powers below are raised to it before the logarithm; a normal number of float32.

    Examples
    --------
    >>> import numpy as np
    >>> from skspeech.preprocessing import LogPowerSpectrogram
    >>> rng = np.random.default_rng(0)
    >>> voices = [0.1 * rng.standard_normal(n) for n in (16000, 9000)]
    >>> [s.shape for s in LogPowerSpectrogram().fit_transform(voices)]
    [(400, 101), (400, 57)]
    """

    _parameter_constraints: dict = {
        "sample_rate": [Interval(Real, 0, None, closed="neither")],
        "win_length": [Interval(Integral, 1, None, closed="left")],
        "hop_length": [Interval(Integral, 1, None, closed="left")],
        "n_fft": [Interval(Integral, 2, None, closed="left")],
        "f_max": [Interval(Real, 0, None, closed="neither"), None],
        "window": [StrOptions({"hamming", "hann"})],
        "scale": [StrOptions(SCALES)],
        "amin": [Interval(Real, float(FLOAT32.tiny), float(FLOAT32.max), closed="both")],
    }

    _threaded = True

    def __init__(
        self,
        *,
        sample_rate: float = 16000,
        win_length: int = 640,
        hop_length: int = 160,
        n_fft: int = 1600,
        f_max: float | None = 4000.0,
        window: str = "hamming",
        scale: str = "db",
        amin: float = 1e-10,
    ):
        self.sample_rate = sample_rate
        self.win_length = win_length
        self.hop_length = hop_length
        self.n_fft = n_fft
        self.f_max = f_max
        self.window = window
        self.scale = scale
        self.amin = amin

    def _validate_params(self) -> None:
        super()._validate_params()
        if self.win_length > self.n_fft:
            raise ValueError(
                f"win_length is {self.win_length} samples, but the Fourier transform has "
                f"{self.n_fft} points. Lower win_length or raise n_fft."
            )
        check_highest(self.f_max, self.sample_rate)

    def _n_bins(self) -> int:
        n_bins = 1 + self.n_fft // 2
        if self.f_max is None:
            return n_bins
        # frequencies times n_fft: what is a whole number of hertz stays one
        return int(np.count_nonzero(np.arange(n_bins) * self.sample_rate < self.f_max * self.n_fft))

    def _make_power(self) -> BinPower:
        return BinPower(self._n_bins(), self.n_fft, self.hop_length, self.win_length, self.window)
