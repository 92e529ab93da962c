"""Transformers from waveforms to pitch: hertz in each frame, 0 where it is unvoiced."""

from numbers import Integral, Real

import numpy as np
from sklearn.utils._param_validation import Interval

from skspeech.preprocessing._base import RecordingTransformer

__all__ = ["PitchTransformer", "PyinPitch", "SaliencePitch"]

# Seconds in a window: 2,048 samples at 44.1 kHz, as published.
_WINDOW = 2048 / 44100

# How many seconds of another pitch e times as salient outweigh a leap there (our choice).
_CHANGE = 0.02

_ABOVE_ZERO = Interval(Real, 0, None, closed="neither")


class PitchTransformer(RecordingTransformer):
    """Base of the transformers from waveforms to pitch, with the parameters that all have.

    A subclass stores `sample_rate`, `hop_length`, `f_min` and `f_max` in its constructor, and its
    `_transform_batch` gives ``1 + n_samples // hop_length`` frames in Hz for each waveform, 0 where
    unvoiced; see docs/plugins.md for one.
    """

    _parameter_constraints: dict = {
        "sample_rate": [_ABOVE_ZERO],
        "hop_length": [Interval(Integral, 1, None, closed="left")],
        "f_min": [_ABOVE_ZERO],
        "f_max": [_ABOVE_ZERO],
    }

    sample_rate: float
    hop_length: int
    f_min: float
    f_max: float

    _input_kind = "waveform"
    _output_kind = "pitch"

    def _validate_params(self) -> None:
        super()._validate_params()
        if self.f_min >= self._highest():
            raise ValueError(
                f"f_min is {self.f_min} Hz, not below {self._highest()} Hz, which is f_max or "
                "half the sample rate. Lower f_min, or check the sample rate."
            )

    def _highest(self) -> float:
        return min(self.f_max, self.sample_rate / 2)

    def _window(self, length: int | None) -> int:
        return max(4, round(_WINDOW * self.sample_rate)) if length is None else length


