"""Shandiz and Tóth's three networks: their layers, their sizes, and what they learn."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from sklearn.base import clone
from torch import nn
from torch.nn import functional

from skspeech.layers import ConvLSTM
from skspeech.models import Conv3DBiLSTMRegressor, Conv3DConvLSTMRegressor, Conv3DRegressor
from skspeech.testing import small_instance

LAYOUT, N_OUTPUTS = (128, 64), 80
NETWORKS = [Conv3DRegressor, Conv3DBiLSTMRegressor, Conv3DConvLSTMRegressor]


def make_network(network, layout=LAYOUT, n_outputs=N_OUTPUTS, **parameters):
    torch.manual_seed(0)
    return network(**parameters)._make_network(layout, n_outputs).eval()


def n_parameters(module):
    return sum(parameter.numel() for parameter in module.parameters())


def shapes(network, layout=LAYOUT, context_frames=25):
    """Return steps, rows, columns and maps after each layer."""
    x = torch.zeros(1, 1, context_frames, *layout)
    found = []
    with torch.inference_mode():
        for layer in network.layers:
            x = layer(x)
            found.append((*x.shape[2:], x.shape[1]))
    return found


# Table 1

CONVOLUTIONS = [(5, 64, 32, 30), (5, 16, 8, 60), (5, 8, 8, 90), (5, 2, 2, 85)]
WITH_LSTM = [(5, 64, 32, 30), (5, 16, 16, 60), (5, 8, 8, 90), (1, 4, 4, 64)]


@pytest.mark.parametrize(
    ("network", "n_wanted", "after"),
    [
        (Conv3DRegressor, 3_425_845, CONVOLUTIONS),
        (Conv3DBiLSTMRegressor, 4_278_705 + 2_560, CONVOLUTIONS),  # torch's second bias
        (Conv3DConvLSTMRegressor, 1_679_402, WITH_LSTM),
    ],
)
def test_table_1(network, n_wanted, after):
    made = make_network(network)
    assert n_parameters(made) == n_wanted
    assert shapes(made) == after
    with torch.inference_mode():
        assert made(torch.zeros(2, 25, *LAYOUT)).shape == (2, N_OUTPUTS)


def test_parameters_of_each_layer():
    layers = make_network(Conv3DRegressor)
    assert [n_parameters(layer) for layer in layers.layers] == [25_380, 304_260, 912_690, 1_292_935]
    assert (n_parameters(layers.join), n_parameters(layers.answer)) == (850_500, 40_080)
    lstm = make_network(Conv3DBiLSTMRegressor)
    assert n_parameters(lstm.join) == 1_692_160 + 2_560
    maps = make_network(Conv3DConvLSTMRegressor)
    assert (n_parameters(maps.layers[3]), n_parameters(maps.answer)) == (355_072, 82_000)


def test_defaults_of_the_paper():
    for network in NETWORKS:
        parameters = network().get_params()
        wanted = {"context_frames": 25, "time_stride": 5, "kernel_size": 13, "batch_size": 128}
        assert wanted.items() <= parameters.items()
        assert (parameters["optimizer"], parameters["lr"]) == ("adam", 1e-3)
    assert Conv3DConvLSTMRegressor().peepholes is False


def keras_padding(size, kernel, stride):
    """What Keras's "same" puts before and after an axis; the formula of its documentation."""
    needed = max(kernel - stride if size % stride == 0 else kernel - size % stride, 0)
    return needed // 2, needed - needed // 2


def padded(x, kernels, strides):
    ends = [keras_padding(*axis) for axis in zip(x.shape[2:], kernels, strides, strict=True)]
    return functional.pad(x, [n for pair in reversed(ends) for n in pair])


# kernel, stride and pool of each convolution in Table 1
PLAIN = {
    "3D-CNN": [
        ((5, 13, 13), (5, 2, 2), None),
        ((1, 13, 13), (1, 2, 2), (1, 2, 2)),
        ((1, 13, 13), (1, 2, 1), None),
        ((1, 13, 13), (1, 2, 2), (1, 2, 2)),
    ],
    "ConvLSTM": [
        ((5, 13, 13), (5, 2, 2), None),
        ((1, 13, 13), (1, 2, 2), (1, 2, 1)),
        ((1, 13, 13), (1, 2, 2), None),
    ],
}


