"""Transformers from waveforms to spectrograms."""

from functools import lru_cache
from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.utils._param_validation import Interval, StrOptions

from skspeech.preprocessing._base import RecordingTransformer

__all__ = ["LogMelSpectrogram"]

# Samples transformed at once: larger runs leave the cache (our choice, measured).
_RUN_SAMPLES = 2**20


class LogMelSpectrogram(RecordingTransformer):
    """Log-mel spectrogram of each waveform.

    Frame i is centred on sample ``i * hop_length``, with zeros beyond both ends, so a waveform
    of any length gives ``1 + n_samples // hop_length`` frames. Windows (periodic Hann), mel
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
        Upper edge of the highest band, Hz; None is half the sample rate.
    scale : {"db", "ln", "power"}, default="db"
        10 log10, the natural logarithm, or no logarithm of the power in a band.
    amin : float, default=1e-10
        Powers below are raised to it before the logarithm.

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
        "amin": [Interval(Real, 0, None, closed="neither")],
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

    def _transform_batch(self, recordings: list[np.ndarray]) -> list[np.ndarray]:
        import torch

        filters = torch.from_numpy(self._filters())
        window = torch.hann_window(self.n_fft)
        spectrograms: list[Any] = [None] * len(recordings)
        for run in _runs([len(recording) for recording in recordings]):
            longest = len(recordings[run[0]])
            batch = np.zeros((len(run), longest), dtype=np.float32)
            for row, i in zip(batch, run, strict=True):
                row[: len(recordings[i])] = recordings[i]
            # zeros after a shorter waveform are the zeros beyond its end
            spectrum = torch.stft(
                torch.from_numpy(batch),
                self.n_fft,
                self.hop_length,
                window=window,
                center=True,
                pad_mode="constant",
                return_complex=True,
            )
            power = torch.view_as_real(spectrum).square_().sum(-1)
            mel = self._rescale(filters @ power).numpy()
            for row, i in zip(mel, run, strict=True):
                n_frames = 1 + len(recordings[i]) // self.hop_length
                spectrograms[i] = row if n_frames == row.shape[-1] else row[:, :n_frames].copy()
        return spectrograms

    def _filters(self) -> np.ndarray:
        f_max = self.sample_rate / 2 if self.f_max is None else self.f_max
        if self.f_min >= f_max:
            raise ValueError(
                f"f_min is {self.f_min:g} Hz, not below f_max, {f_max:g} Hz. "
                "Lower f_min, or check the sample rate."
            )
        return _mel_filters(self.sample_rate, self.n_fft, self.n_mels, self.f_min, f_max)

    def _rescale(self, power: Any) -> Any:
        if self.scale == "power":
            return power
        power = power.clamp_(min=self.amin)
        return power.log10_().mul_(10.0) if self.scale == "db" else power.log_()


@lru_cache(maxsize=16)  # read one recording at a time, a RecordingSequence would rebuild them
def _mel_filters(
    sample_rate: float, n_fft: int, n_mels: int, f_min: float, f_max: float
) -> np.ndarray:
    """Return librosa's mel filters, shape (n_mels, 1 + n_fft // 2)."""
    import warnings

    import librosa

    with warnings.catch_warnings():
        # more bands than the window resolves: the lowest ones stay empty, as librosa's do
        warnings.filterwarnings("ignore", message="Empty filters detected")
        return librosa.filters.mel(
            sr=sample_rate, n_fft=n_fft, n_mels=n_mels, fmin=f_min, fmax=f_max
        )


def _runs(lengths: list[int]) -> list[list[int]]:
    """Cut waveforms, longest first, into runs of bounded size when padded to their longest."""
    runs: list[list[int]] = []
    for i in np.argsort(-np.asarray(lengths), kind="stable").tolist():
        if runs and (len(runs[-1]) + 1) * lengths[runs[-1][0]] <= _RUN_SAMPLES:
            runs[-1].append(i)
        else:
            runs.append([i])
    return runs
