"""The flow: there and back, its volume, and what it is made of."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn.functional import conv1d, conv_transpose1d

from skspeech.vocoders._waveglow_network import (
    WaveGlow,
    WaveGlowSizes,
    add_weight_norm,
    build,
    fold_weight_norm,
)

SMALL = WaveGlowSizes(
    n_mels=4, hop_length=16, n_flows=6, n_group=8, n_early_every=2, n_layers=3, n_channels=8
)


@pytest.fixture(params=[False, True], ids=["", "halves exchanged"])
def network(request):
    """A small network, none of whose coupling layers is the identity."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = WaveGlow(replace(SMALL, exchange_halves=request.param))
        for coupling in network.WN:
            torch.nn.init.normal_(coupling.end.weight, std=0.1)
            torch.nn.init.normal_(coupling.end.bias, std=0.1)
    return network.eval().requires_grad_(False)


def drawn(*shape, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).standard_normal(shape, dtype=np.float32))


def test_a_waveform_comes_back(network):
    mels, audio = drawn(2, 4, 9), drawn(2, 9 * 16, seed=1)
    noise, _ = network(mels, audio)
    assert noise.shape == (2, 8, 18)
    torch.testing.assert_close(network.infer(mels, noise), audio, atol=1e-4, rtol=0)


def test_sound_is_made_step_by_step_as_nvidia_does(network):
    """Which channel is which: a network that has them otherwise is as good, until it gets weights.

    Of SMALL: flows 2 and 4 give out two channels each, so that there are 8, 6 and 4.
    """
    weights = network.state_dict()

    def convolved(x, name, **options):
        return conv1d(x, weights[f"{name}.weight"], weights[f"{name}.bias"], **options)

    mels, noise = drawn(1, 4, 9), drawn(1, 8, 18, seed=1)
    upsampled = conv_transpose1d(mels, *(weights[f"upsample.{x}"] for x in ("weight", "bias")), 16)
    spectra = torch.stack([upsampled[:, m, s:144:8] for m in range(4) for s in range(8)], 1)
    rest = noise[:, 4:]
    for flow in reversed(range(6)):
        exchanged = network.sizes.exchange_halves and flow in (1, 3, 5)
        kept, moved = rest.chunk(2, 1)[:: -1 if exchanged else 1]
        hidden, skipped = convolved(kept, f"WN.{flow}.start"), 0
        conditions = convolved(spectra, f"WN.{flow}.cond_layer").split(16, 1)
        for i in range(3):
            gates = convolved(hidden, f"WN.{flow}.in_layers.{i}", padding=2**i, dilation=2**i)
            gates = gates + conditions[i]
            passed = gates[:, :8].tanh() * gates[:, 8:].sigmoid()
            answer = convolved(passed, f"WN.{flow}.res_skip_layers.{i}")
            skipped = skipped + answer[:, -8:]
            hidden = hidden + answer[:, :8]  # not read after the last
        bias, log_scale = convolved(skipped, f"WN.{flow}.end").chunk(2, 1)
        halves = [kept, (moved - bias) / log_scale.exp()]
        rest = torch.cat(halves[:: -1 if exchanged else 1], 1)
        rest = weights[f"convinv.{flow}.conv.weight"][:, :, 0].inverse() @ rest
        if flow in (2, 4):
            rest = torch.cat([noise[:, flow - 2 : flow], rest], 1)
    wanted = rest.transpose(1, 2).flatten(1)
    torch.testing.assert_close(network.infer(mels, noise), wanted, atol=1e-5, rtol=1e-4)


def test_noise_comes_back(network):
    mels, noise = drawn(1, 4, 9), drawn(1, 8, 18, seed=1)
    torch.testing.assert_close(
        network(mels, network.infer(mels, noise))[0], noise, atol=1e-4, rtol=0
    )


