"""The scikit-learn face of the networks that answer every frame of a video."""

from typing import Any

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.metrics import r2_score
from sklearn.utils import Tags
from sklearn.utils._param_validation import HasMethods, StrOptions
from sklearn.utils.validation import check_is_fitted

from skspeech.base.network import Network
from skspeech.layers.standardized import StandardizedFrames
from skspeech.metrics import mean_r2
from skspeech.recordings import object_array, validate_recordings
from skspeech.tags import SpeechTags
from skspeech.training.answers import answer_video
from skspeech.training.callbacks import LowestErrorEpoch
from skspeech.training.moments import Moments
from skspeech.training.net import FrameSquaredError, SpeechNet
from skspeech.training.parameters import TRAINING_CONSTRAINTS
from skspeech.training.stream import AnswerStream
from skspeech.training.targets import Targets, read_targets
from skspeech.training.validation import ValidationPart, hold_out_unlabelled
from skspeech.training.windows import WindowParts, check_video, make_window_parts

__all__ = ["NetworkRegressor"]


# Shared parameters that mean nothing where frames are answered: there are no classes, and windows
# are all of one size.
_OF_LABELS = ("class_weight", "batch_frames")


class NetworkRegressor(RegressorMixin, Network):
    """Base of the networks that answer every frame of a video by numbers.

    A subclass has an explicit constructor with `context_frames`, the parameters of
    :data:`~skspeech.training.parameters.TRAINING_CONSTRAINTS` (without `class_weight` and
    `batch_frames`) and its own, and builds its network in `_make_network`. A recording is a video
    (n_frames, n_rows, n_columns), of which the network sees each frame with its context; the first
    and the last frame stand for what is beyond. Frames that bring their context, (n_frames,
    context_frames, n_rows, n_columns), are taken as they are. 8 bits stand for -1 to 1.

    A table, (n_recordings, n_features), holds videos of one frame of n_features rows and one
    column; its answers have the shape of `y`.
    """

    _input_kind = "video"
    _moments = ("mean", "scale", "target_mean", "target_scale")
    _parameter_constraints: dict = {
        **{name: of for name, of in TRAINING_CONSTRAINTS.items() if name not in _OF_LABELS},
        "validation": [StrOptions({"auto", "speaker", "random"}), HasMethods("get_n_splits"), None],
    }

    def _make_network(self, layout: tuple[int, ...], n_outputs: int) -> Any:
        """Return a torch module for windows (n, context_frames, *layout).

        It is called as ``network(windows)`` for the answers (n, n_outputs). Where overlapping
        windows share work, it has ``steps`` and ``answer_steps`` as
        :func:`skspeech.training.answers.answer_video` says.
        """
        raise TypeError(f"{type(self).__name__} must define _make_network.")

    def __speech_tags__(self) -> SpeechTags:
        return SpeechTags(input_kind=self._input_kind, output_kind="frame_targets")

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.two_d_labels = True
        tags.target_tags.multi_output = True
        return tags

    def _read_targets(self, recordings: Any, y: Any) -> Targets:
        targets = read_targets(recordings, y, reader=type(self).__name__)
        n_outputs = targets.frames[0].shape[1]
        if self._trains_on and n_outputs != self.n_outputs_:
            raise ValueError(
                f"warm_start trains on with {self.n_outputs_} outputs, but y has {n_outputs}. Fit "
                "a new estimator for other targets."
            )
        return targets

    def _hold_out(self, targets: Any, groups: Any, rng: np.random.RandomState) -> ValidationPart:
        return hold_out_unlabelled(
            len(targets.frames),
            groups,
            validation=self.validation,
            fraction=self.validation_fraction,
            rng=rng,
        )

    def _prepare(
        self, recordings: Any, targets: Any, held_out: np.ndarray, device: str
    ) -> tuple[SpeechNet, WindowParts, dict[str, Any]]:
        trains_on = self._trains_on
        moments = None if self.standardize is None or trains_on else Moments(self.standardize)
        context_frames = self.context_frames_ if trains_on else self.context_frames
        parts = make_window_parts(
            recordings,
            targets.frames,
            held_out,
            context_frames=context_frames,
            layout=self.layout_ if trains_on else None,
            moments=moments,
            target_moments=self._target_moments() if trains_on else None,
        )
        n_outputs = len(parts.target_mean)
        if trains_on:
            net = self._net_again()
        else:
            network = self._make_network(parts.layout[-2:], n_outputs)
            found = {"target_mean": parts.target_mean, "target_scale": parts.target_scale}
            if moments is not None:
                found |= {"mean": moments.mean[..., 0], "scale": moments.scale[..., 0]}
            net = self._net_of(network, found, device)
        fitted = {
            "context_frames_": context_frames,
            "layout_": parts.layout,
            "n_outputs_": n_outputs,
            "target_ndim_": targets.ndim,
        }
        return net, parts, fitted

    def _planned_network(self) -> Any:
        return self._make_network(self.layout_[-2:], self.n_outputs_)

    def _net_of(self, network: Any, moments: dict[str, np.ndarray], device: str) -> SpeechNet:
        module = StandardizedFrames(
            network,
            moments.get("mean"),
            moments.get("scale"),
            moments["target_mean"],
            moments["target_scale"],
        )
        return self._new_net(module, FrameSquaredError, device)

    def _target_moments(self) -> tuple[np.ndarray, np.ndarray]:
        module = self.module_
        return module.target_mean.cpu().numpy(), module.target_scale.cpu().numpy()

    def _judge(self, parts: WindowParts) -> LowestErrorEpoch | None:
        return None if parts.validation is None else LowestErrorEpoch(self.patience)

    def predict(self, X: Any) -> np.ndarray:
        """Return the answer to each frame of each recording.

        Parameters
        ----------
        X : collection of n videos
            As for ``fit``.

        Returns
        -------
        1-D object array of n ndarrays of float32, shape (n_frames, n_outputs)
            Of a table an array of float64, (n_recordings,) or (n_recordings, n_outputs) as `y` was.
            An answer depends on its recording alone.
        """
        check_is_fitted(self, "net_")
        recordings = validate_recordings(self, X, reset=False)
        answers = []
        for i in range(len(recordings)):
            video = recordings[i]
            check_video(video, self.layout_, self.context_frames_, i)
            answers.append(answer_video(self.net_, video, self.context_frames_, i))
        tables = hasattr(self, "n_features_in_")  # it was fitted on one
        if not (tables and isinstance(recordings, np.ndarray) and recordings.dtype != object):
            return object_array(answers)
        table = np.concatenate(answers, dtype=np.float64)
        return table[:, 0] if self.target_ndim_ == 1 else table

    def stream(self) -> AnswerStream:
        """Begin a video whose frames come a few at a time.

        Returns
        -------
        AnswerStream
            ``push(frames)`` and ``finish()`` return, piece by piece, what ``predict`` answers to
            the whole video; its ``lookahead`` is how many frames after it an answer waits for.

        Raises
        ------
        ValueError
            If the network was fitted on frames that bring their context.
        """
        check_is_fitted(self, "net_")
        if len(self.layout_) == 3:
            raise ValueError(
                f"{type(self).__name__} was fitted on frames that bring their context: those of a "
                "stream are only coming. Fit it on (n_frames, n_rows, n_columns)."
            )
        return AnswerStream(self.net_, self.layout_, self.context_frames_)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the mean over the outputs of R2 over all frames (1 is best).

        Parameters
        ----------
        X : collection of n videos
        y : collection of n ndarrays of shape (n_frames, n_outputs)
        sample_weight : array-like of shape (n_recordings,) or None, default=None
            Of a table alone.

        Returns
        -------
        float
        """
        answers = self.predict(X)
        if answers.dtype != object:
            return float(r2_score(y, answers, sample_weight=sample_weight))
        if sample_weight is not None:
            raise ValueError("sample_weight is for tables; frames of recordings weigh alike.")
        return mean_r2(y, answers)
