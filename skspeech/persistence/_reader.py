"""From what a file holds to fitted estimators."""

from collections.abc import Collection
from importlib.metadata import version
from typing import Any

import numpy as np

from skspeech.archive import TreeReader
from skspeech.persistence._networks import planned_network, shapes
from skspeech.persistence._scikit_learn import unpack_step
from skspeech.persistence._trust import own_classes
from skspeech.persistence._writer import CONTAINERS, OUTPUT_CONFIG, PLACES, is_learned

__all__ = ["ModelReader"]


class ModelReader(TreeReader):
    """Turns back what :class:`ModelWriter` made.

    Parameters
    ----------
    tensors : dict of str to ndarray
    members : dict of str to bytes
        The other parts of the file.
    classes : dict of str to type
        The classes of other packages, by their full names.
    trusted : collection of str
        What may be built of scikit-learn beside what skops knows.
    """

    def __init__(
        self,
        tensors: dict[str, np.ndarray],
        members: dict[str, bytes] | None = None,
        classes: dict[str, type] | None = None,
        trusted: Collection[str] = (),
    ):
        super().__init__(tensors)
        self.members, self.classes, self.trusted = members or {}, classes or {}, trusted

    def estimator(self, node: dict[str, Any]) -> Any:
        """Return the estimator that a node stands for."""
        if "skops" in node:
            return unpack_step(self.members[node["skops"]], node["class"], self.trusted)
        for place in PLACES:
            if node["parameters"].get(place) is not None:
                raise ValueError(f"it gives its {node['class']} a place on this machine: {place}.")
        if "steps" in node:
            return self._container(node)
        estimator = self._class(node)(**self.all(node["parameters"]))
        if hasattr(estimator, "_parameter_constraints"):
            estimator._validate_params()
        self._learn(estimator, node)
        if "net" in node:
            estimator.net_ = self._net(estimator, node["net"])
        return estimator

    def _class(self, node: dict[str, Any]) -> Any:
        name = node["class"]
        if name in self.classes:
            return self.classes[name]
        point = own_classes().get(name)
        if point is None or node["distribution"] != "skspeech":
            raise ValueError(
                f"it holds a {name!r} of {node['distribution']!r}, which is none of the "
                f"estimators of skspeech {version('skspeech')}."
            )
        return point.load()

    def _container(self, node: dict[str, Any]) -> Any:
        cls, called = CONTAINERS[node["class"]]
        steps = [
            (name, self.estimator(step) if isinstance(step, dict) else step)
            for name, step in node["steps"]
        ]
        container = cls(**{called: steps}, **self.all(node["parameters"]))
        if hasattr(container, "_parameter_constraints"):
            container._validate_params()
        self._learn(container, node)
        return container

    def _learn(self, estimator: Any, node: dict[str, Any]) -> None:
        """Give an estimator what it learned."""
        for name, value in self.all(node["state"]).items():
            told = name == OUTPUT_CONFIG and value in _OUTPUTS
            if not told and not is_learned(name, estimator):
                raise ValueError(f"it gives {node['class']} an attribute {name!r}.")
            # set_output would tell the steps of a container too
            setattr(estimator, name, value)

    def _decoders(self) -> dict[str, Any]:
        from skspeech.training.validation import ValidationPart

        return {
            **super()._decoders(),
            "estimator": self.estimator,
            "validation": lambda items: ValidationPart(**self.all(items)),
        }

    def _net(self, estimator: Any, saved: dict[str, Any]) -> Any:
        import torch
        from skorch.history import History

        from skspeech.training.seeding import seeded

        weights = {
            name: torch.from_numpy(self.tensors[key]) for name, key in saved["weights"].items()
        }
        # compared before anything of that size is built
        moments = {name: weights[name].numpy() for name in estimator._moments if name in weights}
        found = {
            name.removeprefix("network."): tuple(tensor.shape)
            for name, tensor in weights.items()
            if name not in moments
        }
        halves = ("mean" in moments) != ("scale" in moments)
        if halves or found != shapes(planned_network(estimator, len(found))):
            raise ValueError(
                f"its weights do not fit the parameters of {type(estimator).__name__}."
            )
        device = _device(estimator.device)
        with seeded(0, device):  # the weights drawn here are replaced at once
            net = estimator._net_of(estimator._planned_network(), moments, device)
        net.module_.load_state_dict(weights)
        net.adjust(weight_decay=estimator.weight_decay, **self.all(saved["settings"]))
        net.history = History({**row, "batches": []} for row in self.value(saved["history"]))
        return net


# What set_output may have been told.
_OUTPUTS = [{"transform": value} for value in (None, "default", "pandas", "polars")]


def _device(wanted: str) -> str:
    from skspeech.training.net import resolve_device

    try:
        return resolve_device(wanted)
    except ValueError:  # trained on another machine
        return resolve_device("auto")
