"""The scikit-learn face of the networks that give a recording a label."""

from functools import partial
from typing import Any

import numpy as np
from sklearn.base import ClassifierMixin, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted

from skspeech.base.network import Network
from skspeech.layers.standardized import Standardized
from skspeech.recordings import validate_recordings
from skspeech.tags import SpeechTags
from skspeech.training.callbacks import MostAccurateEpoch
from skspeech.training.labels import encode_labels
from skspeech.training.moments import Moments
from skspeech.training.net import SpeechNet, WeightedCrossEntropy
from skspeech.training.parts import Parts, make_parts
from skspeech.training.scheme import TrainingScheme
from skspeech.training.validation import ValidationPart, hold_out

__all__ = ["NetworkClassifier"]


class NetworkClassifier(
    ClassifierMixin, ClassNamePrefixFeaturesOutMixin, TransformerMixin, Network
):
    """Base of the networks that give a recording one of several labels.

    A subclass has an explicit constructor with the parameters of
    :data:`~skspeech.training.parameters.TRAINING_CONSTRAINTS` (`batch_frames`, `lr_patience` and
    `max_grad_norm` may be left out) and its own, says by `_input_kind` that it reads a
    ``"waveform"``, ``"spectrogram"`` or ``"pitch"``, and builds its network in `_make_network`.

    A recording that is a bag of segments lends its label to each of them in ``fit``; its
    posterior and its embedding are the means over them.
    """

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
        tags.transformer_tags.preserves_dtype = []  # the embedding is float32
        return tags

    @property
    def _n_features_out(self) -> int:
        return self.module_.network.embedding_size

    def _read_targets(self, recordings: Any, y: Any) -> tuple[np.ndarray, np.ndarray]:
        """Return the classes, and the recordings' labels as indices into them."""
        classes, labels = encode_labels(recordings, y, reader=type(self).__name__)
        if self._trains_on and not np.array_equal(classes, self.classes_):
            raise ValueError(
                f"warm_start trains on with the classes {self.classes_.tolist()}, but y holds "
                f"{classes.tolist()}. Fit a new estimator for other classes."
            )
        return classes, labels

    def _hold_out(self, targets: Any, groups: Any, rng: np.random.RandomState) -> ValidationPart:
        return hold_out(
            targets[1],
            groups,
            validation=self.validation,
            fraction=self.validation_fraction,
            rng=rng,
        )

    def _prepare(
        self, recordings: Any, targets: Any, held_out: np.ndarray, device: str
    ) -> tuple[SpeechNet, Parts, dict[str, Any]]:
        classes, labels = targets
        trains_on = self._trains_on
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
            net = self._net_again()
        else:
            network = self._make_network(parts.layout, len(classes))
            found = {} if moments is None else {"mean": moments.mean, "scale": moments.scale}
            net = self._net_of(network, found, device)
        return net, parts, {"classes_": classes, "layout_": parts.layout}

    def _planned_network(self) -> Any:
        return self._make_network(self.layout_, len(self.classes_))

    def _net_of(self, network: Any, moments: dict[str, np.ndarray], device: str) -> SpeechNet:
        module = Standardized(network, moments.get("mean"), moments.get("scale"))
        return self._new_net(module, WeightedCrossEntropy, device)

    def _judge(self, parts: Parts) -> MostAccurateEpoch | None:
        return None if parts.shares is None else MostAccurateEpoch(self.patience, parts.shares)

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
