"""One audio file: its samples as a mono waveform, or what is wrong with it.

libsndfile mends what it can without a word: it reads what is left of a truncated WAV file as if
that were all. A label that was given to the whole recording may not belong to its beginning, so a
file that is found not to be whole is an error here.
"""

import os
import re
import stat
import struct
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from skspeech.exceptions import RecordingError
from skspeech.preprocessing._resampling import resample

__all__ = ["read_waveform"]

_RESTORE = "Restore the file or remove the recording."
_REPAIR = "Repair the header, write the file anew or remove the recording."
_CONVERT = "Convert it to WAV or FLAC, or remove the recording."
_REENCODE = "Encode it anew, for instance as FLAC, or remove the recording."

#: A file whose sample rate is this many times another than the one asked for has a broken header;
#: resampling it would fill the memory or leave nothing.
_MAX_RATE_RATIO = 1000

#: Who writes a WAV file into a pipe does not know its length and puts in the largest there is.
_UNKNOWN_SIZE = 2**31 - 2**16

#: How libsndfile reads a sample.
_PCM_BYTES = {"PCM_U8": 1, "PCM_16": 2, "PCM_24": 3, "PCM_32": 4}

#: The containers that show whether a file is whole. libsndfile reads others, but what is left of
#: them, and what follows them, as if it were the recording.
_CONTAINERS = ("WAV", "WAVEX", "RF64", "W64", "AIFF", "AU", "NIST", "FLAC", "OGG", "MP3")

#: More than the small tags at the end of an MP3 file take, and how the large ones begin.
_MP3_TAGS = 8192
_MP3_TAG_NAMES = (b"APETAGEX", b"LYRICSBEGIN", b"TAG")

#: The name and the size of a chunk of a W64 file, which its size includes.
_W64_CHUNK = 24

#: More than careless programs leave behind the last chunk of a WAV file.
_STRAY_BYTES = 1024

#: libsndfile's SFE_BAD_SF_INFO; numbers of channels that cannot be have errors of their own.
_NO_RATE = 24

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
            if file.format not in _CONTAINERS:
                raise RecordingError(
                    f"is a {file.format} file, which does not show whether it is whole", _CONVERT
                )
            frames = _read_all(file)
            problem = _contradiction(file) or _missing(file, stream, len(frames))
            rate = file.samplerate
    except soundfile.LibsndfileError as error:
        if error.code == _NO_RATE:
            raise RecordingError("has a header without a usable sample rate", _REPAIR) from error
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
        # GSM 6.10 cannot be searched, and soundfile then wants to be told the number
        n_frames = -1 if file.seekable() else file.frames
        return file.read(n_frames, dtype="float32", always_2d=True)
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
    if file.format == "MP3" and not _ends_as_mp3(stream, position, size):
        # libsndfile takes the bit rate of the beginning for that of the whole
        problem = (
            f"tells no length, or too little, so that only {position:,} of its {size:,} bytes were "
            "read"
        )
        return problem, _REENCODE
    if file.format == "OGG" and not _ends_as_ogg(stream, size):
        return "is cut off: its last page is not marked as the last", _RESTORE
    if file.format == "NIST":
        return _missing_of_sphere(stream, n_frames)
    if file.format in ("WAV", "WAVEX"):
        return _missing_by_log(file) or _unexplained(stream, size)
    return _missing_by_log(file)


def _missing_by_log(file: Any) -> tuple[str, str] | None:
    """Return what libsndfile notes of a file that it mends."""
    log = file.extra_info
    # "riff" is the size of a W64 file, "Riff size" that of an RF64 file
    mended = re.search(
        r"^ *(?:data|SSND|Data Size|Riff size|riff) *: (\d+) \(should be (\d+)\)", log, re.M
    )
    if mended and int(mended[2]) < int(mended[1]) < _UNKNOWN_SIZE:
        problem = f"is cut off: {int(mended[2]):,} of {int(mended[1]):,} bytes are there"
        return problem, _RESTORE
    declared = re.search(r"^  Frames +: (\d+)$", log, re.M)  # of AIFF and RF64
    if declared and file.frames < int(declared[1]) < _UNKNOWN_SIZE:
        return f"is cut off: {file.frames:,} of {int(declared[1]):,} frames are there", _RESTORE
    return _read_too_far(file) if file.format == "W64" else None


