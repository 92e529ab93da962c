"""A training that is stopped at any moment goes on from its last epoch, to the same result.

A checkpoint is one file of :mod:`skspeech.archive`, replaced as a whole after each epoch: weights,
the optimiser's state, what callbacks remember, the history and the random generators. It holds no
pickle. Its name is a hash of all that the result depends on, so that each training of a
cross-validation or of a search has a file of its own.
"""

from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from hashlib import sha256
from inspect import signature
from itertools import count
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import torch
from skorch.history import History

from skspeech.archive import FileFormat, TreeReader, TreeWriter, write_whole

__all__ = ["Checkpoint", "Progress", "net_digest", "open_checkpoint"]

_FORMAT = FileFormat("skspeech checkpoint", 1)
# A callback may hold these; others, such as a namedtuple, would come back as something else.
_CONTAINERS = (Counter, OrderedDict, dict, list, tuple)


@contextmanager
def open_checkpoint(folder: str | PathLike, key: str) -> Iterator["Checkpoint"]:
    """Give the checkpoint of a training that no other training uses at the same time.

    The system frees it when the process ends, however it ends. Two trainings that are equal in all
    have a file each while they run side by side.

    Parameters
    ----------
    folder : str or path-like
        Made if it is not there.
    key : str
        Of :func:`~skspeech.training.identity.training_key`.
    """
    from filelock import FileLock, Timeout

    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as held:
        for number in count(1):
            path = folder / (f"{key}.checkpoint" if number == 1 else f"{key}-{number}.checkpoint")
            # not reentrant: equal trainings in threads of one process are two, as well
            lock = FileLock(path.with_suffix(".lock"), timeout=0, is_singleton=False)
            try:
                held.enter_context(lock)
            except Timeout:
                continue
            break
        for part in folder.glob(f".{path.name}.*.part"):  # of a process that was killed
            part.unlink()
        yield Checkpoint(path)


class Checkpoint:
    """The file of one training.

    Parameters
    ----------
    path : Path
    """

    def __init__(self, path: Path):
        self.path = path

    def save(self, net: Any, *, n_epochs: int, finished: bool, excerpts: Any) -> None:
        """Write how a net stands after an epoch, in place of what was written before.

        Parameters
        ----------
        net : SpeechNet
        n_epochs : int
            Trained so far by this training.
        finished : bool
            Whether it was the last.
        excerpts : dict or None
            The state of the generator of random excerpts.
        """
        writer = _Writer()
        tree = {
            "n_epochs": n_epochs,
            "finished": finished,
            "net": _net_tree(net, writer),
            "history": _rows(net, writer),
            "callbacks": {
                name: writer.value(_remembered(callback), f"callbacks/{name}")
                for name, callback in net.callbacks_
            },
            "draws": writer.all(_draws(net.device, excerpts), "draws"),
        }
        write_whole(self.path, _FORMAT.pack(tree, writer.tensors))

    def restore(self, net: Any) -> tuple[int, bool, Any]:
        """Let a net, with its callbacks, stand as it did when the file was written.

        Returns
        -------
        n_epochs : int
            0 where there is no file yet, and nothing is changed.
        finished : bool
        excerpts : dict or None
            The state of the generator of random excerpts.

        Raises
        ------
        ValueError
            If the file cannot be read or is of another network.
        """
        if not self.path.exists():
            return 0, False, None
        try:
            members, _ = _FORMAT.unpack(self.path.read_bytes())
            tree, reader = _FORMAT.tree(members), _Reader(_FORMAT.tensors(members))
            _restore_net(net, reader.all(tree["net"]))
            net.history = History(reader.all(row) for row in tree["history"])
            remembered = reader.all(tree["callbacks"])
            for name, callback in net.callbacks_:
                if name in remembered:  # who only looks on may be new
                    _remind(callback, remembered[name])
            n_epochs, excerpts = tree["n_epochs"], _restore_draws(net, reader.all(tree["draws"]))
            if n_epochs not in range(1, len(net.history) + 1):
                raise ValueError(f"it has {len(net.history)} epochs and says {n_epochs!r}")
            return n_epochs, bool(tree["finished"]), excerpts
        except Exception as error:  # whatever a parser makes of it, it is the file's fault
            raise ValueError(
                f"{self.path} cannot be gone on with ({type(error).__name__}: {error}). Remove it "
                "to train anew."
            ) from error


