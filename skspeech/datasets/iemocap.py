"""IEMOCAP: ten actors in pairs, improvised and scripted dialogues (by a licence with USC)."""

import operator
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from sklearn.utils import Bunch

from skspeech.datasets._corpus import read_waveforms, with_missing
from skspeech.datasets._files import read_descr
from skspeech.recordings import RecordingSequence

SAMPLE_RATE = 16_000
SESSIONS = (1, 2, 3, 4, 5)

#: Of the majority label; utterances without one have "xxx".
EMOTIONS = {
    "ang": "anger",
    "dis": "disgust",
    "exc": "excitement",
    "fea": "fear",
    "fru": "frustration",
    "hap": "happiness",
    "neu": "neutral",
    "oth": "other",
    "sad": "sadness",
    "sur": "surprise",
}

#: As evaluators name them.
WORDS = {
    "Anger": "anger",
    "Disgust": "disgust",
    "Excited": "excitement",
    "Fear": "fear",
    "Frustration": "frustration",
    "Happiness": "happiness",
    "Neutral": "neutral",
    "Neutral state": "neutral",
    "Other": "other",
    "Sadness": "sadness",
    "Surprise": "surprise",
}

# [6.2901 - 8.2357]	Ses01F_impro01_F000	neu	[2.5000, 2.5000, 2.5000]
_UTTERANCE = re.compile(
    r"\[[^]]+\]\s+"
    r"(?P<name>(?P<dialog>Ses0(?P<session>[1-5])[FM]_(?P<kind>impro|script)\w+)_(?P<sex>[FM])\w*)"
    r"\s+(?P<label>[a-z]{3})\s+\[[^]]+\]\s*"
)
# C-E2:	Neutral; Sadness;	(comment); the actors themselves are C-F1 and C-M1
_EVALUATION = re.compile(r"C-E\d+:\s*(?P<words>[^(]*)")
# Ses01F_impro01_F000 [006.2901-008.2357]: Excuse me.
_TRANSCRIPTION = re.compile(r"(?P<name>Ses0\w+) \[[^]]+\]:\s*(?P<text>.*)")


class _Utterance(NamedTuple):
    name: str
    dialog: str
    session: int
    improvised: bool
    sex: str  # who speaks; the letter in the dialogue's name is who wears the markers
    emotion: str  # empty where the evaluators disagreed
    unanimous: bool


