"""One file: what is read of it, and hostile files."""

import os
import struct

import librosa
import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from skspeech.exceptions import RecordingError
from skspeech.preprocessing._audio_files import _resample, read_waveform

RATE = 16000
TONE = (0.5 * np.sin(2 * np.pi * 220 * np.arange(RATE) / RATE)).astype(np.float32)
NOISE = (0.3 * np.random.default_rng(0).standard_normal(10 * RATE)).clip(-0.9, 0.9)


def wav(
    path,
    samples=b"\1\0" * 1000,
    *,
    channels=1,
    rate=RATE,
    bits=16,
    size=None,
    riff=None,
    align=None,
):
    """Write a WAV file of PCM by hand, with whatever header."""
    size = len(samples) if size is None else size
    riff = (36 + size) % 2**32 if riff is None else riff
    align = channels * bits // 8 if align is None else align
    form = (1, channels, rate, rate * align % 2**32, align % 2**16, bits)
    header = b"RIFF" + struct.pack("<I", riff) + b"WAVEfmt " + struct.pack("<IHHIIHH", 16, *form)
    path.write_bytes(header + b"data" + struct.pack("<I", size) + samples)
    return str(path)


def cut(path, part):
    """Leave a part of a file."""
    whole = path.read_bytes()
    path.write_bytes(whole[: int(part * len(whole))])
    return str(path)


def written(path, samples=TONE, rate=RATE, **options):
    soundfile.write(path, samples, rate, **options)
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("drawn")


# What is read


#: libsndfile itself adds a sample to AIFF files of an odd number of bytes: none of 8 bits.
KINDS = [
    *((suffix, f"PCM_{bits}") for suffix in ("wav", "aiff", "au", "w64") for bits in (16, 24, 32)),
    *((suffix, "FLOAT") for suffix in ("wav", "aiff", "au", "w64")),
    *(("wav", subtype) for subtype in ("PCM_U8", "DOUBLE", "ULAW", "ALAW")),
    ("flac", "PCM_S8"),
    ("flac", "PCM_16"),
    ("ogg", "VORBIS"),
    ("mp3", "MPEG_LAYER_III"),
]


@given(kind=st.sampled_from(KINDS), n_samples=st.integers(1, 3000), n_channels=st.integers(1, 2))
def test_no_whole_file_is_refused(folder, kind, n_samples, n_channels):
    suffix, subtype = kind
    frames = np.tile(NOISE[:n_samples, None], n_channels)
    path = written(folder / f"a.{suffix}", frames, subtype=subtype)
    assert len(read_waveform(str(path), RATE)) == n_samples


@pytest.mark.parametrize(
    ("suffix", "subtype", "bound"),
    [
        ("wav", "PCM_U8", 1 / 128),
        ("wav", "PCM_16", 1 / 32768),
        ("wav", "PCM_24", 1 / 8388608),
        ("wav", "PCM_32", 1e-7),
        ("wav", "FLOAT", 0),
        ("wav", "DOUBLE", 0),
        ("flac", "PCM_16", 1 / 32768),
        ("flac", "PCM_24", 1 / 8388608),
        ("aiff", "PCM_16", 1 / 32768),
        ("au", "PCM_16", 1 / 32768),
        ("w64", "PCM_16", 1 / 32768),
        ("ogg", "VORBIS", 0.1),
        ("ogg", "OPUS", 0.1),
        ("mp3", "MPEG_LAYER_III", 0.1),
    ],
)
def test_samples_come_back(tmp_path, suffix, subtype, bound):
    path = written(tmp_path / f"a.{suffix}", subtype=subtype)
    waveform = read_waveform(str(path), RATE)
    assert waveform.dtype == np.float32
    assert waveform.shape == TONE.shape
    assert_allclose(waveform[100:-100], TONE[100:-100], rtol=0, atol=bound)


def test_channels_are_averaged(tmp_path):
    path = written(tmp_path / "a.wav", np.stack([TONE, 0.5 * TONE], axis=1), subtype="FLOAT")
    assert_allclose(read_waveform(str(path), RATE), 0.75 * TONE, atol=1e-7)


def test_none_keeps_the_rate_of_the_file(tmp_path):
    path = written(tmp_path / "a.wav", rate=44100)
    assert len(read_waveform(str(path), None)) == len(TONE)