def test_nvidias_sizes_come_back():
    """Twelve flows of eight layers in full depth, with fewer channels."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = WaveGlow(WaveGlowSizes(n_channels=8)).requires_grad_(False)
        for coupling in network.WN:
            torch.nn.init.normal_(coupling.end.weight, std=0.1)
    mels, audio = drawn(1, 80, 12), 0.3 * drawn(1, 12 * 256, seed=1)
    noise, _ = network(mels, audio)
    torch.testing.assert_close(network.infer(mels, noise), audio, atol=1e-4, rtol=0)


def test_exchanged_halves_keep_the_second():
    """Of two flows the second keeps the half that the first moves."""
    sizes = replace(SMALL, n_flows=2, n_early_every=9, exchange_halves=True)
    network = WaveGlow(sizes).requires_grad_(False)
    for mixing, coupling in zip(network.convinv, network.WN, strict=True):
        mixing.conv.weight[:] = torch.eye(8)[:, :, None]
        coupling.end.bias[:4] = 1.0
    noise, _ = network(drawn(1, 4, 1), torch.zeros(1, 16))
    assert noise[0].tolist() == [[1.0, 1.0]] * 8
    assert "exchange_halves" in network.state_dict()
    assert "exchange_halves" not in WaveGlow(SMALL).state_dict()


def test_volume_is_that_of_the_jacobian(network):
    network = network.double()
    mels, audio = drawn(1, 4, 1).double(), drawn(1, 16, seed=1).double()
    jacobian = torch.autograd.functional.jacobian(
        lambda a: network(mels, a)[0].flatten(), audio.requires_grad_()
    )
    wanted = torch.linalg.slogdet(jacobian.reshape(16, 16))[1]
    torch.testing.assert_close(network(mels, audio)[1], wanted)


def test_an_untrained_network_sees_white_noise_for_what_it_is():
    network = WaveGlow(SMALL)
    audio = drawn(3, 144)
    wanted = -(audio.square().mean() + np.log(2 * np.pi)) / 2
    torch.testing.assert_close(network.log_likelihood(drawn(3, 4, 9), audio), wanted)


def test_number_of_parameters_is_nvidias():
    with torch.device("meta"):
        network = WaveGlow(WaveGlowSizes())
        assert sum(p.numel() for p in network.parameters()) == 87_731_816
        add_weight_norm(network)
        assert sum(p.numel() for p in network.parameters()) == 87_879_272


def test_weight_norm_is_folded_to_the_same_network(network):
    mels, audio = drawn(1, 4, 9), drawn(1, 144, seed=1)
    before = network(mels, audio)[0]
    add_weight_norm(network)
    torch.testing.assert_close(network(mels, audio)[0], before)
    fold_weight_norm(network)
    torch.testing.assert_close(network(mels, audio)[0], before)


def test_build_shares_memory(network):
    weights = network.state_dict()
    built = build(network.sizes, weights)
    mels, noise = drawn(1, 4, 9), drawn(1, 8, 18, seed=1)
    torch.testing.assert_close(built.infer(mels, noise), network.infer(mels, noise))
    assert built.upsample.weight.data_ptr() == weights["upsample.weight"].data_ptr()


def test_reach_is_how_far_a_change_is_heard(network):
    n_frames = 4 * SMALL.reach
    mels, noise = drawn(1, 4, n_frames), drawn(1, 8, 2 * n_frames, seed=1)
    before = network.infer(mels, noise)
    middle = n_frames // 2
    mels[:, :, middle] += 1
    noise[:, :, 2 * middle] += 1
    changed = (network.infer(mels, noise) != before)[0].nonzero()
    first, last = changed.min() // 16, changed.max() // 16
    assert middle - SMALL.reach <= first < middle < last <= middle + SMALL.reach


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"n_group": 4}, "n_group=4 leaves no even number"),
        ({"n_group": 12}, "no multiple of n_group"),
        ({"kernel_size": 2}, "must be odd"),
    ],
)
def test_sizes_that_do_not_go_together(wrong, message):
    with pytest.raises(ValueError, match=message):
        WaveGlowSizes(**wrong)
