"""What is read as recordings, what is refused and how, and the lazy container."""

import pickle
import re
from types import MappingProxyType

import cloudpickle
import joblib
import numpy as np
import pandas as pd
import pytest
import scipy.sparse
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.model_selection import LeaveOneGroupOut, cross_val_score, train_test_split

from skspeech.exceptions import RecordingError
from skspeech.recordings import (
    KINDS,
    RecordingSequence,
    check_recording,
    object_array,
    segments_of,
    validate_recordings,
)
from skspeech.tags import SpeechTags

PROPERTY = settings(deadline=None, max_examples=100)


class Reader(BaseEstimator):
    """Reads recordings of one kind and does nothing with them."""

    def __init__(self, kind="waveform", bags=True):
        self.kind = kind
        self.bags = bags

    def __speech_tags__(self):
        return SpeechTags(input_kind=self.kind, reads_bags=self.bags)


def read(X, kind="waveform", bags=True):
    return validate_recordings(Reader(kind, bags), X, reset=True)


def waves(*lengths):
    return [np.arange(1, n + 1, dtype=np.float32) for n in lengths]


def assert_same(found, wanted):
    assert len(found) == len(wanted)
    for recording, other in zip(found, wanted, strict=True):
        assert_array_equal(recording, other)


# Forms in and out


@pytest.mark.parametrize(
    "container",
    [list, tuple, object_array, pd.Series, lambda x: pd.Series(x, index=[7, 3, 5])],
    ids=["list", "tuple", "object array", "Series", "Series with an index of its own"],
)
@pytest.mark.parametrize("lengths", [(3, 5, 4), (4, 4, 4)], ids=["ragged", "equal"])
def test_ragged_forms_give_an_object_array(container, lengths):
    recordings = read(container(waves(*lengths)))
    assert recordings.shape == (3,)
    assert recordings.dtype == object
    assert_same(recordings, waves(*lengths))


def test_ragged_forms_leave_no_number_of_features():
    reader = Reader()
    validate_recordings(reader, pd.DataFrame(np.ones((3, 4)), columns=list("abcd")), reset=True)
    assert reader.n_features_in_ == 4
    assert_array_equal(reader.feature_names_in_, list("abcd"))
    validate_recordings(reader, waves(4, 4), reset=False)
    assert reader.n_features_in_ == 4
    validate_recordings(reader, waves(4, 4), reset=True)
    assert not hasattr(reader, "n_features_in_")
    assert not hasattr(reader, "feature_names_in_")


@pytest.mark.parametrize("X", [np.ones((2, 3, 4)), RecordingSequence([np.ones((3, 4))] * 2)])
def test_other_forms_forget_the_number_of_features(X):
    reader = Reader("spectrogram")
    validate_recordings(reader, np.ones((3, 4)), reset=True)
    validate_recordings(reader, X, reset=True)
    assert not hasattr(reader, "n_features_in_")


@pytest.mark.parametrize(
    "table",
    [
        [[1, 2], [3, 4], [5, 6]],
        ((1.0, 2.0), [3.0, 4.0], (5.0, 6.0)),
        np.arange(1, 7).reshape(3, 2),
        np.arange(1, 7).reshape(3, 2).astype(object),
        pd.DataFrame(np.arange(1.0, 7).reshape(3, 2)),
        torch.arange(1.0, 7).reshape(3, 2),
    ],
    ids=["lists", "tuples", "integers", "objects", "data frame", "tensor"],
)
def test_tables_give_one_array(table):
    reader = Reader()
    recordings = validate_recordings(reader, table, reset=True)
    assert recordings.dtype == np.float32
    assert_array_equal(recordings, [[1, 2], [3, 4], [5, 6]])
    assert reader.n_features_in_ == 2


def test_a_table_is_one_bin_spectrograms():
    assert read(np.ones((3, 4)), "spectrogram").shape == (3, 1, 4)


def test_a_table_of_another_width_is_refused_after_fit():
    reader = Reader()
    validate_recordings(reader, np.ones((3, 4)), reset=True)
    with pytest.raises(ValueError, match="4 features"):
        validate_recordings(reader, np.ones((3, 5)), reset=False)