@pytest.mark.parametrize("rate", [8000, 11025, 44100, 48000, 192000])
def test_resampling_is_librosas(tmp_path, rate):
    path = written(tmp_path / "a.wav", NOISE, rate, subtype="FLOAT")
    wanted = librosa.resample(NOISE.astype(np.float32), orig_sr=rate, target_sr=RATE)
    found = read_waveform(str(path), RATE)
    assert_allclose(found, wanted, rtol=0, atol=1e-6)
    assert found.dtype == np.float32


@given(
    n_samples=st.integers(1, 3000),
    rate=st.integers(100, 200_000),
    wanted=st.sampled_from([800, 8000, 16000, 22050.5]),
)
def test_resampled_lengths(n_samples, rate, wanted):
    resampled = _resample(np.ones(n_samples, np.float32), rate, wanted)
    assert len(resampled) == int(np.ceil(n_samples * wanted / rate)) >= 1
    assert np.isfinite(resampled).all()


def test_192_khz(tmp_path):
    path = written(tmp_path / "a.wav", np.repeat(TONE, 12), 192000, subtype="PCM_24")
    waveform = read_waveform(str(path), RATE)
    assert waveform.shape == TONE.shape
    assert_allclose(waveform[100:-100], TONE[100:-100], atol=0.05)  # steps, smoothed


@pytest.mark.parametrize("rate", [8000, 16000, 192000])
def test_a_single_sample(tmp_path, rate):
    waveform = read_waveform(str(written(tmp_path / "a.wav", np.ones(1), rate)), RATE)
    assert len(waveform) == max(1, RATE // rate)


@pytest.mark.parametrize(
    "name", ["größe.wav", "a b\n.wav", "日本.wav", b"\xff\xfe.wav", "-.wav", "no_suffix", "a.mp3"]
)
def test_odd_names(tmp_path, name):
    path = wav(tmp_path / "a.wav")
    odd = os.path.join(os.fsencode(tmp_path), os.fsencode(name))
    try:
        os.rename(path, odd)
    except OSError:
        pytest.skip(reason="the file system does not take this name")
    assert len(read_waveform(os.fsdecode(odd), RATE)) == 1000


@pytest.mark.parametrize(
    ("size", "riff"),
    [(2**32 - 1, 2**32 - 1), (2**31 - 37, 2**31 - 1), (0, 8), (None, 99999)],
    ids=["ffmpeg", "sox", "not closed", "only RIFF is wrong"],
)
def test_a_wav_file_from_a_pipe_is_read_to_its_end(tmp_path, size, riff):
    assert len(read_waveform(wav(tmp_path / "a.wav", size=size, riff=riff), RATE)) == 1000


def test_12_bits_in_16(tmp_path):
    assert read_waveform(wav(tmp_path / "a.wav", bits=12, align=2), RATE).shape == (1000,)


def test_floats_beyond_one_are_left(tmp_path):
    path = written(tmp_path / "a.wav", 4 * TONE, subtype="FLOAT")
    assert_array_equal(read_waveform(str(path), RATE), 4 * TONE)


# What is wrong


def refused(path, match, sample_rate=RATE):
    with pytest.raises(RecordingError, match=match) as caught:
        read_waveform(str(path), sample_rate)
    assert caught.value.mend.endswith(".")


def test_a_missing_file(tmp_path):
    refused(tmp_path / "a.wav", "does not exist. Correct the path")
    refused(wav(tmp_path / "b.wav") + "/a.wav", "cannot be found")
    refused("a\0.wav", "cannot be found")
    refused("a" * 9999, "cannot be found")


def test_a_directory(tmp_path):
    refused(tmp_path, "is a directory. Give the paths of the files")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes here")
def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "a.wav")
    refused(tmp_path / "a.wav", "is no regular file")


