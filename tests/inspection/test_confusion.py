import matplotlib.pyplot as plt
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure

from skspeech.inspection import plot_confusion_matrix

TRUTH = ["anger"] * 4 + ["joy"] * 3
ANSWER = ["anger", "anger", "anger", "joy", "joy", "joy", "anger"]


def drawn(*labels, **options):
    return plot_confusion_matrix(*labels, ax=Figure().subplots(), **options)


def test_percent_of_the_true_class_and_counts():
    display = drawn(TRUTH, ANSWER)
    assert [[cell.get_text() for cell in row] for row in display.text_] == [
        ["75%\n3", "25%\n1"],
        ["33%\n1", "67%\n2"],
    ]
    np.testing.assert_allclose(display.confusion_matrix, [[0.75, 0.25], [1 / 3, 2 / 3]])


def test_axes_say_what_is_truth_and_what_is_answer():
    display = drawn(TRUTH, ANSWER)
    assert (display.ax_.get_ylabel(), display.ax_.get_xlabel()) == ("truth", "answer")
    assert [text.get_text() for text in display.ax_.get_yticklabels()] == ["anger", "joy"]


def test_labels_choose_and_order_and_display_labels_name():
    display = drawn(TRUTH, ANSWER, labels=["joy", "anger", "fear"], display_labels="JAF")
    assert [text.get_text() for text in display.ax_.get_xticklabels()] == list("JAF")
    assert display.text_[0, 0].get_text() == "67%\n2"
    assert {cell.get_text() for cell in display.text_[2]} == {""}, "no recording of fear"


def test_numbers_as_labels():
    assert drawn([0, 1, 1], [0, 1, 0]).text_[1, 0].get_text() == "50%\n1"


@settings(max_examples=10, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=30))
def test_every_recording_is_counted_once(pairs):
    truth, answer = zip(*pairs, strict=True)
    display = drawn(truth, answer, labels=range(4))
    counts = [int(cell.get_text().split("\n")[1]) for cell in display.text_.flat if cell.get_text()]
    assert sum(counts) == len(pairs)


def contrast(text, background):
    def luminance(colour):
        colour = np.asarray(colour[:3])
        linear = np.where(colour > 0.04045, ((colour + 0.055) / 1.055) ** 2.4, colour / 12.92)
        return linear @ [0.2126, 0.7152, 0.0722]

    dark, light = sorted([luminance(text), luminance(background)])
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("n_right", [0, 20, 40, 44, 46, 47, 48, 49, 50, 52, 60, 80, 100])
def test_cells_can_be_read(n_right):
    from matplotlib.colors import to_rgb

    display = drawn(["a"] * 100 + ["b"], ["a"] * n_right + ["b"] * (101 - n_right))
    for (row, column), text in np.ndenumerate(display.text_):
        background = display.im_.cmap(display.im_.norm(display.confusion_matrix[row, column]))
        assert contrast(to_rgb(text.get_color()), background) >= 4.5


def test_given_axes_no_pyplot_figure():
    before = plt.get_fignums()
    figure = Figure()
    ax = figure.subplots()
    display = plot_confusion_matrix(TRUTH, ANSWER, ax=ax)
    assert display.ax_ is ax
    assert display.figure_ is figure
    assert plt.get_fignums() == before


def test_long_names_are_turned():
    names = [f"a long name {i}" for i in range(7)]
    labels = drawn(names, names).ax_.get_xticklabels()
    assert {label.get_rotation() for label in labels} == {40.0}
