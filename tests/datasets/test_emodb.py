import numpy as np
import pytest
import soundfile

from skspeech.datasets import fetch_emodb
from skspeech.datasets.emodb import CORPUS, EMOTIONS, SEXES, TEXTS


@pytest.fixture
def emodb(tmp_path):
    folder = tmp_path / "emodb" / "wav"
    folder.mkdir(parents=True)
    for name in ("16b10Lb", "03a01Fa", "08a02Wc"):
        soundfile.write(folder / f"{name}.wav", np.zeros(160), 16_000)
    return fetch_emodb(data_home=tmp_path, download_if_missing=False)


def test_names_are_taken_apart(emodb):
    assert emodb.filenames.tolist() == ["03a01Fa.wav", "08a02Wc.wav", "16b10Lb.wav"]
    assert emodb.speakers.tolist() == ["03", "08", "16"]
    assert emodb.sexes.tolist() == ["male", "female", "female"]
    assert emodb.target_names[emodb.target].tolist() == ["happiness", "anger", "boredom"]
    assert emodb.texts[1] == "Das will sie am Mittwoch abgeben."


def test_classes_are_in_order_of_their_names(emodb):
    assert emodb.target_names.tolist() == sorted(emodb.target_names) == list(EMOTIONS.values())


def test_there_are_five_women_and_five_men_and_ten_sentences():
    assert sorted(SEXES.values()) == ["female"] * 5 + ["male"] * 5
    assert len(set(TEXTS.values())) == 10


@pytest.mark.parametrize("name", ["04a01Fa", "03a03Fa", "03a01Xa", "03a01F", "03a01Faa", "3a01Fa"])
def test_other_names_are_not_emodbs(name):
    assert CORPUS.filename.fullmatch(name) is None
