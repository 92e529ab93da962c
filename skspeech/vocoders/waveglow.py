"""The neural vocoder of Prenger, Valle and Catanzaro (2019): a flow from noise to sound."""

import os
from fractions import Fraction
from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.base import _fit_context
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_is_fitted

from skspeech.exceptions import RecordingError
from skspeech.training.seeding import own_random_state, seeded
from skspeech.vocoders._base import Vocoder, WaveformStream

__all__ = ["WaveGlowVocoder"]

# The network's frames computed at once, about twelve seconds: memory does not grow with the
# recording, and the hundred frames on both sides that are computed twice do not cost much (our
# choice).
_BLOCK = 1024


class WaveGlowVocoder(Vocoder):
    """Waveforms from log-mel spectra by a flow network that turns noise into sound.

    Its weights come from a file, NVIDIA's published ones among them, or from training by
    likelihood on spectra and their sound. The spectra may come at any rate: they are interpolated
    linearly along time to the network's hop (what the ultrasound group's published code does).

    On one CPU thread the published network (88 million parameters) takes some five seconds for a
    second of sound.

    Parameters
    ----------
    checkpoint : str, path-like or None, default=None
        A file of weights: NVIDIA's ``.pt`` files of every layout, state dicts, ``.safetensors`` or
        ``.npz``. Nothing in it is run. The sizes below are then read from the weights and not
        from the parameters. None begins with random weights.
    sample_rate : float, default=22050
        Samples per second of the waveforms, Hz.
    frame_rate : float, default=22050 / 270
        Frames per second of the spectra, Hz.
    sigma : float, default=0.666
        Standard deviation of the noise that sound is made from; the network is trained for 1.
    denoise : float, default=0.0
        How much of the network's own hum is taken off every spectrum; NVIDIA's code has 0.1 where
        it is used.
    smooth : bool, default=False
        Whether spectra are smoothed along time before (Savitzky and Golay's filter over five
        frames), as the ultrasound group does with predicted ones.
    hop_length : int, default=256
        Samples between the network's own frames.
    n_flows : int, default=12
        Flows.
    n_group : int, default=8
        Samples that are the channels of one step; even, and a divisor of `hop_length`.
    n_early_every, n_early_size : int, default=4 and 2
        After so many flows, so many channels are given out as they are.
    n_layers, n_channels, kernel_size : int, default=8, 256 and 3
        Of the dilated convolutions of a flow.
    fine_tune : bool, default=False
        Whether ``fit`` goes on training the weights of `checkpoint`.
    max_epochs : int, default=100
        Passes over the recordings, each of which gives one excerpt a pass. Published weights have
        seen half a million batches: this is a beginning (our choice).
    lr : float, default=1e-4
        Learning rate of Adam.
    batch_size : int, default=12
        Excerpts in a batch.
    segment_length : int, default=16000
        Samples in an excerpt; a shorter recording shortens its batch.
    device : str, default="auto"
        A torch device; ``"auto"`` takes CUDA, then MPS, then the CPU.
    verbose : int, default=0
        1 prints a row an epoch.
    random_state : int, RandomState instance or None, default=None
        For the first weights, the order and the excerpts, and the noise.

    Attributes
    ----------
    weights_ : dict of str to ndarray of float32
        By NVIDIA's names, weight normalisation folded in.
    bias_ : ndarray of float32, shape (n_bins,), or None
        The magnitudes of the network's hum; None where `denoise` was 0 at ``fit``.
    history_ : list of dict
        A row an epoch: ``epoch`` and ``train_loss``, the negative log-likelihood in nats a sample.
    n_iter_ : int
        Epochs trained.
    seed_ : int
        Of the noise, drawn once, so that a recording sounds the same each time.

    References
    ----------
    R. Prenger, R. Valle and B. Catanzaro (2019), "WaveGlow: a flow-based generative network for
    speech synthesis", ICASSP. Sizes, training and the order of everything are those of NVIDIA's
    published code (BSD-3-Clause).

    Examples
    --------
    >>> import numpy as np
    >>> from skspeech.preprocessing import MelTargets
    >>> from skspeech.vocoders import WaveGlowVocoder
    >>> rng = np.random.default_rng(0)
    >>> voices = [0.1 * rng.standard_normal(n).astype(np.float32) for n in (9000, 12000)]
    >>> spectra = MelTargets().fit_transform(voices)
    >>> vocoder = WaveGlowVocoder(
    ...     n_flows=2, n_layers=2, n_channels=4, max_epochs=1, device="cpu", random_state=0)
    >>> vocoder.fit(spectra, voices).transform(spectra)[0].shape
    (9179,)
    """

    _parameter_constraints: dict = {
        **Vocoder._parameter_constraints,
        "checkpoint": [str, os.PathLike, None],
        "sigma": [Interval(Real, 0, None, closed="left")],
        "denoise": [Interval(Real, 0, None, closed="left")],
        "smooth": ["boolean"],
        **{
            name: [Interval(Integral, 1, None, closed="left")]
            for name in (
                "hop_length",
                "n_flows",
                "n_group",
                "n_early_every",
                "n_early_size",
                "n_layers",
                "n_channels",
                "kernel_size",
                "max_epochs",
                "batch_size",
                "segment_length",
            )
        },
        "fine_tune": ["boolean"],
        "lr": [Interval(Real, 0, None, closed="neither")],
        "device": [str],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        *,
        checkpoint: str | os.PathLike | None = None,
        sample_rate: float = 22050,
        frame_rate: float = 22050 / 270,
        sigma: float = 0.666,
        denoise: float = 0.0,
        smooth: bool = False,
        hop_length: int = 256,
        n_flows: int = 12,
        n_group: int = 8,
        n_early_every: int = 4,
        n_early_size: int = 2,
        n_layers: int = 8,
        n_channels: int = 256,
        kernel_size: int = 3,
        fine_tune: bool = False,
        max_epochs: int = 100,
        lr: float = 1e-4,
        batch_size: int = 12,
        segment_length: int = 16000,
        device: str = "auto",
        verbose: int = 0,
        random_state: Any = None,
    ):
        self.checkpoint = checkpoint
        self.sample_rate = sample_rate
        self.frame_rate = frame_rate
        self.sigma = sigma
        self.denoise = denoise
        self.smooth = smooth
        self.hop_length = hop_length
        self.n_flows = n_flows
        self.n_group = n_group
        self.n_early_every = n_early_every
        self.n_early_size = n_early_size
        self.n_layers = n_layers
        self.n_channels = n_channels
        self.kernel_size = kernel_size
        self.fine_tune = fine_tune
        self.max_epochs = max_epochs
        self.lr = lr
        self.batch_size = batch_size
        self.segment_length = segment_length
        self.device = device
        self.verbose = verbose
        self.random_state = random_state

    @classmethod
    def from_checkpoint(
        cls,
        path: str | os.PathLike,
        *,
        sample_rate: float = 22050,
        frame_rate: float = 22050 / 270,
        sigma: float = 0.666,
        denoise: float = 0.0,
        smooth: bool = False,
        device: str = "auto",
        random_state: Any = None,
    ) -> "WaveGlowVocoder":
        """Return a fitted vocoder with the weights of a file.

        A clone of it reads the file again at ``fit``.

        Parameters
        ----------
        path : str or path-like
            As `checkpoint`.
        sample_rate, frame_rate, sigma, denoise, smooth, device, random_state
            As in the constructor.

        Returns
        -------
        WaveGlowVocoder

        Raises
        ------
        OSError
            If the file cannot be read.
        ValueError
            If it holds no WaveGlow, a damaged one, or anything but weights.
        """
        vocoder = cls(
            checkpoint=os.fspath(path),  # text can be saved by save_model
            sample_rate=sample_rate,
            frame_rate=frame_rate,
            sigma=sigma,
            denoise=denoise,
            smooth=smooth,
            device=device,
            random_state=random_state,
        )
        vocoder._validate_params()
        vocoder._learn(None, None)
        return vocoder

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any = None) -> "WaveGlowVocoder":
        """Read the weights, or train them by likelihood.

        Parameters
        ----------
        X : collection of n arrays (n_frames, n_mels)
            Natural logarithms of magnitudes in mel bands, as
            :class:`~skspeech.preprocessing.MelTargets` makes them. A RecordingSequence is read
            recording by recording.
        y : collection of n waveforms or None, default=None
            Their sound, each as long as its spectra up to two frames. Not read where the weights
            come from a file and are not to be fine-tuned.

        Returns
        -------
        self

        Raises
        ------
        RecordingError, ValueError
            If a recording cannot be used or does not fit its sound, if there is neither sound nor
            `checkpoint`, if sizes do not go together, or if the training diverges.
        OSError
            If `checkpoint` cannot be read.
        """
        trained = self.checkpoint is None or self.fine_tune
        if trained and y is None:
            raise ValueError(
                "WaveGlowVocoder has to be trained: give fit the waveforms as y, or a checkpoint. "
                "GriffinLimVocoder needs neither."
            )
        self._learn(self._validated(X, reset=True), y if trained else None)
        return self

    def _learn(self, X: Any, y: Any) -> None:
        rng = own_random_state(self.random_state)
        weights = self._first_weights(X, rng)
        history: list[dict[str, Any]] = []
        if y is not None:
            weights, history = self._trained(weights, X, y, rng)
        self.weights_ = weights
        self.history_, self.n_iter_ = history, len(history)
        self.seed_ = int(rng.randint(2**31))
        self.bias_ = self._bias() if self.denoise else None

    def _first_weights(self, X: Any, rng: np.random.RandomState) -> dict[str, np.ndarray]:
        from skspeech.vocoders._waveglow_checkpoints import read_checkpoint
        from skspeech.vocoders._waveglow_network import WaveGlow, WaveGlowSizes

        if self.checkpoint is not None:
            return read_checkpoint(self.checkpoint)
        sizes = WaveGlowSizes(
            n_mels=X[0].shape[1],
            hop_length=self.hop_length,
            n_flows=self.n_flows,
            n_group=self.n_group,
            n_early_every=self.n_early_every,
            n_early_size=self.n_early_size,
            n_layers=self.n_layers,
            n_channels=self.n_channels,
            kernel_size=self.kernel_size,
        )
        with seeded(int(rng.randint(2**31)), "cpu"):
            return _arrays(WaveGlow(sizes))

    def _trained(
        self, weights: dict[str, np.ndarray], X: Any, y: Any, rng: np.random.RandomState
    ) -> tuple[dict[str, np.ndarray], list[dict[str, Any]]]:
        from skspeech.vocoders._waveglow_training import train

        network, device = self._network(weights)
        history = train(
            network,
            self._pairs(X, y, network.sizes),
            max_epochs=self.max_epochs,
            lr=self.lr,
            batch_size=self.batch_size,
            segment_length=self.segment_length,
            rng=rng,
            device=device,
            verbose=self.verbose,
        )
        return _arrays(network), history

    def _network(self, weights: dict[str, np.ndarray]) -> tuple[Any, str]:
        """Return the network of some weights and its device; on the CPU they share memory."""
        import torch

        from skspeech.training.net import resolve_device
        from skspeech.vocoders._waveglow_checkpoints import sizes_of
        from skspeech.vocoders._waveglow_network import build

        device = resolve_device(self.device)
        tensors = {
            # in joblib's workers they are memory maps, of which torch would warn
            name: torch.from_numpy(array if array.flags.writeable else array.copy())
            for name, array in weights.items()
        }
        return build(sizes_of(weights), tensors).to(device), device

    def _pairs(self, X: Any, y: Any, sizes: Any) -> Any:
        from skspeech.vocoders._waveglow_training import Pairs

        return Pairs(X, y, self._hop, sizes)

    def _bias(self) -> np.ndarray:
        from skspeech.vocoders._waveglow_synthesis import bias_spectrum

        return bias_spectrum(*self._network(self.weights_))

    def score(self, X: Any, y: Any) -> float:
        """Return the log-likelihood of waveforms, given their spectra.

        Parameters
        ----------
        X : collection of n arrays (n_frames, n_mels)
        y : collection of n waveforms

        Returns
        -------
        float
            Nats a sample, over all samples; higher is better.
        """
        from skspeech.vocoders._waveglow_training import log_likelihood

        check_is_fitted(self)
        recordings = self._validated(X, reset=False)
        network, device = self._network(self.weights_)
        return log_likelihood(network, self._pairs(recordings, y, network.sizes), device)

    def stream(self) -> WaveformStream:
        """Begin a recording whose spectra come a few at a time.

        Returns
        -------
        WaveformStream
            ``push(frames)`` and ``finish()`` return, piece by piece, what ``transform`` makes of
            the whole recording, up to the rounding of float32. The look-ahead of the published
            network is some two seconds, half of which saves computing a sample again and again.
        """
        check_is_fitted(self)
        self._validate_params()
        network, device = self._network(self.weights_)
        return self._stream(network, device, block=network.sizes.reach)

    def _stream(self, network: Any, device: str, *, block: int) -> WaveformStream:
        from skspeech.vocoders._waveglow_synthesis import WaveGlowStream

        bias = None
        if self.denoise:
            hum = self._bias() if self.bias_ is None else self.bias_  # set since fit
            bias = np.float32(self.denoise) * hum
        return WaveGlowStream(
            network,
            hop=Fraction(self._hop),
            sigma=self.sigma,
            bias=bias,
            smooth=self.smooth,
            seed=self.seed_,
            device=device,
            block=block,
        )

    def _transform_batch(self, recordings: list[np.ndarray]) -> list[np.ndarray]:
        network, device = self._network(self.weights_)
        waveforms = []
        for i, spectra in enumerate(recordings):
            stream = self._stream(network, device, block=_BLOCK)
            try:
                waveforms.append(np.concatenate([stream.push(spectra), stream.finish()]))
            except RecordingError as error:
                raise error.at(i) from None
        return waveforms


def _arrays(network: Any) -> dict[str, np.ndarray]:
    """Return the weights of a network on the CPU."""
    return {name: tensor.detach().numpy() for name, tensor in network.state_dict().items()}