def _read_too_far(file: Any) -> tuple[str, str] | None:
    """Return what of a W64 file is no sound: libsndfile reads it to its end, chunks and all."""
    sizes = re.search(r"^riff : (\d+)(?: \(should be (\d+)\))?$", file.extra_info, re.M)
    data = re.search(r"Block Align +: (\d+).+?^data : (\d+)", file.extra_info, re.M | re.S)
    behind = int(sizes[2]) - int(sizes[1]) if sizes and sizes[2] and int(sizes[1]) else 0
    if data and file.subtype in {*_PCM_BYTES, "FLOAT", "DOUBLE", "ULAW", "ALAW"}:
        align, size = map(int, data.groups())
        behind = file.frames * align - (size - _W64_CHUNK) if size > _W64_CHUNK else behind
    if behind <= 0:
        return None
    return f"holds {behind:,} bytes behind its sound, which would be read as sound", _CONVERT


def _missing_of_sphere(stream: BinaryIO, n_frames: int) -> tuple[str, str] | None:
    """Compare a NIST SPHERE file with its header, which libsndfile does not."""
    stream.seek(0)
    declared = re.search(rb"^sample_count -i (\d+)", stream.read(1024), re.M)
    if declared is None:
        return "has a header that tells no number of frames (sample_count)", _REPAIR
    if int(declared[1]) == n_frames:
        return None
    return f"holds {n_frames:,} frames where its header says {int(declared[1]):,}", _RESTORE


def _unexplained(stream: BinaryIO, size: int) -> tuple[str, str] | None:
    """Return how it shows that the data chunk of a WAV file is longer than it says.

    The file must go on with other chunks, up to the size in its first line; zeros are passed over.
    """
    stream.seek(0)
    kind, riff = stream.read(4), stream.read(4)
    order = ">" if kind == b"RIFX" else "<"
    end = min(size, 8 + struct.unpack(f"{order}I", riff)[0])
    position, sound = 12, None
    while position + 8 <= end:
        stream.seek(position)
        name, length = struct.unpack(f"{order}4sI", stream.read(8))
        if sound is not None and not (name.isascii() and name.decode("ascii").isprintable()):
            break
        if sound is not None and position + 8 + length > end:
            break
        if name == b"data":
            sound = length
        stream.seek(position + 8 + length)
        # not all programs write the zero that makes a length even
        position += 8 + length + (length % 2 and stream.read(1) == b"\0")
    if sound is None:
        return None
    stream.seek(position)
    rest = stream.read(max(0, end - position)).strip(b"\0")
    if len(rest) <= _STRAY_BYTES:
        return None
    problem = (
        f"has a header that counts {sound:,} bytes of sound and leaves {len(rest):,} unexplained"
    )
    return problem, _REPAIR


def _ends_as_mp3(stream: BinaryIO, position: int, size: int) -> bool:
    """Whether nothing but tags follows what was read of an MP3 file."""
    if size - position <= _MP3_TAGS:
        return True
    stream.seek(position)
    begin = stream.read(_MP3_TAGS)
    return begin.startswith(_MP3_TAG_NAMES) or not begin.strip(b"\0")


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
    if max(file_rate / sample_rate, sample_rate / file_rate) > _MAX_RATE_RATIO:
        raise RecordingError(
            f"claims a sample rate of {file_rate:,} Hz where {sample_rate:,} Hz are asked for",
            _REPAIR,
        )
    return resample(waveform, file_rate, sample_rate)
