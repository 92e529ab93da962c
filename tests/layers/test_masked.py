"""Every layer against torch's plain ones on one recording at a time, without padding."""

import copy
import doctest
import importlib
import pickle
from collections import OrderedDict

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from skspeech.layers import (
    MaskedAvgPool1d,
    MaskedAvgPool2d,
    MaskedBatchNorm1d,
    MaskedBatchNorm2d,
    MaskedConv1d,
    MaskedConv2d,
    MaskedMaxPool1d,
    MaskedMaxPool2d,
    MaskedRecurrent,
    MaskedSequential,
    length_mask,
    mask_padding,
)

PROPERTY = settings(deadline=None, max_examples=100)
DTYPES = pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=["f64", "f32"])
TOLERANCE = {"rtol": 1e-5, "atol": 1e-5}


# What a layer should give: plain torch, one unpadded recording (1, n_channels, ..., n_frames).


def plain_conv(layer):
    """Convolve with the same weights: explicit zeros, then torch's functional convolution."""
    conv = F.conv1d if isinstance(layer, nn.Conv1d) else F.conv2d
    same = layer.windows[0].padding == "same"

    def run(x):
        if same:
            totals = [d * (k - 1) for k, d in zip(layer.kernel_size, layer.dilation, strict=True)]
            x = F.pad(x, [n for total in reversed(totals) for n in (total // 2, -(-total // 2))])
        return conv(x, layer.weight, layer.bias, layer.stride, 0, layer.dilation, layer.groups)

    return run


def plain_valid_pool(torch_pool, kernel, stride):
    """Use torch's own pool, after shrinking a kernel wider than the bins."""

    def run(x):
        sizes = [*x.shape[2:-1], 10**6]
        return torch_pool(
            [min(k, n) for k, n in zip(kernel, sizes[-len(kernel) :], strict=True)],
            [
                min(s, n) if k > n else s
                for k, s, n in zip(kernel, stride, sizes[-len(kernel) :], strict=True)
            ],
        )(x)

    return run


def plain_same_pool(reduce, kernel, stride):
    """Cut every window by hand, bins first, then time."""

    def along(x, axis, k, s):
        starts = range(0, x.shape[axis], s)
        return [x.narrow(axis, i, min(k, x.shape[axis] - i)) for i in starts]

    def run(x):
        if len(kernel) == 1:
            return torch.stack([reduce(w, -1) for w in along(x, 2, kernel[0], stride[0])], -1)
        bins = x.shape[2]
        k, s = kernel[0], stride[0]
        rows = along(x, 2, min(k, bins), min(s, bins) if k > bins else s)
        cells = [[reduce(w, (-2, -1)) for w in along(row, 3, kernel[1], stride[1])] for row in rows]
        return torch.stack([torch.stack(row, -1) for row in cells], -2)

    return run


# Random layers, each with its plain counterpart and the shape of a recording before time.

small = st.integers(1, 4)
paddings = st.sampled_from(["valid", "same"])


@st.composite
def conv1d(draw):
    groups = draw(st.sampled_from([1, 2]))
    layer = MaskedConv1d(
        2,
        4,
        draw(st.integers(1, 6)),
        stride=draw(small),
        dilation=draw(st.integers(1, 3)),
        groups=groups,
        padding=draw(paddings),
        bias=draw(st.booleans()),
    )
    return layer, plain_conv(layer), (2,)


@st.composite
def conv2d(draw):
    layer = MaskedConv2d(
        2,
        4,
        draw(st.one_of(small, st.tuples(small, st.integers(1, 6)))),
        stride=draw(st.one_of(small, st.tuples(small, small))),
        dilation=draw(st.one_of(st.just(1), st.tuples(st.just(1), st.integers(1, 3)))),
        groups=draw(st.sampled_from([1, 2])),
        padding=draw(paddings),
        bias=draw(st.booleans()),
    )
    least = layer.kernel_size[0] + (layer.kernel_size[0] - 1) * (layer.dilation[0] - 1)
    return layer, plain_conv(layer), (2, least + draw(st.integers(0, 3)))


def pool(masked, torch_pool, reduce, n_axes):
    @st.composite
    def strategy(draw):
        kernel = tuple(draw(st.integers(1, 5)) for _ in range(n_axes))
        stride = tuple(draw(st.integers(1, 5)) for _ in range(n_axes))
        padding = draw(paddings)
        if draw(st.booleans()):
            stride = None
        one = n_axes == 1
        layer = masked(
            kernel[0] if one else kernel,
            stride[0] if one and stride else stride,
            padding=padding,
        )
        stride = stride or kernel
        plain = (
            plain_valid_pool(torch_pool, kernel, stride)
            if padding == "valid"
            else plain_same_pool(reduce, kernel, stride)
        )
        return layer, plain, (2,) if one else (2, draw(st.integers(1, 7)))

    return strategy()


def recurrent(return_sequences):
    @st.composite
    def strategy(draw):
        layer = MaskedRecurrent(
            3,
            2,
            cell=draw(st.sampled_from(["lstm", "gru"])),
            num_layers=draw(st.integers(1, 2)),
            bidirectional=draw(st.booleans()),
            return_sequences=return_sequences,
        )
        if draw(st.booleans()):  # the way of the GPU
            layer._read_turned = layer._read_packed

        def plain(x):
            y = layer.rnn(x.transpose(1, 2))[0].transpose(1, 2)
            if return_sequences:
                return y
            return torch.cat([y[:, :2, -1], y[:, 2:, 0]], 1)

        return layer, plain, (3,)

    return strategy()


@st.composite
def sequential(draw):
    """A small network in evaluation mode, so that batch norm is in it too."""
    conv, conv_after = nn.Conv2d(1, 3, 3, padding=1), nn.Conv2d(3, 2, (3, 2))
    norm = nn.BatchNorm2d(3)
    norm.running_mean.normal_()
    norm.running_var.uniform_(0.5, 2.0)
    nn.init.normal_(norm.bias)
    kernel = draw(st.integers(1, 3))
    plain = nn.Sequential(conv, norm, nn.ELU(), nn.MaxPool2d((2, kernel)), conv_after, nn.ReLU())
    layer = MaskedSequential(
        MaskedConv2d(1, 3, 3),
        MaskedBatchNorm2d(3),
        nn.ELU(),
        MaskedMaxPool2d((2, kernel)),
        MaskedConv2d(3, 2, (3, 2), padding="valid"),
        nn.ReLU(),
    )
    layer.load_state_dict(plain.state_dict())
    for index in (0, 1, 4):  # the same parameters, so that gradients can be asked of one list
        plain[index].weight, plain[index].bias = layer[index].weight, layer[index].bias
    return layer.eval(), plain.eval(), (1, 8)


LAYERS = {
    "conv1d": conv1d(),
    "conv2d": conv2d(),
    "max1d": pool(MaskedMaxPool1d, nn.MaxPool1d, torch.amax, 1),
    "max2d": pool(MaskedMaxPool2d, nn.MaxPool2d, torch.amax, 2),
    "avg1d": pool(MaskedAvgPool1d, nn.AvgPool1d, torch.mean, 1),
    "avg2d": pool(MaskedAvgPool2d, nn.AvgPool2d, torch.mean, 2),
    "recurrent": recurrent(return_sequences=True),
    "sequential": sequential(),
}
every_layer = pytest.mark.parametrize("kind", LAYERS)


def draw_layer(data, kind, dtype=torch.float64):
    torch.manual_seed(data.draw(st.integers(0, 2**16), label="seed"))
    strategy = recurrent(return_sequences=False) if kind == "final" else LAYERS[kind]
    layer, plain, shape = data.draw(strategy)
    layer.to(dtype)
    if isinstance(plain, nn.Module):
        plain.to(dtype)
    return layer, plain, shape


def draw_recordings(data, layer, shape, dtype=torch.float64):
    least = layer.min_input_length()
    lengths = data.draw(st.lists(st.integers(least, least + 9), min_size=1, max_size=4))
    return [torch.randn(*shape, n, dtype=dtype, requires_grad=True) for n in lengths]


def make_batch(recordings, extra=0):
    lengths = torch.tensor([r.shape[-1] for r in recordings])
    n_frames = int(lengths.max()) + extra
    return torch.stack([F.pad(r, (0, n_frames - r.shape[-1])) for r in recordings]), lengths


def gradients(outputs, directions, leaves):
    """Take the gradients of the sum of <output, direction>."""
    loss = sum((y * d).sum() for y, d in zip(outputs, directions, strict=True))
    return torch.autograd.grad(loss, leaves)


def assert_all_close(actual, expected):
    for a, e in zip(actual, expected, strict=True):
        torch.testing.assert_close(a, e, **TOLERANCE)


@DTYPES
@every_layer
@PROPERTY
@given(data=st.data())
def test_a_batch_gives_what_each_recording_gives_alone(kind, dtype, data):
    layer, plain, shape = draw_layer(data, kind, dtype)
    recordings = draw_recordings(data, layer, shape, dtype)
    x, lengths = make_batch(recordings, extra=data.draw(st.integers(0, 5), label="extra"))

    y, lengths_out = layer(x, lengths)
    alone = [plain(r[None])[0] for r in recordings]

    assert lengths_out.tolist() == [a.shape[-1] for a in alone]
    assert lengths_out.tolist() == [layer.output_lengths(r.shape[-1]) for r in recordings]
    assert torch.equal(layer.output_lengths(lengths), lengths_out)
    assert y.dtype == dtype
    for i, n in enumerate(lengths_out):
        assert (y[i, ..., n:] == 0).all()
    assert_all_close([y[i, ..., :n] for i, n in enumerate(lengths_out)], alone)

    # Directions are nonzero in the padding too: no gradient may come from there.
    direction = torch.randn_like(y)
    leaves = [*recordings, *layer.parameters()]
    parts = [direction[i, ..., :n] for i, n in enumerate(lengths_out)]
    assert_all_close(
        gradients([y], [direction], leaves),
        gradients(alone, parts, leaves),
    )


@DTYPES
@PROPERTY
@given(data=st.data())
def test_the_final_state_is_that_of_each_recording_alone(dtype, data):
    layer, plain, shape = draw_layer(data, "final", dtype)
    recordings = draw_recordings(data, layer, shape, dtype)
    x, lengths = make_batch(recordings, extra=data.draw(st.integers(0, 3), label="extra"))

    y = layer(x, lengths)
    alone = torch.cat([plain(r[None]) for r in recordings])

    assert_all_close([y], [alone])
    direction = torch.randn_like(y)
    leaves = [*recordings, *layer.parameters()]
    assert_all_close(gradients([y], [direction], leaves), gradients([alone], [direction], leaves))


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_only_the_forget_gate_begins_open(cell):
    options = {"num_layers": 2, "bidirectional": True, "batch_first": True}
    torch.manual_seed(0)
    ours = MaskedRecurrent(3, 4, cell=cell, num_layers=2, bidirectional=True).rnn
    torch.manual_seed(0)
    plain = (nn.LSTM if cell == "lstm" else nn.GRU)(3, 4, **options)
    for (name, found), wanted in zip(ours.named_parameters(), plain.parameters(), strict=True):
        raised = torch.zeros_like(wanted)
        if cell == "lstm" and name.startswith("bias_ih"):
            raised[4:8] = 1
        assert torch.equal(found, wanted + raised), name


@pytest.mark.parametrize("cell", ["lstm", "gru"])
@pytest.mark.parametrize("lengths", [[5, 5], [3, 5], [2, 4]])
def test_sequences_end_in_what_a_layer_without_them_returns(cell, lengths):
    options = {"cell": cell, "num_layers": 2, "bidirectional": True}
    layer = MaskedRecurrent(3, 4, return_sequences=False, **options)
    whole = MaskedRecurrent(3, 4, **options)
    whole.load_state_dict(layer.state_dict())
    x, lengths = torch.randn(2, 3, 5), torch.tensor(lengths)
    y, unchanged = layer.sequences(x, lengths)
    assert torch.equal(unchanged, lengths)
    assert torch.equal(y, whole(x, lengths)[0])
    assert torch.equal(y, whole.sequences(x, lengths)[0])
    ends = torch.cat([y[[0, 1], :4, lengths - 1], y[:, 4:, 0]], 1)
    torch.testing.assert_close(layer(x, lengths), ends, rtol=0, atol=1e-6)


def test_recurrent_sizes_may_be_numpys():
    assert MaskedRecurrent(np.int64(3), np.int64(4)).rnn.hidden_size == 4


def test_dropout_between_recurrent_layers_acts_in_training_only():
    layer = MaskedRecurrent(2, 4, num_layers=2, bidirectional=True, dropout=0.5)
    x, lengths = make_batch([torch.randn(2, 3), torch.randn(2, 6)])
    torch.manual_seed(0)
    assert not torch.equal(layer(x, lengths)[0], layer(x, lengths)[0])
    layer.eval()
    alone = layer.rnn(x[:1, :, :3].transpose(1, 2))[0].transpose(1, 2)
    torch.testing.assert_close(layer(x, lengths)[0][:1, :, :3], alone, **TOLERANCE)


@every_layer
@settings(PROPERTY, max_examples=50)
@given(data=st.data())
def test_the_order_of_the_batch_does_not_matter(kind, data):
    layer, _, shape = draw_layer(data, kind)
    x, lengths = make_batch(draw_recordings(data, layer, shape))
    order = torch.randperm(len(lengths))

    y, lengths_out = layer(x, lengths)
    y_shuffled, lengths_shuffled = layer(x[order], lengths[order])

    assert torch.equal(lengths_shuffled, lengths_out[order])
    torch.testing.assert_close(y_shuffled, y[order], rtol=1e-12, atol=1e-12)


@every_layer
@settings(PROPERTY, max_examples=50)
@given(data=st.data(), n_out=st.integers(1, 5))
def test_min_input_length_is_enough_and_minimal(kind, data, n_out):
    layer, plain, shape = draw_layer(data, kind)
    n = layer.min_input_length(n_out)

    assert plain(torch.randn(1, *shape, n, dtype=torch.float64)).shape[-1] == n_out
    assert layer.output_lengths(n) == n_out
    assert layer.output_lengths(n - 1) < n_out
    assert layer.output_lengths(torch.tensor([n, n - 1]))[1] < n_out


@every_layer
@settings(PROPERTY, max_examples=50)
@given(data=st.data())
def test_too_short_a_recording_is_named(kind, data):
    layer, _, shape = draw_layer(data, kind)
    least = layer.min_input_length()
    if least == 1:
        return
    x = torch.zeros(2, *shape, 30, dtype=torch.float64)
    with pytest.raises(ValueError, match=r"Recording 1 .* shorter than min_input_length\(\)"):
        layer(x, torch.tensor([30, least - 1]))


# Batch norm: alone means torch's own on the recordings laid end to end.


def norm_pair(n_axes, dtype):
    masked, plain = [
        (MaskedBatchNorm1d(3), nn.BatchNorm1d(3)),
        (MaskedBatchNorm2d(3), nn.BatchNorm2d(3)),
    ][n_axes - 1]
    nn.init.normal_(masked.weight)
    nn.init.normal_(masked.bias)
    plain.load_state_dict(masked.state_dict())
    return masked.to(dtype), plain.to(dtype)


@DTYPES
@pytest.mark.parametrize("n_axes", [1, 2])
@PROPERTY
@given(data=st.data())
def test_batch_norm_equals_torch_on_the_concatenation(n_axes, dtype, data):
    torch.manual_seed(data.draw(st.integers(0, 2**16), label="seed"))
    masked, plain = norm_pair(n_axes, dtype)
    shape = (3,) if n_axes == 1 else (3, data.draw(st.integers(1, 4), label="bins"))
    for _ in range(2):  # running statistics move twice
        # Two nearly equal frames leave float32 no digits of their variance, in torch's norm too.
        length = st.integers(2 if dtype == torch.float64 else 6, 12)
        lengths = data.draw(st.lists(length, min_size=1, max_size=4), label="lengths")
        recordings = [
            (torch.randn(*shape, n, dtype=dtype) * 2 + 1).requires_grad_() for n in lengths
        ]
        x, lengths = make_batch(recordings, extra=data.draw(st.integers(0, 3), label="extra"))

        y, lengths_out = masked(x, lengths)
        expected = plain(torch.cat(recordings, -1)[None])[0].split(lengths.tolist(), -1)

        assert lengths_out is lengths
        for i, n in enumerate(lengths):
            assert (y[i, ..., n:] == 0).all()
        assert_all_close([y[i, ..., :n] for i, n in enumerate(lengths)], expected)
        assert masked.state_dict().keys() == plain.state_dict().keys()
        assert_all_close(masked.state_dict().values(), plain.state_dict().values())

        direction = torch.randn_like(y)
        parts = [direction[i, ..., :n] for i, n in enumerate(lengths)]
        actual = gradients([y], [direction], [*recordings, masked.weight, masked.bias])
        wanted = gradients(expected, parts, [*recordings, plain.weight, plain.bias])
        # Two equal frames make a variance near 0, and a gradient of any size.
        scale = max(1.0, *(float(w.abs().max()) for w in wanted))
        assert_all_close([a / scale for a in actual], [w / scale for w in wanted])


@pytest.mark.parametrize("n_axes", [1, 2])
def test_batch_norm_in_evaluation_is_the_running_map_and_zero_padding(n_axes):
    torch.manual_seed(0)
    masked, plain = norm_pair(n_axes, torch.float64)
    x = torch.randn(2, 3, *[4] * (n_axes - 1), 6, dtype=torch.float64)
    plain(x)
    masked.load_state_dict(plain.state_dict())
    lengths = torch.tensor([3, 6])

    y, _ = masked.eval()(mask_padding(x, lengths), lengths)

    assert_all_close([y], [mask_padding(plain.eval()(x), lengths)])
    assert (y[0, ..., 3:] == 0).all()


@pytest.mark.parametrize("n_frames", [1, 3])
def test_batch_norm_of_one_value_has_variance_zero(n_frames):
    norm = MaskedBatchNorm1d(2)
    x = torch.zeros(1, 2, n_frames)
    x[..., 0] = 5.0

    y, _ = norm(x, torch.tensor([1]))

    assert (y == 0).all()
    torch.testing.assert_close(norm.running_mean, torch.full((2,), 0.5))
    torch.testing.assert_close(norm.running_var, torch.full((2,), 0.9))


def test_batch_norm_keeps_its_digits_far_from_zero():
    torch.manual_seed(0)
    lengths = torch.tensor([40, 100])
    x = mask_padding(torch.randn(2, 3, 100) + 1000, lengths)
    exact = MaskedBatchNorm1d(3).double()

    y, _ = MaskedBatchNorm1d(3)(x, lengths)

    # float32 at 1000 has steps of 6e-5
    torch.testing.assert_close(y.double(), exact(x.double(), lengths)[0], rtol=0, atol=2e-4)


# Padding, masks and their errors


def test_length_mask():
    assert length_mask(torch.tensor([0, 2]), 3).tolist() == [[False] * 3, [True, True, False]]


@pytest.mark.parametrize("shape", [(2, 4), (2, 3, 4), (2, 3, 5, 4)])
def test_mask_padding_zeroes_whatever_stands_there(shape):
    x = torch.ones(shape)
    x[0, ..., 1:] = float("nan")

    y = mask_padding(x, torch.tensor([1, 4]))

    assert (y[0, ..., 1:] == 0).all()
    assert (y[0, ..., :1] == 1).all()
    assert (y[1] == 1).all()


def test_mask_padding_returns_a_full_batch_itself():
    x = torch.randn(2, 3, 4)
    assert mask_padding(x, torch.tensor([4, 4])) is x


@pytest.mark.parametrize(
    ("shape", "lengths", "message"),
    [
        ((2, 3, 4), [4, 5], r"lengths\[1\] is 5; a length is 1 to the 4 frames"),
        ((2, 3, 4), [0, 4], r"lengths\[0\] is 0"),
        ((2, 3, 4), [4], r"x has shape \(2, 3, 4\) and lengths \(1,\)"),
        ((1,), [1], r"expected \(n_recordings, \.\.\., n_frames\)"),
    ],
)
def test_mask_padding_names_what_is_wrong(shape, lengths, message):
    with pytest.raises(ValueError, match=message):
        mask_padding(torch.zeros(shape), torch.tensor(lengths))


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: MaskedConv1d(1, 1, 3, padding="causal"), "padding is 'causal'"),
        (lambda: MaskedMaxPool1d(0), "kernel_size is 0; expected a positive integer"),
        (lambda: MaskedAvgPool2d((2, 2), (1, 0)), r"stride is \(1, 0\); .* \(bins, frames\)"),
        (lambda: MaskedConv2d(1, 1, (1, 2, 3)), r"kernel_size is \(1, 2, 3\)"),
        (lambda: MaskedRecurrent(1, 1, cell="rnn"), "cell is 'rnn'; expected 'lstm' or 'gru'"),
        (lambda: MaskedRecurrent(1, 1, dropout=0.5), "between layers and num_layers is 1"),
    ],
)
def test_wrong_settings_are_named(build, message):
    with pytest.raises(ValueError, match=message):
        build()


