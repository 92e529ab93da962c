"""One audio file: its samples as a mono waveform, or what is wrong with it.

libsndfile mends what it can without a word: it reads what is left of a truncated WAV file as if
that were all. A label that was given to the whole recording may not belong to its beginning, so a
file that is found not to be whole is an error here.
"""

import math
import os
import re
import stat
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from skspeech.exceptions import RecordingError

__all__ = ["read_waveform"]

_RESTORE = "Restore the file or remove the recording."
_REPAIR = "Repair the header, write the file anew or remove the recording."
_REENCODE = "Encode it anew, for instance as FLAC, or remove the recording."

#: A file whose sample rate is this many times another than the one asked for has a broken header;
#: resampling it would fill the memory or leave nothing.
_MAX_RATE_RATIO = 1000

#: Who writes a WAV file into a pipe does not know its length and puts in the largest there is.
_UNKNOWN_SIZE = 2**31 - 2**16

#: How libsndfile reads a sample.
_PCM_BYTES = {"PCM_U8": 1, "PCM_16": 2, "PCM_24": 3, "PCM_32": 4}

#: More than the tags at the end of an MP3 file take.
_MP3_TAGS = 8192

#: The longest page of an Ogg file: 27 bytes, 255 lacing values and 255 segments of 255 bytes.
_OGG_PAGE = 27 + 255 + 255 * 255


def read_waveform(path: str, sample_rate: float | None) -> np.ndarray:
    """Return the samples of an audio file, channels averaged, at one sample rate.

    Parameters
    ----------
    path : str
    sample_rate : float or None
        Hz; None for the file's own.

    Returns
    -------
    ndarray of float32, shape (n_samples,)
        Finite. Of n frames at another rate, ceil(n * sample_rate / file's rate) samples come out,
        as many as from ``librosa.resample``.

    Raises
    ------
    RecordingError
        What is wrong with the file, as the rest of a sentence that begins with its name.
    """
    _check_is_file(path)
    frames, file_rate = _read_frames(path)
    with np.errstate(invalid="ignore", over="ignore"):  # named below
        waveform = frames.mean(axis=1, dtype=np.float64).astype(np.float32)
    if not np.isfinite(waveform).all():
        place = int(np.flatnonzero(~np.isfinite(waveform))[0])
        raise RecordingError(f"holds NaN or infinity at frame {place:,}", _RESTORE)
    return waveform if sample_rate is None else _resample(waveform, file_rate, sample_rate)


def _check_is_file(path: str) -> None:
    """Refuse what cannot be an audio file before it is opened: a pipe would be waited for."""
    try:
        status = os.stat(path)
    except FileNotFoundError:
        raise RecordingError(
            "does not exist",
            "Correct the path, which is read from the working directory if it is relative, "
            "or remove the recording.",
        ) from None
    except (OSError, ValueError) as error:  # a name too long, or with a null character
        raise RecordingError(f"cannot be found ({_reason(error)})", "Correct the path.") from error
    if stat.S_ISDIR(status.st_mode):
        raise RecordingError("is a directory", "Give the paths of the files in it.")
    if not stat.S_ISREG(status.st_mode):
        raise RecordingError("is no regular file", "Give the path of an audio file.")
    if status.st_size == 0:
        raise RecordingError("is an empty file (0 bytes)", _RESTORE)
    if Path(path).suffix.lower() == ".raw":
        raise RecordingError("has no header that tells its sample rate", "Write it as WAV or FLAC.")


def _reason(error: Exception) -> str:
    said = getattr(error, "error_string", None) or getattr(error, "strerror", None) or str(error)
    return said.strip().rstrip(".")


