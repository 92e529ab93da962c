"""Contours as recordings: what is read, and what is refused and how."""

from collections import UserList

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import BaseEstimator

from skspeech.exceptions import RecordingError
from skspeech.recordings import (
    Phrase,
    RecordingSequence,
    check_recording,
    object_array,
    validate_recordings,
)
from skspeech.tags import SpeechTags


class Reader(BaseEstimator):
    def __speech_tags__(self):
        return SpeechTags(input_kind="contour")


def read(X):
    return validate_recordings(Reader(), X, reset=True)


PHRASE = Phrase([1, -2], [[0.0, 0.3], [0.2, 0.5]])
GOOD = [PHRASE, [1, 2, -1]]


@pytest.mark.parametrize(
    "X",
    [
        [[[1, 2], [2, 1]], [[1, 1], [2, 2]]],
        [[[1, 2]], []],
        [[PHRASE], [PHRASE, PHRASE]],
        [[["a"], ["b"]], [["c"], ["d"]]],
    ],
    ids=["equally long", "an empty one", "phrases", "strings"],
)
@pytest.mark.parametrize("form", [list, tuple, object_array, RecordingSequence])
def test_collections_keep_their_recordings_apart(X, form):
    read_ = read(form(X))
    assert read_.shape == (len(X),)
    assert [[list(phrase) for phrase in contour] for contour in read_] == [
        [list(phrase) for phrase in contour] for contour in X
    ]


def test_a_column_of_a_data_frame():
    frame = pd.DataFrame({"contour": object_array([[[1, 2]], [[3]]])}, index=[7, 3])
    assert read(frame["contour"]).tolist() == [[(1, 2)], [(3,)]]


@pytest.mark.parametrize(
    ("phrase", "expected"),
    [
        ([1, -2], (1, -2)),
        ((), ()),
        (range(3), (0, 1, 2)),
        (np.array([1, -2], dtype=np.int8), (1, -2)),
        (np.array([]), ()),
        ([np.int64(1), 2], (1, 2)),
        ([2**80], (2**80,)),
        (np.array(["up", "down"]), ("up", "down")),
        ([np.str_("up"), "down"], ("up", "down")),
        (np.array([1, 2], dtype=object), (1, 2)),
        (pd.Series([1, 2], index=[5, 4]), (1, 2)),
        (torch.tensor([1, 2]), (1, 2)),
        (UserList([1, 2]), (1, 2)),
    ],
)
def test_phrases_become_tuples_of_plain_symbols(phrase, expected):
    (found,) = check_recording([phrase], kind="contour")
    assert found == expected
    assert {type(symbol) for symbol in found} <= {int, str}


def test_a_phrase_stays_as_it_is():
    assert check_recording((PHRASE,), kind="contour")[0] is PHRASE


@settings(deadline=None, max_examples=30)
@given(st.lists(st.lists(st.lists(st.integers(-3, 3), max_size=4), max_size=4), min_size=1))
def test_any_lists_are_read_as_they_are(X):
    assert read(X).tolist() == [[tuple(phrase) for phrase in contour] for contour in X]


@pytest.mark.parametrize(
    ("bad", "problem"),
    [
        (np.array([1, 2]), r"is an array of shape \(2,\), not a contour\. Reader reads a list of"),
        (np.ones((2, 3), int), r"is an array of shape \(2, 3\), not a contour"),
        (PHRASE, r"is something of type Phrase, not a contour\. .* into a list, \[phrase\]"),
        (None, r"is None, not a contour"),
        ("abc", r"is 'abc' \(str\), not a contour"),
        (3, r"is '3' \(int\), not a contour"),
        ({1: [2]}, r"of type dict, not a contour"),
        ([1, 2], r"has '1' \(int\) as phrase 0\. A phrase is a list.* \[contour\]"),
        ([[1], "abc"], r"has 'abc' \(str\) as phrase 1"),
        ([[1], b"abc"], r"\(bytes\) as phrase 1"),
        ([[1], None], r"has None as phrase 1"),
        ([[1], {1, 2}], r"of type set as phrase 1"),
        ([[1], np.ones((2, 2), int)], r"has an array of shape \(2, 2\) as phrase 1"),
        ([[1], np.int64(3)], r"has '3' \(int64\) as phrase 1"),
        ([[1], [2, 1.5]], r"holds '1.5' \(float\) at phrase 1, symbol 1\. Symbols are integers"),
        ([[1], np.array([1.0])], r"holds '1.0' \(float\) at phrase 1, symbol 0.*whole numbers"),
        ([[1], [np.nan]], r"holds 'nan' \(float\) at phrase 1, symbol 0.*end the phrase"),
        ([[1], [1, None]], r"holds None at phrase 1, symbol 1"),
        ([[1], [True]], r"holds 'True' \(bool\) at phrase 1, symbol 0"),
        ([[1], [np.True_]], r"at phrase 1, symbol 0"),
        ([[1], [b"a"]], r"\(bytes\) at phrase 1, symbol 0"),
        ([[1], [[2]]], r"holds something of type list at phrase 1, symbol 0"),
        ([[1, "a"]], r"two types: 1 at phrase 0, symbol 0, 'a' at phrase 0, symbol 1"),
        ([PHRASE, [], ["a"]], r"two types: 1 at phrase 0, symbol 0, 'a' at phrase 2, symbol 0"),
    ],
)
@pytest.mark.parametrize("form", [list, object_array, RecordingSequence])
def test_errors_name_the_recording_the_problem_and_the_mend(bad, problem, form):
    with pytest.raises(RecordingError, match=problem) as caught:
        list(read(form([GOOD, GOOD, bad, GOOD])))
    assert str(caught.value).startswith("X[2] ")
    assert caught.value.index == 2


def test_integers_here_and_strings_there():
    with pytest.raises(RecordingError, match=r"X\[3\] holds strings where X\[1\] holds integers"):
        read([[], [[1]], [], [["a"]]])


@pytest.mark.parametrize(
    "X",
    [
        [],
        None,
        "abc",
        {"a": GOOD},
        [1, 2, 3],
        np.array([1, 2, 3]),
        np.ones((2, 3), int),
        np.ones((2, 3, 4), int),
        np.array([[[1, 2]], [[2, 1]]], dtype=object),
        pd.DataFrame({"a": [1, 2], "b": [3, 4]}),
        PHRASE,
    ],
    ids=repr,
)
def test_what_is_no_collection(X):
    with pytest.raises((ValueError, TypeError)):
        read(X)


@pytest.mark.parametrize("lone", [[[1, 2], [3]], GOOD, [[1, 2], [2, 1]]])
def test_a_lone_contour(lone):
    with pytest.raises(RecordingError, match=r"X\[0\] .* into (a list|another, \[contour\])"):
        read(lone)


def test_contours_come_in_no_bag():
    with pytest.raises(ValueError, match="cannot read bags"):
        SpeechTags(input_kind="contour", reads_bags=True)
