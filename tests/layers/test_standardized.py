"""Standardising, then padding, then the network."""

import copy
import io
import pickle

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from torch import nn

from skspeech.layers.standardized import Standardized, StandardizedFrames


class Recorder(nn.Module):
    """Gives back what it is given, as output and as embedding."""

    def __init__(self, least=1):
        super().__init__()
        self.least = least

    def min_input_length(self):
        return self.least

    def forward(self, inputs, lengths):
        return inputs, lengths

    def embed(self, inputs, lengths):
        return -inputs, lengths


MEAN, SCALE = np.array([[[1.0], [2.0]]]), np.array([[[2.0], [4.0]]])


def batch(lengths=(5, 3)):
    inputs = torch.randn(len(lengths), 1, 2, max(lengths), generator=torch.manual_seed(0))
    return inputs, torch.tensor(lengths)


def test_padding_is_zero_after_standardising():
    inputs, lengths = batch()  # what stands in the padding does not matter
    outputs, _ = Standardized(Recorder(), MEAN, SCALE)(inputs, lengths)
    wanted = (inputs.numpy() - MEAN) / SCALE
    for row, standardised, n in zip(outputs.numpy(), wanted, lengths, strict=True):
        assert_allclose(row[..., :n], standardised[..., :n], rtol=1e-6)
        assert not row[..., n:].any()


def test_global_moments():
    inputs, lengths = batch((4, 4))
    one = Standardized(Recorder(), np.full((1, 1, 1), 3.0), np.full((1, 1, 1), 2.0))
    assert_allclose(one(inputs, lengths)[0], (inputs - 3) / 2)


def test_none_leaves_the_input_as_it_is():
    inputs, lengths = batch((4, 4))
    assert torch.equal(Standardized(Recorder(), None, None)(inputs, lengths)[0], inputs)


def test_padding_is_zero_without_standardising():
    outputs, _ = Standardized(Recorder(), None, None)(*batch())
    assert not outputs[1, ..., 3:].any()


@pytest.mark.parametrize("moments", [(MEAN, SCALE), (None, None)], ids=["moments", "none"])
def test_short_recordings_are_padded_and_their_length_counts(moments):
    inputs, lengths = batch((3, 2))
    outputs, counted = Standardized(Recorder(least=7), *moments)(inputs, lengths)
    assert outputs.shape == (2, 1, 2, 7)
    assert counted.tolist() == [7, 7]
    assert not outputs[0, ..., 3:].any()
    assert not outputs[1, ..., 2:].any()


def test_least_length_is_the_same_alone_and_in_a_batch():
    inputs, lengths = batch((9, 7, 3, 1))
    network = Standardized(Recorder(least=7), MEAN, SCALE)
    outputs, counted = network(inputs, lengths)
    assert counted.tolist() == [9, 7, 7, 7]
    for row, n in enumerate(lengths.tolist()):
        alone, alone_counts = network(inputs[row : row + 1, ..., :n], lengths[row : row + 1])
        assert alone_counts.tolist() == counted[row : row + 1].tolist()
        assert torch.equal(alone[0], outputs[row, ..., : counted[row]])


def test_embedding_has_the_same_inputs():
    inputs, lengths = batch((3, 2))
    network = Standardized(Recorder(least=7), MEAN, SCALE)
    embedded, counted = network.embed(inputs, lengths)
    assert torch.equal(embedded, -network(inputs, lengths)[0])
    assert counted.tolist() == [7, 7]


def test_inputs_are_not_written_to():
    inputs, lengths = batch()
    before = inputs.clone(), lengths.clone()
    Standardized(Recorder(least=7), MEAN, SCALE)(inputs, lengths)
    assert torch.equal(inputs, before[0])
    assert torch.equal(lengths, before[1])


def test_moments_travel_with_the_weights():
    network = Standardized(nn.Linear(1, 1), MEAN, SCALE)
    assert {"mean", "scale"} < set(network.state_dict())
    assert {name for name, _ in network.named_parameters()} == {"network.weight", "network.bias"}
    other = Standardized(nn.Linear(1, 1), np.zeros_like(MEAN), np.ones_like(SCALE))
    other.load_state_dict(network.state_dict())
    for twin in (other, copy.deepcopy(network), pickle.loads(pickle.dumps(network))):
        assert_allclose(twin.mean, MEAN)
        assert_allclose(twin.scale, SCALE)
    file = io.BytesIO()
    torch.save(network.state_dict(), file)
    file.seek(0)
    assert torch.load(file, weights_only=True)["mean"].dtype == torch.float32


def test_moments_move_with_the_module():
    moved = Standardized(Recorder(), MEAN, SCALE).to("meta")
    assert moved.mean.device.type == moved.scale.device.type == "meta"


def test_no_moments_leave_no_buffers():
    assert not Standardized(Recorder(), None, None).state_dict()


# Frames


class Pixels(nn.Module):
    """Answers with the first two pixels of a window, and keeps what it was given."""

    def forward(self, windows):
        self.given = windows
        return windows.flatten(1)[:, :2]


TARGET_MEAN, TARGET_SCALE = np.array([10.0, -3.0]), np.array([2.0, 0.5])


def frames_module(mean=None, scale=None):
    return StandardizedFrames(Pixels(), mean, scale, TARGET_MEAN, TARGET_SCALE)


def windows(n=3):
    return torch.randn(n, 5, 4, 2, generator=torch.manual_seed(0))


@pytest.mark.parametrize("shape", [(4, 2), (1, 1)], ids=["bin", "global"])
def test_frames_are_standardised(shape):
    rng = np.random.default_rng(0)
    mean, scale = rng.normal(size=shape), rng.uniform(1, 2, size=shape)
    module = frames_module(mean, scale)
    module(windows(), None)
    assert_allclose(module.network.given, (windows().numpy() - mean) / scale, rtol=1e-5)
    assert torch.equal(module.prepare(windows()[0]), module.network.given[0])  # a video's frames


def test_frames_without_moments_stay():
    module = frames_module()
    module(windows(), None)
    assert torch.equal(module.network.given, windows())
    assert set(module.state_dict()) == {"target_mean", "target_scale"}


def test_answers_are_standardised_until_they_are_restored():
    module = frames_module()
    answers = module(windows(), None)
    assert torch.equal(answers, windows().flatten(1)[:, :2])
    assert_allclose(module.restore(answers), answers.numpy() * TARGET_SCALE + TARGET_MEAN)
    assert module.restore(answers).dtype == torch.float32


def test_moments_of_frames_travel_with_the_weights():
    module = frames_module(np.full((4, 2), 3.0), np.full((4, 2), 2.0))
    other = frames_module(np.zeros((4, 2)), np.ones((4, 2)))
    other.load_state_dict(copy.deepcopy(module.state_dict()))
    for found, wanted in (
        (other(windows(), None), module(windows(), None)),
        (other.restore(windows()[:, 0, 0]), module.restore(windows()[:, 0, 0])),
    ):
        assert torch.equal(found, wanted)
    assert not list(module.parameters())
    assert module.half().target_mean.dtype == torch.float16
