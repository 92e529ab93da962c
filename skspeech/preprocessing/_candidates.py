"""The most salient pitches of each frame of a waveform."""

import math

import numpy as np
from scipy.fft import next_fast_len, rfft

from skspeech.preprocessing._power import WindowedFrames
from skspeech.preprocessing._salience import BIN, SPREAD, Grid, frame_candidates

__all__ = ["PitchCandidates"]

# Samples transformed at once: small enough to stay in the cache (our choice, measured).
_BLOCK = 2**17

# Sibilants lie above; peaks from there on change no score by more than 0.005 (our choice).
_HIGHEST_PEAK = 5000.0

# Pitches kept of each frame: an octave or a fifth off are among them (our choice).
_CANDIDATES = 8


class PitchCandidates:
    """The most salient pitches of each frame, of one waveform after the other, block by block.

    Parameters
    ----------
    sample_rate : float
        Samples per second, Hz.
    win_length, hop_length : int
        Samples in a window, and from one frame to the next.
    f_min, f_max : float
        Lowest and highest pitch, Hz.
    n_harmonics : int
    harmonic_decay : float
    peak_range : float
        As of :class:`skspeech.preprocessing.SaliencePitch`.
    """

    def __init__(
        self,
        sample_rate: float,
        win_length: int,
        hop_length: int,
        *,
        f_min: float,
        f_max: float,
        n_harmonics: int,
        harmonic_decay: float,
        peak_range: float,
    ):
        # twice the window: four times, as published, takes longer and finds no better pitch
        n_fft = 2 * next_fast_len(win_length, real=True)
        self.frames = WindowedFrames(
            n_fft,
            hop_length,
            window="hann",
            win_length=win_length,
            n_samples=_BLOCK,
            dtype=np.float32,
        )
        hz_per_point = sample_rate / n_fft
        window = self.frames.window.astype(np.float64)
        self.grid = Grid(
            hz_per_point=hz_per_point,
            first=max(1, int(f_min / 2 ** (SPREAD * BIN / 1200) / hz_per_point)),
            least=10 ** (-peak_range / 10),
            lobe=window.sum() ** 2 / (n_fft * np.square(window).sum()),
            lowest=1200 * math.log2(f_min),
            n_bins=1 + int(1200 * math.log2(f_max / f_min) / BIN + 1e-6),
        )
        numbers = np.arange(1.0, n_harmonics + 1)
        self.harmonics = (1200 * np.log2(numbers)).astype(np.float32)
        self.weights = (harmonic_decay ** (numbers - 1)).astype(np.float32)
        self.n_points = 2 + int(max(_HIGHEST_PEAK, 2 * f_max) / hz_per_point)

    def __call__(self, waveform: np.ndarray) -> np.ndarray:
        """Return the pitches of a waveform (n_samples,) of float32, and take its mean from it.

        Returns
        -------
        ndarray of float32, shape (n_frames, n_candidates, 3)
            Cents above 1 Hz, salience and harmonicity, as ``frame_candidates`` writes them.
        """
        waveform -= np.float32(waveform.mean(dtype=np.float64))
        n_frames, blocks = self.frames(waveform)
        found = np.empty((n_frames, _CANDIDATES, 3), np.float32)
        for rows, windowed in blocks:
            spectra = rfft(windowed)[:, : self.n_points]
            frame_candidates(spectra, self.grid, self.harmonics, self.weights, found[rows])
        return found
