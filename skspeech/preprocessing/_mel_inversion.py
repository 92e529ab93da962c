"""From log-mel spectra in step with a video back to sound; and where their frames are."""

from fractions import Fraction
from typing import Any

import numpy as np

from skspeech.exceptions import RecordingError
from skspeech.preprocessing._mel import mel_filters

__all__ = ["LOUDEST", "check_rates", "exact_hop", "frame_centres", "interpolated", "invert_mel"]

# Logarithms above are of no sound in [-1, 1], whose magnitudes sum to less than the window
# does; e to such a power would soon be infinite (our choice).
LOUDEST = 20.0


def exact_hop(sample_rate: float, frame_rate: float) -> Fraction:
    """Return the samples from one frame to the next, without the rounding of the two rates.

    22,050 Hz at 81.67 frames a second are 2,205,000 / 8,167 samples, and at 22050 / 270 frames
    270. With more digits than such a fraction holds it is off by less than half a sample in an
    hour.
    """
    return Fraction(sample_rate / frame_rate).limit_denominator(10**6)


def check_rates(sample_rate: float, frame_rate: float) -> None:
    """Refuse frames that would be closer than samples."""
    if frame_rate > sample_rate:
        raise ValueError(
            f"frame_rate is {frame_rate}, above the sample rate, {sample_rate} Hz: frames would be "
            "closer than samples. Check both."
        )


def frame_centres(n_samples: int, hop: Fraction) -> np.ndarray:
    """Return the sample nearest to ``i * hop``, for every i for which that is in the waveform.

    Of two as near it is the later one. There is a frame i for every ``i * hop`` from 0 to
    `n_samples`, as librosa has it: of a whole hop, ``1 + n_samples // hop``.
    """
    numerator, denominator = hop.numerator, hop.denominator
    i = np.arange(n_samples * denominator // numerator + 1)
    return (2 * i * numerator + denominator) // (2 * denominator)


def invert_mel(
    targets: np.ndarray,
    *,
    sample_rate: float,
    hop: float | Fraction,
    n_fft: int,
    f_max: float,
    f_min: float = 0.0,
    n_iter: int = 32,
    random_state: Any = 0,
) -> np.ndarray:
    """Return sound whose log-mel spectra are near the given ones, by Griffin and Lim's method.

    Magnitudes are those by the pseudo-inverse of the mel filters, the negative ones of them zero:
    as near on speech as librosa's search for the nearest that are not negative (0.8 dB), which
    takes longer than all iterations. The method needs windows that overlap: where `hop` is longer
    than a third of a window, spectra are interpolated between frames.

    Parameters
    ----------
    targets : ndarray of shape (n_frames, n_mels)
        Natural logarithms of magnitudes in mel bands, those of
        :class:`~skspeech.preprocessing.MelTargets`.
    sample_rate : float
        Of the sound, Hz.
    hop : float or Fraction
        Samples from one frame to the next, at least one; need not be whole.
    n_fft : int
        Samples in a window (Hann) and points of its Fourier transform.
    f_max, f_min : float
        The edges of the mel bands, Hz.
    n_iter : int, default=32
        Iterations.
    random_state : int, RandomState instance, Generator or None, default=0
        For the phases that they begin with.

    Returns
    -------
    ndarray of float32, shape (n_samples,)
        The longest sound with n_frames frames: a sample less than ``n_frames * hop``, rounded up.

    Raises
    ------
    RecordingError
        If a value is too large for the spectrum of a sound.
    """
    from librosa import griffinlim

    if (loudest := targets.max()) > LOUDEST:
        raise RecordingError(
            f"holds {loudest:g}, and the logarithm of a magnitude is below {LOUDEST:g} for sound "
            "in [-1, 1]",
            "Give spectra as MelTargets makes them; standardised ones have to be restored before.",
        )
    n_samples = -int(-len(targets) * Fraction(hop) // 1) - 1
    n_parts = -(-3 * Fraction(hop) // n_fft)  # of a hop; each is a third of a window at most
    step = max(1, round(hop / n_parts))
    # of less sound than a window librosa warns
    n_steps = max(n_samples // step, -(-n_fft // step))
    spectra = interpolated(targets, np.arange(n_steps + 1) * step / float(hop))
    filters = mel_filters(sample_rate, n_fft, targets.shape[1], f_min, f_max)
    magnitudes = np.maximum(np.linalg.pinv(filters) @ np.exp(spectra).T, 0, dtype=np.float32)
    sound = griffinlim(
        magnitudes,
        n_iter=n_iter,
        hop_length=step,
        n_fft=n_fft,
        length=max(n_samples, n_steps * step),
        random_state=random_state,
    )
    return sound[:n_samples].astype(np.float32, copy=False)


def interpolated(spectra: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Return the spectra at any places along time, counted in frames; the last one goes on."""
    places = places.clip(0, len(spectra) - 1)
    before = places.astype(int)
    after = np.minimum(before + 1, len(spectra) - 1)
    weights = (places - before)[:, None]
    return (1 - weights) * spectra[before] + weights * spectra[after]
