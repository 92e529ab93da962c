"""The transformer from waveforms to what a regressor answers frame by frame: log-mel spectra."""

import copy
from collections.abc import Callable
from fractions import Fraction
from functools import partial
from numbers import Real
from typing import Any

import numpy as np
from sklearn.utils._param_validation import Interval

from skspeech.exceptions import RecordingError
from skspeech.preprocessing._mel import MelTransformer
from skspeech.preprocessing._mel_inversion import (
    check_rates,
    exact_hop,
    frame_centres,
    invert_mel,
)
from skspeech.preprocessing._power import rescale
from skspeech.preprocessing._segments import on_segments
from skspeech.recordings import RecordingSequence, check_recording, object_array

__all__ = ["MelTargets"]

# Frames transformed at once, few enough to stay in the cache (our choice).
_BLOCK = 64


class MelTargets(MelTransformer):
    """Log-mel spectra of each waveform in step with the frames of a video.

    The waveform of a recording becomes (n_frames, `n_mels`), time first: the targets `y` of a
    regressor that reads the video, and what a vocoder reads. Apply it to the sound before ``fit``,
    since no step of a Pipeline reads `y`; :func:`align_frames` then cuts the two to one length.

    Frame i is centred on the sample nearest to ``i * sample_rate / frame_rate``. The rates are
    taken as exact, so sound and video keep step for as long as they last. A waveform gives a
    frame for each such place from its beginning up to its end: ``1 + n_samples // hop_length``,
    where that hop is whole.

    A value is the natural logarithm of the magnitude in a mel band (Slaney's, area-normalised) of
    a periodic Hann window; the waveform is reflected at its ends. These are the spectra that the
    published WaveGlow and Tacotron 2 networks were trained on, at this group's hop, if the waveform
    is in [-1, 1].

    Parameters
    ----------
    sample_rate : float, default=22050
        Samples per second of the waveforms, Hz.
    frame_rate : float, default=22050 / 270
        Frames per second, Hz, at most `sample_rate`: 81.67, the rate of the ultrasound, which is
        a hop of 270 samples.
    n_fft : int, default=1024
        Samples in a window and points of its Fourier transform.
    n_mels : int, default=80
        Mel bands.
    f_min : float, default=0.0
        Lower edge of the lowest band, Hz.
    f_max : float or None, default=8000.0
        Upper edge of the highest band, Hz; None is half the sample rate, and the most.
    amin : float, default=1e-5
        Magnitudes below are raised to it before the logarithm; a normal number of float32.

    References
    ----------
    A. H. Shandiz and L. Tóth, "Improved processing of ultrasound tongue videos by combining
    ConvLSTM and 3D convolutional networks", 2022: 80 bands. Everything else is that of the
    group's published code.

    D. W. Griffin and J. S. Lim, "Signal estimation from modified short-time Fourier transform",
    IEEE Transactions on Acoustics, Speech, and Signal Processing 32(2), 1984, for
    ``inverse_transform``.

    Examples
    --------
    >>> import numpy as np
    >>> from skspeech.preprocessing import MelTargets
    >>> seconds = np.arange(22050) / 22050
    >>> voice = sum(0.1 * np.sin(2 * np.pi * 200 * h * seconds) for h in range(1, 10))
    >>> targets = MelTargets().fit_transform([voice])[0]
    >>> targets.shape
    (82, 80)
    >>> MelTargets().inverse_transform([targets])[0].shape
    (22139,)
    """

    _parameter_constraints: dict = {
        **{k: v for k, v in MelTransformer._parameter_constraints.items() if k != "hop_length"},
        "frame_rate": [Interval(Real, 0, None, closed="neither")],
    }
    _output_kind = "frame_targets"

    def __init__(
        self,
        *,
        sample_rate: float = 22050,
        frame_rate: float = 22050 / 270,
        n_fft: int = 1024,
        n_mels: int = 80,
        f_min: float = 0.0,
        f_max: float | None = 8000.0,
        amin: float = 1e-5,
    ):
        self.sample_rate = sample_rate
        self.frame_rate = frame_rate
        self.n_fft = n_fft
        self.n_mels = n_mels
        self.f_min = f_min
        self.f_max = f_max
        self.amin = amin

    @property
    def hop_length(self) -> float:  # type: ignore[override]
        """Samples from one frame to the next; need not be whole."""
        return float(exact_hop(self.sample_rate, self.frame_rate))

    def inverse_transform(self, X: Any) -> np.ndarray | RecordingSequence:
        """Return sound with these spectra, by the method of Griffin and Lim in 32 iterations.

        Its phases are found, not known: it can be understood, and sounds metallic. Vocoders
        (``skspeech.vocoders``) do better or leave more to choose.

        Parameters
        ----------
        X : collection of n arrays (n_frames, n_mels)

        Returns
        -------
        ndarray of float32, 1-D object array of such, or RecordingSequence
            Waveforms, each of which has as many frames again.

        Raises
        ------
        RecordingError
            Names what is no spectrum of a sound.
        """
        self._validate_params()
        # a copy: what set_params does later must not change what was asked for now
        inverted = partial(_inverted, copy.copy(self))
        if isinstance(X, RecordingSequence):
            return X.map(inverted)
        if isinstance(X, np.ndarray) and X.dtype != object:
            return np.stack([inverted(targets, i) for i, targets in enumerate(X)])
        return object_array([inverted(targets, i) for i, targets in enumerate(X)])

    def _validate_params(self) -> None:
        super()._validate_params()
        check_rates(self.sample_rate, self.frame_rate)

    def _make_power(self) -> Callable[[np.ndarray], np.ndarray]:
        return MelMagnitude(
            self._filters(), self.n_fft, exact_hop(self.sample_rate, self.frame_rate)
        )

    def _from_power(self, power: np.ndarray) -> np.ndarray:
        return rescale(power, "ln", self.amin)

    def _invert_batch(self, targets: list[np.ndarray]) -> list[np.ndarray]:
        for i, found in enumerate(targets):
            if found.shape[1] != self.n_mels:
                raise RecordingError(
                    f"has {found.shape[1]} outputs a frame, not {self.n_mels}",
                    "Set n_mels as it was when these spectra were made.",
                    i,
                )
        return [
            invert_mel(
                found,
                sample_rate=self.sample_rate,
                hop=exact_hop(self.sample_rate, self.frame_rate),
                n_fft=self.n_fft,
                f_min=self.f_min,
                f_max=self._highest(),
            )
            for found in targets
        ]


