"""What the three networks of Arronte Alvarez and Gómez-Martín (2020) promise alike."""

import copy
import pickle

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from torch.nn.functional import pad
from torch.nn.modules.batchnorm import _BatchNorm

from skspeech.models import CRNNClassifier, Residual50Classifier, ResidualBLSTMClassifier
from skspeech.models._motifs import MotifNetwork
from skspeech.persistence import load_model, save_model
from skspeech.recordings import object_array
from skspeech.testing import make_labels, make_recordings

X, Y = make_recordings("spectrogram", 12), make_labels(12)
BAGS = object_array([[x[:, :4], x[:, 2:9], x[:, 5:]] for x in X])
SMALL = {
    CRNNClassifier: {"n_maps": (3, 4, 4, 4), "gru_units": 5},
    Residual50Classifier: {"n_maps": 2, "n_blocks": (1, 2)},
    ResidualBLSTMClassifier: {"n_maps": 4, "lstm_units": 5},
}
EACH = pytest.mark.parametrize("cls", SMALL)


def small(cls, **parameters):
    defaults = {"dense_units": 6, "max_epochs": 2, "random_state": 0}
    return cls(**{**SMALL[cls], **defaults, **parameters})


def make_network(cls, layout=(1, 9), **parameters):
    """Return a small network whose normalisation does something."""
    torch.manual_seed(0)
    network = small(cls, **parameters)._make_network(layout, 3).eval()
    for layer in network.modules():
        if isinstance(layer, _BatchNorm):
            layer.running_mean.normal_()
            layer.running_var.uniform_(0.5, 2.0)
            torch.nn.init.normal_(layer.bias)
    return network


# The network


@EACH
@pytest.mark.parametrize("n_bins", [1, 2, 7, 40, 128, 400])
def test_any_number_of_bins(cls, n_bins):
    network = make_network(cls, (1, n_bins))
    x = torch.randn(2, 1, n_bins, 40)
    lengths = torch.tensor([33, 40])
    with torch.inference_mode():
        assert network.embed(x, lengths).shape == (2, network.embedding_size)
        assert network(x, lengths).isfinite().all()


@EACH
@pytest.mark.parametrize("n_bins", [5, 40])
@pytest.mark.parametrize("n_frames", [29, 30, 31, 32, 33, 36, 41, 47])
def test_padded_it_is_the_network_of_the_recording_alone(cls, n_bins, n_frames):
    network = make_network(cls, (1, n_bins))
    x, other = torch.randn(1, 1, n_bins, n_frames), torch.randn(1, 1, n_bins, 60)
    batch = torch.cat([pad(x, (0, 60 - n_frames)), other])
    with torch.inference_mode():
        for function in (network, network.embed):
            found = function(batch, torch.tensor([n_frames, 60]))
            alone = [function(r, torch.tensor([r.shape[-1]])) for r in (x, other)]
            torch.testing.assert_close(found, torch.cat(alone), rtol=0, atol=1e-5)


@EACH
def test_padding_reaches_no_gradient(cls):
    """In training, with the statistics of the batch, a wider batch moves the weights alike."""
    network = make_network(cls).double().train()
    for layer in network.modules():
        if isinstance(layer, torch.nn.Dropout):
            layer.p = 0.0
    x, lengths = torch.randn(3, 1, 9, 41).double(), torch.tensor([29, 41, 35])
    for row, n in zip(x, lengths, strict=True):
        row[..., n:] = 0
    gradients = []
    for extra in (0, 20):
        network.zero_grad()
        network(pad(x, (0, extra)), lengths).square().sum().backward()
        gradients.append([p.grad.clone() for p in network.parameters()])
    for tight, padded in zip(*gradients, strict=True):
        torch.testing.assert_close(padded, tight)