# Agreement with torch where torch has the same thing


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")
@pytest.mark.parametrize("kernel", [1, 2, 3, 16])
@pytest.mark.parametrize("dilation", [1, 2])
def test_same_is_torchs_same_at_stride_one(kernel, dilation):
    torch.manual_seed(0)
    plain = nn.Conv1d(2, 3, kernel, dilation=dilation, padding="same")
    masked = MaskedConv1d(2, 3, kernel, dilation=dilation)
    masked.load_state_dict(plain.state_dict())
    x = torch.randn(2, 2, 20)
    assert_all_close([masked(x, torch.tensor([20, 20]))[0]], [plain(x)])


@pytest.mark.parametrize(
    ("masked", "plain"),
    [
        (MaskedConv1d(1, 2, 3), nn.Conv1d(1, 2, 3)),
        (MaskedConv2d(1, 2, 3, bias=False), nn.Conv2d(1, 2, 3, bias=False)),
        (MaskedBatchNorm1d(2), nn.BatchNorm1d(2)),
        (MaskedBatchNorm2d(2), nn.BatchNorm2d(2)),
    ],
)
def test_states_are_named_as_in_torch(masked, plain):
    assert list(masked.state_dict()) == list(plain.state_dict())


def test_a_pool_wider_than_the_bins_shrinks_and_its_stride_too():
    x = torch.arange(6.0).reshape(1, 1, 3, 2)
    y, _ = MaskedMaxPool2d((8, 1), (2, 1))(x, torch.tensor([2]))
    assert y.tolist() == [[[[4.0, 5.0]]]]
    y, _ = MaskedAvgPool2d((8, 1), (8, 1), padding="same")(x, torch.tensor([2]))
    assert y.tolist() == [[[[2.0, 3.0]]]]


