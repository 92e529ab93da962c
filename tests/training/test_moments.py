import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from skspeech.training.moments import Moments

PROPERTY = settings(deadline=None, max_examples=100)

SEGMENTS = st.tuples(
    st.lists(st.integers(1, 9), min_size=1, max_size=12),
    st.integers(0, 2**31),
    st.floats(-1e4, 1e4),
    st.floats(1e-2, 1e4),
)


@PROPERTY
@given(SEGMENTS, st.sampled_from(["bin", "global"]))
def test_moments_are_those_of_all_frames(drawn, per):
    lengths, seed, centre, spread = drawn
    rng = np.random.default_rng(seed)
    segments = [rng.normal(centre, spread, (2, 3, n)).astype(np.float32) for n in lengths]
    moments = Moments(per)
    for segment in segments:
        moments.add(segment)
    frames = np.concatenate(segments, axis=-1).astype(np.float64)
    axes = -1 if per == "bin" else None
    mean, scale = frames.mean(axis=axes, keepdims=True), frames.std(axis=axes, keepdims=True)
    assert moments.mean.shape == mean.shape
    assert_allclose(moments.mean, mean, rtol=1e-9, atol=1e-9 * spread)
    constant = scale <= 10 * np.finfo(np.float32).eps * np.abs(mean)
    assert_allclose(moments.scale, np.where(constant, 1, scale), rtol=1e-6)


@pytest.mark.parametrize("value", [0.0, 0.1, -7.3, 1e-30, 1e30])
@pytest.mark.parametrize("per", ["bin", "global"])
def test_constant_bins_have_scale_one(value, per):
    moments = Moments(per)
    for n_frames in (1, 5, 1000):
        moments.add(np.full((1, 2, n_frames), value, np.float32))
    assert_array_equal(moments.scale, np.ones_like(moments.scale))


def test_only_the_constant_bin_has_scale_one():
    moments = Moments("bin")
    moments.add(np.array([[[5, 5, 5, 5], [0, 20, 0, 20]]], np.float32))
    assert moments.scale.ravel().tolist() == [1, 10]


def test_small_deviations_are_not_taken_for_rounding():
    moments = Moments("bin")
    moments.add(np.array([[0, 1e-30]], np.float32))
    assert_allclose(moments.scale, [[5e-31]], rtol=1e-6)
