"""The skorch net inside every estimator: how it trains, and how it answers."""

import copy
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext, suppress
from typing import Any

import numpy as np
import torch
from skorch import NeuralNet
from torch import nn
from torch.nn.functional import cross_entropy, mse_loss
from torch.utils.data import DataLoader

from skspeech.exceptions import RecordingError
from skspeech.recordings import segments_of
from skspeech.training.batches import Segments, channels_first, check_layout, collate
from skspeech.training.buckets import LengthBucketSampler
from skspeech.training.callbacks import StopTraining
from skspeech.training.checkpoint import Checkpoint, Progress
from skspeech.training.population import EpochSample, has_population, measure_population

__all__ = [
    "FrameSquaredError",
    "SpeechNet",
    "WeightedCrossEntropy",
    "make_optimizer",
    "resolve_device",
]

# Values read before an answer to them is computed, 64 MiB, however many segments that is: long
# recordings are not to stand in memory by the dozen.
_RUN_VALUES = 2**24

# Values of a lone recording that is not worth answering twice over.
_LARGE = 2**17

_OPTIMIZERS = {
    "adagrad": torch.optim.Adagrad,
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "rmsprop": torch.optim.RMSprop,
    "sgd": torch.optim.SGD,
}


def resolve_device(device: str) -> str:
    """Return the torch device that a name asks for; ``"auto"`` prefers CUDA, MPS, the CPU.

    Raises
    ------
    ValueError
        If the machine has no such device.
    """
    if device == "auto":
        if torch.cuda.is_available():
            return "cuda"
        return "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        torch.zeros((), device=device).item()  # "meta" holds tensors, but no numbers
    except (AssertionError, ImportError, NotImplementedError, RuntimeError) as error:
        reason = str(error).split(". ")[0].splitlines()[0]  # torch may list all its backends
        raise ValueError(
            f"device={device!r} cannot be used on this machine ({reason}). "
            'Choose device="auto" or "cpu".'
        ) from error
    return device


def make_optimizer(
    groups: list[dict], *, lr: float, optimizer: Any, weight_decay: float
) -> torch.optim.Optimizer:
    """Build an optimiser whose weight decay spares biases and normalisation.

    Parameters
    ----------
    groups : list of dict
        skorch's parameter groups.
    lr : float
        Learning rate.
    optimizer : str or callable
        A name of ``_OPTIMIZERS`` (``"sgd"`` with Nesterov momentum 0.9), or a torch
        optimiser class.
    weight_decay : float
        Its share of each kernel is added to the kernel's gradient.

    Returns
    -------
    torch.optim.Optimizer
    """
    parameters = [parameter for group in groups for parameter in group["params"]]
    split = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    options = {"momentum": 0.9, "nesterov": True} if optimizer == "sgd" else {}
    build = _OPTIMIZERS[optimizer] if isinstance(optimizer, str) else optimizer
    return build([group for group in split if group["params"]], lr=lr, **options)


class WeightedCrossEntropy(nn.Module):
    """Cross entropy whose segments weigh as the batch says, averaged over the batch."""

    def forward(self, logits: torch.Tensor, truth: tuple) -> torch.Tensor:
        """Return the loss of logits (n_segments, n_classes) against (targets, weights, ...)."""
        targets, weights = truth[:2]
        return (cross_entropy(logits, targets, reduction="none") * weights).mean()


class FrameSquaredError(nn.Module):
    """Squared error of answers to frames, averaged over outputs and frames."""

    def forward(self, answers: torch.Tensor, truth: tuple) -> torch.Tensor:
        """Return the loss of answers (n_frames, n_outputs) against (targets,)."""
        return mse_loss(answers, truth[0])


