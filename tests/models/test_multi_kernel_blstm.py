"""The reconstruction after Meyer et al. (2021): its stages, its four parts, its training."""

import copy
import pickle

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from skorch.callbacks import Callback
from torch import nn
from torch.nn.functional import pad

from skspeech.models import MultiKernelBLSTMClassifier
from skspeech.models.multi_kernel_blstm import MultiKernelConv2d
from skspeech.persistence import load_model, save_model
from skspeech.recordings import object_array
from skspeech.testing import make_labels, make_recordings

X, Y = make_recordings("spectrogram", 12), make_labels(12)
SUMMARIES = ["last", "mean", "max", "statistics", "attention"]
SINGLE = {"kernel_widths": (9,), "n_maps": (128, 64, 128)}


def small(**parameters):
    defaults = {"kernel_widths": (1, 4), "n_maps": (2, 4, 4), "lstm_units": 4, "dense_units": 6}
    return MultiKernelBLSTMClassifier(
        **{**defaults, "max_epochs": 2, "random_state": 0, **parameters}
    )


def make_network(layout=(3, 40), **parameters):
    torch.manual_seed(0)
    return MultiKernelBLSTMClassifier(**parameters)._make_network(layout, 4).eval()


def n_parameters(module):
    return sum(parameter.numel() for parameter in module.parameters())


class Batches(Callback):
    """Keeps what training reads; on the class, because the callback is copied."""

    epochs: list = []

    def on_epoch_begin(self, net, **kwargs):
        self.epochs.append({True: [], False: []})

    def on_batch_begin(self, net, batch=None, training=False, **kwargs):
        self.epochs[-1][training].append((batch[0], batch[1]))


def epochs_of(network, recordings, labels):
    """Fit, and return the rows (inputs, length, target, recording) of each epoch and its part."""
    Batches.epochs.clear()
    network.set_params(callbacks=[Batches()]).fit(recordings, labels)
    return [
        {training: [row for batch in batches for row in _rows(*batch)] for training, batches in
         epoch.items()}
        for epoch in Batches.epochs
    ]  # fmt: skip


def _rows(inputs, truth):
    targets, _, recording = truth
    return zip(
        inputs["inputs"].numpy(),
        inputs["lengths"].tolist(),
        targets.tolist(),
        recording.tolist(),
        strict=True,
    )


# The sizes


def test_stages_of_three_seconds():
    network = make_network()
    x, lengths = torch.zeros(1, 3, 40, 300), torch.tensor([300])
    shapes = []
    for layer in network.blocks:
        if isinstance(layer, nn.ReLU):
            x = layer(x)
            shapes.append(tuple(x.shape[1:]))
        else:
            x, lengths = layer(x, lengths)
    assert shapes == [(128, 20, 150), (64, 10, 75), (128, 5, 75)]
    assert lengths.tolist() == [75]
    assert network.blstm.rnn.input_size == 640
    frames, lengths = network.blstm(x.flatten(1, 2), lengths)
    assert frames.shape == (1, 256, 75)
    assert network.summary(frames, lengths).shape == (1, 1024)
    assert network.embed(torch.zeros(1, 3, 40, 300), torch.tensor([300])).shape == (1, 64)
    assert network.min_input_length() == 4


def test_parameters_of_the_whole_and_without_each_part():
    assert n_parameters(make_network()) == 1_020_036
    assert n_parameters(make_network(**SINGLE)) == 1_020_036
    assert n_parameters(make_network(summary="last")) == 970_884
    assert n_parameters(make_network((1, 40))) == 1_008_516
    plain = {"oversample": False, "crop_frames": None, "lr_patience": None}
    assert n_parameters(make_network(**plain)) == 1_020_036


def test_one_width_has_as_many_weights_as_four():
    four, one = make_network().blocks[0], make_network(**SINGLE).blocks[0]
    assert n_parameters(four) == n_parameters(one) == 17_408
    shapes = [tuple(conv.weight.shape) for conv in four.widths]
    assert shapes == [(32, 3, 5, width) for width in (3, 7, 11, 15)]
    assert [tuple(conv.weight.shape) for conv in one.widths] == [(128, 3, 5, 9)]


