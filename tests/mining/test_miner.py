"""Motifs of classes: what is mined, what is counted, and where it is."""

from collections import Counter

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline

from skspeech.exceptions import PatternExplosionError, RecordingError
from skspeech.mining import ClosedMotifMiner
from skspeech.mining.definition import closed_by_definition
from skspeech.persistence import load_model, save_model
from skspeech.recordings import Phrase, RecordingSequence, object_array
from skspeech.testing import make_labels, make_recordings

UP, DOWN = (1, 1, -2, 1, 1, -2), (-1, 2, -1, -1, 2, -1)
X, Y = make_recordings("contour"), make_labels()  # UP in the odd ones, DOWN in the even ones


@pytest.fixture(scope="module")
def fitted():
    return ClosedMotifMiner().fit(X, Y)


# What is mined


def test_planted_motifs_are_found(fitted):
    assert fitted.classes_.tolist() == ["even", "odd"]
    even, odd = ([fitted.patterns_[i] for i in found] for found in fitted.class_patterns_)
    assert any(_holds(pattern, DOWN) for pattern in even)
    assert any(_holds(pattern, UP) for pattern in odd)
    assert not any(_holds(pattern, UP) for pattern in even)


def _holds(longer, shorter):
    return any(longer[i : i + len(shorter)] == shorter for i in range(len(longer)))


def test_the_defaults_are_the_published_ones():
    parameters = ClosedMotifMiner().get_params()
    published = {"scope": "recording", "min_support": 3, "min_length": 5, "max_gap": 0}
    assert {name: parameters[name] for name in published} == published


def test_the_authors_own_set():
    """Their code checks no backward extension: what is only closed to the right is kept."""
    song = [[1, 2, 1, -1, -1, 2], [1, 2, 1, -1, -1, 1], [-2, 2, 1, -1, -1, 2], [2, 1, -1, -1, 2]]
    whole = (2, 1, -1, -1, 2)  # in three phrases
    theirs = ClosedMotifMiner(closure="forward").fit([song])
    assert dict(zip(theirs.patterns_, theirs.supports_[0], strict=True)) == {whole: 3}
    shorter = ClosedMotifMiner(closure="forward", min_length=3).fit([song])
    assert dict(zip(shorter.patterns_, shorter.supports_[0], strict=True)) == {
        whole: 3,
        (1, -1, -1, 2): 3,  # always after a 2: not closed
        (2, 1, -1, -1): 4,
        (-1, -1, 2): 3,  # always after 2 and 1
        (1, -1, -1): 4,  # always after a 2
    }
    strict = ClosedMotifMiner(min_length=3).fit([song])
    assert strict.patterns_ == [whole, (2, 1, -1, -1)]


symbols = st.integers(-1, 1)
contours = st.lists(st.lists(symbols, max_size=6), max_size=4)


@settings(deadline=None, max_examples=60)
@given(
    st.lists(contours, min_size=1, max_size=4),
    st.sampled_from(["recording", "class"]),
    st.sampled_from([0, 1, None]),
    st.sampled_from(["both", "forward"]),
    st.data(),
)
def test_as_by_definition(X, scope, max_gap, closure, data):
    y = data.draw(st.lists(st.sampled_from("ab"), min_size=len(X), max_size=len(X)))
    classes = sorted(set(y))
    expected = {label: Counter() for label in classes}
    if scope == "recording":
        databases = list(zip(y, X, strict=True))
    else:
        databases = [
            (c, [phrase for x, own in zip(X, y, strict=True) if own == c for phrase in x])
            for c in classes
        ]
    for label, phrases in databases:
        expected[label] += Counter(
            dict(closed_by_definition(phrases, 2, min_length=2, max_gap=max_gap, closure=closure))
        )
    miner = ClosedMotifMiner(
        scope=scope, min_support=2, min_length=2, max_gap=max_gap, closure=closure
    )
    if not any(expected.values()):
        with pytest.raises(ValueError, match=r"No motif of at least|No recording has a phrase"):
            miner.fit(X, y)
        return
    miner.fit(X, y)
    union = sorted(set().union(*expected.values()), key=lambda p: (-len(p), p))
    assert miner.patterns_ == union
    assert miner.supports_.dtype == np.int64
    assert miner.supports_.tolist() == [[expected[c][p] for p in union] for c in classes]
    assert miner.classes_.tolist() == classes
    for label, found in zip(classes, miner.class_patterns_, strict=True):
        assert [union[i] for i in found] == [p for p in union if p in expected[label]]


