"""What a file of ONNX answers, says about itself and is tried with.

Imports torch at its top: import it inside functions.
"""

import copy
import json
from typing import Any

import numpy as np
from torch import Tensor, nn

from skspeech.base import NetworkClassifier, NetworkRegressor
from skspeech.training.windows import context_of

__all__ = ["Answers", "Embeddings", "FrameAnswers", "Posteriors", "answers_of"]

Arguments = dict[str, np.ndarray]


class Answers(nn.Module):
    """The module that becomes a graph: a fitted network, in float32 on the CPU, and its answers.

    Attributes
    ----------
    output : str
        The name of the answers.
    axes : dict of dict
        The names of those axes of each argument that may be of any size.
    about : dict of str
        Metadata of the file.
    """

    output: str
    axes: dict[str, dict[int, str]]
    about: dict[str, str]

    def __init__(self, estimator: Any):
        super().__init__()
        self.module = copy.deepcopy(estimator.module_).cpu().float().requires_grad_(False)
        self.eval()

    def trials(self) -> list[Arguments]:
        """Return arguments of several sizes to compare answers to."""
        raise TypeError(f"{type(self).__name__} must define trials.")

    def alone(self, arguments: Arguments) -> list[Arguments]:
        """Return the arguments of each row by itself."""
        raise TypeError(f"{type(self).__name__} must define alone.")

    def unit(self, answers: np.ndarray) -> Any:
        """Return what a difference from these answers is measured in."""
        return 1.0

    def _noise(self, shape: tuple[int, ...]) -> np.ndarray:
        """Return noise with the mean and deviation of what the network was trained on."""
        noise = np.random.default_rng(0).standard_normal(shape, dtype=np.float32)
        mean, scale = self.module.mean, self.module.scale
        return noise if mean is None else noise * scale.numpy() + mean.numpy()


class Posteriors(Answers):
    """The posteriors (n_segments, n_classes) of padded segments."""

    output = "posteriors"
    what = "(n_segments, n_classes), in the order of the classes"

    def __init__(self, estimator: NetworkClassifier):
        super().__init__(estimator)
        self.layout = estimator.layout_
        time = 1 + len(self.layout)
        self.axes = {"inputs": {0: "n_segments", time: "n_frames"}, "lengths": {0: "n_segments"}}
        self.about = {
            "layout": json.dumps(self.layout),
            "classes": json.dumps(estimator.classes_.tolist(), default=str),
            "description": (
                f"inputs: float32 (n_segments, {_sizes(self.layout)}, n_frames), each a "
                f"{estimator.__speech_tags__().input_kind}, padded at the end; lengths: int64 "
                "(n_segments,), the valid frames of each, 1 to n_frames. They are standardised in "
                f"the graph. {self.output}: float32 {self.what}; those of a recording of several "
                "segments are the mean of theirs."
            ),
        }

    def forward(self, inputs: Tensor, lengths: Tensor) -> Tensor:
        """Answer inputs (n_segments, *layout, n_frames)."""
        return self.module(inputs, lengths).softmax(-1)

    def trials(self) -> list[Arguments]:
        """Return a ragged batch, padded beyond the longest, and a lone segment."""
        least = self.module.network.min_input_length()
        return [self._batch([2 * least + 17, 1, least], 5), self._batch([3 * least + 40], 0)]

    def _batch(self, lengths: list[int], n_more: int) -> Arguments:
        inputs = self._noise((len(lengths), *self.layout, max(lengths) + n_more))
        for segment, n_frames in zip(inputs, lengths, strict=True):
            segment[..., n_frames:] = np.nan  # padding may hold anything
        return {"inputs": inputs, "lengths": np.array(lengths, dtype=np.int64)}

    def alone(self, arguments: Arguments) -> list[Arguments]:
        """Return each segment of a batch by itself, without padding."""
        return [
            {"inputs": segment[None, ..., :n_frames], "lengths": np.array([n_frames])}
            for segment, n_frames in zip(arguments["inputs"], arguments["lengths"], strict=True)
        ]


class Embeddings(Posteriors):
    """The embeddings (n_segments, dim) of padded segments."""

    output = "embeddings"
    what = "(n_segments, dim)"

    def forward(self, inputs: Tensor, lengths: Tensor) -> Tensor:
        """Answer inputs (n_segments, *layout, n_frames)."""
        return self.module.embed(inputs, lengths)

    def unit(self, answers: np.ndarray) -> Any:
        """Return the largest number of the embeddings, 1 at least."""
        return max(1.0, np.abs(answers).max())


class FrameAnswers(Answers):
    """The answers (n_windows, n_outputs) of a frame regressor, in the units of its targets."""

    output = "answers"
    axes = {"windows": {0: "n_windows"}}

    def __init__(self, estimator: NetworkRegressor):
        super().__init__(estimator)
        self.shape = (estimator.context_frames_, *estimator.layout_[-2:])
        before, after = context_of(estimator.context_frames_)
        self.about = {
            "context_frames": json.dumps(estimator.context_frames_),
            "layout": json.dumps(estimator.layout_[-2:]),
            "description": (
                f"windows: float32 (n_windows, {_sizes(self.shape)}), each frame with {before} "
                f"before and {after} after it; the first and the last frame of a recording stand "
                "for those beyond; of 8 bits, v / 127.5 - 1. They are standardised in the graph. "
                "answers: float32 (n_windows, n_outputs), in the units of the targets."
            ),
        }

    def forward(self, windows: Tensor) -> Tensor:
        """Answer windows (n_windows, n_context, n_rows, n_columns)."""
        return self.module.restore(self.module(windows, None))

    def trials(self) -> list[Arguments]:
        """Return several windows, and one."""
        return [{"windows": self._noise((n, *self.shape))} for n in (3, 1)]

    def alone(self, arguments: Arguments) -> list[Arguments]:
        """Return each window by itself."""
        return [{"windows": window[None]} for window in arguments["windows"]]

    def unit(self, answers: np.ndarray) -> Any:
        """Return the deviations of the targets."""
        return self.module.target_scale.numpy()


def answers_of(estimator: Any) -> dict[str, type[Answers]]:
    """Return what the file of an estimator can answer, the first by default."""
    if isinstance(estimator, NetworkClassifier):
        return {"predict_proba": Posteriors, "transform": Embeddings}
    return {"predict": FrameAnswers} if isinstance(estimator, NetworkRegressor) else {}


def _sizes(shape: tuple[int, ...]) -> str:
    return ", ".join(map(str, shape))
