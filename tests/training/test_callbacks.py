"""The best epoch's weights, patience, and scikit-learn's callbacks."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from sklearn.base import clone
from sklearn.metrics import accuracy_score, balanced_accuracy_score
from sklearn.model_selection import GridSearchCV, PredefinedSplit
from sklearn.pipeline import Pipeline
from skorch.callbacks import Callback, EarlyStopping

from skspeech.metrics import mean_r2
from skspeech.testing import make_labels, make_recordings, small_instance
from skspeech.training.callbacks import BestEpoch, LowestErrorEpoch, weighted_accuracy

X, Y = make_recordings("spectrogram", 20), make_labels(20)


def small(**parameters):
    defaults = {"max_epochs": 4, "validation_fraction": 0.3, "batch_size": 4}
    return small_instance("CNNLSTM2DClassifier").set_params(**{**defaults, **parameters})


def weights(module):
    return {name: value.clone() for name, value in module.state_dict().items()}


def assert_same_weights(found, wanted):
    assert found.keys() == wanted.keys()
    for name, value in found.items():
        assert torch.equal(value, wanted[name]), name


class Diary(Callback):
    """Notes what each epoch left behind; on the class, because the callback is copied."""

    states: list = []

    def on_train_begin(self, net, X=None, y=None, **kwargs):
        self.states.clear()

    def on_epoch_end(self, net, **kwargs):
        self.states.append(weights(net.module_))


def scripted(monkeypatch, scores):
    """Let the judged accuracies be these."""
    left = iter(scores)
    monkeypatch.setattr(
        "skspeech.training.callbacks.weighted_accuracy", lambda *seen: float(next(left))
    )


# The best epoch


@pytest.mark.parametrize("scores", [[1, 3, 2, 2], [1, 2, 3, 4], [4, 3, 2, 1]])
def test_weights_are_those_of_the_best_epoch(monkeypatch, scores):
    scripted(monkeypatch, scores)
    fitted = small(callbacks=[Diary()]).fit(X, Y)
    assert [row["valid_score"] for row in fitted.history_] == scores
    best = [i for i, row in enumerate(fitted.history_) if row["best"]][-1]
    assert best == int(np.argmax(scores))
    assert_same_weights(weights(fitted.module_), Diary.states[best])


def test_lower_loss_decides_between_equals(monkeypatch):
    scripted(monkeypatch, [1, 1, 1, 1])
    fitted = small(callbacks=[Diary()]).fit(X, Y)
    losses = [row["valid_loss"] for row in fitted.history_]
    assert_same_weights(weights(fitted.module_), Diary.states[int(np.argmin(losses))])
    running = np.minimum.accumulate([np.inf, *losses])
    assert [row["best"] for row in fitted.history_] == [
        loss < before for loss, before in zip(losses, running[:-1], strict=True)
    ]


@pytest.mark.parametrize(
    ("patience", "scores", "n_epochs", "best"),
    [
        (1, [3, 4, 0, 0, 0], 3, 1),
        (2, [3, 4, 0, 0, 0], 4, 1),
        (3, [3, 4, 1, 2, 5, 0, 0, 0, 0], 8, 4),
        (None, [3, 4, 0, 0, 0], 5, 1),
    ],
)
def test_patience_stops(monkeypatch, patience, scores, n_epochs, best):
    scripted(monkeypatch, scores)
    fitted = small(patience=patience, max_epochs=len(scores), callbacks=[Diary()]).fit(X, Y)
    assert fitted.n_iter_ == len(fitted.history_) == n_epochs
    assert_same_weights(weights(fitted.module_), Diary.states[best])


def test_without_validation_all_epochs_are_trained_and_the_last_kept():
    fitted = small(validation=None, patience=1, callbacks=[Diary()]).fit(X, Y)
    assert fitted.n_iter_ == 4
    assert "valid_loss" not in fitted.history_[0]
    found, wanted = weights(fitted.module_), Diary.states[-1]
    learnt = [name for name, _ in fitted.module_.named_parameters()]
    # batch normalisation is measured anew at the end
    assert_same_weights({n: found[n] for n in learnt}, {n: wanted[n] for n in learnt})


def test_the_score_is_the_accuracy_on_what_was_held_out():
    fitted = small().fit(X, Y)
    held = fitted.validation_.indices
    best = [row for row in fitted.history_ if row["best"]][-1]
    assert best["valid_score"] == pytest.approx(np.mean(fitted.predict(X[held]) == Y[held]))
    posteriors = fitted.predict_proba(X[held])
    truth = (Y[held] == "odd").astype(int)
    loss = -np.log(posteriors[np.arange(len(held)), truth]).mean()
    assert best["valid_loss"] == pytest.approx(loss, abs=1e-4)


def test_weighted_accuracy():
    posteriors = np.array([[0.6, 0.4], [0.1, 0.9], [0.2, 0.8], [0.8, 0.2]])
    targets, recordings = np.array([1, 1, 0, 0]), np.array([0, 0, 1, 2])
    # recording 0: mean (0.35, 0.65), right; 1: wrong; 2: right
    alike = np.ones(4)
    assert weighted_accuracy(posteriors, targets, alike, recordings) == pytest.approx(2 / 3)
    heavy = np.array([2, 2, 6, 2.0])
    assert weighted_accuracy(posteriors, targets, heavy, recordings) == pytest.approx(4 / 10)
    assert weighted_accuracy(posteriors, targets, np.zeros(4), recordings) == pytest.approx(2 / 3)


@pytest.mark.parametrize("class_weight", ["balanced", None])
def test_balanced_score_is_the_unweighted_recall_of_what_was_held_out(class_weight):
    labels = np.array(["calm"] * 16 + ["glad"] * 8)
    held = np.array([0, 1, 2, 3, 4, 5, 16, 17])  # other shares than in training
    data = make_recordings("spectrogram", 24)
    splitter = PredefinedSplit(np.where(np.isin(np.arange(24), held), 0, -1))
    fitted = small(class_weight=class_weight, validation=splitter).fit(data, labels)
    best = [row for row in fitted.history_ if row["best"]][-1]
    found = fitted.predict([data[i] for i in held])
    score = balanced_accuracy_score if class_weight else accuracy_score
    assert best["valid_score"] == pytest.approx(score(labels[held], found))


# The learning rate and the gradient


def test_learning_rate_is_halved_where_the_score_stands_still(monkeypatch):
    scripted(monkeypatch, [1, 2, 2, 2, 2, 3, 3, 3, 3])
    fitted = small(max_epochs=9, lr=0.01, lr_patience=2, patience=None).fit(X, Y)
    # a row says with which rate its epoch was trained
    assert [row["lr"] for row in fitted.history_] == pytest.approx(
        [0.01] * 4 + [0.005] * 4 + [0.0025]
    )


def test_without_a_validation_part_the_learning_rate_stays():
    fitted = small(validation=None, lr_patience=1).fit(X, Y)
    assert "lr" not in fitted.history_[0]
    assert {group["lr"] for group in fitted.net_.optimizer_.param_groups} == {fitted.lr}


def test_a_further_training_begins_with_the_rate_that_is_set(monkeypatch):
    scripted(monkeypatch, [1] * 8)
    fitted = small(lr=0.01, lr_patience=1, warm_start=True, patience=None).fit(X, Y)
    assert fitted.history_[-1]["lr"] < 0.01
    assert [row["lr"] for row in fitted.fit(X, Y).history_[4:6]] == pytest.approx([0.01, 0.01])


def test_users_may_name_their_callbacks_as_they_like():
    class Named(Callback):
        pass

    names = ("plateau", "clipping", "LRScheduler")
    small(lr_patience=1, max_grad_norm=1.0, callbacks=[(name, Named()) for name in names]).fit(X, Y)


# The best epoch of a network that answers frames


class Net:
    """What a callback sees of a net: the losses, and what is recorded."""

    def __init__(self):
        self.recorded, self.valid_loss, self.stop_requested = {}, None, False
        self.history, self.module_ = self, torch.nn.Linear(1, 1)

    def record(self, name, value):
        self.recorded[name] = value

    def __getitem__(self, key):
        assert key == (-1, "valid_loss")
        return self.valid_loss


def judged(callback, net, targets, answers, sizes):
    """Let an epoch's validation batches pass, and return its score."""
    net.valid_loss = float(np.square(targets - answers).mean())
    callback.on_batch_end(net, batch=None, training=True)  # not looked at
    for rows in np.split(np.arange(len(targets)), np.cumsum(sizes)[:-1]):
        truth, found = (torch.from_numpy(x[rows]) for x in (targets, answers))
        callback.on_batch_end(net, batch=({}, (truth,)), training=False, y_pred=found)
    callback.on_epoch_end(net)
    return net.recorded["valid_score"], net.recorded["valid_score_best"]


