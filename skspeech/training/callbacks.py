"""What happens between epochs: the best one is kept, patience runs out, others are told."""

import copy
from typing import Any

import numpy as np
from skorch.callbacks import Callback

__all__ = ["BestEpoch", "EpochHooks", "StopTraining"]


class StopTraining(Exception):  # noqa: N818  (an event, not an error)
    """Raised by the net after an epoch in which a callback set ``net.stop_requested``."""


class BestEpoch(Callback):
    """Keep the weights of the best epoch in memory and stop when patience runs out.

    The best epoch has the highest accuracy on the validation recordings, a recording's
    posterior being the mean over its segments; between equals the lower validation loss
    decides. Recordings weigh as they do in the loss: alike as Zhao et al. 2019 watch them, or
    with balanced classes, which makes it the unweighted accuracy of Ma et al. 2018. The tie
    rule is our choice.

    Parameters
    ----------
    patience : int or None
        Epochs without a better one before the training stops; None never stops.
    """

    def __init__(self, patience: int | None):
        self.patience = patience

    def on_train_begin(self, net: Any, X: Any = None, y: Any = None, **kwargs: Any) -> None:
        """Forget what an earlier training found best."""
        self.best_, self.weights_, self.waited_ = (-np.inf, -np.inf), None, 0
        self._seen: list[tuple] = []

    def on_batch_end(
        self, net: Any, batch: Any = None, training: bool = False, **kwargs: Any
    ) -> None:
        """Collect the posteriors of a validation batch."""
        if not training:
            posteriors = kwargs["y_pred"].float().softmax(-1).cpu()
            self._seen.append((posteriors.numpy(), *(part.numpy() for part in batch[1])))

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Judge the epoch, keep its weights if it is the best, or count down."""
        score = weighted_accuracy(*map(np.concatenate, zip(*self._seen, strict=True)))
        self._seen = []
        net.history.record("valid_score", score)
        found = (score, -net.history[-1, "valid_loss"])
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


def weighted_accuracy(
    posteriors: np.ndarray, targets: np.ndarray, weights: np.ndarray, recordings: np.ndarray
) -> float:
    """Return the weighted share of recordings that the mean over their segments gets right.

    Parameters
    ----------
    posteriors : ndarray of shape (n_segments, n_classes)
    targets, weights, recordings : ndarray of shape (n_segments,)
        The class, the share in the loss and the recording of each segment.

    Returns
    -------
    float
    """
    _, first, row = np.unique(recordings, return_index=True, return_inverse=True)
    sums = np.zeros((len(first), posteriors.shape[1]))
    np.add.at(sums, row, posteriors)
    right = sums.argmax(axis=1) == targets[first]
    shares = np.bincount(row, weights)
    # where only classes of weight 0 were held out, they weigh alike
    return float(np.average(right, weights=shares if shares.any() else None))


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
        net.stop_requested |= bool(stop)