def test_a_ragged_fit_accepts_tables_of_any_width():
    reader = Reader()
    validate_recordings(reader, waves(3, 4), reset=True)
    assert validate_recordings(reader, np.ones((3, 5)), reset=False).shape == (3, 5)


@pytest.mark.parametrize(
    ("kind", "shape"),
    [("spectrogram", (2, 3, 4)), ("spectrogram", (2, 1, 3, 4)), ("video", (2, 5, 4, 3))],
)
def test_an_array_stays_an_array(kind, shape):
    recordings = read(np.ones(shape), kind)
    assert recordings.shape == shape
    assert recordings.dtype == np.float32


def test_float32_is_not_copied():
    X = waves(3, 4)
    assert all(a is b for a, b in zip(read(X), X, strict=True))
    cube = np.ones((2, 3, 4), np.float32)
    assert np.shares_memory(read(cube, "spectrogram"), cube)


@pytest.mark.parametrize("dtype", [bool, np.int16, np.uint8, np.uint64, np.float16, np.float64])
def test_numbers_are_cast_and_not_scaled(dtype):
    X = [np.array([0, 1, 1], dtype), np.array([1], dtype)]
    for recordings in (read(X), read(np.array([[0, 1, 1]], dtype))):
        assert all(recording.dtype == np.float32 for recording in recordings)
        assert_array_equal(recordings[0], [0, 1, 1])


def test_integers_keep_their_size():
    assert_array_equal(read([np.array([-32768, 32767], np.int16)])[0], [-32768, 32767])


@pytest.mark.parametrize("container", [np.stack, list, RecordingSequence])
@pytest.mark.parametrize("shape", [(3, 2, 2), (3, 5, 2, 2)], ids=["plain", "framed"])
def test_only_video_of_8_bits_or_half_precision_stays_so(container, shape):
    for dtype in (np.uint8, np.float16):
        clips = container([np.ones(shape, dtype)] * 2)
        assert all(clip.dtype == dtype for clip in read(clips, "video"))
    for dtype in (bool, np.int8, np.int16, np.float32, np.float64):
        clips = container([np.ones(shape, dtype)] * 2)
        assert all(clip.dtype == np.float32 for clip in read(clips, "video"))


def test_small_video_is_not_copied():
    for dtype in (np.uint8, np.float16):
        clip, cube = np.ones((3, 2, 2), dtype), np.ones((2, 3, 2, 2), dtype)
        assert read([clip], "video")[0] is clip
        assert np.shares_memory(read(cube, "video"), cube)


@pytest.mark.parametrize("container", [np.stack, list])
def test_half_precision_is_checked(container):
    clips = [np.ones((3, 2, 2), np.float16), np.ones((3, 2, 2), np.float16)]
    clips[1][2, 0, 1] = np.inf
    with pytest.raises(
        RecordingError, match=r"X\[1\] holds infinity.* at frame 2, row 0, column 1"
    ):
        read(container(clips), "video")


def test_memory_maps(tmp_path):
    for name, shape in (("a", (4,)), ("b", (7,)), ("table", (3, 5)), ("cube", (2, 3, 4))):
        np.save(tmp_path / name, np.arange(np.prod(shape), dtype=np.float32).reshape(shape))
    a, b, table, cube = (
        np.load(tmp_path / f"{name}.npy", mmap_mode="r") for name in ("a", "b", "table", "cube")
    )
    recordings = read([a, b])
    assert_same(recordings, [a, b])
    assert np.shares_memory(recordings[1], b)
    assert_array_equal(read(table), table)
    assert np.shares_memory(read(cube, "spectrogram"), cube)


def test_read_only_recordings():
    X = waves(3, 4)
    table = np.ones((2, 3))
    for array in (*X, table):
        array.setflags(write=False)
    assert_same(read(X), X)
    assert_array_equal(read(table), table)


def test_tensors_and_series_in_a_list():
    X = [torch.arange(3), pd.Series([0.0, 1.0], index=[4, 5])]
    assert_same(read(X), [[0, 1, 2], [0, 1]])