def test_what_may_not_be_read(tmp_path, monkeypatch):
    path = wav(tmp_path / "a.wav")

    def forbid(*args, **kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("builtins.open", forbid)  # a superuser may read all
    refused(path, "cannot be opened .Permission denied")


def test_a_file_of_no_bytes(tmp_path):
    (tmp_path / "a.wav").touch()
    refused(tmp_path / "a.wav", r"is an empty file \(0 bytes\)")


def test_a_text_file(tmp_path):
    (tmp_path / "a.wav").write_text("This is no sound.")
    refused(tmp_path / "a.wav", "cannot be read as audio .Format not recognised")


def test_samples_without_a_header(tmp_path):
    refused(wav(tmp_path / "a.raw"), "has no header that tells its sample rate")


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "FLOAT"])
@pytest.mark.parametrize("suffix", ["wav", "aiff", "au", "w64"])
@pytest.mark.parametrize("part", [0.99, 0.5, 0.1])
def test_a_truncated_file(tmp_path, suffix, subtype, part):
    path = written(tmp_path / f"a.{suffix}", subtype=subtype)
    refused(cut(path, part), r"is cut off: [\d,]+ of [\d,]+ bytes are there")


@pytest.mark.parametrize("part", [0.99, 0.5, 0.1])
def test_a_truncated_file_of_64_bit_sizes(tmp_path, part):
    path = written(tmp_path / "a.wav", format="RF64")
    refused(cut(path, part), r"is cut off: [\d,]+ of 32,096 bytes are there")


@pytest.mark.parametrize("part", [0.99, 0.5, 0.1])
def test_a_truncated_sphere_file(tmp_path, part):
    path = written(tmp_path / "a.wav", format="NIST")
    refused(cut(path, part), r"holds [\d,]+ frames where its header says 16,000")


def test_a_sphere_file_that_does_not_tell_its_length(tmp_path):
    path = written(tmp_path / "a.wav", format="NIST")
    path.write_bytes(path.read_bytes().replace(b"sample_count", b"sample_kount"))
    refused(path, "tells no number of frames")


def test_a_sphere_file_is_read(tmp_path):
    path = written(tmp_path / "a.wav", np.tile(TONE[:, None], 2), format="NIST")
    assert_allclose(read_waveform(str(path), RATE), TONE, atol=1 / 32768)


@pytest.mark.parametrize(
    ("suffix", "container", "match"),
    [("wav", "NIST", "holds 26,000 frames where"), ("w64", "W64", "20,000 bytes behind its sound")],
)
def test_what_follows_would_be_read_as_sound(tmp_path, suffix, container, match):
    path = written(tmp_path / f"a.{suffix}", format=container)
    path.write_bytes(path.read_bytes() + bytes(20_000))
    refused(path, match)


def test_a_chunk_behind_the_sound_of_a_w64_file_is_no_sound(tmp_path):
    path = written(tmp_path / "a.w64")
    whole = path.read_bytes()
    chunk = b"junk" + whole[44:56] + struct.pack("<Q", 24 + 4000) + bytes(4000)
    size = struct.pack("<Q", len(whole) + len(chunk))
    path.write_bytes(whole[:16] + size + whole[24:] + chunk)
    refused(path, "4,024 bytes behind its sound")


@pytest.mark.parametrize("container", ["VOC", "IRCAM", "MAT5", "SVX", "PAF", "CAF", "HTK", "AVR"])
def test_containers_that_do_not_show_whether_they_are_whole(tmp_path, container):
    path = written(tmp_path / "a.wav", format=container)
    refused(path, f"is a {container} file, .* Convert it to WAV or FLAC")


@pytest.mark.parametrize(
    ("suffix", "options", "place", "size"),
    [
        ("aiff", {}, 42, struct.pack(">I", 108)),
        ("wav", {"format": "RF64"}, 28, struct.pack("<Q", 100)),
    ],
)
def test_fewer_frames_than_the_header_says(tmp_path, suffix, options, place, size):
    path = written(tmp_path / f"a.{suffix}", **options)
    whole = bytearray(path.read_bytes())
    whole[place : place + len(size)] = size
    path.write_bytes(whole)
    refused(path, "50 of 16,000 frames are there")


@pytest.mark.parametrize("endian", ["LITTLE", "BIG"])
@pytest.mark.parametrize("size", [1, 100, 30_000])
def test_a_data_chunk_that_is_too_small(tmp_path, endian, size):
    path = written(tmp_path / "a.wav", endian=endian)
    whole = bytearray(path.read_bytes())
    whole[40:44] = struct.pack("<I" if endian == "LITTLE" else ">I", size)
    path.write_bytes(whole)
    refused(path, rf"counts {size:,} bytes of sound and leaves [\d,]+ unexplained")


