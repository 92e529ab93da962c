"""WA, UA, AUC and confusion: the papers' definitions, and scikit-learn's where they agree."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, balanced_accuracy_score, roc_auc_score
from sklearn.model_selection import cross_validate

from skspeech.metrics import (
    SCORERS,
    auc_one_vs_rest,
    confusion_percent,
    motif_recovery,
    unweighted_accuracy,
    weighted_accuracy,
)

pairs = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=40)


@given(pairs)
def test_accuracies_follow_from_the_confusion(pairs):
    truth, answer = np.array(pairs).T
    confusion = confusion_percent(truth, answer, labels=range(4))
    spoken = np.unique(truth)
    assert unweighted_accuracy(truth, answer) == pytest.approx(
        np.diag(confusion)[spoken].mean() / 100
    )
    assert weighted_accuracy(truth, answer) == accuracy_score(truth, answer)
    np.testing.assert_allclose(confusion[spoken].sum(axis=1), 100)
    assert np.isnan(np.delete(confusion, spoken, axis=0)).all()


def test_unweighted_accuracy_is_balanced_accuracy_where_that_does_not_warn():
    rng = np.random.default_rng(0)
    truth, answer = rng.integers(0, 4, (2, 200))
    assert unweighted_accuracy(truth, answer) == pytest.approx(
        balanced_accuracy_score(truth, answer)
    )


def test_unweighted_accuracy_counts_an_unknown_answer_as_a_miss():
    assert unweighted_accuracy(["a", "b"], ["a", "z"]) == 0.5


def test_papers_confusion_gives_the_papers_average():
    # Zhao et al. 2019, Table 3: 126 of 127 angry utterances of EmoDB are right
    confusion = confusion_percent(["Ang"] * 127, ["Ang"] * 126 + ["Hap"], labels=["Ang", "Hap"])
    assert confusion[0].round(2).tolist() == [99.21, 0.79]


def test_auc_is_scikit_learns_where_all_classes_are_there():
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 3, 60)
    scores = rng.dirichlet(np.ones(3), 60)
    assert auc_one_vs_rest(truth, scores) == pytest.approx(
        roc_auc_score(truth, scores, multi_class="ovr")
    )


def test_auc_leaves_out_classes_that_are_not_there():
    scores = np.array([[0.8, 0.1, 0.1], [0.2, 0.7, 0.1], [0.5, 0.4, 0.1]])
    with_it = auc_one_vs_rest(["a", "b", "a"], scores, labels=["a", "b", "c"])
    assert with_it == auc_one_vs_rest(["a", "b", "a"], scores[:, :2])
    assert np.isnan(auc_one_vs_rest(["a", "a", "a"], scores, labels=["a", "b", "c"]))


@pytest.mark.parametrize(
    ("scores", "labels", "problem"),
    [
        (np.ones((2, 2)), ["a", "b", "c"], r"shape \(2, 2\) for 3 classes"),
        (np.ones(2), None, r"shape \(2,\) for 2 classes"),
        (np.ones((2, 2)), ["a", "c"], "'b', which labels do not name"),
    ],
)
def test_auc_says_what_does_not_fit(scores, labels, problem):
    with pytest.raises(ValueError, match=problem):
        auc_one_vs_rest(["a", "b"], scores, labels=labels)


def test_lengths_must_agree():
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        unweighted_accuracy(["a"], ["a", "b"])


def test_scorers_go_into_cross_validate():
    rng = np.random.default_rng(0)
    X = np.concatenate([rng.normal(0, 1, (30, 2)), rng.normal(3, 1, (10, 2))])
    y = np.repeat(["many", "few"], [30, 10])
    plain = cross_validate(DummyClassifier(), X, y, scoring=SCORERS)
    assert plain["test_wa"].mean() == 0.75
    assert plain["test_ua"].mean() == 0.5
    assert plain["test_auc"].mean() == 0.5
    assert cross_validate(LogisticRegression(), X, y, scoring=SCORERS)["test_auc"].min() > 0.9


def test_confusion_knows_of_answers_that_are_no_labels():
    found = confusion_percent(["a", "a", "a", "b"], ["a", "c", "c", "b"], labels=["a", "b"])
    np.testing.assert_allclose(found, [[100 / 3, 0], [0, 100]])


def test_numbers_are_not_compared_with_texts():
    with pytest.raises(ValueError, match="Mix of label input types"):
        unweighted_accuracy([1, 2], ["1", "2"])


OCCURRENCES = [("recording", int), ("motif", int), ("start", float), ("end", float)]


@pytest.fixture
def planted():
    """Four occurrences of one motif, 4 s each."""
    return np.array([(0, 7, 10 * k, 10 * k + 4) for k in range(4)], dtype=OCCURRENCES)


def moved(occurrences, **fields):
    changed = occurrences.copy()
    for name, by in fields.items():
        changed[name] += by
    return changed


def test_what_is_planted_recovers_itself(planted):
    assert motif_recovery(planted, planted) == (1, 1)


def test_a_motif_has_to_be_found_again(planted):
    assert motif_recovery(planted, planted[:3]) == (0.75, 1)
    assert motif_recovery(planted, planted[:2]) == (0, 1)
    assert motif_recovery(planted, planted[:2], min_occurrences=2) == (0.5, 1)
    different = moved(planted, motif=np.arange(4))
    assert motif_recovery(planted, different) == (0, 1)
    assert motif_recovery(different, planted) == (0, 1)


def test_half_of_each_counts(planted):
    assert motif_recovery(planted, moved(planted, start=2, end=2)) == (1, 1)
    assert motif_recovery(planted, moved(planted, start=2.1, end=2.1)) == (0, 0)
    assert motif_recovery(planted, moved(planted, end=4.1)) == (1, 0)
    assert motif_recovery(planted, moved(planted, end=-2.1)) == (0, 1)


def test_only_the_same_recording_counts(planted):
    assert motif_recovery(planted, moved(planted, recording=1)) == (0, 0)


def test_motifs_are_numbered_as_they_like(planted):
    assert motif_recovery(planted, moved(planted, motif=100_000_000)) == (1, 1)


def test_nothing_planted_or_located(planted):
    assert motif_recovery(planted, planted[:0]) == (0, pytest.approx(np.nan, nan_ok=True))
    assert motif_recovery(planted[:0], planted) == (pytest.approx(np.nan, nan_ok=True), 0)
