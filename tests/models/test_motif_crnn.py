"""The CRNN of Arronte Alvarez and Gómez-Martín (2020): its layers and their sizes."""

import numpy as np
import pytest
import torch
from torch import nn

from skspeech.models import CRNNClassifier
from skspeech.testing import make_labels, make_recordings


def make_network(layout=(1, 128), **parameters):
    torch.manual_seed(0)
    return CRNNClassifier(**parameters)._make_network(layout, 5).eval()


def n_parameters(module):
    return sum(parameter.numel() for parameter in module.parameters())


def test_stages_of_128_by_426():
    network = make_network(n_maps=(2, 2, 2, 2))
    x, lengths = torch.zeros(1, 1, 128, 426), torch.tensor([426])
    shapes = []
    for i, layer in enumerate(network.blocks):
        if isinstance(layer, (nn.ELU, nn.Dropout)):
            x = layer(x)
        else:
            x, lengths = layer(x, lengths)
        if i % 5 == 4:
            shapes.append(tuple(x.shape[2:]))
    assert shapes == [(31, 106), (29, 104), (27, 102), (25, 100)]
    assert lengths.tolist() == [100]


@pytest.mark.parametrize(
    ("n_bins", "n_left", "n_whole"),
    [(40, 3, 1_601_157), (128, 25, 3_763_845), (400, 93, 10_448_517), (1, 1, 1_404_549)],
)
def test_parameters(n_bins, n_left, n_whole):
    network = make_network((1, n_bins))
    assert network.blocks.output_bins(n_bins) == n_left
    convolutions = [layer for layer in network.blocks if isinstance(layer, nn.Conv2d)]
    assert [n_parameters(layer) for layer in convolutions] == [1280, 147_584, 147_584, 147_584]
    assert network.gru.rnn.input_size == 128 * n_left
    assert network.gru.rnn.num_layers == 2
    assert not network.gru.rnn.bidirectional
    assert n_parameters(network.head) == 256 * 1024 + 1024 + 1024 * 5 + 5
    assert n_parameters(network) == n_whole
    assert network.embedding_size == 256


def test_it_is_the_network_that_torch_has():
    network = make_network((1, 40), n_maps=(3, 4, 4, 4), gru_units=5, dense_units=6)
    convolutions, norms = network.blocks[::5], network.blocks[1::5]
    for norm in norms:
        norm.running_mean.normal_()
        norm.running_var.uniform_(0.5, 2.0)
    x = torch.randn(2, 1, 40, 71)
    with torch.inference_mode():
        y = x
        for i, (conv, norm) in enumerate(zip(convolutions, norms, strict=True)):
            stride = 1 if i else 2
            y = nn.functional.conv2d(y, conv.weight, conv.bias, stride=stride, padding=1)
            y = nn.functional.batch_norm(
                y, norm.running_mean, norm.running_var, norm.weight, norm.bias
            )
            y = nn.functional.max_pool2d(nn.functional.elu(y), 3, stride)
        outputs, state = network.gru.rnn(y.flatten(1, 2).transpose(1, 2))
        found = network.embed(x, torch.tensor([71, 71]))
        assert outputs.shape == (2, 11, 5)
        torch.testing.assert_close(found, outputs[:, -1])
        torch.testing.assert_close(found, state[-1])
        torch.testing.assert_close(network(x, torch.tensor([71, 71])), network.head(found))


def test_pools_that_keep_what_is_incomplete_read_any_length():
    dropping, keeping = (make_network(n_maps=(2,) * 4, pool_padding=p) for p in ("valid", "same"))
    assert (dropping.min_input_length(), keeping.min_input_length()) == (29, 1)
    assert dropping.blocks.output_lengths(29) == 1
    assert [keeping.blocks.output_lengths(n) for n in (1, 24, 63)] == [1, 6, 16]
    with torch.inference_mode():
        frame, length = torch.randn(1, 1, 128, 1), torch.tensor([1])
        padded = torch.cat([torch.nn.functional.pad(frame, (0, 30)), torch.randn(1, 1, 128, 31)])
        found = keeping.embed(padded, torch.tensor([1, 31]))[:1]
        torch.testing.assert_close(found, keeping.embed(frame, length), rtol=0, atol=1e-5)


def test_dropout_acts_in_training_only():
    X, y = make_recordings("spectrogram", 8), make_labels(8)
    network = CRNNClassifier(
        n_maps=(2, 2), gru_units=4, dense_units=4, max_epochs=1, random_state=0
    )
    network.set_params(validation=None).fit(X, y)
    assert (network.predict_proba(X) == network.predict_proba(X)).all()
    losses = [
        network.set_params(dropout=share, max_epochs=3).fit(X, y).history_[-1]["train_loss"]
        for share in (0.0, 0.9)
    ]
    assert np.diff(losses) != 0
