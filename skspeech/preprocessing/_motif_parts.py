"""The parts of a MotifExtractor: built, matched with each other, and asked through a cache."""

from importlib.metadata import version
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import clone
from sklearn.utils.validation import check_memory

from skspeech.exceptions import RecordingError

__all__ = ["Parts", "ask", "build_parts", "check_agree", "fit_contour", "known", "pitch_of"]

# Of the paper (section 2.2): the hop of the pitch, at its sample rate.
_HOP_LENGTH, _SAMPLE_RATE = 256, 44100


class Parts(NamedTuple):
    """The four parts, unfitted and nobody else's."""

    pitch: Any
    contour: Any
    miner: Any
    spectrogram: Any


def build_parts(extractor: Any) -> Parts:
    """Return clones of an extractor's parts, or the paper's where it has None.

    Raises
    ------
    ValueError
        If a part says another sample rate or hop than the one before it.
    """
    pitch = _pitch(extractor)
    contour = _contour(extractor, pitch)
    return Parts(pitch, contour, _miner(extractor), _spectrogram(extractor))


def _pitch(extractor: Any) -> Any:
    from skspeech.preprocessing.pitch import SaliencePitch

    rate = extractor.sample_rate
    if extractor.pitch is None:
        hop_length = max(1, round(_HOP_LENGTH * rate / _SAMPLE_RATE))
        return SaliencePitch(sample_rate=rate, hop_length=hop_length)
    check_agree("pitch", extractor.pitch, extractor, "sample_rate")
    return clone(extractor.pitch)


def _contour(extractor: Any, pitch: Any) -> Any:
    from skspeech.preprocessing.contour import ContourApproximator

    if extractor.contour is None:
        hop_length = known(pitch, "hop_length")
        if hop_length is None:
            raise ValueError(
                f"{type(pitch).__name__} does not say by hop_length how far its frames are apart. "
                "Give MotifExtractor a contour that knows."
            )
        return ContourApproximator(sample_rate=extractor.sample_rate, hop_length=hop_length)
    for name in ("sample_rate", "hop_length"):
        check_agree("contour", extractor.contour, pitch, name)
    return clone(extractor.contour)


def _miner(extractor: Any) -> Any:
    from skspeech.mining import ClosedMotifMiner

    return ClosedMotifMiner() if extractor.miner is None else clone(extractor.miner)


def _spectrogram(extractor: Any) -> Any:
    from skspeech.preprocessing.spectrogram import LogMelSpectrogram

    if extractor.spectrogram is None:
        return LogMelSpectrogram(n_fft=400, hop_length=200)
    return clone(extractor.spectrogram)


def known(part: Any, name: str) -> Any:
    """Return a parameter of a part, of a Pipeline that of the first step that has it; else None."""
    steps = [step for _, step in getattr(part, "steps", [("", part)])]
    return next((getattr(step, name) for step in steps if hasattr(step, name)), None)


def check_agree(role: str, part: Any, other: Any, name: str) -> None:
    """Refuse two parts that give one parameter different values; some have it not at all."""
    found, wanted = known(part, name), known(other, name)
    if None not in (found, wanted) and found != wanted:
        raise ValueError(
            f"The {role} {type(part).__name__} has {name}={found}, but "
            f"{type(other).__name__} has {name}={wanted}. Give both the same."
        )


def pitch_of(memory: Any, part: Any, waveform: np.ndarray) -> np.ndarray:
    """Return the pitch of a waveform, in as many frames as the waveform has hops.

    Raises
    ------
    RecordingError
        If there are more or fewer, by more than one: every time would be wrong.
    """
    pitch = ask(memory, part, waveform)
    hop_length = known(part, "hop_length")
    if hop_length is None:
        return pitch
    n_frames = 1 + len(waveform) // hop_length
    if abs(len(pitch) - n_frames) > 1:
        raise RecordingError(
            f"has {len(pitch):,} frames of pitch by {type(part).__name__}, not {n_frames:,} of "
            f"hop_length={hop_length}",
            "Give MotifExtractor a pitch that has a frame every hop_length samples.",
        )
    return pitch


def fit_contour(memory: Any, contour: Any, pitches: Any) -> Any:
    """Return the contour part fitted, from the cache where the same was fitted to the same."""
    return check_memory(memory).cache(_fitted)(contour, pitches, version("skspeech"))


def ask(memory: Any, part: Any, recording: Any) -> Any:
    """Return what a fitted part makes of one recording, from the cache where it was asked."""
    return check_memory(memory).cache(_answer)(part, recording, version("skspeech"))


# The version is there for the cache: another one may answer otherwise.
def _fitted(part: Any, X: Any, skspeech: str) -> Any:
    return part.fit(X)


def _answer(part: Any, recording: Any, skspeech: str) -> Any:
    return part.transform([recording])[0]
