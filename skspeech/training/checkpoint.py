"""A training that is stopped at any moment goes on from its last epoch, to the same result.

A checkpoint is one file of :mod:`skspeech.archive`, replaced as a whole after each epoch: weights,
the optimiser's state, what callbacks remember, the history and the random generators. It holds no
pickle. Its name is a hash of all that the result depends on, so that each training of a
cross-validation or of a search has a file of its own.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from hashlib import sha256
from inspect import signature
from itertools import count
from os import PathLike
from pathlib import Path
from typing import Any

import torch

from skspeech.archive import FileFormat, TreeReader, TreeWriter, write_whole

__all__ = ["Checkpoint", "Progress", "open_checkpoint", "training_key"]

_FORMAT = FileFormat("skspeech checkpoint", 1)
# These change where and how loudly a network is trained, and nothing of the result.
_NO_MATTER = ("checkpoint_dir", "verbose")


def training_key(estimator: Any, *data: Any) -> str:
    """Return a hash of all that a training's result depends on.

    Parameters
    ----------
    estimator : Network
        With its parameters; one that trains on, with its weights and its optimiser's state.
    *data
        What it is fitted on: recordings, targets, groups, what is held out.

    Raises
    ------
    ValueError
        If the seed is None, or something is not to be told from others, such as a lambda.
    """
    from joblib import hash as content_hash

    from skspeech import __version__

    if estimator.random_state is None:
        raise ValueError(
            "checkpoint_dir needs a random_state: without one, each run holds out other "
            "recordings, and none could go on where another stopped. Set random_state=0."
        )
    parameters = estimator.get_params(deep=False)
    parameters = {name: parameters[name] for name in sorted(parameters.keys() - _NO_MATTER)}
    cls = type(estimator)
    start = _digest(estimator.net_) if estimator.warm_start and hasattr(estimator, "net_") else ""
    known = (__version__, f"{cls.__module__}.{cls.__qualname__}", parameters, start)
    try:
        # a worker sees a large array as a memory map
        return content_hash((known, *data), coerce_mmap=True)
    except Exception as error:  # what pickle raises depends on what it meets
        raise ValueError(
            f"{cls.__name__} cannot be told from others for its checkpoint ({error}). Use "
            "functions of a module in its parameters and to read recordings, or set "
            "checkpoint_dir=None."
        ) from error


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
        Of :func:`training_key`.
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
            "callbacks": {
                name: writer.value(_remembered(callback), f"callbacks/{name}")
                for name, callback in net.callbacks_
            },
            "draws": {
                "torch": writer.value(torch.get_rng_state(), "draws/torch"),
                "device": writer.value(_device_draws(net.device), "draws/device"),
                "excerpts": writer.value(excerpts, "draws/excerpts"),
            },
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
            remembered = reader.all(tree["callbacks"])
            for name, callback in net.callbacks_:
                if name in remembered:  # who only looks on may be new
                    _remind(callback, remembered[name])
            draws = reader.all(tree["draws"])
        except Exception as error:  # whatever a parser makes of it, it is the file's fault
            raise ValueError(
                f"{self.path} cannot be gone on with ({type(error).__name__}: {error}). Remove it "
                "to train anew."
            ) from error
        torch.set_rng_state(draws["torch"])
        if draws["device"] is not None and torch.device(net.device).type == "cuda":
            torch.cuda.set_rng_state(draws["device"], net.device)
        return tree["n_epochs"], tree["finished"], draws["excerpts"]


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
    def _encoders(self) -> dict[type, Callable[[Any, str], Any]]:
        def encode(tensor: torch.Tensor, key: str) -> dict[str, str]:
            return {"torch": self.tensor(tensor.detach().cpu().numpy(), key)}

        return {**super()._encoders(), torch.Tensor: encode}

    def _mend(self, key: str) -> str:
        if not key.startswith("callbacks"):
            return " Set checkpoint_dir=None."
        return (
            " Let the callback have state_dict() and load_state_dict(state), with what it must "
            "remember as numbers, texts, arrays or tensors."
        )


class _Reader(TreeReader):
    def _decoders(self) -> dict[str, Callable[[Any], Any]]:
        return {**super()._decoders(), "torch": lambda key: torch.from_numpy(self.tensors[key])}


def _net_tree(net: Any, writer: _Writer) -> dict[str, Any]:
    return {
        "weights": writer.value(dict(net.module_.state_dict()), "weights"),
        "optimizer": writer.value(net.optimizer_.state_dict(), "optimizer"),
        "history": writer.value(list(net.history), "history"),
    }


def _restore_net(net: Any, saved: dict[str, Any]) -> None:
    from skorch.history import History

    net.module_.load_state_dict(saved["weights"])
    net.optimizer_.load_state_dict(saved["optimizer"])
    net.history = History(saved["history"])


def _digest(net: Any) -> str:
    """Return a hash of a net's weights, its optimiser's state and its history."""
    writer = _Writer()
    tree = _net_tree(net, writer)
    return sha256(_FORMAT.pack(tree, writer.tensors)).hexdigest()


def _device_draws(device: str) -> torch.Tensor | None:
    return torch.cuda.get_rng_state(device) if torch.device(device).type == "cuda" else None


def _remembered(callback: Any) -> Any:
    """Return what a callback must know to go on."""
    if hasattr(callback, "state_dict"):
        return callback.state_dict()
    given = signature(type(callback)).parameters  # skorch takes all without a last _ for given
    state = {name: value for name, value in vars(callback).items() if name not in given}
    if not type(callback).__module__.startswith("skorch."):
        return state
    # what else skorch's own hold, such as a progress bar, they make anew when a training begins
    state = {name: _state_of_schedule(value) for name, value in state.items()}
    return {name: value for name, value in state.items() if _is_plain(value)}


def _remind(callback: Any, state: Any) -> None:
    if hasattr(callback, "load_state_dict"):
        callback.load_state_dict(state)
        return
    for name, value in state.items():
        now: Any = getattr(callback, name, None)
        if hasattr(now, "load_state_dict"):
            now.load_state_dict(value)
        else:
            setattr(callback, name, value)


def _state_of_schedule(value: Any) -> Any:
    has_state = hasattr(value, "state_dict") and not isinstance(value, type)
    return value.state_dict() if has_state else value


def _is_plain(value: Any) -> bool:
    try:
        _Writer().value(value, "")
    except TypeError:
        return False
    return True
