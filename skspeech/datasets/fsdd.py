"""Free Spoken Digit Dataset (FSDD): six speakers say the English digits (CC BY-SA 4.0)."""

import os
import re

import numpy as np
from sklearn.utils import Bunch

from skspeech.datasets._corpus import Corpus, describe, fetch_files, read_waveforms
from skspeech.datasets._download import Archive
from skspeech.recordings import RecordingSequence

SAMPLE_RATE = 8_000
N_TEST = 5  # recordings of a digit by a speaker: "0-4 (inclusive) are in the test" (README)
DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
SPEAKERS = ("george", "jackson", "lucas", "nicolas", "theo", "yweweler")

# What samples_digest gives for the speakers whose recordings we have.
DIGESTS = {
    "george": "8e0b560a5640c863636ca9aaeaa2e3d1a22da9668f051b5db9b5a8b4d63800a1",
    "jackson": "c266906d4a98e7f0e19c6e9bba271401c908435914b516222fa3c30b879e1392",
    "lucas": "02b8937ad99370ad2bae29ff52a95ce7ca18d8ac95ff5065c8608db009f971f2",
    "nicolas": "c5010a702c4c5962e9afae6473b5cb7facaab8164f7459b9c17b7596d375ab23",
}

CORPUS = Corpus(
    name="FSDD",
    descr="fsdd",
    folder="fsdd/recordings",
    filename=re.compile(
        rf"(?P<digit>[0-9])_(?P<speaker>{'|'.join(SPEAKERS)})_(?P<index>[0-9]|[1-4][0-9])"
    ),
    n_recordings=3_000,
    archive=Archive(
        # GitHub packs it anew when it is asked for and publishes no checksum
        "https://github.com/Jakobovski/free-spoken-digit-dataset/archive/refs/tags/v1.0.10.zip",
        None,
        inside="recordings",
    ),
    digests=DIGESTS,
)


def fetch_fsdd(
    *,
    data_home: str | os.PathLike | None = None,
    download_if_missing: bool = True,
    return_X_y: bool = False,
) -> Bunch | tuple[RecordingSequence, np.ndarray]:
    """Load the Free Spoken Digit Dataset: six speakers say ten digits, fifty times each.

    The task is to tell the digit. For new speakers, split by ``speakers``; the corpus' own
    ``split`` has every speaker on both sides. If ``<data_home>/fsdd/recordings`` holds no
    recording, the corpus is downloaded (16 MB).

    ====================  =====================================================
    recordings            3,000 (50 of each digit by each of six speakers)
    shape of a recording  (n_samples,), 0.14 to 2.3 s at 8 kHz
    classes               10 digits, 300 recordings each
    kind                  waveform, in [-1, 1)
    ====================  =====================================================

    Parameters
    ----------
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
            The digit, 0 to 9.
        target_names : ndarray of shape (10,)
            ``"zero"`` to ``"nine"``.
        speakers : ndarray of shape (n_recordings,)
        split : ndarray of shape (n_recordings,)
            ``"test"`` for the recordings numbered 0 to 4, else ``"train"``: the corpus' own split.
        filenames : ndarray of shape (n_recordings,)
            Relative to ``<data_home>/fsdd/recordings``.
        n_missing : int
            How many of the 3,000 were not found. A part of the corpus is loaded without a
            warning; ``DESCR`` tells, too.
        sample_rate : int
            8000 Hz.
        DESCR : str
            Origin, licence and citation.

    (data, target) : tuple
        If `return_X_y` is true.

    Raises
    ------
    FileNotFoundError
        If there is no recording and `download_if_missing` is false.
    OSError
        If the download fails, or what was downloaded is not FSDD.
    ValueError
        If the folder holds a .wav or .flac file that is not named as those of version 1.0.10
        are, or one recording twice. Other files are passed over.

    Notes
    -----
    What is downloaded is version 1.0.10 from GitHub, of which no checksum is published. It must
    hold 3,000 files of FSDD's names, pass the check values inside the archive, and agree sample by
    sample with the recordings of george, jackson, lucas and nicolas as we know them; those of theo
    and yweweler cannot be compared.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> import numpy as np
    >>> import soundfile
    >>> from skspeech.datasets import fetch_fsdd
    >>> with TemporaryDirectory() as home:  # in place of the corpus, one file of its layout
    ...     Path(home, "fsdd", "recordings").mkdir(parents=True)
    ...     soundfile.write(f"{home}/fsdd/recordings/7_theo_32.wav", np.zeros(4_000), 8_000)
    ...     digits = fetch_fsdd(data_home=home)
    >>> digits.target, digits.speakers, digits.split, digits.n_missing
    (array([7]), array(['theo'], dtype='<U4'), array(['train'], dtype='<U5'), 2999)
    """
    files = fetch_files(CORPUS, data_home, download_if_missing)
    data = read_waveforms(files.paths, SAMPLE_RATE)
    target = files.group("digit").astype(np.int64)
    if return_X_y:
        return data, target
    return Bunch(
        data=data,
        target=target,
        target_names=np.array(DIGITS),
        speakers=files.group("speaker"),
        split=np.where(files.group("index").astype(int) < N_TEST, "test", "train"),
        filenames=files.filenames,
        n_missing=files.n_missing,
        sample_rate=SAMPLE_RATE,
        DESCR=describe(CORPUS, files),
    )
