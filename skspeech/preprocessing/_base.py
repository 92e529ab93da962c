"""What transformers that treat each recording on its own share."""

import copy
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin, _fit_context
from sklearn.utils import Tags

from skspeech.preprocessing._segments import map_segments
from skspeech.recordings import RecordingSequence, validate_recordings
from skspeech.tags import SpeechTags, get_speech_tags


class CollectionTransformer(TransformerMixin, BaseEstimator):
    """Base of the transformers from recordings to recordings; a subclass defines `transform`.

    It says by `_input_kind` and `_output_kind` what it reads and gives.
    """

    _parameter_constraints: dict
    _input_kind: str
    _output_kind: str

    def __speech_tags__(self) -> SpeechTags:
        return SpeechTags(
            input_kind=self._input_kind, output_kind=self._output_kind, reads_bags=True
        )

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.transformer_tags.preserves_dtype = []  # always float32
        return tags

    def set_output(self, *, transform: Any = None) -> "CollectionTransformer":
        """Do nothing: recordings have no columns, so they become no data frame.

        It is there for a pipeline to hand the wish on to its later steps.

        Parameters
        ----------
        transform : {"default", "pandas", "polars"} or None, default=None
            Not used.

        Returns
        -------
        self
        """
        return self

    def _validated(self, X: Any, *, reset: bool) -> np.ndarray | RecordingSequence:
        return validate_recordings(self, X, reset=reset)


class RecordingTransformer(CollectionTransformer):
    """Base of the transformers that treat each recording, and each segment of a bag, on its own.

    A subclass turns a list of recordings into a list of as many in `_transform_batch`; a
    RecordingError raised there names a place in that list. Arrays give arrays, ragged
    collections give object arrays, a RecordingSequence gives another one, and a bag gives the
    bag of its segments transformed. Nothing is learnt unless the subclass has its own `fit`.
    """

    def _transform_batch(self, recordings: list[np.ndarray]) -> list[Any]:
        raise TypeError(f"{type(self).__name__} must define _transform_batch.")

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any = None) -> "RecordingTransformer":
        """Check the parameters, and the recordings that are in memory; nothing is learnt.

        Parameters
        ----------
        X : collection of n recordings
            Of the kind the class reads. A RecordingSequence is not read.
        y : None
            Not used.

        Returns
        -------
        self
        """
        self._validated(X, reset=True)
        return self

    def transform(self, X: Any) -> np.ndarray | RecordingSequence:
        """Transform each recording.

        Parameters
        ----------
        X : collection of n recordings
            Of the kind the class reads.

        Returns
        -------
        ndarray of float32, 1-D object array of such, or RecordingSequence
            n recordings of the kind the class gives: an array for an array (unless the class
            gives bags), a RecordingSequence that computes on access for a RecordingSequence.

        Raises
        ------
        RecordingError
            Names the recording that cannot be used, and the mend.
        """
        return self._map(X, type(self)._transform_batch)

    def _map(
        self, X: Any, method: Callable[[Any, list[np.ndarray]], list[Any]]
    ) -> np.ndarray | RecordingSequence:
        """Return the collection of what a method makes of a list of recordings."""
        self._validate_params()
        recordings = self._validated(X, reset=False)
        # a copy: what set_params does later must not change what was asked for now
        function = partial(method, copy.copy(self))
        return map_segments(recordings, function, bags=get_speech_tags(self).gives_bags)