@EACH
def test_a_recording_is_padded_to_min_frames_and_counts_as_that_long(cls):
    plain, padding = make_network(cls), make_network(cls, min_frames=50)
    assert plain.min_input_length() == (29 if cls is CRNNClassifier else 1)
    assert padding.min_input_length() == 50
    assert make_network(cls, min_frames=1).min_input_length() == plain.min_input_length()
    short, long = X[1][:, :7], np.concatenate([X[1]] * 8, axis=1)[:, :60]
    wide, free = (
        small(cls, min_frames=n, validation=None, max_epochs=1).fit(X, Y) for n in (50, None)
    )
    free.module_.load_state_dict(wide.module_.state_dict())
    mean = wide.module_.mean.numpy()[0]
    filled = np.concatenate([short, np.repeat(mean, 43, axis=1)], axis=1)
    assert_allclose(wide.transform([short]), free.transform([filled]), rtol=0, atol=1e-5)
    assert np.abs(wide.transform([short]) - free.transform([short])).max() > 1e-4
    assert_allclose(wide.transform([long]), free.transform([long]), rtol=0, atol=1e-5)


def test_what_a_network_must_define():
    class Unfinished(MotifNetwork):
        pass

    with pytest.raises(TypeError, match=r"Unfinished must define embed\."):
        Unfinished().embed(torch.zeros(1), torch.ones(1))


# What comes out of the estimator


@EACH
def test_answers_depend_neither_on_order_nor_on_batches(cls):
    network = small(cls).fit(X, Y)
    wanted = network.predict_proba(X)
    embedded = network.transform(X)
    assert embedded.shape == (12, network.module_.network.embedding_size)
    alone = np.concatenate([network.predict_proba([x]) for x in X])
    assert_allclose(alone, wanted, rtol=0, atol=1e-5)
    assert_allclose(network.predict_proba(X[::-1])[::-1], wanted, rtol=0, atol=1e-5)
    for batching in ({"batch_size": 5}, {"batch_frames": 70}):
        network.net_.__dict__.update(batching)
        assert_allclose(network.predict_proba(X), wanted, rtol=0, atol=1e-5)
        assert_allclose(network.transform(X), embedded, rtol=1e-4, atol=1e-5)
    longer = object_array([*X, np.zeros((5, 300), "f")])
    assert_allclose(network.predict_proba(longer)[:-1], wanted, rtol=0, atol=1e-5)


@EACH
def test_recordings_of_one_frame(cls):
    frames = object_array([x[:, :1] for x in X])
    network = small(cls).fit(frames, Y)
    posteriors = network.predict_proba(frames)
    assert np.isfinite(posteriors).all()
    assert_allclose(network.predict_proba(frames[1:2])[0], posteriors[1], rtol=0, atol=1e-5)


@EACH
@pytest.mark.parametrize("batch_frames", [None, 60])
def test_a_bag_is_answered_by_the_mean_over_its_segments(cls, batch_frames):
    network = small(cls, batch_frames=batch_frames).fit(BAGS, Y)
    posteriors, embedded = network.predict_proba(BAGS), network.transform(BAGS)
    for row, bag in enumerate(BAGS):
        segments = object_array(list(bag))
        wanted = network.predict_proba(segments).mean(0)
        assert_allclose(posteriors[row], wanted, rtol=0, atol=1e-5)
        wanted = network.transform(segments).mean(0)
        assert_allclose(embedded[row], wanted, rtol=1e-4, atol=1e-5)


@EACH
def test_several_channels(cls):
    stereo = object_array([np.stack([x, x**2]) for x in X])
    assert small(cls).fit(stereo, Y).layout_ == (2, 5)


@EACH
def test_it_learns_a_small_problem(cls):
    rng = np.random.default_rng(0)
    labels = np.array(list("abc") * 20)
    chirps = object_array([_chirp(rng, label) for label in labels])
    network = small(cls, lr=1e-2, batch_size=8, max_epochs=12, patience=None, dense_units=16)
    network.set_params(n_maps=(4, 4) if cls is CRNNClassifier else 4)
    assert network.fit(chirps[:45], labels[:45]).score(chirps[45:], labels[45:]) >= 0.8


def _chirp(rng, label):
    """Return noise with a line that rises, falls or stays, 13 to 30 frames long."""
    n = rng.integers(13, 31)
    x = rng.normal(size=(12, n)).astype("f")
    path = {"a": np.linspace(1, 10, n), "b": np.linspace(10, 1, n), "c": np.full(n, 5)}[label]
    x[path.round().astype(int), np.arange(n)] += 4
    return x


