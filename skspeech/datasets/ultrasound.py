"""Tongue ultrasound as Articulate Assistant Advanced (AAA) exports it, with its speech.

The layout is also that of the corpora UltraSuite and TaL.
"""

import math
import os
from functools import partial
from numbers import Real
from pathlib import Path
from typing import NamedTuple

import numpy as np
from sklearn.utils import Bunch
from sklearn.utils._param_validation import Interval, validate_params

from skspeech.datasets._aaa_files import (
    AAAParameters,
    beside,
    read_parameters,
    read_prompt,
    unusable,
)
from skspeech.datasets._files import read_descr
from skspeech.exceptions import RecordingError
from skspeech.recordings import RecordingSequence, object_array

__all__ = ["AAAParameters", "load_aaa_recordings", "read_parameters"]


class _Recording(NamedTuple):
    """What is known of a recording before its frames and samples are read."""

    ultrasound: Path
    audio: Path
    parameters: AAAParameters
    n_frames: int  # of the file
    frames: slice
    seconds: tuple[float, float | None]  # of the audio: where the frames begin and end


@validate_params(
    {
        "folder": [str, os.PathLike],
        "sample_rate": [Interval(Real, 0, None, closed="neither"), None],
        "crop": ["boolean"],
    },
    prefer_skip_nested_validation=True,
)
def load_aaa_recordings(
    folder: str | os.PathLike, *, sample_rate: float | None = 22_050, crop: bool = True
) -> Bunch:
    r"""Load raw tongue ultrasound and its speech from a folder of exports of AAA.

    Articulate Assistant Advanced, the program that records ultrasound and speech together, writes
    for a recording X the files ``X.ult`` (raw frames), ``XUS.txt`` (how they were taken), ``X.wav``
    and ``X.txt`` (prompt, date, participant). The corpora UltraSuite and TaL have ``X.param`` in
    place of ``XUS.txt``. Nothing is downloaded.

    Parameters
    ----------
    folder : path-like
        Searched with all its folders for ``.ult`` files, hidden ones aside. Beside each must be
        its parameters and its audio, ``X.wav`` or else ``X_Track0.wav``; the prompt may be missing.
    sample_rate : float or None, default=22050
        In Hz, of the audio: what the mel targets of silent speech are made from. None keeps the
        files' own, which must be one.
    crop : bool, default=True
        Cut video and audio to the time that both cover. Frame i is then at sample
        ``i * sample_rate / frame_rate`` of the audio, to half a sample. Without, both are whole,
        and ``parameters[k].time_of_first_frame`` tells where the video begins.

    Returns
    -------
    bunch : :class:`~sklearn.utils.Bunch`
        In the order of the names of the files, with the attributes

        data : RecordingSequence of shape (n_recordings,)
            An item is a memory map, read-only, of uint8 and shape (n_frames, n_vectors, n_pixels):
            its frames are read from the file when they are computed with. The first scan line is
            an end of the fan (the front or the back of the tongue, as the probe was held), the
            first pixel nearest the probe.
        audio : RecordingSequence of shape (n_recordings,)
            Reads a file when an item is asked for: float32 of shape (n_samples,), channels
            averaged.
        frame_rates : ndarray of shape (n_recordings,)
            Frames a second of each recording: AAA measures it each time, and each recording needs
            a :class:`~skspeech.preprocessing.MelTargets` of its own, as in the example.
        sample_rate : float
            Of the audio, Hz.
        parameters : list of AAAParameters
            How each was taken.
        prompts : ndarray of shape (n_recordings,)
            What was to be said; empty where there is no prompt.
        speakers : ndarray of shape (n_recordings,)
            The participant that the prompt's file names; empty where it names none.
        dates : ndarray of shape (n_recordings,), dtype datetime64[s]
            When it was recorded; NaT where that cannot be read.
        filenames : ndarray of shape (n_recordings,)
            The ``.ult`` files, relative to `folder`.
        DESCR : str
            The layout, and where such recordings come from.

    Raises
    ------
    FileNotFoundError
        If there is no ``.ult`` file in `folder`.
    RecordingError
        If the parameters or the audio of a recording are missing, a parameter is missing or cannot
        be used, pixels do not have 8 bits, the frames are not whole, the audio cannot be opened or
        does not overlap with the video; it names file and field. If a file is found to be damaged
        or to have changed when an item is read.
    ValueError
        If a parameter is none of the above.

    References
    ----------
    A. Eshky, M. S. Ribeiro, J. Cleland, K. Richmond, Z. Roxburgh, J. M. Scobbie and A. Wrench
    (2018). UltraSuite: a repository of ultrasound and acoustic data from child speech therapy
    sessions. Interspeech, 1888-1892.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> import numpy as np
    >>> import soundfile
    >>> from skspeech.datasets import load_aaa_recordings
    >>> from skspeech.preprocessing import MelTargets, align_frames
    >>> parameters = {"NumVectors": 64, "PixPerVector": 842, "BitsPerPixel": 8}
    >>> parameters |= {"FramesPerSec": 81.582, "TimeInSecsOfFirstFrame": 0.077}
    >>> with TemporaryDirectory() as folder:  # in place of an export, one of noise
    ...     frames = np.random.default_rng(0).integers(0, 256, (50, 64, 842), dtype=np.uint8)
    ...     _ = Path(folder, "001.ult").write_bytes(frames.tobytes())
    ...     lines = [f"{key}={value}" for key, value in parameters.items()]
    ...     _ = Path(folder, "001US.txt").write_text("\n".join(lines))
    ...     soundfile.write(f"{folder}/001.wav", np.zeros(22_050), 22_050)
    ...     aaa = load_aaa_recordings(folder)
    ...     print(aaa.data[0].shape, aaa.audio[0].shape, aaa.frame_rates)
    ...     targets = [
    ...         MelTargets(frame_rate=rate).fit_transform([waveform])[0]
    ...         for waveform, rate in zip(aaa.audio, aaa.frame_rates, strict=True)
    ...     ]
    ...     videos, targets = align_frames(aaa.data, targets)
    ...     print(videos[0].shape, targets[0].shape)
    (50, 64, 842) (13514,) [81.582]
    (50, 64, 842) (50, 80)
    """
    root = Path(folder).expanduser().absolute()
    paths = _find(root)
    recordings = []
    for i, path in enumerate(paths):
        try:
            recordings.append(_inspect(path, crop))
        except RecordingError as error:
            raise error.at(i) from error
    if sample_rate is None:
        sample_rate = _one_rate(recordings)
    prompts, dates, speakers = zip(*[read_prompt(path) for path in paths], strict=True)
    source = object_array(recordings)
    return Bunch(
        data=RecordingSequence(source, _read_frames),
        audio=RecordingSequence(source, partial(_read_audio, sample_rate=sample_rate)),
        frame_rates=np.array([each.parameters.frame_rate for each in recordings]),
        sample_rate=sample_rate,
        parameters=[each.parameters for each in recordings],
        prompts=np.array(prompts),
        speakers=np.array(speakers),
        dates=np.array(dates, dtype="datetime64[s]"),
        filenames=np.array([path.relative_to(root).as_posix() for path in paths]),
        DESCR=read_descr("aaa"),
    )