def test_the_widths_lie_side_by_side():
    torch.manual_seed(0)
    layer = MultiKernelConv2d(2, 3, 5, (3, 4))
    x = torch.randn(1, 2, 6, 9)
    found, lengths = layer(pad(x, (0, 5)), torch.tensor([9]))
    assert lengths.tolist() == [9]
    for i, conv in enumerate(layer.widths):
        edges = ((conv.kernel_size[1] - 1) // 2, conv.kernel_size[1] // 2, 2, 2)
        wanted = nn.functional.conv2d(pad(x, edges), conv.weight, conv.bias)
        maps = found[:, 3 * i : 3 * i + 3]
        torch.testing.assert_close(maps[..., :9], wanted, rtol=0, atol=1e-5)
        assert not maps[..., 9:].any()


def test_pool_before_relu_is_relu_before_pool():
    network = make_network((1, 9), n_maps=(2, 2, 2), kernel_widths=(3,))
    conv, norm, pool, activation = network.blocks[:4]
    x, lengths = norm(*conv(torch.randn(3, 1, 9, 11), torch.tensor([11, 7, 2])))
    found, n_found = pool(x, lengths)
    wanted, n_wanted = pool(activation(x), lengths)
    assert torch.equal(activation(found), wanted)
    assert torch.equal(n_found, n_wanted)


@pytest.mark.parametrize("n_frames", [4, 5, 6, 7, 13, 21])
def test_padded_it_is_the_network_of_the_recording_alone(n_frames):
    network = make_network((1, 9), n_maps=(2, 4, 4), lstm_units=3, dense_units=5)
    x, other = torch.randn(1, 1, 9, n_frames), torch.randn(1, 1, 9, 40)
    batch = torch.cat([pad(x, (0, 40 - n_frames)), other])
    with torch.inference_mode():
        found = network(batch, torch.tensor([n_frames, 40]))
        alone = [network(r, torch.tensor([r.shape[-1]])) for r in (x, other)]
    torch.testing.assert_close(found, torch.cat(alone), rtol=0, atol=1e-5)


def test_the_last_output_of_each_direction():
    network = make_network((1, 9), n_maps=(2, 4, 4), lstm_units=3, summary="last")
    x = torch.randn(1, 1, 9, 22)
    frames, lengths = network.blocks(x, torch.tensor([22]))
    outputs, _ = network.blstm.rnn(frames.flatten(1, 2).transpose(1, 2))
    wanted = torch.cat([outputs[:, -1, :3], outputs[:, 0, 3:]], 1)
    padded = network.blstm(pad(frames.flatten(1, 2), (0, 4)), lengths)
    torch.testing.assert_close(network.summary(*padded), wanted, rtol=0, atol=1e-5)


# What comes out


@pytest.mark.parametrize("summary", SUMMARIES)
def test_every_summary_trains_and_reads_a_recording_alone(summary):
    network = small(summary=summary, lr=1e-2).fit(X, Y)
    wanted = network.predict_proba(X)
    assert np.isfinite([row["train_loss"] for row in network.history_]).all()
    alone = np.concatenate([network.predict_proba([x]) for x in X])
    assert_allclose(alone, wanted, rtol=0, atol=1e-5)
    assert network.transform(X).shape == (12, 6)


def test_predictions_depend_neither_on_order_nor_on_batches():
    network = small().fit(X, Y)
    wanted = network.predict_proba(X)
    assert_allclose(network.predict_proba(X[::-1])[::-1], wanted, rtol=0, atol=1e-5)
    for batching in ({"batch_size": 5}, {"batch_frames": 70}):
        network.net_.__dict__.update(batching)
        assert_allclose(network.predict_proba(X), wanted, rtol=0, atol=1e-5)
    longer = object_array([*X, np.zeros((5, 700), "f")])
    assert_allclose(network.predict_proba(longer)[:-1], wanted, rtol=0, atol=1e-5)


@pytest.mark.parametrize("n_frames", [1, 3])
def test_shorter_than_the_network_reads(n_frames):
    short = object_array([x[:, :n_frames] if i < 4 else x for i, x in enumerate(X)])
    network = small(crop_frames=n_frames).fit(short, Y)
    posteriors = network.predict_proba(short)
    assert np.isfinite(posteriors).all()
    assert_allclose(network.predict_proba([short[1]])[0], posteriors[1], rtol=0, atol=1e-5)
    assert small().fit([x[:, :1] for x in X], Y).predict(X).shape == (12,)


# The training method


def test_an_epoch_has_every_class_as_often():
    labels = np.array(["calm"] * 7 + ["glad"] * 3 + ["sad"] * 2)
    for epoch in epochs_of(small(validation=None, class_weight=None), X, labels):
        targets, owners = np.array([row[2:] for row in epoch[True]]).T
        assert np.bincount(targets).tolist() == [7, 7, 7]
        assert set(owners) == set(range(12)), "every recording is read"
    (epoch, _) = epochs_of(small(validation=None, oversample=False), X, labels)
    assert sorted(row[3] for row in epoch[True]) == list(range(12))


def test_crops_are_drawn_anew_and_only_to_train_on():
    ramps = object_array([np.tile(np.arange(30.0 + i, dtype="f"), (5, 1)) for i in range(12)])
    ramps[0] = ramps[0][:, :6]
    network = small(crop_frames=8, validation_fraction=0.25, max_epochs=4, standardize=None)
    epochs = epochs_of(network, ramps, Y)
    held = set(network.validation_.indices.tolist())
    assert held
    starts = {}
    for epoch in epochs:
        for x, length, _, owner in epoch[True]:
            assert length == min(8, ramps[owner].shape[1])
            first = x[0, 0, 0]
            assert_array_equal(x[0, 0, :length], first + np.arange(length))
            starts.setdefault(owner, set()).add(float(first))
        assert {row[3] for row in epoch[False]} == held
        for x, length, _, owner in epoch[False]:
            assert length == ramps[owner].shape[1]
            assert_array_equal(x[0, :, :length], ramps[owner])
    assert sum(len(drawn) > 1 for owner, drawn in starts.items() if owner) >= 6
    assert starts.get(0, {0.0}) == {0.0}


def test_recordings_are_answered_whole():
    network = small(crop_frames=8).fit(X, Y)
    lengths = []
    network.module_.register_forward_pre_hook(lambda module, given: lengths.extend(given[1]))
    network.predict(X)
    assert sorted(map(int, lengths)) == sorted(x.shape[1] for x in X)


def test_without_crops_recordings_are_trained_on_whole():
    (epoch,) = epochs_of(small(crop_frames=None, validation=None, max_epochs=1), X, Y)
    assert {row[3]: row[1] for row in epoch[True]} == {i: x.shape[1] for i, x in enumerate(X)}


def test_the_best_epoch_is_of_the_highest_unweighted_accuracy():
    labels = np.array(["calm"] * 8 + ["glad"] * 4)
    network = small(validation_fraction=0.25, max_epochs=3).fit(X, labels)
    held = network.validation_.indices
    (best,) = {max((row["valid_score"], -row["valid_loss"]) for row in network.history_)}
    predicted = network.predict(X[held])
    recalls = [np.mean(predicted[labels[held] == k] == k) for k in np.unique(labels[held])]
    assert best[0] == pytest.approx(np.mean(recalls))


# Parameters, copies and files


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"n_maps": (2, 4)}, r"n_maps is \(2, 4\); expected 3 integers, one a layer\."),
        ({"n_maps": ()}, r"n_maps is \(\); expected one or more positive integers\."),
        ({"n_maps": (2, 0, 4)}, r"n_maps is \(2, 0, 4\)"),
        ({"kernel_widths": ()}, r"kernel_widths is \(\)"),
        ({"kernel_widths": (3, 0)}, r"kernel_widths is \(3, 0\)"),
        ({"kernel_widths": ((5, 3),)}, r"kernel_widths is \(\(5, 3\),\)"),
    ],
)
def test_sizes_that_no_layer_has(parameters, message):
    with pytest.raises(ValueError, match=message):
        small(**parameters).fit(X, Y)


