"""Telephone prompts in six voices: the recordings Asterisk speaks with (CC BY-SA 3.0, CC BY 3.0).

The recordings keep their own licences, which ask for the credit given in ``DESCR`` and in NOTICE.
"""

from typing import NamedTuple

import numpy as np
from sklearn.utils import Bunch

from skspeech.datasets._files import data_file, read_descr
from skspeech.recordings import object_array

SAMPLE_RATE = 8_000


class _Voice(NamedTuple):
    """A folder of prompts: its name, who speaks in it, and in which language (ISO 639-1)."""

    folder: str
    speaker: str
    language: str


# Two of the voices are one person's: as groups, take speakers, not voices.
VOICES = (
    _Voice("en_US_f_Allison", "Allison Smith", "en"),
    _Voice("es_MX_f_Allison", "Allison Smith", "es"),
    _Voice("fr_CA_f_June", "June Wallack", "fr"),
    _Voice("it_IT_f_Menardi", "Paola Dal Zot", "it"),
    _Voice("it_IT_m_Carlo", "Carlo Flora", "it"),
    _Voice("ru_RU_f_IvrvoiceRU", "IvrvoiceRU", "ru"),
)

# The names that Asterisk gives its prompts; the words differ from language to language.
PROMPTS = (
    "agent-loginok",
    "auth-thankyou",
    "conf-errormenu",
    "conf-thereare",
    "dir-multi3",
    "dir-pls-enter",
    "hello-world",
    "pbx-transfer",
    "queue-less-than",
    "queue-reporthold",
    "vm-Family",
    "vm-changeto",
    "vm-deleted",
    "vm-extension",
    "vm-goodbye",
    "vm-incorrect",
    "vm-isonphone",
    "vm-isunavail",
    "vm-message",
    "vm-num-i-have",
    "vm-onefor",
    "vm-pls-try-again",
    "vm-received",
    "vm-savedto",
)


def load_voice_prompts(*, return_X_y: bool = False) -> Bunch | tuple[np.ndarray, np.ndarray]:
    """Load 24 telephone prompts, each said by six professional voices in five languages.

    The task is to tell the voice. Split by ``prompts`` so that no message is both learnt and
    tested.

    ====================  ==========================================
    recordings            144 (24 prompts in six voices), 2.9 minutes
    shape of a recording  (n_samples,), 0.55 to 2.69 s at 8 kHz
    classes               6 voices; two are one speaker's
    kind                  waveform, in [-1, 1)
    ====================  ==========================================

    Parameters
    ----------
    return_X_y : bool, default=False
        Return ``(data, target)`` in place of the whole bunch.

    Returns
    -------
    bunch : :class:`~sklearn.utils.Bunch`
        With the attributes

        data : ndarray of shape (144,), dtype object
            Each item a float32 array of shape (n_samples,).
        target : ndarray of shape (144,), dtype int64
            The voice, 0 to 5.
        target_names : ndarray of shape (6,)
            The voices: locale, sex and name.
        speakers : ndarray of shape (144,)
            Who speaks. Allison Smith speaks both the English and the Spanish voice; the Russian
            speaker is unnamed and goes by the voice's name.
        languages : ndarray of shape (144,)
            ISO 639-1 code: en, es, fr, it or ru.
        prompts : ndarray of shape (144,)
            What is said, by the name of Asterisk's prompt.
        filenames : ndarray of shape (144,)
            ``<voice>/<prompt>.flac``.
        sample_rate : int
            8000 Hz.
        DESCR : str
            Origin, what was changed, licences and credits.

    (data, target) : tuple of ndarray
        If `return_X_y` is true.

    Notes
    -----
    The recordings are not under this package's licence. They are by Allison Smith, June Wallack,
    Marco Menardi and Paola Dal Zot (http://www.voip.ammdomus.it), Carlo Flora, and Maxim Topal,
    under CC BY-SA 3.0, CC BY-SA 3.0 Italy and CC BY 3.0; ``DESCR`` tells which is whose. Who passes
    them on must pass the credits on.

    Examples
    --------
    >>> from skspeech.datasets import load_voice_prompts
    >>> prompts = load_voice_prompts()
    >>> prompts.data.shape, prompts.target_names.shape
    ((144,), (6,))
    """
    rows = [(voice, prompt) for voice in VOICES for prompt in PROMPTS]
    filenames = [f"{voice.folder}/{prompt}.flac" for voice, prompt in rows]
    target = np.repeat(np.arange(len(VOICES)), len(PROMPTS))
    data = object_array([_read(filename) for filename in filenames])
    if return_X_y:
        return data, target
    return Bunch(
        data=data,
        target=target,
        target_names=np.array([voice.folder for voice in VOICES]),
        speakers=np.array([voice.speaker for voice, _ in rows]),
        languages=np.array([voice.language for voice, _ in rows]),
        prompts=np.array([prompt for _, prompt in rows]),
        filenames=np.array(filenames),
        sample_rate=SAMPLE_RATE,
        DESCR=read_descr("voice_prompts"),
    )


def _read(filename: str) -> np.ndarray:
    import soundfile  # loads libsndfile, which nothing else in this package needs

    with data_file("voice_prompts", *filename.split("/")).open("rb") as file:
        waveform, _ = soundfile.read(file, dtype="float32")
    return waveform
