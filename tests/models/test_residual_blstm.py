"""The Residual-BLSTM of Arronte Alvarez and Gómez-Martín (2020): its layers and their sizes."""

import pytest
import torch
from torch import nn
from torch.nn.functional import pad

from skspeech.layers import MaskedResidual
from skspeech.models import ResidualBLSTMClassifier


def make_network(layout=(1, 128), **parameters):
    torch.manual_seed(0)
    return ResidualBLSTMClassifier(**parameters)._make_network(layout, 5).eval()


def n_parameters(module):
    return sum(parameter.numel() for parameter in module.parameters())


def test_parameters_of_each_part():
    network = make_network()
    first, norm, _, *residual = network.blocks
    assert n_parameters(first) == 1_280
    assert n_parameters(norm) == 256
    assert [n_parameters(block) for block in residual] == [295_680, 295_680]
    assert network.blstm.rnn.input_size == 8192
    # as in torch, whose LSTM has two biases
    assert n_parameters(network.blstm) == 2 * 4 * 512 * (8192 + 512 + 2) == 35_659_776
    assert n_parameters(network.head) == 1024 * 1024 + 1024 + 1024 * 5 + 5
    assert n_parameters(network) == 37_307_397
    assert network.embedding_size == 1024


def test_a_thousand_units_as_in_the_authors_code():
    with torch.device("meta"):
        network = make_network(lstm_units=1000)
    assert n_parameters(network.blstm) == 73_552_000
    assert network.embedding_size == 2000


@pytest.mark.parametrize(
    ("n_bins", "n_whole"), [(40, 14_238_725), (128, 37_307_397), (400, 108_610_565)]
)
def test_parameters_by_bins(n_bins, n_whole):
    with torch.device("meta"):
        assert n_parameters(make_network((1, n_bins))) == n_whole
        averaged = make_network((1, n_bins), average_bins=True)
    assert averaged.blstm.rnn.input_size == 128
    assert n_parameters(averaged.blstm) == 2_629_632


def test_kernels_and_strides_are_the_texts_not_the_codes():
    network = make_network(n_maps=4, lstm_units=2)
    convolutions = [layer for layer in network.modules() if isinstance(layer, nn.Conv2d)]
    assert [layer.kernel_size for layer in convolutions] == [(3, 3)] * 5
    assert [layer.stride for layer in convolutions] == [(2, 2)] + [(1, 1)] * 4
    assert [type(block) for block in network.blocks[3:]] == [MaskedResidual] * 2
    assert network.blocks.output_bins(128) == 64
    assert [network.blocks.output_lengths(n) for n in (1, 24, 63, 426)] == [1, 12, 32, 213]
    assert network.min_input_length() == 1


def test_the_blstm_goes_along_the_frames():
    network = make_network((1, 10), n_maps=4, lstm_units=3)
    read = []
    network.blstm.rnn.register_forward_pre_hook(lambda _, given: read.append(given[0].shape))
    with torch.inference_mode():
        network.embed(torch.randn(2, 1, 10, 21), torch.tensor([21, 21]))
    assert read == [(2, 11, 20)], "segments, frames, maps times bins"


@pytest.mark.parametrize("average_bins", [False, True])
def test_it_is_the_network_that_torch_has(average_bins):
    network = make_network((1, 10), n_maps=4, lstm_units=3, average_bins=average_bins)
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.running_mean.normal_()
            layer.running_var.uniform_(0.5, 2.0)

    def conv_norm(x, conv, norm, stride=1):
        y = nn.functional.conv2d(x, conv.weight, conv.bias, stride=stride, padding=1)
        return nn.functional.batch_norm(
            y, norm.running_mean, norm.running_var, norm.weight, norm.bias
        )

    x = torch.randn(2, 1, 10, 21)
    with torch.inference_mode():
        y = torch.relu(conv_norm(x, *network.blocks[:2], 2))
        for block in network.blocks[3:]:
            z = torch.relu(conv_norm(y, *block.body[:2]))
            y = torch.relu(conv_norm(z, *block.body[3:]) + y)
        y = y.mean(2) if average_bins else y.flatten(1, 2)
        outputs, _ = network.blstm.rnn(y.transpose(1, 2))
        wanted = torch.cat([outputs[:, -1, :3], outputs[:, 0, 3:]], 1)
        lengths = torch.tensor([21, 21])
        torch.testing.assert_close(network.embed(x, lengths), wanted)
        torch.testing.assert_close(network(x, lengths), network.head(wanted))


@pytest.mark.parametrize("average_bins", [False, True])
@pytest.mark.parametrize("n_frames", [1, 2, 7, 24])
def test_padded_it_is_the_network_of_the_recording_alone(average_bins, n_frames):
    network = make_network((1, 10), n_maps=4, lstm_units=3, average_bins=average_bins)
    x, other = torch.randn(1, 1, 10, n_frames), torch.randn(1, 1, 10, 30)
    with torch.inference_mode():
        batch = torch.cat([pad(x, (0, 30 - n_frames)), other])
        found = network.embed(batch, torch.tensor([n_frames, 30]))
        alone = network.embed(x, torch.tensor([n_frames]))
    torch.testing.assert_close(found[:1], alone, rtol=0, atol=1e-5)
