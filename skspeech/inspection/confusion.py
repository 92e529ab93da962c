"""The confusion matrix as papers on emotion in speech print it."""

from typing import Any

from skspeech.inspection._extras import COLOURS, axes_or_new, check_extra

__all__ = ["plot_confusion_matrix"]


def plot_confusion_matrix(
    y_true: Any, y_pred: Any, *, labels: Any = None, display_labels: Any = None, ax: Any = None
) -> Any:
    r"""Draw a confusion matrix in percent of each true class, with the counts below.

    The rows are the true classes, so the diagonal holds the recalls; their mean is the unweighted
    accuracy (UA).

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_recordings,)
        The labels, and the answers.
    labels : array-like of shape (n_classes,) or None, default=None
        The labels to show, in this order. None takes all that occur, sorted.
    display_labels : array-like of shape (n_classes,) or None, default=None
        What to call them. None writes the labels themselves.
    ax : matplotlib Axes or None, default=None
        Where to draw. None makes a new figure.

    Returns
    -------
    sklearn.metrics.ConfusionMatrixDisplay
        With ``confusion_matrix`` (shares of the true class, 0 to 1), ``text_``, ``ax_`` and
        ``figure_``.

    Raises
    ------
    MissingExtraError
        If matplotlib is not installed.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from skspeech.inspection import plot_confusion_matrix
    >>> truth, answers = ["anger", "anger", "sadness"], ["anger", "sadness", "sadness"]
    >>> display = plot_confusion_matrix(truth, answers, ax=Figure().subplots())
    >>> display.text_[0, 1].get_text()
    '50%\n1'
    """
    check_extra("matplotlib", "plot_confusion_matrix")
    from sklearn.metrics import ConfusionMatrixDisplay, confusion_matrix

    counts = confusion_matrix(y_true, y_pred, labels=labels)
    display = ConfusionMatrixDisplay.from_predictions(
        y_true,
        y_pred,
        labels=labels,
        normalize="true",
        display_labels=display_labels,
        values_format=".0%",
        cmap=COLOURS,
        colorbar=False,
        ax=axes_or_new(ax),
        im_kw={"vmin": 0, "vmax": 1},
    )
    _label_cells(display, counts)
    _label_axes(display)
    return display


def _label_cells(display: Any, counts: Any) -> None:
    """Add the counts, and write dark on light: scikit-learn judges by the range of the data."""
    for (row, column), text in _cells(display.text_):
        n_true = counts[row].sum()
        text.set_text(f"{text.get_text()}\n{counts[row, column]}" if n_true else "")
        light = display.confusion_matrix[row, column] > 0.47  # where black reads as well as white
        text.set(color="black" if light else "white", fontsize=_font_size(len(counts)))


def _cells(texts: Any) -> Any:
    return (((i, j), texts[i, j]) for i in range(len(texts)) for j in range(len(texts)))


def _font_size(n_classes: int) -> int:
    return 10 if n_classes <= 6 else 8 if n_classes <= 10 else 6


def _label_axes(display: Any) -> None:
    names = [text.get_text() for text in display.ax_.get_xticklabels()]
    if sum(map(len, names)) > 30:  # they would run into each other
        for text in display.ax_.get_xticklabels():
            text.set(rotation=40, ha="right", rotation_mode="anchor")
    display.ax_.set(
        xlabel="answer", ylabel="truth", title="Answers in percent of the true class, and counts"
    )
    display.ax_.tick_params(length=0)
