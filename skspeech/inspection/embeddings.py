"""Embeddings of recordings in two dimensions, coloured by class."""

from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import clone
from sklearn.pipeline import Pipeline
from sklearn.utils import check_array, check_random_state

from skspeech.inspection._extras import BLUE, GREEN, ORANGE, axes_or_new, check_extra

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["EmbeddingDisplay", "plot_embeddings"]

# Okabe and Ito's, the palest last; more classes than these take even steps of a colour map.
_HUES = (BLUE, ORANGE, GREEN, "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#F0E442")
_MORE_HUES, _SPAN = "turbo", (0.05, 0.95)
_SHAPES = ("o", "^", "s", "v", "D", "P", "X", "*")
_MOST_ENTRIES = 30  # of classes, in the legend
_AREA, _AREAS = 8000.0, (8.0, 36.0)  # points squared: of all points together, and of one


class EmbeddingDisplay:
    """Points in two dimensions, a colour a class and a shape a mark.

    Both axes have one scale, so that distances compare in all directions. They have no ticks: what
    a network's embeddings are measured in, nobody knows. Points lie over each other in an order
    that has nothing to do with their class, and that is the same in every picture.

    Make one with :func:`plot_embeddings`, which projects embeddings, or :meth:`from_estimator`,
    which lets a network compute them.

    Parameters
    ----------
    points : array-like of shape (n_points, 2)
    y : array-like of shape (n_points,) or None, default=None
        Classes, any labels; their names are in the legend, beside the axes, if they are 30 or
        fewer. None draws all points in one colour.
    marks : array-like of shape (n_points,) or None, default=None
        What else to tell apart, such as training and test recordings, or songs: labels of at most
        8 kinds, which have shapes. None draws all points in one shape.
    axis_names : (str, str), default=("embedding 1", "embedding 2")

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    scatters_ : list of matplotlib PathCollection
        One a mark, in sorted order.
    legend_ : matplotlib Legend or None

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from skspeech.inspection import EmbeddingDisplay
    >>> display = EmbeddingDisplay([[0, 0], [1, 2], [1, 3]], ["Ana", "Eva", "Eva"])
    >>> [text.get_text() for text in display.plot(ax=Figure().subplots()).legend_.get_texts()]
    ['Ana', 'Eva']
    """

    def __init__(
        self,
        points: Any,
        y: Any = None,
        *,
        marks: Any = None,
        axis_names: tuple[str, str] = ("embedding 1", "embedding 2"),
    ):
        self.points = points
        self.y = y
        self.marks = marks
        self.axis_names = axis_names

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: Any = None,
        *,
        marks: Any = None,
        projection: Any = None,
        ax: Any = None,
    ) -> "EmbeddingDisplay":
        """Draw the embeddings that a fitted network, or a pipeline that ends in one, makes.

        Parameters
        ----------
        estimator : fitted estimator whose ``transform`` gives a vector a recording
        X : collection of n recordings
            As for ``estimator.transform``. A bag is one point;
            :func:`~skspeech.recordings.explode` gives its segments as recordings.
        y : array-like of shape (n,) or None, default=None
            Classes, for the colours.
        marks : array-like of shape (n,) or None, default=None
            What else to tell apart, for the shapes; at most 8 kinds.
        projection : transformer or None, default=None
            As for :func:`plot_embeddings`.
        ax : matplotlib Axes or None, default=None
            Where to draw. None makes a new figure.

        Returns
        -------
        EmbeddingDisplay

        Raises
        ------
        MissingExtraError
            If matplotlib is not installed.
        TypeError
            If the estimator has no ``transform``.
        ValueError
            If that gives no vectors, or as for :func:`plot_embeddings`.
        """
        check_extra("matplotlib", f"{cls.__name__}.from_estimator")
        name = type(estimator).__name__
        if not hasattr(estimator, "transform"):
            raise TypeError(
                f"{name} has no embeddings, for it has no method transform. Give a fitted network, "
                "or a Pipeline that ends in one; of a Pipeline with a classifier behind the "
                "network, model[:-1]."
            )
        embeddings = estimator.transform(X)
        if getattr(embeddings, "ndim", None) != 2:
            raise ValueError(
                f"{name} gives no embeddings: its transform must give one vector a recording, an "
                "array (n_recordings, dim). Give a fitted network, or a Pipeline that ends in one."
            )
        return cls._projected(embeddings, y, marks, projection, ax)

    @classmethod
    def _projected(
        cls, embeddings: Any, y: Any, marks: Any, projection: Any, ax: Any
    ) -> "EmbeddingDisplay":
        embeddings = check_array(
            embeddings,
            dtype=np.float64,
            ensure_min_samples=2,
            ensure_min_features=2,
            input_name="embeddings",
        )
        _check_labels(len(embeddings), y, marks)  # before a projection that takes minutes
        if projection is None and embeddings.shape[1] == 2:
            return cls(embeddings, y, marks=marks).plot(ax=ax)
        points, names = _project(embeddings, projection)
        return cls(points, y, marks=marks, axis_names=names).plot(ax=ax)

    def plot(self, *, ax: Any = None) -> "EmbeddingDisplay":
        """Draw it.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            Where to draw. None makes a new figure.

        Returns
        -------
        EmbeddingDisplay
            Itself.

        Raises
        ------
        MissingExtraError
            If matplotlib is not installed.
        ValueError
            If points are not of two numbers each, `y` or `marks` is not as long or of several
            types, or there are more than 8 kinds of marks.
        """
        check_extra("matplotlib", f"{type(self).__name__}.plot")
        points = np.asarray(self.points, dtype=float)
        if points.ndim != 2 or points.shape[1] != 2:
            raise ValueError(
                f"The points have shape {points.shape}, not (n_points, 2). Embeddings of any size "
                "go to plot_embeddings."
            )
        classes, shapes = _check_labels(len(points), self.y, self.marks)
        self.ax_ = axes_or_new(ax)
        self.figure_ = self.ax_.figure
        hues = _hues(len(classes[0]))
        self.scatters_ = _draw_points(self.ax_, points, hues[classes[1]], shapes[1])
        self.legend_ = _draw_legend(
            self.ax_,
            classes[0] if self.y is not None else (),
            hues,
            shapes[0] if self.marks is not None else (),
        )
        self.ax_.set(xticks=[], yticks=[], xlabel=self.axis_names[0], ylabel=self.axis_names[1])
        _scale_alike(self.ax_)
        return self


