"""Libraries that are not always there, and the axes drawn on when nobody gives any."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from skspeech.exceptions import MissingExtraError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Okabe and Ito's palette: told apart with every kind of colour vision.
BLUE, ORANGE, GREEN = "#0072B2", "#D55E00", "#009E73"
# Perceptually even, and nearly the same to those who do not see red or green.
COLOURS = "cividis"


def check_extra(module: str, caller: str, extra: str = "report") -> None:
    """Raise a MissingExtraError that says what to install if `module` is not there."""
    try:
        import_module(module)
    except ImportError as error:
        raise MissingExtraError(caller, module, extra) from error


def axes_or_new(ax: Any) -> "Axes":
    """Return `ax`, or the axes of a new figure; pyplot is touched for a new figure only."""
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt

    return plt.subplots(layout="constrained")[1]
