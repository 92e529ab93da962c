"""A residual block: what it computes, its lengths, and that padding reaches nothing."""

import copy
import pickle

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn.functional import pad

from skspeech.layers import MaskedConv2d, MaskedMaxPool2d, MaskedResidual, MaskedSequential


def halving(stride=2):
    """Return a block that gives twice the maps, and as many bins and frames over the stride."""
    torch.manual_seed(0)
    body = MaskedSequential(MaskedConv2d(2, 4, 3, stride=stride), nn.ELU(), MaskedConv2d(4, 4, 3))
    return MaskedResidual(body, MaskedSequential(MaskedConv2d(2, 4, 1, stride=stride)))


def keeping():
    torch.manual_seed(0)
    return MaskedResidual(MaskedSequential(MaskedConv2d(2, 2, (3, 4))))


BLOCKS = pytest.mark.parametrize("make", [halving, keeping])


def plain(block, x):
    """Compute the same of one recording that is not padded, the way torch has it."""
    if block.shortcut is None:
        conv = block.body[0]
        return torch.relu(nn.functional.conv2d(pad(x, (1, 2, 1, 1)), conv.weight, conv.bias) + x)
    first, _, last = block.body
    y = nn.functional.conv2d(x, first.weight, first.bias, stride=2, padding=1)
    y = nn.functional.conv2d(nn.functional.elu(y), last.weight, last.bias, padding=1)
    short = block.shortcut[0]
    return torch.relu(y + nn.functional.conv2d(x, short.weight, short.bias, stride=2))


@BLOCKS
@settings(max_examples=20, deadline=None)
@given(lengths=st.lists(st.integers(1, 9), min_size=1, max_size=4), extra=st.integers(0, 4))
def test_a_batch_gives_what_each_recording_gives_alone(make, lengths, extra):
    block = make().double()
    recordings = [torch.randn(2, 5, n).double().requires_grad_() for n in lengths]
    longest = max(lengths) + extra
    x = torch.stack([pad(r, (0, longest - r.shape[-1])) for r in recordings])
    y, found = block(x, torch.tensor(lengths))
    alone = [plain(block, r[None])[0] for r in recordings]
    assert found.tolist() == [a.shape[-1] for a in alone]
    assert found.tolist() == [block.output_lengths(n) for n in lengths]
    assert y.shape[2] == block.output_bins(5)
    directions = [torch.randn_like(a) for a in alone]
    leaves = [*recordings, *block.parameters()]
    for row, a, n in zip(y, alone, found.tolist(), strict=True):
        torch.testing.assert_close(row[..., :n], a)
        assert not row[..., n:].any()
    given_back, wanted = (
        torch.autograd.grad(
            sum((p * d).sum() for p, d in zip(parts, directions, strict=True)), leaves
        )
        for parts in ([row[..., :n] for row, n in zip(y, found, strict=True)], alone)
    )
    for g, w in zip(given_back, wanted, strict=True):
        torch.testing.assert_close(g, w)


def test_lengths_are_those_of_the_body():
    pooled = MaskedSequential(MaskedConv2d(1, 1, 3, padding="valid"), MaskedMaxPool2d(2))
    block = MaskedResidual(pooled, copy.deepcopy(pooled))
    assert block.min_input_length() == pooled.min_input_length() == 4
    assert block.min_input_length(3) == 8
    assert block.output_lengths(torch.tensor([4, 9])).tolist() == [1, 3]
    assert block.output_bins(9) == 3
    assert MaskedSequential(block, nn.ReLU()).min_input_length() == 4


@BLOCKS
@pytest.mark.parametrize("copied", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_copies_are_the_same_layer(make, copied):
    block, x, lengths = make(), torch.randn(2, 2, 5, 9), torch.tensor([9, 9])
    before = x.clone()
    twin = copied(block)
    assert torch.equal(twin(x, lengths)[0], block(x, lengths)[0])
    assert torch.equal(x, before)
    assert repr(twin) == repr(block)


def test_both_ways_leave_as_many_frames():
    body = MaskedSequential(MaskedConv2d(1, 1, 3, stride=2))
    with pytest.raises(ValueError, match="Of 1 frames the body leaves 1 and the shortcut 0"):
        MaskedResidual(body, MaskedSequential(MaskedMaxPool2d(2)))
    with pytest.raises(ValueError, match="Of 2 frames the body leaves 1 and the shortcut 2"):
        MaskedResidual(body)
