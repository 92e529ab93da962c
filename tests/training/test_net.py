"""The skorch net: batches in, weights out, and a pickle that travels."""

import copy
import io
import json
import os
import pickle
import subprocess
import sys
from functools import partial

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from skorch.callbacks import Callback
from torch import nn

from skspeech.exceptions import RecordingError
from skspeech.models import VariableLengthCRNNClassifier
from skspeech.recordings import RecordingSequence
from skspeech.testing import make_labels, make_recordings, small_instance
from skspeech.training.net import (
    FrameSquaredError,
    WeightedCrossEntropy,
    make_optimizer,
    resolve_device,
)

X, Y = make_recordings("spectrogram", 20), make_labels(20)

#: Posteriors computed in bfloat16 against float32 ones of the same weights. Its 8 bits of
#: mantissa are good for 2**-8 = 0.004 relative; 0.026 was the most measured in 36 trainings.
BFLOAT16_BOUND = 0.05


def small(**parameters):
    defaults = {"max_epochs": 3, "batch_size": 4, "validation": None}
    return small_instance("CNNLSTM2DClassifier").set_params(**{**defaults, **parameters})


@pytest.fixture(scope="module")
def fitted():
    return small().fit(X, Y)


# Devices


def test_auto_is_a_device_of_this_machine():
    assert resolve_device(resolve_device("auto")) in ("cpu", "cuda", "mps")


@pytest.mark.parametrize("device", ["nonsense", "", "hpu", "privateuseone", "vulkan", "meta"])
def test_missing_device_is_a_short_clear_error(device):
    with pytest.raises(ValueError, match=f"device='{device}' cannot be used") as caught:
        resolve_device(device)
    assert 'Choose device="auto" or "cpu".' in str(caught.value)
    assert len(str(caught.value)) < 300


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a CUDA device")
def test_cuda_where_there_is_none():
    with pytest.raises(ValueError, match="device='cuda' cannot be used"):
        small(device="cuda").fit(X, Y)


# Batches counted in frames


class Gradients(Callback):
    """Adds the gradients of an epoch up; on the class, because the callback is copied."""

    steps: list = []

    def on_grad_computed(self, net, named_parameters, **kwargs):
        self.steps.append(torch.cat([p.grad.flatten() for _, p in named_parameters]))


def test_batches_of_any_size_move_the_weights_by_what_they_hold():
    ragged = [np.repeat(x, 1 + i % 3, axis=-1) for i, x in enumerate(X)]
    network = VariableLengthCRNNClassifier(
        n_maps=(3,),
        kernel_sizes=(3,),
        pool_sizes=(2,),
        recurrent_units=4,
        dropout=0.0,
        lr=1e-12,
        max_epochs=1,
        max_grad_norm=None,
        validation=None,
        callbacks=[Gradients()],
        random_state=0,
    )
    means = []
    for batch_frames in (10**6, 60):
        Gradients.steps.clear()
        network.set_params(batch_frames=batch_frames).fit(ragged, Y)
        means.append(torch.stack(Gradients.steps).mean(0))
        n_steps = len(Gradients.steps)
    assert n_steps > 6
    torch.testing.assert_close(means[1], means[0], rtol=1e-4, atol=1e-6)


def test_a_recording_longer_than_a_batch_is_trained_on_alone():
    sizes = []

    class Sizes(Callback):
        def on_batch_begin(self, net, batch=None, training=False, **kwargs):
            sizes.append(len(batch[0]["lengths"]))

    fitted = small(batch_frames=1, max_epochs=1, callbacks=[Sizes()]).fit(X, Y)
    assert sizes == [1] * len(X)
    alone = fitted.predict_proba(X)
    fitted.net_.batch_frames = None
    assert_allclose(fitted.predict_proba(X), alone, atol=1e-5)


def test_a_further_training_heeds_the_frames_of_a_batch():
    fitted = small(warm_start=True).fit(X, Y).set_params(batch_frames=50).fit(X, Y)
    assert fitted.net_.batch_frames == 50