def chunk(name, content):
    return name + struct.pack("<I", len(content)) + content + bytes(len(content) % 2)


@pytest.mark.parametrize(
    "trailer",
    [
        chunk(b"LIST", b"INFO" + chunk(b"ICMT", b"a comment" * 999)),
        chunk(b"id3 ", b"\xff" * 5001) + chunk(b"LIST", b"INFO"),
        bytes(30_000),
        b"TAG" + b"\xff" * 125,
    ],
    ids=["LIST", "two", "zeros", "ID3v1"],
)
@pytest.mark.parametrize("counted", [True, False])
@pytest.mark.parametrize("n_bytes", [2000, 2001, 2001.5], ids=["even", "odd", "not padded"])
def test_a_chunk_behind_the_sound_of_a_wav_file(tmp_path, trailer, counted, n_bytes):
    size = int(n_bytes)
    samples = b"\x81" * size + bytes(int(n_bytes == 2001)) + trailer
    riff = 36 + len(samples) if counted else None
    path = wav(tmp_path / "a.wav", samples, bits=8, size=size, riff=riff)
    assert len(read_waveform(path, RATE)) == size


@pytest.mark.parametrize("suffix", ["wav", "w64"])
def test_gsm(tmp_path, suffix):
    path = written(tmp_path / f"a.{suffix}", subtype="GSM610")
    assert len(read_waveform(str(path), RATE)) == len(TONE)
    refused(cut(path, 0.5), "is cut off")


@given(n_samples=st.integers(1, 999), n_lost=st.integers(1, 9999), n_channels=st.integers(1, 3))
@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_32", "FLOAT"])
def test_any_lost_byte_is_missed(folder, subtype, n_samples, n_lost, n_channels):
    path = written(folder / "a.wav", np.tile(NOISE[:n_samples, None], n_channels), subtype=subtype)
    whole = path.read_bytes()
    path.write_bytes(whole[: max(44, len(whole) - n_lost)])
    refused(path, "is cut off|cannot be read as audio|holds no samples")


@pytest.mark.parametrize(
    ("suffix", "subtype"), [("flac", "PCM_16"), ("mp3", "MPEG_LAYER_III"), ("ogg", "VORBIS")]
)
@pytest.mark.parametrize("part", [0.99, 0.9, 0.5, 0.1, 0.01])
def test_a_truncated_compressed_file(tmp_path, suffix, subtype, part):
    path = written(tmp_path / f"a.{suffix}", NOISE, subtype=subtype)
    refused(cut(path, part), "cut off|cannot be read as audio|holds no samples")


def test_ogg_opus_is_seen_to_be_cut_off(tmp_path):
    path = written(tmp_path / "a.ogg", NOISE, subtype="OPUS")
    refused(cut(path, 0.5), "its last page is not marked as the last")


@pytest.mark.parametrize("n_bytes", [12, 30, 36, 43])
def test_a_wav_file_that_ends_in_its_header(tmp_path, n_bytes):
    path = tmp_path / "a.wav"
    wav(path)
    path.write_bytes(path.read_bytes()[:n_bytes])
    refused(path, "cannot be read as audio|holds no samples|cut off")


def test_a_wav_file_with_half_a_frame_too_few(tmp_path):
    refused(wav(tmp_path / "a.wav", size=2002), "2,000 of 2,002 bytes")


@pytest.mark.parametrize("suffix", ["wav", "aiff", "au", "ogg"])
def test_a_file_of_no_frames(tmp_path, suffix):
    refused(written(tmp_path / f"a.{suffix}", np.zeros(0)), "holds no samples|cut off")


@pytest.mark.parametrize("rate", [0, 2**31 + 5])
def test_an_impossible_rate(tmp_path, rate):
    refused(
        wav(tmp_path / "a.wav", rate=rate), "header without a usable sample rate. Repair the header"
    )


@pytest.mark.parametrize("rate", [1, 15, 2_000_000_000])
def test_an_absurd_rate_does_not_fill_the_memory(tmp_path, rate):
    path = wav(tmp_path / "a.wav", rate=rate)
    refused(path, "claims a sample rate of .* Hz where 16,000 Hz are asked for")
    assert len(read_waveform(path, None)) == 1000


