"""What networks that answer for recordings and networks that answer for frames have in common."""

import copy
import warnings
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, _fit_context
from sklearn.callback import CallbackSupportMixin, with_callbacks
from sklearn.utils import Tags

from skspeech.exceptions import ValidationWarning
from skspeech.recordings import features_kept_on_failure, validate_recordings
from skspeech.training.callbacks import BestEpoch, EpochHooks, standard_callbacks
from skspeech.training.checkpoint import Checkpoint, open_checkpoint
from skspeech.training.identity import training_key
from skspeech.training.labels import check_groups
from skspeech.training.net import SpeechNet, make_optimizer, resolve_device
from skspeech.training.parameters import TRAINING_CONSTRAINTS
from skspeech.training.seeding import own_random_state, seeded
from skspeech.training.validation import ValidationPart

__all__ = ["Network"]


class Network(CallbackSupportMixin, BaseEstimator):
    """Base of all networks: the order of things in ``fit``, and what is known after it.

    A subclass says what a target is (`_read_targets`), which recordings are held out (`_hold_out`),
    what is trained on what (`_prepare`), and what judges an epoch (`_judge`). For a file it says
    what it is made of: the network that the parameters and what was learned describe
    (`_planned_network`), and the net of it (`_net_of`) and of what it standardises by (`_moments`).
    """

    _parameter_constraints: dict = TRAINING_CONSTRAINTS
    __metadata_request__fit = {"groups": True}
    _input_kind: str
    layout_: tuple[int, ...]
    _moments: tuple[str, ...] = ("mean", "scale")
    _net_class: type[SpeechNet] = SpeechNet  # another trains another way (docs/scale.md)
    # shared parameters that a subclass may leave out of its constructor
    batch_frames: int | None = None
    checkpoint_dir: Any = None
    lr_patience: int | None = None
    max_grad_norm: float | None = None

    def _read_targets(self, recordings: Any, y: Any) -> Any:
        """Return `y` checked against the validated recordings."""
        raise TypeError(f"{type(self).__name__} must define _read_targets.")

    def _hold_out(self, targets: Any, groups: Any, rng: np.random.RandomState) -> ValidationPart:
        """Choose the recordings that judge an epoch."""
        raise TypeError(f"{type(self).__name__} must define _hold_out.")

    def _prepare(
        self, recordings: Any, targets: Any, held_out: np.ndarray, device: str
    ) -> tuple[SpeechNet, Any, dict[str, Any]]:
        """Return the net to train, the parts that it is trained on and judged by, and more.

        The parts have the attributes ``training`` and ``validation``; the rest is what `fit` sets
        beside the net, by name.
        """
        raise TypeError(f"{type(self).__name__} must define _prepare.")

    def _judge(self, parts: Any) -> BestEpoch | None:
        """Return what tells the best epoch; None where nothing is held out."""
        raise TypeError(f"{type(self).__name__} must define _judge.")

    def _planned_network(self) -> Any:
        """Return the network that the parameters and what was learned describe, untrained."""
        raise TypeError(f"{type(self).__name__} must define _planned_network.")

    def _net_of(self, network: Any, moments: dict[str, np.ndarray], device: str) -> SpeechNet:
        """Return the untrained net of a network and of what it standardises by, by name."""
        raise TypeError(f"{type(self).__name__} must define _net_of.")

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags

    @property
    def module_(self) -> Any:
        """The trained torch module: input standardisation and the network."""
        return self.net_.module_

    @property
    def history_(self) -> list[dict[str, Any]]:
        """A row an epoch."""
        return self.net_.rows()

    @property
    def n_iter_(self) -> int:
        """The number of epochs trained."""
        return len(self.net_.history)

    @with_callbacks
    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any, groups: Any = None) -> "Network":
        """Train the network.

        Parameters
        ----------
        X : list, tuple, ndarray, data frame or RecordingSequence of n recordings
            Recordings of the kind the class reads, of any lengths.
        y : collection of n targets
            What the network is to answer.
        groups : array-like of shape (n_recordings,) or None, default=None
            Their speakers, for a validation part of whole speakers.

        Returns
        -------
        self

        Raises
        ------
        RecordingError
            Names the recording that cannot be used, and the mend.
        ValueError
            If targets, groups or parameters do not fit.
        """
        with features_kept_on_failure(self):
            return self._fit(X, y, groups)

    def _fit(self, X: Any, y: Any, groups: Any) -> "Network":
        recordings = validate_recordings(self, X, reset=True)
        targets = self._read_targets(recordings, y)
        groups = check_groups(recordings, groups)
        data = {"X": X, "y": y, "metadata": None}
        context = self._init_callback_context(max_subtasks=self.max_epochs)
        context.call_on_fit_task_begin(estimator=self, **data)
        rng = own_random_state(self.random_state)
        held = self._hold_out(targets, groups, rng)
        if groups is not None and self.validation == "auto" and held.method is None:
            warnings.warn(
                f"{held.reason} All {self.max_epochs} epochs are trained; validation=None says so.",
                ValidationWarning,
                stacklevel=5,
            )
        with self._checkpoint(recordings, y, groups, held.indices) as checkpoint:
            hooks = partial(self._hooks, context, data)
            net, fitted = self._train(recordings, targets, held, rng, hooks, checkpoint)
        # only now, so that a training that fails leaves an estimator that agrees with itself
        self.__dict__.update(net_=net, **fitted)
        context.call_on_fit_task_end(estimator=self, reconstruction_attributes={}, **data)
        return self

    def _checkpoint(self, *data: Any) -> AbstractContextManager:
        if self.checkpoint_dir is None:
            return nullcontext()
        return open_checkpoint(self.checkpoint_dir, training_key(self, *data))

    def _train(
        self,
        recordings: Any,
        targets: Any,
        held: ValidationPart,
        rng: np.random.RandomState,
        hooks: Callable[[dict[str, Any]], list],
        checkpoint: Checkpoint | None,
    ) -> tuple[SpeechNet, dict[str, Any]]:
        """Return the trained net, and what else is known after ``fit``."""
        device = resolve_device(self.device)
        with seeded(rng.randint(2**31 - 1), device):
            net, parts, fitted = self._prepare(recordings, targets, held.indices, device)
            fitted = {**fitted, "validation_": held}
            net.train(
                parts.training,
                parts.validation,
                max_epochs=self.max_epochs,
                seed=rng.randint(2**31 - 1),
                callbacks=[
                    *standard_callbacks(
                        self._judge(parts),
                        lr_patience=self.lr_patience,
                        max_grad_norm=self.max_grad_norm,
                    ),
                    *copy.deepcopy(list(self.callbacks or [])),
                    *hooks(fitted),
                ],
                checkpoint=checkpoint,
            )
        return net, fitted

    def _hooks(self, context: Any, data: dict[str, Any], fitted: dict[str, Any]) -> list:
        if not hasattr(self, "_skl_callbacks"):
            return []
        return [("epoch_hooks", EpochHooks(self, context, data, fitted))]

    @property
    def _trains_on(self) -> bool:
        """Whether ``fit`` goes on with the network that is there."""
        return self.warm_start and hasattr(self, "net_")

    def _net_again(self) -> SpeechNet:
        """Return the fitted net, to be trained further; one that fails leaves it alone."""
        net = self.net_.snapshot()
        net.adjust(
            weight_decay=self.weight_decay,
            reset_lr=self.lr_patience is not None,
            **self._settings(),
        )
        return net

    def _new_net(self, module: Any, criterion: Any, device: str) -> SpeechNet:
        net = self._net_class(
            module.float(),  # whatever torch's default is set to
            criterion=criterion,
            optimizer=partial(
                make_optimizer, optimizer=self.optimizer, weight_decay=self.weight_decay
            ),
            device=device,
            train_split=None,
            **self._settings(),
        )
        return net.initialize()

    def _settings(self) -> dict[str, Any]:
        """Return what a further training may change."""
        names = ("lr", "batch_size", "batch_frames", "precision", "verbose")
        return {name: getattr(self, name) for name in names}
