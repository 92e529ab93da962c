"""Answers that share the work of overlapping windows are those of each window by itself."""

from functools import cache

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from skspeech.exceptions import RecordingError
from skspeech.models import Conv3DBiLSTMRegressor, Conv3DConvLSTMRegressor, Conv3DRegressor
from skspeech.preprocessing import UltrasoundFramer
from skspeech.training.answers import answer_video
from skspeech.training.windows import as_input, context_of

ROWS, COLUMNS = 9, 6  # no padding is even
PROPERTY = settings(deadline=None, max_examples=60)
SMALL = {"kernel_size": 3, "max_epochs": 1, "validation": None, "device": "cpu", "random_state": 0}
NETWORKS = {
    "dense": (Conv3DRegressor, {"n_maps": (3, 4), "dense_units": 5}),
    "lstm": (Conv3DBiLSTMRegressor, {"n_maps": (3, 4), "lstm_units": 3}),
    "convlstm": (Conv3DConvLSTMRegressor, {"layers": ("conv3d", "convlstm"), "n_maps": (3, 4)}),
    "mixed": (
        Conv3DConvLSTMRegressor,
        {"layers": ("conv3d", "convlstm", "conv3d"), "n_maps": (2, 3, 2)},
    ),
    "convlstm first": (
        Conv3DConvLSTMRegressor,
        {"layers": ("convlstm", "conv3d"), "n_maps": (2, 2)},
    ),
}
# Where the first convolution needs no padding, with frames to spare or without; 25 and 6 need it.
SHARING = [(25, 5), (15, 5), (5, 5), (23, 6), (24, 6), (28, 7), (6, 6), (4 * 9 + 8, 9)]
PADDED = [(25, 6), (25, 4), (24, 5), (1, 5), (2, 1), (4, 5)]


def video(n_frames, dtype=np.float32, seed=0):
    values = np.random.default_rng(seed).integers(0, 256, (n_frames, ROWS, COLUMNS), np.uint8)
    return values if dtype == np.uint8 else (values / 127.5 - 1).astype(dtype)


@cache
def fitted(name, context_frames=25, time_stride=5, standardize=None):
    network, sizes = NETWORKS[name]
    estimator = network(
        context_frames=context_frames,
        time_stride=time_stride,
        standardize=standardize,
        **sizes,
        **SMALL,
    )
    targets = np.random.default_rng(1).normal(3, 2, (9, 2))
    return estimator.fit([video(9)], [targets])


def by_windows(estimator, frames):
    """Answer each frame by a window that is cut by hand."""
    before, after = context_of(estimator.context_frames)
    frames = as_input(frames)
    windows = [
        frames[[min(max(j, 0), len(frames) - 1) for j in range(i - before, i + after + 1)]]
        for i in range(len(frames))
    ]
    module = estimator.module_.eval()
    with torch.inference_mode():
        return module.restore(module(torch.stack(windows), None)).numpy()


@pytest.mark.parametrize(("context_frames", "time_stride"), SHARING)
def test_windows_share_work(context_frames, time_stride):
    estimator = fitted("dense", context_frames, time_stride)
    assert estimator.module_.network.step_offsets is not None
    for n_frames in (1, 63, 64, 65, 150):
        wanted = by_windows(estimator, video(n_frames))
        assert_allclose(estimator.predict([video(n_frames)])[0], wanted, atol=1e-5)


@pytest.mark.parametrize(("context_frames", "time_stride"), PADDED)
def test_windows_that_are_padded_share_none(context_frames, time_stride):
    estimator = fitted("dense", context_frames, time_stride)
    assert estimator.module_.network.step_offsets is None
    for n_frames in (1, 40):
        wanted = by_windows(estimator, video(n_frames))
        assert_allclose(estimator.predict([video(n_frames)])[0], wanted, atol=1e-5)


def test_a_convlstm_that_comes_first_shares_none():
    assert fitted("convlstm first").module_.network.step_offsets is None


@PROPERTY
@given(
    st.sampled_from(sorted(NETWORKS)),
    st.lists(st.integers(1, 200), min_size=1, max_size=3),
    st.sampled_from([np.uint8, np.float16, np.float32]),
    st.sampled_from([None, "bin", "global"]),
)
def test_shared_is_window_by_window(name, lengths, dtype, standardize):
    estimator = fitted(name, standardize=standardize)
    videos = [video(n, dtype, seed) for seed, n in enumerate(lengths)]
    for frames, found in zip(videos, estimator.predict(videos), strict=True):
        assert (found.shape, found.dtype) == ((len(frames), 2), np.float32)
        assert_allclose(found, by_windows(estimator, frames), atol=1e-5)


@settings(PROPERTY, max_examples=15)
@given(
    st.lists(st.integers(1, 100), min_size=1, max_size=3),
    st.sampled_from([np.uint8, np.float16, np.float32]),
)
def test_frames_that_bring_their_context_are_answered_alike(lengths, dtype):
    """A network that was fitted on framed video reads only such; its weights are those of one."""
    estimator = fitted("dense")
    videos = [video(n, dtype, seed) for seed, n in enumerate(lengths)]
    framed = [cut_as_framed(frames) for frames in videos]
    for frames, windows in zip(videos, framed, strict=True):
        found = answer_video(estimator.net_, windows, 25, 0)
        assert_allclose(found, answer_video(estimator.net_, frames, 25, 0), atol=1e-5)


def cut_as_framed(frames):
    (framed,) = UltrasoundFramer(context_frames=25).fit_transform([frames])
    assert framed.shape == (len(frames), 25, ROWS, COLUMNS)
    return framed


def test_batch_size_does_not_matter():
    estimator = fitted("convlstm first")
    wanted = by_windows(estimator, video(20))
    for batch_size in (1, 7, 20, 50):
        estimator.net_.batch_size = batch_size
        assert_allclose(answer_video(estimator.net_, video(20), 25, 0), wanted, atol=1e-5)


def test_dropout_is_off():
    assert_array_equal(*(fitted("dense").predict([video(20)])[0] for _ in range(2)))


def test_an_answer_that_is_not_finite_names_the_recording():
    network, sizes = NETWORKS["dense"]
    estimator = network(**sizes, **SMALL).fit([video(9)], [np.ones((9, 2))])
    with torch.no_grad():
        estimator.module_.network.answer.bias.fill_(torch.nan)
    with pytest.raises(RecordingError, match=r"X\[1\] gets no finite answer .* lower lr"):
        answer_video(estimator.net_, video(3), 25, 1)