def test_a_recording_sequence_is_checked_on_access():
    bad = np.array([1.0, np.nan])
    recordings = read(RecordingSequence([waves(3)[0], bad]))
    assert isinstance(recordings, RecordingSequence)
    assert recordings[0].dtype == np.float32
    with pytest.raises(RecordingError, match=r"X\[1\] holds NaN at sample 1"):
        recordings[1]


def test_bags_are_lists_of_float32():
    X = [waves(3, 4), tuple(waves(2)), waves(5)[0]]
    recordings = read(X)
    assert [type(recording) for recording in recordings] == [list, list, np.ndarray]
    assert_same(recordings[0], waves(3, 4))


def test_segments_of():
    bag = waves(2, 3)
    assert segments_of(bag) is bag
    assert segments_of(tuple(bag)) == tuple(bag)
    assert segments_of(bag[0])[0] is bag[0]


def test_object_array_keeps_equal_shapes_and_lists_apart():
    array = object_array([[1, 2], np.ones(2), "ab", None])
    assert array.shape == (4,)
    assert array[0] == [1, 2]
    assert object_array([]).shape == (0,)
    assert object_array([np.ones((2, 3))] * 2).shape == (2,)


# What cannot be read


def gap(value, place, shape=(8,)):
    array = np.zeros(shape)
    array[place] = value
    return array


GOOD = {
    "waveform": np.zeros(8),
    "spectrogram": np.zeros((3, 8)),
    "pitch": np.zeros(8),
    "video": np.zeros((8, 3, 2)),
    "frame_targets": np.zeros((8, 3)),
}


@pytest.mark.parametrize("form", ["list", "sequence", "object array", "bag"])
@pytest.mark.parametrize(
    ("kind", "bad", "problem"),
    [
        ("waveform", gap(np.nan, 4), "holds NaN at sample 4. Remove .* or fill the gap"),
        ("waveform", gap(np.inf, 7), "holds infinity .* at sample 7. Remove .* or rescale"),
        ("waveform", gap(-np.inf, 0), "holds infinity .* at sample 0"),
        ("waveform", gap(1e39, 2), "too large for float32 at sample 2"),
        ("waveform", gap(np.nan, 4102, (5000,)), "holds NaN at sample 4,102"),
        ("spectrogram", gap(np.nan, (1, 6), (3, 8)), "holds NaN at bin 1, frame 6"),
        ("pitch", gap(np.nan, 5), "holds NaN at frame 5"),
        ("video", gap(np.nan, (6, 2, 1), (8, 3, 2)), "holds NaN at frame 6, row 2, column 1"),
        ("waveform", np.zeros(0), r"is empty \(shape \(0,\)\). Remove"),
        ("spectrogram", np.zeros((3, 0)), r"is empty \(shape \(3, 0\)\)"),
        ("waveform", np.zeros((2, 8)), r"has shape \(2, 8\). Reader reads .*\(n_samples\)"),
        ("waveform", np.float64(3), r"has shape \(\)"),
        ("spectrogram", np.zeros(8), r"has shape \(8,\).*\(n_bins, n_frames\) or \(n_channels"),
        ("video", gap(np.nan, (6, 4, 2, 1), (8, 5, 3, 2)), "NaN at frame 6, context 4, row 2, col"),
        ("frame_targets", gap(np.nan, (6, 2), (8, 3)), "holds NaN at frame 6, output 2"),
        ("video", np.zeros((8, 3)), r"has shape \(8, 3\).*\(n_frames, n_rows, n_columns\)"),
        ("waveform", np.zeros(8, complex), "is complex. .*magnitude"),
        ("waveform", "voice.wav", "is no array of numbers but str. .*AudioLoader"),
        ("waveform", None, "is no array of numbers but NoneType"),
        ("waveform", {"a": 1}, "is no array of numbers but dict"),
        ("waveform", np.array([1, None]), "is no array of numbers but ndarray"),
        ("waveform", np.zeros(8, "M8[s]"), "is no array of numbers"),
        ("waveform", np.zeros(8, "U3"), "is no array of numbers"),
        ("waveform", scipy.sparse.csr_array(np.ones((1, 8))), r"is sparse. Call its toarray\(\)"),
        ("spectrogram", scipy.sparse.coo_matrix(np.ones((3, 8))), "is sparse"),
        ("waveform", torch.ones(4, requires_grad=True), r"cannot become .*detach.* Turn it"),
        ("waveform", torch.ones(4, dtype=torch.bfloat16), "cannot become a numpy array .*BFloat16"),
    ],
)
def test_errors_name_the_recording_the_problem_and_the_mend(kind, bad, problem, form):
    good = GOOD[kind]
    X = [good, good, [good, bad] if form == "bag" else bad, good]
    X = {"sequence": RecordingSequence, "object array": object_array}.get(form, list)(X)
    with pytest.raises(RecordingError, match=problem) as caught:
        list(read(X, kind))
    assert str(caught.value).startswith("X[2] ")
    assert caught.value.index == 2