class Progress:
    """How far one training has come.

    Parameters
    ----------
    n_planned : int
        Epochs.
    segments : dataset
        That it trains on; its ``rng`` draws random excerpts, or is None.
    checkpoint : Checkpoint or None
        Where each epoch is written.
    """

    def __init__(self, n_planned: int, segments: Any, checkpoint: Checkpoint | None):
        self.n_planned, self.segments, self.checkpoint = n_planned, segments, checkpoint
        self.n_done = 0
        self.finished = False
        self._excerpts: dict[str, Any] | None = None

    @property
    def n_left(self) -> int:
        """Epochs that are still to be trained."""
        return 0 if self.finished else self.n_planned - self.n_done

    def resume(self, net: Any) -> None:
        """Go on from what is written, if anything is."""
        if self.checkpoint is not None:
            self.n_done, self.finished, self._excerpts = self.checkpoint.restore(net)

    def take_up(self, sampler: Any) -> None:
        """Draw the batches and excerpts from where the epochs that are done have left off."""
        sampler.skip(self.n_done)
        if self._excerpts is not None:
            self.segments.rng.bit_generator.state = self._excerpts

    def count(self, *, stop: bool) -> None:
        """Count an epoch as done; the last one, if the training is to stop."""
        self.n_done += 1
        self.finished = stop or self.n_done >= self.n_planned

    def write_no_more(self) -> None:
        """Leave what is written as it is: who ends this training is not in what it is known by."""
        self.checkpoint = None

    def write(self, net: Any) -> None:
        """Write how the net now stands."""
        if self.checkpoint is not None:
            rng = self.segments.rng
            self.checkpoint.save(
                net,
                n_epochs=self.n_done,
                finished=self.finished,
                excerpts=None if rng is None else rng.bit_generator.state,
            )


class _Writer(TreeWriter):
    def value(self, value: Any, key: str) -> Any:
        kind = type(value)
        if issubclass(kind, dict | list | tuple) and kind not in _CONTAINERS:
            raise self._refusal(f"a {kind.__qualname__}", key)
        return super().value(value, key)

    def _encoders(self) -> dict[type, Callable[[Any, str], Any]]:
        return {
            Counter: lambda value, key: {"counter": self.value(dict(value), key)},
            OrderedDict: lambda value, key: {"ordered": self.value(dict(value), key)},
            torch.Tensor: self._torch,
            **super()._encoders(),
        }

    def _torch(self, tensor: torch.Tensor, key: str) -> dict[str, str]:
        try:
            array = tensor.detach().cpu().numpy()
        except TypeError as error:  # numpy has no bfloat16, for one
            raise self._refusal(f"a tensor of {tensor.dtype}", key) from error
        return {"torch": self.tensor(array, key)}

    def _mend(self, key: str) -> str:
        if not key.startswith("callbacks"):
            return " Set checkpoint_dir=None."
        return (
            " Let the callback have state_dict() and load_state_dict(state), with what it must "
            "remember as numbers, texts, arrays or tensors."
        )


class _Reader(TreeReader):
    def _decoders(self) -> dict[str, Callable[[Any], Any]]:
        return {
            **super()._decoders(),
            "counter": lambda content: Counter(self.value(content)),
            "ordered": lambda content: OrderedDict(self.value(content)),
            "torch": lambda key: torch.from_numpy(self.tensors[key]),
        }


def _net_tree(net: Any, writer: _Writer) -> dict[str, Any]:
    trained = [name for name, p in net.module_.named_parameters() if p.requires_grad]
    return {
        "weights": writer.value(dict(net.module_.state_dict()), "weights"),
        "trained": trained,  # a callback may have frozen others
        "optimizer": writer.value(net.optimizer_.state_dict(), "optimizer"),
    }


