"""A corpus of our own making, in the layout and with the quirks of IEMOCAP_full_release."""

import shutil

import numpy as np
import pytest
import soundfile

from skspeech.datasets import load_iemocap
from skspeech.datasets.iemocap import EMOTIONS, WORDS

SIX = ("anger", "excitement", "frustration", "happiness", "neutral", "sadness")
HEAD = "% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]\n\n"


def utterance(name, label, *evaluations):
    lines = [f"[6.2901 - 8.2357]\t{name}\t{label}\t[2.5000, 2.5000, 2.5000]"]
    lines += [f"{who}:\t{words}\t()" for who, words in evaluations]
    lines += ["A-E3:\tval 3; act 2; dom  2;\t()", "A-F1:\tval 2; act 3; dom  1;\t(anger; C-E9:)"]
    return "\n".join(lines) + "\n\n"


def everyone(words, n=3):
    return [(f"C-E{i + 1}", words) for i in range(n)]


DIALOGS = {
    # the one who wears the markers is not always the one who speaks
    "Ses01F_impro01": [
        utterance("Ses01F_impro01_F000", "neu", *everyone("Neutral;")),
        utterance("Ses01F_impro01_M000", "neu", *everyone("Neutral;"), ("C-F1", "Anger;")),
        utterance("Ses01F_impro01_F001", "xxx", ("C-E1", "Anger;"), ("C-E2", "Sadness;")),
        utterance("Ses01F_impro01_M001", "ang", *everyone("Anger;", 2), ("C-E4", "Neutral;")),
        utterance("Ses01F_impro01_F002", "exc", *everyone("Excited;")),
        utterance("Ses01F_impro01_M002", "oth", *everyone("Other;")),
    ],
    "Ses01F_script01_1b": [
        utterance("Ses01F_script01_1b_F000", "fru", *everyone("Frustration;")),
        utterance("Ses01F_script01_1b_M000", "hap", *everyone("Happiness;")),
    ],
    "Ses02M_impro08a": [
        # one of them named another emotion as well
        utterance(
            "Ses02M_impro08a_M000", "sad", *everyone("Sadness;"), ("C-E4", "Sadness; Anger;")
        ),
        utterance("Ses02M_impro08a_F000", "fru", *everyone("Frustration;"), ("C-M1", "Neutral;")),
        utterance("Ses02M_impro08a_F001", "hap", *everyone("Happiness;"), ("C-E4", "Wistful;")),
        utterance("Ses02M_impro08a_F002", "hap"),
    ],
}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    root = tmp_path_factory.mktemp("IEMOCAP_full_release")
    for dialog, utterances in DIALOGS.items():
        session = root / f"Session{dialog[4]}"
        evaluations = session / "dialog" / "EmoEvaluation"
        (evaluations / "Categorical").mkdir(parents=True, exist_ok=True)
        (evaluations / f"{dialog}.txt").write_text(HEAD + "".join(utterances), newline="\r\n")
        # these are not for us
        (evaluations / f"._{dialog}.txt").write_bytes(b"\x00\x05\x16\x07")
        (evaluations / "Categorical" / f"{dialog}_e1_cat.txt").write_text("nothing")
        sounds = session / "sentences" / "wav" / dialog
        sounds.mkdir(parents=True)
        for text in utterances:
            soundfile.write(sounds / f"{text.split()[3]}.wav", np.zeros(160), 16_000)
    transcriptions = root / "Session1" / "dialog" / "transcriptions"
    transcriptions.mkdir()
    (transcriptions / "Ses01F_impro01.txt").write_bytes(
        b"Ses01F_impro01_F000 [006.2901-008.2357]: Excuse me.\n"
        b"Ses01F_impro01_MXX0 [008.2901-009.2357]: [LAUGHTER]\n"
        b"M: an aside\n"
        b"Ses01F_impro01_M000 [010.2901-012.2357]: Do you \x92ave your forms?\n"
    )
    return root


def load(corpus, **arguments):
    return load_iemocap(corpus, **{"sessions": (1, 2)} | arguments)


def names(bunch):
    return [filename.rpartition("/")[2].removesuffix(".wav") for filename in bunch.filenames]


