"""Speech from ultrasound frame by frame: the three parts of the chain, one after the other."""

import time
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from skspeech.exceptions import RecordingError
from skspeech.recordings import check_recording

__all__ = ["SpeechStream", "latency_of", "pieces_of", "spectra_by_frame"]


class SpeechStream:
    """The speech of one recording of ultrasound whose frames come a few at a time.

    Parameters
    ----------
    scaler : fitted transformer of videos
        It is given one frame at a time.
    answers : AnswerStream or alike
        A regressor's ``stream()``.
    sounds : WaveformStream or alike
        A vocoder's ``stream()``.
    frame_rate : float
        Frames per second, Hz.

    Attributes
    ----------
    lookahead : int
        Frames: once frame i is pushed, the sound of frame ``i - lookahead`` has been given, up to
        the sample that it is centred on.
    delay : float
        The same in seconds, by which the sound comes later than the frames; what computing takes
        comes on top.
    """

    def __init__(self, scaler: Any, answers: Any, sounds: Any, frame_rate: float):
        self._spectra = _SpectraStream(scaler, answers)
        self._sounds = sounds
        self._begun = False
        self.lookahead = answers.lookahead + sounds.lookahead
        self.delay = self.lookahead / frame_rate

    def push(self, frames: Any) -> np.ndarray:
        """Take the next frames, and return what has become known of the waveform.

        Parameters
        ----------
        frames : array-like of shape (n_frames, n_vectors, n_pixels)
            As the device stores them. Any number, even none; what is pushed together or one by
            one makes no difference.

        Returns
        -------
        ndarray of float32, shape (n_samples,)
            What follows on the samples given so far; it may be empty.

        Raises
        ------
        RecordingError
            If they are no frames of ultrasound.
        ValueError
            After `finish`.
        """
        frames = np.asarray(frames)
        if frames.ndim != 3 or len(frames):  # what is no video is refused there
            frames = check_recording(frames, kind="video", reader=type(self).__name__)
        return self._sound(*[self._spectra.push(frame) for frame in frames])

    def finish(self) -> np.ndarray:
        """Return the rest of the waveform, shape (n_samples,): nothing follows any more."""
        rest = self._sound(self._spectra.finish())
        return np.concatenate([rest, self._sounds.finish()]) if self._begun else rest

    def _sound(self, *spectra: np.ndarray) -> np.ndarray:
        known = [part for part in spectra if len(part)]
        self._begun = self._begun or bool(known)
        return np.concatenate([np.zeros(0, np.float32), *map(self._sounds.push, known)])


class _SpectraStream:
    """The spectra of one recording, whose frames are scaled and answered one by one.

    That way the spectra of the whole recording and those of its frames as they come are the same
    to the last bit, and so is the sound. A vocoder that looks for phases does not forgive less: the
    rounding of a larger batch would be another sound, as good and not the same.
    """

    def __init__(self, scaler: Any, answers: Any):
        self.scaler, self.answers = scaler, answers

    def push(self, frame: np.ndarray) -> np.ndarray:
        """Take a frame (n_vectors, n_pixels), and return spectra (n_known, n_outputs)."""
        try:
            (scaled,) = self.scaler.transform([frame[None]])
        except RecordingError as error:  # it is no X[0]
            raise RecordingError(error.problem, error.mend) from None
        if len(scaled) != 1:
            raise ValueError(
                f"The scaler {type(self.scaler).__name__} makes {len(scaled)} frames of one. Give "
                "one that treats each frame by itself."
            )
        return self.answers.push(scaled)

    def finish(self) -> np.ndarray:
        """Return the rest."""
        return self.answers.finish()


def spectra_by_frame(scaler: Any, answers: Any, video: np.ndarray) -> np.ndarray:
    """Return the spectra of a whole recording as a stream has them, (n_frames, n_outputs)."""
    stream = _SpectraStream(scaler, answers)
    return np.concatenate([*[stream.push(frame) for frame in video], stream.finish()])


def pieces_of(stream: SpeechStream, frames: Iterable[Any]) -> Iterator[np.ndarray]:
    """Yield the sound of frames (n_vectors, n_pixels) as it becomes known, without empty pieces."""
    for frame in frames:
        piece = stream.push(np.asarray(frame)[None])
        if len(piece):
            yield piece
    rest = stream.finish()
    if len(rest):
        yield rest


def latency_of(stream: SpeechStream, video: np.ndarray) -> np.ndarray:
    """Return the seconds from each frame to the sound that it makes known, (n_frames,)."""
    seconds = np.empty(len(video))
    for i, frame in enumerate(video):
        begin = time.perf_counter()
        stream.push(frame[None])
        seconds[i] = time.perf_counter() - begin
    return seconds
