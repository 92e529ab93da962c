"""From fitted estimators to what a file can hold."""

from dataclasses import fields
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.utils.validation import check_is_fitted

from skspeech.archive import TreeWriter, joined
from skspeech.persistence._networks import NET_SETTINGS, check_described
from skspeech.persistence._scikit_learn import nested_estimators, pack_step
from skspeech.persistence._trust import class_name, origin, own_name

__all__ = ["CONTAINERS", "OUTPUT_CONFIG", "PLACES", "ModelWriter", "is_learned"]

#: scikit-learn's containers whose steps may be of any kind, and what they call the steps.
CONTAINERS: dict[str, tuple[type, str]] = {
    "FeatureUnion": (FeatureUnion, "transformer_list"),
    "Pipeline": (Pipeline, "steps"),
}

#: Parameters that name a folder of this machine, to which a fit writes and from which it reads.
PLACES = ("checkpoint_dir", "memory")

#: Where scikit-learn keeps what ``set_output`` was told.
OUTPUT_CONFIG = "_sklearn_output_config"

# what belongs to a program and not to a model: whom to tell, which metadata to route, and the
# columns of the last answer of a FeatureUnion
_LEFT_OUT = {
    "_metadata_request",
    "_parent_callback_ctx",
    "_skl_callbacks",
    "_transformers_feature_names_out",
}
_PLAIN = (type(None), bool, int, str)


class ModelWriter(TreeWriter):
    """Turns estimators into a tree; a key is that of ``set_params``: ``step__parameter``.

    Attributes
    ----------
    members : dict of str to bytes
        scikit-learn's steps.
    needed : dict of str to (str or None)
        What the reader has to trust by name, and the distribution that it is from.
    """

    def __init__(self) -> None:
        super().__init__()
        self.members: dict[str, bytes] = {}
        self.needed: dict[str, str | None] = {}
        self._origins: dict[str, dict[str, str | None]] = {}  # a look at all that is installed

    def estimator(self, estimator: Any, key: str, *, fitted: bool) -> dict[str, Any]:
        """Return the node of an estimator."""
        cls = type(estimator)
        if (cls, cls.__name__) in [(known, name) for name, (known, _) in CONTAINERS.items()]:
            return self._container(estimator, key, fitted)
        from_scikit_learn = cls.__module__.partition(".")[0] == "sklearn"
        named = {} if from_scikit_learn else self._class(estimator, key)
        if fitted:
            check_is_fitted(estimator)
        if from_scikit_learn:
            return self._scikit_learn(estimator, key)
        return {**named, **self._parts(estimator, key)}

    def _class(self, estimator: Any, key: str) -> dict[str, Any]:
        """Return by what name the class of an estimator is found again."""
        cls = type(estimator)
        if name := own_name(cls):
            return {"class": name, "distribution": "skspeech"}
        full = class_name(cls) if isinstance(estimator, BaseEstimator) else None
        if full is None:
            raise TypeError(
                f"{_said(key)} is a {cls.__qualname__} of {cls.__module__}. What can be saved are "
                "skspeech's own estimators (skspeech list), scikit-learn's, and those of other "
                "packages that derive from BaseEstimator, whose class is found by its name: put "
                "the class into a module that can be imported where the model is read."
            )
        if cls.__module__ not in self._origins:
            self._origins[cls.__module__] = origin(cls.__module__)
        source = self._origins[cls.__module__]
        self.needed[full] = " ".join(filter(None, source.values())) or None
        return {"class": full, **source}

    def _parts(self, estimator: Any, key: str) -> dict[str, Any]:
        parameters = estimator.get_params(deep=False)
        if _is_network(estimator) and "checkpoint_dir" in parameters:
            parameters["checkpoint_dir"] = None  # a training's, which is over
        _check_no_place(parameters, key)
        node = {
            "parameters": self.all(parameters, key),
            "state": self.all(_state(estimator, key), key),
        }
        if _is_network(estimator) and hasattr(estimator, "net_"):
            node["net"] = self._net(estimator, key)
        return node

    def _container(self, container: Any, key: str, fitted: bool) -> dict[str, Any]:
        name = type(container).__name__
        parameters = container.get_params(deep=False)
        _check_no_place(parameters, key)
        parameters.pop("memory", None)
        steps = []
        for step_name, step in parameters.pop(CONTAINERS[name][1]):
            plain = step is None or isinstance(step, str)  # "passthrough", "drop"
            step_key = joined(key, step_name)
            node = step if plain else self.estimator(step, step_key, fitted=fitted)
            steps.append([step_name, node])
        return {
            "class": name,
            "distribution": "scikit-learn",
            "steps": steps,
            "parameters": self.all(parameters, key),
            "state": self.all(_state(container, key), key),
        }

    def _scikit_learn(self, step: Any, key: str) -> dict[str, Any]:
        cls = type(step)
        for part in nested_estimators(step):
            if type(part).__module__.partition(".")[0] != "sklearn":
                raise TypeError(
                    f"{_said(key)} is a {cls.__name__} that holds a {type(part).__name__} of "
                    f"{type(part).__module__}. Of scikit-learn's tools only Pipeline and "
                    f"FeatureUnion are saved with estimators of other packages in them. "
                    f"{_instead(step)}"
                )
        try:
            data, needed = pack_step(step, without=_LEFT_OUT)
        except TypeError as error:
            raise TypeError(f"{_said(key)}, a {cls.__name__}, {error}") from error
        self.needed |= dict.fromkeys(needed)
        member = f"skops/{len(self.members)}.skops"
        self.members[member] = data
        name = f"{cls.__module__}.{cls.__qualname__}"
        return {"class": name, "distribution": "scikit-learn", "skops": member}

    def _net(self, estimator: Any, key: str) -> dict[str, Any]:
        """Keep the weights, what the net was set to when it was fitted, and a row an epoch."""
        net = estimator.net_
        check_described(estimator, key or "the model")
        weights = {}
        for name, tensor in net.module_.state_dict().items():
            weights[name] = self.tensor(tensor.cpu().numpy(), f"{joined(key, 'net_')}/{name}")
        settings = {name: getattr(net, name) for name in NET_SETTINGS}
        return {
            "weights": weights,
            "settings": self.all(settings, joined(key, "net_")),
            "history": self.items(_plain_rows(net.history), f"{joined(key, 'net_')}/history"),
        }

    def _encoders(self) -> dict[type, Any]:
        from skspeech.training.validation import ValidationPart

        return {
            **super()._encoders(),
            ValidationPart: lambda value, key: {
                "validation": self.all({f.name: getattr(value, f.name) for f in fields(value)}, key)
            },
            BaseEstimator: lambda value, key: {
                "estimator": self.estimator(value, key, fitted=False)
            },
        }

    def _mend(self, key: str) -> str:
        return (
            " If it is a parameter, set it to numbers, text or None first, set_params"
            f"({key.split('/')[0]}=...). A fitted network reads optimizer, callbacks, validation "
            "and random_state no more."
        )


