"""The vocoder that needs no weights: phases that fit the magnitudes, by iteration."""

from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.base import _fit_context
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_is_fitted

from skspeech.exceptions import RecordingError
from skspeech.preprocessing._mel import check_highest
from skspeech.preprocessing._mel_inversion import invert_mel
from skspeech.training.seeding import own_random_state
from skspeech.vocoders._base import Vocoder, WaveformStream

__all__ = ["GriffinLimVocoder"]


class GriffinLimVocoder(Vocoder):
    """Waveforms from log-mel spectra by the method of Griffin and Lim; nothing is learnt.

    Speech can be understood, and sounds metallic. By default the iterations go over the whole
    recording (librosa's fast variant). With `lookahead` they go over that many frames behind and
    all before the one that is decided, whose phases then stay: what follows later changes nothing,
    so that the same waveform can be had while the spectra still come, by :meth:`stream`.

    Parameters
    ----------
    sample_rate : float, default=22050
        Samples per second of the waveforms, Hz.
    frame_rate : float, default=22050 / 270
        Frames per second of the spectra, Hz.
    n_fft : int, default=1024
        Samples in a window (Hann) and points of its Fourier transform.
    f_min : float, default=0.0
        Lower edge of the lowest mel band, Hz.
    f_max : float or None, default=8000.0
        Upper edge of the highest mel band, Hz; None is half the sample rate, and the most.
    n_iter : int, default=32
        Iterations; with `lookahead` those after every frame.
    lookahead : int or None, default=None
        Frames to wait for before a frame is decided; None waits for the whole recording. Needs
        windows of at least three hops.
    random_state : int, RandomState instance or None, default=None
        For the phases that the iterations begin with; not read with `lookahead`.

    Attributes
    ----------
    seed_ : int
        Drawn once at ``fit``, so that a recording sounds the same each time.

    References
    ----------
    D. W. Griffin and J. S. Lim (1984), "Signal estimation from modified short-time Fourier
    transform", IEEE Transactions on Acoustics, Speech, and Signal Processing 32(2).

    X. Zhu, G. T. Beauregard and L. L. Wyse (2007), "Real-time signal estimation from modified
    short-time Fourier transform magnitude spectra", IEEE Transactions on Audio, Speech, and
    Language Processing 15(5), for `lookahead`.

    Examples
    --------
    >>> import numpy as np
    >>> from skspeech.preprocessing import MelTargets
    >>> from skspeech.vocoders import GriffinLimVocoder
    >>> seconds = np.arange(22050) / 22050
    >>> voice = sum(0.1 * np.sin(2 * np.pi * 200 * h * seconds) for h in range(1, 10))
    >>> spectra = MelTargets().fit_transform([voice])
    >>> GriffinLimVocoder(random_state=0).fit_transform(spectra)[0].shape
    (22139,)

    Frame by frame, as a network might give them:

    >>> stream = GriffinLimVocoder(lookahead=3, n_iter=8).fit(spectra).stream()
    >>> pieces = [stream.push(frame[None]) for frame in spectra[0]]
    >>> len(np.concatenate([*pieces, stream.finish()]))
    22139
    """

    _parameter_constraints: dict = {
        **Vocoder._parameter_constraints,
        "n_fft": [Interval(Integral, 2, None, closed="left")],
        "f_min": [Interval(Real, 0, None, closed="left")],
        "f_max": [Interval(Real, 0, None, closed="neither"), None],
        "n_iter": [Interval(Integral, 1, None, closed="left")],
        "lookahead": [Interval(Integral, 0, None, closed="left"), None],
    }

    def __init__(
        self,
        *,
        sample_rate: float = 22050,
        frame_rate: float = 22050 / 270,
        n_fft: int = 1024,
        f_min: float = 0.0,
        f_max: float | None = 8000.0,
        n_iter: int = 32,
        lookahead: int | None = None,
        random_state: Any = None,
    ):
        self.sample_rate = sample_rate
        self.frame_rate = frame_rate
        self.n_fft = n_fft
        self.f_min = f_min
        self.f_max = f_max
        self.n_iter = n_iter
        self.lookahead = lookahead
        self.random_state = random_state

    def _validate_params(self) -> None:
        super()._validate_params()
        check_highest(self.f_max, self.sample_rate)
        if self.f_min >= self._highest():
            raise ValueError(f"f_min is {self.f_min} Hz, not below f_max, {self._highest()} Hz.")
        if self.lookahead is not None and 3 * self._hop > self.n_fft:
            raise ValueError(
                f"n_fft is {self.n_fft} samples, less than three hops of {float(self._hop):g}. "
                "With lookahead windows have to overlap more: raise n_fft."
            )

    def _highest(self) -> float:
        return self.sample_rate / 2 if self.f_max is None else self.f_max

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any = None) -> "GriffinLimVocoder":
        """Check the parameters and the spectra that are in memory; nothing is learnt.

        Parameters
        ----------
        X : collection of n arrays (n_frames, n_mels)
            A RecordingSequence is not read.
        y : None
            Not used.

        Returns
        -------
        self
        """
        self._validated(X, reset=True)
        self.seed_ = int(own_random_state(self.random_state).randint(2**31))
        return self

    def stream(self) -> WaveformStream:
        """Begin a recording whose spectra come a few at a time.

        Returns
        -------
        WaveformStream
            ``push(frames)`` and ``finish()`` return, piece by piece, what ``transform`` makes of
            the whole recording.

        Raises
        ------
        ValueError
            If `lookahead` is None.
        """
        check_is_fitted(self)
        self._validate_params()
        if self.lookahead is None:
            raise ValueError(
                "With lookahead=None the first sample waits for the last frame. Set lookahead, "
                "such as 3, for a stream."
            )
        from skspeech.vocoders._look_ahead import GriffinLimStream

        return GriffinLimStream(
            filters=(self.sample_rate, self.n_fft, self.f_min, self._highest()),
            hop=self._hop,
            n_fft=self.n_fft,
            n_iter=self.n_iter,
            lookahead=self.lookahead,
        )

    def _transform_batch(self, recordings: list[np.ndarray]) -> list[np.ndarray]:
        waveforms = []
        for i, spectra in enumerate(recordings):
            try:
                waveforms.append(self._waveform(spectra))
            except RecordingError as error:
                raise error.at(i) from None
        return waveforms

    def _waveform(self, spectra: np.ndarray) -> np.ndarray:
        if self.lookahead is not None:
            stream = self.stream()
            return np.concatenate([stream.push(spectra), stream.finish()])
        return invert_mel(
            spectra,
            sample_rate=self.sample_rate,
            hop=self._hop,
            n_fft=self.n_fft,
            f_min=self.f_min,
            f_max=self._highest(),
            n_iter=self.n_iter,
            random_state=self.seed_,
        )
