"""Transformers from waveforms to cepstra."""

from numbers import Integral

import numpy as np
from sklearn.utils._param_validation import Interval

from skspeech.preprocessing._mel import MelTransformer
from skspeech.preprocessing._power import rescale

__all__ = ["MFCC"]


class MFCC(MelTransformer):
    """Mel-frequency cepstral coefficients of each waveform.

    The cosine transform (type 2, orthonormal) of the mel bands' power in dB, frame by frame;
    the figures are librosa's (``librosa.feature.mfcc`` of ``power_to_db(..., top_db=None)``).
    Frames, windows and bands are those of :class:`LogMelSpectrogram`: frame i is centred on
    sample ``i * hop_length``, with zeros beyond both ends.

    40 coefficients of a 25 ms window are what Arronte Alvarez and Gómez-Martín tell singers
    by ("Singer identification using convolutional acoustic motif embeddings", section 4.1).
    They name neither hop nor bands. The hop of 12.5 ms is that of the mel spectrograms in
    their code; 80 bands are our choice: each hears at least one frequency of a 25 ms window,
    also at 8 kHz, where 128, as many as librosa takes, would leave some empty.

    Parameters
    ----------
    sample_rate : float, default=16000
        Samples per second of the waveforms, Hz.
    n_mfcc : int, default=40
        Coefficients kept, from the zeroth (the mean loudness) on; at most `n_mels`.
    n_fft : int, default=400
        Samples in a window and points of its Fourier transform.
    hop_length : int, default=200
        Samples from one frame to the next.
    n_mels : int, default=80
        Mel bands.
    f_min : float, default=0.0
        Lower edge of the lowest band, Hz.
    f_max : float or None, default=None
        Upper edge of the highest band, Hz; None is half the sample rate, and the most.
    amin : float, default=1e-10
        Powers below are raised to it before the logarithm; a normal number of float32.

    Examples
    --------
    >>> import numpy as np
    >>> from skspeech.preprocessing import MFCC
    >>> rng = np.random.default_rng(0)
    >>> voices = [0.1 * rng.standard_normal(n) for n in (16000, 9000)]
    >>> [s.shape for s in MFCC().fit_transform(voices)]
    [(40, 81), (40, 46)]
    """

    _parameter_constraints: dict = {
        **MelTransformer._parameter_constraints,
        "n_mfcc": [Interval(Integral, 1, None, closed="left")],
    }

    def __init__(
        self,
        *,
        sample_rate: float = 16000,
        n_mfcc: int = 40,
        n_fft: int = 400,
        hop_length: int = 200,
        n_mels: int = 80,
        f_min: float = 0.0,
        f_max: float | None = None,
        amin: float = 1e-10,
    ):
        self.sample_rate = sample_rate
        self.n_mfcc = n_mfcc
        self.n_fft = n_fft
        self.hop_length = hop_length
        self.n_mels = n_mels
        self.f_min = f_min
        self.f_max = f_max
        self.amin = amin

    def _validate_params(self) -> None:
        super()._validate_params()
        if self.n_mfcc > self.n_mels:
            raise ValueError(
                f"n_mfcc is {self.n_mfcc}, but {self.n_mels} mel bands have no more than "
                f"{self.n_mels} coefficients. Lower n_mfcc or raise n_mels."
            )

    def _from_power(self, power: np.ndarray) -> np.ndarray:
        from scipy.fft import dct

        cepstrum = dct(rescale(power, "db", self.amin), axis=0, norm="ortho", overwrite_x=True)
        return cepstrum[: self.n_mfcc].copy()