def test_recordings_are_mined_one_by_one_or_together():
    phrase = [1, 1, 2, 2, 1]
    single, twice = [phrase], [phrase, phrase]
    with pytest.raises(ValueError, match=r"more than 2 phrase\(s\) of a recording"):
        ClosedMotifMiner().fit([single, twice])
    pooled = ClosedMotifMiner(scope="class").fit([single, twice])
    assert pooled.patterns_ == [tuple(phrase)]
    assert pooled.supports_.tolist() == [[3]]
    own = ClosedMotifMiner(min_support=2).fit([single, twice, twice])
    assert own.supports_.tolist() == [[4]]


def test_without_labels_there_is_one_class():
    miner = ClosedMotifMiner().fit(X)
    assert miner.classes_.tolist() == [None]
    assert miner.supports_.shape == (1, len(miner.patterns_))
    assert_array_equal(miner.class_patterns_[0], np.arange(len(miner.patterns_)))


@pytest.mark.parametrize(
    "y", [Y.tolist(), Y == "odd", np.arange(12) % 2 * 7, Y.astype(object), pd.Series(Y)]
)
def test_labels_of_any_type(y, fitted):
    miner = ClosedMotifMiner().fit(X, y)
    assert_array_equal(miner.classes_, np.unique(y))
    assert miner.patterns_ == fitted.patterns_
    assert_array_equal(miner.supports_, fitted.supports_)


@pytest.mark.parametrize(
    ("y", "problem"),
    [
        (Y[:3], "inconsistent numbers of samples"),
        (np.linspace(0, 1, 12), "Unknown label type: continuous"),
        (np.full(12, np.nan), "NaN"),
        (np.ones((12, 2)), "1d array"),
    ],
)
def test_labels_that_do_not_fit(y, problem):
    with pytest.raises(ValueError, match=problem):
        ClosedMotifMiner().fit(X, y)


def test_strings_and_phrases_and_empty_ones():
    words = [["do", "re", "mi"], [], ["re", "mi"], ["mi"]]
    miner = ClosedMotifMiner(min_support=2, min_length=2).fit([words, []])
    assert miner.patterns_ == [("re", "mi")]
    assert miner.transform([[], [["re", "mi"]], [[]]]).tolist() == [[0], [1], [0]]
    assert miner.locate([[], [[]]]).shape == (0,)


def test_a_max_length():
    miner = ClosedMotifMiner(max_length=5).fit(X, Y)
    assert {len(pattern) for pattern in miner.patterns_} == {5}


# Bad parameters and data


def test_no_phrase_is_long_enough():
    with pytest.raises(
        ValueError, match=r"4 phrase.* the longest of 3 symbol\(s\): lower min_length"
    ):
        ClosedMotifMiner().fit([[[1, 2, 3]] * 3, [[1]]])


def test_nothing_at_all():
    with pytest.raises(ValueError, match=r"No recording has a phrase.* is anything voiced"):
        ClosedMotifMiner().fit([[], []])


@pytest.mark.parametrize("scope", ["recording", "class"])
def test_nothing_recurs_often_enough(scope):
    song = [[1, 2, 1, 2, 1, 1], [1, 2, 1, 2, 1], [2, 2, 2, 2, 2]]
    found = (
        rf"min_length=5 symbols is in min_support=3 phrases of a {scope}\. There .* 3 "
        rf"phrase\(s\) .* is in more than 2 phrase\(s\) of a {scope}\. Lower min_support"
    )
    with pytest.raises(ValueError, match=found):
        ClosedMotifMiner(scope=scope).fit([song])


def test_every_motif_is_longer_than_max_length():
    with pytest.raises(
        ValueError, match=r"up to 3 phrase\(s\), but what can be .* Raise max_length"
    ):
        ClosedMotifMiner(max_length=5).fit([[[1, 2, 3, 4, 5, 6]] * 3])


