"""Compiling with numba: in memory, and on disk only where the user has named a folder."""

import os
from collections.abc import Callable
from typing import Any

__all__ = ["compiler"]


def compiler(*, fastmath: bool = False) -> Callable[[Callable], Any]:
    """Return numba's decorator, for functions that let other threads run.

    What it compiles at the first call is kept on disk where the environment variable
    NUMBA_CACHE_DIR names a folder that can be written to. Without one numba would write beside the
    module, or refuse to import it where nobody may write at all.

    Parameters
    ----------
    fastmath : bool, default=False
        Whether sums may be added up in any order, of numbers that are all finite.

    Examples
    --------
    >>> from skspeech.compiled import compiler
    >>> @compiler()
    ... def double(x):
    ...     return 2 * x
    >>> double(21)
    42
    """
    from numba import njit

    return njit(nogil=True, fastmath=fastmath, cache=_has_folder())


def _has_folder() -> bool:
    folder = os.environ.get("NUMBA_CACHE_DIR", "")
    if not folder:
        return False
    try:
        os.makedirs(folder, exist_ok=True)
    except OSError:
        return False
    return os.access(folder, os.W_OK | os.X_OK)