def test_the_border_rule_of_ma_drops_the_odd_frame():
    x = torch.tensor([[[-4.0, -3.0, -2.0, 0.0]], [[-4.0, -3.0, -2.0, -1.0]]])
    y, lengths = MaskedMaxPool1d(2)(x, torch.tensor([3, 4]))
    assert lengths.tolist() == [1, 2]
    assert y.tolist() == [[[-3.0, 0.0]], [[-3.0, -1.0]]]


# MaskedSequential


def small_net():
    return MaskedSequential(
        MaskedConv1d(1, 4, 3),
        MaskedBatchNorm1d(4),
        nn.ELU(),
        MaskedMaxPool1d(4),
        nn.Dropout(0.5),
        MaskedRecurrent(4, 3),
    )


def test_sequential_composes_lengths():
    net = small_net()
    assert net.output_lengths(11) == 2
    assert net.output_lengths(torch.tensor([3, 4, 12])).tolist() == [0, 1, 3]
    assert net.min_input_length(3) == 12


def test_sequential_indexes_slices_and_iterates_as_torchs():
    net = small_net()
    assert len(net) == 6
    assert isinstance(net[1], MaskedBatchNorm1d)
    assert isinstance(net[:2], MaskedSequential)
    assert net[-1].rnn.hidden_size == 3
    assert [type(layer).__name__ for layer in net][2] == "ELU"
    assert "0.weight" in net.state_dict()


