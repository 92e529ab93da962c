"""The scikit-learn face of a network, on networks small enough to see through."""

import copy
import pickle
import random

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import config_context
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from skorch.callbacks import Callback, LRScheduler
from torch import nn

from skspeech.base import NetworkClassifier
from skspeech.exceptions import RecordingError, ValidationWarning
from skspeech.models import CNNLSTM2DClassifier
from skspeech.recordings import RecordingSequence
from skspeech.testing import make_labels, make_recordings, small_instance

X, Y = make_recordings("spectrogram", 24), make_labels(24)
GROUPS = np.array(["Ann", "Bob", "Cid", "Dan"])[np.arange(24) // 2 % 4]


class Linear(nn.Module):
    """Dropout, the mean over the valid frames, and one linear layer."""

    def __init__(self, layout, n_classes):
        super().__init__()
        self.embedding_size = int(np.prod(layout))
        self.dropout = nn.Dropout(0.1)
        self.classes = nn.Linear(self.embedding_size, n_classes)

    def min_input_length(self):
        return 1

    def embed(self, inputs, lengths):
        means = inputs.sum(-1).flatten(1) / lengths[:, None].to(inputs.device)
        return self.dropout(means)

    def forward(self, inputs, lengths):
        return self.classes(self.embed(inputs, lengths))


class LinearClassifier(CNNLSTM2DClassifier):
    """Takes the constructor of a real network for a linear one."""

    def _make_network(self, layout, n_classes):
        return Linear(layout, n_classes)


def linear(**parameters):
    defaults = {"max_epochs": 4, "lr": 0.05, "batch_size": 8, "random_state": 0}
    return LinearClassifier(**{**defaults, **parameters})


def cnn(**parameters):
    defaults = {"max_epochs": 2, "batch_size": 8}
    return small_instance("CNNLSTM2DClassifier").set_params(**{**defaults, **parameters})


def state(estimator):
    return [value.tolist() for value in estimator.module_.state_dict().values()]


def global_states():
    numpy_state = np.random.get_state()  # noqa: NPY002 - the global generator is what is meant
    return random.getstate(), str(numpy_state), torch.get_rng_state().tolist()


class Failing(Callback):
    """Raises in the middle of an epoch."""

    def __init__(self, error, epoch=2):
        self.error, self.epoch = error, epoch

    def on_batch_end(self, net, batch=None, training=False, **kwargs):
        if len(net.history) == self.epoch:
            raise self.error


# A subclass


def test_linear_network_learns():
    fitted = linear(max_epochs=20).fit(X, Y)
    assert fitted.score(X, Y) == 1
    assert fitted.classes_.tolist() == ["even", "odd"]
    assert fitted.layout_ == (1, 5)
    assert isinstance(fitted.module_.network, Linear)
    assert fitted.n_iter_ == len(fitted.history_)


def test_embedding_is_the_networks():
    fitted = linear().fit(X, Y)
    embedding = fitted.transform(X)
    assert (embedding.shape, embedding.dtype) == ((24, 5), np.float32)
    assert fitted.get_feature_names_out().tolist() == [f"linearclassifier{i}" for i in range(5)]
    mean, scale = fitted.module_.mean[0].numpy(), fitted.module_.scale[0].numpy()
    assert_allclose(embedding[3], ((X[3] - mean) / scale).mean(axis=1), atol=1e-5)


def test_base_alone_has_no_network():
    class Unfinished(CNNLSTM2DClassifier):
        _make_network = NetworkClassifier._make_network

    with pytest.raises(TypeError, match="Unfinished must define _make_network"):
        Unfinished().fit(X, Y)


@pytest.mark.parametrize("standardize", ["bin", "global", None])
def test_standardisation_is_that_of_what_is_trained_on(standardize):
    fitted = linear(standardize=standardize).fit(X, Y)
    assert fitted.validation_.method == "stratified"
    if standardize is None:
        assert fitted.module_.mean is fitted.module_.scale is None
        return
    trained = np.delete(np.arange(24), fitted.validation_.indices)
    frames = np.concatenate([X[i] for i in trained], axis=1).astype(float)
    axis = 1 if standardize == "bin" else None
    assert_allclose(fitted.module_.mean.ravel(), frames.mean(axis=axis).ravel(), rtol=1e-5)
    assert_allclose(fitted.module_.scale.ravel(), frames.std(axis=axis).ravel(), rtol=1e-5)


def test_constant_recordings_are_no_division_by_zero():
    flat = [np.full((3, 4 + i), 0.1, np.float32) for i in range(6)]
    posteriors = linear(validation=None).fit(flat, [0, 1] * 3).predict_proba(flat)
    assert np.isfinite(posteriors).all()


def test_sequence_is_read_once_by_the_survey_and_batch_by_batch_later():
    read = []
    lazy = RecordingSequence(range(24), lambda i: (read.append(i), X[i])[1])
    fitted = linear(max_epochs=3).fit(lazy, Y)
    assert read[:24] == list(range(24))
    held = set(fitted.validation_.indices.tolist())
    epoch = read[24:48]
    assert len(read) == 24 * 4
    assert sorted(epoch) == list(range(24))
    assert set(epoch[-len(held) :]) == held, "what is held out is read after the training"
    assert state(fitted) == state(linear(max_epochs=3).fit(X, Y))


# Class weights


def heard_weights(estimator, y):
    """Return the weight of each trained segment, by recording."""
    heard = {}

    class Ear(Callback):
        def on_batch_end(self, net, batch=None, training=False, **kwargs):
            if training:
                _, weights, recordings = batch[1]
                heard.update(zip(recordings.tolist(), weights.tolist(), strict=True))

        def __deepcopy__(self, memo):
            return self

    estimator.set_params(callbacks=[Ear()], max_epochs=1).fit(X, y)
    return heard


@pytest.mark.parametrize(
    "class_weight", [None, "balanced", {"odd": 3.0}, {"even": 0.5, "odd": 7}, {}]
)
def test_weights_are_one_on_average(class_weight):
    y = np.where(np.arange(24) < 6, "odd", "even")
    heard = heard_weights(linear(class_weight=class_weight), y)
    assert np.mean(list(heard.values())) == pytest.approx(1, rel=1e-6)
    trained = np.array(sorted(heard))
    weights = np.array([heard[i] for i in trained])
    odd, even = weights[y[trained] == "odd"], weights[y[trained] == "even"]
    assert len(set(odd)) == len(set(even)) == 1
    wanted = {
        "None": 1,
        "balanced": len(even) / len(odd),
        "{'odd': 3.0}": 3,
        "{'even': 0.5, 'odd': 7}": 14,
        "{}": 1,
    }
    assert odd[0] / even[0] == pytest.approx(wanted[str(class_weight)], rel=1e-5)


def test_class_weights_by_number():
    y = (Y == "odd").astype(int) * 4 - 1  # -1 and 3
    heard = heard_weights(linear(class_weight={3: 2.0}), y)
    assert {round(weight / min(heard.values()), 5) for weight in heard.values()} == {1, 2}


@pytest.mark.parametrize("unknown", [{"neither": 2.0}, {"neither": 1, 3: 1}])
def test_unknown_class_in_class_weight(unknown):
    with pytest.raises(ValueError, match=r"class_weight names classes .*neither"):
        linear(class_weight={"odd": 1.0, **unknown}).fit(X, Y)


def test_no_weight_at_all_is_an_error():
    with pytest.raises(ValueError, match="class_weight"):
        linear(class_weight={"odd": 0, "even": 0}).fit(X, Y)


# Seeds


@pytest.mark.parametrize("make", [linear, cnn])
def test_same_seed_same_weights(make):
    first, second, other = (make(random_state=seed).fit(X, Y) for seed in (1, 1, 2))
    assert state(first) == state(second)
    assert state(first) != state(other)
    assert first.validation_.indices.tolist() == second.validation_.indices.tolist()


def test_global_generators_do_not_matter():
    fits = []
    for seed in (0, 1):
        before = global_states()
        np.random.seed(seed)  # noqa: NPY002
        torch.manual_seed(seed)
        try:
            fits.append(state(linear().fit(X, Y)))
        finally:
            np.random.set_state(np.random.RandomState(0).get_state())  # noqa: NPY002
            torch.set_rng_state(torch.tensor(before[2], dtype=torch.uint8))
    assert fits[0] == fits[1]


def test_without_a_seed_fits_differ_and_draw_from_nothing_global():
    np.random.seed(0)  # noqa: NPY002 - else two fits would differ by what else drew
    torch.manual_seed(0)
    before = global_states()
    first = state(linear(random_state=None).fit(X, Y))
    assert global_states() == before
    second = state(linear(random_state=None).fit(X, Y))
    assert global_states() == before
    assert first != second


def test_random_state_instance():
    first, second = (linear(random_state=np.random.RandomState(3)).fit(X, Y) for _ in range(2))
    assert state(first) == state(second) == state(linear(random_state=3).fit(X, Y))
    drawn_on = np.random.RandomState(3)
    estimator = linear(random_state=drawn_on)
    assert state(estimator.fit(X, Y)) != state(estimator.fit(X, Y)), "an instance draws on"


@pytest.mark.parametrize("random_state", [0, None])
@pytest.mark.parametrize("error", [RuntimeError("midway"), KeyboardInterrupt()])
def test_global_generators_are_as_before_when_fit_fails(random_state, error):
    before = global_states()
    with pytest.raises(type(error)):
        linear(random_state=random_state, callbacks=[Failing(error)]).fit(X, Y)
    assert global_states() == before


# Interrupts and failures


def test_interrupt_by_the_user_is_passed_on():
    estimator = linear(callbacks=[Failing(KeyboardInterrupt())])
    with pytest.raises(KeyboardInterrupt):
        estimator.fit(X, Y)
    with pytest.raises(NotFittedError):
        estimator.predict(X)


def test_failed_refit_leaves_the_fitted_estimator_as_it_was():
    fitted = linear().fit(X, Y)
    wanted = fitted.predict_proba(X), fitted.history_, fitted.validation_
    fitted.set_params(callbacks=[Failing(RuntimeError("midway"))])
    other = [np.zeros((7, 5), np.float32)] * 6
    with pytest.raises(RuntimeError, match="midway"):
        fitted.fit(other, list("ababab"))
    assert_array_equal(fitted.predict_proba(X), wanted[0])
    assert fitted.layout_ == (1, 5)
    assert fitted.history_ == wanted[1]
    assert fitted.validation_ is wanted[2]


@pytest.mark.parametrize("make", [linear, cnn])
@pytest.mark.parametrize("validation", ["auto", None])
@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_loss_that_is_no_number_is_an_error_that_names_the_mend(make, validation, optimizer):
    diverging = make(lr=1e30, optimizer=optimizer, validation=validation, max_epochs=4)
    with pytest.raises(ValueError, match=r"Decrease lr.*1e\+30"):
        diverging.fit(X, Y)
    assert not hasattr(diverging, "net_")


# Warm start


def test_warm_start_continues():
    parameters = {"max_epochs": 5, "validation": None, "lr": 0.01}
    cold = linear(**parameters).fit(X, Y)
    warm = linear(**parameters, warm_start=True).fit(X, Y)
    moments = warm.module_.mean.clone(), warm.module_.scale.clone()
    warm.fit(X[:20] + np.float32(3), Y[:20])
    assert torch.equal(warm.module_.mean, moments[0])
    assert torch.equal(warm.module_.scale, moments[1])
    warm = linear(**parameters, warm_start=True).fit(X, Y).fit(X, Y)
    assert warm.n_iter_ == len(warm.history_) == 10
    assert [row["epoch"] for row in warm.history_] == list(range(1, 11))
    losses = [row["train_loss"] for row in warm.history_]
    assert losses[:5] == [row["train_loss"] for row in cold.history_]
    assert losses[5] < losses[0]
    assert losses[5] == pytest.approx(losses[4], abs=losses[0] - losses[4])


def test_without_warm_start_fit_starts_anew():
    fitted = linear().fit(X, Y)
    wanted = state(fitted)
    assert state(fitted.fit(X, Y)) == wanted
    assert fitted.n_iter_ == 4
    other = fitted.fit([x[:3] for x in X], np.where(Y == "odd", 7, 5))
    assert other.layout_ == (1, 3)
    assert other.classes_.tolist() == [5, 7]


def test_warm_start_refuses_other_classes():
    fitted = linear(warm_start=True).fit(X, Y)
    with pytest.raises(ValueError, match=r"classes \['even', 'odd'\], but y holds \[5, 7\]"):
        fitted.fit(X, np.where(Y == "odd", 7, 5))


def test_warm_start_refuses_other_bins():
    fitted = linear(warm_start=True).fit(X, Y)
    with pytest.raises(RecordingError, match=r"X\[0\] has 1 channel and 3 bins"):
        fitted.fit([x[:3] for x in X], Y)
    assert fitted.predict(X).shape == (24,)


def test_a_warm_start_that_diverges_leaves_the_fitted_network_alone():
    fitted = linear(warm_start=True).fit(X, Y)
    before = state(fitted)
    with pytest.raises(ValueError, match="diverged"):
        fitted.set_params(lr=1e30).fit(X, Y)
    assert state(fitted) == before
    assert fitted.n_iter_ == len(fitted.history_) == 4


def test_a_divergence_that_no_loss_saw_is_found_at_the_answer():
    diverged = small_instance("CNNLSTM2DClassifier").set_params(
        max_epochs=1, validation=None, batch_size=len(Y), lr=1e30
    )
    diverged.fit(X, Y)
    with pytest.raises(RecordingError, match=r"X\[0\] gets no finite answer.*lower lr"):
        diverged.predict(X)


def test_warm_start_heeds_what_was_set_in_between():
    fitted = linear(warm_start=True, validation=None).fit(X, Y)
    before = state(fitted)
    fitted.set_params(lr=1e-12, batch_size=3, precision="bfloat16", weight_decay=0.25).fit(X, Y)
    assert_allclose(np.ravel(state(fitted)[-1]), np.ravel(before[-1]), atol=1e-6)
    assert fitted.net_.batch_size == 3
    assert fitted.net_.precision == "bfloat16"
    assert [group["weight_decay"] for group in fitted.net_.optimizer_.param_groups] == [0.25, 0]


def scheduled_rates(lr):
    """Return the rate after a training of 2 epochs and after 2 more, halved each epoch."""
    halving = LRScheduler("StepLR", step_size=1, gamma=0.5)
    fitted = linear(warm_start=True, max_epochs=2, callbacks=[halving], lr=0.5).fit(X, Y)
    first = fitted.net_.optimizer_.param_groups[0]["lr"]
    fitted = pickle.loads(pickle.dumps(fitted)).set_params(lr=lr).fit(X, Y)
    return first, fitted.net_.optimizer_.param_groups[0]["lr"]


def test_warm_start_goes_on_with_a_schedule():
    # skorch continues a schedule with the step that the last epoch of the first was due
    first, second = scheduled_rates(lr=0.5)
    assert first == 0.5 / 4
    assert second < first
    assert scheduled_rates(lr=0.25)[1] > second, "unless another rate is set"


def test_warm_start_keeps_the_best_of_each_training():
    fitted = linear(warm_start=True, max_epochs=3).fit(X, Y).fit(X, Y)
    rows = fitted.history_
    assert len(rows) == 6
    assert rows[0]["best"]
    assert rows[3]["best"], "the first epoch of a further training is its best so far"


# Groups and routing


def test_groups_choose_whole_speakers():
    fitted = linear().fit(X, Y, groups=GROUPS)
    assert fitted.validation_.method == "speaker"
    held = set(GROUPS[fitted.validation_.indices])
    assert held == set(fitted.validation_.speakers)
    assert not held & set(np.delete(GROUPS, fitted.validation_.indices))


@pytest.mark.parametrize("groups", [GROUPS.tolist(), np.arange(24) // 6, GROUPS.astype(object)])
def test_groups_of_any_type(groups):
    assert linear().fit(X, Y, groups=groups).validation_.method == "speaker"


def test_groups_that_do_not_fit():
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        linear().fit(X, Y, groups=GROUPS[:5])
    with pytest.raises(ValueError, match="pass groups to fit"):
        linear(validation="speaker").fit(X, Y)


class Note(Callback):
    """Notes what was held out in each fit; on the class, because it is copied."""

    held: list = []

    def on_train_begin(self, net, X=None, y=None, **kwargs):
        self.held.append(len(X))


@pytest.mark.parametrize("routing", [True, False])
def test_fit_with_routing_on_or_off(routing):
    with config_context(enable_metadata_routing=routing):
        assert state(linear().fit(X, Y)) == state(linear().fit(X, Y))
        fitted = linear(validation="speaker").fit(X, Y, groups=GROUPS)
        assert fitted.validation_.method == "speaker"
        assert fitted.predict(X).shape == (24,)


def test_groups_reach_a_pipeline_and_a_search_with_routing_on():
    with config_context(enable_metadata_routing=True):
        pipeline = make_pipeline(FunctionTransformer(), linear(validation="speaker", max_epochs=1))
        assert pipeline.fit(X, Y, groups=GROUPS)[-1].validation_.method == "speaker"
        search = GridSearchCV(
            pipeline,
            {"linearclassifier__lr": [0.01, 0.1]},
            cv=GroupKFold(3),
            error_score="raise",
        )
        search.fit(X, Y, groups=GROUPS)
        assert search.best_estimator_[-1].validation_.method == "speaker"
        scores = cross_val_score(
            search, X, Y, params={"groups": GROUPS}, cv=GroupKFold(4), error_score="raise"
        )
        assert len(scores) == 4


def test_groups_reach_a_pipeline_and_a_search_with_routing_off():
    pipeline = make_pipeline(FunctionTransformer(), linear(validation="speaker", max_epochs=1))
    params = {"linearclassifier__groups": GROUPS}
    assert pipeline.fit(X, Y, **params)[-1].validation_.method == "speaker"
    search = GridSearchCV(
        pipeline, {"linearclassifier__lr": [0.01, 0.1]}, cv=2, error_score="raise"
    )
    assert search.fit(X, Y, **params).best_estimator_[-1].validation_.method == "speaker"


# Labels


def test_y_is_asked_for():
    with pytest.raises(ValueError, match="requires y to be passed"):
        linear().fit(X, None)


@pytest.mark.parametrize("y", [Y[:5], np.linspace(0, 1, 24)], ids=["too few", "continuous"])
def test_y_that_does_not_fit(y):
    with pytest.raises(ValueError, match=r"inconsistent|continuous"):
        linear().fit(X, y)


def test_lone_recording_of_a_class_is_trained_on():
    y = np.where(np.arange(24) == 0, "one", "many")
    fitted = linear().fit(X, y)
    assert fitted.validation_.method is None
    assert fitted.classes_.tolist() == ["many", "one"]


# Bags


def test_bag_stands_for_its_recording():
    bags = [[x, X[(i + 2) % 24]] for i, x in enumerate(X)]
    fitted = linear().fit(bags, Y)
    single = fitted.predict_proba(X)
    assert_allclose(
        fitted.predict_proba(bags), (single + np.roll(single, -2, axis=0)) / 2, atol=1e-6
    )
    assert len(fitted.validation_.indices) == 3, "recordings are held out, not segments"


# Copies


@pytest.mark.parametrize("copied", [clone, copy.deepcopy, lambda e: pickle.loads(pickle.dumps(e))])
def test_copies_train_alike(copied):
    estimator = linear().fit(X, Y)
    assert state(copied(estimator).fit(X, Y)) == state(estimator)


def test_fit_changes_no_parameter():
    parameters = {"class_weight": {"odd": 2.0}, "callbacks": [Note()], "n_maps": [4, 4]}
    estimator = linear(**parameters)
    before = copy.copy(estimator.get_params())
    estimator.fit(X, Y)
    assert all(estimator.get_params()[name] is value for name, value in before.items())


def test_unfitted():
    assert not hasattr(linear(), "module_")
    assert not hasattr(linear(), "n_iter_")
    with pytest.raises(NotFittedError):
        linear().predict(X)


def test_a_network_of_what_has_time_first_is_refused():
    class Lips(LinearClassifier):
        _input_kind = "video"

    with pytest.raises(TypeError, match="Lips says that it reads one video"):
        Lips().fit([np.zeros((4, 3, 3), np.uint8)] * 4, [0, 1, 0, 1])


def test_a_training_that_fails_after_a_table_was_read_leaves_no_network_behind():
    network = linear(validation="speaker")
    with pytest.raises(ValueError, match="speaker"):
        network.fit(np.zeros((6, 4)), [0, 1] * 3)
    assert not hasattr(network, "n_features_in_")
    with pytest.raises(NotFittedError):
        network.predict(np.zeros((6, 4)))


def test_a_refit_that_fails_keeps_what_was_known_of_the_features():
    table = np.random.default_rng(0).random((8, 9))
    fitted = linear(validation=None).fit(table, [0, 1] * 4)
    fitted.set_params(validation="speaker")
    for other in (table[:, :5], [x[:, :4] for x in X]):
        with pytest.raises(ValueError, match="speaker"):
            fitted.fit(other, [0, 1] * (len(other) // 2))
        assert fitted.n_features_in_ == 9
        assert fitted.predict(table).shape == (8,)


def test_torchs_default_type_does_not_matter():
    torch.set_default_dtype(torch.float64)
    try:
        fitted = linear().fit(X, Y)
    finally:
        torch.set_default_dtype(torch.float32)
    assert fitted.transform(X).dtype == np.float32


def test_a_part_of_whole_speakers_that_cannot_be_had_is_said():
    speakers = np.where(Y == "odd", "Ann", "Bob")  # one label each
    with pytest.warns(
        ValidationWarning, match=r"^No speaker can be held out.*All 4 epochs"
    ) as seen:
        fitted = linear(patience=1).fit(X, Y, groups=speakers)
    assert seen[0].filename == __file__
    assert fitted.validation_.method is None
    assert fitted.n_iter_ == 4
    linear(validation=None).fit(X, Y, groups=speakers)  # asked for: no warning
