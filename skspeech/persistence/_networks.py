"""What both sides of a file know of a network."""

from typing import Any

__all__ = ["NET_SETTINGS", "check_described", "planned_network", "shapes"]

#: What a net was set to when it was fitted, whatever the estimator's parameters are by now.
NET_SETTINGS = ("batch_frames", "batch_size", "lr", "precision", "verbose")


def check_described(estimator: Any, name: str) -> None:
    """Refuse a fitted estimator whose parameters describe another network than the fitted one.

    Raises
    ------
    ValueError
        The message gives it `name`.
    """
    fitted = estimator.module_.network
    planned = planned_network(estimator, len(shapes(fitted)))
    if repr(planned) != repr(fitted) or shapes(planned) != shapes(fitted):
        raise ValueError(
            f"The parameters of {name} were changed after fit and describe another network than "
            "the fitted one. Set them back, or fit again."
        )


def planned_network(estimator: Any, n_weights: int) -> Any:
    """Build the network that an estimator's parameters describe, without its numbers.

    Parameters
    ----------
    estimator : estimator
    n_weights : int
        How many arrays of weights it should have. Building one with many more is given up: a number
        in a file could ask for any number of layers.

    Raises
    ------
    ValueError
        If it was given up.
    """
    import torch
    from torch.overrides import TorchFunctionMode

    class Limit(TorchFunctionMode):
        left = 1000 + 100 * n_weights  # ours take 4 to 8 calls an array

        def __torch_function__(
            self, function: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            self.left -= 1
            if self.left < 0:
                raise ValueError("its parameters ask for more layers than it has weights of.")
            return function(*args, **(kwargs or {}))

    with torch.device("meta"), Limit():
        return estimator._planned_network()


def shapes(network: Any) -> dict[str, tuple[int, ...]]:
    """Return the shapes of a network's weights, by their names."""
    return {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