def load_iemocap(
    folder: str | os.PathLike,
    *,
    emotions: Sequence[str] = ("anger", "happiness", "neutral", "sadness"),
    dialogs: str = "improvised",
    agreement: str = "majority",
    sessions: Sequence[int] = SESSIONS,
    return_X_y: bool = False,
) -> Bunch | tuple[RecordingSequence, np.ndarray]:
    r"""Load utterances of IEMOCAP, a corpus that has to be asked for and is never downloaded.

    Ten actors, a woman and a man in each of five sessions, play and improvise dialogues in
    English. The task is to tell the emotion of actors never heard: split by ``speakers``, or by
    ``sessions``, since the two actors of a session talk to each other.

    The published selections, and what they should give of the whole corpus:

    - Ma et al. 2018, by the defaults: 2,280 recordings (anger 289, happiness 284, neutral 1,099,
      sadness 608), as others count them; the paper prints no number.
    - Zhao, Mao and Chen 2019, by ``agreement="complete"`` and excitement and frustration besides
      the four: 1,144 (anger 71, excitement 178, frustration 271, happiness 31, neutral 328,
      sadness 265).

    Parameters
    ----------
    folder : path-like
        ``IEMOCAP_full_release``, as it is unpacked: with ``Session<1 to 5>/dialog/EmoEvaluation``
        and ``Session<1 to 5>/sentences/wav``.
    emotions : sequence of str, default=("anger", "happiness", "neutral", "sadness")
        The classes, any of anger, disgust, excitement, fear, frustration, happiness, neutral,
        other, sadness and surprise. Utterances of others, and those that have no label because
        the evaluators disagreed, are left out.
    dialogs : {"improvised", "scripted", "all"}, default="improvised"
    agreement : {"majority", "complete"}, default="majority"
        "majority" takes the corpus' own label; "complete" only where, besides, each evaluator named
        that emotion and no other. What the actors say of themselves does not count.
    sessions : sequence of int, default=(1, 2, 3, 4, 5)
    return_X_y : bool, default=False
        Return ``(data, target)`` in place of the whole bunch.

    Returns
    -------
    bunch : :class:`~sklearn.utils.Bunch`
        In the order of sessions, dialogues and, within one, the corpus' own files, with the
        attributes

        data : RecordingSequence of shape (n_recordings,)
            Reads a file when an item is asked for: float32 of shape (n_samples,).
        target : ndarray of shape (n_recordings,), dtype int64
            The emotion, a place in `target_names`.
        target_names : ndarray of shape (n_emotions,)
            `emotions`.
        speakers : ndarray of shape (n_recordings,)
            ``"Ses01F"``, ``"Ses01M"`` to ``"Ses05M"``: session and sex of who speaks.
        sexes : ndarray of shape (n_recordings,)
            Of the speakers: female or male.
        sessions : ndarray of shape (n_recordings,), dtype int64
            1 to 5.
        dialogs : ndarray of shape (n_recordings,)
            Such as ``"Ses01F_impro01"``; the letter is who wears the markers.
        improvised : ndarray of shape (n_recordings,), dtype bool
            Improvised, not scripted.
        texts : ndarray of shape (n_recordings,)
            What is said; empty where there is no transcription.
        filenames : ndarray of shape (n_recordings,)
            Relative to `folder`.
        missing : list of str
            The selected files that are not there; they are left out of everything above.
        n_missing : int
            How many these are; ``DESCR`` tells, too.
        dropped : list of str
            The selected utterances that the evaluations list more than once, the same each time;
            they are loaded once.
        sample_rate : int
            16000 Hz.
        DESCR : str
            Origin, licence and citation.

    (data, target) : tuple
        If `return_X_y` is true.

    Raises
    ------
    FileNotFoundError
        If a session that was asked for has no evaluations in `folder`, or none of the selected
        files is there.
    ValueError
        If a parameter is none of the above, a file of evaluations cannot be understood, an
        utterance is listed twice and not the same each time, or no utterance meets the selection.

    Notes
    -----
    The format of the evaluations is known to us from public programs that read it; we do not have
    the corpus, and the numbers in the table are those of the papers.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> import numpy as np
    >>> import soundfile
    >>> from skspeech.datasets import load_iemocap
    >>> with TemporaryDirectory() as folder:  # in place of the corpus, one file of its layout
    ...     session = Path(folder, "Session1")
    ...     (session / "dialog" / "EmoEvaluation").mkdir(parents=True)
    ...     (session / "sentences" / "wav" / "Ses01F_impro01").mkdir(parents=True)
    ...     line = "[6.29 - 8.23]\tSes01F_impro01_M000\tneu\t[2.5, 2.5, 2.5]"
    ...     _ = (session / "dialog" / "EmoEvaluation" / "Ses01F_impro01.txt").write_text(line)
    ...     name = "sentences/wav/Ses01F_impro01/Ses01F_impro01_M000.wav"
    ...     soundfile.write(session / name, np.zeros(31_040), 16_000)
    ...     iemocap = load_iemocap(folder, sessions=[1])
    >>> iemocap.target_names[iemocap.target], iemocap.speakers
    (array(['neutral'], dtype='<U9'), array(['Ses01M'], dtype='<U6'))
    """
    emotions, sessions = _check_selection(emotions, dialogs, agreement, sessions)
    root = Path(folder).expanduser().absolute()

    def is_selected(utterance: _Utterance) -> bool:
        return (
            utterance.emotion in emotions
            and (dialogs == "all" or utterance.improvised == (dialogs == "improvised"))
            and (agreement == "majority" or utterance.unanimous)
        )

    utterances, repeated = _once(
        utterance for session in sessions for utterance in _read_session(root, session)
    )
    selected = list(filter(is_selected, utterances))
    if not selected:
        raise ValueError(
            f"No utterance in {root} meets the selection: emotions {', '.join(emotions)}; "
            f"dialogs={dialogs!r}, agreement={agreement!r}, sessions {tuple(sessions)}."
        )
    kept = [utterance for utterance in selected if (root / _filename(utterance)).is_file()]
    if not kept:
        raise FileNotFoundError(
            f"None of the {len(selected):,} selected sound files is in {root}: the first would be "
            f"{_filename(selected[0])}. Unpack sentences/wav of each session, too."
        )
    data = read_waveforms([root / _filename(utterance) for utterance in kept], SAMPLE_RATE)
    target = np.array([emotions.index(utterance.emotion) for utterance in kept])
    if return_X_y:
        return data, target
    there = set(kept)
    texts = _read_texts(root, kept)
    missing = [_filename(utterance) for utterance in selected if utterance not in there]
    return Bunch(
        data=data,
        target=target,
        target_names=np.array(emotions),
        speakers=np.array([f"Ses0{utterance.session}{utterance.sex}" for utterance in kept]),
        sexes=np.array([{"F": "female", "M": "male"}[utterance.sex] for utterance in kept]),
        sessions=np.array([utterance.session for utterance in kept]),
        dialogs=np.array([utterance.dialog for utterance in kept]),
        improvised=np.array([utterance.improvised for utterance in kept]),
        texts=np.array([texts.get(utterance.name, "") for utterance in kept]),
        filenames=np.array([_filename(utterance) for utterance in kept]),
        missing=missing,
        n_missing=len(missing),
        dropped=[utterance.name for utterance in repeated if is_selected(utterance)],
        sample_rate=SAMPLE_RATE,
        DESCR=with_missing(read_descr("iemocap"), len(selected), len(missing), "selected "),
    )