def _inverted(mel: MelTargets, targets: Any, index: int | None = None) -> Any:
    """Return the waveform of one recording's spectra, or the bag of those of a bag."""
    checked = check_recording(
        targets,
        kind="frame_targets",
        index=index,
        reads_bags=True,
        reader="MelTargets.inverse_transform",
    )
    try:
        return on_segments(mel._invert_batch, checked)
    except RecordingError as error:
        raise error if index is None else error.at(index) from None


class MelMagnitude:
    """Magnitude in mel bands of one waveform after the other, in single precision.

    Parameters
    ----------
    filters : ndarray of float32, shape (n_mels, 1 + n_fft // 2)
    n_fft : int
    hop : Fraction
        Samples from one frame to the next.
    """

    def __init__(self, filters: np.ndarray, n_fft: int, hop: Fraction):
        from scipy.signal import get_window

        self.weights = np.ascontiguousarray(filters.T)
        self.window = get_window("hann", n_fft).astype(np.float32)
        self.hop = hop

    @np.errstate(over="ignore", invalid="ignore")  # left for PowerTransformer to name
    def __call__(self, waveform: np.ndarray) -> np.ndarray:
        """Return the magnitudes of a waveform (n_samples,), shape (n_frames, n_mels)."""
        from scipy.fft import rfft

        n_fft = len(self.window)
        edge = n_fft // 2
        padded = np.pad(waveform, (edge, n_fft - edge), mode="reflect")
        frames = np.lib.stride_tricks.sliding_window_view(padded, n_fft)
        starts = frame_centres(len(waveform), self.hop)
        magnitudes = np.empty((len(starts), self.weights.shape[1]), np.float32)
        for first in range(0, len(starts), _BLOCK):
            rows = slice(first, first + _BLOCK)
            spectra = rfft(frames[starts[rows]] * self.window)
            np.matmul(np.abs(spectra), self.weights, out=magnitudes[rows])
        return magnitudes