def test_sequential_takes_names():
    net = MaskedSequential(OrderedDict(conv=MaskedConv1d(1, 2, 3), relu=nn.ReLU()))
    assert list(net.state_dict()) == ["conv.weight", "conv.bias"]


@pytest.mark.parametrize(
    "layer", [nn.Conv1d(1, 1, 3), nn.BatchNorm1d(2), nn.Sigmoid(), nn.Flatten(), nn.MaxPool1d(2)]
)
def test_sequential_refuses_layers_that_do_not_know_padding(layer):
    with pytest.raises(TypeError, match=r"Layer 1 .* may write into the padding"):
        MaskedSequential(MaskedConv1d(1, 1, 3), layer)
    with pytest.raises(TypeError, match="may write into the padding"):
        MaskedSequential().append(layer)


def test_sequential_refuses_a_layer_without_frames():
    with pytest.raises(TypeError, match="gives no frames"):
        MaskedSequential(MaskedRecurrent(1, 1, return_sequences=False))


@pytest.mark.parametrize(
    "activation",
    [nn.ELU(), nn.GELU(), nn.LeakyReLU(), nn.ReLU(), nn.SiLU(), nn.Tanh(), nn.Identity()],
)
def test_activations_of_a_sequential_leave_zero_zero(activation):
    x = torch.zeros(1, 1, 3)
    assert torch.equal(MaskedSequential(activation)(x, torch.tensor([3]))[0], x)