@pytest.mark.parametrize("sizes", [(40,), (32, 8), (13, 1, 26)])
def test_the_score_of_frames_is_the_mean_r2(sizes):
    rng = np.random.default_rng(0)
    targets = rng.normal(size=(40, 3)).astype(np.float32)
    targets[:, 2] = 0  # constant, and standardised so
    callback, net = LowestErrorEpoch(None), Net()
    callback.on_train_begin(net)
    for share, best in ((0.9, True), (0.1, True), (0.4, False)):
        answers = targets + share * rng.normal(size=(40, 3)).astype(np.float32)
        score, found = judged(callback, net, targets, answers, sizes)
        assert score == pytest.approx(mean_r2(targets, answers), abs=1e-6)
        assert found is best
    assert judged(callback, net, targets, targets.copy(), sizes) == (1, True)


def test_a_lone_frame_has_a_score():
    callback, net = LowestErrorEpoch(None), Net()
    callback.on_train_begin(net)
    frame = np.ones((1, 2), np.float32)
    assert judged(callback, net, frame, frame, (1,)) == (1, True)
    assert judged(callback, net, frame, frame + 1, (1,)) == (0, False)


def test_patience_counts_epochs_without_a_lower_error():
    callback, net = LowestErrorEpoch(2), Net()
    callback.on_train_begin(net)
    targets = np.arange(6.0, dtype=np.float32).reshape(3, 2)
    stops = []
    for error in (2, 1, 1, 3):
        judged(callback, net, targets, targets + np.float32(error), (3,))
        stops.append(net.stop_requested)
    assert stops == [False, False, False, True]


