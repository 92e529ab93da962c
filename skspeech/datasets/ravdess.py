"""RAVDESS: 24 actors say two sentences in eight emotions, in English (CC BY-NC-SA 4.0)."""

import os
import re

import numpy as np
from sklearn.utils import Bunch

from skspeech.datasets._corpus import Corpus, Files, describe, fetch_files, read_waveforms
from skspeech.datasets._download import Archive
from skspeech.recordings import RecordingSequence

SAMPLE_RATE = 48_000

# Each tuple in the order of the codes 01, 02 and so on.
EMOTIONS = ("neutral", "calm", "happy", "sad", "angry", "fearful", "disgust", "surprised")
INTENSITIES = ("normal", "strong")
TEXTS = ("Kids are talking by the door.", "Dogs are sitting by the door.")

CORPUS = Corpus(
    name="RAVDESS",
    descr="ravdess",
    folder="ravdess",
    filename=re.compile(
        r"03-01-(?P<emotion>0[1-8])-(?P<intensity>0[12])-(?P<text>0[12])-(?P<repetition>0[12])"
        r"-(?P<speaker>0[1-9]|1[0-9]|2[0-4])"
    ),
    n_recordings=1_440,
    archive=Archive(
        "https://zenodo.org/records/1188976/files/Audio_Speech_Actors_01-24.zip",
        "md5:bc696df654c87fed845eb13823edef8a",
    ),
    unpack_to="Audio_Speech_Actors_01-24",
    passed_over=re.compile(r"03-02(-[0-9]{2}){5}"),  # song
    # The second repetition is the first one, byte by byte.
    copies={"03-01-03-01-02-02-07": "03-01-03-01-02-01-07"},
)


def fetch_ravdess(
    *,
    sample_rate: float | None = 16_000,
    data_home: str | os.PathLike | None = None,
    download_if_missing: bool = True,
    return_X_y: bool = False,
) -> Bunch | tuple[RecordingSequence, np.ndarray]:
    """Load the speech of RAVDESS: 24 actors, eight emotions, in English.

    The task is to tell the emotion of actors never heard: split by ``speakers``. If
    ``<data_home>/ravdess`` and its subfolders hold no speech, the corpus is downloaded (208 MB).
    Song and video are passed over.

    ====================  =====================================================
    recordings            1,439: 1,440 (60 by each actor), one of them a copy
    shape of a recording  (n_samples,), 2.9 to 5.3 s at 16 kHz by default
    classes               neutral 96, calm 192, happy 191, sad 192, angry 192,
                          fearful 192, disgust 192, surprised 192
    kind                  waveform, in [-1, 1)
    ====================  =====================================================

    Parameters
    ----------
    sample_rate : float or None, default=16000
        Samples per second of the waveforms, Hz: the files are resampled when they are read. None
        keeps the 48 kHz of the recordings.
    data_home : path-like or None, default=None
        The folder of the fetched corpora. None takes the environment variable ``SKSPEECH_DATA``,
        else ``~/skspeech_data``.
    download_if_missing : bool, default=True
        Whether to download where no recording is found. What is there is never completed or
        changed.
    return_X_y : bool, default=False
        Return ``(data, target)`` in place of the whole bunch.

    Returns
    -------
    bunch : :class:`~sklearn.utils.Bunch`
        Sorted by the names of the files, with the attributes

        data : RecordingSequence of shape (n_recordings,)
            Reads a file when an item is asked for: float32 of shape (n_samples,).
        target : ndarray of shape (n_recordings,), dtype int64
            The emotion, 0 to 7.
        target_names : ndarray of shape (8,)
        speakers : ndarray of shape (n_recordings,)
            The actors, ``"01"`` to ``"24"``.
        sexes : ndarray of shape (n_recordings,)
            Of the actors: female or male.
        intensities : ndarray of shape (n_recordings,)
            ``"normal"`` or ``"strong"``.
        texts : ndarray of shape (n_recordings,)
            One of two sentences.
        filenames : ndarray of shape (n_recordings,)
            Relative to ``<data_home>/ravdess``.
        dropped : list of str
            Files that were found and left out, because others hold the same samples.
        n_missing : int
            How many of the 1,440 were not found. A part of the corpus is loaded without a
            warning; ``DESCR`` tells, too.
        sample_rate : float
            Hz.
        DESCR : str
            Origin, licence and citation.

    (data, target) : tuple
        If `return_X_y` is true.

    Raises
    ------
    FileNotFoundError
        If there is no recording and `download_if_missing` is false.
    OSError
        If the download fails, or what was downloaded is not RAVDESS.
    ValueError
        If the folder holds a .wav or .flac file that is not named as RAVDESS' sound files are, or
        one recording twice. Other files are passed over.

    Notes
    -----
    The recordings are not for commercial use (CC BY-NC-SA 4.0). What is downloaded must have the
    MD5 sum that Zenodo publishes.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> import numpy as np
    >>> import soundfile
    >>> from skspeech.datasets import fetch_ravdess
    >>> with TemporaryDirectory() as home:  # in place of the corpus, one file of its layout
    ...     folder = Path(home, "ravdess", "Actor_12")
    ...     folder.mkdir(parents=True)
    ...     soundfile.write(folder / "03-01-06-01-02-01-12.wav", np.zeros(144_000), 48_000)
    ...     ravdess = fetch_ravdess(data_home=home)
    ...     waveform = ravdess.data[0]
    >>> ravdess.target_names[ravdess.target], ravdess.speakers, waveform.shape
    (array(['fearful'], dtype='<U9'), array(['12'], dtype='<U2'), (48000,))
    """
    files = fetch_files(CORPUS, data_home, download_if_missing)
    data = read_waveforms(files.paths, sample_rate)
    target = _codes(files, "emotion")
    if return_X_y:
        return data, target
    speakers = files.group("speaker")
    return Bunch(
        data=data,
        target=target,
        target_names=np.array(EMOTIONS),
        speakers=speakers,
        sexes=np.where(speakers.astype(int) % 2, "male", "female"),
        intensities=np.array(INTENSITIES)[_codes(files, "intensity")],
        texts=np.array(TEXTS)[_codes(files, "text")],
        filenames=files.filenames,
        dropped=files.dropped,
        n_missing=files.n_missing,
        sample_rate=SAMPLE_RATE if sample_rate is None else sample_rate,
        DESCR=describe(CORPUS, files),
    )


def _codes(files: Files, part: str) -> np.ndarray:
    """Turn the codes 01, 02 and so on into 0, 1 and so on."""
    return files.group(part).astype(np.int64) - 1
