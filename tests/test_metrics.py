"""WA, UA, AUC, confusion and motifs, and errors of frames: the definitions that papers print."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.dummy import DummyClassifier
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import accuracy_score, balanced_accuracy_score, r2_score, roc_auc_score
from sklearn.model_selection import cross_val_score, cross_validate

from skspeech.metrics import (
    FRAME_SCORERS,
    SCORERS,
    auc_one_vs_rest,
    confusion_percent,
    frame_mse,
    mean_r2,
    mel_cepstral_distortion,
    motif_recovery,
    unweighted_accuracy,
    weighted_accuracy,
)
from skspeech.recordings import RecordingSequence

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


@pytest.fixture
def spectra():
    """Three recordings of 7, 2 and 12 frames, 20 mel bands each, and answers to them."""
    rng = np.random.default_rng(0)
    truth = [rng.normal(-4, 2, (n, 20)).astype(np.float32) for n in (7, 2, 12)]
    return truth, [y + rng.normal(0, 0.5, y.shape).astype(np.float32) for y in truth]


FRAME_METRICS = pytest.mark.parametrize("metric", [frame_mse, mean_r2, mel_cepstral_distortion])


def as_objects(arrays):
    objects = np.empty(len(arrays), dtype=object)
    objects[:] = arrays
    return objects


def test_frames_count_alike_whatever_their_recording(spectra):
    truth, answer = (np.concatenate(arrays).astype(float) for arrays in spectra)
    assert frame_mse(*spectra) == pytest.approx(((truth - answer) ** 2).mean(), rel=1e-12)
    assert mean_r2(*spectra) == pytest.approx(r2_score(truth, answer), rel=1e-12)
    residual, total = ((truth - answer) ** 2).sum(0), ((truth - truth.mean(0)) ** 2).sum(0)
    assert mean_r2(*spectra) == pytest.approx((1 - residual / total).mean(), rel=1e-9)


@FRAME_METRICS
def test_any_collection_of_frames_will_do(metric, spectra):
    expected = metric(*spectra)
    assert isinstance(expected, float)
    assert metric(*map(as_objects, spectra)) == expected
    assert metric(spectra[0], as_objects(spectra[1])) == expected
    assert metric(*(RecordingSequence(y, np.asarray) for y in spectra)) == expected
    assert metric(*(tuple(y) for y in spectra)) == expected
    stacked = [np.concatenate(y) for y in spectra]
    assert metric(*stacked) == pytest.approx(expected, rel=1e-12)
    frames = [pd.DataFrame(y) for y in stacked]
    assert metric(*frames) == pytest.approx(expected, rel=1e-12)
    assert metric(*(y.tolist() for y in stacked)) == pytest.approx(expected, rel=1e-12)
    assert metric(*(y.reshape(3, 7, 20) for y in stacked)) == pytest.approx(expected, rel=1e-12)


def test_one_number_a_recording_is_one_frame_each():
    assert frame_mse([1, 2, 3], [1, 2, 5]) == pytest.approx(4 / 3)
    assert mean_r2(np.array([1, 2, 3]), np.array([1, 2, 3])) == 1


def test_constant_outputs_are_scored_as_scikit_learn_does():
    truth = [np.array([[0.0, 1, 2], [0, 1, 3]])]
    answer = [np.array([[0.0, 1, 2], [0, 2, 3]])]
    assert mean_r2(truth, answer) == r2_score(truth[0], answer[0]) == 2 / 3


def test_one_frame_has_no_r2():
    with pytest.warns(UndefinedMetricWarning):
        assert np.isnan(mean_r2(np.zeros((1, 3)), np.ones((1, 3))))


@given(st.integers(1, 13), st.floats(-3, 3), st.floats(-5, 5))
def test_distortion_is_the_effective_level_of_a_ripple(order, height, louder):
    n_mels = 80
    ripple = height * np.cos(np.pi * order * (np.arange(n_mels) + 0.5) / n_mels)
    truth = np.random.default_rng(0).normal(-4, 2, (5, n_mels))
    decibels = 20 / np.log(10) * np.sqrt(np.mean(ripple**2))
    assert mel_cepstral_distortion([truth], [truth + ripple + louder]) == pytest.approx(
        decibels, abs=1e-9
    )


def test_distortion_is_the_stated_sum(spectra):
    truth, answer = (np.concatenate(arrays).astype(float) for arrays in spectra)
    frames = []
    for left, right in zip(truth, answer, strict=True):
        total = 0.0
        for order in range(1, 6):
            cosine = np.cos(np.pi * order * (np.arange(20) + 0.5) / 20)
            total += (2 / 20 * np.sum((left - right) * cosine)) ** 2
        frames.append(10 / np.log(10) * np.sqrt(2 * total))
    found = mel_cepstral_distortion(*spectra, n_coefficients=5)
    assert found == pytest.approx(np.mean(frames), rel=1e-9)


def test_what_is_finer_than_the_coefficients_is_not_heard():
    ripple = np.cos(np.pi * 14 * (np.arange(80) + 0.5) / 80)
    assert mel_cepstral_distortion([np.zeros((3, 80))], [np.tile(ripple, (3, 1))]) < 1e-12


@pytest.mark.parametrize("n_coefficients", [0, 20, 1.5])
def test_there_are_more_bands_than_coefficients(spectra, n_coefficients):
    with pytest.raises(ValueError, match=r"n_coefficients is .* 20 bands .* 1 to 19"):
        mel_cepstral_distortion(*spectra, n_coefficients=n_coefficients)


@FRAME_METRICS
@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda y: y[:2], "y_true holds 3 recordings and y_pred 2"),
        (
            lambda y: [y[0], y[1][:1], y[2]],
            r"y_pred\[1\] has shape \(1, 20\), y_true\[1\] \(2, 20\)",
        ),
        (lambda y: [y[0][:, :9], y[1], y[2]], r"y_pred\[0\] has shape \(7, 9\)"),
        (lambda y: [y[0], y[1] * np.nan, y[2]], r"y_pred\[1\] holds nan in frame 0"),
        (lambda y: [y[0], y[1], y[2][:, 0]], r"y_pred\[2\] has shape \(12,\)"),
    ],
)
def test_answers_have_to_fit(metric, change, problem, spectra):
    with pytest.raises(ValueError, match=problem):
        metric(spectra[0], change(spectra[1]))


@FRAME_METRICS
def test_truth_has_to_be_sound(metric, spectra):
    truth, answer = spectra
    outputs = [y[:, : 20 - i] for i, y in enumerate(truth)]
    with pytest.raises(ValueError, match=r"y_true\[1\] has 19 outputs, y_true\[0\] 20"):
        metric(outputs, outputs)
    truth[2][3, 4] = np.inf
    with pytest.raises(ValueError, match=r"y_true\[2\] holds inf in frame 3"):
        metric(truth, answer)
    with pytest.raises(ValueError, match="y_true is empty"):
        metric([], [])
    with pytest.raises(ValueError, match=r"y_true\[1\] is empty"):
        metric([y[:0] if i else y for i, y in enumerate(truth)], answer)


class FrameByFrame(RegressorMixin, BaseEstimator):
    """Least squares on frames: lists of (n_frames, n_features) in, (n_frames, n_outputs) out."""

    def fit(self, X, y):
        self.model_ = LinearRegression().fit(np.concatenate(list(X)), np.concatenate(list(y)))
        return self

    def predict(self, X):
        return as_objects([self.model_.predict(x) for x in X])


def test_frame_scorers_go_into_cross_validate():
    rng = np.random.default_rng(0)
    X = [rng.normal(size=(n, 4)) for n in (20, 30, 25, 20, 40, 35)]
    weights = rng.normal(size=(4, 16))
    y = [x @ weights + rng.normal(0, 0.1, (len(x), 16)) for x in X]
    for targets in (y, as_objects(y)):
        found = cross_validate(FrameByFrame(), X, targets, scoring=FRAME_SCORERS, cv=3)
        assert found["test_mean_r2"].min() > 0.9
        assert -0.02 < found["test_neg_frame_mse"].max() < 0
        assert -2 < found["test_neg_mcd"].max() < 0
    scores = cross_val_score(FrameByFrame(), X, y, scoring=FRAME_SCORERS["neg_mcd"], cv=3)
    assert scores == pytest.approx(found["test_neg_mcd"])


def test_frame_scorers_read_plain_arrays():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 3))
    y = X @ rng.normal(size=(3, 2))
    scores = cross_val_score(LinearRegression(), X, y, scoring=FRAME_SCORERS["mean_r2"])
    assert scores == pytest.approx(1)