def test_predicting_reads_a_few_batches_of_frames_at_a_time():
    fitted = small(batch_frames=80).fit(X, Y)
    lazy = RecordingSequence(range(50), lambda i: np.full((5, 20), i, np.float32))
    runs = fitted.net_._runs(lazy, fitted.layout_)
    assert {len(rows) for rows, *_ in runs} == {16, 2}
    assert fitted.predict(lazy).shape == (50,)


@pytest.mark.parametrize(("n_frames", "n_rows"), [(20, 2), (2**17 // 5 + 1, 1)])
def test_a_large_recording_is_not_answered_twice_over(fitted, n_frames, n_rows):
    seen = []

    def count(inputs, lengths):
        seen.append(len(lengths))
        return inputs[:, 0, :, 0]

    rng = np.random.default_rng(0)
    lone = rng.normal(size=(5, n_frames)).astype(np.float32)
    assert_allclose(fitted.net_.answer([lone], count, (1, 5)), lone[None, :, 0])
    assert seen == [n_rows]
    among = [lone, np.concatenate([lone, lone[:, ::-1]], axis=1)]
    assert_allclose(fitted.predict_proba([lone])[0], fitted.predict_proba(among)[0], atol=1e-5)


# The optimiser


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("adagrad", torch.optim.Adagrad),
        ("adam", torch.optim.Adam),
        ("adamw", torch.optim.AdamW),
        ("rmsprop", torch.optim.RMSprop),
        ("sgd", torch.optim.SGD),
        (torch.optim.NAdam, torch.optim.NAdam),
        (partial(torch.optim.SGD, momentum=0.5), torch.optim.SGD),
    ],
)
def test_optimizers(name, wanted):
    trained = small(optimizer=name, max_epochs=1, lr=0.015).fit(X, Y)
    optimizer = trained.net_.optimizer_
    assert type(optimizer) is wanted
    assert {group["lr"] for group in optimizer.param_groups} == {0.015}


def test_sgd_has_nesterov_momentum():
    for group in small(optimizer="sgd", max_epochs=1).fit(X, Y).net_.optimizer_.param_groups:
        assert (group["momentum"], group["nesterov"]) == (0.9, True)


def test_weight_decay_spares_biases_and_normalisation():
    module = nn.Sequential(nn.Conv1d(2, 3, 3), nn.BatchNorm1d(3), nn.LSTM(3, 2))
    groups = [{"params": list(module.parameters())}]
    optimizer = make_optimizer(groups, lr=0.1, optimizer="sgd", weight_decay=0.5)
    decayed, spared = optimizer.param_groups
    assert (decayed["weight_decay"], spared["weight_decay"]) == (0.5, 0.0)
    names = {id(parameter): name for name, parameter in module.named_parameters()}
    assert {names[id(p)] for p in decayed["params"]} == {
        "0.weight",
        "2.weight_ih_l0",
        "2.weight_hh_l0",
    }
    assert len(decayed["params"]) + len(spared["params"]) == len(names)


def test_weight_decay_reaches_the_estimators_optimizer(fitted):
    decays = [group["weight_decay"] for group in fitted.net_.optimizer_.param_groups]
    assert decays == [1e-4, 0.0]


def test_a_module_without_biases():
    optimizer = make_optimizer(
        [{"params": list(nn.Linear(2, 2, bias=False).parameters())}],
        lr=0.1,
        optimizer="adam",
        weight_decay=0.0,
    )
    assert len(optimizer.param_groups) == 1


# The loss


def test_loss_is_the_weighted_mean():
    logits = torch.randn(5, 3, generator=torch.manual_seed(0))
    targets, weights = torch.tensor([0, 1, 2, 1, 0]), torch.tensor([1.0, 2, 0, 1, 1])
    each = -logits.log_softmax(-1)[torch.arange(5), targets]
    loss = WeightedCrossEntropy()(logits, (targets, weights, "not looked at"))
    assert float(loss) == pytest.approx(float((each * weights).mean()))


def test_loss_of_frames_is_the_mean_over_frames_and_outputs():
    answers, targets = torch.randn(2, 5, 3, generator=torch.manual_seed(0))
    wanted = np.square(answers.numpy() - targets.numpy()).mean()
    assert float(FrameSquaredError()(answers, (targets,))) == pytest.approx(wanted)


# Precision


@pytest.mark.parametrize(
    ("precision", "dtype"), [("float32", torch.float32), ("bfloat16", torch.bfloat16)]
)
def test_compute_is_in_the_chosen_precision_and_without_a_gradient(fitted, precision, dtype):
    net = fitted.net_.snapshot()
    net.precision = precision
    layer = nn.Linear(3, 2)
    found = net.compute(layer, torch.ones(4, 3))
    assert (found.dtype, found.shape) == (dtype, (4, 2))
    assert not found.requires_grad
    assert_allclose(found.float(), layer(torch.ones(4, 3)).detach(), atol=0.02)


def test_bfloat16_answers_near_float32():
    trained = small(precision="bfloat16", max_epochs=12).fit(X, Y)
    assert {p.dtype for p in trained.module_.parameters()} == {torch.float32}
    half = trained.predict_proba(X)
    assert half.dtype == np.float64
    assert_allclose(half.sum(axis=1), 1, atol=1e-12)
    trained.net_.precision = "float32"
    difference = np.abs(half - trained.predict_proba(X)).max()
    assert 0 < difference < BFLOAT16_BOUND
    assert trained.score(X, Y) == 1


def test_bfloat16_learns_as_float32_does():
    losses = [
        small(precision=precision, max_epochs=12).fit(X, Y).history_[-1]["train_loss"]
        for precision in ("float32", "bfloat16")
    ]
    assert losses[1] == pytest.approx(losses[0], abs=0.05)
    assert max(losses) < 0.5


# The history


def test_rows_are_plain_numbers():
    rows = small(validation="stratified", validation_fraction=0.3).fit(X, Y).history_
    assert [row["epoch"] for row in rows] == [1, 2, 3]
    assert {name: type(value) for name, value in rows[0].items()} == {
        "epoch": int,
        "train_loss": float,
        "valid_loss": float,
        "valid_score": float,
        "best": bool,
        "seconds": float,
    }
    assert json.loads(json.dumps(rows)) == rows


def test_verbose(capsys):
    small(verbose=0).fit(X, Y)
    assert capsys.readouterr().out == ""
    small(verbose=1).fit(X, Y)
    printed = capsys.readouterr().out
    assert "train_loss" in printed
    assert len(printed.splitlines()) == 5


# Copies


def assert_answers_alike(found, wanted):
    assert_allclose(found.predict_proba(X), wanted.predict_proba(X), atol=1e-12)
    assert found.history_ == wanted.history_


def test_pickle_and_deepcopy_answer_alike(fitted):
    assert_answers_alike(pickle.loads(pickle.dumps(fitted)), fitted)
    assert_answers_alike(copy.deepcopy(fitted), fitted)
    twin = copy.deepcopy(fitted)
    with torch.no_grad():
        twin.module_.network.classes.weight.zero_()
    assert fitted.module_.network.classes.weight.any(), "a deep copy has weights of its own"


def test_a_copy_trains_on(fitted):
    copied = pickle.loads(pickle.dumps(fitted)).set_params(warm_start=True).fit(X, Y)
    assert copied.n_iter_ == 6
    assert copied.history_[3]["train_loss"] < copied.history_[0]["train_loss"]
    trained = {id(p) for group in copied.net_.optimizer_.param_groups for p in group["params"]}
    assert trained == {id(p) for p in copied.module_.parameters()}


def test_pickle_does_not_grow_with_the_training_set():
    many = np.tile(X, 10)
    options = {"batch_size": 2, "callbacks": []}
    few_size, many_size = (
        len(pickle.dumps(small(**options).fit(x, make_labels(len(x))))) for x in (X, many)
    )
    assert abs(many_size - few_size) < 200


class Pickles(Callback):
    """Says how large a net is that is written while it is trained."""

    n_bytes: list = []

    def on_epoch_end(self, net, **kwargs):
        self.n_bytes.append(len(pickle.dumps(net)))


def test_pickle_in_a_training_does_not_hold_the_training_set():
    for x in (X, [np.hstack([x] * 9) for x in X]):
        small(max_epochs=1, callbacks=[Pickles()]).fit(x, Y)
    first, second = Pickles.n_bytes
    assert second < first + 2000


def test_pickle_holds_the_weights_once(fitted):
    # Adam keeps two numbers a weight: three times the weights, and not four
    sizes = []
    for units in (8, 64):
        trained = small(lstm_units=units, max_epochs=1).fit(X, Y)
        n_bytes = sum(4 * p.numel() for p in trained.module_.parameters())
        sizes.append((n_bytes, len(pickle.dumps(trained))))
    (small_weights, small_pickle), (large_weights, large_pickle) = sizes
    assert (large_pickle - small_pickle) / (large_weights - small_weights) < 3.2


@pytest.mark.skipif(resolve_device("auto") != "cpu", reason="this machine has a GPU")
@pytest.mark.parametrize("device", ["cuda", "cuda:3", "mps"])
def test_pickle_of_a_gpu_loads_on_a_cpu(fitted, monkeypatch, device):
    made = copy.deepcopy(fitted)
    made.net_.device = device
    with monkeypatch.context() as patched:
        # as far as torch's tags tell, every tensor lies on the GPU
        patched.setattr(torch.serialization, "location_tag", lambda storage: device)
        data = pickle.dumps(made)
    loaded = pickle.loads(data)
    assert loaded.net_.device == "cpu"
    assert_answers_alike(loaded, fitted)
    assert loaded.set_params(warm_start=True).fit(X, Y).n_iter_ == 6


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device on this machine")
def test_pickle_of_a_real_gpu_loads_on_a_cpu(tmp_path):
    trained = small(device="cuda").fit(X, Y)
    (tmp_path / "trained.pickle").write_bytes(pickle.dumps(trained))
    np.save(tmp_path / "answers.npy", trained.predict_proba(X))
    code = (
        "import pickle, numpy as np; from skspeech.testing import make_recordings; "
        "loaded = pickle.load(open('trained.pickle', 'rb')); "
        "assert loaded.net_.device == 'cpu'; "
        "found = loaded.predict_proba(make_recordings('spectrogram', 20)); "
        "assert np.abs(found - np.load('answers.npy')).max() < 1e-3"
    )
    without_gpu = {**os.environ, "CUDA_VISIBLE_DEVICES": ""}
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=without_gpu, check=True)


