"""What belongs to a recording of AAA: how it was taken, what was to be said, by whom, when."""

import math
import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from skspeech.exceptions import RecordingError

#: As AAA writes them in three settings of Windows, of which the first is a day and a month.
_DATES = ("%d/%m/%Y %H:%M:%S", "%m/%d/%Y %I:%M:%S %p", "%Y-%m-%d %I:%M:%S %p")

_RESTORE = "Export the recording anew or move it out of the folder."


@dataclass(frozen=True)
class AAAParameters:
    """How the ultrasound of one recording was taken.

    Parameters
    ----------
    n_vectors : int
        NumVectors: scan lines a frame.
    n_pixels : int
        PixPerVector: echoes along each, the first nearest the probe.
    bits_per_pixel : int
        BitsPerPixel: 8.
    frame_rate : float
        FramesPerSec, Hz.
    time_of_first_frame : float
        TimeInSecsOfFirstFrame: seconds after the first sample of the audio.
    zero_offset : int or None
        ZeroOffset: pixels from the centre of the probe's curve to its surface; None where the file
        does not say, as below.
    angle : float or None
        Angle between neighbouring scan lines, in radians.
    kind : int or None
        Kind of the probe.
    pixels_per_mm : float or None
        PixelsPerMm along a scan line.

    Examples
    --------
    >>> from skspeech.datasets.ultrasound import AAAParameters
    >>> parameters = AAAParameters(64, 842, 8, 81.582, 0.077, pixels_per_mm=10.525)
    >>> print(f"{parameters.n_pixels / parameters.pixels_per_mm:.0f} mm deep")
    80 mm deep
    """

    n_vectors: int
    n_pixels: int
    bits_per_pixel: int
    frame_rate: float
    time_of_first_frame: float
    zero_offset: int | None = None
    angle: float | None = None
    kind: int | None = None
    pixels_per_mm: float | None = None


class _Key(NamedTuple):
    """A line of a parameter file."""

    name: str
    type: type
    positive: bool = False
    needed: bool = False


_KEYS = {
    "n_vectors": _Key("NumVectors", int, positive=True, needed=True),
    "n_pixels": _Key("PixPerVector", int, positive=True, needed=True),
    "bits_per_pixel": _Key("BitsPerPixel", int, positive=True, needed=True),
    "frame_rate": _Key("FramesPerSec", float, positive=True, needed=True),
    "time_of_first_frame": _Key("TimeInSecsOfFirstFrame", float, needed=True),
    "zero_offset": _Key("ZeroOffset", int),
    "angle": _Key("Angle", float),
    "kind": _Key("Kind", int),
    "pixels_per_mm": _Key("PixelsPerMm", float),
}


def read_parameters(path: str | os.PathLike) -> AAAParameters:
    r"""Read how ultrasound was taken, from a file ``XUS.txt`` or ``X.param``.

    Parameters
    ----------
    path : path-like
        Of lines ``KEY=value``; keys not listed in :class:`AAAParameters` are passed over.

    Returns
    -------
    AAAParameters

    Raises
    ------
    RecordingError
        If the file cannot be read, a key that is needed is missing, a key comes twice, or its
        value cannot be used; it names file and key.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from skspeech.datasets.ultrasound import read_parameters
    >>> lines = ["NumVectors=64", "PixPerVector=842", "BitsPerPixel=8", "FramesPerSec=81.582"]
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder, "001US.txt")
    ...     _ = path.write_text("\n".join([*lines, "TimeInSecsOfFirstFrame=0.077"]))
    ...     parameters = read_parameters(path)
    >>> parameters.n_vectors, parameters.frame_rate, parameters.angle
    (64, 81.582, None)
    """
    path = Path(path)
    written: dict[str, str] = {}
    for line in _read_lines(path):
        name, equals, value = (part.strip() for part in line.partition("="))
        if equals and written.setdefault(name, value) != value:
            raise unusable(path, f"has {name} twice, as {written[name]} and {value}")
    values: dict[str, Any] = {}
    for field, key in _KEYS.items():
        if key.name in written:
            values[field] = _parse(path, key, written[key.name])
        elif key.needed:
            raise unusable(path, f"has no {key.name}")
    if values["bits_per_pixel"] != 8:
        raise unusable(
            path,
            f"has BitsPerPixel={values['bits_per_pixel']}, of which only 8 can be read",
            "Export the recording with 8 bits or move it out of the folder.",
        )
    return AAAParameters(**values)


def _parse(path: Path, key: _Key, text: str) -> Any:
    try:
        value = key.type(text)
        usable = math.isfinite(value) and not (key.positive and value <= 0)
    except ValueError:
        usable = False
    if usable:
        return value
    wanted = "a whole number" if key.type is int else "a number"
    above = " above 0" if key.positive else ""
    raise unusable(path, f"has {key.name}={text}, which must be {wanted}{above}")


def unusable(path: Path, problem: str, mend: str = _RESTORE) -> RecordingError:
    return RecordingError(f"({str(path)!r}) {problem}", mend)


def beside(path: Path, *endings: str) -> Path:
    names = [path.stem + ending for ending in endings]
    for name in names:
        if path.with_name(name).is_file():
            return path.with_name(name)
    raise unusable(path, f"has no {' or '.join(names)} beside it")


def read_prompt(path: Path) -> tuple[str, np.datetime64, str]:
    """Return what was to be said, when it was recorded, and who says it."""
    prompt = path.with_suffix(".txt")
    lines = [*_read_lines(prompt), "", "", ""] if prompt.is_file() else [""] * 3
    return lines[0].strip(), _date(lines[1].strip()), lines[2].strip().rstrip(",").strip()


def _date(text: str) -> np.datetime64:
    for pattern in _DATES:
        try:
            return np.datetime64(datetime.strptime(text, pattern), "s")
        except ValueError:
            continue
    return np.datetime64("NaT", "s")


def _read_lines(path: Path) -> list[str]:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise unusable(path, f"cannot be read ({error.strerror})") from error
    try:
        return content.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError:  # AAA runs on Windows, and older versions write its code page
        return content.decode("cp1252", errors="replace").splitlines()
