"""What several benchmarks need."""

import pytest


@pytest.fixture(scope="module")
def one_thread():
    """Let torch compute on one thread, so that cores that are busy otherwise do not matter."""
    import torch

    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(n_threads)