def plot_embeddings(
    embeddings: Any, y: Any = None, *, marks: Any = None, projection: Any = None, ax: Any = None
) -> EmbeddingDisplay:
    """Draw embeddings in two dimensions, coloured by class.

    Parameters
    ----------
    embeddings : array-like of shape (n, dim)
        At least two vectors, of at least two numbers: what ``transform`` of a network gives.
    y : array-like of shape (n,) or None, default=None
        Classes, for the colours: singers, speakers, emotions. None draws one colour.
    marks : array-like of shape (n,) or None, default=None
        What else to tell apart, for the shapes, such as training and test recordings, or songs; at
        most 8 kinds.
    projection : transformer or None, default=None
        Makes two numbers of `dim`: a copy of it gets all embeddings by ``fit_transform``, and no
        labels, so that classes lie apart only where the embeddings do. None takes the two principal
        components (:class:`~sklearn.decomposition.PCA`), which need no choices and show as much of
        the variance as a plane can; the axes say how much. Embeddings of two numbers are then
        drawn as they are. ``TSNE(random_state=0)`` of :mod:`sklearn.manifold` keeps neighbours
        together; the gaps between its groups mean little.
    ax : matplotlib Axes or None, default=None
        Where to draw. None makes a new figure.

    Returns
    -------
    EmbeddingDisplay
        With the projected points as ``points``.

    Raises
    ------
    MissingExtraError
        If matplotlib is not installed.
    TypeError
        If the projection has no ``fit_transform``, or is a class and no object.
    ValueError
        If the embeddings are no such array or not finite, `y` or `marks` is not as long or of
        several types, there are more than 8 kinds of marks, or the projection gives more or less
        than two numbers each.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from sklearn.datasets import load_iris
    >>> from skspeech.inspection import plot_embeddings
    >>> iris = load_iris()
    >>> ax = Figure().subplots()
    >>> plot_embeddings(iris.data, iris.target_names[iris.target], ax=ax).ax_.get_xlabel()
    'PCA 1 (92% of the variance)'
    """
    check_extra("matplotlib", "plot_embeddings")
    return EmbeddingDisplay._projected(embeddings, y, marks, projection, ax)