@pytest.mark.parametrize("form", [list, object_array])
def test_a_list_of_numbers_among_arrays(form):
    with pytest.raises(RecordingError, match=r"X\[1\] is a list of numbers.*numpy array"):
        read(form([np.ones(3), [1.0, 2.0]]))


def test_bags_where_none_are_read():
    with pytest.raises(RecordingError, match=r"X\[1\] is a list.*does not read bags"):
        read([np.ones(3), waves(2, 3)], bags=False)


@pytest.mark.parametrize("bags", [True, False])
@pytest.mark.parametrize(
    ("kind", "nested"),
    [
        ("spectrogram", [[1.0, 2.0], [3.0, 4.0]]),
        ("spectrogram", ((1.0, 2.0), [3.0])),
        ("spectrogram", [[[1, 2], [3, 4]]]),
        ("waveform", [[1.0, 2.0], [3.0]]),
    ],
)
def test_nested_lists_of_numbers(kind, nested, bags):
    with pytest.raises(RecordingError, match=r"X\[1\] is lists of numbers.*into a numpy array"):
        read([GOOD[kind], nested], kind, bags)


@pytest.mark.parametrize("inner", [[np.ones(3)] * 2, (np.ones(3),), [], [1.0, 2.0]])
@pytest.mark.parametrize("form", [list, object_array, RecordingSequence])
def test_a_bag_in_a_bag(inner, form):
    with pytest.raises(
        RecordingError, match=r"X\[1\] has a (list|tuple) as segment 1\. Segments must be arrays"
    ):
        list(read(form([np.ones(3), [np.ones(3), inner]])))


def test_a_bag_in_a_bag_is_no_channels():
    with pytest.raises(RecordingError, match=r"X\[0\] has a list as segment 0"):
        read([[[np.ones((3, 8))] * 2]], "spectrogram")


def test_an_empty_bag():
    with pytest.raises(RecordingError, match=r"X\[1\] is an empty bag. Remove"):
        read([np.ones(3), []])


@pytest.mark.parametrize("make", [np.array, pd.DataFrame])
@pytest.mark.parametrize(
    ("value", "problem"),
    [(np.nan, "NaN at sample 3"), (np.inf, "infinity"), (1e39, "too large for float32")],
)
def test_errors_name_the_row_of_a_table(make, value, problem):
    with pytest.raises(RecordingError, match=rf"X\[2\] holds .*{problem}"):
        read(make(gap(value, (2, 3), (4, 6))))


def test_errors_name_the_row_of_a_cube():
    with pytest.raises(RecordingError, match=r"X\[1\] holds NaN at bin 2, frame 3"):
        read(gap(np.nan, (1, 2, 3), (2, 3, 4)), "spectrogram")


@pytest.mark.parametrize("shape", [(2, 3, 4), (2, 1, 3, 4)])
def test_an_array_with_other_axes(shape):
    with pytest.raises(RecordingError, match=r"X\[0\] has shape"):
        read(np.ones(shape))


