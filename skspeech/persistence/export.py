"""Networks for other programs: files of ONNX, each compared with what it was made of."""

import json
import os
import textwrap
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from skspeech.archive import write_whole
from skspeech.exceptions import MissingExtraError
from skspeech.persistence._networks import check_described

__all__ = ["to_onnx"]

_PACKAGES = ("onnx", "onnxruntime", "onnxscript")

# Parameters that belong to the program that fitted, not to what is fitted.
_OF_THE_PROGRAM = ("callbacks", "checkpoint_dir", "verbose")

# How far an answer of a file may be from the network's own.
_TOLERANCE = 1e-4

# A file ends at 2 GiB; a little is for all but the weights.
_MAX_BYTES = 2**31 - 2**24

_MEND = (
    "Build its network of the layers in skspeech.layers and of operators that ONNX has, and let "
    "no branch depend on lengths or sizes."
)


def to_onnx(
    estimator: Any,
    path: str | os.PathLike,
    *,
    output: str | None = None,
    overwrite: bool = False,
) -> None:
    """Write a fitted network to one file of ONNX, for programs without Python or without torch.

    The file appears once onnxruntime, given recordings of several lengths, has answered as the
    network does: to 1e-4 in posteriors, to 1e-4 of a target's deviation in answers to frames, and
    to 1e-4 of the largest number, if that is above 1, in embeddings.

    Parameters
    ----------
    estimator : NetworkClassifier or NetworkRegressor
        Fitted. It is not changed. What a file holds is the network: steps of a pipeline before it
        are for the caller to compute.
    path : str or path-like
        The file. A failure leaves what was there before.
    output : {"predict_proba", "transform", "predict"} or None, default=None
        What the file answers. A classifier gives its posteriors, which None stands for, or the
        embedding; a frame regressor what it predicts.
    overwrite : bool, default=False
        Whether a file of this name may be replaced.

    Raises
    ------
    FileExistsError
        If the file exists and `overwrite` is False.
    MissingExtraError
        Without onnx, onnxruntime or onnxscript.
    NotFittedError
        If the estimator is not fitted.
    TypeError
        If the estimator is no network, or that of a plugin does what torch's exporter cannot follow
        or ONNX has no operator for. The message says what to do.
    ValueError
        If `output` is none of what the estimator gives, its parameters were changed so that they no
        longer describe the network, the weights have 2 GiB or more, or
        onnxruntime gives other answers.

    Notes
    -----
    A classifier's file has the inputs ``inputs``, float32 (n_segments, ...layout, n_frames), and
    ``lengths``, int64 (n_segments,), the valid frames of each segment, 1 to n_frames; and the
    output ``posteriors``, float32 (n_segments, n_classes), or ``embeddings``, float32 (n_segments,
    dim). ``layout`` is (n_channels, n_bins) for spectrograms, and (1,) for what has no bins. Any
    number of segments, of any number of frames, may come together, padded at the end with anything.
    An answer is that of ``predict_proba``, or of ``transform``, to a recording that is this segment
    alone; the mean over the segments of a bag is the caller's.

    A frame regressor's file has the input ``windows``, float32 (n_windows, n_context, n_rows,
    n_columns): each frame amid those before and after it, with the first and the last frame of the
    recording in the place of those beyond; 8 bits ``v`` are ``v / 127.5 - 1``. Its output is
    ``answers``, float32 (n_windows, n_outputs), in the units of the targets.

    Standardisation is part of the graph. Numbers are float32, also where `precision` is
    "bfloat16", whose own answers differ by more than 1e-4.

    The metadata of the file say the rest, as text or JSON: ``estimator``, ``parameters``,
    ``versions``, ``input_kind``, ``layout``, ``classes`` (labels in the order of the
    posteriors) or ``context_frames``, and ``description``. The operators are those of opset 18.

    Examples
    --------
    >>> import json, tempfile
    >>> from pathlib import Path
    >>> import numpy as np, onnxruntime
    >>> from skspeech.datasets import load_japanese_vowels
    >>> from skspeech.models import CNNLSTM2DClassifier
    >>> from skspeech.persistence import to_onnx
    >>> vowels = load_japanese_vowels()
    >>> network = CNNLSTM2DClassifier(n_maps=(4, 4), pool_sizes=(2, 2), lstm_units=8, max_epochs=1)
    >>> network = network.fit(vowels.data[::9], vowels.target[::9])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     to_onnx(network, Path(folder) / "vowels.onnx")
    ...     session = onnxruntime.InferenceSession(Path(folder) / "vowels.onnx")
    >>> json.loads(session.get_modelmeta().custom_metadata_map["layout"])
    [1, 12]
    >>> vowel = vowels.data[0][None, None].astype(np.float32)
    >>> inputs = {"inputs": vowel, "lengths": np.array([vowel.shape[-1]])}
    >>> np.allclose(session.run(None, inputs)[0], network.predict_proba(vowels.data[:1]), atol=1e-4)
    True
    """
    path = Path(path)
    if path.exists() and not overwrite:
        raise FileExistsError(f"{path} exists. Choose another name, or pass overwrite=True.")
    answers = _answers(estimator, output)
    name = type(estimator).__name__
    data = _serialized(answers, name, _metadata(estimator))
    _compare(answers, name, data)
    write_whole(path, data)


