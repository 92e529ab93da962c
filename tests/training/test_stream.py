"""Frames that come a few at a time are answered as the whole video is."""

import copy
from functools import cache
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import NotFittedError

from skspeech.exceptions import RecordingError
from skspeech.models import Conv3DBiLSTMRegressor, Conv3DConvLSTMRegressor, Conv3DRegressor
from skspeech.preprocessing import UltrasoundFramer

ROWS, COLUMNS = 9, 6
SMALL = {"kernel_size": 3, "max_epochs": 1, "validation": None, "device": "cpu", "random_state": 0}
NETWORKS = {
    "dense": (Conv3DRegressor, {"n_maps": (3, 4), "dense_units": 5}),
    "lstm": (Conv3DBiLSTMRegressor, {"n_maps": (3, 4), "lstm_units": 3}),
    "convlstm": (Conv3DConvLSTMRegressor, {"layers": ("conv3d", "convlstm"), "n_maps": (3, 4)}),
    "convlstm first": (
        Conv3DConvLSTMRegressor,
        {"layers": ("convlstm", "conv3d"), "n_maps": (2, 2)},
    ),
}
# Windows that share steps, with as many frames before them as a step joins or fewer, with frames
# to spare at their end; and windows that are padded, which share none.
CONTEXTS = [(25, 5), (5, 5), (6, 9), (44, 9), (1, 5), (4, 5), (24, 5)]


def video(n_frames, dtype=np.float32, seed=0):
    values = np.random.default_rng(seed).integers(0, 256, (n_frames, ROWS, COLUMNS), np.uint8)
    return values if dtype == np.uint8 else (values / 127.5 - 1).astype(dtype)


@cache
def fitted(name="convlstm", context_frames=25, time_stride=5, standardize=None):
    network, sizes = NETWORKS[name]
    estimator = network(
        context_frames=context_frames,
        time_stride=time_stride,
        standardize=standardize,
        **sizes,
        **SMALL,
    )
    return estimator.fit([video(9)], [np.random.default_rng(1).normal(3, 2, (9, 2))])


def pushed(estimator, frames, cuts):
    """Return the answers to frames pushed in pieces that end at the cuts, as they come."""
    stream = estimator.stream()
    ends = [0, *sorted(min(cut, len(frames)) for cut in cuts), len(frames)]
    pieces = [stream.push(frames[begin:end]) for begin, end in pairwise(ends)]
    for piece, end in zip(np.cumsum([len(piece) for piece in pieces]), ends[1:], strict=True):
        assert piece == max(0, end - stream.lookahead)
    return np.concatenate([*pieces, stream.finish()])


@settings(deadline=None, max_examples=40)
@given(
    st.sampled_from(sorted(NETWORKS)),
    st.sampled_from(CONTEXTS),
    st.integers(1, 80),
    st.lists(st.integers(0, 80), max_size=6),
    st.sampled_from([np.uint8, np.float16, np.float32]),
    st.sampled_from([None, "bin"]),
)
def test_every_way_of_cutting_answers_as_predict(name, context, n_frames, cuts, dtype, standardize):
    estimator = fitted(name, *context, standardize)
    frames = video(n_frames, dtype)
    found = pushed(estimator, frames, cuts)
    assert found.dtype == np.float32
    assert_allclose(found, estimator.predict([frames])[0], atol=1e-5)
    assert_array_equal(found, pushed(estimator, frames, []))  # to the last bit


@pytest.mark.parametrize("context_frames", [1, 4, 5, 25])
def test_lookahead_is_what_a_window_has_behind_its_frame(context_frames):
    stream = fitted(context_frames=context_frames).stream()
    assert stream.lookahead == (context_frames - 1) // 2
    known = [len(stream.push(frame[None])) for frame in video(30)]
    assert known == [0] * stream.lookahead + [1] * (30 - stream.lookahead)


