import numpy as np
import pytest
import soundfile

from skspeech.datasets import fetch_ravdess
from skspeech.datasets.ravdess import CORPUS

ORIGINAL, COPY = "Actor_07/03-01-03-01-02-01-07.wav", "Actor_07/03-01-03-01-02-02-07.wav"


def write(home, *names, n_channels=1):
    for name in names:
        path = home / "ravdess" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, np.full((4_800, n_channels), 0.5), 48_000)


def fetch(home, **arguments):
    return fetch_ravdess(data_home=home, download_if_missing=False, **arguments)


def test_names_are_taken_apart(tmp_path):
    write(tmp_path, "03-01-06-01-02-01-12.wav", "Actor_01/03-01-01-01-01-02-01.wav")
    ravdess = fetch(tmp_path)
    assert ravdess.target_names[ravdess.target].tolist() == ["neutral", "fearful"]
    assert ravdess.speakers.tolist() == ["01", "12"]
    assert ravdess.sexes.tolist() == ["male", "female"]
    assert ravdess.intensities.tolist() == ["normal", "normal"]
    assert [text[:4] for text in ravdess.texts] == ["Kids", "Dogs"]
    assert ravdess.filenames[1] == "03-01-06-01-02-01-12.wav"


def test_waveforms_have_one_channel_and_the_rate_that_is_asked_for(tmp_path):
    write(tmp_path, "03-01-06-01-02-01-12.wav", n_channels=2)
    for rate, n_samples in ((16_000, 1_600), (None, 4_800), (8_000, 800)):
        ravdess = fetch(tmp_path, sample_rate=rate)
        assert ravdess.sample_rate == (rate or 48_000)
        assert ravdess.data[0].shape == (n_samples,)


def test_the_known_copy_is_left_out_and_named(tmp_path):
    write(tmp_path, ORIGINAL, COPY)
    ravdess = fetch(tmp_path)
    assert ravdess.filenames.tolist() == [ORIGINAL]
    assert ravdess.dropped == [COPY]
    assert ravdess.n_missing == 1_438
    assert len(ravdess.data) == len(ravdess.target) == 1


@pytest.mark.parametrize("change", ["samples", "length", "rate", "channels", "damage"])
def test_what_is_named_as_the_copy_and_is_none_is_kept(tmp_path, change):
    write(tmp_path, ORIGINAL, COPY, n_channels=2)
    samples, rate = np.full((4_800, 2), 0.5), 48_000
    if change == "samples":
        samples[77, 1] = 0.25
    elif change == "length":
        samples = samples[:-1]
    elif change == "rate":
        rate = 16_000
    elif change == "channels":
        samples = samples[:, :1]
    soundfile.write(tmp_path / "ravdess" / COPY, samples, rate)
    if change == "damage":
        (tmp_path / "ravdess" / COPY).write_bytes(b"no sound")
    ravdess = fetch(tmp_path)
    assert ravdess.filenames.tolist() == [ORIGINAL, COPY]
    assert ravdess.dropped == []


def test_a_copy_in_another_format_is_a_copy(tmp_path):
    write(tmp_path, ORIGINAL, COPY.replace(".wav", ".flac"))
    assert fetch(tmp_path).filenames.tolist() == [ORIGINAL]


def test_the_copy_alone_is_kept(tmp_path):
    write(tmp_path, COPY)
    ravdess = fetch(tmp_path)
    assert ravdess.filenames.tolist() == [COPY]
    assert ravdess.dropped == []


def test_song_and_video_are_passed_over(tmp_path):
    write(tmp_path, ORIGINAL, "Audio_Song_Actors_01-24/Actor_07/03-02-03-01-02-01-07.wav")
    (tmp_path / "ravdess" / "01-01-03-01-02-01-07.mp4").touch()
    assert fetch(tmp_path).filenames.tolist() == [ORIGINAL]


@pytest.mark.parametrize(
    "name", ["03-01-09-01-01-01-01", "03-01-01-01-01-01-25", "01-01-01-01-01-01-01"]
)
def test_other_names_are_not_those_of_its_speech(name):
    assert CORPUS.filename.fullmatch(name) is None