@pytest.mark.parametrize(
    ("other", "bag"),
    [((4, 8), False), ((1, 3, 8), False), ((2, 3, 8), False), ((4, 8), True)],
    ids=["bins", "axes", "channels", "bins in a bag"],
)
def test_mixed_spectrograms(other, bag):
    X = [np.ones((3, 5)), np.ones((3, 9)), np.ones(other)]
    X[2] = [X[0], X[2]] if bag else X[2]
    wanted = f"X[2] has shape {other} where X[0] has shape (3, n_frames). Give Reader"
    with pytest.raises(RecordingError, match=re.escape(wanted)):
        read(X, "spectrogram")


@pytest.mark.parametrize("X", ["voice.wav", b"voice", {"a": np.ones(3)}, {1, 2}, None, 3, iter([])])
def test_what_is_no_collection(X):
    with pytest.raises(TypeError, match=f"Reader reads a list, .* got {type(X).__name__}"):
        read(X)


@pytest.mark.parametrize("X", [np.ones(3), [1.0, 2.0], pd.Series([1.0, 2.0]), np.array(3.0)])
def test_one_recording_is_no_collection(X):
    with pytest.raises(ValueError, match=r"Reshape your data: put .* into a list"):
        read(X)


def test_an_array_of_paths():
    with pytest.raises(RecordingError, match=r"X\[0\] is no array of numbers.*AudioLoader"):
        read(np.array(["a.wav", "b.wav"]))


@pytest.mark.parametrize(
    "X", [[], (), object_array([]), np.ones((0, 3, 4)), RecordingSequence([])], ids=repr
)
def test_nothing(X):
    with pytest.raises(ValueError, match=r"0 sample\(s\)"):
        read(X, "spectrogram")


def test_a_sparse_table():
    with pytest.raises(TypeError, match=r"[Ss]parse"):
        read(scipy.sparse.csr_matrix(np.ones((3, 4))))


def test_a_complex_table():
    with pytest.raises(ValueError, match="Complex data not supported"):
        read(np.ones((3, 4), complex))


def test_uneven_lists_of_numbers():
    with pytest.raises(ValueError, match=r"different lengths\. Turn each one into a numpy array"):
        read([[1, 2], [3]])


def test_a_table_of_videos():
    class Scaler(Reader):
        def __sklearn_tags__(self):
            tags = super().__sklearn_tags__()
            tags.input_tags.two_d_array = False
            return tags

    with pytest.raises(ValueError, match=r"one video a recording.* into a list"):
        validate_recordings(Scaler("video"), np.ones((3, 4)), reset=True)
    table = np.arange(12.0).reshape(3, 4)
    for held in (table, table.tolist(), pd.DataFrame(table)):
        clips = read(held, "video")
        assert (clips.shape, clips.dtype) == ((3, 1, 4, 1), np.float32)
        assert_array_equal(clips[:, 0, :, 0], table)
    reader = Reader("video")
    validate_recordings(reader, table, reset=True)
    assert reader.n_features_in_ == 4
    with pytest.raises(ValueError, match="expecting 4 features"):
        validate_recordings(reader, table[:, :3], reset=False)
    table[1, 2] = np.nan
    with pytest.raises(RecordingError, match=r"X\[1\] holds NaN at frame 0, row 2, column 0"):
        read(table, "video")


@pytest.mark.parametrize("X", [["a"], np.ones((2, 3)), RecordingSequence(["a"])])
def test_paths_are_for_their_reader_to_check(X):
    with pytest.raises(TypeError, match=r"no path but .* arrays.*Reader has to check X itself"):
        read(X, "path")


@pytest.mark.parametrize(
    "X",
    [
        pd.DataFrame({"path": ["a.wav", "b.wav"]}),
        pd.DataFrame({"path": ["a.wav", "b.wav"], "speaker": [1, 2]}),
        np.array([["a.wav"], ["b.wav"]]),
        object_array([object_array(waves(3))] * 2).reshape(2, 1),
        pd.DataFrame({"voice": object_array(waves(3, 4))}),
        [["a.wav"], ["b.wav"]],
    ],
    ids=["paths", "mixed", "strings", "objects", "arrays", "lists"],
)
def test_a_table_of_no_numbers(X):
    with pytest.raises(ValueError, match=r"table of .* no numbers.* list of arrays.* one column"):
        read(X)


