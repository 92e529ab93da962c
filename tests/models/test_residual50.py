"""The Residual50 of Arronte Alvarez and Gómez-Martín (2020): ResNet-50, but for its first layer."""

import pytest
import torch
from torch import nn
from torch.nn.functional import pad

from skspeech.models import Residual50Classifier


def make_network(layout=(1, 128), **parameters):
    torch.manual_seed(0)
    return Residual50Classifier(**parameters)._make_network(layout, 5).eval()


def n_parameters(module):
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.fixture(scope="module")
def full():
    return make_network()


def test_parameters(full):
    # torchvision's resnet50 has 25,557,032: 2,049,000 of them in its last layer, and 9,408 in its
    # first convolution of 7 x 7 and three channels where there are 576 here.
    assert n_parameters(full.blocks[0]) == 576
    assert n_parameters(full.blocks) == 25_557_032 - 2_049_000 - 9_408 + 576
    assert n_parameters(full.head) == 2048 * 1024 + 1024 + 1024 * 5 + 5
    assert n_parameters(full) == 25_602_501
    assert full.embedding_size == 2048


def test_it_has_fifty_layers(full):
    trunk = [
        layer
        for name, layer in full.blocks.named_modules()
        if isinstance(layer, nn.Conv2d) and "shortcut" not in name
    ]
    assert len(trunk) == 49
    assert (trunk[0].kernel_size, trunk[0].stride) == ((3, 3), (1, 1))
    assert sum(layer.stride == (2, 2) for layer in trunk) == 3
    assert all(layer.kernel_size == (3, 3) for layer in trunk if layer.stride == (2, 2))
    shortcuts = [block.shortcut is not None for block in full.blocks[4:]]
    assert [i for i, has in enumerate(shortcuts) if has] == [0, 3, 7, 13]
    assert all(layer.bias is None for layer in trunk)


@pytest.mark.parametrize(("n_bins", "n_left"), [(40, 3), (128, 8), (400, 25), (1, 1)])
def test_sizes_along_the_way(full, n_bins, n_left):
    assert full.blocks.output_bins(n_bins) == n_left
    assert full.blocks.output_lengths(426) == 27
    assert full.blocks.output_lengths(24) == 2
    assert full.min_input_length() == 1


def test_weights_are_drawn_as_by_he(full):
    for conv in (full.blocks[4].body[3], full.blocks[-1].body[6]):
        fan_out = conv.out_channels * conv.kernel_size[0] ** 2
        assert float(conv.weight.detach().std()) == pytest.approx((2 / fan_out) ** 0.5, rel=0.05)


def conv_norm(x, conv, norm, stride=1):
    y = nn.functional.conv2d(x, conv.weight, stride=stride, padding=conv.kernel_size[0] // 2)
    return nn.functional.batch_norm(y, norm.running_mean, norm.running_var, norm.weight, norm.bias)


def test_it_is_the_network_that_torch_has():
    network = make_network((2, 21), n_maps=2, n_blocks=(2, 1, 2), dense_units=6)
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.running_mean.normal_()
            layer.running_var.uniform_(0.5, 2.0)
    x = torch.randn(2, 2, 21, 38)
    with torch.inference_mode():
        y = torch.relu(conv_norm(x, *network.blocks[:2]))
        # windows from the first bin and frame on, of what is above 0
        y = nn.functional.max_pool2d(pad(y, (0, 1, 0, 1)), 3, 2, ceil_mode=True)
        y = y[:, :, :11, :19]
        for i, block in enumerate(network.blocks[4:]):
            stride, body = (2 if i in (2, 3) else 1), block.body
            z = torch.relu(conv_norm(y, *body[:2]))
            z = conv_norm(torch.relu(conv_norm(z, *body[3:5], stride)), *body[6:])
            short = block.shortcut
            y = torch.relu(z + (y if short is None else conv_norm(y, *short, stride)))
        assert y.shape == (2, 32, 3, 5)
        lengths = torch.tensor([38, 38])
        found = network.embed(x, lengths)
        torch.testing.assert_close(found, y.mean((2, 3)), rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(network(x, lengths), network.head(found))


def test_the_mean_is_over_valid_frames():
    network = make_network((1, 20), n_maps=2, n_blocks=(1,))
    x = torch.randn(1, 1, 20, 9)
    with torch.inference_mode():
        y, lengths = network.blocks(pad(x, (0, 40)), torch.tensor([9]))
        assert lengths.tolist() == [5]
        wanted = y[..., :5].mean((2, 3))
        found = network.embed(pad(x, (0, 40)), torch.tensor([9]))
    torch.testing.assert_close(found, wanted)


def test_deep_as_it_is_padding_changes_nothing():
    """The whole of it, fifty layers, at a width of 4 instead of 64."""
    network = make_network((1, 40), n_maps=4)
    x, other = torch.randn(1, 1, 40, 24), torch.randn(1, 1, 40, 63)
    with torch.inference_mode():
        alone = network(x, torch.tensor([24])).softmax(-1)
        batch = torch.cat([pad(x, (0, 39)), other])
        found = network(batch, torch.tensor([24, 63])).softmax(-1)
    torch.testing.assert_close(found[:1], alone, rtol=0, atol=1e-5)
