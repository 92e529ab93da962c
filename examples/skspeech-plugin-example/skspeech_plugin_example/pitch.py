"""A pitch tracker by autocorrelation, after Boersma (1993)."""

import numpy as np
from scipy import fft, signal

from skspeech.preprocessing import PitchTransformer


class ExamplePitch(PitchTransformer):
    """Pitch in Hz, 0 where unvoiced; frame i is centred on sample ``i * hop_length``."""

    def __init__(self, *, sample_rate=16000, hop_length=160, f_min=60.0, f_max=500.0):
        self.sample_rate = sample_rate
        self.hop_length = hop_length
        self.f_min = f_min
        self.f_max = f_max

    def _transform_batch(self, recordings):
        shortest = max(2, int(self.sample_rate / self.f_max))
        lags = np.arange(shortest, int(self.sample_rate / self.f_min) + 1)
        return [self._pitch(np.asarray(x, float), lags) for x in recordings]

    def _pitch(self, waveform, lags):
        size = 3 * lags[-1]  # three periods of the lowest pitch
        padded = np.pad(waveform, (size // 2, size - size // 2))
        frames = np.lib.stride_tricks.sliding_window_view(padded, size)[:: self.hop_length]
        blocks = np.split(frames, range(1000, len(frames), 1000))  # bounds memory
        return np.concatenate([self._of_frames(block, lags) for block in blocks])

    def _of_frames(self, frames, lags):
        window = signal.windows.hann(frames.shape[1])
        found = _autocorrelation((frames - frames.mean(axis=1, keepdims=True)) * window)
        found /= np.where(found[:, :1] > 1e-9, found[:, :1], np.inf)  # silence has no pitch
        found /= _autocorrelation(window / np.linalg.norm(window))  # else long lags look weak
        # of lags that are about as good, such as a period and two of them, the shorter
        best = lags[(found[:, lags] - 0.02 * np.log2(lags)).argmax(axis=1)]
        before, peak, after = (found[np.arange(len(found)), best + i] for i in (-1, 0, 1))
        bend = before - 2 * peak + after
        shift = (before - after) / 2 / np.where(bend < 0, bend, np.inf)  # a parabola's vertex
        pitch = self.sample_rate / (best + shift.clip(-0.5, 0.5))
        pitch = pitch.clip(self.f_min, self.f_max)
        return np.where(peak > 0.5, pitch, 0).astype(np.float32)


def _autocorrelation(frames):
    size = fft.next_fast_len(2 * frames.shape[-1], real=True)
    return fft.irfft(np.abs(fft.rfft(frames, size)) ** 2, size)[..., : frames.shape[-1] // 3 + 2]
