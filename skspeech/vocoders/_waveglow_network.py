"""The WaveGlow network: a flow between waveforms and noise, conditioned on mel spectra.

Prenger, R., Valle, R. and Catanzaro, B. (2019). WaveGlow: a flow-based generative network for
speech synthesis. ICASSP 2019.

Modules and tensors have the names of NVIDIA's published code, so that the weights of its
checkpoints fit once weight normalisation is folded in.
"""

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn.functional import conv1d
from torch.nn.utils.parametrizations import weight_norm
from torch.nn.utils.parametrize import remove_parametrizations

__all__ = ["WaveGlow", "WaveGlowSizes", "add_weight_norm", "build", "fold_weight_norm"]


@dataclass(frozen=True, kw_only=True)
class WaveGlowSizes:
    """The sizes of a WaveGlow; the defaults are those of NVIDIA's ``config.json``.

    Parameters
    ----------
    n_mels : int, default=80
        Bands of the spectra.
    hop_length : int, default=256
        Samples a spectrum stands for; the upsampling kernel is four times as long.
    n_flows : int, default=12
        Pairs of a 1 x 1 convolution and a coupling layer.
    n_group : int, default=8
        Consecutive samples that are the channels of one step; even.
    n_early_every, n_early_size : int, default=4 and 2
        After so many flows, so many channels are given out as they are.
    n_layers, n_channels, kernel_size : int, default=8, 256 and 3
        Of the dilated convolutions of a coupling layer.
    exchange_halves : bool, default=False
        Whether every other coupling layer moves the first half of the channels by the second, as
        in NVIDIA's first network (``glow_old.py``).

    Raises
    ------
    ValueError
        If a flow would be left without channels, or with an odd number of them.
    """

    n_mels: int = 80
    hop_length: int = 256
    n_flows: int = 12
    n_group: int = 8
    n_early_every: int = 4
    n_early_size: int = 2
    n_layers: int = 8
    n_channels: int = 256
    kernel_size: int = 3
    exchange_halves: bool = False

    def __post_init__(self) -> None:
        if self.channels(self.n_flows - 1) < 2 or any(
            self.channels(k) % 2 for k in range(self.n_flows)
        ):
            raise ValueError(
                f"n_group={self.n_group} leaves no even number of channels to each of "
                f"{self.n_flows} flows when {self.n_early_size} are given out every "
                f"{self.n_early_every}. Raise n_group or n_early_every."
            )
        if self.hop_length % self.n_group:
            raise ValueError(
                f"hop_length is {self.hop_length}, no multiple of n_group, {self.n_group}."
            )
        if self.kernel_size % 2 == 0:
            raise ValueError(f"kernel_size is {self.kernel_size}; it must be odd.")

    def channels(self, flow: int) -> int:
        """Return how many channels a flow reads."""
        return self.n_group - self.n_early_size * (flow // self.n_early_every)

    def gives_out(self, flow: int) -> bool:
        """Say whether channels are given out before a flow."""
        return flow > 0 and flow % self.n_early_every == 0

    @property
    def reach(self) -> int:
        """How many frames away a spectrum or a noise may still change a sample."""
        steps = self.n_flows * (self.kernel_size - 1) // 2 * (2**self.n_layers - 1)
        return math.ceil(steps * self.n_group / self.hop_length) + 4  # 4: the upsampling kernel


class _Coupling(nn.Module):
    """Bias and logarithm of scale for half the channels, by the other half and the spectra."""

    def __init__(self, n_half: int, sizes: WaveGlowSizes):
        super().__init__()
        n, kernel = sizes.n_channels, sizes.kernel_size
        self.n_channels = n
        self.start = nn.Conv1d(n_half, n, 1)
        self.cond_layer = nn.Conv1d(sizes.n_mels * sizes.n_group, 2 * n * sizes.n_layers, 1)
        self.in_layers = nn.ModuleList(
            nn.Conv1d(n, 2 * n, kernel, dilation=2**i, padding=(kernel - 1) // 2 * 2**i)
            for i in range(sizes.n_layers)
        )
        # the last layer has no residual
        widths = [2 * n] * (sizes.n_layers - 1) + [n]
        self.res_skip_layers = nn.ModuleList(nn.Conv1d(n, width, 1) for width in widths)
        self.end = nn.Conv1d(n, 2 * n_half, 1)
        nn.init.zeros_(self.end.weight)  # an untrained flow changes nothing
        nn.init.zeros_(self.end.bias)  # type: ignore[arg-type]

    def forward(self, half: torch.Tensor, spectra: torch.Tensor) -> tuple[Any, Any]:
        n = self.n_channels
        hidden, skipped = self.start(half), 0
        # layer by layer: all of them at once would be the largest thing in memory
        weights = self.cond_layer.weight.split(2 * n)
        biases = self.cond_layer.bias.split(2 * n)  # type: ignore[union-attr]
        for i, layer in enumerate(self.in_layers):
            gates = layer(hidden) + conv1d(spectra, weights[i], biases[i])
            passed = torch.tanh(gates[:, :n]) * torch.sigmoid(gates[:, n:])
            answer = self.res_skip_layers[i](passed)
            skipped = skipped + answer[:, -n:]
            if answer.shape[1] > n:
                hidden = hidden + answer[:, :n]
        bias, log_scale = self.end(skipped).chunk(2, dim=1)
        return bias, log_scale


class _Mixing(nn.Module):
    """A 1 x 1 convolution that can be turned round."""

    def __init__(self, n_channels: int):
        super().__init__()
        self.conv = nn.Conv1d(n_channels, n_channels, 1, bias=False)
        nn.init.orthogonal_(self.conv.weight)

    def forward(self, channels: torch.Tensor) -> torch.Tensor:
        return self.conv(channels)

    def log_det(self) -> torch.Tensor:
        return torch.linalg.slogdet(self.conv.weight[:, :, 0])[1]

    def inverse(self, channels: torch.Tensor) -> torch.Tensor:
        # in double precision, on the CPU: a handful of numbers, and not every GPU has it
        weight = self.conv.weight[:, :, 0]
        inverse = torch.linalg.inv(weight.detach().cpu().double()).to(weight)
        return conv1d(channels, inverse[:, :, None])


class WaveGlow(nn.Module):
    """The flow, in both directions.

    Parameters
    ----------
    sizes : WaveGlowSizes
    """

    def __init__(self, sizes: WaveGlowSizes):
        super().__init__()
        self.sizes = sizes
        self.upsample = nn.ConvTranspose1d(
            sizes.n_mels, sizes.n_mels, 4 * sizes.hop_length, stride=sizes.hop_length
        )
        counts = [sizes.channels(flow) for flow in range(sizes.n_flows)]
        self.WN = nn.ModuleList(_Coupling(count // 2, sizes) for count in counts)
        self.convinv = nn.ModuleList(_Mixing(count) for count in counts)
        if sizes.exchange_halves:  # no shape tells, so a mark goes with the weights
            self.register_buffer("exchange_halves", torch.ones(()))

    def forward(self, mels: torch.Tensor, audio: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the noise that a waveform stands for.

        Parameters
        ----------
        mels : tensor of shape (n_recordings, n_mels, n_frames)
        audio : tensor of shape (n_recordings, n_samples)
            A multiple of `n_group` samples, at most ``n_frames * hop_length``.

        Returns
        -------
        noise : tensor of shape (n_recordings, n_group, n_samples / n_group)
        log_det : tensor of shape ()
            Logarithm of the volume that the flow stretches one waveform by; the mean over them.
        """
        n_recordings = len(audio)
        rest = audio.unflatten(1, (-1, self.sizes.n_group)).transpose(1, 2)
        n_steps = rest.shape[-1]
        spectra = self._conditions(mels)[:, :, :n_steps]
        given, log_det = [], audio.new_zeros(())
        for flow, (mixing, coupling) in enumerate(zip(self.convinv, self.WN, strict=True)):
            if self.sizes.gives_out(flow):
                given.append(rest[:, : self.sizes.n_early_size])
                rest = rest[:, self.sizes.n_early_size :]
            kept, moved = self._halves(mixing(rest), flow)
            bias, log_scale = coupling(kept, spectra)
            rest = self._joined(kept, torch.exp(log_scale) * moved + bias, flow)
            volume = n_steps * mixing.log_det()  # type: ignore[operator]
            log_det = log_det + volume + log_scale.sum() / n_recordings
        return torch.cat([*given, rest], 1), log_det

    def infer(self, mels: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        """Return the waveform that noise stands for.

        Parameters
        ----------
        mels : tensor of shape (n_recordings, n_mels, n_frames)
        noise : tensor of shape (n_recordings, n_group, n_steps)
            As `forward` gives it; at most ``n_frames * hop_length / n_group`` steps.

        Returns
        -------
        tensor of shape (n_recordings, n_steps * n_group)
        """
        spectra = self._conditions(mels)[:, :, : noise.shape[-1]]
        n_rest = self.sizes.channels(self.sizes.n_flows - 1)
        waiting, rest = noise[:, :-n_rest], noise[:, -n_rest:]
        for flow in reversed(range(self.sizes.n_flows)):
            kept, moved = self._halves(rest, flow)
            bias, log_scale = self.WN[flow](kept, spectra)
            mixed = self._joined(kept, (moved - bias) * torch.exp(-log_scale), flow)
            rest = self.convinv[flow].inverse(mixed)  # type: ignore[operator]
            if self.sizes.gives_out(flow):
                rest = torch.cat([waiting[:, -self.sizes.n_early_size :], rest], 1)
                waiting = waiting[:, : -self.sizes.n_early_size]
        return rest.transpose(1, 2).flatten(1)

    def log_likelihood(self, mels: torch.Tensor, audio: torch.Tensor) -> torch.Tensor:
        """Return the logarithm of the density of waveforms, nats a sample, the mean over all."""
        noise, log_det = self(mels, audio)
        energy = noise.square().mean() / 2
        return log_det / audio.shape[1] - energy - math.log(2 * math.pi) / 2

    def _halves(self, channels: torch.Tensor, flow: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the half that is kept and the half that is moved by it."""
        first, second = channels.chunk(2, dim=1)
        return (second, first) if self._exchanges(flow) else (first, second)

    def _joined(self, kept: torch.Tensor, moved: torch.Tensor, flow: int) -> torch.Tensor:
        return torch.cat([moved, kept] if self._exchanges(flow) else [kept, moved], 1)

    def _exchanges(self, flow: int) -> bool:
        return self.sizes.exchange_halves and flow % 2 == 1

    def _conditions(self, mels: torch.Tensor) -> torch.Tensor:
        """Return the spectra at every step, (n_recordings, n_mels * n_group, n_steps)."""
        upsampled = self.upsample(mels)[:, :, : mels.shape[-1] * self.sizes.hop_length]
        grouped = upsampled.unflatten(2, (-1, self.sizes.n_group))  # (n, mel, step, sample)
        return grouped.transpose(2, 3).flatten(1, 2)


def build(sizes: WaveGlowSizes, weights: dict[str, torch.Tensor]) -> WaveGlow:
    """Return the network of given weights, in evaluation; it shares their memory."""
    with torch.device("meta"):
        network = WaveGlow(sizes)
    network.load_state_dict(weights, assign=True)
    return network.requires_grad_(False).eval()


def add_weight_norm(network: WaveGlow) -> None:
    """Let training move length and direction of the coupling layers' kernels apart."""
    for module in _normed(network):
        weight_norm(module)


def fold_weight_norm(network: WaveGlow) -> None:
    """Turn lengths and directions back into kernels."""
    for module in _normed(network):
        remove_parametrizations(module, "weight")


def _normed(network: WaveGlow) -> list[nn.Module]:
    """All convolutions of the coupling layers but their last ones, as in NVIDIA's code."""
    return [
        module
        for coupling in network.WN
        for name, module in coupling.named_modules()
        if isinstance(module, nn.Conv1d) and name != "end"
    ]