def is_learned(name: str, estimator: Any) -> bool:
    """Whether an attribute may be what an estimator learned, and hides no method of it."""
    public = name.isidentifier() and not name.startswith("_")
    return public and name.endswith("_") and not hasattr(type(estimator), name)


def _said(key: str) -> str:
    return f"The step {key!r}" if key else "The model"


def _instead(estimator: Any) -> str:
    if hasattr(estimator, "best_estimator_"):
        return "Save its best_estimator_."
    return "Save the estimators in it, each in a file of its own."


def _is_network(estimator: Any) -> bool:
    from skspeech.base.network import Network

    return isinstance(estimator, Network)


def _check_no_place(parameters: dict[str, Any], key: str) -> None:
    """Refuse to write where an estimator keeps what it computed."""
    for name in PLACES:
        if parameters.get(name) is not None:
            raise TypeError(
                f"{joined(key, name)} is a place of this machine. Set it to None first: "
                "what is fitted stays as it is."
            )


def _state(estimator: Any, key: str) -> dict[str, Any]:
    """Return what an estimator learned, its net apart; refuse what may be part of an answer."""
    known = {*estimator.get_params(deep=False), *_LEFT_OUT}
    if _is_network(estimator):
        known.add("net_")
    state = {name: value for name, value in vars(estimator).items() if name not in known}
    for name in state:
        if not is_learned(name, estimator) and name != OUTPUT_CONFIG:
            raise TypeError(
                f"{joined(key, name)} is neither a parameter nor a fitted attribute, whose name "
                "ends with an underscore: it would be lost."
            )
    return state


def _plain_rows(history: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {
            name: value.item() if isinstance(value, np.generic) else value
            for name, value in row.items()
            if isinstance(value, (np.generic, float, *_PLAIN))
        }
        for row in history
    ]
