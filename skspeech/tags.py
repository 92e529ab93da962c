"""What an estimator reads and gives, said as data rather than guessed from it.

scikit-learn's own ``Tags`` cannot be extended, so every estimator here also answers
``__speech_tags__`` with a :class:`SpeechTags`.
"""

from dataclasses import dataclass, replace
from typing import Any

__all__ = ["KINDS", "SpeechTags", "get_speech_tags"]

#: What one ``X[i]`` may be. A contour is a list of phrases, a path names a file; the others are
#: arrays, with the axes that :data:`skspeech.recordings.KINDS` says.
KINDS = ("waveform", "spectrogram", "pitch", "contour", "video", "frame_targets", "path")


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeechTags:
    """The kinds of recordings that an estimator reads and gives.

    Parameters
    ----------
    input_kind : str
        One of :data:`KINDS`: what one ``X[i]`` is.
    output_kind : str or None, default=None
        What one ``transform(X)[i]`` is, one of :data:`KINDS`, or one ``predict(X)[i]`` where that
        is a recording and there is no ``transform``; None for a plain feature vector or a label.
    reads_bags : bool, default=False
        Whether ``X[i]`` may be a bag: a list or tuple of segments of one recording. Contours, lists
        themselves, come in no bag.
    gives_bags : bool, default=False
        Whether ``transform(X)[i]`` is a bag.
    looks_across : bool, default=False
        Whether a recording's answer depends on the other recordings of its group that are
        asked about with it, as it does where speakers are normalised at test time.

    Raises
    ------
    ValueError
        If a kind is not known, or contours are to come in bags.

    Examples
    --------
    >>> from skspeech.tags import SpeechTags
    >>> SpeechTags(input_kind="waveform", output_kind="spectrogram").reads_bags
    False
    """

    input_kind: str
    output_kind: str | None = None
    reads_bags: bool = False
    gives_bags: bool = False
    looks_across: bool = False

    def __post_init__(self) -> None:
        known = ", ".join(KINDS)
        if self.input_kind not in KINDS:
            raise ValueError(f"input_kind must be one of {known}, got {self.input_kind!r}.")
        if self.output_kind not in (*KINDS, None):
            raise ValueError(
                f"output_kind must be one of {known} or None, got {self.output_kind!r}."
            )
        if self.input_kind == "contour" and self.reads_bags:
            raise ValueError("A contour is a list already: an estimator cannot read bags of them.")


def get_speech_tags(estimator: Any) -> SpeechTags:
    """Return the speech tags of an estimator, or of a pipeline or a search as a whole.

    Parameters
    ----------
    estimator : estimator, Pipeline or search
        A pipeline reads what its first step reads, gives what its last step gives, and
        looks across recordings if anything in it does, however deep: in a FeatureUnion, in a
        search. Steps set to ``"passthrough"`` or None do not count. A search answers with
        the best estimator that it found, and before with the one that it searches.

    Returns
    -------
    SpeechTags

    Raises
    ------
    TypeError
        If the estimator has no ``__speech_tags__`` and is not a pipeline or a search of some
        that do.

    Examples
    --------
    >>> from sklearn.pipeline import make_pipeline
    >>> from skspeech.preprocessing import FixedDuration, LogMelSpectrogram
    >>> from skspeech.tags import get_speech_tags
    >>> tags = get_speech_tags(make_pipeline(FixedDuration(), LogMelSpectrogram()))
    >>> tags.input_kind, tags.output_kind
    ('waveform', 'spectrogram')
    """
    if hasattr(estimator, "__speech_tags__"):
        return estimator.__speech_tags__()
    if hasattr(estimator, "estimator") and hasattr(estimator, "refit"):  # a search
        return get_speech_tags(getattr(estimator, "best_estimator_", estimator.estimator))
    steps = [
        step for _, step in getattr(estimator, "steps", []) if step not in (None, "passthrough")
    ]
    if not steps:
        raise TypeError(
            f"{type(estimator).__name__} does not say which recordings it reads: "
            "give it a __speech_tags__ method that returns a SpeechTags."
        )
    first = get_speech_tags(steps[0])
    found = [_tags_or_none(step) for step in steps]
    output_kind = found[-1].output_kind if found[-1] else None
    # a transformer that reads a bag gives the bag of its segments transformed
    gives_bags = output_kind is not None and any(tags.gives_bags for tags in found if tags)
    return replace(
        first,
        output_kind=output_kind,
        gives_bags=gives_bags,
        looks_across=_looks_across(estimator),
    )


def _looks_across(pipeline: Any) -> bool:
    parts = pipeline.get_params(deep=True).values()
    return any(
        part.__speech_tags__().looks_across
        for part in parts
        if hasattr(part, "__speech_tags__") and not isinstance(part, type)
    )


def _tags_or_none(step: Any) -> SpeechTags | None:
    try:
        return get_speech_tags(step)
    except TypeError:  # scikit-learn's own: vectors or labels
        return None