def test_a_table_of_dictionaries_is_refused_as_scikit_learn_does():
    table = np.ones((2, 3), object)
    table[0, 0] = {"a": 1}
    with pytest.raises(TypeError, match=r"argument must be .* string.* number"):
        read(table)


def test_check_recording_alone():
    assert check_recording(np.array([1, 2]), kind="pitch").dtype == np.float32
    with pytest.raises(RecordingError, match=r"^A recording is empty .* before this step\.$"):
        check_recording(np.zeros(0), kind="waveform")


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_read(kind):
    assert_same(read([GOOD[kind]] * 2, kind), [GOOD[kind]] * 2)


# RecordingSequence


def double(x):
    return 2 * x


def add_one(x):
    return x + 1


def refuse_five(x):
    if x == 5:
        raise RecordingError("is five", "Choose another.", index=99)
    return x


class Shelf:
    """A source that remembers what was taken from it."""

    def __init__(self, n):
        self.n, self.taken = n, []

    def __len__(self):
        return self.n

    def __getitem__(self, i):
        self.taken.append(i)
        return np.full(i + 1, float(i))


KEYS = st.one_of(
    st.builds(
        slice, *[st.one_of(st.none(), st.integers(-9, 9))] * 2, st.sampled_from([None, 1, 2])
    ),
    st.just(slice(None, None, -1)),
    st.lists(st.floats(0, 0.999)),
    st.lists(st.floats(-0.999, 0), min_size=1).map(np.array),
    st.integers(0, 2**9 - 1),
)


def fit_key(key, n):
    """Turn a drawn key into one for n items: shares of n, or bits of a mask."""
    if isinstance(key, slice):
        return key
    if isinstance(key, int):
        return np.array([bool(key >> i & 1) for i in range(n)], dtype=bool)
    if n == 0:
        return []
    places = [int(place * n) for place in key]
    return np.array(places) if isinstance(key, np.ndarray) else places


@PROPERTY
@given(st.integers(0, 9), st.lists(st.one_of(KEYS, st.sampled_from([double, add_one]))))
def test_any_keys_and_maps_do_as_on_an_object_array(n, steps):
    sequence, array = RecordingSequence(range(n)), object_array(list(range(n)))
    for step in steps:
        if callable(step):
            sequence, array = sequence.map(step), object_array([step(x) for x in array])
        else:
            key = fit_key(step, len(array))
            sequence = sequence[key]
            array = array[np.asarray(key, int) if isinstance(key, list) else key]
        assert sequence.shape == array.shape
        assert list(sequence) == list(array)
    for i in range(-len(array), len(array)):
        assert sequence[i] == array[i]
    assert list(RecordingSequence(sequence, double)) == [2 * x for x in array]


@pytest.mark.parametrize("key", [1, -2, np.int64(1), np.uint8(1), (1, ...), np.array(1)])
def test_an_integer_reads_one(key):
    assert RecordingSequence([10, 11, 12])[key] == 11


@pytest.mark.parametrize(
    "key",
    [
        [0, 2],
        np.array([0, -1]),
        [True, False, True],
        np.array([True, False, True]),
        pd.Series([True, False, True], index=[5, 6, 7]),
        slice(None, None, 2),
        range(0, 3, 2),
    ],
    ids=repr,
)
@pytest.mark.parametrize("ellipsis", [False, True])
def test_other_keys_give_a_sequence(key, ellipsis):
    part = RecordingSequence([10, 11, 12])[(key, ...) if ellipsis else key]
    assert isinstance(part, RecordingSequence)
    assert list(part) == [10, 12]


@pytest.mark.parametrize(
    "key",
    [
        *(3, -4, [3], [-4], 1.0, [0.5], "a", None, True, {"a"}),
        *((0, 1), (0, slice(None)), (..., 0), [[0, 1]], np.zeros((0, 3), int)),
        *([True, False], [True] * 4, np.zeros(0, bool)),
    ],
    ids=repr,
)
def test_keys_that_fit_nothing(key):
    with pytest.raises(IndexError):
        RecordingSequence([10, 11, 12])[key]


