import pickle

import joblib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy import ndimage
from sklearn.pipeline import make_pipeline

from skspeech.exceptions import RecordingError
from skspeech.preprocessing import UltrasoundFramer, UltrasoundScaler
from skspeech.recordings import RecordingSequence, object_array


def ultrasound(*lengths, n_vectors=63, n_pixels=412, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.integers(0, 256, (n, n_vectors, n_pixels), np.uint8) for n in lengths]


# UltrasoundScaler


def test_depth_comes_first_then_scan_lines():
    frames = np.zeros((3, 64, 400), np.uint8)
    frames[1, :, 300:] = 255  # deep
    frames[2, 48:] = 255  # the last scan lines
    scaled = UltrasoundScaler().fit_transform([frames])[0]
    assert scaled.shape == (3, 128, 64)
    assert scaled.dtype == np.float32
    assert_array_equal(scaled[0], -1)
    assert_allclose(scaled[1, :90], -1, atol=1e-6)
    assert_allclose(scaled[1, 100:], 1, atol=1e-6)
    assert_allclose(scaled[2, :, :48], -1, atol=1e-6)
    assert_allclose(scaled[2, :, 48:], 1, atol=1e-6)


def resized_by_scipy(frame, shape):
    """Smooth and interpolate in two dimensions, as scikit-image's resize does."""
    factors = np.divide(frame.shape, shape)
    smooth = ndimage.gaussian_filter(
        frame.astype(float), np.maximum(0, (factors - 1) / 2), mode="mirror"
    )
    return ndimage.zoom(smooth, 1 / factors, order=1, mode="mirror", grid_mode=True)


@pytest.mark.parametrize(
    ("n_vectors", "n_pixels"), [(63, 412), (64, 842), (63, 256), (64, 128), (30, 90), (1, 1)]
)
def test_resized_as_smoothing_and_interpolating_in_two_dimensions(n_vectors, n_pixels):
    frames = ultrasound(2, n_vectors=n_vectors, n_pixels=n_pixels)[0]
    scaled = UltrasoundScaler().fit_transform([frames])[0]
    for frame, found in zip(frames, scaled, strict=True):
        wanted = resized_by_scipy(frame.T, (128, 64)) / 255 * 2 - 1
        assert_allclose(found, wanted, atol=2e-6)


def test_resized_as_scikit_image_does():
    reason = "scikit-image, the peer, is not installed"
    transform = pytest.importorskip("skimage.transform", reason=reason)
    frames = ultrasound(2, n_pixels=842)[0]
    scaled = UltrasoundScaler().fit_transform([frames])[0]
    for frame, found in zip(frames, scaled, strict=True):
        wanted = transform.resize(frame, (64, 128), preserve_range=True).T
        assert_allclose(found, (wanted / 255 - 0.5) * 2, atol=2e-6)


@settings(deadline=None, max_examples=30)
@given(
    st.integers(1, 70),
    st.integers(1, 90),
    st.integers(1, 40),
    st.integers(1, 40),
    st.integers(0, 255),
)
def test_an_even_grey_stays_even_and_nothing_leaves_the_range(rows, columns, height, width, grey):
    scaler = UltrasoundScaler(height=height, width=width)
    even = np.full((1, rows, columns), grey, np.uint8)
    noise = ultrasound(1, n_vectors=rows, n_pixels=columns, seed=grey)[0]
    noise[:, ::2] = 255
    even, noise = scaler.fit_transform([even, noise])
    assert_allclose(even, grey / 255 * 2 - 1, atol=1e-6)
    assert noise.shape == (1, height, width)
    assert np.abs(noise).max() <= 1


@pytest.mark.parametrize("value_range", [(0, 255), (0.0, 1.0), (-40.0, 10.0)])
def test_the_ends_of_the_range_become_minus_one_and_one(value_range):
    frames = np.array(value_range, np.float32)[:, None, None] * np.ones((1, 4, 5), np.float32)
    scaled = UltrasoundScaler(height=3, width=2, value_range=value_range).fit_transform([frames])
    assert_allclose(scaled[0][:, 0, 0], [-1, 1], atol=1e-6)


def test_half_precision_comes_out_as_it_is():
    frames = ultrasound(40, 7)
    half = UltrasoundScaler(dtype="float16").fit_transform(frames)
    assert [x.dtype for x in half] == [np.float16] * 2
    single = UltrasoundScaler().fit_transform(frames)
    assert_allclose(half[0], single[0], rtol=0, atol=2.5e-4)
    assert UltrasoundScaler(dtype="float16").fit_transform(np.stack([frames[1]])).dtype == "float16"


