"""What a paper's training does differently from that of the others."""

from dataclasses import dataclass
from typing import Literal

__all__ = ["TrainingScheme"]


@dataclass(frozen=True)
class TrainingScheme:
    """How one class of networks trains, beyond the parameters that all share.

    Parameters
    ----------
    unit : {"recording", "segment"}, default="recording"
        What counts as one in the loss and in the sizes of the classes: a recording, however
        many segments stand for it, or each of its segments.
    length_weighted : bool, default=False
        Whether a segment weighs in inverse proportion to its length, too: that before a crop.
    crop_frames : int or None, default=None
        Longer segments are trained on as a run of so many frames, drawn anew in each epoch. Those
        held out are judged, and all are answered, whole.
    oversample : bool, default=False
        Whether an epoch reads recordings of rarer classes several times, so that every class
        has as many as the largest; the best epoch is then that of the highest unweighted accuracy.

    Examples
    --------
    >>> from skspeech.training.scheme import TrainingScheme
    >>> TrainingScheme(oversample=True).unit
    'recording'
    """

    unit: Literal["recording", "segment"] = "recording"
    length_weighted: bool = False
    crop_frames: int | None = None
    oversample: bool = False

    def __post_init__(self) -> None:
        if self.unit not in ("recording", "segment"):
            raise ValueError(f"unit is {self.unit!r}; expected 'recording' or 'segment'.")