def test_the_learning_rate_of_frames_is_halved_where_the_error_stands_still():
    videos = [np.random.default_rng(n).normal(size=(5, 3, 2)) for n in range(10)]
    noise = [np.random.default_rng(99 - n).normal(size=(5, 1)) for n in range(10)]
    network = small_instance("Conv3DRegressor").set_params(
        lr_patience=1, max_epochs=8, validation_fraction=0.3, lr=0.1
    )
    rows = network.fit(videos, noise).history_
    wanted = [0.1]
    for row in rows[:-1]:
        wanted.append(wanted[-1] / (1 if row["best"] else 2))
    assert [row["lr"] for row in rows] == pytest.approx(wanted)
    assert rows[-1]["lr"] < 0.1


def test_a_judge_says_how_it_judges():
    callback, net = BestEpoch(None), Net()
    callback.on_train_begin(net)
    with pytest.raises(TypeError, match="BestEpoch must define _judge"):
        callback.on_epoch_end(net)


class Norms(Callback):
    """Notes the norm of the gradient of each step, after those before it have acted."""

    seen: list = []

    def on_grad_computed(self, net, named_parameters, **kwargs):
        squares = [p.grad.square().sum() for _, p in named_parameters]
        self.seen.append(float(sum(squares)) ** 0.5)


def test_gradients_are_clipped():
    Norms.seen.clear()
    small(callbacks=[Norms()]).fit(X, Y)
    longest = max(Norms.seen)
    Norms.seen.clear()
    small(callbacks=[Norms()], max_grad_norm=longest / 4).fit(X, Y)
    assert max(Norms.seen) == pytest.approx(longest / 4, rel=1e-4)


