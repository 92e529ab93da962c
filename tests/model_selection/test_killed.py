"""An evaluation that is killed again and again ends with the rows that it would have had."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")


def test_killed_at_fifty_moments(tmp_path):
    script = Path(__file__).with_name("killing.py")
    done = subprocess.run(
        [sys.executable, script, tmp_path, "50"],
        check=True,
        capture_output=True,
        text=True,
        timeout=400,
    )
    seen = json.loads(done.stdout)
    assert seen["n_killed"] >= 50
    assert seen["n_places"] > 20  # at different epochs
    assert {0, 1, 2} <= set(seen["n_rows"])
