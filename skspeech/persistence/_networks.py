"""What both sides of a file know of a network."""

from typing import Any

__all__ = ["NET_SETTINGS", "planned_network", "shapes"]

#: What a net was set to when it was fitted, whatever the estimator's parameters are by now.
NET_SETTINGS = ("batch_frames", "batch_size", "lr", "precision", "verbose")


def planned_network(estimator: Any) -> Any:
    """Build the network that an estimator's parameters describe, without its numbers."""
    import torch

    with torch.device("meta"):
        return estimator._planned_network()


def shapes(network: Any) -> dict[str, tuple[int, ...]]:
    """Return the shapes of a network's weights, by their names."""
    return {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