def plain_convolutions(rows, x, weights):
    """Table 1's convolutions as plain torch has them, with explicit padding."""
    x = x.unsqueeze(1)
    for (kernel, stride, pool), (weight, bias) in zip(rows, weights, strict=True):
        conv = nn.Conv3d(x.shape[1], len(bias), kernel, stride)
        conv.load_state_dict({"weight": weight, "bias": bias})
        x = conv(padded(x, kernel, stride))
        x = x * torch.sigmoid(x)  # swish
        x = x if pool is None else nn.MaxPool3d(pool)(x)
    return x


def own_weights(network):
    """Return random weights of the convolutions, biases too, and put them into the network."""
    convolutions = [layer.conv for layer in network.layers if hasattr(layer, "conv")]
    for conv in convolutions:
        nn.init.normal_(conv.bias, std=0.1)
    return [(conv.weight.detach(), conv.bias.detach()) for conv in convolutions]


N_MAPS = (3, 4, 5, 6)  # Table 1's kernels, strides and pools on fewer maps


def windows(n=2):
    return torch.randn(n, 25, *LAYOUT, generator=torch.manual_seed(1))


@torch.inference_mode()
def test_dense_network_is_table_1():
    network = make_network(Conv3DRegressor, n_maps=N_MAPS, dense_units=7)
    x = plain_convolutions(PLAIN["3D-CNN"], windows(), own_weights(network)).flatten(1)
    dense = network.join[1]
    x = functional.silu(x @ dense.weight.T + dense.bias)
    wanted = x @ network.answer.weight.T + network.answer.bias
    assert_allclose(network(windows()), wanted, atol=1e-5)


@torch.inference_mode()
def test_lstm_network_is_table_1():
    network = make_network(Conv3DBiLSTMRegressor, n_maps=N_MAPS, lstm_units=7)
    x = plain_convolutions(PLAIN["3D-CNN"], windows(), own_weights(network))
    steps = torch.stack([x[:, :, i].flatten(1) for i in range(5)], dim=1)
    ours = [module for module in network.join.modules() if isinstance(module, nn.LSTM)]
    (ours,) = ours
    lstm = nn.LSTM(6 * 2 * 2, 7, bidirectional=True, batch_first=True)
    lstm.load_state_dict(ours.state_dict())
    _, (last, _) = lstm(steps)  # Keras's return_sequences=False: the last of each direction
    joined = torch.cat([last[0], last[1]], dim=1)
    wanted = joined @ network.answer.weight.T + network.answer.bias
    assert_allclose(network(windows()), wanted, atol=1e-5)


@torch.inference_mode()
def test_convlstm_network_is_table_1():
    network = make_network(Conv3DConvLSTMRegressor, n_maps=N_MAPS)
    x = plain_convolutions(PLAIN["ConvLSTM"], windows(), own_weights(network))
    lstm = network.layers[3].lstm.forwards
    state = cell = torch.zeros(2, 6, 4, 4)
    for i in range(5):
        own = functional.conv2d(padded(x[:, :, i], (3, 3), (2, 2)), lstm.input_weight, lstm.bias, 2)
        gates = own + functional.conv2d(padded(state, (3, 3), (1, 1)), lstm.recurrent_weight)
        into, forget, new, out = gates.chunk(4, dim=1)
        cell = forget.sigmoid() * cell + into.sigmoid() * new.tanh()
        state = out.sigmoid() * cell.tanh()
    wanted = state.flatten(1) @ network.answer.weight.T + network.answer.bias
    assert_allclose(network(windows()), wanted, atol=1e-5)


