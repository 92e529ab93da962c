"""Sound from a WaveGlow, as much at a time as is asked for."""

from fractions import Fraction
from typing import Any

import numpy as np
import torch

from skspeech.exceptions import RecordingError
from skspeech.preprocessing._mel_inversion import interpolated
from skspeech.vocoders._base import WaveformStream, n_samples_of
from skspeech.vocoders._waveglow_network import WaveGlow

__all__ = ["WaveGlowStream", "bias_spectrum"]

# Frames of nothing that NVIDIA's denoiser listens to. It takes the first; here it is the one in
# the middle, which no edge reaches (our choice).
_BIAS_FRAMES = 88

# Savitzky and Golay's filter along time: frames and order (the group's published code).
_SMOOTHING = (5, 2)


def bias_spectrum(network: WaveGlow, device: str) -> np.ndarray:
    """Return the magnitudes (n_bins,) of what a network hums when it is given nothing."""
    sizes = network.sizes
    shape = (1, sizes.n_mels, _BIAS_FRAMES)
    steps = _BIAS_FRAMES * sizes.hop_length // sizes.n_group
    with torch.inference_mode():
        silence = torch.zeros(1, sizes.n_group, steps, device=device)
        hum = network.to(device).infer(torch.zeros(shape, device=device), silence)
        return _spectrum(hum, sizes.hop_length)[0, :, _BIAS_FRAMES // 2].abs().cpu().numpy()


def _spectrum(audio: torch.Tensor, hop_length: int) -> torch.Tensor:
    """Return the spectra of windows of four hops, (n_recordings, n_bins, n_frames)."""
    window = torch.hann_window(4 * hop_length, device=audio.device)
    return torch.stft(
        audio,
        4 * hop_length,
        hop_length,
        window=window,
        pad_mode="constant",
        return_complex=True,
    )


def _denoised(audio: torch.Tensor, bias: torch.Tensor, hop_length: int) -> torch.Tensor:
    """Take magnitudes (n_bins, 1) off every spectrum, and leave the phases."""
    spectra = _spectrum(audio, hop_length)
    sizes = spectra.abs()
    kept = (sizes - bias).clamp(min=0) / sizes.clamp(min=1e-12)
    window = torch.hann_window(4 * hop_length, device=audio.device)
    return torch.istft(
        spectra * kept, 4 * hop_length, hop_length, window=window, length=audio.shape[1]
    )


class WaveGlowStream(WaveformStream):
    """The waveform of one recording, a block of frames at a time.

    A sample depends on spectra and noise within the network's reach and on nothing else. So a
    block is computed with as many frames around it, and what they make is thrown away but for
    the block; the noise of a frame depends on its place in the recording alone.

    Parameters
    ----------
    network : WaveGlow
        On `device`, in evaluation.
    hop : Fraction
        Samples between the frames that are pushed.
    sigma : float
        Standard deviation of the noise.
    bias : ndarray of shape (n_bins,) or None
        Magnitudes to take off every spectrum.
    smooth : bool
        Whether the spectra are smoothed along time before.
    seed : int
    device : str
    block : int
        The network's frames in a block.
    """

    def __init__(
        self,
        network: WaveGlow,
        *,
        hop: Fraction,
        sigma: float,
        bias: np.ndarray | None,
        smooth: bool,
        seed: int,
        device: str,
        block: int,
    ):
        self.network, self.sizes = network, network.sizes
        self.hop, self.sigma, self.seed = hop, sigma, seed
        self.smooth, self.device, self.block = smooth, device, block
        self.bias = None if bias is None else torch.from_numpy(bias).to(device)[:, None]
        # a sample is heard in windows that reach four hops
        self.reach = self.sizes.reach + (4 if bias is not None else 0)
        self.n_around = _SMOOTHING[0] // 2 if smooth else 0
        ahead = -(-(self.block + self.reach) * self.sizes.hop_length // self.hop)
        super().__init__(int(ahead) + 1 + self.n_around)
        self.frames: list[np.ndarray] = []  # pushed, from number `first` on
        self.first = self.n_frames = 0
        self.n_done = 0  # the network's frames whose sound has been given

    def _push(self, frames: np.ndarray) -> np.ndarray:
        if frames.shape[1] != self.sizes.n_mels:
            raise RecordingError(
                f"has {frames.shape[1]} outputs a frame, and the network reads {self.sizes.n_mels}",
                "Give the spectra that it was trained on.",
            )
        self.frames += list(frames)
        self.n_frames += len(frames)
        # interpolation needs the frame behind, and smoothing more of them
        last = self.n_frames - 2 - self.n_around
        n_known = int(max(-1, last) * self.hop // self.sizes.hop_length) + 1
        return self._given(n_known, n_known - self.reach)

    def _finish(self) -> np.ndarray:
        if not self.n_frames:
            return np.zeros(0, np.float32)
        end = n_samples_of(self.n_frames, self.hop)
        n_known = -(-end // self.sizes.hop_length)
        begin = self.n_done * self.sizes.hop_length
        return self._given(n_known, n_known, last=True)[: end - begin]

    def _given(self, n_known: int, n_ready: int, *, last: bool = False) -> np.ndarray:
        """Return the sound of the frames up to `n_ready`: whole blocks, and the rest if last."""
        pieces = []
        while self.n_done + (1 if last else self.block) <= n_ready:
            end = min(self.n_done + self.block, n_ready)
            pieces.append(self._sound(self.n_done, end, n_known))
            self.n_done = end
        self._forget()
        return np.concatenate(pieces) if pieces else np.zeros(0, np.float32)

    def _sound(self, begin: int, end: int, n_known: int) -> np.ndarray:
        """Return the sound of the network's frames from `begin` to `end`."""
        first, behind = max(0, begin - self.reach), min(n_known, end + self.reach)
        places = np.arange(first, behind) * float(self.sizes.hop_length / self.hop)
        spectra = interpolated(self._spectra(), places - self.first).T.astype(np.float32)
        n_steps = self.sizes.hop_length // self.sizes.n_group
        noise = [self._noise(frame, n_steps) for frame in range(first, behind)]
        with torch.inference_mode():
            audio = self.network.infer(
                torch.from_numpy(spectra)[None].to(self.device),
                torch.from_numpy(np.concatenate(noise, axis=1))[None].to(self.device),
            )
            if self.bias is not None:
                audio = _denoised(audio, self.bias, self.sizes.hop_length)
        samples = slice((begin - first) * self.sizes.hop_length, None)
        n_samples = (end - begin) * self.sizes.hop_length
        if not torch.isfinite(audio).all():
            raise RecordingError(
                "drives the network to infinity",
                "Give spectra as those it was trained on, logarithms as MelTargets makes them; "
                "standardised ones have to be restored before.",
            )
        return audio[0, samples][:n_samples].cpu().numpy()

    def _spectra(self) -> np.ndarray:
        spectra = np.stack(self.frames)
        if not self.smooth:
            return spectra
        from scipy.signal import savgol_filter

        return savgol_filter(spectra, *_SMOOTHING, axis=0, mode="nearest")

    def _noise(self, frame: int, n_steps: int) -> Any:
        """Return the noise of a frame, (n_group, n_steps)."""
        rng = np.random.default_rng((self.seed, frame))
        shape = (self.sizes.n_group, n_steps)
        return np.float32(self.sigma) * rng.standard_normal(shape, dtype=np.float32)

    def _forget(self) -> None:
        """Drop the frames that no block to come will hear."""
        heard = max(0, self.n_done - self.reach) * self.sizes.hop_length
        n_unheard = int(heard // self.hop) - self.first - self.n_around
        if n_unheard > 0:
            self.frames = self.frames[n_unheard:]
            self.first += n_unheard