# Living with the rest of torch


def one_of_each():
    """Give layers and the channels, bins of their input."""
    return [
        (MaskedConv1d(2, 3, 4), (2,)),
        (MaskedConv2d(2, 3, (3, 4), stride=2), (2, 6)),
        (MaskedMaxPool1d(2, padding="same"), (2,)),
        (MaskedMaxPool2d((4, 3), (2, 2), padding="same"), (2, 7)),
        (MaskedAvgPool1d(3, 2, padding="same"), (2,)),
        (MaskedAvgPool2d((3, 2), padding="same"), (2, 7)),
        (MaskedBatchNorm1d(2), (2,)),
        (MaskedBatchNorm2d(2), (2, 5)),
        (MaskedRecurrent(2, 3, bidirectional=True), (2,)),
        (MaskedRecurrent(2, 3, cell="gru"), (2,)),
        (
            MaskedSequential(
                MaskedConv1d(2, 4, 3), MaskedBatchNorm1d(4), nn.ELU(), MaskedMaxPool1d(2)
            ),
            (2,),
        ),
    ]


each_once = pytest.mark.parametrize(
    ("layer", "shape"), one_of_each(), ids=lambda v: type(v).__name__
)


def ragged_batch(shape, n_frames=11):
    torch.manual_seed(3)
    lengths = torch.tensor([5, 9, 8])
    return mask_padding(torch.randn(3, *shape, n_frames), lengths), lengths