def test_empty_keys():
    for key in ([], np.array([], int), slice(0, 0), np.zeros(3, bool)):
        assert len(RecordingSequence([10, 11, 12])[key]) == 0
    assert len(RecordingSequence([])[np.zeros(0, bool)]) == 0


def test_nothing_is_read_early_and_nothing_is_kept():
    shelf = Shelf(9)
    sequence = RecordingSequence(shelf)[2:].map(double)[[1, 3]]
    assert (len(sequence), sequence.shape, sequence.ndim) == (2, (2,), 1)
    repr(sequence)
    assert shelf.taken == []
    assert sequence[1] is not sequence[1]
    assert shelf.taken == [5, 5]
    assert_array_equal(sequence[0], np.full(4, 6.0))


def test_iteration_reads_one_at_a_time():
    shelf = Shelf(4)
    items = iter(RecordingSequence(shelf))
    next(items)
    next(items)
    assert shelf.taken == [0, 1]
    assert [len(x) for x in reversed(RecordingSequence(shelf))] == [4, 3, 2, 1]


def test_asarray():
    sequence = RecordingSequence([np.ones(2), np.ones(2)])
    for array in (np.asarray(sequence), np.array(sequence), np.asarray(sequence, dtype=object)):
        assert array.shape == (2,)
        assert array.dtype == object
        assert_array_equal(array[1], np.ones(2))


OLD_NUMPY = np.lib.NumpyVersion(np.__version__) < "2.0.0"
needs_numpy_2 = pytest.mark.skipif(OLD_NUMPY, reason="copy=False was a wish before numpy 2")


@pytest.mark.parametrize(
    "options",
    [{"dtype": "f8"}, {"dtype": float}, pytest.param({"copy": False}, marks=needs_numpy_2)],
)
def test_asarray_of_numbers_is_refused(options):
    with pytest.raises(ValueError, match="becomes a new 1-D object array or nothing"):
        np.array(RecordingSequence([np.ones(2)]), **options)


@pytest.mark.parametrize("module", [pickle, cloudpickle])
def test_pickles(module):
    sequence = RecordingSequence(waves(2, 3, 4), double)[1:].map(add_one)
    copied = pickle.loads(module.dumps(sequence))
    assert_same(copied, list(sequence))


def test_cloudpickle_takes_a_lambda():
    sequence = RecordingSequence([1, 2], lambda x: -x)
    assert list(pickle.loads(cloudpickle.dumps(sequence))) == [-1, -2]


def test_joblib_hash_tells_sequences_apart():
    def sequences():
        sequence = RecordingSequence(waves(2, 3, 4))
        return [
            sequence,
            sequence[1:],
            sequence[[1, 0]],
            sequence.map(double),
            sequence.map(add_one),
            RecordingSequence(waves(2, 3, 5)),
        ]

    first, second = ([joblib.hash(s) for s in sequences()] for _ in range(2))
    assert first == second
    assert len(set(first)) == len(first)


def test_train_test_split_stays_lazy():
    shelf = Shelf(10)
    parts = train_test_split(RecordingSequence(shelf), np.arange(10), random_state=0)
    assert shelf.taken == []
    for part, labels in (parts[0::2], parts[1::2]):
        assert isinstance(part, RecordingSequence)
        assert [int(x[0]) for x in part] == labels.tolist()


class Memory(ClassifierMixin, BaseEstimator):
    """Right where every recording it is asked about carries its own number."""

    def fit(self, X, y):
        assert isinstance(X, RecordingSequence)
        assert [int(x[0]) for x in X] == list(y)
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        assert isinstance(X, RecordingSequence)
        return np.array([int(x[0]) for x in X])