def test_a_max_length_below_the_min_length():
    with pytest.raises(ValueError, match="max_length=4 is below min_length=5"):
        ClosedMotifMiner(max_length=4).fit(X)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("scope", "song"),
        ("min_support", 0),
        ("min_support", 0.5),
        ("min_length", 0),
        ("max_length", 0),
        ("max_gap", -1),
        ("closure", "backward"),
        ("occurrences", "last"),
        ("max_patterns", 0),
    ],
)
def test_parameters_out_of_range(name, value):
    with pytest.raises(ValueError, match=f"The '{name}' parameter"):
        ClosedMotifMiner(**{name: value}).fit(X)


@pytest.mark.parametrize(
    ("scope", "name"), [("recording", r"while mining X[1]"), ("class", "while mining the class b")]
)
def test_a_pattern_explosion_says_where_and_keeps_what_was_found(scope, name):
    many = [list(range(i, i + 6)) for i in range(6)] * 3
    miner = ClosedMotifMiner(scope=scope, min_length=2, max_patterns=4)
    with pytest.raises(PatternExplosionError) as caught:
        miner.fit([[[1, 2]] * 3, many], ["a", "b"])
    assert caught.value.__notes__ == [name]
    assert len(caught.value.patterns) == 4
    assert not hasattr(miner, "patterns_")


def test_a_fit_that_fails_keeps_the_one_before():
    miner = ClosedMotifMiner().fit(X, Y)
    before = dict(vars(miner))
    with pytest.raises(ValueError, match="No motif"):
        miner.fit([[[1]]])
    assert vars(miner) == before


@pytest.mark.parametrize("form", [list, RecordingSequence])
def test_other_symbols_than_at_fit(form, fitted):
    strings = [["+1", "-1"]]
    with pytest.raises(RecordingError, match=r"X\[1\] holds strings where fit saw integers"):
        fitted.transform(form([[], strings]))
    with pytest.raises(RecordingError, match=r"X\[1\] holds integers where fit saw strings"):
        ClosedMotifMiner(min_length=2).fit([strings * 3]).locate(form([[], [[1]]]))


def test_two_types_of_symbols_read_on_access():
    with pytest.raises(RecordingError, match=r"X\[1\] holds strings where X\[0\] holds integers"):
        ClosedMotifMiner().fit(RecordingSequence([[[1]], [["a"]]]))


def test_not_fitted():
    for method in ("transform", "locate"):
        with pytest.raises(NotFittedError):
            getattr(ClosedMotifMiner(), method)(X)
    with pytest.raises(NotFittedError):
        ClosedMotifMiner().get_feature_names_out()


# What is counted, and where


def test_counts_once_a_phrase_or_every_occurrence():
    miner = ClosedMotifMiner(min_support=1, min_length=3).fit([[[1, 2, 1]]])
    contour = [[1, 2, 1, 2, 1], [2, 1], [1, 2, 1]]
    assert miner.transform([contour]).tolist() == [[2]]
    assert miner.locate([[], contour]).tolist() == [(1, 0, 0, 0, 3), (1, 2, 0, 0, 3)]
    miner.set_params(occurrences="all")
    assert miner.transform([contour]).tolist() == [[3]]
    assert miner.locate([[], contour]).tolist() == [
        (1, 0, 0, 0, 3),
        (1, 0, 0, 2, 5),
        (1, 2, 0, 0, 3),
    ]


@pytest.mark.parametrize("occurrences", ["first", "all"])
@pytest.mark.parametrize("max_gap", [0, 1, None])
def test_counts_are_those_of_what_is_located(max_gap, occurrences):
    miner = ClosedMotifMiner(max_gap=max_gap, max_length=6, occurrences=occurrences)
    miner.fit(X[:4], Y[:4])
    located, counts = miner.locate(X), miner.transform(X)
    assert located.dtype.names == ("recording", "phrase", "motif", "start", "stop")
    assert counts.dtype == np.int64
    expected = np.zeros_like(counts)
    np.add.at(expected, (located["recording"], located["motif"]), 1)
    assert_array_equal(counts, expected)
    assert_array_equal(np.sort(located, order=["recording", "phrase", "start", "motif"]), located)
    for recording, phrase, motif, start, stop in located[::7]:
        symbols = list(X[recording][phrase])[start:stop]
        pattern = miner.patterns_[motif]
        assert (symbols[0], symbols[-1]) == (pattern[0], pattern[-1])
        if max_gap == 0:
            assert tuple(symbols) == pattern


