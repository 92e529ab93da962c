"""The versions that figures depend on, for rows and for reports."""

import platform
from importlib.metadata import version

__all__ = ["library_versions"]

_LIBRARIES = ("skspeech", "torch", "scikit-learn", "librosa", "numpy")


def library_versions() -> dict[str, str]:
    """Return the versions of Python and of the libraries, by their names."""
    return {"Python": platform.python_version(), **{name: version(name) for name in _LIBRARIES}}
