"""The training parameters that all networks share: their constraints and their words."""

import inspect
import os
import re
from numbers import Integral, Real
from textwrap import indent
from typing import TypeVar

from sklearn.utils._param_validation import HasMethods, Interval, StrOptions

__all__ = ["TRAINING_CONSTRAINTS", "document_training"]

T = TypeVar("T", bound=type)

TRAINING_CONSTRAINTS: dict[str, list] = {
    "max_epochs": [Interval(Integral, 1, None, closed="left")],
    "lr": [Interval(Real, 0, None, closed="neither")],
    "batch_size": [Interval(Integral, 1, None, closed="left")],
    "batch_frames": [Interval(Integral, 1, None, closed="left"), None],
    "optimizer": [StrOptions({"adagrad", "adam", "adamw", "rmsprop", "sgd"}), callable],
    "weight_decay": [Interval(Real, 0, None, closed="left")],
    "class_weight": [StrOptions({"balanced"}), dict, None],
    "validation": [StrOptions({"auto", "speaker", "stratified"}), HasMethods("get_n_splits"), None],
    "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
    "patience": [Interval(Integral, 1, None, closed="left"), None],
    "lr_patience": [Interval(Integral, 1, None, closed="left"), None],
    "max_grad_norm": [Interval(Real, 0, None, closed="neither"), None],
    "standardize": [StrOptions({"bin", "global"}), None],
    "device": [str],
    "precision": [StrOptions({"float32", "bfloat16"})],
    "callbacks": [list, tuple, None],
    "warm_start": ["boolean"],
    "checkpoint_dir": [str, os.PathLike, None],
    "verbose": ["verbose"],
    "random_state": ["random_state"],
}

_PARAMETERS = """\
max_epochs : int, default={max_epochs}
    The most passes over the training recordings.
lr : float, default={lr}
    Learning rate.
batch_size : int, default={batch_size}
    Segments in a batch; like lengths go together. Not read where `batch_frames` is set.
batch_frames : int or None, default={batch_frames}
    The most frames (samples, of a waveform) in a batch, padding included, in place of
    `batch_size`, so that memory does not depend on the longest recording unless it is longer
    than this by itself: then it is read alone. Less than 8 percent of a batch is padding, and
    a step counts by the segments that it holds. Many short recordings make few steps an epoch.
    Answers are computed with the value set at ``fit``. None counts segments.
optimizer : {{"adagrad", "adam", "adamw", "rmsprop", "sgd"}} or callable, \
default={optimizer}
    ``"sgd"`` has Nesterov momentum 0.9; a callable is a torch optimiser class, called with
    parameter groups and ``lr``.
weight_decay : float, default={weight_decay}
    Its share of each kernel is added to the kernel's gradient (an L2 penalty of half this
    value); ``"adamw"`` takes it off the kernel itself. Biases and normalisation are spared.
class_weight : dict, "balanced" or None, default={class_weight}
    The weight of each class in the loss; ``"balanced"`` is the inverse of its frequency
    among what counts as one in the loss: the training recordings, unless the class says else.
validation : {{"auto", "speaker", "stratified"}}, splitter or None, default={validation}
    What is held out of the training recordings to find the best epoch, whose weights are
    restored. ``"auto"``: without ``groups``, or with one speaker, a stratified part, or
    nothing if a class is too rare; else whole speakers who together have every class that
    two or more speakers have, or nothing. ``"speaker"`` and ``"stratified"`` ask for that
    alone and raise where it cannot be had. Of a splitter of scikit-learn's kind the first
    split's test part is held out (``PredefinedSplit`` names the recordings one by one);
    None holds nothing out.
    ``validation_.reason`` says why nothing was held out.
validation_fraction : float, default={validation_fraction}
    The share of recordings to hold out, in (0, 1). Whole speakers come as near as covering
    the classes lets them, and never to more than half.
patience : int or None, default={patience}
    Epochs without a better one before the training stops; None trains `max_epochs`.
lr_patience : int or None, default={lr_patience}
    Epochs without a higher validation score before the learning rate is halved; None, or
    nothing held out, keeps it. Beside a schedule of your own in `callbacks`, set None.
max_grad_norm : float or None, default={max_grad_norm}
    A longer gradient is shortened to this length before each step; None leaves it.
standardize : {{"bin", "global"}} or None, default={standardize}
    Subtract the mean and divide by the deviation of each bin, or of the whole, over the
    training frames; both travel with the weights.
device : str, default={device}
    A torch device; ``"auto"`` takes CUDA, then MPS, then the CPU.
precision : {{"float32", "bfloat16"}}, default={precision}
    The type in which the network computes; its weights stay in float32.
callbacks : list of skorch callbacks or None, default={callbacks}
    Copied for each training.
warm_start : bool, default={warm_start}
    Whether ``fit`` trains the fitted network further instead of starting a new one, with
    the `lr`, `weight_decay`, `batch_size`, `batch_frames` and `precision` now set; the network, its
    standardisation, `optimizer` and `device` stay. An int as `random_state` holds the same
    part of the same recordings out again.
checkpoint_dir : path or None, default={checkpoint_dir}
    A folder in which each epoch is written. A ``fit`` that was stopped, even killed, then goes on
    from its last epoch when it is called again with the same recordings, parameters and seed (None
    is refused), to the result that it would have had; one that was finished is taken from there.
    Each training has a file of its own, named by a hash of all that its result depends on, in
    this version, of functions and classes by their names; nobody removes them but you. Callbacks
    of your own that remember something other than numbers, texts, arrays and tensors need
    ``state_dict`` and ``load_state_dict``.
verbose : int, default={verbose}
    1 prints a row an epoch.
random_state : int, RandomState instance or None, default={random_state}
    Of the weights, the order of the batches, dropout and the part held out. The same int on
    the same CPU, with as many threads, gives the same weights.
"""