def test_by_default_four_emotions_of_improvised_dialogs(corpus):
    iemocap = load(corpus)
    assert names(iemocap) == [
        "Ses01F_impro01_F000",
        "Ses01F_impro01_M000",
        "Ses01F_impro01_M001",
        "Ses02M_impro08a_M000",
        "Ses02M_impro08a_F001",
        "Ses02M_impro08a_F002",
    ]
    emotions = iemocap.target_names[iemocap.target].tolist()
    assert emotions == ["neutral", "neutral", "anger", "sadness", "happiness", "happiness"]
    assert iemocap.target.dtype == np.int64
    assert iemocap.improvised.all()


def test_speakers_are_who_speaks_not_who_wears_the_markers(corpus):
    iemocap = load(corpus)
    assert iemocap.speakers.tolist() == ["Ses01F", "Ses01M", "Ses01M", "Ses02M", "Ses02F", "Ses02F"]
    assert iemocap.sexes.tolist() == ["female", "male", "male", "male", "female", "female"]
    assert iemocap.sessions.tolist() == [1, 1, 1, 2, 2, 2]
    assert iemocap.dialogs[3] == "Ses02M_impro08a"


def test_complete_agreement_is_of_all_evaluators_on_nothing_else(corpus):
    iemocap = load(corpus, emotions=SIX, agreement="complete")
    assert names(iemocap) == [
        "Ses01F_impro01_F000",
        "Ses01F_impro01_M000",  # the actor's own opinion does not count
        "Ses01F_impro01_F002",
        "Ses02M_impro08a_F000",
    ]
    assert iemocap.target_names.tolist() == list(SIX)


def test_scripted_dialogs_are_chosen(corpus):
    scripted = load(corpus, emotions=SIX, dialogs="scripted")
    assert names(scripted) == ["Ses01F_script01_1b_F000", "Ses01F_script01_1b_M000"]
    assert scripted.dialogs.tolist() == ["Ses01F_script01_1b"] * 2
    assert not scripted.improvised.any()
    assert (
        load(corpus, emotions=SIX, dialogs="all").improvised.tolist()
        == [True] * 4 + [False] * 2 + [True] * 4
    )


@pytest.mark.parametrize("sessions", [[2], (2, 2), {2}, np.array([2]), range(2, 3)])
def test_sessions_are_chosen(corpus, sessions):
    assert load(corpus, sessions=sessions).sessions.tolist() == [2, 2, 2]


def add(corpus, folder, *utterances):
    """Copy the corpus with more in the evaluations of one dialogue."""
    shutil.copytree(corpus, folder, dirs_exist_ok=True)
    path = folder / "Session1" / "dialog" / "EmoEvaluation" / "Ses01F_impro01.txt"
    path.write_text(path.read_text() + "".join(utterances))
    return folder


def test_an_utterance_listed_twice_is_loaded_once_and_named(corpus, tmp_path):
    again = [DIALOGS["Ses01F_impro01"][0], DIALOGS["Ses01F_impro01"][4]]
    iemocap = load(add(corpus, tmp_path, *again))
    assert names(iemocap) == names(load(corpus))
    assert iemocap.dropped == ["Ses01F_impro01_F000"]  # excitement was not asked for
    assert load(corpus).dropped == []


@pytest.mark.parametrize("label", ["ang", "fru", "xxx"])
def test_an_utterance_with_two_labels_is_an_error(corpus, tmp_path, label):
    other = utterance("Ses01F_impro01_F000", label, *everyone("Neutral;"))
    with pytest.raises(ValueError, match=r"list Ses01F_impro01_F000 twice, .*Ses01F_impro01\.txt"):
        load(add(corpus, tmp_path, other))


def test_an_utterance_with_other_evaluations_is_an_error(corpus, tmp_path):
    other = utterance("Ses01F_impro01_F000", "neu", *everyone("Neutral; Anger;"))
    with pytest.raises(ValueError, match="list Ses01F_impro01_F000 twice"):
        load(add(corpus, tmp_path, other))


def test_all_labels_can_be_chosen_but_none(corpus):
    iemocap = load(corpus, emotions=tuple(EMOTIONS.values()), dialogs="all")
    assert len(iemocap.data) == 11
    assert "other" in iemocap.target_names[iemocap.target]


def test_evaluators_have_a_word_for_every_label():
    assert set(WORDS.values()) == set(EMOTIONS.values())


def test_texts_are_those_of_the_transcriptions(corpus):
    assert load(corpus).texts.tolist() == ["Excuse me.", "Do you �ave your forms?", "", "", "", ""]


