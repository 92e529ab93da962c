"""Training a WaveGlow by likelihood on excerpts of recordings."""

from fractions import Fraction
from typing import Any

import numpy as np
import torch

from skspeech.exceptions import RecordingError
from skspeech.preprocessing._mel_inversion import interpolated
from skspeech.recordings import check_recording
from skspeech.vocoders._base import n_samples_of
from skspeech.vocoders._waveglow_network import (
    WaveGlow,
    WaveGlowSizes,
    add_weight_norm,
    fold_weight_norm,
)

__all__ = ["Pairs", "log_likelihood", "train"]

# By how many frames spectra and sound of one recording may differ in length.
_TOLERANCE = 2


class Pairs:
    """Spectra at the network's own hop and the sound they are of, read when they are asked for.

    Parameters
    ----------
    X : sequence of ndarray (n_frames, n_mels)
        As validated.
    y : sequence of waveforms
    hop : Fraction
        Samples between the frames of X.
    sizes : WaveGlowSizes
        Of the network.

    Raises
    ------
    ValueError
        If there are not as many of both.
    """

    def __init__(self, X: Any, y: Any, hop: Fraction, sizes: WaveGlowSizes):
        n_sounds = 0 if y is None else len(y)
        if len(X) != n_sounds:
            raise ValueError(f"X holds {len(X)} recordings and y {n_sounds}; give each its sound.")
        self.X, self.y, self.hop = X, y, hop
        self.n_mels, self.hop_length = sizes.n_mels, sizes.hop_length

    def __len__(self) -> int:
        return len(self.X)

    def __getitem__(self, i: int) -> tuple[np.ndarray, np.ndarray]:
        """Return spectra (n_mels, n_frames) and sound (n_frames * hop_length,)."""
        spectra, sound = self._read(i)
        return self._cut(spectra, sound, 0, self._n_frames(sound))

    def excerpt(
        self, i: int, n_frames: int, rng: np.random.RandomState
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return so many frames from anywhere in a recording, or all that there are."""
        spectra, sound = self._read(i)
        n_all = self._n_frames(sound)
        first = rng.randint(max(1, n_all - n_frames + 1))
        return self._cut(spectra, sound, first, min(n_frames, n_all))

    def _read(self, i: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the spectra of a recording and its sound, as far as they are of one time."""
        spectra, sound = self.X[i], self._sound(i)
        if spectra.shape[1] != self.n_mels:
            raise RecordingError(
                f"has {spectra.shape[1]} outputs a frame where the network reads {self.n_mels}",
                "Give spectra of as many bands as the others, or as it was trained on.",
                i,
            )
        n_samples = n_samples_of(len(spectra), self.hop)
        if abs(len(sound) / self.hop - len(spectra)) > _TOLERANCE:
            raise RecordingError(
                f"has {len(spectra)} frames, which are {n_samples:,} samples, where y[{i}] has "
                f"{len(sound):,}",
                "Give the sound of these spectra, and check sample_rate and frame_rate.",
                i,
            )
        return spectra, sound[:n_samples]

    def _n_frames(self, sound: np.ndarray) -> int:
        return max(1, len(sound) // self.hop_length)

    def _cut(
        self, spectra: np.ndarray, sound: np.ndarray, first: int, n_frames: int
    ) -> tuple[np.ndarray, np.ndarray]:
        places = np.arange(first, first + n_frames) * float(self.hop_length / self.hop)
        samples = sound[first * self.hop_length : (first + n_frames) * self.hop_length]
        whole = np.zeros(n_frames * self.hop_length, np.float32)  # of less sound than a frame
        whole[: len(samples)] = samples
        return interpolated(spectra, places).T.astype(np.float32), whole

    def _sound(self, i: int) -> np.ndarray:
        try:
            return check_recording(self.y[i], kind="waveform", reader="WaveGlowVocoder")
        except RecordingError as error:
            raise ValueError(f"y[{i}] {error.problem}. {error.mend}") from None

    def batch(
        self, indices: np.ndarray, n_frames: int, rng: np.random.RandomState
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return excerpts as long as the shortest of these recordings, if that is shorter."""
        excerpts = [self.excerpt(int(i), n_frames, rng) for i in indices]
        n = min(spectra.shape[1] for spectra, _ in excerpts)
        mels = np.stack([spectra[:, :n] for spectra, _ in excerpts])
        audio = np.stack([sound[: n * self.hop_length] for _, sound in excerpts])
        return torch.from_numpy(mels), torch.from_numpy(audio)


def train(
    network: WaveGlow,
    pairs: Pairs,
    *,
    max_epochs: int,
    lr: float,
    batch_size: int,
    segment_length: int,
    rng: np.random.RandomState,
    device: str,
    verbose: int,
) -> list[dict[str, Any]]:
    """Train a network in place by Adam; an epoch takes one excerpt of every recording.

    Parameters
    ----------
    network : WaveGlow
        Left in evaluation, on the CPU, its weight normalisation folded in.
    pairs : Pairs
    max_epochs, batch_size, segment_length : int
        The last in samples.
    lr : float
    rng : RandomState
        For order and excerpts.
    device : str
    verbose : int
        Whether to print a row an epoch.

    Returns
    -------
    list of dict
        A row an epoch: ``epoch`` and ``train_loss``, the negative of the log-likelihood in nats a
        sample.

    Raises
    ------
    ValueError
        If the loss is no number any more.
    """
    n_frames = max(1, segment_length // pairs.hop_length)
    add_weight_norm(network)
    network.to(device).train().requires_grad_(True)
    optimizer = torch.optim.Adam(network.parameters(), lr=lr)
    history = []
    for epoch in range(1, max_epochs + 1):
        losses, sizes = [], []
        order = rng.permutation(len(pairs))
        for start in range(0, len(order), batch_size):
            mels, audio = pairs.batch(order[start : start + batch_size], n_frames, rng)
            loss = -network.log_likelihood(mels.to(device), audio.to(device))
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
            sizes.append(audio.numel())
        row = {"epoch": epoch, "train_loss": float(np.average(losses, weights=sizes))}
        if not np.isfinite(row["train_loss"]):
            raise ValueError(
                f"The train_loss is {row['train_loss']} in epoch {epoch}: the training diverged. "
                f"Decrease lr (now {lr:g}), or rescale recordings of extreme values."
            )
        history.append(row)
        if verbose:
            print(f"epoch {epoch}: train_loss {row['train_loss']:.4f}")
    fold_weight_norm(network)
    network.cpu().eval().requires_grad_(False)
    return history


def log_likelihood(network: WaveGlow, pairs: Pairs, device: str) -> float:
    """Return the log-likelihood of whole recordings, nats a sample over all samples."""
    network = network.to(device)
    total, n_samples = 0.0, 0
    with torch.inference_mode():
        for i in range(len(pairs)):
            mels, audio = (torch.from_numpy(part)[None].to(device) for part in pairs[i])
            total += network.log_likelihood(mels, audio).item() * audio.numel()
            n_samples += audio.numel()
    return total / n_samples