# skorch's callbacks


class Stop(Callback):
    """Asks to stop after an epoch as skorch's own callbacks do."""

    def __init__(self, after):
        self.after = after

    def on_epoch_end(self, net, **kwargs):
        if len(net.history) == self.after:
            raise KeyboardInterrupt


def test_stopping_as_skorch_does_judges_the_last_epoch_too(monkeypatch):
    scripted(monkeypatch, [1, 2, 3])
    fitted = small(max_epochs=9, callbacks=[Stop(3)]).fit(X, Y)
    assert fitted.n_iter_ == 3
    assert [row["best"] for row in fitted.history_] == [True, True, True]


@pytest.mark.parametrize("monitor", ["train_loss", "valid_loss", "valid_score"])
def test_early_stopping_of_skorch(monitor, capsys):
    stopping = EarlyStopping(monitor, patience=2, threshold=1e6, threshold_mode="abs")
    fitted = small(max_epochs=9, callbacks=[stopping]).fit(X, Y)
    # nothing is better than the first epoch by a million
    assert fitted.n_iter_ == 3
    assert all("valid_score" in row for row in fitted.history_)
    assert capsys.readouterr().out == ""
    assert fitted.predict(X).shape == (20,)


def test_verbose_prints_the_epoch_that_a_callback_stopped_at(capsys):
    small(verbose=1, max_epochs=9, callbacks=[Stop(2)]).fit(X, Y)
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [row[0] for row in rows if row and row[0].isdigit()] == ["1", "2"]


def test_callbacks_are_copied():
    stopping = EarlyStopping("train_loss", patience=2)
    before = dict(vars(stopping))
    callbacks = [("stopping", stopping), Diary]
    estimator = small(callbacks=callbacks)
    estimator.fit(X, Y)
    assert vars(stopping) == before
    assert estimator.callbacks is callbacks
    assert callbacks == [("stopping", stopping), Diary]
    assert len(Diary.states) == estimator.n_iter_


def test_callbacks_may_be_a_tuple():
    assert small(callbacks=(Stop(1),)).fit(X, Y).n_iter_ == 1


def test_none_stays_in_the_net():
    fitted = small(callbacks=[Diary()]).set_callbacks(Recorder()).fit(X, Y)
    assert fitted.net_.callbacks == []
    assert fitted.net_.callbacks_ == []


class Failing(Callback):
    def on_batch_end(self, net, batch=None, training=False, **kwargs):
        if len(net.history) == 2:
            raise RuntimeError("midway")


def test_none_stays_in_the_net_when_a_further_training_fails():
    estimator = small(max_epochs=1, warm_start=True).fit(X, Y)
    estimator.set_params(callbacks=[Failing()])
    with pytest.raises(RuntimeError, match="midway"):
        estimator.fit(X, Y)
    assert estimator.net_.callbacks_ == []


# scikit-learn's callbacks


class Recorder:
    """Notes the tasks of a fit, and what the estimator answers after each."""

    def __init__(self, stop_after=None):
        self.stop_after = stop_after
        self.began, self.ended, self.answers, self.fitted = [], [], [], []
        self.torn_down = 0

    def setup(self, estimator, context):
        pass

    def on_fit_task_begin(self, estimator, context):
        self.began.append((context.task_name, context.task_id))

    def on_fit_task_end(self, estimator, context, *, X, y, fitted_estimator):
        self.ended.append((context.task_name, context.task_id))
        self.fitted.append(fitted_estimator)
        self.answers.append(fitted_estimator.predict_proba(X[:5]))
        assert set(fitted_estimator.predict(X)) <= set(y)
        epochs = [task for task in self.ended if task[0] == "epoch"]
        return len(epochs) == self.stop_after

    def teardown(self, estimator, context):
        self.torn_down += 1


