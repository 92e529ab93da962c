"""The networks of Ma et al. (2018): their stages, their masks, their weights in the loss."""

import copy
import pickle

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from skorch.callbacks import Callback
from torch import nn
from torch.nn.functional import max_pool2d, pad, relu

from skspeech.models import FixedLengthCRNNClassifier, VariableLengthCRNNClassifier
from skspeech.models.variable_length_crnn import CRNN
from skspeech.persistence import load_model, save_model
from skspeech.recordings import object_array
from skspeech.testing import make_labels, make_recordings
from skspeech.training.batches import collate, survey
from skspeech.training.labels import segment_weights
from skspeech.training.parts import make_parts

BOTH = pytest.mark.parametrize("kind", [VariableLengthCRNNClassifier, FixedLengthCRNNClassifier])
X, Y = make_recordings("spectrogram", 12), make_labels(12)
BAGS = object_array([[x[:, :6], *([x[:, 6:]] * (1 + i % 3))] for i, x in enumerate(X)])


def small(kind=VariableLengthCRNNClassifier, **parameters):
    defaults = {"n_maps": (3, 4), "kernel_sizes": ((2, 4), 3), "pool_sizes": ((1, 2), 2)}
    defaults |= {"recurrent_units": 4, "max_epochs": 2, "random_state": 0}
    return kind(**{**defaults, **parameters})


def make_network(**parameters):
    """Return the network of the published sizes, or with others, in training mode."""
    torch.manual_seed(0)
    return VariableLengthCRNNClassifier(**parameters)._make_network((1, 400), 4)


def small_network(**parameters):
    torch.manual_seed(0)
    return small(dropout=0.0, **parameters)._make_network((1, 6), 3)


def n_parameters(module):
    return sum(parameter.numel() for parameter in module.parameters())