def test_dropout_follows_each_convolution_and_the_dense_layer():
    network = make_network(Conv3DRegressor, dropout=0.3)
    shares = [module.p for module in network.modules() if isinstance(module, nn.Dropout)]
    assert shares == [0.3] * 5
    network = make_network(Conv3DConvLSTMRegressor)
    assert [m.p for m in network.modules() if isinstance(m, nn.Dropout)] == [0.35] * 3


def test_weights_begin_as_the_authors():
    network = make_network(Conv3DRegressor)
    for layer in (network.layers[1].conv, network.join[1], network.answer):
        bound = np.sqrt(6 / layer.weight[0].numel())
        assert 0.95 * bound < layer.weight.abs().max() <= bound
        assert not layer.bias.any()


# Table 3

ROWS = [
    ("conv3d",),
    ("convlstm",),
    ("conv3d", "conv3d", "conv3d", "conv3d"),
    ("convlstm", "convlstm", "convlstm", "convlstm"),
    ("convlstm", "conv3d", "conv3d", "conv3d"),
    ("conv3d", "convlstm", "conv3d", "conv3d"),
    ("conv3d", "conv3d", "convlstm", "conv3d"),
    ("conv3d", "conv3d", "conv3d", "convlstm"),
    ("convlstm", "convlstm", "conv3d", "conv3d"),
    ("conv3d", "conv3d", "convlstm", "convlstm"),
    ("convlstm", "conv3d", "convlstm", "conv3d"),
    ("conv3d", "convlstm", "conv3d", "convlstm"),
    ("conv3d", "convlstm", "convlstm", "convlstm"),
    ("convlstm", "conv3d", "conv3d", "convlstm"),
    ("conv3d",) * 3 + ("convlstm",) * 3,
]


@pytest.mark.parametrize("layers", ROWS, ids=" ".join)
def test_rows_of_table_3_and_other_lengths(layers):
    network = make_network(Conv3DConvLSTMRegressor, layers=layers)
    kinds = [
        "convlstm" if any(isinstance(part, ConvLSTM) for part in layer.modules()) else "conv3d"
        for layer in network.layers
    ]
    assert kinds == list(layers)
    maps = [30, 60, 90, 85, 85, 85][: len(layers)]
    if layers[-1] == "convlstm":
        maps[-1] = 64
    small = make_network(
        Conv3DConvLSTMRegressor, (32, 16), 3, layers=layers, n_maps=[2] * len(maps)
    )
    n_steps = [x[0] for x in shapes(small, (32, 16))]
    assert n_steps[0] == (5 if layers[0] == "conv3d" else 25 if len(layers) > 1 else 1)
    assert n_steps[-1] == (1 if layers[-1] == "convlstm" else n_steps[0])
    assert [x.shape[0] for x in first_weights(network)] == [
        n * (4 if kind == "convlstm" else 1) for n, kind in zip(maps, kinds, strict=True)
    ]
    answers = small(torch.randn(3, 25, 32, 16))
    assert answers.shape == (3, 3)
    answers.sum().backward()  # every layer is learned from
    assert all(parameter.grad is not None for parameter in small.parameters())


def first_weights(network):
    return [next(iter(layer.parameters())) for layer in network.layers]


def test_peepholes():
    plain, seeing = (make_network(Conv3DConvLSTMRegressor, peepholes=p) for p in (False, True))
    assert n_parameters(seeing) - n_parameters(plain) == 3 * 64 * 4 * 4
    with torch.inference_mode():  # they begin at zero
        assert_allclose(seeing(windows(1)), plain(windows(1)), atol=1e-6)


# Other sizes


@settings(deadline=None, max_examples=40)
@given(
    st.integers(1, 40),
    st.integers(1, 20),
    st.integers(1, 30),
    st.integers(1, 8),
    st.sampled_from(NETWORKS),
)
def test_any_size_has_an_answer(n_rows, n_columns, context_frames, time_stride, network):
    sizes = {"dense_units": 3} if network is Conv3DRegressor else {}
    sizes = {"lstm_units": 3} if network is Conv3DBiLSTMRegressor else sizes
    made = make_network(
        network,
        (n_rows, n_columns),
        2,
        n_maps=(2, 2, 2, 2),
        context_frames=context_frames,
        time_stride=time_stride,
        **sizes,
    )
    with torch.inference_mode():
        assert made(torch.zeros(1, context_frames, n_rows, n_columns)).shape == (1, 2)
    assert shapes(made, (n_rows, n_columns), context_frames)[0][0] == -(
        -context_frames // time_stride
    )