class SaliencePitch(PitchTransformer):
    """Pitch of each waveform by harmonic salience, for one voice at a time.

    Frame i is centred on sample ``i * hop_length``, with zeros beyond both ends, so a waveform
    of any length gives ``1 + n_samples // hop_length`` frames. How loud a recording is as a
    whole makes no difference.

    1. Peaks of the spectrum of a Hann window, none further than `peak_range` below the
       frame's highest; frequency f and amplitude a by a parabola through the log power.
    2. The salience of pitch b, on a grid of 10 cents from `f_min` to `f_max`:
       S(b) = sum over peaks i and harmonics h of g(b, h, f_i) a_i, where
       g = `harmonic_decay` ** (h - 1) cos²(δ π / 2), δ is how many semitones f_i / h is from
       b, and g is 0 where that is more than one.
    3. The eight highest maxima of S in each frame, each moved to the mean of f_i / h, weighed
       by what a peak adds to S: the grid is not seen in the answer.
    4. The path through them that loses least salience and leaps least; what changes faster
       than `pitch_continuity` is a leap.
    5. Contours: stretches of the path without a leap, in which no frame is weaker than
       `dynamic_range` allows or has less than 3/4 of `min_harmonicity`. A contour is voiced if
       it lasts for `min_duration` and its mean harmonicity is no less than `min_harmonicity`.

    Steps 1 and 2, and their parameters, are those of Salamon, Gómez and Bonada (2011), with
    their N_h = 20, α = 0.8, β = 1 and γ = 40 dB. Departing from them, windows are padded to
    twice their length, not four times, frequencies are interpolated, not taken from phases,
    peaks lie below 5 kHz (or twice `f_max`), and there is no equal-loudness filter: with it, low
    voices whose fundamental is weak come out an octave higher. Voicing by contours, with
    `voicing_tolerance`, is that of Salamon and Gómez (2012), who grow contours through a
    mixture of voices where one path is followed here; `min_harmonicity` and `dynamic_range`,
    which tell a voice from noise, breath and silence, are ours. docs/results.md has what all
    this scores.

    Parameters
    ----------
    sample_rate : float, default=44100
        Samples per second of the waveforms, Hz.
    win_length : int or None, default=None
        Samples in a window; None is 46.4 ms, 2,048 at 44.1 kHz.
    hop_length : int, default=256
        Samples from one frame to the next.
    f_min : float, default=55.0
        Lowest pitch, Hz. A window should hold 2.5 periods of it.
    f_max : float, default=1760.0
        Highest pitch, Hz; none is found above half the sample rate.
    n_harmonics : int, default=20
        Harmonics that add to the salience of a pitch, itself included.
    harmonic_decay : float, default=0.8
        What a harmonic counts, to the one before; above 0, at most 1.
    peak_range : float, default=40.0
        Peaks that are further below the highest of their frame are left out, dB.
    pitch_continuity : float, default=27.5625
        Fastest change of pitch within a contour, cents per millisecond.
    min_duration : float, default=0.05
        Shortest contour, in seconds. Melodia's is 0.1; sung syllables may be shorter.
    min_harmonicity : float, default=0.6
        Least share of the power below 5 kHz that lies about a pitch's harmonics, as the mean
        of a contour; 0 to 1. White noise has 0.2 to 0.4, a voice 0.8 to 1.
    dynamic_range : float, default=40.0
        How far below the loud frames a voiced frame's salience may be, dB.
    voicing_tolerance : float or None, default=None
        None keeps soft contours. A number ν keeps those with a mean salience of at least
        the mean of all contours' less ν standard deviations: so Melodia, where 0.2 is the
        default, finds a voice above its accompaniment.

    Notes
    -----
    A spectrum whose harmonics are all as strong as the first, such as that of a train of pulses,
    has no pitch by this sum: half the frequency is as salient, and the frames come out unvoiced. A
    voice whose second harmonic is far above its first may come out an octave up. Hum counts as a
    voice.

    While it is worked on, a waveform takes twice its memory again, and a frame 100 bytes: 210 MB
    for 10 minutes at 44.1 kHz, which are 100 MB themselves. Compiling takes some seconds in the
    first call of a process, unless the environment variable NUMBA_CACHE_DIR names a folder.

    References
    ----------
    J. Salamon, E. Gómez and J. Bonada, "Sinusoid extraction and salience function design for
    predominant melody estimation", DAFx-11, 2011.

    J. Salamon and E. Gómez, "Melody extraction from polyphonic music signals using pitch
    contour characteristics", IEEE Transactions on Audio, Speech, and Language Processing 20(6),
    2012.

    Examples
    --------
    >>> import numpy as np
    >>> from skspeech.preprocessing import SaliencePitch
    >>> seconds = np.arange(16000) / 16000
    >>> voice = sum(np.sin(2 * np.pi * 220 * h * seconds) / h for h in range(1, 11))
    >>> pitch = SaliencePitch(sample_rate=16000, hop_length=160).fit_transform([voice])[0]
    >>> pitch.shape, round(float(pitch[50]), 1)
    ((101,), 220.0)
    """

    _parameter_constraints: dict = {
        **PitchTransformer._parameter_constraints,
        "win_length": [Interval(Integral, 4, None, closed="left"), None],
        "n_harmonics": [Interval(Integral, 1, None, closed="left")],
        "harmonic_decay": [Interval(Real, 0, 1, closed="right")],
        "peak_range": [_ABOVE_ZERO],
        "pitch_continuity": [_ABOVE_ZERO],
        "min_duration": [Interval(Real, 0, None, closed="left")],
        "min_harmonicity": [Interval(Real, 0, 1, closed="both")],
        "dynamic_range": [_ABOVE_ZERO],
        "voicing_tolerance": [Interval(Real, None, None, closed="neither"), None],
    }

    def __init__(
        self,
        *,
        sample_rate: float = 44100,
        win_length: int | None = None,
        hop_length: int = 256,
        f_min: float = 55.0,
        f_max: float = 1760.0,
        n_harmonics: int = 20,
        harmonic_decay: float = 0.8,
        peak_range: float = 40.0,
        pitch_continuity: float = 27.5625,
        min_duration: float = 0.05,
        min_harmonicity: float = 0.6,
        dynamic_range: float = 40.0,
        voicing_tolerance: float | None = None,
    ):
        self.sample_rate = sample_rate
        self.win_length = win_length
        self.hop_length = hop_length
        self.f_min = f_min
        self.f_max = f_max
        self.n_harmonics = n_harmonics
        self.harmonic_decay = harmonic_decay
        self.peak_range = peak_range
        self.pitch_continuity = pitch_continuity
        self.min_duration = min_duration
        self.min_harmonicity = min_harmonicity
        self.dynamic_range = dynamic_range
        self.voicing_tolerance = voicing_tolerance

    def _transform_batch(self, recordings: list[np.ndarray]) -> list[np.ndarray]:
        from skspeech.preprocessing._candidates import PitchCandidates
        from skspeech.preprocessing._tracking import Voicing, best_path, voiced_frames

        hop = self.hop_length / self.sample_rate
        voicing = Voicing(
            min_harmonicity=self.min_harmonicity,
            dynamic_range=self.dynamic_range,
            min_frames=self.min_duration / hop,
            largest_step=1000 * self.pitch_continuity * hop,
            tolerance=self.voicing_tolerance,
        )
        candidates_of = PitchCandidates(
            self.sample_rate,
            self._window(self.win_length),
            self.hop_length,
            f_min=self.f_min,
            f_max=self.f_max,
            n_harmonics=self.n_harmonics,
            harmonic_decay=self.harmonic_decay,
            peak_range=self.peak_range,
        )
        pitches = []
        for recording in recordings:
            found = candidates_of(_scaled(recording))
            path = best_path(found, voicing.largest_step, _CHANGE / hop)
            track = found[np.arange(len(found)), path]
            hz = np.exp2(track[:, 0] / 1200).clip(self.f_min, self.f_max)
            hz[~voiced_frames(track, voicing)] = 0
            pitches.append(hz)
        return pitches