def test_a_frame_is_scaled_alike_wherever_it_stands():
    """Recordings are worked on block by block; that leaves no seam."""
    (frames,) = ultrasound(300, n_vectors=16, n_pixels=60)
    scaler = UltrasoundScaler(height=20, width=8)
    whole = scaler.transform([frames])[0]
    single = np.concatenate(list(scaler.transform([x[None] for x in frames])))
    assert_allclose(whole, single, atol=1e-6)


def test_a_sequence_is_read_a_recording_at_a_time():
    read = []

    def open_recording(i):
        read.append(i)
        return ultrasound(2 + i)[0]

    scaled = UltrasoundScaler().fit_transform(RecordingSequence(range(3), open_recording))
    assert isinstance(scaled, RecordingSequence)
    assert scaled[1].shape == (3, 128, 64)
    assert read == [1]


@pytest.mark.parametrize(
    ("value_range", "frames", "match"),
    [
        ((0, 255), np.full((2, 3, 4), -0.5), r"X\[1\] holds -0.5, below value_range, 0 to 255"),
        ((0, 1), np.full((2, 3, 4), 7, np.uint8), r"X\[1\] holds 7, above value_range, 0 to 1"),
        ((0, 255), np.zeros((2, 25, 3, 4)), r"X\[1\] is framed already"),
    ],
)
def test_what_cannot_be_scaled_is_named(value_range, frames, match):
    good = np.zeros((2, 3, 4))
    with pytest.raises(RecordingError, match=match):
        UltrasoundScaler(value_range=value_range).fit_transform([good, frames])


@pytest.mark.parametrize("value_range", [(1, 1), (5, 1), (0,), (0, np.inf), ("a", "b"), 255])
def test_a_range_that_is_none_is_refused(value_range):
    with pytest.raises(ValueError, match="value_range"):
        UltrasoundScaler(value_range=value_range).fit([np.zeros((2, 3, 4))])


# UltrasoundFramer


@settings(deadline=None, max_examples=50)
@given(st.integers(1, 9), st.integers(1, 12))
def test_every_frame_with_those_around_it(n_frames, context_frames):
    frames = np.random.default_rng(n_frames).normal(size=(n_frames, 3, 2)).astype(np.float32)
    framed = UltrasoundFramer(context_frames=context_frames).fit_transform([frames])[0]
    assert framed.shape == (n_frames, context_frames, 3, 2)
    first = -(context_frames // 2)
    for i in range(n_frames):
        places = np.clip(np.arange(i + first, i + first + context_frames), 0, n_frames - 1)
        assert_array_equal(framed[i], frames[places])


def test_recordings_do_not_run_into_each_other():
    recordings = [np.full((5, 2, 2), i, np.uint8) for i in range(3)]
    for i, framed in enumerate(UltrasoundFramer().fit_transform(recordings)):
        assert_array_equal(framed, i)


def test_views_that_cannot_be_written_to():
    framed = UltrasoundFramer().fit_transform(ultrasound(40))[0]
    assert not framed.flags.writeable
    assert not framed.flags.owndata
    assert np.shares_memory(framed[0], framed[1])
    with pytest.raises(ValueError, match="read-only"):
        framed[0, 0] = 1


@pytest.mark.parametrize("container", [list, object_array, np.stack, RecordingSequence])
def test_what_is_stored_is_the_frames(container):
    """A pickled view would be every window in full: what is pickled is the recordings."""
    recordings = ultrasound(50, 50, n_vectors=8, n_pixels=16)
    framed = UltrasoundFramer().fit_transform(container(recordings))
    assert isinstance(framed, RecordingSequence)
    assert len(pickle.dumps(framed)) < 1.2 * sum(x.nbytes for x in recordings)
    assert joblib.hash(framed) == joblib.hash(pickle.loads(pickle.dumps(framed)))
    assert_array_equal(pickle.loads(pickle.dumps(framed))[1], framed[1])


def test_a_later_set_params_changes_no_lazy_answer():
    framer = UltrasoundFramer(context_frames=3)
    framed = framer.fit_transform([np.zeros((4, 2, 2))])
    framer.set_params(context_frames=5)
    assert framed[0].shape == (4, 3, 2, 2)


def test_scaled_then_framed():
    framed = make_pipeline(UltrasoundScaler(), UltrasoundFramer()).fit_transform(ultrasound(9, 30))
    assert [x.shape for x in framed] == [(9, 25, 128, 64), (30, 25, 128, 64)]


@pytest.mark.parametrize("dtype", ["uint8", "float16", "float32"])
def test_blocks_are_of_the_type_of_the_frames(dtype):
    framed = UltrasoundFramer().fit_transform([np.ones((30, 3, 2), dtype)])
    assert framed[0].dtype == dtype


def test_what_is_framed_already_is_refused():
    frames = np.zeros((4, 3, 2))
    with pytest.raises(RecordingError, match=r"X\[1\] is framed already"):
        UltrasoundFramer().fit_transform([[frames, frames], np.zeros((4, 25, 3, 2))])
