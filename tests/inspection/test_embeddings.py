"""Embeddings drawn in two dimensions."""

import sys

import matplotlib.pyplot as plt
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.colors import to_hex, to_rgba
from matplotlib.figure import Figure
from numpy.testing import assert_allclose
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from sklearn.utils import check_random_state

from skspeech.exceptions import MissingExtraError
from skspeech.inspection import EmbeddingDisplay, plot_embeddings
from skspeech.models import ResidualBLSTMClassifier

SINGERS = np.repeat(["Ana", "Eva", "Juan"], 8)
MARKS = np.tile(["train", "test"], 12)


def embeddings_of(labels, dim=6):
    """Return a cloud of vectors around the centre of each label."""
    rng = check_random_state(0)
    _, codes = np.unique(labels, return_inverse=True)
    return 5 * rng.normal(size=(codes.max() + 1, dim))[codes] + rng.normal(size=(len(codes), dim))


EMBEDDINGS = embeddings_of(SINGERS)


def draw(embeddings=EMBEDDINGS, y=None, **options):
    return plot_embeddings(embeddings, y, ax=Figure(layout="constrained").subplots(), **options)


def drawn(display):
    """Return the rows (x, y, red, green, blue) of all points that are drawn, sorted."""
    rows = [
        np.column_stack(
            [
                part.get_offsets(),
                np.broadcast_to(part.get_edgecolors()[:, :3], (len(part.get_offsets()), 3)),
            ]
        )
        for part in display.scatters_
    ]
    return np.array(sorted(map(tuple, np.concatenate(rows))))


def entries(display):
    return [text.get_text() for text in display.legend_.get_texts()]


def test_by_default_the_two_greatest_directions_of_variance():
    display = draw(y=SINGERS)
    expected = PCA(2, svd_solver="full").fit(EMBEDDINGS)
    assert_allclose(display.points, expected.transform(EMBEDDINGS))
    assert_allclose(drawn(display)[:, :2], sorted(map(tuple, display.points)))
    first, second = expected.explained_variance_ratio_
    assert display.ax_.get_xlabel() == f"PCA 1 ({first:.0%} of the variance)"
    assert display.ax_.get_ylabel() == f"PCA 2 ({second:.0%} of the variance)"


def test_the_picture_of_many_large_embeddings_does_not_change_by_itself():
    embeddings = check_random_state(1).normal(size=(520, 501))  # where scikit-learn's PCA draws
    assert_allclose(draw(embeddings).points, draw(embeddings).points, rtol=0, atol=0)


def test_distances_are_as_large_in_all_directions():
    display = draw(y=SINGERS)
    display.figure_.draw_without_rendering()
    ((a, _, _), (_, d, _), _) = display.ax_.transData.get_matrix()
    assert_allclose(a, d, rtol=0.01)


def test_panels_that_share_both_axes():
    points = draw().points
    figure = Figure(layout="constrained")
    panels = figure.subplots(1, 2, sharex=True, sharey=True)
    for panel, mark in zip(panels, ("train", "test"), strict=True):
        chosen = mark == MARKS
        EmbeddingDisplay(points[chosen], SINGERS[chosen]).plot(ax=panel)
    figure.draw_without_rendering()
    assert panels[0].get_xlim() == panels[1].get_xlim()


def test_a_class_has_one_colour_and_an_entry():
    display = draw(y=SINGERS)
    assert entries(display) == ["Ana", "Eva", "Juan"]
    colours = [to_hex(handle.get_markeredgecolor()) for handle in display.legend_.legend_handles]
    assert len(set(colours)) == 3
    wanted = [
        (*point, *to_rgba(colours[code])[:3])
        for point, code in zip(display.points, np.repeat([0, 1, 2], 8), strict=True)
    ]
    assert_allclose(drawn(display), sorted(wanted))


@pytest.mark.parametrize("n_classes", [2, 8, 9, 30])
def test_all_classes_differ(n_classes):
    labels = np.arange(n_classes)
    display = draw(embeddings_of(labels), labels)
    assert len(np.unique(drawn(display)[:, 2:], axis=0)) == n_classes
    assert entries(display) == [str(label) for label in labels]


