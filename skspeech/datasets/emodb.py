"""Berlin Database of Emotional Speech (EmoDB): ten actors, ten sentences, seven emotions (CC0)."""

import os
import re

import numpy as np
from sklearn.utils import Bunch

from skspeech.datasets._corpus import Corpus, describe, fetch_files, read_waveforms
from skspeech.datasets._download import Archive
from skspeech.recordings import RecordingSequence

SAMPLE_RATE = 16_000

# In the order of the classes; the letters are those of the German words.
EMOTIONS = {
    "W": "anger",
    "L": "boredom",
    "E": "disgust",
    "A": "fear",
    "F": "happiness",
    "N": "neutral",
    "T": "sadness",
}

SEXES = {
    "03": "male",
    "08": "female",
    "09": "female",
    "10": "male",
    "11": "male",
    "12": "male",
    "13": "female",
    "14": "female",
    "15": "male",
    "16": "female",
}

TEXTS = {
    "a01": "Der Lappen liegt auf dem Eisschrank.",
    "a02": "Das will sie am Mittwoch abgeben.",
    "a04": "Heute abend könnte ich es ihm sagen.",
    "a05": "Das schwarze Stück Papier befindet sich da oben neben dem Holzstück.",
    "a07": "In sieben Stunden wird es soweit sein.",
    "b01": "Was sind denn das für Tüten, die da unter dem Tisch stehen?",
    "b02": "Sie haben es gerade hochgetragen und jetzt gehen sie wieder runter.",
    "b03": "An den Wochenenden bin ich jetzt immer nach Hause gefahren und habe Agnes besucht.",
    "b09": "Ich will das eben wegbringen und dann mit Karl was trinken gehen.",
    "b10": "Die wird auf dem Platz sein, wo wir sie immer hinlegen.",
}

# What samples_digest gives for the speakers whose recordings we have.
DIGESTS = {
    "03": "88363c6ff1e50de6f51b351b237aca86f560c1fae797fafc8ec0eed09f682df6",
    "08": "09b6c6296198fa355029910d40b4a0063d931105ee626abb9d7b2394d564f805",
    "09": "c80d256bd41fd4de1259436dfc4d38e81d687ec109e710edb8b55ec52765439e",
    "10": "aa0b53f3615fa6f795453740772b12547e9fc2517eab9d54188d0981d644832d",
    "11": "4d58bfe08b8627c509816cf53fa2fd5d4bc42da1060d9a8cd21d077f9834605b",
    "12": "1609d8da50caa474e2b4b536d5df7237a42d346490f04b8e8384eca48f92ccc7",
}

CORPUS = Corpus(
    name="EmoDB",
    descr="emodb",
    folder="emodb/wav",
    filename=re.compile(
        f"(?P<speaker>{'|'.join(SEXES)})(?P<text>{'|'.join(TEXTS)})"
        f"(?P<emotion>[{''.join(EMOTIONS)}])(?P<version>[a-z])"
    ),
    n_recordings=535,
    archive=Archive(
        "https://zenodo.org/records/7447302/files/emodb.zip",
        "md5:9d21362dbc5676ef3ab4745d83ced0db",
        inside="wav",
    ),
    digests=DIGESTS,
)


def fetch_emodb(
    *,
    data_home: str | os.PathLike | None = None,
    download_if_missing: bool = True,
    return_X_y: bool = False,
) -> Bunch | tuple[RecordingSequence, np.ndarray]:
    """Load the Berlin Database of Emotional Speech: ten actors, seven emotions, in German.

    The task is to tell the emotion of speakers never heard: split by ``speakers``. If
    ``<data_home>/emodb/wav`` holds no recording, the corpus is downloaded (40 MB).

    ====================  =====================================================
    recordings            535 (49 by one speaker, 38 to 71 by the others)
    shape of a recording  (n_samples,), 1.2 to 9.0 s at 16 kHz
    classes               anger 127, boredom 81, disgust 46, fear 69,
                          happiness 71, neutral 79, sadness 62
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
            The emotion, 0 to 6.
        target_names : ndarray of shape (7,)
        speakers : ndarray of shape (n_recordings,)
            ``"03"``, ``"08"`` to ``"16"``.
        sexes : ndarray of shape (n_recordings,)
            Of the speakers: female or male.
        texts : ndarray of shape (n_recordings,)
            One of ten German sentences.
        filenames : ndarray of shape (n_recordings,)
            Relative to ``<data_home>/emodb/wav``.
        n_missing : int
            How many of the 535 were not found. A part of the corpus is loaded without a warning;
            ``DESCR`` tells, too.
        sample_rate : int
            16000 Hz.
        DESCR : str
            Origin, licence and citation.

    (data, target) : tuple
        If `return_X_y` is true.

    Raises
    ------
    FileNotFoundError
        If there is no recording and `download_if_missing` is false.
    OSError
        If the download fails, or what was downloaded is not EmoDB.
    ValueError
        If the folder holds a .wav or .flac file that is not named as EmoDB's are, or one
        recording twice. Other files are passed over.

    Notes
    -----
    What is downloaded is version 1.3.0 from Zenodo (record 7447302), the same recordings as at
    http://emodb.bilderbar.info. The archive's MD5 sum is compared with the one that Zenodo
    publishes, and the samples of speakers 03 and 08 to 12 with those we know.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> import numpy as np
    >>> import soundfile
    >>> from skspeech.datasets import fetch_emodb
    >>> with TemporaryDirectory() as home:  # in place of the corpus, one file of its layout
    ...     Path(home, "emodb", "wav").mkdir(parents=True)
    ...     soundfile.write(f"{home}/emodb/wav/03a01Fa.wav", np.zeros(32_000), 16_000)
    ...     emodb = fetch_emodb(data_home=home)
    >>> emodb.target_names[emodb.target], emodb.speakers, emodb.n_missing
    (array(['happiness'], dtype='<U9'), array(['03'], dtype='<U2'), 534)
    """
    files = fetch_files(CORPUS, data_home, download_if_missing)
    data = read_waveforms(files.paths, SAMPLE_RATE)
    letters = list(EMOTIONS)
    target = np.array([letters.index(letter) for letter in files.group("emotion")])
    if return_X_y:
        return data, target
    speakers = files.group("speaker")
    return Bunch(
        data=data,
        target=target,
        target_names=np.array(list(EMOTIONS.values())),
        speakers=speakers,
        sexes=np.array([SEXES[speaker] for speaker in speakers]),
        texts=np.array([TEXTS[text] for text in files.group("text")]),
        filenames=files.filenames,
        n_missing=files.n_missing,
        sample_rate=SAMPLE_RATE,
        DESCR=describe(CORPUS, files),
    )
