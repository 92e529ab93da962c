"""What happened in a training, epoch by epoch."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from skspeech.inspection._extras import BLUE, GREEN, ORANGE, axes_or_new, check_extra

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["HistoryDisplay", "plot_history"]


class HistoryDisplay:
    """Losses and validation score of one training or of several.

    Make one with :func:`plot_history`, :meth:`from_estimator` or :meth:`from_history`.

    Parameters
    ----------
    histories : list of lists of dict
        For each training a row an epoch, as in ``history_`` of a network: ``epoch``,
        ``train_loss`` and, where something was held out, ``valid_loss``, ``valid_score`` and
        ``best`` (whether the epoch was the best so far).

    Attributes
    ----------
    ax_ : matplotlib Axes
        The losses by epoch.
    score_ax_ : matplotlib Axes or None
        The validation score by epoch; None where no training has one.
    figure_ : matplotlib Figure

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from skspeech.inspection import HistoryDisplay
    >>> rows = [
    ...     {"epoch": 1, "train_loss": 1.4, "valid_loss": 1.3, "valid_score": 0.5, "best": True},
    ...     {"epoch": 2, "train_loss": 1.1, "valid_loss": 1.2, "valid_score": 0.7, "best": True},
    ... ]
    >>> display = HistoryDisplay.from_history(rows, ax=Figure().subplots())
    >>> display.ax_.get_ylabel(), display.score_ax_.get_ylabel()
    ('loss', 'validation score')
    """

    ax_: "Axes"
    score_ax_: "Axes | None"
    figure_: Any

    def __init__(self, histories: list[list[dict[str, Any]]]):
        self.histories = histories

    @classmethod
    def from_estimator(cls, estimator: Any, *, ax: Any = None) -> "HistoryDisplay":
        """Draw the training of a fitted network.

        Parameters
        ----------
        estimator : fitted network, or Pipeline whose last step is one
        ax : matplotlib Axes or None, default=None
            Where to draw. None makes a new figure.

        Returns
        -------
        HistoryDisplay
        """
        return cls([_history_of(estimator)]).plot(ax=ax)

    @classmethod
    def from_history(cls, history: list[dict[str, Any]], *, ax: Any = None) -> "HistoryDisplay":
        """Draw one training from its rows.

        Parameters
        ----------
        history : list of dict
            A row an epoch, as ``history_`` of a network.
        ax : matplotlib Axes or None, default=None
            Where to draw. None makes a new figure.

        Returns
        -------
        HistoryDisplay
        """
        return cls([history]).plot(ax=ax)

    def plot(self, *, ax: Any = None) -> "HistoryDisplay":
        """Draw the losses, and below them the validation score.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            The axes whose place the two panels take. None makes a new figure.

        Returns
        -------
        HistoryDisplay
            Itself.

        Raises
        ------
        MissingExtraError
            If matplotlib is not installed.
        """
        check_extra("matplotlib", "HistoryDisplay.plot")
        place = axes_or_new(ax)
        place.set_axis_off()
        scored = any("valid_score" in row for rows in self.histories for row in rows)
        self.figure_ = place.figure
        self.ax_ = place.inset_axes((0, 0.42, 1, 0.58) if scored else (0, 0, 1, 1))
        self.score_ax_ = place.inset_axes((0, 0, 1, 0.38), sharex=self.ax_) if scored else None
        for rows in self.histories:
            self._draw(rows)
        self._label()
        return self

    def _draw(self, rows: list[dict[str, Any]]) -> None:
        faint = {"alpha": 1.0 if len(self.histories) == 1 else 0.6, "linewidth": 1.5}
        _line(self.ax_, rows, "train_loss", color=BLUE, linestyle="--", label="training", **faint)
        _line(self.ax_, rows, "valid_loss", color=ORANGE, label="validation", **faint)
        if self.score_ax_ is None:
            return
        _line(self.score_ax_, rows, "valid_score", color=GREEN, **faint)
        best = [row for row in rows if row.get("best")][-1:]  # each was the best so far
        dot = {"linestyle": "none", "marker": "o", "markersize": 6, "color": "black"}
        _line(self.ax_, best, "valid_loss", label="best epoch", **dot)
        _line(self.score_ax_, best, "valid_score", **dot)

    def _label(self) -> None:
        from matplotlib.ticker import MaxNLocator

        lowest = self.ax_ if self.score_ax_ is None else self.score_ax_
        lowest.set_xlabel("epoch")
        lowest.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        self.ax_.set_ylabel("loss")
        n = len(self.histories)
        self.ax_.set_title("Training" if n == 1 else f"{n} trainings")
        handles, labels = self.ax_.get_legend_handles_labels()
        entries = dict(zip(labels, handles, strict=True))  # one a kind of line, not one a training
        self.ax_.legend(list(entries.values()), list(entries))
        if self.score_ax_ is not None:
            self.ax_.tick_params(labelbottom=False)
            self.score_ax_.set_ylabel("validation score")
        for panel in filter(None, (self.ax_, self.score_ax_)):
            panel.grid(alpha=0.25)
            panel.spines[["top", "right"]].set_visible(False)


def plot_history(estimator_or_history: Any, *, ax: Any = None) -> HistoryDisplay:
    """Draw losses and validation score by epoch, with the best epoch marked.

    Parameters
    ----------
    estimator_or_history : fitted network, Pipeline, list of dict, or a list of any of these
        What was trained: a network, a pipeline whose last step is one, or the rows of its
        ``history_``; several of them, for instance the folds of
        ``cross_validate(..., return_estimator=True)["estimator"]``, are drawn into one picture.
    ax : matplotlib Axes or None, default=None
        The axes whose place the picture takes. None makes a new figure.

    Returns
    -------
    HistoryDisplay

    Raises
    ------
    MissingExtraError
        If matplotlib is not installed.
    TypeError
        If something has no history.
    ValueError
        If there is no epoch to draw.
    NotFittedError
        If an estimator is not fitted.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from skspeech.inspection import plot_history
    >>> folds = [[{"epoch": 1, "train_loss": 1.5}], [{"epoch": 1, "train_loss": 1.4}]]
    >>> plot_history(folds, ax=Figure().subplots()).ax_.get_title()
    '2 trainings'
    """
    several = isinstance(estimator_or_history, list | tuple) or hasattr(
        estimator_or_history, "__array__"
    )
    if several and not all(isinstance(row, Mapping) for row in estimator_or_history):
        histories = [_history_of(one) for one in estimator_or_history]
    else:
        histories = [_history_of(estimator_or_history)]
    return HistoryDisplay(histories).plot(ax=ax)


def _history_of(one: Any) -> list[dict[str, Any]]:
    """Return the rows of a network, of a pipeline's last step, or of a list of rows itself."""
    if isinstance(one, list | tuple):
        if not all(isinstance(row, Mapping) and "train_loss" in row for row in one):
            raise TypeError(
                "A history is a list of dicts with epoch and train_loss, as history_ of a fitted "
                f"network. Got {str(one)[:80]}."
            )
        if not one:
            raise ValueError("A history has no epoch. Give the history_ of a fitted network.")
        return list(one)
    network = one[-1] if isinstance(one, Pipeline) else one
    if not hasattr(type(network), "history_") and not hasattr(network, "history_"):
        raise TypeError(
            f"{type(network).__name__} has no history_. Give a fitted network, a Pipeline that "
            "ends in one, or the rows of its history_."
        )
    check_is_fitted(network)
    return network.history_


def _line(ax: "Axes", rows: list[dict[str, Any]], name: str, **style: Any) -> None:
    points = [(row["epoch"], row[name]) for row in rows if row.get(name) is not None]
    if points:
        ax.plot(*zip(*points, strict=True), **style)