def _read_frames(path: str) -> tuple[np.ndarray, int]:
    """Return frames of shape (n_frames, n_channels) and their rate in Hz."""
    import soundfile

    try:
        # an open file, because libsndfile takes no name that is not UTF-8
        with open(path, "rb") as stream, soundfile.SoundFile(stream) as file:
            frames = _read_all(file)
            problem = _contradiction(file) or _missing(file, stream, len(frames))
            rate = file.samplerate
    except soundfile.LibsndfileError as error:
        raise RecordingError(f"cannot be read as audio ({_reason(error)})", _RESTORE) from error
    except OSError as error:
        raise RecordingError(f"cannot be opened ({_reason(error)})", _RESTORE) from error
    if problem:
        raise RecordingError(*problem)
    if len(frames) == 0:
        raise RecordingError("holds no samples", _RESTORE)
    return frames, rate


def _read_all(file: Any) -> np.ndarray:
    """Read at once: MP3 decoded in blocks differs at their edges."""
    try:
        return file.read(dtype="float32", always_2d=True)
    except (MemoryError, ValueError) as error:
        raise RecordingError(
            f"claims {file.frames:,} frames of {file.channels:,} channels", _REENCODE
        ) from error


def _contradiction(file: Any) -> tuple[str, str] | None:
    """Return what a WAV header says against itself: a wrong number of channels, most likely."""
    found = re.search(
        r"Channels +: (\d+).+?Block Align +: (\d+).+?Bit Width +: (\d+)", file.extra_info, re.S
    )
    if not found or file.subtype not in _PCM_BYTES:
        return None
    channels, align, bits = map(int, found.groups())
    if align == channels * _PCM_BYTES[file.subtype]:
        return None
    problem = f"has a header of {channels} channels of {bits} bits, but {align} bytes a frame"
    return problem, _REPAIR


def _missing(file: Any, stream: BinaryIO, n_frames: int) -> tuple[str, str] | None:
    """Return how it shows that a file is not whole, or was not read as a whole."""
    if n_frames < file.frames:
        return f"is cut off or damaged after {n_frames:,} of {file.frames:,} frames", _RESTORE
    position, size = stream.tell(), stream.seek(0, os.SEEK_END)
    if file.format == "MP3" and size - position > _MP3_TAGS:
        # libsndfile takes the bit rate of the beginning for that of the whole
        problem = f"tells no length, so that only {position:,} of its {size:,} bytes were read"
        return problem, _REENCODE
    if file.format == "OGG" and not _ends_as_ogg(stream, size):
        return "is cut off: its last page is not marked as the last", _RESTORE
    # what libsndfile notes of a file that it mends; "riff" is the size of a W64 file
    mended = re.search(
        r"^ *(?:data|SSND|Data Size|riff) *: (\d+) \(should be (\d+)\)", file.extra_info, re.M
    )
    if mended and int(mended[2]) < int(mended[1]) < _UNKNOWN_SIZE:
        problem = f"is cut off: {int(mended[2]):,} of {int(mended[1]):,} bytes are there"
        return problem, _RESTORE
    return None


def _ends_as_ogg(stream: BinaryIO, size: int) -> bool:
    """Whether the last page says that it is the last (RFC 3533, section 6) and is all there."""
    stream.seek(max(0, size - _OGG_PAGE))
    end = stream.read()
    page = end[end.rfind(b"OggS") :]
    if len(page) < 27 or not page[5] & 4:
        return False
    n_segments = page[26]
    return len(page) >= 27 + n_segments + sum(page[27 : 27 + n_segments])


def _resample(waveform: np.ndarray, file_rate: int, sample_rate: float) -> np.ndarray:
    if file_rate == sample_rate:
        return waveform
    if max(file_rate / sample_rate, sample_rate / file_rate) > _MAX_RATE_RATIO:
        raise RecordingError(
            f"claims a sample rate of {file_rate:,} Hz where {sample_rate:,} Hz are asked for",
            _REPAIR,
        )
    import soxr

    resampled = soxr.resample(waveform, file_rate, sample_rate)  # in its quality HQ, its default
    # soxr rounds; librosa's length does not get shorter than the recording, or empty
    padded = np.zeros(math.ceil(len(waveform) * sample_rate / file_rate), dtype=np.float32)
    padded[: len(resampled)] = resampled[: len(padded)]
    return padded
