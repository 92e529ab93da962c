import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.figure import Figure
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from skspeech.inspection import HistoryDisplay, plot_history
from skspeech.models import CNNLSTM2DClassifier
from skspeech.preprocessing import LogMelSpectrogram
from skspeech.testing import make_recordings

SCORES = (0.2, 0.6, 0.6, 0.8, 0.7)
BEST = (True, True, False, True, False)


def rows(n_epochs=5, validated=True):
    history = [
        {"epoch": i + 1, "train_loss": 2.0 / (i + 1), "seconds": 1.0} for i in range(n_epochs)
    ]
    if validated:
        for row, score, best in zip(history, SCORES, BEST, strict=False):
            row |= {"valid_loss": 1 - score, "valid_score": score, "best": best}
    return history


def drawn(history):
    return plot_history(history, ax=Figure().subplots())


def line(ax, label):
    return next(line for line in ax.get_lines() if line.get_label() == label).get_xydata().tolist()


def test_losses_score_and_the_last_best_epoch():
    display = drawn(rows())
    assert line(display.ax_, "training") == [[i, 2 / i] for i in range(1, 6)]
    assert line(display.ax_, "validation") == [[i + 1, 1 - s] for i, s in enumerate(SCORES)]
    assert line(display.ax_, "best epoch") == [[4, 1 - 0.8]]
    score, best = display.score_ax_.get_lines()
    assert score.get_ydata().tolist() == list(SCORES)
    assert best.get_xydata().tolist() == [[4, 0.8]]
    assert display.score_ax_.get_xlabel() == "epoch"


def test_without_validation_there_is_no_score():
    display = drawn(rows(validated=False))
    assert display.score_ax_ is None
    assert display.ax_.get_xlabel() == "epoch"
    assert [text.get_text() for text in display.ax_.get_legend().get_texts()] == ["training"]


def test_several_trainings_share_one_legend():
    display = drawn([rows(), rows(3), rows(2, validated=False)])
    assert display.ax_.get_title() == "3 trainings"
    assert len(display.ax_.get_lines()) == 3 + 2 + 2
    legend = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert legend == ["training", "validation", "best epoch"]


def test_one_epoch_is_ticked_once():
    display = drawn(rows(1))
    display.figure_.draw_without_rendering()
    low, high = display.score_ax_.get_xlim()
    ticks = display.score_ax_.get_xticks()
    assert [tick for tick in ticks if low <= tick <= high] == [1]


@pytest.fixture(scope="module")
def network():
    network = CNNLSTM2DClassifier(
        n_maps=(2,), pool_sizes=(2,), lstm_units=2, max_epochs=2, random_state=0
    )
    return network.fit(make_recordings("spectrogram"), np.arange(12) % 2)


def test_fitted_network_pipeline_and_folds(network):
    pipeline = make_pipeline(LogMelSpectrogram(), network)
    for one in (network, pipeline, network.history_):
        assert drawn(one).histories == [network.history_]
    for several in ([network, pipeline], (network, pipeline), np.array([network, network])):
        assert drawn(several).histories == [network.history_] * 2


def test_from_estimator_and_from_history_draw_the_same(network):
    first = HistoryDisplay.from_estimator(network, ax=Figure().subplots())
    second = HistoryDisplay.from_history(network.history_, ax=Figure().subplots())
    assert line(first.ax_, "training") == line(second.ax_, "training")


def test_given_axes_no_pyplot_figure():
    before = plt.get_fignums()
    figure = Figure()
    display = HistoryDisplay([rows()]).plot(ax=figure.subplots())
    assert display.figure_ is figure
    assert plt.get_fignums() == before


def test_not_fitted():
    with pytest.raises(NotFittedError):
        plot_history(CNNLSTM2DClassifier())


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (LogisticRegression(), r"LogisticRegression has no history_"),
        (make_pipeline(LogisticRegression()), r"LogisticRegression has no history_"),
        ([{"loss": 1.0}], r"epoch and train_loss"),
        (7, r"int has no history_"),
    ],
)
def test_what_has_no_history(wrong, message):
    with pytest.raises(TypeError, match=message):
        plot_history(wrong)


def test_no_epochs():
    with pytest.raises(ValueError, match=r"no epoch"):
        plot_history([])
