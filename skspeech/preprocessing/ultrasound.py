"""Transformers of tongue ultrasound: frames of one size in [-1, 1], and blocks of them."""

import copy
from functools import lru_cache, partial
from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.utils import Tags
from sklearn.utils._param_validation import Interval, StrOptions

from skspeech.exceptions import RecordingError
from skspeech.preprocessing._base import RecordingTransformer
from skspeech.preprocessing._segments import map_segments
from skspeech.recordings import RecordingSequence

__all__ = ["UltrasoundFramer", "UltrasoundScaler"]

# Values of the original frames that are resized at once: 4 MB of float32, which stay in the
# cache (our choice).
_BLOCK = 2**20


class VideoTransformer(RecordingTransformer):
    """Base of the transformers of videos whose frames do not come with their context yet."""

    _input_kind = "video"
    _output_kind = "video"

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False  # a table of numbers is no video
        return tags

    def _check_not_framed(self, recordings: list[Any] | np.ndarray) -> None:
        for i, recording in enumerate(recordings):
            if getattr(recording, "ndim", None) == 4:  # a bag is a list
                raise RecordingError(
                    f"is framed already (shape {recording.shape})",
                    f"{type(self).__name__} reads (n_frames, n_rows, n_columns): put it before "
                    "what adds context to the frames.",
                    i,
                )