def _check_selection(
    emotions: Sequence[str], dialogs: str, agreement: str, sessions: Sequence[int]
) -> tuple[list[str], list[int]]:
    """Return the emotions, and the sessions in ascending order."""
    known = sorted(EMOTIONS.values())
    if isinstance(emotions, str) or not isinstance(emotions, Iterable):
        raise ValueError(f"emotions must be a sequence of names, got {emotions!r}.")
    names = list(emotions)
    if not names or any(names.count(name) > 1 or name not in known for name in names):
        raise ValueError(
            f"emotions must name at least one of {', '.join(known)}, each once; got {names}."
        )
    if dialogs not in ("improvised", "scripted", "all"):
        raise ValueError(f"dialogs must be 'improvised', 'scripted' or 'all', got {dialogs!r}.")
    if agreement not in ("majority", "complete"):
        raise ValueError(f"agreement must be 'majority' or 'complete', got {agreement!r}.")
    return names, _check_sessions(sessions)


def _check_sessions(sessions: Sequence[int]) -> list[int]:
    try:
        numbers = {operator.index(session) for session in sessions}
    except TypeError:
        numbers = set()
    booleans = numbers and any(isinstance(session, bool) for session in sessions)
    if not numbers or booleans or numbers - set(SESSIONS):
        raise ValueError(
            f"sessions must be a sequence of at least one of the numbers 1 to 5, got {sessions!r}."
        )
    return sorted(numbers)


def _filename(utterance: _Utterance) -> str:
    return f"Session{utterance.session}/sentences/wav/{utterance.dialog}/{utterance.name}.wav"


def _once(utterances: Iterable[_Utterance]) -> tuple[list[_Utterance], list[_Utterance]]:
    """Return each utterance once, and those that are repeated."""
    kept: dict[str, _Utterance] = {}
    repeated = []
    for utterance in utterances:
        if kept.setdefault(utterance.name, utterance) != utterance:
            raise ValueError(
                f"The evaluations of session {utterance.session} list {utterance.name} twice, with "
                f"different labels or evaluations (see {utterance.dialog}.txt). Restore the file."
            )
        if kept[utterance.name] is not utterance:
            repeated.append(utterance)
    return list(kept.values()), repeated


def _read_session(root: Path, session: int) -> Iterator[_Utterance]:
    folder = root / f"Session{session}" / "dialog" / "EmoEvaluation"
    paths = sorted(folder.glob("Ses*.txt"))
    if not paths:
        raise FileNotFoundError(
            f"IEMOCAP's session {session} is not in {root}: there is no {folder}/Ses*.txt. "
            "folder must be the unpacked IEMOCAP_full_release, with Session1 to Session5 in it; "
            "the corpus has to be asked for at https://sail.usc.edu/iemocap/."
        )
    for path in paths:
        yield from _read_evaluations(path)


def _read_evaluations(path: Path) -> Iterator[_Utterance]:
    """Read a dialogue's utterances: a line about each and, below it, a line by each evaluator."""
    lines = _read_lines(path)
    begins = [i for i, line in enumerate(lines) if line.startswith("[")]
    for begin, end in zip(begins, [*begins[1:], len(lines)], strict=True):
        match = _UTTERANCE.fullmatch(lines[begin])
        if match is None or match["label"] not in (*EMOTIONS, "xxx"):
            raise ValueError(
                f"Line {begin + 1} of {path} is not '[start - end] utterance emotion [valence, "
                f"activation, dominance]': {lines[begin]!r}. Restore the file."
            )
        emotion = EMOTIONS.get(match["label"], "")
        named = [
            _named(found["words"]) for found in map(_EVALUATION.match, lines[begin:end]) if found
        ]
        yield _Utterance(
            name=match["name"],
            dialog=match["dialog"],
            session=int(match["session"]),
            improvised=match["kind"] == "impro",
            sex=match["sex"],
            emotion=emotion,
            unanimous=bool(named) and all(names == {emotion} for names in named),
        )


def _named(words: str) -> set[str]:
    """Return the emotions that an evaluator named: 'Neutral; Sadness;' are two."""
    named = {word.strip() for word in words.split(";")} - {""}
    return {WORDS.get(word, word) for word in named}


def _read_texts(root: Path, utterances: list[_Utterance]) -> dict[str, str]:
    texts = {}
    for session, dialog in sorted({(each.session, each.dialog) for each in utterances}):
        path = root / f"Session{session}" / "dialog" / "transcriptions" / f"{dialog}.txt"
        if path.is_file():
            for match in filter(None, map(_TRANSCRIPTION.fullmatch, _read_lines(path))):
                texts[match["name"]] = match["text"].strip()
    return texts


def _read_lines(path: Path) -> list[str]:
    # names and labels are ASCII; a stray byte in a comment is no reason to stop
    return path.read_text(encoding="utf-8", errors="replace").splitlines()