def _find(root: Path) -> list[Path]:
    paths = sorted(
        path
        for path in root.rglob("*.ult")
        if path.is_file() and not any(p.startswith(".") for p in path.relative_to(root).parts)
    )
    if not paths:
        raise FileNotFoundError(
            f"There is no .ult file in {root}. folder must hold raw ultrasound as AAA exports it, "
            "in any folders in between."
        )
    return paths


def _inspect(path: Path, crop: bool) -> _Recording:
    """Learn what can be known of a recording without reading its frames and samples."""
    written = beside(path, "US.txt", ".param")
    audio = beside(path, ".wav", "_Track0.wav")
    parameters = read_parameters(written)
    size = path.stat().st_size
    n_frames, rest = divmod(size, parameters.n_vectors * parameters.n_pixels)
    if rest:
        shape = f"{parameters.n_vectors} x {parameters.n_pixels}"
        raise unusable(
            path,
            f"is cut off, or {written.name} is not its own: {size:,} bytes are not a whole number "
            f"of frames of {shape} pixels (NumVectors x PixPerVector)",
        )
    if not n_frames:
        raise unusable(path, "holds no frames")
    duration = _duration(audio)
    if not crop:
        return _Recording(path, audio, parameters, n_frames, slice(None), (0.0, None))
    frames, seconds = _overlap(parameters, n_frames, duration)
    if frames.stop <= frames.start:
        raise unusable(
            path,
            f"has no frame while {audio.name} sounds: {n_frames:,} frames from "
            f"TimeInSecsOfFirstFrame={parameters.time_of_first_frame:g} on, and {duration:.3f} s "
            "of audio",
        )
    return _Recording(path, audio, parameters, n_frames, frames, seconds)


def _duration(path: Path) -> float:
    """Return the seconds of an audio file, by its header."""
    import soundfile

    try:
        with open(path, "rb") as stream:  # libsndfile takes no name that is not UTF-8
            return soundfile.info(stream).duration
    except (OSError, soundfile.SoundFileError) as error:
        raise unusable(path, f"cannot be read as audio ({error})") from error


def _overlap(
    parameters: AAAParameters, n_frames: int, duration: float
) -> tuple[slice, tuple[float, float]]:
    """Return the frames that begin within the audio, and from when to when they last."""
    first, rate = parameters.time_of_first_frame, parameters.frame_rate
    # a frame at the end of the audio, but for a rounding error, is not within it
    start, stop = (
        math.ceil(np.clip(seconds * rate - 1e-6, 0, n_frames))
        for seconds in (-first, duration - first)
    )
    return slice(start, stop), (first + start / rate, first + stop / rate)


def _one_rate(recordings: list[_Recording]) -> int:
    import soundfile

    rates = []
    for each in recordings:
        with open(each.audio, "rb") as stream:
            rates.append(soundfile.info(stream).samplerate)
    for i, rate in enumerate(rates):
        if rate != rates[0]:
            raise RecordingError(
                f"({str(recordings[i].audio)!r}) has {rate:,} Hz where X[0] has {rates[0]:,} Hz",
                "Give sample_rate, so that all are resampled to one.",
                i,
            )
    return rates[0]


def _read_frames(recording: _Recording) -> np.ndarray:
    path, parameters = recording.ultrasound, recording.parameters
    shape = (recording.n_frames, parameters.n_vectors, parameters.n_pixels)
    try:
        size = path.stat().st_size
        if size != math.prod(shape):
            raise unusable(
                path, f"has {size:,} bytes and had {math.prod(shape):,} bytes when it was loaded"
            )
        return np.memmap(path, dtype=np.uint8, mode="r", shape=shape)[recording.frames]
    except OSError as error:
        raise unusable(path, f"cannot be read ({error.strerror})") from error


def _read_audio(recording: _Recording, sample_rate: float) -> np.ndarray:
    from skspeech.preprocessing._audio_files import read_waveform

    try:
        waveform = read_waveform(str(recording.audio), sample_rate)
    except RecordingError as error:
        raise unusable(recording.audio, error.problem, error.mend) from error
    begin, end = (
        None if seconds is None else round(seconds * sample_rate) for seconds in recording.seconds
    )
    return waveform[begin:end]