_ATTRIBUTES = """\
classes_ : ndarray of shape (n_classes,)
    The labels, sorted.
net_ : skorch.NeuralNet
    The trained net.
module_ : torch.nn.Module
    Its torch module: input standardisation and the network.
n_iter_ : int
    Epochs trained.
history_ : list of dict
    A row an epoch: losses, the accuracy on the validation recordings (weighted by
    `class_weight`; unweighted, a mean over classes, with ``"balanced"``), seconds, whether the
    epoch was the best so far, and with `lr_patience` the learning rate.
validation_ : ValidationPart
    What was held out, and how.
layout_ : tuple of int
    The axes before time that the network reads: channels, and bins of a spectrogram.
n_features_in_ : int
    Only when fitted on a table: a 2-D array, a data frame or a list of lists of numbers.
feature_names_in_ : ndarray of str
    Only when fitted on a data frame with string column names.
"""


# What the parameters and attributes are for networks that answer frames, where it is not the same.
_OF_FRAMES = {
    "batch_size": """\
batch_size : int, default={batch_size}
    Frames in a batch, each with its context.
""",
    "validation": """\
validation : {{"auto", "speaker", "random"}}, splitter or None, default={validation}
    What is held out of the training recordings to find the best epoch, whose weights are
    restored. ``"auto"``: whole speakers if ``groups`` of several arrive, else recordings drawn at
    random, or nothing if there is only one. ``"speaker"`` and ``"random"`` ask for that alone and
    raise where it cannot be had. Of a splitter of scikit-learn's kind the first split's test part
    is held out; None holds nothing out.
""",
    "validation_fraction": """\
validation_fraction : float, default={validation_fraction}
    The share of recordings to hold out, in (0, 1). Whole speakers come as near as they can.
""",
    "lr_patience": """\
lr_patience : int or None, default={lr_patience}
    Epochs without a lower validation error before the learning rate is halved; None, or
    nothing held out, keeps it.
""",
    "standardize": """\
standardize : {{"bin", "global"}} or None, default={standardize}
    Subtract the mean and divide by the deviation of each pixel, or of all, over the training
    frames. Targets are standardised in any case, and answers are in their units.
""",
    "classes_": "",
    "history_": """\
history_ : list of dict
    A row an epoch: losses (the squared error of standardised targets), the mean R2 on the
    validation recordings, seconds, whether the epoch was the best so far, and with `lr_patience`
    the learning rate.
""",
    "layout_": """\
layout_ : tuple of int
    The axes after time that the network reads: rows and columns, before them the context where
    frames bring it.
context_frames_ : int
    Frames that the network sees for each one.
n_outputs_ : int
    Numbers in the answer to a frame.
""",
}


def document_training(cls: T, *, frames: bool = False) -> T:
    """Put the shared parameters and attributes into a class's docstring.

    The docstring holds the lines ``{training_parameters}`` and ``{training_attributes}``;
    the defaults come from the signature, and what is not in it is left out.

    Parameters
    ----------
    cls : type
    frames : bool, default=False
        Whether it is a network that answers frames.

    Returns
    -------
    type
    """
    if cls.__doc__ is None:  # python -OO
        return cls
    defaults = {
        name: f'"{parameter.default}"' if isinstance(parameter.default, str) else parameter.default
        for name, parameter in inspect.signature(cls).parameters.items()
    }
    others = _OF_FRAMES if frames else {}
    own = [text for name, text in _entries(_PARAMETERS, others) if name in defaults]
    attributes = "".join(text for _, text in _entries(_ATTRIBUTES, others))
    for mark, text in (
        ("    {training_parameters}\n", "".join(own).format(**defaults)),
        ("    {training_attributes}\n", attributes),
    ):
        if mark not in cls.__doc__:
            raise ValueError(f"{cls.__name__}'s docstring lacks the line {mark.strip()}.")
        cls.__doc__ = cls.__doc__.replace(mark, indent(text, "    "))
    return cls


def _entries(text: str, others: dict[str, str]) -> list[tuple[str, str]]:
    """Return the entries of a docstring's section by name, some of them replaced."""
    entries = re.split(r"^(?=\w+ : )", text, flags=re.MULTILINE)
    named = [(entry.split(" : ")[0], entry) for entry in entries if entry]
    return [(name, others.get(name, entry)) for name, entry in named]