def test_more_classes_than_anybody_reads_have_no_entries():
    display = draw(embeddings_of(np.arange(40)), np.arange(40))
    assert display.legend_ is None
    assert len(np.unique(drawn(display)[:, 2:], axis=0)) == 40


def test_without_labels_there_is_no_legend():
    display = draw()
    assert display.legend_ is None
    assert len(np.unique(drawn(display)[:, 2:], axis=0)) == 1


def test_each_mark_has_a_shape_and_an_entry():
    display = draw(y=SINGERS, marks=MARKS)
    assert entries(display) == ["Ana", "Eva", "Juan", "test", "train"]
    assert len(display.scatters_) == 2
    for part, mark in zip(display.scatters_, ["test", "train"], strict=True):
        expected = display.points[mark == MARKS]
        assert_allclose(sorted(map(tuple, part.get_offsets())), sorted(map(tuple, expected)))
    shapes = [part.get_paths()[0].vertices for part in display.scatters_]
    assert shapes[0].shape != shapes[1].shape or not np.allclose(*shapes)


def test_marks_alone():
    display = draw(marks=MARKS)
    assert entries(display) == ["test", "train"]


def test_tsne_of_scikit_learn():
    tsne = TSNE(perplexity=5, max_iter=250, random_state=0)
    display = draw(y=SINGERS, projection=tsne)
    assert display.points.shape == (24, 2)
    assert not hasattr(tsne, "embedding_")  # a copy was fitted
    assert (display.ax_.get_xlabel(), display.ax_.get_ylabel()) == ("TSNE 1", "TSNE 2")


def test_a_pipeline_is_named_by_its_last_step():
    display = draw(projection=make_pipeline(StandardScaler(), PCA(2)))
    assert display.ax_.get_xlabel().startswith("PCA 1 (")


def test_embeddings_of_two_numbers_are_drawn_as_they_are():
    display = draw(EMBEDDINGS[:, :2])
    assert_allclose(display.points, EMBEDDINGS[:, :2])
    assert display.ax_.get_xlabel() == "embedding 1"
    turned = draw(EMBEDDINGS[:, :2], projection=PCA(2))
    assert_allclose(turned.points.mean(axis=0), 0, atol=1e-12)


def test_embeddings_that_are_all_the_same():
    display = draw(np.ones((5, 4)))  # of a network that has learnt nothing
    display.figure_.draw_without_rendering()
    assert_allclose(display.points, 0)
    assert display.ax_.get_xlabel() == "PCA 1"


def test_every_point_of_thousands_is_drawn():
    labels = np.arange(3000) % 5
    assert len(drawn(draw(embeddings_of(labels), labels))) == 3000


points = st.lists(
    st.tuples(st.integers(-9, 9), st.integers(-9, 9), st.integers(0, 3), st.integers(0, 2)),
    min_size=2,
    max_size=20,
)


@settings(deadline=None, max_examples=20)
@given(points)
def test_the_picture_is_that_of_the_points_in_any_order(rows):
    rows = np.array(rows)

    def picture(some):
        ax = Figure().subplots()
        display = EmbeddingDisplay(some[:, :2], some[:, 2], marks=some[:, 3]).plot(ax=ax)
        return drawn(display), entries(display)

    one, other = picture(rows), picture(rows[::-1])
    assert_allclose(one[0], other[0])
    assert one[1] == other[1]
    assert len(one[0]) == len(rows)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"embeddings": EMBEDDINGS[0]}, r"Expected 2D array, got 1D"),
        ({"embeddings": EMBEDDINGS[:, :1]}, r"1 feature\(s\).*minimum of 2"),
        ({"embeddings": EMBEDDINGS[:1]}, r"1 sample\(s\).*minimum of 2"),
        ({"embeddings": EMBEDDINGS * np.nan}, r"embeddings contains NaN"),
        ({"y": SINGERS[1:]}, r"y has shape \(23,\); .* one for each of the 24 embeddings"),
        ({"y": np.ones((24, 2))}, r"y has shape \(24, 2\)"),
        ({"marks": MARKS[1:]}, r"marks has shape \(23,\)"),
        ({"y": [None, *SINGERS[1:]]}, r"y holds labels of several types .*NoneType.*str"),
        ({"marks": np.arange(24)}, r"24 different marks.*at most 8"),
        ({"projection": PCA(3)}, r"PCA gives shape \(24, 3\).*n_components=2"),
    ],
)
def test_refused(options, message):
    with pytest.raises(ValueError, match=message):
        draw(**options)


