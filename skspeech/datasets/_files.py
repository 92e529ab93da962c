"""What the loaders share: packaged files, the folder of the fetched corpora, sound files in it."""

import os
import re
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

SUFFIXES = (".wav", ".flac")


def data_file(*parts: str) -> Traversable:
    """Return the packaged file ``data/<parts>``."""
    return files("skspeech.datasets").joinpath("data", *parts)


def read_descr(name: str) -> str:
    """Return the description ``descr/<name>.rst`` of a corpus."""
    return files("skspeech.datasets").joinpath("descr", f"{name}.rst").read_text(encoding="utf-8")


def data_home_path(data_home: str | os.PathLike | None = None) -> Path:
    """Return the absolute folder of the fetched corpora, which may not exist.

    Parameters
    ----------
    data_home : path-like or None, default=None
        None takes the environment variable ``SKSPEECH_DATA``, else ``~/skspeech_data``.
    """
    if data_home is None:
        data_home = os.environ.get("SKSPEECH_DATA") or Path("~", "skspeech_data")
    return Path(data_home).expanduser().absolute()


def find_sounds(
    folder: Path, name: re.Pattern[str], corpus: str, passed_over: re.Pattern[str] | None = None
) -> list[tuple[Path, re.Match[str]]]:
    """Return the sound files below a folder, in order of their names, and these taken apart.

    Hidden files, files of other types, folders and links to nothing are passed over.

    Parameters
    ----------
    folder : Path
        May be absent, which is like empty.
    name : pattern
        What the whole name must match, without its suffix.
    corpus : str
        Its name, for the errors.
    passed_over : pattern or None, default=None
        Names of sound files that may be there and are not wanted.

    Raises
    ------
    ValueError
        If a sound file is not named as the corpus names its files, or comes twice.
    """
    found: dict[str, tuple[Path, re.Match[str]]] = {}
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        if path.suffix.lower() not in SUFFIXES or any(part.startswith(".") for part in parts):
            continue
        if not path.is_file():
            continue
        if passed_over is not None and passed_over.fullmatch(path.stem):
            continue
        match = name.fullmatch(path.stem)
        if match is None:
            raise ValueError(
                f"{path} is not named as {corpus} names its files. Move it out of the corpus' "
                "folder."
            )
        if path.stem in found:
            raise ValueError(
                f"{found[path.stem][0]} and {path} are the same recording of {corpus}. Remove one "
                "of the two."
            )
        found[path.stem] = path, match
    return [found[stem] for stem in sorted(found)]
