"""The corpora of the experiments: what is chosen of them, and the line that tells."""

import numpy as np
import pytest
import soundfile

from skspeech.experiments._corpora import (
    FOUR_EMOTIONS,
    IEMOCAP_SESSIONS,
    load_emodb,
    load_iemocap,
)

NAMES = ("03a01Fa", "03a02Wc", "08a01Na", "08a02Lb", "09a05Ta")  # Lb is boredom


@pytest.fixture
def emodb_home(tmp_path):
    folder = tmp_path / "emodb" / "wav"
    folder.mkdir(parents=True)
    for i, name in enumerate(NAMES):
        soundfile.write(folder / f"{name}.wav", np.full(160 + i, 0.1), 16_000)
    return tmp_path


@pytest.fixture
def iemocap_home(tmp_path):
    """Two utterances: all evaluators agree on the first, two of three on the second."""
    session = tmp_path / "IEMOCAP_full_release" / "Session1"
    evaluations = session / "dialog" / "EmoEvaluation"
    sounds = session / "sentences" / "wav" / "Ses01F_impro01"
    evaluations.mkdir(parents=True)
    sounds.mkdir(parents=True)
    lines = []
    for name, others in (("F000", "Anger"), ("M000", "Neutral")):
        utterance = f"Ses01F_impro01_{name}"
        lines += [f"[6.2901 - 8.2357]\t{utterance}\tang\t[2.5000, 2.5000, 2.5000]"]
        lines += ["C-E1:\tAnger;\t()", "C-E2:\tAnger;\t()", f"C-E3:\t{others};\t()", ""]
        soundfile.write(sounds / f"{utterance}.wav", np.zeros(160), 16_000)
    (evaluations / "Ses01F_impro01.txt").write_text("\n".join(lines))
    for other in range(2, 6):  # a session without evaluations is an error
        folder = tmp_path / "IEMOCAP_full_release" / f"Session{other}" / "dialog" / "EmoEvaluation"
        folder.mkdir(parents=True)
        line = f"[6.2901 - 8.2357]\tSes0{other}F_impro01_F000\txxx\t[2.5000, 2.5000, 2.5000]\n"
        (folder / f"Ses0{other}F_impro01.txt").write_text(line)
    return tmp_path


def test_emodb_is_whole_unless_emotions_are_named(emodb_home):
    emodb = load_emodb(emodb_home)
    assert emodb.description == "EmoDB, 5 of 535 utterances, speakers 03 08 09"
    assert len(emodb.target_names) == 7
    assert [len(waveform) for waveform in emodb.data] == [160, 161, 162, 163, 164]


def test_four_emotions_of_emodb(emodb_home):
    emodb = load_emodb(emodb_home, emotions=FOUR_EMOTIONS)
    assert emodb.target_names.tolist() == list(FOUR_EMOTIONS)
    labels = emodb.target_names[emodb.target].tolist()
    assert labels == ["happiness", "anger", "neutral", "sadness"]
    assert emodb.speakers.tolist() == ["03", "03", "08", "09"]
    assert emodb.sexes.tolist() == ["male", "male", "female", "female"]
    assert emodb.filenames.tolist() == [f"{name}.wav" for name in NAMES if name != "08a02Lb"]
    assert len(emodb.texts) == 4
    assert isinstance(emodb.data, np.ndarray), "in memory"
    assert [len(waveform) for waveform in emodb.data] == [160, 161, 162, 164]
    assert emodb.description == (
        "EmoDB, 4 utterances of anger, happiness, neutral, sadness among 5 of 535, "
        "speakers 03 08 09"
    )


def test_selections_of_iemocap_are_told_apart(iemocap_home):
    majority = load_iemocap(iemocap_home, emotions=FOUR_EMOTIONS, agreement="majority")
    complete = load_iemocap(iemocap_home, emotions=FOUR_EMOTIONS, agreement="complete")
    assert (len(majority.data), len(complete.data)) == (2, 1)
    assert isinstance(majority.data, np.ndarray), "in memory"
    assert majority.description == (
        "IEMOCAP, 2 improvised utterances whose majority label is anger, happiness, neutral, "
        "sadness"
    )
    assert complete.description == (
        "IEMOCAP, 1 improvised utterances on which all evaluators agree"
    )


def test_each_speaker_of_iemocap_has_a_session(iemocap_home):
    corpus = load_iemocap(iemocap_home, emotions=FOUR_EMOTIONS, agreement="majority")
    assert sorted(IEMOCAP_SESSIONS) == [f"Ses0{i}{sex}" for i in range(1, 6) for sex in "FM"]
    assert [IEMOCAP_SESSIONS[speaker] for speaker in corpus.speakers] == corpus.sessions.tolist()
