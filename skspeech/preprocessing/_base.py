"""What transformers that treat each recording on its own share."""

import copy
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin, _fit_context
from sklearn.utils import Tags

from skspeech.exceptions import RecordingError
from skspeech.recordings import (
    RecordingSequence,
    object_array,
    segments_of,
    validate_recordings,
)
from skspeech.tags import SpeechTags, get_speech_tags


class RecordingTransformer(TransformerMixin, BaseEstimator):
    """Base of the transformers that learn nothing and treat each recording on its own.

    A subclass says by `_input_kind` and `_output_kind` what it reads and gives, and turns a
    list of recordings into a list of as many in `_transform_batch`; a RecordingError raised
    there names a place in that list. Arrays give arrays, ragged collections give object
    arrays, a RecordingSequence gives another one, and a bag gives the bag of its segments
    transformed.
    """

    _parameter_constraints: dict
    _input_kind: str
    _output_kind: str

    def _transform_batch(self, recordings: list[np.ndarray]) -> list[Any]:
        raise TypeError(f"{type(self).__name__} must define _transform_batch.")

    def __speech_tags__(self) -> SpeechTags:
        return SpeechTags(
            input_kind=self._input_kind, output_kind=self._output_kind, reads_bags=True
        )

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.transformer_tags.preserves_dtype = []  # always float32
        return tags

    def set_output(self, *, transform: Any = None) -> "RecordingTransformer":
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
        self._validate_params()
        recordings = self._validated(X, reset=False)
        if isinstance(recordings, RecordingSequence):
            # a copy: what set_params does later must not change what was asked for now
            return recordings.map(copy.copy(self)._transform_one)
        if recordings.dtype != object and not get_speech_tags(self).gives_bags:
            return np.stack(self._transform_batch(list(recordings)))
        return object_array(self._transform_bags(list(recordings)))

    def _validated(self, X: Any, *, reset: bool) -> np.ndarray | RecordingSequence:
        return validate_recordings(self, X, reset=reset)

    def _transform_one(self, recording: Any) -> Any:
        return self._transform_bags([recording])[0]

    def _transform_bags(self, recordings: list[Any]) -> list[Any]:
        """Transform all segments of all recordings together, and put the bags back."""
        segments = [segment for recording in recordings for segment in segments_of(recording)]
        try:
            transformed = iter(self._transform_batch(segments))
        except RecordingError as error:
            if error.index is None:
                raise
            owners = [i for i, recording in enumerate(recordings) for _ in segments_of(recording)]
            raise error.at(owners[error.index]) from None
        return [
            [next(transformed) for _ in recording]
            if isinstance(recording, list)
            else next(transformed)
            for recording in recordings
        ]