def test_cross_val_score_indexes_as_an_array():
    scores = cross_val_score(
        Memory(),
        RecordingSequence(Shelf(6)),
        np.arange(6),
        groups=[0, 1, 2, 0, 1, 2],
        cv=LeaveOneGroupOut(),
    )
    assert_array_equal(scores, 1)


@pytest.mark.parametrize(
    ("sequence", "place"),
    [
        (RecordingSequence(range(9), refuse_five), 5),
        (RecordingSequence(range(9)).map(refuse_five).map(double), 5),
        (RecordingSequence(range(9)).map(refuse_five)[3:], 2),
        (RecordingSequence(range(9))[::-1].map(refuse_five)[1:], 2),
        (RecordingSequence(range(9), refuse_five)[[8, 5]].map(double), 1),
        (RecordingSequence(RecordingSequence(range(9), refuse_five)[3:]), 2),
        (RecordingSequence(RecordingSequence(range(9), refuse_five), add_one)[4:], 1),
        (RecordingSequence(range(9), refuse_five)[np.arange(9) > 4][1::-1], 1),
    ],
)
def test_errors_name_the_place_in_the_sequence_asked(sequence, place):
    for key in (place, place - len(sequence)):
        with pytest.raises(RecordingError, match=rf"^X\[{place}\] is five. Choose another.$"):
            sequence[key]
    with pytest.raises(RecordingError, match=rf"^X\[{place}\] is five"):
        list(sequence)


@pytest.mark.parametrize("place", [3, -4])
def test_a_place_outside(place):
    with pytest.raises(IndexError, match=f"recording {place} of 3"):
        RecordingSequence([1, 2, 3])[place]


def refuse_file_five(x):
    if x == 5:
        raise OSError("disk on fire")
    return x


@pytest.mark.parametrize(
    ("sequence", "place"),
    [
        (RecordingSequence(range(9), refuse_file_five), 5),
        (RecordingSequence(range(9)).map(refuse_file_five)[3:].map(double), 2),
        (RecordingSequence(RecordingSequence(range(9), refuse_file_five)[3:], double)[1:], 1),
    ],
)
def test_other_errors_keep_their_type_and_note_the_place(sequence, place):
    for key in (place, place - len(sequence)):
        with pytest.raises(OSError, match="disk on fire") as caught:
            sequence[key]
        assert caught.value.__notes__ == [f"while reading X[{place}]"]


def test_an_error_keeps_the_notes_it_has():
    error = KeyError("gone")
    error.add_note("of the archive")

    def fail(x):
        raise error

    for _ in range(2):
        with pytest.raises(KeyError):
            RecordingSequence([0], fail)[0]
    assert error.__notes__ == ["of the archive", "while reading X[0]"]


@pytest.mark.parametrize("index", [[2, 0, 1], [5, 6, 7], list("abc")], ids=repr)
def test_a_column_is_read_by_place_and_not_by_label(index):
    sequence = RecordingSequence(pd.Series([10, 11, 12], index=index))
    assert list(sequence) == [10, 11, 12]
    assert list(sequence[::-1].map(double)) == [24, 22, 20]


def test_a_filtered_and_shuffled_column_stays_beside_its_labels():
    table = pd.DataFrame({"path": [f"{i}.wav" for i in range(6)], "label": range(6)})
    table = table[table.label != 2].sample(frac=1, random_state=0)
    paths = RecordingSequence(table["path"])
    assert list(paths) == [f"{label}.wav" for label in table["label"]]


@pytest.mark.parametrize("source", [3, None, iter([1]), {1, 2}])
def test_a_source_must_be_indexed(source):
    with pytest.raises(TypeError, match="source must have a length"):
        RecordingSequence(source)


@pytest.mark.parametrize("source", [{}, {0: 1.0}, MappingProxyType({0: 1.0})])
def test_a_mapping_has_no_places(source):
    with pytest.raises(TypeError, match=r"source must be a sequence, .* got a mapping"):
        RecordingSequence(source)


def test_a_function_must_be_callable():
    with pytest.raises(TypeError, match="function must be callable"):
        RecordingSequence([1], 3)
    with pytest.raises(TypeError, match="function must be callable"):
        RecordingSequence([1]).map("log")
