"""Convolution and pooling over video with the 'same' padding of Keras: shapes, values, errors."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from skspeech.layers import SameConv3d, SamePool3d
from skspeech.layers.same import same_padding

AXIS = st.tuples(st.integers(1, 9), st.integers(1, 5), st.integers(1, 4))


def taps(x, kernel, stride, empty):
    """Give, for each place of the kernel, what it sees there: (n_taps, n, c, t, h, w).

    The statement of Keras's "same": ceil(n / stride) places; as many zeros as they need beyond
    the n that are there, the smaller half before.
    """
    sizes = x.shape[2:]
    counts = [-(-n // s) for n, s in zip(sizes, stride, strict=True)]
    seen = []
    for offset in torch.cartesian_prod(*(torch.arange(k) for k in kernel)).reshape(-1, 3).tolist():
        y = x
        for axis in range(3):
            count, step, n = counts[axis], stride[axis], sizes[axis]
            total = max((count - 1) * step + kernel[axis] - n, 0)
            at = torch.arange(count) * step + offset[axis] - total // 2
            y = y.index_select(axis + 2, at.clamp(0, n - 1))
            outside = (at < 0) | (at >= n)
            y = y.movedim(axis + 2, -1).masked_fill(outside, empty).movedim(-1, axis + 2)
        seen.append(y)
    return torch.stack(seen)


@settings(max_examples=20, deadline=None)
@given(axes=st.tuples(AXIS, AXIS, AXIS))
def test_convolution_is_the_plain_sum(axes):
    sizes, kernel, stride = zip(*axes, strict=True)
    torch.manual_seed(0)
    conv = SameConv3d(2, 3, kernel, stride=stride).double()
    x = torch.randn(2, 2, *sizes).double()
    y = conv(x)
    weights = conv.weight.flatten(2)
    expected = torch.einsum("kncthw,ock->nothw", taps(x, kernel, stride, 0.0), weights)
    torch.testing.assert_close(y, expected + conv.bias[:, None, None, None])
    assert tuple(y.shape[2:]) == conv.output_shape(sizes)


@settings(max_examples=20, deadline=None)
@given(axes=st.tuples(AXIS, AXIS, AXIS))
def test_pooling_is_the_plain_maximum(axes):
    sizes, kernel, stride = zip(*axes, strict=True)
    x = torch.randn(2, 2, *sizes, generator=torch.Generator().manual_seed(0)) - 5
    pool = SamePool3d(kernel, stride=stride)
    y = pool(x)
    assert torch.equal(y, taps(x, kernel, stride, -torch.inf).amax(0))
    assert tuple(y.shape[2:]) == pool.output_shape(sizes)


def test_zeros_are_asymmetric_where_keras_has_them_so():
    assert same_padding(128, 13, 2) == (5, 6)
    assert same_padding(8, 13, 1) == (6, 6)
    assert same_padding(25, 5, 5) == (0, 0)
    assert same_padding(25, 5, 6) == (2, 2)
    assert same_padding(25, 1, 6) == (0, 0)


def test_shapes_are_those_of_table_1():
    layers = [
        (SameConv3d(1, 30, (5, 13, 13), stride=(5, 2, 2)), (5, 64, 32), 25_380),
        (SameConv3d(30, 60, (1, 13, 13), stride=(1, 2, 2)), (5, 32, 16), 304_260),
        (SamePool3d((1, 2, 2)), (5, 16, 8), 0),
        (SameConv3d(60, 90, (1, 13, 13), stride=(1, 2, 1)), (5, 8, 8), 912_690),
        (SameConv3d(90, 85, (1, 13, 13), stride=(1, 2, 2)), (5, 4, 4), 1_292_935),
        (SamePool3d((1, 2, 2)), (5, 2, 2), 0),
    ]
    shape = (25, 128, 64)
    for layer, expected, n_parameters in layers:
        shape = layer.output_shape(shape)
        assert shape == expected
        assert sum(p.numel() for p in layer.parameters()) == n_parameters


def test_even_maps_are_pooled_as_keras_does_by_default():
    x = torch.randn(1, 2, 3, 8, 4, generator=torch.Generator().manual_seed(0))
    assert torch.equal(SamePool3d((1, 2, 2))(x), nn.MaxPool3d((1, 2, 2))(x))


def test_a_pool_never_leaves_nothing():
    assert SamePool3d((1, 2, 2)).output_shape((1, 1, 1)) == (1, 1, 1)
    assert SamePool3d((1, 2, 2))(torch.full((1, 1, 1, 1, 1), -3.0)).item() == -3


def test_weights_are_torchs():
    plain, same = nn.Conv3d(2, 4, (1, 3, 3), padding=(0, 1, 1)), SameConv3d(2, 4, (1, 3, 3))
    same.load_state_dict(plain.state_dict())
    x = torch.randn(1, 2, 3, 5, 5)
    torch.testing.assert_close(same(x), plain(x))
    assert SameConv3d(2, 4, 3, bias=False).bias is None


def test_settings_are_shown():
    assert "stride=(5, 2, 2)" in repr(SameConv3d(1, 2, 3, stride=(5, 2, 2)))
    assert repr(SamePool3d((1, 2, 2))) == "SamePool3d((1, 2, 2), stride=(1, 2, 2))"


@pytest.mark.parametrize("value", [0, (1, 2), (1, 2, 0), (1, 2, 3, 4), 1.5, (1, 2, 1.5), "3"])
@pytest.mark.parametrize("make", [lambda v: SameConv3d(1, 1, v), SamePool3d])
def test_kernels_have_three_sides(make, value):
    with pytest.raises(ValueError, match=r"kernel_size is .*frames, rows, columns"):
        make(value)


def test_steps_are_positive():
    with pytest.raises(ValueError, match=r"stride is \(0, 1, 1\)"):
        SameConv3d(1, 1, 3, stride=(0, 1, 1))


@pytest.mark.parametrize("shape", [(1, 25, 8, 8), (1, 2, 5, 8, 8)])
def test_video_has_channels(shape):
    with pytest.raises(ValueError, match=r"\(n, 1, n_frames, n_rows, n_columns\)"):
        SameConv3d(1, 4, 3)(torch.zeros(shape))


@pytest.mark.parametrize("sizes", [(25, 8, 6), (4, 7, 5), (1, 2, 1)])
@pytest.mark.parametrize(
    ("kernel", "stride"), [((5, 13, 13), (5, 2, 2)), ((1, 4, 3), (1, 2, 1)), ((2, 3, 4), (6, 1, 3))]
)
@pytest.mark.filterwarnings("ignore:__array__ implementation")  # Keras's own, of torch
def test_keras_agrees(keras, sizes, kernel, stride):
    torch.manual_seed(0)
    conv, pool = SameConv3d(2, 3, kernel, stride=stride), SamePool3d(kernel, stride=stride)
    x = torch.randn(2, 2, *sizes)
    last = x.movedim(1, -1).numpy()
    their_conv = keras.layers.Conv3D(3, kernel, strides=stride, padding="same")
    their_conv.build(last.shape)
    weight, bias = conv.weight.detach().numpy(), conv.bias.detach().numpy()
    their_conv.set_weights([weight.transpose(2, 3, 4, 1, 0), bias])
    their_pool = keras.layers.MaxPooling3D(kernel, strides=stride, padding="same")
    for ours, theirs in ((conv, their_conv), (pool, their_pool)):
        found = torch.as_tensor(keras.ops.convert_to_numpy(theirs(last))).movedim(-1, 1)
        torch.testing.assert_close(ours(x).detach(), found, rtol=1e-4, atol=1e-5)
