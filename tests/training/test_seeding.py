"""Seeds hold inside the block and leave nothing behind."""

import random

import numpy as np
import pytest
import torch

from skspeech.training.seeding import seeded


def global_states():
    numpy_state = np.random.get_state()  # noqa: NPY002 - the global generator is what is meant
    return random.getstate(), str(numpy_state), torch.get_rng_state().tolist()


def test_same_seed_same_numbers():
    drawn = []
    for seed in (3, 3, 4):
        with seeded(seed, "cpu"):
            drawn.append(torch.rand(5).tolist())
    assert drawn[0] == drawn[1] != drawn[2]


@pytest.mark.parametrize("seed", [0, 2**31 - 2])
def test_global_generators_are_as_before(seed):
    before = global_states()
    with seeded(seed, "cpu"):
        torch.rand(5)
    assert global_states() == before


def fail_inside():
    with seeded(0, "cpu"):
        torch.rand(5)
        raise ZeroDivisionError


def test_global_generators_are_as_before_after_an_error():
    before = global_states()
    with pytest.raises(ZeroDivisionError):
        fail_inside()
    assert global_states() == before


def test_blocks_nest():
    with seeded(1, "cpu"):
        torch.rand(1)
        undisturbed = torch.rand(1)
    with seeded(1, "cpu"):
        torch.rand(1)
        with seeded(2, "cpu"):
            torch.rand(7)
        assert torch.rand(1) == undisturbed


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device on this machine")
def test_cuda_is_seeded_and_restored():
    before = torch.cuda.get_rng_state()
    drawn = []
    for _ in range(2):
        with seeded(3, "cuda"):
            drawn.append(torch.rand(5, device="cuda").tolist())
    assert drawn[0] == drawn[1]
    assert torch.equal(torch.cuda.get_rng_state(), before)