@pytest.mark.parametrize("channels", [0, 5000])
def test_an_impossible_number_of_channels(tmp_path, channels):
    refused(wav(tmp_path / "a.wav", channels=channels), "cannot be read as audio")


@pytest.mark.parametrize(
    ("channels", "bits", "align"),
    # libsndfile reads the last as if its samples were 3 bytes long
    [(500, 16, 2), (2, 16, 2), (1, 16, 4), (3, 16, 4), (1, 24, 4)],
)
def test_a_wrong_number_of_channels(tmp_path, channels, bits, align):
    path = wav(tmp_path / "a.wav", channels=channels, bits=bits, align=align)
    refused(path, f"a header of {channels} channels of {bits} bits, but {align} bytes a frame")


def test_many_channels_are_averaged(tmp_path):
    frames = np.tile(np.linspace(0, 0.5, 1000), (5, 1))
    path = written(tmp_path / "a.wav", frames, subtype="FLOAT")
    assert_allclose(read_waveform(str(path), RATE), 0.25, atol=1e-6)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("n_channels", [1, 2])
@pytest.mark.parametrize("rate", [RATE, 8000])
def test_what_is_not_finite(tmp_path, value, n_channels, rate):
    frames = np.tile(TONE[:, None], n_channels)
    frames[4102, -1] = value
    path = written(tmp_path / "a.wav", frames, rate, subtype="FLOAT")
    refused(path, "holds NaN or infinity at frame 4,102")


def test_infinities_of_both_signs(tmp_path):
    frames = np.full((9, 2), [np.inf, -np.inf])
    refused(written(tmp_path / "a.wav", frames, subtype="FLOAT"), "NaN or infinity at frame 0")


def test_what_float32_cannot_hold(tmp_path):
    path = written(tmp_path / "a.wav", np.full(9, 1e300), subtype="DOUBLE")
    refused(path, "holds NaN or infinity at frame 0")


@pytest.mark.parametrize("bits", [b"\0", b"\xff"], ids=["of no length", "of a huge length"])
def test_a_flac_file_that_lies_about_its_length(tmp_path, bits):
    path = written(tmp_path / "a.flac")
    flac = bytearray(path.read_bytes())
    flac[21] = flac[21] & 0xF0 | bits[0] & 0x0F  # the 36 bits of the number of samples
    flac[22:26] = bits * 4
    path.write_bytes(flac)
    refused(path, r"claims [\d,]+ frames of 1 channels|cannot be read as audio|cut off or damaged")


@pytest.mark.parametrize("suffix", ["flac", "mp3", "ogg"])
def test_a_damaged_middle(tmp_path, suffix):
    path = written(tmp_path / f"a.{suffix}", NOISE)
    damaged = bytearray(path.read_bytes())
    middle = len(damaged) // 2
    damaged[middle : middle + 9000] = b"\xff" * 9000
    path.write_bytes(damaged)
    refused(path, "cut off or damaged|cannot be read as audio")


def test_an_mp3_file_without_its_length(tmp_path):
    """libsndfile guesses from the bit rate of the first frame, here too little by half."""
    path = written(tmp_path / "a.mp3", NOISE, bitrate_mode="VARIABLE", compression_level=0.5)
    mp3 = path.read_bytes()
    path.write_bytes(mp3[mp3.index(mp3[:2], 4) :])  # from the second frame: the first is the header
    refused(path, "tells no length, or too little, so that only .* bytes were read")


APE = b"APETAGEX" + bytes(20_000) + b"APETAGEX" + bytes(24)


@pytest.mark.parametrize(
    "tags", [b"TAG" + bytes(125), APE, bytes(20_000)], ids=["ID3v1", "APEv2", "zeros"]
)
def test_a_tag_behind_an_mp3_file_is_no_sound(tmp_path, tags):
    path = written(tmp_path / "a.mp3", NOISE)
    path.write_bytes(path.read_bytes() + tags)
    assert len(read_waveform(str(path), RATE)) == len(NOISE)


def test_a_second_mp3_file_behind_the_first(tmp_path):
    path = written(tmp_path / "a.mp3", NOISE)
    path.write_bytes(2 * path.read_bytes())
    refused(path, r"tells no length, or too little, so that only [\d,]+ of its [\d,]+ bytes")