def _answers(estimator: Any, output: str | None) -> Any:
    """Return what the file is to answer; refuse what cannot be written."""
    from skspeech.persistence._onnx_answers import answers_of

    kinds = answers_of(estimator)
    if not kinds:
        raise TypeError(
            f"A {type(estimator).__name__} cannot be written as ONNX; a fitted network can, a "
            f"NetworkClassifier or NetworkRegressor.{_hint(estimator)}"
        )
    check_is_fitted(estimator, "net_")
    check_described(estimator, type(estimator).__name__)
    for package in _PACKAGES:
        try:
            import_module(package)
        except ImportError as error:
            raise MissingExtraError("to_onnx", package, "onnx") from error
    output = output or next(iter(kinds))
    if output not in kinds:
        raise ValueError(
            f"output is {output!r}; expected {' or '.join(map(repr, kinds))} of a "
            f"{type(estimator).__name__}."
        )
    return kinds[output](estimator)


def _hint(estimator: Any) -> str:
    """Say where the network is."""
    if isinstance(estimator, Pipeline):
        return " Give the pipeline's last step; the other program computes what comes before it."
    for name in ("best_estimator_", "regressor_"):
        if hasattr(estimator, name):
            return f" Give its {name}."
    return ""


def _metadata(estimator: Any) -> dict[str, str]:
    cls = type(estimator)
    parameters = {
        name: value if _is_json(value) else repr(value)
        for name, value in estimator.get_params(deep=False).items()
        if name not in _OF_THE_PROGRAM
    }
    return {
        "estimator": f"{cls.__module__}.{cls.__qualname__}",
        "parameters": json.dumps(parameters),
        "versions": json.dumps({name: version(name) for name in ("skspeech", "torch", *_PACKAGES)}),
        "input_kind": estimator.__speech_tags__().input_kind,
    }


def _is_json(value: Any) -> bool:
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError):
        return False
    return True


def _serialized(answers: Any, name: str, metadata: dict[str, str]) -> bytes:
    """Return the file."""
    import onnx
    import torch

    from skspeech.persistence._onnx_graph import make_graph

    n_bytes = sum(weights.nbytes for weights in answers.state_dict().values())
    if n_bytes > _MAX_BYTES:
        raise ValueError(
            f"{name} has weights of {n_bytes / 2**30:.1f} GiB, and a file of ONNX holds less than "
            "2. Fit a smaller network."
        )
    try:
        model = make_graph(answers, _tensors(answers.trials()[0]), answers.axes, answers.output)
    except torch.onnx.OnnxExporterError as error:
        raise TypeError(f"{name} cannot be written as ONNX: {_reason(error)} {_MEND}") from error
    model.producer_name, model.producer_version = "skspeech", version("skspeech")
    onnx.helper.set_model_props(model, {**metadata, **answers.about})
    onnx.checker.check_model(model, full_check=True)
    return model.SerializeToString(deterministic=True)


def _reason(error: BaseException) -> str:
    """Return the beginning of what was wrong first."""
    while error.__cause__ is not None:
        error = error.__cause__
    return textwrap.shorten(f"{type(error).__name__}: {error}".rstrip("."), 300) + "."


def _compare(answers: Any, name: str, data: bytes) -> None:
    """Refuse a file to which onnxruntime answers otherwise than the network."""
    import torch

    for trial in answers.trials():
        with torch.inference_mode():
            alone = [answers(**_tensors(arguments)).numpy() for arguments in answers.alone(trial)]
        wanted = np.concatenate(alone)
        try:
            found = _run(data, trial)
        except Exception as error:  # onnxruntime's own have no class in common
            raise ValueError(f"onnxruntime cannot run {name}: {_reason(error)} {_MEND}") from error
        distance = np.max(np.abs(found - wanted) / answers.unit(wanted))
        if not distance <= _TOLERANCE:  # nor if it is no number
            raise ValueError(
                f"onnxruntime answers up to {distance:.2g} away from {name}; {_TOLERANCE:g} is "
                f"allowed. {_MEND}"
            )


def _run(data: bytes, arguments: dict[str, np.ndarray]) -> np.ndarray:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # what it logs it raises, too
    session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    return session.run(None, arguments)[0]


def _tensors(arguments: dict[str, np.ndarray]) -> dict[str, Any]:
    import torch

    return {key: torch.from_numpy(value) for key, value in arguments.items()}
