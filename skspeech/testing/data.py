"""What the checks give to an estimator: recordings of the kind it reads, good and bad ones."""

import copy
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import is_regressor

from skspeech.recordings import FRAMES_FIRST, KINDS, object_array
from skspeech.tags import get_speech_tags
from skspeech.testing.answers import arrays_of
from skspeech.testing.recordings import make_labels, make_recordings, write_waveform

__all__ = [
    "bad_files",
    "bad_recordings",
    "contents",
    "data",
    "giant",
    "hard_data",
    "make_read_only",
    "reads_tables",
    "shortest",
    "speakers",
    "targets",
    "unreadable_collections",
]


def data(estimator: Any, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return recordings that an estimator reads, and labels that they tell, or what else is y."""
    recordings = make_recordings(get_speech_tags(estimator).input_kind, seed=seed)
    return recordings, targets(estimator, recordings)


def targets(estimator: Any, recordings: np.ndarray) -> np.ndarray:
    """Return what ``fit`` gets as y.

    Labels; for a regressor of videos two numbers a frame, which these tell; for what makes sound
    of frames as much sound as these.
    """
    tags = get_speech_tags(estimator)
    makes_sound = tags.input_kind in FRAMES_FIRST and tags.output_kind == "waveform"
    if is_regressor(estimator) and not makes_sound:
        frames = [np.asarray(x, float).reshape(len(x), -1) for x in recordings]
        return object_array([np.stack([x[:, 0], x.mean(axis=1)], axis=1) for x in frames])
    if not (makes_sound and hasattr(estimator, "frame_rate")):
        return make_labels(len(recordings))
    hop = estimator.sample_rate / estimator.frame_rate
    rng = np.random.default_rng(0)
    return object_array(
        [0.1 * rng.standard_normal(round(len(x) * hop), np.float32) for x in recordings]
    )


def hard_data(estimator: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return recordings and labels that they do not tell.

    Posteriors of what is told apart easily are all but 0 and 1, and hide most differences.
    """
    recordings, y = data(estimator)
    return recordings, y if y.dtype == object else np.sort(y)


def speakers(recordings: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return three speakers who take turns, by their names and by numbers."""
    numbers = np.arange(len(recordings)) % 3
    return np.array(["Ann", "Bob", "Cid"])[numbers], numbers


def reads_tables(estimator: Any) -> bool:
    """Whether 2-D arrays mean something to an estimator; a Pipeline's own tags say so of any."""
    return (
        get_speech_tags(estimator).input_kind in ("waveform", "spectrogram", "pitch", "video")
        and estimator.__sklearn_tags__().input_tags.two_d_array
    )


def contents(recording: Any) -> Any:
    """Return a copy of all that a recording holds: of a path, what is in the file."""
    if isinstance(recording, str):
        return np.fromfile(recording, dtype=np.uint8)
    return copy.deepcopy(recording)


def make_read_only(recording: Any) -> None:
    """Forbid to write to a recording."""
    if isinstance(recording, str):
        Path(recording).chmod(0o444)
        return
    for array in arrays_of(recording):
        array.setflags(write=False)


def shortest(recording: Any, kind: str) -> Any:
    """Return the first sample, frame or symbol of a recording."""
    if kind == "contour":
        return [recording[0][:1]]
    if kind == "path":
        return write_waveform(Path(recording).with_suffix(".short.wav"), np.ones(1))
    return recording[:1] if kind in FRAMES_FIRST else recording[..., :1]


def giant(recordings: np.ndarray, kind: str) -> Any:
    """Return a recording nine times as long as the longest."""
    if kind == "path":
        waveform = giant(make_recordings("waveform"), "waveform")
        return write_waveform(Path(recordings[0]).with_suffix(".giant.wav"), waveform)
    if kind == "contour":
        return 9 * max(recordings, key=lambda phrases: sum(map(len, phrases)))
    longest = max(recordings, key=lambda x: x.size)
    return np.concatenate([longest] * 9, axis=0 if kind in FRAMES_FIRST else -1)


def bad_recordings(estimator: Any, good: Any) -> dict[str, Any]:
    """Return recordings that cannot be used, by what is wrong with them."""
    tags = get_speech_tags(estimator)
    if tags.input_kind == "path":
        return _bad_paths(good)
    if tags.input_kind == "contour":
        return _bad_contours(good)
    bad: dict[str, Any] = {
        "an empty recording": good[..., :0],
        "wrong axes": np.zeros((1,) * (max(map(len, KINDS[tags.input_kind])) + 1)),
        "a string": "recording.wav",
        "None": None,
        "an empty bag": [],
        "complex numbers": good.astype(complex),
        "dates": np.zeros(good.shape, "datetime64[s]"),
    }
    if good.dtype.kind == "f":
        for name, value in (("NaN", np.nan), ("infinity", np.inf)):
            bad[name] = good.copy()
            bad[name].flat[-1] = value
        bad["what float32 cannot hold"] = np.full(good.shape, 1e300)
    if not tags.reads_bags:
        bad["a bag"] = [good, good]
    return bad


def _bad_paths(good: Any) -> dict[str, Any]:
    return {
        "None": None,
        "a number": 3,
        "NaN": np.nan,
        "an empty string": "",
        "bytes": good.encode(),
        "a list": [good],
        "an array": np.zeros(9),
    }


def _bad_contours(good: Any) -> dict[str, Any]:
    phrases = {
        "a number": 3,
        "a string": "abc",
        "None": None,
        "two axes": np.ones((2, 2), dtype=int),
        "a set": {1, 2},
        "floats": [1.0, 2.0],
        "NaN": [1, np.nan],
        "None as a symbol": [1, None],
        "truth": [True, False],
        "a list as a symbol": [[1]],
        "two types": [1, "a"],
        "another type": ["a"],
    }
    return {
        "None": None,
        "a number": 3,
        "a string": "recording.wav",
        "an array": np.ones(9, dtype=int),
        "a dictionary": {"a": good},
        "a lone phrase": good[0],
        "a bag": [good, good],
        **{f"{wrong} for a phrase": [*good, phrase] for wrong, phrase in phrases.items()},
    }


def bad_files(estimator: Any, good: Any) -> dict[str, Any]:
    """Return paths of files that cannot be used, by what is wrong; ``fit`` opens no file."""
    if get_speech_tags(estimator).input_kind != "path":
        return {}
    text = Path(good).with_suffix(".text.wav")
    text.write_text("This is no sound.", encoding="utf-8")
    return {
        "a missing file": str(Path(good).with_suffix(".missing.wav")),
        "a folder": str(Path(good).parent),
        "a text file": str(text),
    }


def unreadable_collections(recordings: np.ndarray) -> list[Any]:
    """Return what is no collection of recordings."""
    first = recordings[0]
    lone = first.ravel() if isinstance(first, np.ndarray) else first
    return [[], object_array([]), "recording.wav", None, 3.0, lone, {"a": first}]