def _rows(net: Any, writer: _Writer) -> list[dict[str, Any]]:
    """Return the history; it grows, so its numbers are to be no arrays."""

    def plain(value: Any) -> Any:
        return value.item() if isinstance(value, np.generic) else value

    return [
        writer.all({name: plain(value) for name, value in row.items()}, f"history/{i}")
        for i, row in enumerate(net.history)
    ]


def _restore_net(net: Any, saved: dict[str, Any]) -> None:
    net.module_.load_state_dict(saved["weights"])
    for name, parameter in net.module_.named_parameters():
        parameter.requires_grad_(name in saved["trained"])
    _restore_optimizer(net.optimizer_, saved["optimizer"])


def _restore_optimizer(optimizer: torch.optim.Optimizer, saved: dict[str, Any]) -> None:
    optimizer.load_state_dict(saved)
    weights = [weight for group in optimizer.param_groups for weight in group["params"]]
    for i, weight in enumerate(weights):
        for name, value in saved["state"].get(i, {}).items():
            if isinstance(value, torch.Tensor):  # which torch has cast to the weight's type
                state = optimizer.state[weight]
                state[name] = value.to(state[name].device)


def net_digest(net: Any) -> str:
    """Return a hash of a net's weights, its optimiser's state and its history without the time."""
    writer = _Writer()
    history = [{**row, "dur": 0} for row in _rows(net, writer)]
    tree = {"net": _net_tree(net, writer), "history": history}
    return sha256(_FORMAT.pack(tree, writer.tensors)).hexdigest()


def _draws(device: str, excerpts: Any) -> dict[str, Any]:
    on_cuda = torch.device(device).type == "cuda"
    return {
        "torch": torch.get_rng_state(),
        "device": torch.cuda.get_rng_state(device) if on_cuda else None,
        "excerpts": excerpts,
    }


def _restore_draws(net: Any, saved: dict[str, Any]) -> Any:
    """Let the generators stand as they did; return the state of that of random excerpts."""
    torch.set_rng_state(saved["torch"])
    if saved["device"] is not None and torch.device(net.device).type == "cuda":
        torch.cuda.set_rng_state(saved["device"], net.device)
    return saved["excerpts"]


def _remembered(callback: Any) -> Any:
    """Return what a callback must know to go on."""
    if hasattr(callback, "state_dict"):
        return callback.state_dict()
    held, given = vars(callback), _given(callback)
    if not _is_of_skorch(callback):  # a user may well count on from a number that was given
        return {
            name: value
            for name, value in held.items()
            if name not in given or _is_plain(value, arrays=False)
        }
    # what else skorch's own hold, such as a progress bar, they make anew when a training begins
    return {
        name: value.state_dict() if _is_schedule(value) else value
        for name, value in held.items()
        if name not in given and (_is_schedule(value) or _is_plain(value))
    }


def _remind(callback: Any, state: Any) -> None:
    if hasattr(callback, "load_state_dict"):
        callback.load_state_dict(state)
        return
    # no file says where skorch's own write to
    given = _given(callback) if _is_of_skorch(callback) else ()
    for name, value in state.items():
        now: Any = getattr(callback, name, None)
        if hasattr(now, "load_state_dict"):
            now.load_state_dict(value)
        elif name not in given:
            setattr(callback, name, value)


def _given(callback: Any) -> Any:
    return signature(type(callback)).parameters


def _is_of_skorch(callback: Any) -> bool:
    return type(callback).__module__.startswith("skorch.")


def _is_schedule(value: Any) -> bool:
    return hasattr(value, "state_dict") and not isinstance(value, type)


def _is_plain(value: Any, *, arrays: bool = True) -> bool:
    writer = _Writer()
    try:
        writer.value(value, "")
    except TypeError:
        return False
    return arrays or not any(tensor.ndim for tensor in writer.tensors.values())