def test_what_is_mined_in_a_recording_is_counted_there():
    miner = ClosedMotifMiner().fit(X[:1])
    assert_array_equal(miner.transform(X[:1]), miner.supports_)


def test_phrases_keep_their_times_for_what_is_located(fitted):
    recording, phrase, _, start, stop = fitted.locate(X)[0]
    piece = X[recording][phrase][start:stop]
    assert isinstance(piece, Phrase)
    assert piece.spans[-1, 1] > piece.spans[0, 0]


# Names


@pytest.mark.parametrize(
    ("phrase", "name"),
    [
        ([1, -2, 0, 10], "+1-2+0+10"),
        (list("abc"), "abc"),
        (["do", "re"], "do re"),
        (["do", "re mi"], "('do', 're mi')"),
        (["do", ""], "('do', '')"),
    ],
)
def test_names(phrase, name):
    miner = ClosedMotifMiner(min_support=1, min_length=2).fit([[phrase]])
    assert miner.get_feature_names_out().tolist() == [name]


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.lists(st.text("a \\'", max_size=2), min_size=1, max_size=4), min_size=1, max_size=6)
)
def test_names_are_all_different(contour):
    miner = ClosedMotifMiner(min_support=1, min_length=1, max_gap=None).fit([contour])
    assert len(set(miner.get_feature_names_out())) == len(miner.patterns_)


def test_a_data_frame_of_counts(fitted):
    frame = ClosedMotifMiner().set_output(transform="pandas").fit(X, Y).transform(X)
    assert isinstance(frame, pd.DataFrame)
    assert frame.columns.tolist() == fitted.get_feature_names_out().tolist()
    assert_array_equal(frame, fitted.transform(X))


# With scikit-learn


@pytest.mark.parametrize("form", [list, tuple, object_array, RecordingSequence])
def test_in_a_pipeline(form):
    system = make_pipeline(ClosedMotifMiner(), LogisticRegression())
    assert cross_val_score(system, form(X), Y, cv=3).min() == 1.0


def test_equally_long_lists_stay_lists():
    contours = [[[1, 1, 2], [1, 1, 2]], [[2, 1, 1], [2, 1, 1]]] * 3
    system = make_pipeline(ClosedMotifMiner(min_support=2, min_length=3), LogisticRegression())
    assert cross_val_score(system, contours, [0, 1] * 3, cv=3).min() == 1.0


def test_a_search_over_the_support():
    system = make_pipeline(ClosedMotifMiner(), LogisticRegression())
    search = GridSearchCV(system, {"closedmotifminer__min_support": [2, 3, 4]}, cv=2).fit(X, Y)
    assert search.best_score_ == 1.0


def test_motifs_come_from_the_training_recordings_alone():
    own = [[5, 5, 4, 4, 5]] * 3
    miner = ClosedMotifMiner().fit(X[:6], Y[:6])
    before = list(miner.patterns_)
    assert miner.transform([own]).sum() == 0
    assert miner.patterns_ == before


@pytest.mark.parametrize("y", [Y, np.arange(12) % 2, None])
def test_survives_a_file(y, tmp_path):
    miner = ClosedMotifMiner(max_gap=1, max_length=6).fit(X, y)
    save_model(miner, tmp_path / "motifs.skspeech")
    loaded = load_model(tmp_path / "motifs.skspeech")
    assert loaded.patterns_ == miner.patterns_
    assert_array_equal(loaded.classes_, miner.classes_)
    assert_array_equal(loaded.supports_, miner.supports_)
    for found, wanted in zip(loaded.class_patterns_, miner.class_patterns_, strict=True):
        assert_array_equal(found, wanted)
    assert_array_equal(loaded.locate(X), miner.locate(X))


def test_strings_survive_a_file(tmp_path):
    contours = object_array([[np.array(["do", "re"])] * 3])
    miner = ClosedMotifMiner(min_length=2).fit(contours).set_output(transform="pandas")
    save_model(miner, tmp_path / "motifs.skspeech")
    frame = load_model(tmp_path / "motifs.skspeech").transform(contours)
    assert frame.to_dict("list") == {"do re": [3]}
