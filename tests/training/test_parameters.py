"""The shared parameters are documented once, with the defaults of each class."""

import inspect

import pytest

from skspeech.models import (
    CNNLSTM1DClassifier,
    CNNLSTM2DClassifier,
    Conv3DBiLSTMRegressor,
    Conv3DConvLSTMRegressor,
    Conv3DRegressor,
    MultiKernelBLSTMClassifier,
)
from skspeech.training.parameters import TRAINING_CONSTRAINTS, document_training

CLASSIFIERS = [CNNLSTM1DClassifier, CNNLSTM2DClassifier, MultiKernelBLSTMClassifier]
REGRESSORS = [Conv3DRegressor, Conv3DBiLSTMRegressor, Conv3DConvLSTMRegressor]
NETWORKS = pytest.mark.parametrize("network", CLASSIFIERS + REGRESSORS)


def section(cls, name):
    """Return the lines of one section of a numpydoc docstring."""
    lines = inspect.getdoc(cls).splitlines()
    start = next(i for i, line in enumerate(lines) if line == name and lines[i + 1][0] == "-")
    heads = [i for i, line in enumerate(lines[:-1]) if lines[i + 1] == "-" * len(line) != ""]
    return lines[start + 2 : min([i for i in heads if i > start], default=None)]


def entries(cls, name):
    """Return the names of a section's entries, and what follows the colon."""
    rows = [line for line in section(cls, name) if line and not line.startswith(" ")]
    return [tuple(row.split(" : ", 1)) for row in rows]


@NETWORKS
def test_every_parameter_is_documented_once_in_order(network):
    assert [name for name, _ in entries(network, "Parameters")] == list(
        inspect.signature(network).parameters
    )


@NETWORKS
def test_defaults_are_those_of_the_signature(network):
    for name, text in entries(network, "Parameters"):
        default = inspect.signature(network).parameters[name].default
        shown = f'"{default}"' if isinstance(default, str) else str(default).replace("'", '"')
        assert text.endswith(f"default={shown}"), f"{name} : {text}"


@NETWORKS
def test_attributes_are_documented_once(network):
    names = [name for name, _ in entries(network, "Attributes")]
    assert len(names) == len(set(names))
    own = {"classes_"} if network in CLASSIFIERS else {"context_frames_", "n_outputs_"}
    wanted = {"net_", "module_", "n_iter_", "history_", "validation_", "layout_", *own}
    assert wanted <= set(names)
    assert ("classes_" in names) == (network in CLASSIFIERS)


@NETWORKS
def test_no_mark_is_left(network):
    assert "{training" not in network.__doc__
    assert "{{" not in network.__doc__


@pytest.mark.parametrize("network", CLASSIFIERS)
def test_all_shared_parameters_are_there(network):
    assert set(TRAINING_CONSTRAINTS) <= set(inspect.signature(network).parameters)
    assert set(network._parameter_constraints) == set(inspect.signature(network).parameters)


@pytest.mark.parametrize("network", REGRESSORS)
def test_all_shared_parameters_but_those_of_classes_and_lengths_are_there(network):
    shared = set(TRAINING_CONSTRAINTS) - {"class_weight", "batch_frames"}
    assert shared <= set(inspect.signature(network).parameters)
    assert set(inspect.signature(network).parameters) <= set(network._parameter_constraints)


@pytest.mark.parametrize("network", REGRESSORS)
def test_what_is_said_to_readers_of_frames(network):
    shown = dict(entries(network, "Parameters"))
    assert shown["validation"].startswith('{"auto", "speaker", "random"}')
    text = " ".join(network.__doc__.split())
    assert "Frames in a batch, each with its context." in text
    assert "stratified" not in text
    assert "accuracy" not in text


def with_docstring(docstring, **defaults):
    """Return a class with the shared parameters, all None unless told, and a docstring."""
    parameters = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=defaults.get(name))
        for name in TRAINING_CONSTRAINTS
    ]
    return type(
        "Network", (), {"__doc__": docstring, "__signature__": inspect.Signature(parameters)}
    )


MARKS = """Say what it does.

    Parameters
    ----------
    {training_parameters}

    Attributes
    ----------
    {training_attributes}
    """


def test_defaults_without_a_name_have_no_quotes():
    network = document_training(with_docstring(MARKS, validation_fraction=0.25))
    shown = dict(entries(network, "Parameters"))
    assert shown["standardize"].endswith("default=None")
    assert shown["validation"].endswith("default=None")
    assert shown["validation_fraction"] == "float, default=0.25"


@pytest.mark.parametrize("mark", ["training_parameters", "training_attributes"])
def test_docstring_without_a_mark_is_refused(mark):
    docstring = MARKS.replace(f"{{{mark}}}", "something else")
    with pytest.raises(ValueError, match=f"Network's docstring lacks the line {{{mark}}}"):
        document_training(with_docstring(docstring))


def test_no_docstring_is_left_alone():
    assert document_training(with_docstring(None)).__doc__ is None


def test_what_a_class_leaves_out_is_left_out_of_its_docstring():
    class Network(CNNLSTM2DClassifier):
        __doc__ = MARKS

        def __init__(self, *, max_epochs=3, lr=0.5):
            self.max_epochs, self.lr = max_epochs, lr

    shown = dict(entries(document_training(Network), "Parameters"))
    assert shown == {"max_epochs": "int, default=3", "lr": "float, default=0.5"}
