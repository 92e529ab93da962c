"""The scikit-learn face of every network; what lies behind it is in :mod:`skspeech.training`."""

import copy
import warnings
from functools import partial
from typing import Any

import numpy as np
from sklearn.base import (
    BaseEstimator,
    ClassifierMixin,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    _fit_context,
)
from sklearn.callback import CallbackSupportMixin, with_callbacks
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted

from skspeech.exceptions import ValidationWarning
from skspeech.layers.standardized import Standardized
from skspeech.recordings import features_kept_on_failure, validate_recordings
from skspeech.tags import SpeechTags
from skspeech.training.callbacks import EpochHooks, standard_callbacks
from skspeech.training.labels import check_groups, encode_labels
from skspeech.training.moments import Moments
from skspeech.training.net import (
    SpeechNet,
    WeightedCrossEntropy,
    make_optimizer,
    resolve_device,
)
from skspeech.training.parameters import TRAINING_CONSTRAINTS
from skspeech.training.parts import Parts, make_parts
from skspeech.training.scheme import TrainingScheme
from skspeech.training.seeding import own_random_state, seeded
from skspeech.training.validation import hold_out

__all__ = ["NetworkClassifier"]


class NetworkClassifier(
    ClassifierMixin,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    CallbackSupportMixin,
    BaseEstimator,
):
    """Base of the networks that give a recording one of several labels.

    A subclass has an explicit constructor with the parameters of
    :data:`~skspeech.training.parameters.TRAINING_CONSTRAINTS` (`batch_frames`, `lr_patience` and
    `max_grad_norm` may be left out) and its own, says by `_input_kind` that it reads a
    ``"waveform"``, ``"spectrogram"`` or ``"pitch"``, and builds its network in `_make_network`.

    A recording that is a bag of segments lends its label to each of them in ``fit``; its
    posterior and its embedding are the means over them.
    """

    _parameter_constraints: dict = TRAINING_CONSTRAINTS
    __metadata_request__fit = {"groups": True}
    _input_kind: str
    layout_: tuple[int, ...]
    # shared parameters that a subclass may leave out of its constructor
    batch_frames: int | None = None
    lr_patience: int | None = None
    max_grad_norm: float | None = None

    def _make_network(self, layout: tuple[int, ...], n_classes: int) -> Any:
        """Return a torch module for inputs (n_segments, *layout, n_frames).

        It is called as ``network(inputs, lengths)`` for the logits (n_segments, n_classes),
        has ``embed(inputs, lengths)`` for the embedding (n_segments, dim), the ``int``
        ``embedding_size``, and ``min_input_length()``.
        """
        raise TypeError(f"{type(self).__name__} must define _make_network.")

    def _training_scheme(self) -> TrainingScheme:
        """Return what the training does beyond the shared parameters."""
        return TrainingScheme()

    def __speech_tags__(self) -> SpeechTags:
        if self._input_kind not in ("waveform", "spectrogram", "pitch"):
            raise TypeError(
                f"{type(self).__name__} says that it reads one {self._input_kind} a recording, but "
                "networks read what has time last: a waveform, a spectrogram or a pitch track."
            )
        return SpeechTags(input_kind=self._input_kind, reads_bags=True)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.transformer_tags.preserves_dtype = []  # the embedding is float32
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

    @property
    def _n_features_out(self) -> int:
        return self.module_.network.embedding_size

    @with_callbacks
    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any, groups: Any = None) -> "NetworkClassifier":
        """Train the network.

        Parameters
        ----------
        X : list, tuple, ndarray, data frame or RecordingSequence of n recordings
            Recordings of the kind the class reads, of any lengths, or bags of them.
        y : array-like of shape (n_recordings,)
            Their labels.
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
            If labels, groups or parameters do not fit.
        """
        with features_kept_on_failure(self):
            return self._fit(X, y, groups)

    def _fit(self, X: Any, y: Any, groups: Any) -> "NetworkClassifier":
        recordings = validate_recordings(self, X, reset=True)
        classes, labels = encode_labels(recordings, y, reader=type(self).__name__)
        self._check_trains_on(classes)
        groups = check_groups(recordings, groups)
        data = {"X": X, "y": y, "metadata": None}
        context = self._init_callback_context(max_subtasks=self.max_epochs)
        context.call_on_fit_task_begin(estimator=self, **data)
        rng = own_random_state(self.random_state)
        held = hold_out(
            labels,
            groups,
            validation=self.validation,
            fraction=self.validation_fraction,
            rng=rng,
        )
        if groups is not None and self.validation == "auto" and held.method is None:
            warnings.warn(
                f"{held.reason} All {self.max_epochs} epochs are trained; validation=None says so.",
                ValidationWarning,
                stacklevel=5,
            )
        device = resolve_device(self.device)
        with seeded(rng.randint(2**31 - 1), device):
            net, parts = self._prepare(recordings, labels, classes, held.indices, device)
            fitted = {"classes_": classes, "layout_": parts.layout, "validation_": held}
            net.train(
                parts.training,
                parts.validation,
                max_epochs=self.max_epochs,
                seed=rng.randint(2**31 - 1),
                callbacks=self._training_callbacks(parts.shares, context, data, fitted),
            )
        # only now, so that a training that fails leaves an estimator that agrees with itself
        self.__dict__.update(net_=net, **fitted)
        context.call_on_fit_task_end(estimator=self, reconstruction_attributes={}, **data)
        return self

    def _check_trains_on(self, classes: np.ndarray) -> None:
        """Refuse other classes than those that a warm start goes on with."""
        if self.warm_start and hasattr(self, "net_") and not np.array_equal(classes, self.classes_):
            raise ValueError(
                f"warm_start trains on with the classes {self.classes_.tolist()}, but y holds "
                f"{classes.tolist()}. Fit a new estimator for other classes."
            )

    def _prepare(
        self,
        recordings: Any,
        labels: np.ndarray,
        classes: np.ndarray,
        held_out: np.ndarray,
        device: str,
    ) -> tuple[SpeechNet, Parts]:
        """Return the net to train, and what it trains on and is judged by."""
        trains_on = self.warm_start and hasattr(self, "net_")
        moments = None if self.standardize is None or trains_on else Moments(self.standardize)
        parts = make_parts(
            recordings,
            labels,
            classes,
            held_out,
            class_weight=self.class_weight,
            scheme=self._training_scheme(),
            layout=self.layout_ if trains_on else None,
            moments=moments,
        )
        if trains_on:
            net = self.net_.snapshot()  # a training that fails leaves the fitted one alone
            net.adjust(
                weight_decay=self.weight_decay,
                reset_lr=self.lr_patience is not None,
                **self._settings(),
            )
        else:
            network = self._make_network(parts.layout, len(classes))
            net = self._make_net(network, moments, device)
        return net, parts

    def _make_net(self, network: Any, moments: Moments | None, device: str) -> SpeechNet:
        module = Standardized(
            network,
            None if moments is None else moments.mean,
            None if moments is None else moments.scale,
        ).float()  # whatever torch's default is set to
        net = SpeechNet(
            module,
            criterion=WeightedCrossEntropy,
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

    def _training_callbacks(
        self, shares: Any, context: Any, data: dict[str, Any], fitted: dict[str, Any]
    ) -> list:
        callbacks: list = standard_callbacks(
            self.patience, shares, lr_patience=self.lr_patience, max_grad_norm=self.max_grad_norm
        )
        callbacks += copy.deepcopy(list(self.callbacks or []))
        if hasattr(self, "_skl_callbacks"):
            callbacks.append(("epoch_hooks", EpochHooks(self, context, data, fitted)))
        return callbacks

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return the posterior of each class for each recording.

        Parameters
        ----------
        X : collection of n recordings
            As for ``fit``.

        Returns
        -------
        ndarray of float64, shape (n_recordings, n_classes)
            Rows sum to 1; columns are in the order of ``classes_``. A row depends on its
            recording alone, not on the others, their order or their padding.
        """
        posteriors = self._answer(X, _posterior)
        return posteriors / posteriors.sum(axis=1, keepdims=True)

    def predict(self, X: Any) -> np.ndarray:
        """Return the most likely label of each recording, shape (n_recordings,)."""
        best = self.predict_proba(X).argmax(axis=1)
        return self.classes_[best]

    def transform(self, X: Any) -> np.ndarray:
        """Return the network's embedding of each recording, float32 (n_recordings, dim)."""
        return self._answer(X, _embedding).astype(np.float32)

    def _answer(self, X: Any, function: Any) -> np.ndarray:
        check_is_fitted(self, "net_")
        recordings = validate_recordings(self, X, reset=False)
        return self.net_.answer(recordings, partial(function, self.module_), self.layout_)


def _posterior(module: Any, inputs: Any, lengths: Any) -> Any:
    return module(inputs, lengths).float().softmax(-1)


def _embedding(module: Any, inputs: Any, lengths: Any) -> Any:
    return module.embed(inputs, lengths)