# Parameters, copies and files


@EACH
def test_the_defaults_are_the_papers(cls):
    published = {
        "max_epochs": 20,
        "lr": 1e-3,
        "batch_size": 64,
        "optimizer": "adam",
        "patience": 2,
        "dense_units": 1024,
        "min_frames": None,
        "batch_frames": None,
        "validation": "auto",
    }
    parameters = cls().get_params()
    assert {name: parameters[name] for name in published} == published


@EACH
def test_copies_and_files_answer_alike(cls, tmp_path):
    network = small(cls).fit(BAGS, Y)
    wanted = network.predict_proba(BAGS)
    save_model(network, tmp_path / "model.skspeech")
    loaded = load_model(tmp_path / "model.skspeech")
    assert loaded.get_params() == network.get_params()
    for same in (loaded, pickle.loads(pickle.dumps(network)), copy.deepcopy(network)):
        assert_array_equal(same.predict_proba(BAGS), wanted)
    again = clone(loaded).fit(BAGS, Y)
    for name, weights in network.module_.state_dict().items():
        assert torch.equal(again.module_.state_dict()[name], weights)


@EACH
def test_warm_start_trains_on(cls):
    network = small(cls, warm_start=True, validation=None).fit(X, Y)
    before = network.module_.network.head[0].weight.detach().clone()
    assert network.fit(X, Y).n_iter_ == 4
    assert not torch.equal(network.module_.network.head[0].weight, before)


@EACH
@pytest.mark.parametrize(("sample_rate", "n_frames"), [(16000, 21), (8000, 21), (44100, 21)])
def test_the_pipeline_reads_waveforms(cls, sample_rate, n_frames):
    system = cls.pipeline(sample_rate=sample_rate)
    assert [name for name, _ in system.steps] == ["logmelspectrogram", cls.__name__.lower()]
    waves = [np.sin(np.arange(sample_rate // 4) * (0.1 + 0.01 * i)) for i in range(4)]
    assert [x.shape for x in system[:-1].fit_transform(waves)] == [(128, n_frames)] * 4
    system.steps[-1] = (cls.__name__.lower(), small(cls, max_epochs=1))
    assert system.fit(waves, list("abab")).predict_proba(waves).shape == (4, 2)


@EACH
def test_the_front_end_is_the_papers_at_16_khz(cls):
    front = cls.pipeline()[0]
    assert (front.n_fft, front.hop_length, front.n_mels) == (400, 200, 128)
    assert front.sample_rate == 16000


@EACH
def test_sizes_may_be_numpys(cls):
    given = {
        name: np.array(value) if isinstance(value, tuple) else np.int64(value)
        for name, value in {**SMALL[cls], "dense_units": 6, "min_frames": 30}.items()
    }
    found = cls(**given, max_epochs=1, random_state=0).fit(X, Y).predict_proba(X)
    wanted = small(cls, min_frames=30, max_epochs=1).fit(X, Y).predict_proba(X)
    assert_array_equal(found, wanted)


@pytest.mark.parametrize(
    ("estimator", "message"),
    [
        (small(CRNNClassifier, n_maps=()), r"n_maps is \(\); expected one or more"),
        (small(CRNNClassifier, n_maps=(3, 0)), r"n_maps is \(3, 0\)"),
        (small(Residual50Classifier, n_blocks=()), r"n_blocks is \(\)"),
        (small(Residual50Classifier, n_blocks=(1, 1.5)), r"n_blocks is \(1, 1\.5\)"),
        (small(ResidualBLSTMClassifier, min_frames=0), r"'min_frames' parameter"),
    ],
)
def test_sizes_that_no_layer_has(estimator, message):
    with pytest.raises(ValueError, match=message):
        estimator.fit(X, Y)


@EACH
def test_a_network_of_other_least_frames_is_not_saved(cls, tmp_path):
    network = small(cls).fit(X, Y).set_params(min_frames=99)
    with pytest.raises(ValueError, match="describe another network"):
        save_model(network, tmp_path / "model")
