import numpy as np
import pytest
import soundfile

from skspeech.datasets import fetch_fsdd
from skspeech.datasets.fsdd import CORPUS


@pytest.fixture
def digits(tmp_path):
    folder = tmp_path / "fsdd" / "recordings"
    folder.mkdir(parents=True)
    for name in ("7_jackson_5", "7_jackson_4", "0_theo_49", "9_lucas_0"):
        soundfile.write(folder / f"{name}.wav", np.zeros(80), 8_000)
    return fetch_fsdd(data_home=tmp_path, download_if_missing=False)


def test_names_are_taken_apart(digits):
    assert digits.target.tolist() == [0, 7, 7, 9]
    assert digits.target_names[digits.target].tolist() == ["zero", "seven", "seven", "nine"]
    assert digits.speakers.tolist() == ["theo", "jackson", "jackson", "lucas"]
    assert digits.sample_rate == 8_000


def test_recordings_0_to_4_are_for_testing(digits):
    assert digits.split.tolist() == ["train", "test", "train", "test"]


@pytest.mark.parametrize(
    "name", ["7_jackson", "7_jackson_50", "7_jackson_05", "10_theo_1", "7_x_1"]
)
def test_other_names_are_not_fsdds(name):
    assert CORPUS.filename.fullmatch(name) is None