class UltrasoundScaler(VideoTransformer):
    """Ultrasound frames of one size, depth first, with values in [-1, 1].

    A recording (n_frames, n_vectors, n_pixels), as the device stores it, becomes
    (n_frames, `height`, `width`): rows are depth, nearest the probe first, and columns scan
    lines. Frames are smoothed by a Gaussian where they shrink and interpolated linearly, with the
    weights of scikit-image's ``resize``. Both are sums with fixed weights along one axis, so a
    block of frames takes two matrix products.

    The minimum and the maximum that become -1 and 1 are those that a pixel may have, not those
    met in some recording: the same brightness is the same number everywhere. Nothing is
    learnt.

    Parameters
    ----------
    height : int, default=128
        Rows: pixels along the depth.
    width : int, default=64
        Columns: scan lines.
    value_range : (float, float), default=(0, 255)
        The values that become -1 and 1. The default is that of 8-bit pixels; values beyond are
        an error.
    dtype : {"float32", "float16"}, default="float32"
        Of the frames that come out. Half precision takes half the memory, and is exact to
        0.00025, a thirtieth of a step of 8-bit pixels.

    Notes
    -----
    A RecordingSequence gives another one, which scales a recording when it is asked for. Apart
    from what comes out, some megabytes are needed.

    References
    ----------
    A. H. Shandiz and L. Tóth, "Improved processing of ultrasound tongue videos by combining
    ConvLSTM and 3D convolutional networks", 2022: 128 x 64 pixels, scaled to [-1, 1]. Range and
    resizing are those of the group's published code.

    Examples
    --------
    >>> import numpy as np
    >>> from skspeech.preprocessing import UltrasoundScaler
    >>> frames = np.zeros((5, 63, 412), dtype=np.uint8)
    >>> scaled = UltrasoundScaler().fit_transform([frames])[0]
    >>> scaled.shape, float(scaled.max())
    ((5, 128, 64), -1.0)
    """

    _parameter_constraints: dict = {
        "height": [Interval(Integral, 1, None, closed="left")],
        "width": [Interval(Integral, 1, None, closed="left")],
        "value_range": [tuple, list],
        "dtype": [StrOptions({"float32", "float16"})],
    }

    def __init__(
        self,
        *,
        height: int = 128,
        width: int = 64,
        value_range: tuple[float, float] = (0, 255),
        dtype: str = "float32",
    ):
        self.height = height
        self.width = width
        self.value_range = value_range
        self.dtype = dtype

    def _validate_params(self) -> None:
        super()._validate_params()
        numbers = [isinstance(end, Real) and np.isfinite(end) for end in self.value_range]
        if numbers != [True, True] or self.value_range[0] >= self.value_range[1]:
            raise ValueError(
                f"value_range must be two finite numbers, the lower first; got "
                f"{self.value_range!r}. For 8-bit pixels it is (0, 255)."
            )

    def _transform_batch(self, recordings: list[np.ndarray]) -> list[np.ndarray]:
        self._check_not_framed(recordings)
        for i, recording in enumerate(recordings):
            self._check_values(recording, i)
        return [self._scaled(recording) for recording in recordings]

    def _check_values(self, recording: np.ndarray, index: int) -> None:
        low, high = self.value_range
        least, largest = recording.min(), recording.max()
        for value, side, wrong in (
            (least, "below", least < low),
            (largest, "above", largest > high),
        ):
            if wrong:
                raise RecordingError(
                    f"holds {value:g}, {side} value_range, {low:g} to {high:g}",
                    "Set value_range to the least and the largest value that a pixel may have.",
                    index,
                )

    def _scaled(self, frames: np.ndarray) -> np.ndarray:
        n_frames, n_vectors, n_pixels = frames.shape
        low, high = self.value_range
        depth = resizing_weights(n_pixels, self.height)
        # the scale goes into the weights, and costs nothing
        lines = resizing_weights(n_vectors, self.width) * np.float32(2 / (high - low))
        offset = np.float32(-1 - 2 * low / (high - low))
        scaled = np.empty((n_frames, self.height, self.width), self.dtype)
        step = max(1, _BLOCK // (n_vectors * n_pixels))
        for start in range(0, n_frames, step):
            block = frames[start : start + step].astype(np.float32, copy=False)
            # (n_height, n_pixels) @ (n, n_pixels, n_vectors) @ (n_vectors, n_width)
            resized = depth @ block.transpose(0, 2, 1) @ lines.T
            resized += offset
            scaled[start : start + step] = resized.clip(-1, 1, out=resized)  # rounding
        return scaled


class UltrasoundFramer(VideoTransformer):
    """Every frame with those around it, for estimators that read blocks of frames.

    A recording (n_frames, n_rows, n_columns) becomes (n_frames, `context_frames`, n_rows,
    n_columns): block i holds the frames about frame i, which itself is at place
    ``context_frames // 2``. Before the first frame and after the last one these are repeated,
    so that no block reaches into another recording, and there are as many blocks as frames.

    The networks of skspeech frame by themselves; this is for other models.

    Parameters
    ----------
    context_frames : int, default=25
        Frames in a block. Of an even number one more is before the frame than after it.

    Notes
    -----
    What comes out is always a RecordingSequence. A recording is framed when it is asked for: it
    is copied once with its edges repeated, and its blocks are read-only views into the copy,
    which goes when they go. A view that is stored or sent to another process would become
    every block in full, `context_frames` times the recording; of the sequence only the
    recordings themselves are.

    References
    ----------
    A. H. Shandiz and L. Tóth, "Improved processing of ultrasound tongue videos by combining
    ConvLSTM and 3D convolutional networks", 2022: blocks of 25 frames.

    Examples
    --------
    >>> import numpy as np
    >>> from skspeech.preprocessing import UltrasoundFramer
    >>> frames = np.arange(4, dtype=np.uint8).reshape(4, 1, 1)
    >>> framed = UltrasoundFramer(context_frames=3).fit_transform([frames])[0]
    >>> framed.reshape(4, 3)
    array([[0, 0, 1],
           [0, 1, 2],
           [1, 2, 3],
           [2, 3, 3]], dtype=uint8)
    """

    _parameter_constraints: dict = {"context_frames": [Interval(Integral, 1, None, closed="left")]}

    def __init__(self, *, context_frames: int = 25):
        self.context_frames = context_frames

    def transform(self, X: Any) -> RecordingSequence:
        """Return the blocks of each recording, framed when it is asked for.

        Parameters
        ----------
        X : collection of n videos, or of bags of them

        Returns
        -------
        RecordingSequence
            n read-only views (n_frames, `context_frames`, n_rows, n_columns) of the dtype of
            the video: uint8, float16 or float32; a bag of them for a bag.

        Raises
        ------
        RecordingError
            Names the recording that cannot be used, and the mend.
        """
        self._validate_params()
        recordings = self._validated(X, reset=False)
        if not isinstance(recordings, RecordingSequence):
            self._check_not_framed(recordings)
            recordings = RecordingSequence(recordings)
        # a copy: what set_params does later must not change what was asked for now
        return map_segments(recordings, partial(type(self)._transform_batch, copy.copy(self)))

    def _transform_batch(self, recordings: list[np.ndarray]) -> list[np.ndarray]:
        self._check_not_framed(recordings)
        return [self._framed(recording) for recording in recordings]

    def _framed(self, frames: np.ndarray) -> np.ndarray:
        before = self.context_frames // 2
        edges = (before, self.context_frames - 1 - before)
        padded = np.pad(frames, (edges, (0, 0), (0, 0)), mode="edge")
        blocks = np.lib.stride_tricks.sliding_window_view(padded, self.context_frames, axis=0)
        return np.moveaxis(blocks, -1, 1)


@lru_cache(maxsize=16)  # read one recording at a time, a RecordingSequence would compute them anew
def resizing_weights(n_old: int, n_new: int) -> np.ndarray:
    """Return what each of n_old pixels adds to each of n_new, float32 (n_new, n_old).

    It is how scipy smooths and interpolates the unit vectors, by the rules of scikit-image's
    ``resize``: a Gaussian of half as many pixels as are merged beyond one, then straight lines.
    """
    from scipy import ndimage

    deviation = max(0.0, (n_old / n_new - 1) / 2)
    smooth = ndimage.gaussian_filter(np.eye(n_old), (deviation, 0), mode="mirror")
    weights = ndimage.zoom(smooth, (n_new / n_old, 1), order=1, mode="mirror", grid_mode=True)
    weights = weights.astype(np.float32)
    weights.setflags(write=False)  # it is kept for all who ask
    return weights
