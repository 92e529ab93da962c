"""``import skspeech`` stays under 150 ms: a shell, a notebook and every worker process pay it."""

import statistics
import subprocess
import sys
import time

import pytest

BOUND = 0.150


def seconds(code):
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    return time.perf_counter() - start


@pytest.mark.parametrize("module", ["skspeech", "skspeech.plugins", "skspeech.cli"])
def test_import(benchmark, module):
    # The bare interpreter's start is not ours: it is measured alike and taken away.
    bare = statistics.median(seconds("pass") for _ in range(10))
    benchmark.pedantic(seconds, args=(f"import {module}",), rounds=10, warmup_rounds=2)
    ours = benchmark.stats.stats.median - bare
    benchmark.extra_info["import_ms"] = round(1000 * ours, 1)
    assert ours < BOUND