def _project(embeddings: np.ndarray, projection: Any) -> tuple[np.ndarray, tuple[str, str]]:
    """Return two numbers for each embedding, and what to call them."""
    from sklearn.decomposition import PCA

    if projection is None:
        projection = PCA(2, svd_solver="full")  # "auto" draws random numbers if there are many
    if isinstance(projection, type) or not hasattr(projection, "fit_transform"):
        raise TypeError(
            f"projection is {projection!r}. Give an object with the method fit_transform, such as "
            "sklearn.manifold.TSNE(random_state=0), or None."
        )
    projection = clone(projection)
    with np.errstate(invalid="ignore"):  # PCA divides by the variance: 0 where all are the same
        points = np.asarray(projection.fit_transform(embeddings))
    last = projection.steps[-1][1] if isinstance(projection, Pipeline) else projection
    name = type(last).__name__
    if points.shape != (len(embeddings), 2):
        raise ValueError(
            f"{name} gives shape {points.shape}, not ({len(embeddings)}, 2): a picture has two "
            "dimensions. Most projections have the parameter n_components=2."
        )
    shares = getattr(last, "explained_variance_ratio_", (np.nan, np.nan))
    first, second = (f" ({share:.0%} of the variance)" if share >= 0 else "" for share in shares)
    return points, (f"{name} 1{first}", f"{name} 2{second}")


def _check_labels(n: int, y: Any, marks: Any) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return, of `y` and of `marks`, the different labels and for each point an index into them."""
    found = []
    for name, labels in (("y", y), ("marks", marks)):
        values = np.zeros(n, int) if labels is None else np.asarray(labels)
        if values.shape != (n,):
            raise ValueError(
                f"{name} has shape {values.shape}; it needs one for each of the {n} embeddings, "
                f"shape ({n},)."
            )
        try:
            found.append(np.unique(values, return_inverse=True))
        except TypeError as error:
            types = ", ".join(sorted({type(value).__name__ for value in values}))
            raise ValueError(
                f"{name} holds labels of several types ({types}), which have no order. Make them "
                "all str."
            ) from error
    n_marks = len(found[1][0])
    if n_marks > len(_SHAPES):
        raise ValueError(
            f"There are {n_marks} different marks, but shapes for at most {len(_SHAPES)}. Put some "
            "under one mark."
        )
    return found


def _hues(n_classes: int) -> np.ndarray:
    """Return the colour of each class, shape (n_classes, 4)."""
    from matplotlib import colormaps
    from matplotlib.colors import to_rgba_array

    if n_classes <= len(_HUES):
        return to_rgba_array(_HUES[:n_classes])
    return colormaps[_MORE_HUES](np.linspace(*_SPAN, n_classes))


def _draw_points(
    ax: "Axes", points: np.ndarray, colours: np.ndarray, shapes: np.ndarray
) -> list[Any]:
    """Draw the points of each shape, those of the first uppermost."""
    order = check_random_state(0).permutation(len(points))
    area = np.clip(_AREA / max(1, len(points)), *_AREAS)
    scatters = []
    for shape in range(shapes.max(initial=0) + 1):
        chosen = order[shapes[order] == shape]
        scatters.append(
            ax.scatter(
                points[chosen, 0],
                points[chosen, 1],
                s=area,
                marker=_SHAPES[shape],
                facecolors=colours[chosen] if shape % 2 == 0 else "none",
                edgecolors=colours[chosen],
                linewidths=0.8,
                zorder=2 - 0.01 * shape,
            )
        )
    return scatters


def _draw_legend(ax: "Axes", classes: Any, hues: np.ndarray, marks: Any) -> Any:
    """Name the classes, unless they are too many, and the marks; None where there are none."""
    from matplotlib.lines import Line2D

    named = zip(classes, hues, strict=False) if len(classes) <= _MOST_ENTRIES else ()
    looks: list[tuple[Any, Any, str]] = [(name, hue, "o") for name, hue in named]
    looks += [(name, "0.3", shape) for name, shape in zip(marks, _SHAPES, strict=False)]
    handles = [
        Line2D(
            [],
            [],
            linestyle="none",
            marker=shape,
            color=colour,
            markerfacecolor="none" if _SHAPES.index(shape) % 2 else colour,
            label=str(name),
        )
        for name, colour, shape in looks
    ]
    if not handles:
        return None
    return ax.legend(
        handles=handles, loc="upper left", bbox_to_anchor=(1.01, 1.0), borderaxespad=0.0
    )


def _scale_alike(ax: "Axes") -> None:
    """Give both axes one scale: one shows more, or, if both are shared, takes less room."""
    grids = ax.get_shared_x_axes(), ax.get_shared_y_axes()
    shared = all(len(grid.get_siblings(ax)) > 1 for grid in grids)
    ax.set_aspect("equal", adjustable="box" if shared else "datalim")
