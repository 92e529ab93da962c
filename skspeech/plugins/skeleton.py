"""A package to begin a plugin with: what ``skspeech new-plugin`` writes."""

from __future__ import annotations

import re
from pathlib import Path

__all__ = ["write_plugin"]

# Where each file of the skeleton goes. Their texts lie in the folder `files`, as .txt, since they
# are no Python until the names are filled in.
_FILES = (
    "README.md",
    "pyproject.toml",
    "$package/__init__.py",
    "$package/attention.py",
    "$package/pitch.py",
    "tests/test_conformance.py",
)


def write_plugin(name: str, folder: str | Path = ".") -> Path:
    """Write an installable distribution with two estimators and their tests into a new folder.

    Parameters
    ----------
    name : str
        Of the distribution, such as ``"grain-voices"``: Latin letters, digits, and between them
        single hyphens, underscores or full stops. The package is ``grain_voices``, and the classes
        are ``GrainVoicesClassifier`` and ``GrainVoicesPitch``; the words "skspeech" and "plugin"
        are left out of these.
    folder : path-like, default="."
        Where the new folder is made, by the name of the distribution.

    Returns
    -------
    Path
        The new folder.

    Raises
    ------
    ValueError
        If the name makes no package, or the name of one that is there.
    FileExistsError
        If something of this name is there; it is left as it is.
    FileNotFoundError
        If `folder` is not there.

    Examples
    --------
    >>> import tempfile
    >>> from skspeech.plugins import write_plugin
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     sorted(path.name for path in write_plugin("grain-voices", folder).iterdir())
    ['README.md', 'grain_voices', 'pyproject.toml', 'tests']
    """
    from importlib.resources import files
    from string import Template

    names = _names(name)
    texts = files("skspeech.plugins") / "files"
    place = Path(folder)
    if not place.is_dir():
        raise FileNotFoundError(f"{place} is not a folder that is there. Make it first.")
    new = place / name
    try:
        new.mkdir()
    except FileExistsError:
        raise FileExistsError(
            f"{new} is there already, and is not overwritten. Remove it, or choose another name."
        ) from None
    for file in _FILES:
        path = new / Template(file).substitute(names)
        path.parent.mkdir(exist_ok=True)
        text = (texts / f"{path.name}.txt").read_text(encoding="utf-8")
        path.write_text(Template(text).substitute(names), encoding="utf-8", newline="\n")
    return new


def _names(name: str) -> dict[str, str]:
    """Return what the fields of the skeleton stand for."""
    from importlib.util import find_spec
    from keyword import iskeyword

    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9]*([-_.][A-Za-z0-9]+)*", name):
        raise ValueError(
            f"{name!r} is no name of a distribution. Begin with a letter, and put single hyphens "
            "between words of letters and digits: grain-voices."
        )
    words = re.split("[-_.]", name)
    package = "_".join(words).lower()
    if iskeyword(package) or find_spec(package) is not None:
        raise ValueError(
            f"A package {package} would hide what Python has by this name. Choose another."
        )
    telling = [word for word in words if word.lower() not in ("skspeech", "plugin")] or words
    prefix = "".join(word[0].upper() + word[1:] for word in telling)
    if not prefix.isidentifier():  # the first word left may be a number
        prefix = f"Plugin{prefix}"
    return {"name": name, "package": package, "prefix": prefix}
