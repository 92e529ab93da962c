import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from skspeech.exceptions import RecordingError
from skspeech.preprocessing import FixedDuration, LogMelSpectrogram
from skspeech.recordings import RecordingSequence

PROPERTY = settings(deadline=None, max_examples=100)


def waves(*lengths):
    return [np.arange(1, n + 1, dtype=np.float32) for n in lengths]


def fixed(n_samples, **options):
    return FixedDuration(duration=n_samples / 8, sample_rate=8, **options)


@pytest.mark.parametrize("container", [list, tuple, RecordingSequence])
def test_short_ones_are_padded_and_long_ones_cut(container):
    transformed = fixed(4).fit_transform(container(waves(2, 4, 6)))
    assert_array_equal(list(transformed), [[1, 2, 0, 0], [1, 2, 3, 4], [1, 2, 3, 4]])


def test_forms_out():
    for X in (waves(2, 6), np.ones((2, 6)), np.ones((2, 3), int)):
        transformed = fixed(4).fit_transform(X)
        assert isinstance(transformed, np.ndarray)
        assert transformed.shape == (2, 4)
        assert transformed.dtype == np.float32
    assert isinstance(fixed(4).transform(RecordingSequence(waves(2))), RecordingSequence)


def test_each_segment_of_a_bag_is_made_as_long():
    first, second = fixed(3).transform([waves(2, 5), waves(1)[0]])
    assert_array_equal(first, [[1, 2, 0], [1, 2, 3]])
    assert_array_equal(second, [1, 0, 0])
    only_bags = fixed(3).transform([waves(2, 5), waves(1, 1)])
    assert only_bags.shape == (2,)
    assert all(isinstance(bag, list) for bag in only_bags)


def test_the_answer_is_no_view_of_the_recordings():
    X = np.ones((2, 4), np.float32)
    fixed(4).transform(X)[:] = 7
    assert_array_equal(X, np.ones((2, 4)))


@PROPERTY
@given(st.lists(st.integers(1, 60), min_size=1, max_size=5), st.integers(1, 20))
def test_padding_and_cutting(lengths, n_samples):
    for row, wave in zip(fixed(n_samples).transform(waves(*lengths)), waves(*lengths), strict=True):
        kept = min(n_samples, len(wave))
        assert_array_equal(row[:kept], wave[:kept])
        assert_array_equal(row[kept:], np.zeros(n_samples - kept))


@PROPERTY
@given(st.integers(1, 200), st.integers(1, 30))
def test_pieces(length, n_samples):
    (wave,) = waves(length)
    (bag,) = fixed(n_samples, long="split").transform([wave])
    assert isinstance(bag, list)
    assert {piece.shape for piece in bag} == {(n_samples,)}
    assert len(bag) == -(-length // n_samples)  # no fewer would do
    pieces = [np.trim_zeros(piece, "b") for piece in bag]  # wave holds no zeros
    assert_array_equal(np.concatenate(pieces), wave)
    sizes = [len(piece) for piece in pieces]
    assert max(sizes) - min(sizes) <= 1


@pytest.mark.parametrize(
    "X", [waves(9, 9), np.stack(waves(9, 9)), RecordingSequence(waves(9, 9))], ids=type
)
def test_split_gives_bags_whatever_comes_in(X):
    transformed = fixed(4, long="split").fit_transform(X)
    assert transformed.shape == (2,)
    for bag in transformed:
        assert isinstance(bag, list)
        assert_array_equal(bag, [[1, 2, 3, 0], [4, 5, 6, 0], [7, 8, 9, 0]])


def test_split_gives_bags_where_nothing_is_long():
    assert [len(bag) for bag in fixed(4, long="split").transform(waves(2, 4))] == [1, 1]
    assert [len(bag) for bag in fixed(4, long="split").transform(np.ones((2, 3)))] == [1, 1]


@pytest.mark.parametrize(
    "X", [waves(9, 5), np.ones((2, 9)), RecordingSequence(waves(9, 5))], ids=type
)
def test_a_split_bag_feeds_a_spectrogram(X):
    log_mel = LogMelSpectrogram(sample_rate=8, n_fft=4, hop_length=2, n_mels=1)
    transformed = log_mel.fit_transform(fixed(4, long="split").fit_transform(X))
    assert len(transformed) == 2
    for bag in transformed:
        assert {piece.shape for piece in bag} == {(1, 3)}


def test_split_refuses_bags():
    with pytest.raises(RecordingError, match=r"X\[1\] is a list.*FixedDuration.*not read bags"):
        fixed(4, long="split").fit([waves(3)[0], waves(3, 4)])


def test_tags_follow_the_parameter():
    split, cut = (fixed(4, long=long).__speech_tags__() for long in ("split", "truncate"))
    assert (split.reads_bags, split.gives_bags) == (False, True)
    assert (cut.reads_bags, cut.gives_bags) == (True, False)


@pytest.mark.parametrize(
    ("duration", "sample_rate", "n_samples"),
    [(8.0, 16000, 128000), (0.1, 11025, 1102), (1e-9, 16000, 1), (3, 44100.0, 132300)],
)
def test_durations_in_seconds(duration, sample_rate, n_samples):
    transformer = FixedDuration(duration=duration, sample_rate=sample_rate)
    assert transformer.transform(waves(5)).shape == (1, n_samples)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("duration", value) for value in (0, -1.0, None, np.nan)),
        *(("sample_rate", value) for value in (0, "16k", None)),
        *(("long", value) for value in ("drop", None)),
    ],
)
def test_wrong_parameters(name, value):
    for method in ("fit", "transform"):
        with pytest.raises(ValueError, match=f"The '{name}' parameter of FixedDuration"):
            getattr(FixedDuration(**{name: value}), method)(waves(3))
