"""Japanese Vowels: nine men say /ae/, as LPC cepstra (Kudo, Toyama and Shimbo 1999; CC BY 4.0)."""

import numpy as np
from sklearn.utils import Bunch

from skspeech.datasets._files import data_file, read_descr
from skspeech.recordings import object_array

SAMPLE_RATE = 10_000
HOP_LENGTH = 64
"""6.4 ms at 10 kHz, as the corpus documents it."""


def load_japanese_vowels(*, return_X_y: bool = False) -> Bunch | tuple[np.ndarray, np.ndarray]:
    """Load the Japanese Vowels corpus: 640 utterances by nine male speakers.

    Each utterance of the vowels /ae/ is a sequence of 7 to 29 frames of 12 linear prediction
    cepstrum coefficients. The task is to tell who speaks. The corpus comes with its own split, the
    test part being recorded on other occasions.

    ========================  ===================================
    recordings                640 (270 for training, 370 for test)
    shape of a recording      (12, n_frames), n_frames 7 to 29
    classes                   9 speakers
    kind                      spectrogram (cepstra, unitless)
    ========================  ===================================

    Parameters
    ----------
    return_X_y : bool, default=False
        Return ``(data, target)`` in place of the whole bunch.

    Returns
    -------
    bunch : :class:`~sklearn.utils.Bunch`
        With the attributes

        data : ndarray of shape (640,), dtype object
            Each item a float32 array of shape (n_bins=12, n_frames): coefficient c1 to c12 by row.
        target : ndarray of shape (640,), dtype int64
            The speaker, 0 to 8.
        target_names : ndarray of shape (9,)
            ``"speaker 1"`` to ``"speaker 9"``, the corpus' own numbers.
        speakers : ndarray of shape (640,)
            ``target_names[target]``.
        split : ndarray of shape (640,)
            ``"train"`` or ``"test"``. Within a speaker, in the corpus' order.
        sample_rate : int
            10000 Hz, of the sound that was analysed.
        hop_length : int
            64 samples (6.4 ms) from frame to frame.
        DESCR : str
            Origin, analysis parameters, licence and citation.

    (data, target) : tuple of ndarray
        If `return_X_y` is true.

    Notes
    -----
    Train and test hold the same speakers: this is identification, and no split by speaker applies.

    References
    ----------
    M. Kudo, J. Toyama and M. Shimbo (1999). Multidimensional curve classification using
    passing-through regions. Pattern Recognition Letters 20(11-13), 1103-1111.
    UCI Machine Learning Repository, https://doi.org/10.24432/C5NS47.

    Examples
    --------
    >>> from skspeech.datasets import load_japanese_vowels
    >>> vowels = load_japanese_vowels()
    >>> vowels.data[0].shape
    (12, 20)
    >>> int((vowels.split == "train").sum())
    270
    """
    with data_file("japanese_vowels.npz").open("rb") as file, np.load(file) as stored:
        cepstra, n_frames = stored["cepstra"], stored["n_frames"]
        target, is_train = stored["speaker"].astype(np.int64), stored["is_train"]
    # copies, so that a caller who keeps one utterance does not keep all 9,961 frames
    utterances = (part.copy() for part in np.split(cepstra, np.cumsum(n_frames[:-1]), axis=1))
    data = object_array(list(utterances))
    if return_X_y:
        return data, target
    target_names = np.array([f"speaker {number}" for number in range(1, 10)])
    return Bunch(
        data=data,
        target=target,
        target_names=target_names,
        speakers=target_names[target],
        split=np.where(is_train, "train", "test"),
        sample_rate=SAMPLE_RATE,
        hop_length=HOP_LENGTH,
        DESCR=read_descr("japanese_vowels"),
    )