def test_sizes_in_any_sequence():
    given = {"n_maps": np.array([2, 4, 4]), "kernel_widths": [np.int64(1), 4]}
    found = small(**given).fit(X, Y).predict_proba(X)
    assert_array_equal(found, small().fit(X, Y).predict_proba(X))


def test_copies_and_files_answer_alike(tmp_path):
    network = small().fit(X, Y)
    wanted = network.predict_proba(X)
    save_model(network, tmp_path / "model.skspeech")
    loaded = load_model(tmp_path / "model.skspeech")
    assert loaded.get_params() == network.get_params()
    for same in (loaded, pickle.loads(pickle.dumps(network)), copy.deepcopy(network)):
        assert_array_equal(same.predict_proba(X), wanted)
    again = clone(loaded).fit(X, Y)
    for name, weights in network.module_.state_dict().items():
        assert torch.equal(again.module_.state_dict()[name], weights)


def test_warm_start_trains_on():
    network = small(warm_start=True, validation=None).fit(X, Y)
    before = copy.deepcopy(network.module_.state_dict())
    assert network.fit(X, Y).n_iter_ == 4
    after = network.module_.state_dict()
    assert not torch.equal(after["network.classes.weight"], before["network.classes.weight"])


@pytest.mark.parametrize("sample_rate", [8000, 16000])
def test_the_pipeline_reads_waveforms(sample_rate):
    system = MultiKernelBLSTMClassifier.pipeline(sample_rate=sample_rate)
    waves = [np.sin(np.arange(sample_rate // 4) * (0.1 + 0.01 * i)) for i in range(4)]
    assert [x.shape for x in system[:-1].fit_transform(waves)] == [(3, 40, 26)] * 4
    assert [name for name, _ in system.steps] == [
        "logmelspectrogram",
        "deltas",
        "multikernelblstmclassifier",
    ]
    system[-1].set_params(n_maps=(1, 1, 1), lstm_units=2, max_epochs=1, random_state=0)
    assert system.fit(waves, list("abab")).predict_proba(waves).shape == (4, 2)
    system.set_params(deltas="passthrough").fit(waves, list("abab"))
    assert system[-1].layout_ == (1, 40)
