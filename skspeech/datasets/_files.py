"""What the loaders share: the files that travel inside the package."""

from importlib.resources import files
from importlib.resources.abc import Traversable


def data_file(*parts: str) -> Traversable:
    """Return the packaged file ``data/<parts>``."""
    return files("skspeech.datasets").joinpath("data", *parts)


def read_descr(name: str) -> str:
    """Return the description ``descr/<name>.rst`` of a corpus."""
    return files("skspeech.datasets").joinpath("descr", f"{name}.rst").read_text(encoding="utf-8")