def plain_embedding(network, x):
    """Return the embedding of one unpadded recording, from plain torch and ReLU before pool."""
    x = x[None]
    layers = list(network.blocks)
    for conv, pool in zip(layers[::3], layers[1::3], strict=True):
        edges = [((k - 1) // 2, k // 2) for k in conv.kernel_size[::-1]]  # time first
        x = nn.functional.conv2d(pad(x, (*edges[0], *edges[1])), conv.weight, conv.bias)
        x = max_pool2d(relu(x), [window.kernel for window in pool.windows])
    outputs, _ = network.recurrent.rnn(x.flatten(1, 2).transpose(1, 2))
    half = outputs.shape[-1] // 2
    return torch.cat([outputs[:, -1, :half], outputs[:, 0, half:]], 1)


class Batches(Callback):
    """Keeps what training reads; on the class, because the callback is copied."""

    seen: list = []

    def on_batch_begin(self, net, batch=None, training=False, **kwargs):
        self.seen.append((training, *(part.clone() for part in (*batch[0].values(), *batch[1]))))


def batches_of(network, recordings, labels):
    """Fit, and return (training, inputs, lengths, targets, weights, recording) of each batch."""
    Batches.seen.clear()
    network.set_params(callbacks=[Batches()]).fit(recordings, labels)
    return list(Batches.seen)


def weights_by_recording(batches):
    """Return the weights in the loss of each recording's segments."""
    found = {}
    for training, _, _, _, weights, owners in batches:
        for owner, weight in zip(owners.tolist(), weights.tolist(), strict=True):
            if training:
                found.setdefault(owner, []).append(weight)
    return [found[i] for i in sorted(found)]


# The published sizes


def test_stages_of_three_seconds():
    network = make_network().eval()
    x, lengths = torch.zeros(1, 1, 400, 300), torch.tensor([300])
    shapes = []
    for layer in network.blocks:
        if isinstance(layer, nn.ReLU):
            x = layer(x)
        else:
            x, lengths = layer(x, lengths)
            shapes.append(tuple(x.shape[1:]))
    assert shapes == [
        (16, 400, 300),
        (16, 200, 150),
        (24, 200, 150),
        (24, 100, 75),
        (32, 100, 75),
        (32, 50, 37),
    ]
    assert lengths.tolist() == [37]
    assert network.recurrent.rnn.input_size == 1600
    assert network.recurrent(x.flatten(1, 2), lengths).shape == (1, 256)
    assert network.embedding_size == 256


def test_parameters_of_the_published_sizes():
    network = make_network()
    assert [n_parameters(layer) for layer in list(network.blocks)[::3]] == [3_088, 36_888, 26_912]
    assert n_parameters(network.blocks) == 66_888
    assert n_parameters(network.recurrent) == 1_328_640
    assert n_parameters(network) == 1_396_556
    assert n_parameters(make_network(cell="lstm")) == 1_839_436
    assert network.min_input_length() == 8


def test_both_estimators_have_the_same_network_and_training():
    variable, fixed = VariableLengthCRNNClassifier(), FixedLengthCRNNClassifier()
    wanted = variable.get_params()
    assert wanted.pop("length_weighted") is True
    assert fixed.get_params() == wanted
    assert str(fixed._make_network((1, 9), 2)) == str(variable._make_network((1, 9), 2))


# What a recording alone gives


@pytest.mark.parametrize("cell", ["gru", "lstm"])
@pytest.mark.parametrize("n_frames", [4, 5, 6, 7, 13, 21])
def test_padded_it_is_the_plain_network_of_the_recording_alone(cell, n_frames):
    """Masks, odd lengths, ReLU behind the pool and the last valid outputs, all at once."""
    network = small_network(cell=cell).eval()
    x, other = torch.randn(1, 6, n_frames), torch.randn(1, 6, 40)
    batch = torch.stack([pad(x, (0, 40 - n_frames)), other])
    with torch.inference_mode():
        found = network.embed(batch, torch.tensor([n_frames, 40]))
        expected = torch.cat([plain_embedding(network, r) for r in (x, other)])
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)


def test_pool_before_relu_is_relu_before_pool():
    network = small_network().eval()
    conv, pool, activation = network.blocks[:3]
    x, lengths = conv(torch.randn(3, 1, 6, 11), torch.tensor([11, 7, 2]))
    found, n_found = pool(x, lengths)
    wanted, n_wanted = pool(activation(x), lengths)
    assert torch.equal(activation(found), wanted)
    assert torch.equal(n_found, n_wanted)


def test_an_incomplete_pool_is_dropped():
    """Section 4.2: with kernels of one frame, the last frame of an odd length is never read."""
    network = small_network(n_maps=(3,), kernel_sizes=(1,), pool_sizes=(2,)).eval()
    x = torch.randn(2, 1, 6, 8)
    changed = x.clone()
    changed[0, ..., 4] += 100
    lengths = torch.tensor([5, 8])
    with torch.inference_mode():
        assert torch.equal(network.embed(changed, lengths), network.embed(x, lengths))
    assert network.blocks.output_lengths(torch.tensor([301, 5, 2])).tolist() == [150, 2, 1]


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_gradients_of_a_padded_batch_are_those_of_its_recordings(cell):
    network = small_network(cell=cell).train()
    recordings = [np.random.default_rng(i).random((1, 6, n), "f") for i, n in enumerate((4, 9, 17))]
    weights = torch.tensor([0.5, 1.0, 2.0])

    def gradients(batches):
        network.zero_grad()
        for part, share in batches:
            batch = collate(part)
            logits = network(batch["inputs"], batch["lengths"])
            (logits.square().sum(1) * share).sum().backward()
        return [parameter.grad.clone() for parameter in network.parameters()]

    alone = gradients([([r], w) for r, w in zip(recordings, weights, strict=True)])
    for found, expected in zip(gradients([(recordings, weights)]), alone, strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


@BOTH
def test_predictions_depend_on_the_recording_alone(kind):
    network = small(kind).fit(X, Y)
    wanted = network.predict_proba(X)
    alone = np.concatenate([network.predict_proba([x]) for x in X])
    assert_allclose(alone, wanted, rtol=0, atol=1e-5)
    assert_allclose(network.predict_proba(X[::-1])[::-1], wanted, rtol=0, atol=1e-5)
    for batching in ({"batch_size": 5, "batch_frames": None}, {"batch_frames": 70}):
        network.net_.__dict__.update(batching)
        assert_allclose(network.predict_proba(X), wanted, rtol=0, atol=1e-5)
    longer = object_array([*X, np.zeros((5, 700), "f")])
    assert_allclose(network.predict_proba(longer)[:-1], wanted, rtol=0, atol=1e-5)


@BOTH
@pytest.mark.parametrize("n_frames", [1, 3])
def test_shorter_than_the_network_reads(kind, n_frames):
    short = object_array([x[:, :n_frames] if i < 4 else x for i, x in enumerate(X)])
    network = small(kind).fit(short, Y)
    assert network.module_.network.min_input_length() == 4
    posteriors = network.predict_proba(short)
    assert np.isfinite(posteriors).all()
    assert_allclose(network.predict_proba([short[1]])[0], posteriors[1], rtol=0, atol=1e-5)
    assert small(kind).fit([x[:, :1] for x in X], Y).predict(X).shape == (12,)


# Weights in the loss


def test_a_recording_weighs_by_its_length_and_class():
    labels = np.array(["calm"] * 8 + ["glad"] * 4)
    network = small(validation=None, max_epochs=1)
    found = [weight for (weight,) in weights_by_recording(batches_of(network, X, labels))]
    lengths = np.array([x.shape[1] for x in X])
    by_hand = 1 / lengths / np.array([8] * 8 + [4] * 4)
    assert_allclose(found, by_hand / by_hand.mean(), rtol=1e-5)
    codes, shares = (labels == "glad").astype(int), np.array([12 / 8 / 2, 12 / 4 / 2])
    trained = np.ones(12, dtype=bool)
    by_survey = segment_weights(survey(X), codes, shares, trained, by_length=True)
    assert_allclose(found, by_survey, rtol=1e-5)
    network.set_params(length_weighted=False)
    found = [weight for (weight,) in weights_by_recording(batches_of(network, X, labels))]
    assert_allclose(found, [12 / 8 / 2] * 8 + [12 / 4 / 2] * 4, rtol=1e-5)


def test_the_weights_are_one_on_average_over_what_is_trained_on():
    parts = make_parts(
        X,
        np.arange(12) % 2,
        np.array([0, 1]),
        np.array([0, 1, 2]),
        class_weight="balanced",
        scheme=VariableLengthCRNNClassifier()._training_scheme(),
    )
    assert float(parts.training.weights.mean()) == pytest.approx(1)
    product = parts.training.weights.numpy() * parts.training.lengths
    targets = parts.training.targets.numpy()
    sums = [product[targets == k].sum() for k in (0, 1)]
    assert sums[0] == pytest.approx(sums[1], rel=1e-5), "the classes weigh alike but for lengths"


def test_a_piece_counts_as_one_of_its_class():
    labels = np.array(["calm"] * 8 + ["glad"] * 4)
    network = small(FixedLengthCRNNClassifier, validation=None, max_epochs=1)
    found = weights_by_recording(batches_of(network, BAGS, labels))
    n_pieces = np.array([len(bag) for bag in BAGS])
    assert [len(weights) for weights in found] == n_pieces.tolist()
    n_calm, n_glad = n_pieces[:8].sum(), n_pieces[8:].sum()
    n_all = n_calm + n_glad
    wanted = [n_all / n_calm / 2] * n_calm + [n_all / n_glad / 2] * n_glad
    assert_allclose(np.concatenate(found), wanted, rtol=1e-5)


@BOTH
def test_the_posterior_is_the_mean_over_the_pieces(kind):
    network = small(kind).fit(BAGS, Y)
    found = network.predict_proba(BAGS)
    one_by_one = [network.predict_proba(list(bag)).mean(axis=0) for bag in BAGS]
    assert_allclose(found, one_by_one, rtol=0, atol=1e-5)
    assert_allclose(found.sum(axis=1), 1, atol=1e-12)


# Parameters, copies and files


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"n_maps": (3,)}, r"got 1, 2, 2\. Make them equally long"),
        ({"kernel_sizes": (3, 3, 3)}, r"got 2, 3, 2\. Make them equally long"),
        ({"n_maps": (), "kernel_sizes": (), "pool_sizes": ()}, r"n_maps is \(\); expected one"),
        ({"n_maps": (3, 0)}, r"n_maps is \(3, 0\); expected one or more positive integers\."),
        ({"n_maps": (3, 2.5)}, r"n_maps is \(3, 2\.5\)"),
        ({"n_maps": ("a", "b")}, r"n_maps is \('a', 'b'\)"),
        ({"kernel_sizes": (3, (3, 3, 3))}, r"kernel_sizes is \(3, \(3, 3, 3\)\).*\(bins, frames\)"),
        ({"kernel_sizes": (3, 0.5)}, r"kernel_sizes is \(3, 0\.5\)"),
        ({"pool_sizes": (2, (0, 2))}, r"pool_sizes is \(2, \(0, 2\)\)"),
    ],
)
@BOTH
def test_sizes_that_no_layer_has(kind, parameters, message):
    with pytest.raises(ValueError, match=message):
        small(kind, **parameters).fit(X, Y)