def test_a_frame_costs_one_step_and_one_answer(monkeypatch):
    estimator = fitted()
    network = estimator.module_.network
    counts = []

    def counted(function):
        def call(x):
            result = function(x)
            counts.append(len(result))
            return result

        return call

    for name in ("steps", "answer_steps"):
        monkeypatch.setattr(network, name, counted(getattr(network, name)))
    stream = estimator.stream()
    stream.push(video(40))
    counts.clear()
    stream.push(video(1))
    assert counts == [1, 1]


def test_two_streams_do_not_meet():
    estimator = fitted()
    streams, videos = [estimator.stream() for _ in range(2)], [video(20, seed=i) for i in range(2)]
    for i in range(20):
        for stream, frames in zip(streams, videos, strict=True):
            stream.push(frames[i : i + 1])
    rest = [stream.finish() for stream in streams]
    for answers, wanted in zip(rest, estimator.predict(videos), strict=True):
        assert_allclose(answers, wanted[-12:], atol=1e-5)


def test_a_stream_does_not_see_what_happens_to_frames_later():
    estimator = fitted()
    frames = video(15)
    wanted = pushed(estimator, frames, [])
    stream = estimator.stream()
    buffer, pieces = frames[:1].copy(), []
    for frame in frames:
        buffer[0] = frame  # as a camera writes into one place
        pieces.append(stream.push(buffer))
        buffer[0] = 9
    assert_array_equal(np.concatenate([*pieces, stream.finish()]), wanted)


def test_frames_that_are_read_only():
    frames = video(15)
    wanted = pushed(fitted(standardize="bin"), frames, [])
    frames.setflags(write=False)
    assert_array_equal(pushed(fitted(standardize="bin"), frames, [1, 2]), wanted)


def test_a_video_without_frames():
    stream = fitted().stream()
    assert stream.push(video(0)).shape == stream.finish().shape == (0, 2)


def test_after_the_end():
    stream = fitted().stream()
    stream.finish()
    for action in (lambda: stream.push(video(1)), stream.finish):
        with pytest.raises(ValueError, match=r"finished. Open another with stream\(\)"):
            action()


@pytest.mark.parametrize(
    ("frames", "message"),
    [
        (video(1)[0], r"has shape \(9, 6\)"),
        (np.zeros((0, 4, 6)), "is empty"),
        (np.zeros((2, 6, 9)), "has frames of 6 x 9 where the network reads 9 x 6"),
        (np.full((1, ROWS, COLUMNS), np.nan), "holds NaN"),
        (np.zeros((2, 25, ROWS, COLUMNS)), "has frames of 25 x 9 x 6"),
    ],
)
def test_frames_that_cannot_be_read(frames, message):
    with pytest.raises(RecordingError, match=message):
        fitted().stream().push(frames)


def test_an_answer_that_is_not_finite():
    network, sizes = NETWORKS["dense"]
    estimator = network(**sizes, **SMALL).fit([video(9)], [np.ones((9, 2))])
    with torch.no_grad():
        estimator.module_.network.answer.bias.fill_(torch.nan)
    stream = estimator.stream()
    with pytest.raises(RecordingError, match=r"no finite answer .* lower lr"):
        stream.push(video(13))


def test_only_what_is_fitted_on_plain_frames_streams():
    network, sizes = NETWORKS["dense"]
    with pytest.raises(NotFittedError):
        network(**sizes, **SMALL).stream()
    framed = UltrasoundFramer(context_frames=25).fit_transform([video(9)])
    estimator = network(**sizes, **SMALL).fit(framed, [np.ones((9, 2))])
    with pytest.raises(ValueError, match="fitted on frames that bring their context"):
        estimator.stream()


def test_a_stream_has_the_context_that_was_fitted():
    network = copy.deepcopy(fitted(context_frames=5))
    wanted = network.predict([video(9)])[0]
    stream = network.set_params(context_frames=25).stream()
    found = np.concatenate([stream.push(video(9)), stream.finish()])
    assert stream.lookahead == 2
    np.testing.assert_allclose(found, wanted, atol=1e-5)