def test_scikit_learn_sees_every_epoch():
    recorder = Recorder()
    fitted = small().set_callbacks(recorder).fit(X, Y)
    epochs = [("epoch", i) for i in range(4)]
    assert recorder.began == [("fit", 0), *epochs]
    assert recorder.ended == [*epochs, ("fit", 0)]
    assert recorder.torn_down == 1
    assert_allclose(recorder.answers[-1], fitted.predict_proba(X[:5]), atol=1e-12)


def test_looking_on_changes_nothing():
    watched, alone = small().set_callbacks(Recorder()), small()
    assert_same_weights(weights(watched.fit(X, Y).module_), weights(alone.fit(X, Y).module_))


def test_estimator_of_an_epoch_stays_as_it_was():
    recorder = Recorder()
    small(validation=None).set_callbacks(recorder).fit(X, Y)
    for epoch, (fitted, answer) in enumerate(zip(recorder.fitted, recorder.answers, strict=True)):
        assert_allclose(fitted.predict_proba(X[:5]), answer, atol=1e-12)
        assert fitted.n_iter_ == min(epoch + 1, 4)
    assert not np.allclose(recorder.answers[0], recorder.answers[2])


def test_refit_shows_the_classes_of_this_fit():
    recorder = Recorder()
    estimator = small(max_epochs=1).fit(X, np.where(Y == "odd", 7, 5))
    estimator.set_callbacks(recorder).fit(X, Y)
    assert recorder.fitted[0].classes_.tolist() == ["even", "odd"]


def test_a_true_answer_stops_the_training():
    recorder = Recorder(stop_after=2)
    fitted = small().set_callbacks(recorder).fit(X, Y)
    assert fitted.n_iter_ == 2
    assert recorder.ended == [("epoch", 0), ("epoch", 1), ("fit", 0)]


def test_every_task_is_closed_where_skorch_stops():
    recorder = Recorder()
    small(callbacks=[Stop(2)]).set_callbacks(recorder).fit(X, Y)
    assert recorder.ended == [("epoch", 0), ("epoch", 1), ("fit", 0)]


def test_fit_again_with_callbacks():
    recorder = Recorder()
    estimator = small(max_epochs=2, warm_start=True).set_callbacks(recorder)
    estimator.fit(X, Y).fit(X, Y)
    assert [name for name, _ in recorder.ended].count("epoch") == 4
    assert recorder.torn_down == 2


def test_callbacks_are_torn_down_after_an_error():
    recorder = Recorder()
    estimator = small(callbacks=[Failing()]).set_callbacks(recorder)
    with pytest.raises(RuntimeError, match="midway"):
        estimator.fit(X, Y)
    assert recorder.torn_down == 1


class Propagated(Recorder):
    """Goes on to the estimators inside a search or a pipeline."""

    max_propagation_depth = None

    def on_fit_task_end(self, estimator, context):
        self.ended.append((context.task_name, context.task_id))


@pytest.mark.parametrize("in_pipeline", [False, True])
def test_propagated_through_search_and_pipeline(in_pipeline):
    recorder = Propagated()
    estimator = small(max_epochs=2)
    values = {"lr": [1e-2, 1e-3]}
    if in_pipeline:
        estimator = Pipeline([("first", "passthrough"), ("network", estimator)])
        values = {"network__lr": values["lr"]}
    search = GridSearchCV(estimator, values, cv=2, error_score="raise")
    search.set_callbacks(recorder).fit(X, Y)
    epochs = [task for task in recorder.ended if task[0] == "epoch"]
    assert len(epochs) == 5 * 2  # two values, two folds, and the best once more


def test_a_clone_keeps_scikit_learns_callbacks():
    recorder = Recorder()
    estimator = clone(small().set_callbacks(recorder))
    assert estimator._skl_callbacks


def test_progress_bar():
    pytest.importorskip("rich", reason="scikit-learn's ProgressBar needs rich")
    from sklearn.callback import ProgressBar

    assert small(patience=1).set_callbacks(ProgressBar()).fit(X, Y).predict(X).shape == (20,)