def test_waveforms_are_read_when_they_are_asked_for(corpus):
    iemocap = load(corpus)
    assert iemocap.data.shape == (6,)
    assert (iemocap.data[0].shape, iemocap.data[0].dtype) == ((160,), np.float32)
    X, y = load(corpus, return_X_y=True)
    assert len(X) == 6
    np.testing.assert_array_equal(y, iemocap.target)


def test_missing_sounds_are_left_out_and_named(corpus, tmp_path):
    shutil.copytree(corpus, tmp_path, dirs_exist_ok=True)
    missing = "Session1/sentences/wav/Ses01F_impro01/Ses01F_impro01_M000.wav"
    (tmp_path / missing).unlink()
    iemocap = load(tmp_path)
    assert (iemocap.missing, iemocap.n_missing) == ([missing], 1)
    assert len(iemocap.data) == len(iemocap.target) == len(iemocap.speakers) == 5
    assert iemocap.texts[1] == ""
    assert "Only 5 of the 6 selected recordings were found: 1 are missing." in iemocap.DESCR
    assert load(corpus).missing == []
    assert "Only" not in load(corpus).DESCR


def test_no_sound_at_all_is_an_error(corpus, tmp_path):
    shutil.copytree(corpus, tmp_path, dirs_exist_ok=True)
    shutil.rmtree(tmp_path / "Session1" / "sentences")
    with pytest.raises(FileNotFoundError, match=r"None of the 3 .*Ses01F_impro01_F000\.wav"):
        load(tmp_path, sessions=[1])


def test_a_session_that_is_not_there_is_named(corpus):
    with pytest.raises(FileNotFoundError, match=r"session 3 is not in .*sail\.usc\.edu/iemocap"):
        load_iemocap(corpus)


@pytest.mark.parametrize(
    "line",
    [
        "[6.2901 - 8.2357]\tSes01F_impro01_F000\thappy\t[2.5, 2.5, 2.5]",
        "[6.2901 - 8.2357]\tSes01F_impro01_F000\tabc\t[2.5, 2.5, 2.5]",
        "[6.2901 - 8.2357]\tSes01F_impro01\tneu\t[2.5, 2.5, 2.5]",
        "[6.2901 - 8.2357]\tSes01F",
    ],
)
def test_a_line_that_cannot_be_understood_is_named(tmp_path, line):
    folder = tmp_path / "Session1" / "dialog" / "EmoEvaluation"
    folder.mkdir(parents=True)
    (folder / "Ses01F_impro01.txt").write_text(f"{HEAD}{line}\n")
    with pytest.raises(ValueError, match=r"Line 3 of .*Ses01F_impro01\.txt is not"):
        load_iemocap(tmp_path, sessions=[1])


def test_a_selection_that_nothing_meets_is_an_error(corpus):
    with pytest.raises(ValueError, match=r"meets the selection: emotions fear; .*'improvised'"):
        load(corpus, emotions=("fear",))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"emotions": "anger"}, "sequence of names"),
        ({"emotions": None}, "emotions must be a sequence of names, got None"),
        ({"emotions": 3}, "emotions must be a sequence of names, got 3"),
        ({"emotions": [["anger"]]}, "at least one"),
        ({"emotions": ()}, "at least one"),
        ({"emotions": ("anger", "anger")}, "each once"),
        ({"emotions": ("ang",)}, "ang"),
        ({"dialogs": "impro"}, "dialogs"),
        ({"agreement": 0.5}, "agreement"),
        ({"sessions": ()}, "sessions"),
        ({"sessions": (0, 1)}, "1 to 5"),
        ({"sessions": 1}, r"sessions must be a sequence .* 1 to 5, got 1"),
        ({"sessions": None}, r"sessions must be a sequence .* got None"),
        ({"sessions": "12"}, r"sessions must be a sequence .* got '12'"),
        ({"sessions": [1.0]}, r"sessions must be a sequence .* got \[1\.0\]"),
        ({"sessions": [True]}, r"sessions must be a sequence .* got \[True\]"),
        ({"sessions": [np.bool_(True)]}, r"sessions must be a sequence"),
        ({"sessions": [1, None]}, r"sessions must be a sequence"),
    ],
)
def test_unusable_parameters_are_named(corpus, arguments, message):
    with pytest.raises(ValueError, match=message):
        load_iemocap(corpus, **arguments)