class SpeechNet(NeuralNet):
    """A skorch net that reads :class:`Segments` in batches of like lengths.

    Parameters
    ----------
    module : torch module
        Called as ``module(inputs, lengths)``.
    precision : {"float32", "bfloat16"}, default="float32"
        The type in which the module computes; weights and loss stay in float32.
    batch_frames : int or None, default=None
        Batches are counted in frames, as :class:`~skspeech.training.buckets.LengthBucketSampler`
        says. They then hold more or fewer segments, and each counts in a step by the share of
        the segments that it holds: in an epoch all segments move the weights alike.
    options : dict
        What skorch's own NeuralNet takes.
    """

    lr: float

    def __init__(
        self,
        module: nn.Module,
        *,
        precision: str = "float32",
        batch_frames: int | None = None,
        **options: Any,
    ):
        super().__init__(module, **options)
        self.precision = precision
        self.batch_frames = batch_frames
        self.usual_size = 1.0  # segments in a batch of this epoch, on average
        self.shuffle_seed = 0  # each training has its own
        self.stop_requested = False
        self.sample: EpochSample | None = None
        self.progress: Any = None  # of a training, while it lasts

    def train(
        self,
        segments: Segments,
        validation: Segments | None,
        *,
        max_epochs: int,
        seed: int,
        callbacks: list,
        checkpoint: Checkpoint | None = None,
    ) -> None:
        """Train for up to `max_epochs` more epochs; a callback may stop earlier.

        Unlike skorch's own ``fit``, an interrupt by the user is not taken for the end of a
        training that went well: it is passed on.

        Parameters
        ----------
        segments, validation : Segments
            `validation` may be None.
        max_epochs : int
        seed : int
            Of the order of the batches.
        callbacks : list
            skorch callbacks of this training alone; none stays behind.
        checkpoint : Checkpoint or None, default=None
            Where each epoch is written, and what is there is gone on with.
        """
        self.shuffle_seed, self.stop_requested, self.callbacks = seed, False, callbacks
        self.progress = progress = Progress(max_epochs, segments, checkpoint)
        try:
            self._initialize_callbacks()
            self.notify("on_train_begin", X=segments, y=None)
            progress.resume(self)
            with suppress(StopTraining):
                self.fit_loop((segments, validation), epochs=progress.n_left)
            self.notify("on_train_end", X=segments, y=None)
        finally:
            self._set_training(False)
            self.optimizer_.zero_grad(set_to_none=True)  # not worth a pickle
            self._forget_training()

    def run_single_epoch(self, iterator: Any, training: bool, **options: Any) -> None:
        """Pass over the batches; before the validation batches, let the network settle."""
        if training:
            sampler = iterator.batch_sampler
            self.usual_size = sampler.mean_size
            size = self.batch_size if self.batch_frames is None else round(self.usual_size)
            kept = has_population(self.module_)
            self.sample = EpochSample(len(sampler), size) if kept else None
        elif iterator is not None:
            self._settle()
        super().run_single_epoch(iterator, training=training, **options)

    def _settle(self) -> None:
        """Let batch normalisation measure its statistics on the epoch's sample."""
        if self.sample is not None:
            measure_population(self, self.sample.batches)

    def train_step(self, batch: Any, **options: Any) -> dict[str, Any]:
        """Take one step on a batch, and offer the batch to the sample that is measured."""
        if self.sample is not None:
            self.sample.offer(batch[0])
        return super().train_step(batch, **options)

    def train_step_single(self, batch: Any, **options: Any) -> dict[str, Any]:
        """Compute the loss of a batch, the mean over it, and the gradient."""
        if self.batch_frames is None:
            return super().train_step_single(batch, **options)
        self._set_training(True)
        logits = self.infer(batch[0])
        loss = self.get_loss(logits, batch[1], X=batch[0], training=True)
        (loss * (len(logits) / self.usual_size)).backward()
        return {"loss": loss, "y_pred": logits}

    def notify(self, method_name: str, **options: Any) -> None:
        """Call a method of all callbacks; at the end of an epoch, stop if one asked for it."""
        if method_name != "on_epoch_end":
            super().notify(method_name, **options)
            return
        for _, callback in self.callbacks_:
            try:
                callback.on_epoch_end(self, **options)
            except KeyboardInterrupt:  # how skorch's own callbacks ask; the others go on
                self.stop_requested = True
        self._check_epoch()
        self.progress.count(stop=self.stop_requested)
        if self.progress.finished and options["dataset_valid"] is None:
            self._settle()
        self.progress.write(self)
        if self.stop_requested:
            raise StopTraining

    def _check_epoch(self) -> None:
        """Refuse a loss that is no number, and forget the batches: only they grow with X."""
        row = self.history[-1]
        row["batches"] = []
        for name in ("train_loss", "valid_loss"):
            if not np.isfinite(row.get(name, 0)):
                raise ValueError(
                    f"The {name} is {row[name]} in epoch {row['epoch']}: the training diverged. "
                    f"Decrease lr (now {self.lr:g}), or rescale recordings of extreme values."
                )

    def adjust(
        self,
        *,
        lr: float,
        weight_decay: float,
        batch_size: int,
        precision: str,
        verbose: int,
        batch_frames: int | None = None,
        reset_lr: bool = False,
    ) -> None:
        """Let a further training heed what was set since; the optimiser's state is kept.

        A learning rate that a schedule has changed goes on from there, unless `reset_lr`.
        """
        for group in self.optimizer_.param_groups:
            if reset_lr or lr != self.lr:
                group.update(dict.fromkeys(group.keys() & {"lr", "initial_lr"}, lr))
            if group["params"][0].ndim > 1:
                group["weight_decay"] = weight_decay
        self.lr, self.batch_size, self.batch_frames = lr, batch_size, batch_frames
        self.precision, self.verbose = precision, verbose

    def _forget_training(self) -> None:
        self.sample = self.progress = None  # the recordings are not to travel with the net
        self.callbacks = []
        self.callbacks_: list = []

    def get_default_callbacks(self) -> list:
        """Return skorch's own callbacks; PrintLog formats its row even if it prints none."""
        callbacks = super().get_default_callbacks()
        return [(name, made) for name, made in callbacks if self.verbose or name != "print_log"]

    def _set_training(self, training: bool = True) -> None:
        # skorch asks before each batch, and walking over all modules takes as long as a layer
        if self.module_.training != training:
            super()._set_training(training)

    def get_split_datasets(self, X: Any, y: Any = None, **options: Any) -> Any:
        """Return the training and validation segments, which are split already."""
        return X

    def get_iterator(self, dataset: Segments, training: bool = False) -> DataLoader:
        """Return the batches of a pass: shuffled for training, longest first otherwise."""
        sampler = dataset.sampler(
            self.batch_size,
            batch_frames=self.batch_frames,
            seed=self.shuffle_seed if training else None,
        )
        if training and self.progress is not None:
            self.progress.take_up(sampler)
        return DataLoader(
            dataset,
            batch_sampler=sampler,
            collate_fn=dataset.collate,
            generator=torch.Generator(),  # else each epoch draws from the global one
        )

    def infer(self, x: Any, **options: Any) -> torch.Tensor:
        """Return the module's answer to one batch; lengths stay on the CPU."""
        return self.step(x, self.module_)

    def step(self, batch: dict[str, torch.Tensor], function: Any) -> torch.Tensor:
        """Call a function of the module on one batch, in the chosen device and precision."""
        inputs = batch["inputs"].to(self.device, non_blocking=True)
        with self._autocast():
            return function(inputs, batch["lengths"]).float()

    def compute(self, function: Any, x: torch.Tensor) -> torch.Tensor:
        """Call a function of the module, in evaluation, in the chosen device and precision."""
        with torch.inference_mode(), self._autocast():
            return function(x.to(self.device, non_blocking=True))

    def _autocast(self) -> AbstractContextManager:
        if self.precision == "float32":
            return nullcontext()
        return torch.autocast(torch.device(self.device).type, dtype=torch.bfloat16)

    def answer(self, recordings: Any, function: Any, layout: tuple[int, ...]) -> np.ndarray:
        """Return a function of the module for each recording, the mean over its segments.

        Recordings are read in order, a few batches' worth at a time, so that a lazy
        collection never stands in memory; within such a run like lengths go together.

        Parameters
        ----------
        recordings : sequence
            Validated recordings or bags.
        function : callable
            ``function(inputs, lengths)`` gives (n_segments, n_outputs).
        layout : tuple of int
            The axes before time that the network reads.

        Returns
        -------
        ndarray of float64, shape (n_recordings, n_outputs)
        """
        self._set_training(False)
        parts = [
            self._answer_run(rows, segments, owners, function)
            for rows, segments, owners in self._runs(recordings, layout)
        ]
        return np.concatenate(parts)

    def _runs(
        self, recordings: Any, layout: tuple[int, ...]
    ) -> Iterator[tuple[range, list[np.ndarray], list[int]]]:
        """Read a few batches of recordings at a time: their rows, segments, and whose they are."""
        start, segments, owners, n_values, n_frames = 0, [], [], 0, 0
        for row in range(len(recordings)):
            for segment in segments_of(recordings[row]):
                segment = channels_first(segment)
                check_layout(segment, layout, row)
                segments.append(segment)
                owners.append(row - start)
                n_values += segment.size
                n_frames += segment.shape[-1]
            if self.batch_frames is None:
                full = len(segments) >= 4 * self.batch_size
            else:
                full = n_frames >= 4 * self.batch_frames
            if full or n_values >= _RUN_VALUES or row == len(recordings) - 1:
                yield range(start, row + 1), segments, owners
                start, segments, owners, n_values, n_frames = row + 1, [], [], 0, 0

    def _answer_run(
        self, rows: range, segments: list[np.ndarray], owners: list[int], function: Any
    ) -> np.ndarray:
        sums: Any = 0.0
        for batch, outputs in self._outputs(segments, function):
            part = np.zeros((len(rows), outputs.shape[1]))
            np.add.at(part, np.asarray(owners)[batch], outputs)
            sums = sums + part
        if not np.isfinite(sums).all():  # the last step of all diverged, which no loss has seen
            raise RecordingError(
                "gets no finite answer from the network",
                f"Fit it with a lower lr (now {self.lr:g}).",
                rows[int(np.argwhere(~np.isfinite(sums))[0, 0])],
            )
        return sums / np.bincount(owners)[:, None]

    def _outputs(self, segments: list, function: Any) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        lengths = np.array([segment.shape[-1] for segment in segments])
        for batch in LengthBucketSampler(lengths, self.batch_size, batch_frames=self.batch_frames):
            rows = [segments[i] for i in batch]
            # torch convolves a lone small input with another kernel than the same input in a
            # batch, up to 3e-7 apart; two rows are answered exactly as any number of them is
            rows = rows * 2 if len(rows) == 1 and rows[0].size < _LARGE else rows
            with torch.inference_mode():
                outputs = self.step(collate(rows), function)
            yield batch, outputs[: len(batch)].cpu().numpy()

    def rows(self) -> list[dict[str, Any]]:
        """Return the history, a plain row an epoch."""
        names = {
            "epoch": ("epoch", int),
            "train_loss": ("train_loss", float),
            "valid_loss": ("valid_loss", float),
            "valid_score": ("valid_score", float),
            "valid_score_best": ("best", bool),
            "event_lr": ("lr", float),
            "dur": ("seconds", float),
        }
        return [
            {new: plain(epoch[old]) for old, (new, plain) in names.items() if old in epoch}
            for epoch in self.history
        ]

    def snapshot(self) -> "SpeechNet":
        """Return a net that answers as this one now does, whatever training follows."""
        twin = copy.copy(self)  # skorch copies modules by pickling them
        twin.history = copy.copy(self.history)
        twin._forget_training()
        return twin

    def __getstate__(self) -> dict[str, Any]:
        # skorch trains this very module as module_, and maps only that one to the device found;
        # the recordings are not to travel with a net that a callback writes
        return {**super().__getstate__(), "module": None, "sample": None, "progress": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        try:
            device = resolve_device(state["device"])
        except ValueError:  # trained on another machine
            device = resolve_device("auto")
        super().__setstate__({**state, "device": device})
        self.__dict__["module"] = self.module_
