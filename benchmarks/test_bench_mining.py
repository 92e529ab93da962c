"""Closed patterns: beside the prefixspan package, in a million symbols, and on the first call.

``times_prefixspan`` says how many times faster ours are; both are timed in turn in one run, so that
whatever else keeps the machine busy hits both. The bound is 100. A million symbols are to take
a second once the search is compiled, times to grow as the symbols do, and a first call with nothing
compiled and no cache to take less than 10 s.
"""

import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from prefixspan import PrefixSpan

from skspeech.mining import closed_sequences

ROUNDS = 3


def walks(n_sequences, n_symbols, *, longest_step, start, seed=0, n_values=13):
    """Return random walks; those that would leave the symbols stay at the last one."""
    rng = np.random.default_rng(seed)
    steps = rng.integers(-longest_step, longest_step + 1, (n_symbols, n_sequences))
    at = [np.full(n_sequences, start)]
    for step in steps[1:]:
        at.append(np.clip(at[-1] + step, 0, n_values - 1))
    return np.stack(at, axis=1).tolist()


def seconds(function):
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


@pytest.mark.parametrize(
    "sequences",
    [
        walks(200, 80, longest_step=1, start=3, seed=39),
        walks(200, 80, longest_step=2, start=6, seed=13),
    ],
    ids=["steps_of_1", "steps_of_2"],
)
def test_prefixspan(benchmark, capsys, sequences):
    found = closed_sequences(sequences, 120)  # and it is compiled now
    assert found == closed_sequences(sequences, 120, algorithm="prefixspan")
    rounds = [
        (
            seconds(lambda: PrefixSpan(sequences).frequent(120, closed=True)),
            seconds(lambda: closed_sequences(sequences, 120)),
        )
        for _ in range(ROUNDS)
    ]
    theirs, ours = (statistics.median(times) for times in zip(*rounds, strict=True))
    benchmark.extra_info["n_patterns"] = len(found)
    benchmark.extra_info["n_frequent"] = len(PrefixSpan(sequences).frequent(120))
    benchmark.extra_info["prefixspan_s"] = round(theirs, 2)
    benchmark.extra_info["times_prefixspan"] = round(theirs / ours)
    benchmark(closed_sequences, sequences, 120)
    with capsys.disabled():
        print(f"\n{benchmark.extra_info}")


def noise(n_sequences, n_symbols, n_values=13):
    return np.random.default_rng(0).integers(0, n_values, (n_sequences, n_symbols)).tolist()


CONTIGUOUS = {
    "walks": (20, lambda n: walks(n // 500, 500, longest_step=1, start=6)),
    "noise": (20, lambda n: noise(n // 500, 500)),
    "as_many_values": (2, lambda n: noise(n // 500, 500, n)),
    "one_symbol": (2, lambda n: [[0] * (n // 2)] * 2),
    "one_period": (2, lambda n: [[1, 2, 3, 1, 2] * (n // 50)] * 10),
    "one_sequence": (1, lambda n: noise(1, n)),
    "short": (20, lambda n: noise(n // 5, 5)),
}


@pytest.mark.parametrize("kind", CONTIGUOUS)
def test_contiguous(benchmark, capsys, kind):
    support, make = CONTIGUOUS[kind]
    closed_sequences(["ab"], 1, max_gap=0)
    sizes = {n: make(n) for n in (250_000, 500_000, 1_000_000, 2_000_000)}

    def mine(n):
        return closed_sequences(sizes[n], support, max_gap=0, max_patterns=10**6)

    rounds = [{n: seconds(lambda n=n: mine(n)) for n in sizes} for _ in range(ROUNDS)]
    medians = {n: round(statistics.median(r[n] for r in rounds), 2) for n in sizes}
    benchmark.extra_info["seconds"] = medians
    benchmark.extra_info["n_patterns"] = len(mine(1_000_000))
    benchmark.pedantic(mine, (1_000_000,))
    with capsys.disabled():
        print(f"\n{kind}: {benchmark.extra_info}")


# What an array of a million symbols takes at the peak beyond itself and what is compiled.
MEMORY = """
import re, sys
from pathlib import Path
import numpy as np
from skspeech.mining import closed_sequences

def peak():
    return int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1])

rng = np.random.default_rng(0)
sequences = list(rng.integers(0, 13, (int(sys.argv[1]) // 500, 500), dtype=np.int8))
closed_sequences([[1, 2], [2, 1]], 1, max_gap=0)
before = peak()
closed_sequences(sequences, 20, max_gap=0)
print(1024 * (peak() - before))
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak is read from /proc")
def test_memory_of_contiguous(benchmark, capsys):
    def extra(n):
        result = subprocess.run(
            [sys.executable, "-c", MEMORY, str(n)], check=True, capture_output=True, text=True
        )
        return int(result.stdout)

    small, large = extra(2_000_000), extra(4_000_000)
    benchmark.extra_info["bytes_a_symbol"] = round((large - small) / 2_000_000)
    benchmark.pedantic(extra, (250_000,))
    with capsys.disabled():
        print(f"\n{benchmark.extra_info}")


FIRST_CALL = """
import time
from pathlib import Path
start = time.perf_counter()
from skspeech.mining import closed_sequences
closed_sequences(["axb", "axab"], 2, max_gap={max_gap})
print(time.perf_counter() - start)
"""


@pytest.mark.parametrize("max_gap", [None, 0, 1])
def test_first_call(benchmark, capsys, max_gap):
    environment = {name: os.environ[name] for name in os.environ if name != "NUMBA_CACHE_DIR"}

    def first_call():
        result = subprocess.run(
            [sys.executable, "-c", FIRST_CALL.format(max_gap=max_gap)],
            check=True, capture_output=True, text=True, env=environment,
        )  # fmt: skip
        return float(result.stdout)

    first = statistics.median(first_call() for _ in range(ROUNDS))
    benchmark.extra_info["seconds"] = round(first, 1)
    benchmark.pedantic(first_call)
    with capsys.disabled():
        print(f"\nmax_gap={max_gap}: {benchmark.extra_info}")
