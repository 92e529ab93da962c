from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
import soundfile

from skspeech.datasets import load_voice_prompts
from skspeech.datasets.voice_prompts import PROMPTS, VOICES

FOLDER = files("skspeech.datasets") / "data" / "voice_prompts"


@pytest.fixture(scope="module")
def prompts():
    return load_voice_prompts()


def test_every_voice_says_every_prompt_once(prompts):
    said = set(zip(prompts.target, prompts.prompts, strict=True))
    assert len(said) == len(prompts.data) == len(VOICES) * len(PROMPTS) == 144


def test_waveforms_are_float32_within_full_scale(prompts):
    assert prompts.data.shape == (144,)
    assert prompts.data.dtype == object
    for waveform in prompts.data:
        assert waveform.dtype == np.float32
        assert waveform.ndim == 1
        assert 0.05 < np.abs(waveform).max() <= 1.0


def test_durations_are_as_documented(prompts):
    seconds = [len(waveform) / prompts.sample_rate for waveform in prompts.data]
    assert (round(min(seconds), 2), round(max(seconds), 2)) == (0.55, 2.69)


def test_no_recording_comes_twice(prompts):
    assert len({waveform.tobytes() for waveform in prompts.data}) == 144


def test_target_codes_the_voices_and_one_speaker_has_two(prompts):
    assert np.bincount(prompts.target).tolist() == [24] * 6
    voices = prompts.target_names[prompts.target]
    assert set(voices[prompts.speakers == "Allison Smith"]) == {
        "en_US_f_Allison",
        "es_MX_f_Allison",
    }
    assert len(set(zip(prompts.speakers, voices, strict=True))) == 6


def test_languages_follow_the_voices(prompts):
    assert all(
        voice.startswith(language)
        for voice, language in zip(
            prompts.target_names[prompts.target], prompts.languages, strict=True
        )
    )


def test_return_X_y_gives_data_and_target(prompts):
    X, y = load_voice_prompts(return_X_y=True)
    np.testing.assert_array_equal(y, prompts.target)
    np.testing.assert_array_equal(X[0], prompts.data[0])


@pytest.mark.parametrize("voice", VOICES, ids=lambda voice: voice.folder)
def test_files_are_8_khz_and_carry_their_credit(voice):
    with (FOLDER / voice.folder / "hello-world.flac").open("rb") as file:
        sound = soundfile.SoundFile(file)
        assert (sound.samplerate, sound.channels, sound.subtype) == (8000, 1, "PCM_16")
        assert sound.license.startswith("https://creativecommons.org/licenses/by")
        assert sound.artist
        assert sound.artist in sound.copyright


def test_no_file_is_left_unlisted(prompts):
    found = {
        f"{folder.name}/{file.name}"
        for folder in FOLDER.iterdir()
        if folder.is_dir()
        for file in folder.iterdir()
    }
    assert found == set(prompts.filenames)


@pytest.mark.parametrize(
    "credit",
    ["Allison Smith", "June Wallack", "Carlo Flora", "Maxim Topal", "Menardi", "Dal Zot"],
)
def test_credits_stand_in_the_description_and_in_notice(prompts, credit):
    notice = Path(__file__).parents[2] / "NOTICE"
    assert credit in prompts.DESCR
    assert credit in notice.read_text(encoding="utf-8")


def test_the_address_that_menardi_asks_for_is_shown(prompts):
    assert "http://www.voip.ammdomus.it" in prompts.DESCR
    assert "http://www.voip.ammdomus.it" in load_voice_prompts.__doc__
