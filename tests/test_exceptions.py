import copy
import pickle

import pytest

from skspeech import exceptions
from skspeech.exceptions import (
    MissingExtraError,
    PatternExplosionError,
    PluginWarning,
    RecordingError,
)


def test_message_names_recording_problem_and_mend():
    error = RecordingError("holds NaN at sample 4,102", "Fill the gap.", 17)
    assert str(error) == "X[17] holds NaN at sample 4,102. Fill the gap."


def test_message_without_an_index():
    assert str(RecordingError("is empty", "Remove it.")) == "A recording is empty. Remove it."


def test_index_zero_is_an_index():
    assert str(RecordingError("is empty", "Remove it.", 0)).startswith("X[0] ")


def test_at_gives_another_error_and_keeps_the_first():
    first = RecordingError("is empty", "Remove it.")
    second = first.at(3)
    assert (first.index, second.index) == (None, 3)
    assert (second.problem, second.mend) == (first.problem, first.mend)


@pytest.mark.parametrize(
    "twin", [copy.copy, copy.deepcopy, lambda e: pickle.loads(pickle.dumps(e))]
)
def test_copies_say_the_same(twin):
    error = RecordingError("is empty", "Remove it.", 5)
    assert str(twin(error)) == str(error)
    assert twin(error).index == 5


def test_missing_extra_says_what_to_install():
    error = pickle.loads(pickle.dumps(MissingExtraError("plot_history", "matplotlib", "report")))
    assert str(error) == (
        "plot_history needs matplotlib. Install it: pip install 'skspeech[report]'"
    )


@pytest.mark.parametrize(
    ("n_patterns", "found"),
    [(None, "more than 1,000"), (2345, "2,345")],
    ids=["stopped", "counted"],
)
def test_an_explosion_says_what_to_do_and_keeps_what_was_found(n_patterns, found):
    patterns = [((1, 2), 3)] * 1000
    error = pickle.loads(pickle.dumps(PatternExplosionError(patterns, 1000, n_patterns)))
    assert error.patterns == patterns
    assert str(error).startswith(f"There are {found} closed patterns (max_patterns=1000). Raise")
    assert len(repr(error)) < 300


def test_families():
    assert issubclass(MissingExtraError, ImportError)
    assert issubclass(RecordingError, ValueError)
    assert issubclass(PatternExplosionError, ValueError)
    assert issubclass(PluginWarning, UserWarning)


def test_every_error_and_warning_is_listed():
    defined = {name for name, thing in vars(exceptions).items() if isinstance(thing, type)}
    assert sorted(defined) == exceptions.__all__
