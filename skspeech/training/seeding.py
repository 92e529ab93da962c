"""Random numbers for training that leave the global generators as they were."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from sklearn.utils import check_random_state

__all__ = ["own_random_state", "seeded"]

# torch has one generator a device for all threads: two trainings at once would draw from each
# other's numbers and put back each other's state.
_GENERATORS = threading.RLock()


@contextmanager
def seeded(seed: int, device: str) -> Iterator[None]:
    """Seed torch for the block, on the CPU and on `device`, and restore it afterwards.

    One thread at a time: trainings in threads take turns, those in processes run side by side.

    Parameters
    ----------
    seed : int
        Any value that torch's generators take.
    device : str
        A torch device: ``"cpu"``, ``"cuda:0"``, ``"mps"``.

    Examples
    --------
    >>> import torch
    >>> from skspeech.training.seeding import seeded
    >>> with seeded(0, "cpu"):
    ...     first = torch.rand(1)
    >>> with seeded(0, "cpu"):
    ...     print(bool(torch.rand(1) == first))
    True
    """
    import torch  # here: own_random_state serves transformers too, which need no torch

    # torch.manual_seed would also reseed every GPU, which fork_rng then would not restore
    kind = torch.device(device).type
    accelerated = kind != "cpu"
    devices = [torch.device(device).index or 0] if accelerated else []
    forked = torch.random.fork_rng(devices, device_type=kind if accelerated else "cuda")
    with _GENERATORS, forked:
        torch.default_generator.manual_seed(seed)
        if accelerated:
            torch.get_device_module(kind).manual_seed(seed)
        yield


def own_random_state(random_state: Any) -> np.random.RandomState:
    """Return scikit-learn's generator, or a fresh one where it would draw from the global one.

    Examples
    --------
    >>> from skspeech.training.seeding import own_random_state
    >>> own_random_state(0).randint(10)
    5
    """
    return np.random.RandomState() if random_state is None else check_random_state(random_state)