def small(network, **parameters):
    return small_instance(network.__name__).set_params(**parameters)


VIDEOS = [np.random.default_rng(n).normal(size=(n, 8, 4)).astype(np.float32) for n in (9, 14)]
TARGETS = [video[:, :3, 0] for video in VIDEOS]


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("n_maps", [(), (0, 2), (2, -1), (2.5, 2), ("two", 2)], ids=str)
def test_maps_that_are_none_are_refused(network, n_maps):
    with pytest.raises(ValueError, match=r"n_maps .*positive integers"):
        small(network, n_maps=n_maps).fit(VIDEOS, TARGETS)


@pytest.mark.parametrize("network", NETWORKS)
def test_numpys_integers_are_sizes(network):
    fitted = small(network, n_maps=np.array([3, 2]), kernel_size=np.int64(3), max_epochs=1)
    assert fitted.fit(VIDEOS, TARGETS).predict(VIDEOS)[1].shape == (14, 3)


@pytest.mark.parametrize("layers", [(), ("conv3d", "conv2d"), ("lstm",)], ids=str)
def test_layers_that_there_are_not(layers):
    network = Conv3DConvLSTMRegressor(layers=layers)
    with pytest.raises(
        ValueError, match=r'layers is .*name one or more of "conv3d" and "convlstm"'
    ):
        network.fit(VIDEOS, TARGETS)


@pytest.mark.parametrize("layers", ["conv3d", 3, None], ids=str)
def test_layers_are_a_sequence(layers):
    with pytest.raises(ValueError, match="The 'layers' parameter of Conv3DConvLSTMRegressor must"):
        Conv3DConvLSTMRegressor(layers=layers).fit(VIDEOS, TARGETS)


def test_maps_for_each_layer():
    network = Conv3DConvLSTMRegressor(layers=("conv3d", "convlstm"), n_maps=(2,))
    with pytest.raises(ValueError, match="n_maps has 1 numbers for 2 layers"):
        network.fit(VIDEOS, TARGETS)


@pytest.mark.parametrize(
    "parameters",
    [{"kernel_size": 0}, {"context_frames": 0}, {"time_stride": 0}, {"dropout": 1.0}],
    ids=str,
)
@pytest.mark.parametrize("network", NETWORKS)
def test_values_out_of_range(network, parameters):
    with pytest.raises(ValueError, match=f"The '{next(iter(parameters))}' parameter of"):
        clone(small(network)).set_params(**parameters).fit(VIDEOS, TARGETS)


# Learning


def moving_bars(n_recordings, seed=0):
    """Bars that move over noise, and spectra that tell where the bar was two frames ago."""
    rng = np.random.default_rng(seed)
    videos, spectra = [], []
    for _ in range(n_recordings):
        n_frames = int(rng.integers(20, 40))
        place = 8 + 6 * np.sin(np.arange(-2, n_frames) / 3 + rng.uniform(0, 6))
        noise = rng.normal(0, 8, (n_frames, 16, 8))
        bar = 200 * np.exp(-((np.arange(16) - place[2:, None]) ** 2) / 4)
        videos.append((bar[:, :, None] + noise).clip(0, 255).astype(np.uint8))
        spectra.append(np.stack([place[:-2] - 30, 5 * np.cos(place[:-2] / 5)], axis=1))
    return videos, spectra


@pytest.mark.parametrize("network", NETWORKS)
def test_what_a_frame_and_its_context_tell_is_learned(network):
    X, y = moving_bars(12)
    estimator = small(network, max_epochs=12, standardize=None, validation=None)
    assert estimator.fit(X[:9], y[:9]).score(X[9:], y[9:]) > 0.8
