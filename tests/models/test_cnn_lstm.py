"""Tables 1 and 2 of Zhao, Mao and Chen (2019), layer by layer."""

import numpy as np
import pytest
import torch
from torch import nn

from skspeech.models import CNNLSTM1DClassifier, CNNLSTM2DClassifier
from skspeech.models.cnn_lstm import CNNLSTM

TORCHS_SECOND_LSTM_BIAS = 4 * 256


def network_of(estimator, layout, n_classes=7):
    torch.manual_seed(0)
    return estimator._make_network(layout, n_classes).eval()


def outputs_of_blocks(network, x):
    """Return the shape after each convolution and each pool of the blocks."""
    lengths = torch.full((len(x),), x.shape[-1])
    shapes = []
    for layer in network.blocks:
        if isinstance(layer, nn.ELU):
            x = layer(x)
            continue
        x, lengths = layer(x, lengths)
        if not isinstance(layer, nn.modules.batchnorm._BatchNorm):
            shapes.append(tuple(x.shape[1:]))
    return shapes


@pytest.mark.parametrize(
    ("estimator", "layout", "published"),
    [(CNNLSTM1DClassifier(), (1,), 483_399), (CNNLSTM2DClassifier(), (1, 128), 655_815)],
)
def test_trainable_parameters_of_the_tables(estimator, layout, published):
    network = network_of(estimator, layout)
    found = sum(parameter.numel() for parameter in network.parameters())
    assert found == published + TORCHS_SECOND_LSTM_BIAS


def test_table_1_layer_by_layer():
    n = 128_000
    network = network_of(CNNLSTM1DClassifier(), (1,))
    assert outputs_of_blocks(network, torch.zeros(1, 1, n)) == [
        (64, n),
        (64, n // 4),
        (64, n // 4),
        (64, n // 16),
        (128, n // 16),
        (128, n // 64),
        (128, n // 64),
        (128, n // 256),
    ]


def test_table_2_layer_by_layer():
    network = network_of(CNNLSTM2DClassifier(), (1, 128))
    assert outputs_of_blocks(network, torch.zeros(1, 1, 128, 251)) == [
        (64, 128, 251),
        (64, 64, 125),
        (64, 64, 125),
        (64, 16, 31),
        (128, 16, 31),
        (128, 4, 7),
        (128, 4, 7),
        (128, 1, 1),
    ]


def test_same_pooling_leaves_the_lstm_two_steps():
    network = network_of(CNNLSTM2DClassifier(pool_padding="same"), (1, 128))
    assert outputs_of_blocks(network, torch.zeros(1, 1, 128, 251))[-1] == (128, 1, 2)


def test_it_computes_what_plain_torch_layers_do():
    """The 2D network at the paper's size, against the same layers without any mask."""
    network = network_of(CNNLSTM2DClassifier(), (1, 128))
    plain = nn.Sequential(
        *[
            layer
            for n_in, n_out, size in ((1, 64, 2), (64, 64, 4), (64, 128, 4), (128, 128, 4))
            for layer in (
                nn.Conv2d(n_in, n_out, 3, padding=1),
                nn.BatchNorm2d(n_out),
                nn.ELU(),
                nn.MaxPool2d(size),
            )
        ]
    ).eval()
    plain.load_state_dict(network.blocks.state_dict())
    lstm = nn.LSTM(128, 256, batch_first=True)
    lstm.load_state_dict(network.lstm.rnn.state_dict())
    x = torch.randn(2, 1, 128, 251)
    with torch.inference_mode():
        steps, _ = lstm(plain(x).flatten(1, 2).transpose(1, 2))
        expected = network.classes(steps[:, -1])
        found = network(x, torch.tensor([251, 251]))
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("n_bins", [1, 5, 40, 128, 300])
@pytest.mark.parametrize("padding", ["valid", "same"])
def test_any_number_of_bins_and_channels(n_bins, padding):
    network = CNNLSTM(
        (3, n_bins), 2, n_maps=(2, 2), pool_sizes=(4, 8), lstm_units=3, pool_padding=padding
    )
    least = network.min_input_length()
    assert least == (32 if padding == "valid" else 1)
    x, lengths = torch.zeros(2, 3, n_bins, least + 9), torch.tensor([least, least + 9])
    assert network(x, lengths).shape == (2, 2)
    assert network.embed(x, lengths).shape == (2, 3)


def test_blocks_must_be_as_many_as_pools():
    with pytest.raises(ValueError, match=r"got 2 and 3\. Make them equally long"):
        CNNLSTM1DClassifier(n_maps=(2, 2), pool_sizes=(2, 2, 2)).fit(np.zeros((4, 9)), [0, 1, 0, 1])


@pytest.mark.parametrize(
    ("estimator", "shape", "names"),
    [
        (CNNLSTM1DClassifier, (128_000,), ["fixedduration", "cnnlstm1dclassifier"]),
        (
            CNNLSTM2DClassifier,
            (128, 251),
            ["fixedduration", "logmelspectrogram", "cnnlstm2dclassifier"],
        ),
    ],
)
def test_the_papers_pipeline_gives_the_network_the_papers_input(estimator, shape, names):
    system = estimator.pipeline()
    assert [name for name, _ in system.steps] == names
    front_end = system[:-1]
    assert front_end.fit_transform([np.zeros(9000, "f")])[0].shape == shape
    assert type(system[-1]) is estimator


@pytest.mark.parametrize("estimator", [CNNLSTM1DClassifier, CNNLSTM2DClassifier])
def test_sizes_may_be_numpys_integers(estimator):
    network = estimator(
        n_maps=np.array([2, 2]), pool_sizes=np.array([2, 2]), lstm_units=np.int64(3), max_epochs=1
    )
    shape = (4, 9) if estimator is CNNLSTM1DClassifier else (4, 3, 9)
    assert network.fit(np.zeros(shape), [0, 1, 0, 1]).transform(np.zeros(shape)).shape == (4, 3)


def test_sizes_that_are_none_name_the_parameter():
    with pytest.raises(ValueError, match=r"n_maps is \(0, 4\); expected one or more positive"):
        CNNLSTM1DClassifier(n_maps=(0, 4), pool_sizes=(2, 2)).fit(np.zeros((4, 9)), [0, 1, 0, 1])