def test_sizes_in_any_sequence():
    wanted = small(n_maps=(3, 4), kernel_sizes=(2, 3)).fit(X, Y).predict_proba(X)
    arrays = {"n_maps": np.array([3, 4]), "kernel_sizes": np.array([[2, 2], [3, 3]])}
    for given in (arrays, {"n_maps": [3, 4], "kernel_sizes": [np.int64(2), [3, 3]]}):
        assert_array_equal(small(**given).fit(X, Y).predict_proba(X), wanted)


@BOTH
def test_copies_and_files_answer_alike(kind, tmp_path):
    network = small(kind).fit(BAGS, Y)
    wanted = network.predict_proba(BAGS)
    save_model(network, tmp_path / "model.skspeech")
    loaded = load_model(tmp_path / "model.skspeech")
    assert loaded.get_params() == network.get_params()
    assert loaded.kernel_sizes == ((2, 4), 3)
    for same in (loaded, pickle.loads(pickle.dumps(network)), copy.deepcopy(network)):
        assert_array_equal(same.predict_proba(BAGS), wanted)
    again = clone(loaded).fit(BAGS, Y)
    assert_array_equal(again.predict_proba(BAGS), wanted)
    for name, weights in network.module_.state_dict().items():
        assert torch.equal(again.module_.state_dict()[name], weights)


