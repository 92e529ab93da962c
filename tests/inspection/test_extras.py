import pickle
import sys

import pytest
from matplotlib.figure import Figure
from sklearn.utils import Bunch

from skspeech.exceptions import MissingExtraError
from skspeech.inspection import (
    RecurrentActivationsDisplay,
    plot_confusion_matrix,
    plot_contour,
    plot_history,
    plot_motifs,
    plot_spectrogram,
)
from skspeech.inspection._extras import axes_or_new, check_extra

CALLS = {
    "ContourDisplay.plot": lambda: plot_contour(None, [220.0], None),
    "ContourDisplay.from_estimator": lambda: plot_motifs(None, None),
    "plot_confusion_matrix": lambda: plot_confusion_matrix([0], [0]),
    "HistoryDisplay.plot": lambda: plot_history([{"epoch": 1, "train_loss": 1.0}]),
    "RecurrentActivationsDisplay.plot": lambda: RecurrentActivationsDisplay(Bunch()).plot(),
    "RecurrentActivationsDisplay.from_estimator": lambda: (
        RecurrentActivationsDisplay.from_estimator(None, None)
    ),
    "SpectrogramDisplay.plot": lambda: plot_spectrogram([[0.0]], sample_rate=1, hop_length=1),
}


@pytest.mark.parametrize("name", CALLS)
def test_without_matplotlib(name, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingExtraError, match=rf"{name} needs matplotlib.*'skspeech\[report\]'"):
        CALLS[name]()


def test_a_library_that_is_there():
    check_extra("json", "anything")


def test_error_survives_a_worker_process():
    with pytest.raises(ImportError) as caught:
        check_extra("no_such_library", "it")
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


def test_axes_are_made_only_where_none_are_given():
    import matplotlib.pyplot as plt

    ax = Figure().subplots()
    before = plt.get_fignums()
    assert axes_or_new(ax) is ax
    assert plt.get_fignums() == before
    new = axes_or_new(None)
    try:
        assert plt.gcf() is new.figure
    finally:
        plt.close(new.figure)
