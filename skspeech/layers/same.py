"""The padding that Keras calls "same", for layers over maps; their sizes are spread over axes."""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F  # noqa: N812 - torch's own name for it
from torch import Tensor

__all__ = ["pad_same", "same_padding", "spread"]


def same_padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """Return how much Keras's "same" puts before and after an axis.

    The kernel has ceil(size / stride) places, and the smaller half of what they need beyond
    `size` comes before. For a stride above 1 that depends on the size, so that it is not the rule
    of :class:`~skspeech.layers.MaskedConv1d`, where a recording's padding may not depend on its
    length.

    Parameters
    ----------
    size, kernel, stride : int
        Of the axis.

    Returns
    -------
    before, after : int

    Examples
    --------
    >>> from skspeech.layers.same import same_padding
    >>> same_padding(128, kernel=13, stride=2)
    (5, 6)
    """
    needed = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return needed // 2, needed - needed // 2


def pad_same(
    x: Tensor, kernels: Sequence[int], strides: Sequence[int], *, value: float = 0.0
) -> tuple[Tensor, list[int]]:
    """Pad the ends of the last axes as far as "same" is asymmetric.

    torch's convolutions and pools pad both ends alike and for free; only an odd one at the end
    costs a copy.

    Returns
    -------
    x : Tensor
        With one more at the end of an axis where that needs one; itself where none does.
    before : list of int
        What is left to pad at both ends of each axis.
    """
    sizes = x.shape[x.ndim - len(kernels) :]
    ends = [same_padding(*axis) for axis in zip(sizes, kernels, strides, strict=True)]
    odd = [after - before for before, after in ends]
    if any(odd):
        x = F.pad(x, [n for extra in reversed(odd) for n in (0, extra)], value=value)
    return x, [before for before, _ in ends]


def spread(name: str, value: int | Sequence[int], axes: tuple[str, ...]) -> tuple[int, ...]:
    """Return an option as one positive integer an axis, or raise a ValueError that says so."""
    try:
        values = tuple(value) if isinstance(value, Sequence) else (value,) * len(axes)
        sizes = tuple(v.__index__() for v in values)
        fits = len(sizes) == len(axes) and min(sizes) >= 1
    except AttributeError:  # no integer
        fits = False
    if not fits:
        count = {2: "two", 3: "three"}[len(axes)]
        raise ValueError(
            f"{name} is {value!r}; expected a positive integer or {count} of them, "
            f"{', '.join(axes)}."
        )
    return sizes