class PyinPitch(PitchTransformer):
    """Pitch of each waveform by pYIN, as librosa computes it.

    Frame i is centred on sample ``i * hop_length``, with zeros beyond both ends, so a waveform
    of any length gives ``1 + n_samples // hop_length`` frames. Pitches lie on librosa's grid
    of 10 cents from `f_min` on. :class:`SaliencePitch` is about two hundred times as fast; pYIN
    is the one to compare with.

    Parameters
    ----------
    sample_rate : float, default=44100
        Samples per second of the waveforms, Hz.
    frame_length : int or None, default=None
        Samples in a frame; None is 46.4 ms, 2,048 at 44.1 kHz. It must be longer
        than two periods of `f_min`.
    hop_length : int, default=256
        Samples from one frame to the next.
    f_min : float, default=55.0
        Lowest pitch, Hz.
    f_max : float, default=1760.0
        Highest pitch, Hz; none is found above half the sample rate.

    Notes
    -----
    Nothing bounds librosa's memory: a minute at 44.1 kHz and hop 256 takes about half a gigabyte.

    References
    ----------
    M. Mauch and S. Dixon, "pYIN: a fundamental frequency estimator using probabilistic threshold
    distributions", ICASSP 2014.

    Examples
    --------
    >>> import numpy as np
    >>> from skspeech.preprocessing import PyinPitch
    >>> seconds = np.arange(4000) / 16000
    >>> voice = sum(np.sin(2 * np.pi * 220 * h * seconds) / h for h in range(1, 11))
    >>> pitch = PyinPitch(sample_rate=16000, hop_length=160).fit_transform([voice])[0]
    >>> pitch.shape, round(float(pitch[12]), 1)
    ((26,), 220.0)
    """

    _parameter_constraints: dict = {
        **PitchTransformer._parameter_constraints,
        "frame_length": [Interval(Integral, 4, None, closed="left"), None],
    }

    def __init__(
        self,
        *,
        sample_rate: float = 44100,
        frame_length: int | None = None,
        hop_length: int = 256,
        f_min: float = 55.0,
        f_max: float = 1760.0,
    ):
        self.sample_rate = sample_rate
        self.frame_length = frame_length
        self.hop_length = hop_length
        self.f_min = f_min
        self.f_max = f_max

    def _validate_params(self) -> None:
        super()._validate_params()
        frame_length = self._window(self.frame_length)
        if frame_length // 2 <= self.sample_rate / self.f_min:  # librosa would warn
            raise ValueError(
                f"A frame of {frame_length} samples is no longer than two periods of f_min, "
                f"{self.f_min} Hz. Raise frame_length or f_min."
            )

    def _transform_batch(self, recordings: list[np.ndarray]) -> list[np.ndarray]:
        return [self._pitch(recording) for recording in recordings]

    def _pitch(self, waveform: np.ndarray) -> np.ndarray:
        from librosa import pyin

        frame_length = self._window(self.frame_length)
        # padded here: librosa gives a frame less where frame_length is odd
        edges = (frame_length // 2, frame_length - frame_length // 2)
        hz, _, _ = pyin(
            np.pad(_scaled(waveform - waveform.mean(dtype=np.float64)), edges),
            fmin=self.f_min,
            fmax=self._highest(),
            sr=self.sample_rate,
            frame_length=frame_length,
            hop_length=self.hop_length,
            fill_na=0.0,
            center=False,
        )
        return hz.astype(np.float32)


def _scaled(waveform: np.ndarray) -> np.ndarray:
    """Return a copy of a waveform whose largest sample is 1 or -1, or of silence."""
    peak = np.abs(waveform).max()
    return waveform / peak if peak > 0 else waveform.copy()
