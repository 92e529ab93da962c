"""What happens between epochs: the best one is kept, patience runs out, others are told."""

import copy
from typing import Any

import numpy as np
from skorch.callbacks import Callback, GradientNormClipping, LRScheduler

__all__ = [
    "BestEpoch",
    "EpochHooks",
    "LowestErrorEpoch",
    "MostAccurateEpoch",
    "StopTraining",
    "standard_callbacks",
]


class StopTraining(Exception):  # noqa: N818  (an event, not an error)
    """Raised by the net after an epoch in which a callback set ``net.stop_requested``."""


class BestEpoch(Callback):
    """Keep the weights of the best epoch in memory and stop when patience runs out.

    A subclass says by `_judge` how good an epoch was, and by `watched` and `mode` what of that a
    schedule of the learning rate looks at.

    Parameters
    ----------
    patience : int or None
        Epochs without a better one before the training stops; None never stops.
    """

    watched: str
    mode: str

    def __init__(self, patience: int | None):
        self.patience = patience

    def _judge(self, net: Any) -> tuple[float, ...]:
        """Return how good the epoch was, more being better, and record it."""
        raise TypeError(f"{type(self).__name__} must define _judge.")

    def on_train_begin(self, net: Any, X: Any = None, y: Any = None, **kwargs: Any) -> None:
        """Forget what an earlier training found best."""
        self.best_: tuple[float, ...] = (-np.inf, -np.inf)
        self.weights_, self.waited_ = None, 0
        self._seen: list[tuple] = []

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Judge the epoch, keep its weights if it is the best, or count down."""
        found = self._judge(net)
        self._seen = []
        best = found > self.best_
        net.history.record("valid_score_best", best)
        if best:
            self.best_, self.waited_ = found, 0
            self.weights_ = copy.deepcopy(net.module_.state_dict())
            return
        self.waited_ += 1
        if self.patience is not None and self.waited_ >= self.patience:
            net.stop_requested = True

    def on_train_end(self, net: Any, X: Any = None, y: Any = None, **kwargs: Any) -> None:
        """Put the best epoch's weights back."""
        net.module_.load_state_dict(self.weights_)

    def state_dict(self) -> dict[str, Any]:
        """Return what a training that goes on must know of the epochs before."""
        return {"best": self.best_, "waited": self.waited_, "weights": self.weights_}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Know the epochs before."""
        self.best_, self.waited_ = state["best"], state["waited"]
        self.weights_ = state["weights"]


class MostAccurateEpoch(BestEpoch):
    """The best epoch is the one that tells most of the validation recordings.

    It has the highest accuracy on them, a recording's posterior being the mean over its segments;
    between equals the lower validation loss decides. Recordings weigh as their class does: all
    alike it is the accuracy that Zhao et al. 2019 watch, with balanced classes the unweighted
    accuracy, which Ma et al. 2018 report (what they watch is not said). The tie rule is our choice.

    Parameters
    ----------
    patience : int or None
        As for :class:`BestEpoch`.
    shares : ndarray of float, shape (n_classes,)
        The weight of a validation recording of each class.
    """

    watched, mode = "valid_score", "max"

    def __init__(self, patience: int | None, shares: np.ndarray):
        super().__init__(patience)
        self.shares = shares

    def on_batch_end(
        self, net: Any, batch: Any = None, training: bool = False, **kwargs: Any
    ) -> None:
        """Collect the posteriors of a validation batch."""
        if not training:
            posteriors = kwargs["y_pred"].float().softmax(-1).cpu()
            targets, _, recordings = (part.numpy() for part in batch[1])
            self._seen.append((posteriors.numpy(), targets, self.shares[targets], recordings))

    def _judge(self, net: Any) -> tuple[float, ...]:
        score = weighted_accuracy(*map(np.concatenate, zip(*self._seen, strict=True)))
        net.history.record("valid_score", score)
        return score, -net.history[-1, "valid_loss"]


class LowestErrorEpoch(BestEpoch):
    """The best epoch is the one of the lowest squared error on the validation frames.

    The mean R2 over the outputs is recorded beside it.
    """

    watched, mode = "valid_loss", "min"

    def on_batch_end(
        self, net: Any, batch: Any = None, training: bool = False, **kwargs: Any
    ) -> None:
        """Sum up what R2 needs of a validation batch."""
        if not training:
            truth = batch[1][0].double()
            errors = (kwargs["y_pred"].cpu().double() - truth).square()  # MPS has no doubles
            sums = (errors.sum(0), truth.sum(0), truth.square().sum(0))
            self._seen.append((len(truth), *(part.numpy() for part in sums)))

    def _judge(self, net: Any) -> tuple[float, ...]:
        n_frames, errors, sums, squares = (
            np.sum(part, axis=0) for part in zip(*self._seen, strict=True)
        )
        spread = squares - sums**2 / n_frames
        varies = spread > 1e-9 * n_frames  # targets are standardised
        # as scikit-learn has it for an output that is constant: 1 where it is met, else 0
        score = np.where(varies, 1 - errors / np.where(varies, spread, 1), errors <= 0)
        net.history.record("valid_score", float(score.mean()))
        return (-net.history[-1, "valid_loss"],)


def weighted_accuracy(
    posteriors: np.ndarray, targets: np.ndarray, weights: np.ndarray, recordings: np.ndarray
) -> float:
    """Return the weighted share of recordings that the mean over their segments gets right.

    Parameters
    ----------
    posteriors : ndarray of shape (n_segments, n_classes)
    targets, weights, recordings : ndarray of shape (n_segments,)
        The class, the weight and the recording of each segment; all segments of a recording
        have its class and its weight.

    Returns
    -------
    float
    """
    _, first, row = np.unique(recordings, return_index=True, return_inverse=True)
    sums = np.zeros((len(first), posteriors.shape[1]))
    np.add.at(sums, row, posteriors)
    right = sums.argmax(axis=1) == targets[first]
    shares = weights[first]
    # where only classes of weight 0 were held out, they weigh alike
    return float(np.average(right, weights=shares if shares.any() else None))


def standard_callbacks(
    judge: BestEpoch | None, *, lr_patience: int | None, max_grad_norm: float | None
) -> list[tuple[str, Callback]]:
    """Return the callbacks that the shared training parameters ask for.

    Parameters
    ----------
    judge : BestEpoch or None
        None where nothing was held out to judge an epoch by.
    lr_patience : int or None
        Epochs without a better one before the learning rate is halved.
    max_grad_norm : float or None

    Returns
    -------
    list of (str, Callback)
        With names that a user's callbacks will hardly have.
    """
    made: list[tuple[str, Callback]] = []
    if judge is not None:  # first, so that the others may watch its score
        made.append(("best_epoch", judge))
        if lr_patience is not None:
            plateau = LRScheduler(
                "ReduceLROnPlateau",
                monitor=judge.watched,
                mode=judge.mode,
                factor=0.5,
                patience=lr_patience - 1,  # torch counts the epochs that it bears, not the last
            )
            made.append(("skspeech_plateau", plateau))
    if max_grad_norm is not None:
        made.append(("skspeech_clipping", GradientNormClipping(max_grad_norm)))
    return made


class EpochHooks(Callback):
    """Tell the callbacks set by scikit-learn's ``set_callbacks`` of every epoch.

    Parameters
    ----------
    estimator : estimator
        The one being fitted.
    context : sklearn.callback.CallbackContext
        The root context of its fit.
    data : dict
        ``X``, ``y`` and ``metadata`` as they came to fit.
    fitted : dict
        What fit has learned already, beside the net.
    """

    def __init__(self, estimator: Any, context: Any, data: dict[str, Any], fitted: dict[str, Any]):
        self.estimator, self.context, self.data, self.fitted = estimator, context, data, fitted

    def on_epoch_begin(self, net: Any, **kwargs: Any) -> None:
        """Open the epoch's task."""
        self._task = self.context.subcontext(task_name="epoch")
        self._task.call_on_fit_task_begin(estimator=self.estimator, **self.data)

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Close the epoch's task, and stop if a callback asks for it."""
        stop = self._task.call_on_fit_task_end(
            estimator=self.estimator,
            # called only if a callback asks for the estimator as it now stands
            reconstruction_attributes=lambda: {"net_": net.snapshot(), **self.fitted},
            **self.data,
        )
        if stop and not net.stop_requested:
            net.stop_requested = True
            net.progress.write_no_more()  # a training without these callbacks goes on from before

    def state_dict(self) -> dict[str, Any]:
        """Return nothing: what they remember is theirs."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Know nothing of the epochs before."""