# Answers


def test_answers_are_read_a_few_batches_at_a_time(fitted):
    read = []
    trained = copy.deepcopy(fitted)
    trained.net_.batch_size = 2
    runs = []
    answer_run = trained.net_._answer_run
    trained.net_._answer_run = lambda *args: (runs.append(args[1]), answer_run(*args))[1]
    many = RecordingSequence(range(70), lambda i: (read.append(i), X[i % len(X)])[1])
    answers = trained.predict_proba(many)
    assert [len(run) for run in runs] == [8] * 8 + [6]
    assert read == list(range(70))
    assert_allclose(answers, fitted.predict_proba(np.resize(X, 70)), atol=1e-6)


def test_other_bins_at_predict_name_the_recording(fitted):
    bad = np.zeros((4, 9), np.float32)
    lazy = RecordingSequence([X[0], X[1], bad])
    for wrong in (lazy, [bad, bad]):
        index = 2 if wrong is lazy else 0
        with pytest.raises(RecordingError, match=rf"X\[{index}\] has 1 channel and 4 bins"):
            fitted.predict(wrong)


def test_training_mode_is_off_after_fit(fitted):
    assert not any(module.training for module in fitted.module_.modules())
    assert all(p.grad is None for p in fitted.module_.parameters())


def test_state_dict_can_be_saved_plainly(fitted):
    file = io.BytesIO()
    torch.save(fitted.module_.state_dict(), file)
    file.seek(0)
    assert torch.load(file, weights_only=True).keys() == fitted.module_.state_dict().keys()
