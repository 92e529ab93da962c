"""Exports of our own making, in the layouts of AAA, UltraSuite and TaL."""

import pickle
import re

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from skspeech.datasets import load_aaa_recordings
from skspeech.datasets.ultrasound import AAAParameters, read_parameters
from skspeech.exceptions import RecordingError

KEYS = {
    "NumVectors": "4",
    "PixPerVector": "5",
    "ZeroOffset": "2",
    "BitsPerPixel": "8",
    "Angle": "0.038",
    "Kind": "0",
    "PixelsPerMm": "3.200",
    "FramesPerSec": "100.000",
    "TimeInSecsOfFirstFrame": "0.10000",
}
RATE = 8000


def write(
    folder,
    name="File001",
    *,
    n_frames=20,
    seconds=1.0,
    rate=RATE,
    prompt="a cat\n26/06/2015 15:09:25\n01M,\n",
    parameters="US.txt",
    wav=".wav",
    newline="\n",
    **changed,
):
    """Write an export; return its frames and samples. A key changed to None is left out."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(n_frames)
    frames = rng.integers(0, 256, (n_frames, 4, 5), dtype=np.uint8)
    samples = rng.uniform(-0.5, 0.5, round(seconds * rate)).astype(np.float32)
    (folder / f"{name}.ult").write_bytes(frames.tobytes())
    lines = [f"{key}={value}" for key, value in {**KEYS, **changed}.items() if value is not None]
    text = newline.join([*lines, ""])
    (folder / f"{name}{parameters}").write_bytes(text.encode())
    if wav:
        soundfile.write(folder / f"{name}{wav}", samples, rate, subtype="FLOAT")
    if prompt is not None:
        (folder / f"{name}.txt").write_text(prompt, encoding="utf-8")
    return frames, samples


def test_video_and_audio_begin_together_and_are_as_long(tmp_path):
    frames, samples = write(tmp_path)  # frames from 0.1 s to 0.3 s of 1 s
    aaa = load_aaa_recordings(tmp_path, sample_rate=None)
    assert aaa.data.shape == aaa.audio.shape == (1,)
    np.testing.assert_array_equal(aaa.data[0], frames, strict=False)
    assert aaa.data[0].dtype == np.uint8
    np.testing.assert_array_equal(aaa.audio[0], samples[800:2400], strict=True)
    assert aaa.frame_rates.tolist() == [100.0]
    assert aaa.sample_rate == RATE
    assert aaa.parameters[0] == AAAParameters(4, 5, 8, 100.0, 0.1, 2, 0.038, 0, 3.2)


def test_frames_are_read_from_the_file_when_they_are_asked_for(tmp_path):
    write(tmp_path)
    video = load_aaa_recordings(tmp_path).data[0]
    assert isinstance(video, np.memmap)
    assert not video.flags.writeable
    assert isinstance(video[3:5], np.memmap)


def test_video_that_outlasts_the_audio_is_cut(tmp_path):
    frames, samples = write(tmp_path, seconds=0.255)
    aaa = load_aaa_recordings(tmp_path, sample_rate=None)
    np.testing.assert_array_equal(aaa.data[0], frames[:16])  # the last at 0.25 s
    np.testing.assert_array_equal(aaa.audio[0], samples[800:])


def test_video_that_begins_before_the_audio_is_cut(tmp_path):
    frames, samples = write(tmp_path, TimeInSecsOfFirstFrame="-0.025")
    aaa = load_aaa_recordings(tmp_path, sample_rate=None)
    np.testing.assert_array_equal(aaa.data[0], frames[3:])  # the first at 0.005 s
    np.testing.assert_array_equal(aaa.audio[0], samples[40 : 40 + 17 * 80])


def test_a_frame_at_the_very_end_of_the_audio_has_no_sound(tmp_path):
    write(tmp_path, seconds=0.17)  # (0.17 - 0.1) * 100 is a little above 7
    aaa = load_aaa_recordings(tmp_path, sample_rate=None)
    assert len(aaa.data[0]) == 7
    assert len(aaa.audio[0]) == 560


@settings(max_examples=30, deadline=None)
@given(
    n_frames=st.integers(1, 300),
    seconds=st.floats(0.5, 2.0),
    first=st.floats(-0.2, 0.4),
    frame_rate=st.floats(50, 130),
    rate=st.sampled_from([8000, 11025, 22050]),
)
def test_every_frame_kept_has_its_sound(
    tmp_path_factory, n_frames, seconds, first, frame_rate, rate
):
    folder = tmp_path_factory.mktemp("aaa")
    times = {"FramesPerSec": f"{frame_rate:.5f}", "TimeInSecsOfFirstFrame": f"{first:.5f}"}
    write(folder, n_frames=n_frames, seconds=seconds, rate=rate, **times)
    if first + (n_frames - 1) / frame_rate < 0.001:
        return
    aaa = load_aaa_recordings(folder, sample_rate=None)
    n_kept, n_samples = len(aaa.data[0]), len(aaa.audio[0])
    hop = rate / aaa.frame_rates[0]
    assert (n_kept - 1) * hop - 1 <= n_samples <= n_kept * hop + 1
    kept = n_frames / frame_rate if first >= 0 else n_frames / frame_rate + first
    assert n_kept >= min(kept, seconds - max(first, 0)) * frame_rate - 1


def test_nothing_is_cut_where_it_is_not_wanted(tmp_path):
    frames, samples = write(tmp_path, seconds=0.255)
    aaa = load_aaa_recordings(tmp_path, sample_rate=None, crop=False)
    np.testing.assert_array_equal(aaa.data[0], frames)
    np.testing.assert_array_equal(aaa.audio[0], samples)
    assert aaa.parameters[0].time_of_first_frame == 0.1


def test_audio_is_resampled(tmp_path):
    write(tmp_path)
    write(tmp_path, "File002", rate=16000)
    aaa = load_aaa_recordings(tmp_path)
    assert aaa.sample_rate == 22050
    assert [len(waveform) for waveform in aaa.audio] == [4410, 4410]
    with pytest.raises(RecordingError, match=r"X\[1\] .*File002.wav.* 16,000 Hz .* 8,000 Hz"):
        load_aaa_recordings(tmp_path, sample_rate=None)


def test_ultrasuite_and_track_names_are_found_in_any_folder(tmp_path):
    write(tmp_path / "b" / "day1", "009A", parameters=".param", newline="\r\n")
    write(tmp_path / "a", "File002", wav="_Track0.wav")
    (tmp_path / "a" / ".hidden.ult").write_bytes(b"")
    aaa = load_aaa_recordings(str(tmp_path))
    assert aaa.filenames.tolist() == ["a/File002.ult", "b/day1/009A.ult"]
    assert all(len(waveform) for waveform in aaa.audio)


@pytest.mark.parametrize(
    ("prompt", "read"),
    [
        ("a cat\n26/06/2015 15:09:25\n01M,\n", ("a cat", "2015-06-26T15:09:25", "01M")),
        ("x\r\n5/22/2019 12:35:56 PM\r\n01M", ("x", "2019-05-22T12:35:56", "01M")),
        ("x\n2019-05-22 01:35:56 PM\n", ("x", "2019-05-22T13:35:56", "")),
        ("x\n5/22/2019 12:00:01 AM\n,", ("x", "2019-05-22T00:00:01", "")),
        ("x\nyesterday\nme", ("x", "NaT", "me")),
        ("", ("", "NaT", "")),
        (None, ("", "NaT", "")),
    ],
)
def test_prompts_name_sentence_time_and_speaker(tmp_path, prompt, read):
    write(tmp_path, prompt=prompt)
    aaa = load_aaa_recordings(tmp_path)
    found = (aaa.prompts[0], str(aaa.dates[0]), aaa.speakers[0])
    assert found == read


def test_prompts_of_old_programs_are_read(tmp_path):
    write(tmp_path)
    (tmp_path / "File001.txt").write_bytes("Tür\r\n".encode("cp1252"))
    assert load_aaa_recordings(tmp_path).prompts[0] == "Tür"


def test_a_byte_order_mark_is_no_part_of_a_key(tmp_path):
    write(tmp_path)
    parameters = tmp_path / "File001US.txt"
    parameters.write_bytes(b"\xef\xbb\xbf" + parameters.read_bytes())
    assert read_parameters(parameters).n_vectors == 4


def test_recordings_can_be_sent_to_worker_processes(tmp_path):
    frames, _ = write(tmp_path)
    aaa = load_aaa_recordings(tmp_path)
    data, audio = pickle.loads(pickle.dumps((aaa.data, aaa.audio)))
    np.testing.assert_array_equal(data[0], frames)
    np.testing.assert_array_equal(audio[0], aaa.audio[0])


@pytest.mark.parametrize(
    "key",
    ["NumVectors", "PixPerVector", "BitsPerPixel", "FramesPerSec", "TimeInSecsOfFirstFrame"],
)
def test_missing_key_is_named(tmp_path, key):
    write(tmp_path, **{key: None})
    with pytest.raises(RecordingError, match=rf"X\[0\] .*File001US\.txt.* has no {key}\."):
        load_aaa_recordings(tmp_path)


def test_keys_that_reading_does_not_need_may_be_missing(tmp_path):
    write(tmp_path, Angle=None, Kind=None, PixelsPerMm=None, ZeroOffset=None)
    parameters = load_aaa_recordings(tmp_path).parameters[0]
    assert parameters.angle is parameters.kind is parameters.zero_offset is None


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("FramesPerSec", "0", r"FramesPerSec=0\b.* above 0"),
        ("FramesPerSec", "-80", r"FramesPerSec=-80\b.* above 0"),
        ("FramesPerSec", "81,67", r"FramesPerSec=81,67\b.* a number"),
        ("FramesPerSec", "nan", r"FramesPerSec=nan\b"),
        ("TimeInSecsOfFirstFrame", "inf", "TimeInSecsOfFirstFrame=inf"),
        ("BitsPerPixel", "16", r"BitsPerPixel=16\b.* 8"),
        ("NumVectors", "0", r"NumVectors=0\b.* above 0"),
        ("PixPerVector", "2.5", r"PixPerVector=2\.5\b.* whole number"),
        ("Angle", "wide", "Angle=wide"),
    ],
)
def test_unusable_value_is_named(tmp_path, key, value, message):
    write(tmp_path, **{key: value})
    with pytest.raises(RecordingError, match=rf"File001US\.txt.* {message}"):
        load_aaa_recordings(tmp_path)


def test_key_that_comes_twice_is_named(tmp_path):
    write(tmp_path)
    with open(tmp_path / "File001US.txt", "a") as file:
        file.write("NumVectors=5\n")
    with pytest.raises(RecordingError, match="NumVectors twice"):
        load_aaa_recordings(tmp_path)


def test_truncated_ultrasound_is_found(tmp_path):
    write(tmp_path)
    (tmp_path / "File001.ult").write_bytes(bytes(399))
    with pytest.raises(RecordingError, match=r"File001\.ult.* 399 bytes.* 4 x 5"):
        load_aaa_recordings(tmp_path)
    (tmp_path / "File001.ult").write_bytes(b"")
    with pytest.raises(RecordingError, match=r"File001\.ult.* no frame"):
        load_aaa_recordings(tmp_path)


def test_file_that_changes_after_loading_is_named(tmp_path):
    write(tmp_path)
    aaa = load_aaa_recordings(tmp_path)
    (tmp_path / "File001.ult").write_bytes(bytes(100))
    with pytest.raises(RecordingError, match=r"X\[0\] .*File001\.ult.* 100 .* 400 bytes"):
        aaa.data[0]
    (tmp_path / "File001.ult").unlink()
    with pytest.raises(RecordingError, match=r"X\[0\] .*File001\.ult.* cannot be read"):
        aaa.data[0]


def test_missing_companions_are_named(tmp_path):
    write(tmp_path, wav=None)
    with pytest.raises(RecordingError, match=r"File001\.ult.* no File001\.wav .*File001_Track0"):
        load_aaa_recordings(tmp_path)
    (tmp_path / "File001US.txt").unlink()
    with pytest.raises(RecordingError, match=r"File001\.ult.* no File001US\.txt .*File001\.param"):
        load_aaa_recordings(tmp_path)


def test_broken_audio_is_named(tmp_path):
    write(tmp_path)
    (tmp_path / "File001.wav").write_bytes(b"RIFF")
    with pytest.raises(RecordingError, match=r"X\[0\] .*File001\.wav"):
        load_aaa_recordings(tmp_path)


@pytest.mark.parametrize(("first", "seconds"), [("-5", 1.0), ("0.5", 0.3)])
def test_video_without_any_audio_is_named(tmp_path, first, seconds):
    write(tmp_path, TimeInSecsOfFirstFrame=first, seconds=seconds)
    with pytest.raises(RecordingError, match=r"File001\.ult.* TimeInSecsOfFirstFrame"):
        load_aaa_recordings(tmp_path)


def test_folder_without_recordings(tmp_path):
    with pytest.raises(FileNotFoundError, match=re.escape(str(tmp_path))):
        load_aaa_recordings(tmp_path)


@pytest.mark.parametrize(
    ("name", "value"),
    [("sample_rate", 0), ("sample_rate", -1), ("sample_rate", "16000"), ("crop", "no")],
)
def test_unusable_parameter(tmp_path, name, value):
    write(tmp_path)
    with pytest.raises(ValueError, match=name):
        load_aaa_recordings(tmp_path, **{name: value})


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_any_parameter_file_is_read_or_named(tmp_path_factory, data):
    text = st.text(max_size=5) | st.integers().map(str) | st.floats().map(str)
    changed = data.draw(st.dictionaries(st.sampled_from(sorted(KEYS)), text | st.none()))
    folder = tmp_path_factory.mktemp("aaa")
    (folder / "002.ult").write_bytes(bytes(400))
    soundfile.write(folder / "002.wav", np.zeros(800), 8000)
    lines = [f"{key}={value}" for key, value in {**KEYS, **changed}.items() if value is not None]
    (folder / "002.param").write_bytes("\n".join(lines).encode("utf-8", errors="replace"))
    said = ""
    try:
        aaa = load_aaa_recordings(folder)
    except RecordingError as error:
        said = str(error)
    assert re.search(r"X\[0\] .*002\.(param|ult)", said) if said else len(aaa.data[0]) >= 1


def test_audio_that_is_cut_off_is_named_when_it_is_read(tmp_path):
    write(tmp_path)
    wav = tmp_path / "File001.wav"
    wav.write_bytes(wav.read_bytes()[:20_000])
    aaa = load_aaa_recordings(tmp_path)
    with pytest.raises(RecordingError, match=r"X\[0\] .*File001\.wav.* cut off") as caught:
        aaa.audio[0]
    assert "on_error" not in str(caught.value)  # which load_aaa_recordings does not have


def test_frames_are_scaled_one_recording_at_a_time(tmp_path):
    from skspeech.preprocessing import UltrasoundScaler

    write(tmp_path)
    write(tmp_path, "File002", n_frames=7)
    scaled = UltrasoundScaler(height=8, width=4).fit_transform(load_aaa_recordings(tmp_path).data)
    assert [video.shape for video in scaled] == [(20, 8, 4), (7, 8, 4)]


def test_parameters_are_read_on_their_own(tmp_path):
    write(tmp_path, newline="\r\n", Depth="80")
    parameters = read_parameters(tmp_path / "File001US.txt")
    assert parameters.n_vectors == 4
    assert parameters.frame_rate == 100.0
    with pytest.raises(RecordingError, match="cannot be read"):
        read_parameters(tmp_path / "nothing.param")