@pytest.mark.parametrize("projection", ["tsne", PCA, StandardScaler])
def test_what_is_no_projection_is_refused(projection):
    with pytest.raises(TypeError, match=r"projection .*TSNE\(random_state=0\)"):
        draw(projection=projection)


def test_points_must_be_two_numbers_each():
    with pytest.raises(ValueError, match=r"shape \(24, 6\), not \(n_points, 2\).*plot_embeddings"):
        EmbeddingDisplay(EMBEDDINGS).plot(ax=Figure().subplots())


def spectrograms(n=8):
    rng = check_random_state(0)
    return [rng.normal(size=(8, 10 + i)) for i in range(n)]


@pytest.fixture(scope="module")
def network():
    network = ResidualBLSTMClassifier(
        n_maps=2, n_blocks=1, lstm_units=3, dense_units=4, max_epochs=1, random_state=0
    )
    return network.fit(spectrograms(), ["Ana", "Eva"] * 4)


def test_what_a_network_makes_of_recordings(network):
    ax = Figure().subplots()
    display = EmbeddingDisplay.from_estimator(
        network, spectrograms(), ["Ana", "Eva"] * 4, marks=[1] * 8, ax=ax
    )
    assert display.ax_ is ax
    assert display.figure_ is ax.figure
    assert_allclose(display.points, draw(network.transform(spectrograms())).points)
    assert entries(display) == ["Ana", "Eva", "1"]


def test_a_bag_is_one_point(network):
    X = spectrograms()
    display = EmbeddingDisplay.from_estimator(
        make_pipeline(network), [X[:2], X[2:5], X[5:]], ax=Figure().subplots()
    )
    assert len(display.points) == 3


def test_an_estimator_without_embeddings_is_refused():
    with pytest.raises(TypeError, match=r"LinearSVC has no embeddings.*transform"):
        EmbeddingDisplay.from_estimator(LinearSVC(), EMBEDDINGS)


def test_a_transformer_of_recordings_to_recordings_is_refused():
    with pytest.raises(ValueError, match=r"Twice gives no embeddings.*one vector"):
        EmbeddingDisplay.from_estimator(Twice(), spectrograms())


class Twice:
    """A transformer whose answers are no vectors."""

    def transform(self, X):
        answers = np.empty(len(X), dtype=object)
        answers[:] = [2 * x for x in X]
        return answers


def test_given_axes_no_pyplot_figure():
    before = plt.get_fignums()
    draw(y=SINGERS, marks=MARKS).figure_.draw_without_rendering()
    assert plt.get_fignums() == before


def test_a_new_figure_holds_the_legend():
    display = plot_embeddings(EMBEDDINGS, ["a rather long name of a singer"] * 24)
    try:
        display.figure_.draw_without_rendering()
        box = display.legend_.get_window_extent()
        assert box.x1 <= display.figure_.bbox.x1
        assert box.x0 >= display.ax_.get_window_extent().x1
    finally:
        plt.close(display.figure_)


CALLS = {
    "EmbeddingDisplay.plot": lambda: EmbeddingDisplay([[0.0, 0.0]]).plot(),
    "EmbeddingDisplay.from_estimator": lambda: EmbeddingDisplay.from_estimator(None, None),
    "plot_embeddings": lambda: plot_embeddings(None),
}


@pytest.mark.parametrize("name", CALLS)
def test_without_matplotlib(name, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingExtraError, match=rf"{name} needs matplotlib.*'skspeech\[report\]'"):
        CALLS[name]()
