import re
from pathlib import Path

import pytest

from skspeech.datasets._files import data_home_path, find_sounds

NAME = re.compile(r"(?P<digit>\d)_(?P<speaker>[a-z]+)")


@pytest.fixture
def folder(tmp_path):
    for name in ("2_theo.wav", "1_theo.FLAC", "notes.txt", ".hidden.wav", "deep/3_lucas.wav"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    return tmp_path


def found(*arguments):
    return [path.name for path, _ in find_sounds(*arguments)]


def test_sounds_are_found_in_order_of_their_names(folder):
    assert found(folder, NAME, "X") == ["1_theo.FLAC", "2_theo.wav", "3_lucas.wav"]
    assert [match["speaker"] for _, match in find_sounds(folder, NAME, "X")] == [
        "theo",
        "theo",
        "lucas",
    ]


def test_no_folder_is_like_an_empty_one(tmp_path):
    assert found(tmp_path / "absent", NAME, "X") == []


def test_folders_may_be_hidden_above_but_not_below(tmp_path):
    (tmp_path / ".corpora" / ".trash").mkdir(parents=True)
    for name in ("1_theo.wav", ".trash/2_theo.wav"):
        (tmp_path / ".corpora" / name).touch()
    assert found(tmp_path / ".corpora", NAME, "X") == ["1_theo.wav"]


def test_a_sound_of_another_name_is_refused(folder):
    (folder / "theo.wav").touch()
    with pytest.raises(ValueError, match=r"theo\.wav is not named as X names its files"):
        find_sounds(folder, NAME, "X")


def test_a_recording_that_is_there_twice_is_refused(folder):
    (folder / "deep" / "2_theo.flac").touch()
    with pytest.raises(ValueError, match=r"2_theo\.wav and \S+2_theo\.flac are the same"):
        find_sounds(folder, NAME, "X")


def test_folders_and_dangling_links_are_no_recordings(folder):
    (folder / "4_theo.wav").mkdir()
    (folder / "4_theo.wav" / "5_theo.wav").touch()
    try:
        (folder / "6_theo.wav").symlink_to(folder / "absent.wav")
        (folder / "7_theo.wav").symlink_to(folder / "2_theo.wav")
    except OSError:
        pytest.skip(reason="there are no links here")
    names = ["1_theo.FLAC", "2_theo.wav", "3_lucas.wav", "5_theo.wav", "7_theo.wav"]
    assert found(folder, NAME, "X") == names


def test_what_is_not_wanted_is_passed_over(folder):
    assert found(folder, NAME, "X", re.compile(r"\d_theo")) == ["3_lucas.wav"]


def test_data_home_is_what_is_given_else_the_variable_else_at_home(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.setenv("SKSPEECH_DATA", str(tmp_path / "variable"))
    assert data_home_path("~/given") == tmp_path / "given"
    assert data_home_path("given") == Path.cwd() / "given"
    assert data_home_path() == tmp_path / "variable"
    monkeypatch.setenv("SKSPEECH_DATA", "")
    assert data_home_path() == tmp_path / "skspeech_data"
    assert not list(tmp_path.iterdir())
