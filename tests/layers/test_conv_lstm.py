"""ConvLSTM: Shi et al.'s equations step by step, Keras's layer, padding, gradients, errors."""

import copy
import io
import pickle

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import pad

from skspeech.layers import ConvLSTM


def convolve(x, weight, stride, padding):
    """Convolve maps (n, channels, rows, columns) with (out, channels, height, width) by taps."""
    height, width = weight.shape[2:]
    if padding == "same":  # Keras: ceil(n / stride) places, the smaller half of the zeros before
        ends = []
        for n, kernel, s in ((x.shape[2], height, stride[0]), (x.shape[3], width, stride[1])):
            total = max((-(-n // s) - 1) * s + kernel - n, 0)
            ends.append((total // 2, total - total // 2))
        x = np.pad(x, [(0, 0), (0, 0), *ends])
    rows, columns = (x.shape[2] - height) // stride[0] + 1, (x.shape[3] - width) // stride[1] + 1
    y = np.zeros((len(x), len(weight), rows, columns))
    for i in range(height):
        for j in range(width):
            seen = x[
                :, :, i : i + rows * stride[0] : stride[0], j : j + columns * stride[1] : stride[1]
            ]
            y += np.einsum("nchw,oc->nohw", seen[:, :, :rows, :columns], weight[:, :, i, j])
    return y


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def hard_sigmoid(x):
    return np.clip(0.2 * x + 0.5, 0, 1)


def stated(layer, direction, x, gate=sigmoid):
    """Run equations 3 of Shi et al. over (n, time, channels, rows, columns), forwards in time."""
    w = {name: p.detach().numpy() for name, p in direction.named_parameters()}
    n_hidden = layer.hidden_channels
    wi, wf, wc, wo = np.split(w["input_weight"], 4)
    ui, uf, uc, uo = np.split(w["recurrent_weight"], 4)
    bi, bf, bc, bo = (b[:, None, None] for b in np.split(w["bias"], 4))
    pi, pf, po = w.get("peepholes", np.zeros((3, n_hidden, 1, 1)))
    h = c = np.zeros((len(x), n_hidden, *layer.output_shape(x.shape[3:])))
    outputs = []
    for t in range(x.shape[1]):

        def of_input(weight, t=t):
            return convolve(x[:, t], weight, layer.stride, layer.padding)

        def of_state(weight, h=h):
            return convolve(h, weight, (1, 1), "same")

        i = gate(of_input(wi) + of_state(ui) + pi * c + bi)
        f = gate(of_input(wf) + of_state(uf) + pf * c + bf)
        c = f * c + i * np.tanh(of_input(wc) + of_state(uc) + bc)
        o = gate(of_input(wo) + of_state(uo) + po * c + bo)
        h = o * np.tanh(c)
        outputs.append(h)
    return np.stack(outputs, 1)


def shaken(layer):
    """Return the layer in double precision with all parameters drawn, biases and peepholes too."""
    torch.manual_seed(1)
    layer = layer.double()
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.normal_(0, 0.4)
    return layer


@settings(max_examples=20, deadline=None)
@given(
    n=st.integers(1, 3),
    n_frames=st.integers(1, 4),
    size=st.tuples(st.integers(4, 7), st.integers(4, 7)),
    kernel=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    stride=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    padding=st.sampled_from(["same", "valid"]),
    peeps=st.booleans(),
    hard=st.booleans(),
)
def test_it_is_the_stated_equations(n, n_frames, size, kernel, stride, padding, peeps, hard):
    options = {"stride": stride, "padding": padding}
    out = ConvLSTM(2, 3, kernel, **options).output_shape(size)
    layer = shaken(
        ConvLSTM(
            2,
            3,
            kernel,
            recurrent_activation="hard_sigmoid" if hard else "sigmoid",
            peephole_size=out if peeps else None,
            bidirectional=True,
            **options,
        )
    )
    x = torch.randn(n, n_frames, 2, *size).double()
    y = layer(x)
    gate = hard_sigmoid if hard else sigmoid
    forwards = stated(layer, layer.forwards, x.numpy(), gate)
    backwards = stated(layer, layer.backwards, x.numpy()[:, ::-1], gate)[:, ::-1]
    expected = np.concatenate([forwards, backwards], 2)
    assert y.shape == (n, n_frames, 6, *out)
    np.testing.assert_allclose(y.detach(), expected, rtol=1e-9, atol=1e-12)
    layer.return_sequences = False
    last = np.concatenate([forwards[:, -1], backwards[:, 0]], 1)
    np.testing.assert_allclose(layer(x).detach(), last, rtol=1e-9, atol=1e-12)


def test_gradients_are_right():
    layer = shaken(ConvLSTM(1, 1, 3, stride=2, peephole_size=(2, 1), bidirectional=True))
    x = torch.randn(2, 3, 1, 3, 2).double().requires_grad_()
    parameters = list(layer.parameters())

    def run(x, *_):
        return layer(x, torch.tensor([2, 3]))

    assert torch.autograd.gradcheck(run, (x, *parameters))


@settings(max_examples=20, deadline=None)
@given(lengths=st.lists(st.integers(1, 4), min_size=1, max_size=4), extra=st.integers(0, 2))
def test_padding_reaches_nothing(lengths, extra):
    layer = shaken(ConvLSTM(2, 3, 3, stride=2, peephole_size=(2, 2), bidirectional=True))
    recordings = [torch.randn(n, 2, 4, 3).double().requires_grad_() for n in lengths]
    longest = max(lengths) + extra
    x = torch.stack([pad(r, (0,) * 7 + (longest - len(r),), value=torch.nan) for r in recordings])
    y = layer(x, torch.tensor(lengths))
    layer.return_sequences = False
    last = layer(x, torch.tensor(lengths))
    layer.return_sequences = True
    leaves = [*recordings, *layer.parameters()]
    alone = [layer(r[None])[0] for r in recordings]
    for row, end, a, n in zip(y, last, alone, lengths, strict=True):
        torch.testing.assert_close(row[:n], a)
        torch.testing.assert_close(end, torch.cat([a[-1, :3], a[0, 3:]]))
        assert not row[n:].any()
    directions = [torch.randn_like(a) for a in alone]
    found = sum((row[: len(d)] * d).sum() for row, d in zip(y, directions, strict=True))
    expected = sum((a * d).sum() for a, d in zip(alone, directions, strict=True))
    for left, right in zip(
        *(torch.autograd.grad(y, leaves, materialize_grads=True) for y in (found, expected)),
        strict=True,
    ):
        torch.testing.assert_close(left, right)


def test_it_begins_as_in_keras():
    torch.manual_seed(0)
    layer = ConvLSTM(90, 64, 3, stride=2, peephole_size=(4, 4), bidirectional=True)
    for direction in (layer.forwards, layer.backwards):
        bias = direction.bias.detach().reshape(4, 64)
        assert bias[1].eq(1).all()
        assert not bias[[0, 2, 3]].any()
        assert not direction.peepholes.any()
        flat = direction.recurrent_weight.detach().flatten(1)
        torch.testing.assert_close(flat @ flat.T, torch.eye(256), rtol=0, atol=1e-5)
        bound = (6 / (9 * 90 + 9 * 256)) ** 0.5
        assert 0.99 * bound < direction.input_weight.abs().max() <= bound


def test_table_1s_parameters_and_map():
    layer = ConvLSTM(90, 64, 3, stride=2)
    assert sum(p.numel() for p in layer.parameters()) == 355_072
    assert layer.output_shape((8, 8)) == (4, 4)
    assert ConvLSTM(90, 64, 3, stride=2, padding="valid").output_shape((8, 8)) == (3, 3)
    peeping = ConvLSTM(90, 64, 3, stride=2, peephole_size=(4, 4))
    assert sum(p.numel() for p in peeping.parameters()) == 355_072 + 3_072


def test_a_recording_does_not_depend_on_the_batch():
    layer = ConvLSTM(2, 4, 3)
    x = torch.randn(5, 3, 2, 6, 5)
    torch.testing.assert_close(layer(x)[1:3], layer(x[1:3]), rtol=0, atol=1e-6)


def test_it_is_copied_pickled_and_saved():
    torch.manual_seed(0)
    layer = ConvLSTM(1, 2, 3, peephole_size=(4, 4), bidirectional=True)
    x = torch.randn(1, 2, 1, 4, 4)
    other = ConvLSTM(1, 2, 3, peephole_size=(4, 4), bidirectional=True)
    stream = io.BytesIO()
    torch.save(layer.state_dict(), stream)
    stream.seek(0)
    other.load_state_dict(torch.load(stream))
    for twin in (other, copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert torch.equal(twin(x), layer(x))


def test_it_runs_in_bfloat16():
    layer = ConvLSTM(1, 2, 3, bidirectional=True)
    x = torch.randn(2, 3, 1, 4, 4)
    with torch.autocast("cpu", torch.bfloat16):
        found = layer(x, torch.tensor([2, 3]))
    torch.testing.assert_close(found.float(), layer(x, torch.tensor([2, 3])), rtol=0, atol=0.03)


def test_settings_are_shown():
    shown = repr(ConvLSTM(1, 2, 3, stride=2, bidirectional=True, return_sequences=False))
    assert "ConvLSTM(" in shown
    assert "1, 2, kernel_size=(3, 3), stride=(2, 2)" in shown


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"padding": "full"}, "padding is 'full'; expected 'valid' or 'same'"),
        ({"recurrent_activation": "relu"}, "recurrent_activation is 'relu'; expected 'sigmoid' or"),
        ({"stride": 0}, "stride is 0; expected a positive integer or two of them, rows, columns"),
        ({"peephole_size": (0, 3)}, r"peephole_size is \(0, 3\)"),
    ],
)
def test_options_are_checked(options, problem):
    with pytest.raises(ValueError, match=problem):
        ConvLSTM(1, 2, 3, **options)


@pytest.mark.parametrize(
    ("layer", "shape", "problem"),
    [
        (ConvLSTM(2, 3, 3), (1, 4, 5, 5), r"\(n, n_frames, 2, n_rows, n_columns\)"),
        (ConvLSTM(2, 3, 3), (1, 4, 1, 5, 5), r"\(n, n_frames, 2, n_rows, n_columns\)"),
        (ConvLSTM(2, 3, 3), (1, 0, 2, 5, 5), "no frame"),
        (ConvLSTM(2, 3, 3, padding="valid"), (1, 4, 2, 2, 5), r"maps of 2 x 5 are smaller than"),
        (ConvLSTM(2, 3, 3, peephole_size=(4, 4)), (1, 4, 2, 5, 5), r"peephole_size is \(4, 4\)"),
    ],
)
def test_input_is_checked(layer, shape, problem):
    with pytest.raises(ValueError, match=problem):
        layer(torch.zeros(shape))


@pytest.mark.parametrize(
    ("lengths", "problem"), [([0, 2], r"lengths\[0\] is 0"), ([1, 4], "is 4"), ([1], "lengths")]
)
def test_lengths_are_checked(lengths, problem):
    with pytest.raises(ValueError, match=problem):
        ConvLSTM(1, 2, 3)(torch.zeros(2, 3, 1, 4, 4), torch.tensor(lengths))


KERNELS = pytest.mark.parametrize(
    ("kernel", "stride", "padding"),
    [(3, 2, "same"), ((2, 4), 1, "same"), ((4, 3), 2, "same"), ((3, 2), 2, "valid")],
)


@KERNELS
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("return_sequences", [False, True])
@pytest.mark.filterwarnings("ignore:__array__ implementation")  # Keras's own, of torch
def test_keras_agrees(keras, kernel, stride, padding, bidirectional, return_sequences):
    @keras.saving.register_keras_serializable("tests")
    def hard_sigmoid_2(x):  # that of Keras 2; Keras 3 has another
        return keras.ops.clip(0.2 * x + 0.5, 0.0, 1.0)

    torch.manual_seed(0)
    hard = padding == "valid" or not bidirectional
    layer = ConvLSTM(
        2,
        3,
        kernel,
        stride=stride,
        padding=padding,
        recurrent_activation="hard_sigmoid" if hard else "sigmoid",
        bidirectional=bidirectional,
        return_sequences=return_sequences,
    )
    theirs = keras.layers.ConvLSTM2D(
        3,
        kernel,
        strides=stride,
        padding=padding,
        recurrent_activation=hard_sigmoid_2 if hard else "sigmoid",
        return_sequences=return_sequences,
    )
    if bidirectional:
        theirs = keras.layers.Bidirectional(theirs)
    x = torch.randn(2, 3, 2, 7, 6)
    last = x.movedim(2, -1).numpy()
    theirs.build(last.shape)
    weights = []
    for direction in filter(None, (layer.forwards, layer.backwards)):
        for weight in (direction.input_weight, direction.recurrent_weight):
            weights.append(weight.detach().permute(2, 3, 1, 0).numpy())
        weights.append(direction.bias.detach().numpy())
    theirs.set_weights(weights)
    found = torch.as_tensor(keras.ops.convert_to_numpy(theirs(last))).movedim(-1, -3)
    torch.testing.assert_close(layer(x).detach(), found, rtol=1e-4, atol=1e-5)
