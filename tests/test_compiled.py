"""Compiled code leaves no file behind unless the user has named a folder for it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import skspeech

CACHES = Path(skspeech.__file__).parent / "mining" / "__pycache__"
CODE = "from skspeech.mining import closed_sequences; print(closed_sequences(['ab', 'ab'], 2))"


def run(folder):
    return subprocess.run(
        [sys.executable, "-c", CODE],
        env={**os.environ, "NUMBA_CACHE_DIR": str(folder)},
        capture_output=True,
        text=True,
        check=True,
    )


def kept(folder):
    return sorted(path.name for path in Path(folder).rglob("*.nb[ci]"))


@pytest.mark.parametrize("folder", ["", os.devnull + "/nowhere"])
def test_nothing_is_kept_where_there_is_no_folder(folder):
    before = kept(CACHES)
    assert "(('a', 'b'), 2)" in run(folder).stdout
    assert kept(CACHES) == before


def test_a_folder_that_is_named_is_used(tmp_path):
    run(tmp_path / "new")
    assert kept(tmp_path)