@BOTH
def test_warm_start_trains_on(kind):
    network = small(kind, warm_start=True, validation=None).fit(BAGS, Y)
    before = copy.deepcopy(network.module_.state_dict())
    network.set_params(batch_frames=80).fit(BAGS, Y)
    assert network.n_iter_ == 4
    assert network.net_.batch_frames == 80
    after = network.module_.state_dict()
    assert not torch.equal(after["network.classes.weight"], before["network.classes.weight"])


@pytest.mark.parametrize("sample_rate", [8000, 16000])
@BOTH
def test_the_pipelines_read_waveforms(kind, sample_rate):
    system = kind.pipeline(sample_rate=sample_rate)
    waves = [np.sin(np.arange(sample_rate // 4) * (0.1 + 0.01 * i)) for i in range(4)]
    waves.append(np.zeros(round(3.2 * sample_rate)))
    front_end = [*system[:-1].fit_transform(waves)]
    if kind is FixedLengthCRNNClassifier:
        assert [len(bag) for bag in front_end] == [1, 1, 1, 1, 2]
        assert {piece.shape for bag in front_end for piece in bag} == {(400, 301)}
    else:
        assert [x.shape for x in front_end] == [(400, 26)] * 4 + [(400, 321)]
    assert type(system[-1]) is kind
    system[-1].set_params(n_maps=(1, 1, 1), kernel_sizes=(1, 3, 3), recurrent_units=2)
    system[-1].set_params(pool_sizes=(4, 2, 2), max_epochs=1, random_state=0)
    assert system.fit(waves[2:], list("aba")).predict_proba(waves[2:]).shape == (3, 2)


def test_any_number_of_bins_and_channels():
    for n_bins in (1, 2, 5):
        network = CRNN(
            (3, n_bins), 2, n_maps=(2, 2), kernel_sizes=(3, (2, 3)), pool_sizes=(2, (4, 2)),
            cell="gru", recurrent_units=3, dropout=0.0,
        )  # fmt: skip
        assert network(torch.zeros(2, 3, n_bins, 9), torch.tensor([4, 9])).shape == (2, 2)
