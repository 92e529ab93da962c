"""Batch normalisation answers with statistics of the network as it stands, not as it was."""

import numpy as np
import pytest
import torch

from skspeech.models import CNNLSTM2DClassifier
from skspeech.testing import make_labels, make_recordings, small_instance
from skspeech.training import net as net_module
from skspeech.training.population import EpochSample

X, Y = make_recordings("spectrogram", 24), make_labels(24)


def network(**parameters):
    defaults = {
        "n_maps": (4, 4),
        "pool_sizes": (2, 2),
        "lstm_units": 4,
        "max_epochs": 3,
        "lr": 0.05,
    }
    return CNNLSTM2DClassifier(**{**defaults, "batch_size": 6, "random_state": 0, **parameters})


def norms(fitted):
    return [layer for layer in fitted.module_.modules() if hasattr(layer, "running_mean")]


@pytest.mark.parametrize("validation", [None, "stratified"])
def test_statistics_are_those_of_the_final_weights(validation):
    fitted = network(validation=validation, patience=None).fit(X, Y)
    (first, *_) = norms(fitted)
    trained_on = [x for i, x in enumerate(X) if i not in fitted.validation_.indices]
    # the first convolution sees the data alone: its population needs no other layer's
    module = fitted.module_
    outputs = []
    for x in trained_on:
        inputs = (torch.as_tensor(x)[None, None] - module.mean) / module.scale
        lengths = torch.tensor([x.shape[-1]])
        outputs.append(module.network.blocks[0](inputs, lengths)[0].detach()[0].flatten(1))
    frames = torch.cat(outputs, dim=1)
    torch.testing.assert_close(first.running_mean, frames.mean(1), rtol=1e-4, atol=1e-4)
    # what batches differ by in their means is not in the mean of their variances
    torch.testing.assert_close(first.running_var, frames.var(1), rtol=0.1, atol=0.02)


def test_the_weights_learnt_are_the_same(monkeypatch):
    wanted = dict(network(validation=None).fit(X, Y).module_.named_parameters())
    monkeypatch.setattr(net_module, "measure_population", lambda net, batches: None)
    found = dict(network(validation=None).fit(X, Y).module_.named_parameters())
    for name, parameter in wanted.items():
        assert torch.equal(found[name], parameter), name


def test_without_batch_normalisation_no_batches_are_kept(monkeypatch):
    kept = []
    offer = EpochSample.offer
    monkeypatch.setattr(
        EpochSample, "offer", lambda self, batch: (kept.append(1), offer(self, batch))
    )
    small_instance("VariableLengthCRNNClassifier").set_params(max_epochs=1).fit(X, Y)
    assert not kept
    network(max_epochs=1).fit(X, Y)
    assert kept


def test_layers_are_left_as_they_were():
    fitted = network().fit(X, Y)
    assert not any(module.training for module in fitted.module_.modules())
    assert {layer.momentum for layer in norms(fitted)} == {0.1}
    assert fitted.net_.sample is None, "the recordings do not travel with the net"


def test_the_first_epochs_are_judged_as_what_they_are():
    # classes told apart at once: running averages would still remember the first weights
    rng = np.random.default_rng(0)
    data = [rng.normal(size=(5, 30)) + 3 * (label == "odd") for label in Y]
    fitted = network(validation="stratified", validation_fraction=0.25, lr=1e-2).fit(data, Y)
    assert fitted.history_[0]["valid_score"] == 1.0


@pytest.mark.parametrize(
    ("n_batches", "batch_size"), [(1, 32), (3, 32), (7, 32), (40, 32), (90, 4)]
)
def test_the_sample_is_spread_over_the_epoch(n_batches, batch_size):
    sample = EpochSample(n_batches, batch_size)
    for i in range(n_batches):
        sample.offer({"i": i})
    kept = [batch["i"] for batch in sample.batches]
    assert len(kept) >= min(n_batches, 4, -(-128 // batch_size))
    assert len(kept) <= 2 * max(4, 128 // batch_size)
    assert len(set(np.diff(kept))) <= 1
    assert n_batches - kept[-1] <= max(1, n_batches // 4)


def test_a_bag_of_many_segments_is_not_all_that_is_measured():
    seen = set()
    bags = [[np.full((5, 20), i, np.float32) for _ in range(40)] for i in range(20)]

    class Watched(EpochSample):
        def offer(self, batch):
            super().offer(batch)
            seen.update(np.unique(self.batches[-1]["inputs"][..., 0].numpy()).tolist())

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(net_module, "EpochSample", Watched)
        network(validation=None, standardize=None, max_epochs=1, batch_size=32).fit(
            bags, make_labels(20)
        )
    assert len(seen) > 10