@each_once
@pytest.mark.parametrize("copied", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_copies_and_pickles_are_the_same_layer(layer, shape, copied):
    layer = copy.deepcopy(layer)
    x, lengths = ragged_batch(shape)
    layer(x, lengths)
    twin = copied(layer.eval())

    assert torch.equal(twin(x, lengths)[0], layer(x, lengths)[0])
    assert repr(twin) == repr(layer)
    assert twin.min_input_length() == layer.min_input_length()


@each_once
@pytest.mark.parametrize("training", [True, False])
def test_autocast_to_bfloat16(layer, shape, training):
    layer = copy.deepcopy(layer).train(training)
    plain = copy.deepcopy(layer)
    x, lengths = ragged_batch(shape)
    x.requires_grad_()

    with torch.autocast("cpu", dtype=torch.bfloat16):
        y, lengths_out = layer(x.bfloat16(), lengths)
    y.float().square().sum().backward()

    expected, _ = plain(x.detach().bfloat16().float(), lengths)
    torch.testing.assert_close(y.float(), expected, rtol=0.05, atol=0.05)
    assert x.grad.isfinite().all()
    for i, n in enumerate(lengths_out):
        assert (y[i, ..., n:] == 0).all()


def test_batch_statistics_stay_in_float32_under_autocast():
    x, lengths = ragged_batch((2, 5))
    rounded = x.bfloat16()
    norm, exact = MaskedBatchNorm2d(2), MaskedBatchNorm2d(2).double()

    with torch.autocast("cpu", dtype=torch.bfloat16):
        y, _ = norm(rounded, lengths)
    exact(rounded.double(), lengths)

    assert y.dtype == torch.bfloat16
    assert_all_close(
        [norm.running_mean.double(), norm.running_var.double()],
        [exact.running_mean, exact.running_var],
    )


@each_once
def test_inputs_and_random_state_are_left_alone(layer, shape):
    layer = copy.deepcopy(layer)
    x, lengths = ragged_batch(shape)
    before = x.clone(), lengths.clone()
    state = torch.get_rng_state()

    layer(x, lengths)
    layer(x[..., :5].contiguous(), torch.tensor([5, 5, 5]))

    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(x, before[0])
    assert torch.equal(lengths, before[1])


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@each_once
@pytest.mark.parametrize("lengths_device", ["cpu", "cuda"])
def test_cuda_with_lengths_on_either_device(layer, shape, lengths_device):
    layer = copy.deepcopy(layer)
    x, lengths = ragged_batch(shape)
    expected, expected_lengths = copy.deepcopy(layer)(x, lengths)

    y, lengths_out = layer.cuda()(x.cuda(), lengths.to(lengths_device))

    assert torch.equal(lengths_out.cpu(), expected_lengths)
    torch.testing.assert_close(y.cpu(), expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("room", ["masked", "normalization", "pooling", "recurrent"])
def test_the_examples_run(room):
    result = doctest.testmod(importlib.import_module(f"skspeech.layers.{room}"))
    assert result.attempted > 0
    assert result.failed == 0
