"""Loading 11,000 motifs: every file read, copies found, and groups of the cuts that overlap.

The files are cuts of noise, as long and as many as the published ones, around places in as many
songs. All of them differ, which is harder than the published ones are: half of those are copies.
A fresh process loads them, and says how long that took and its memory at the peak.
"""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from skspeech.datasets.flamenco import SAMPLE_RATE, SINGERS

N_CLIPS, N_PLACES, N_SONGS = 11_000, 2_000, 38

#: Seconds and megabytes.
BOUNDS = 120, 4000

PROCESS = """
import json, re, sys, time
from pathlib import Path
from skspeech.datasets import load_flamenco_motifs

start = time.perf_counter()
motifs = load_flamenco_motifs(sys.argv[1])
seconds = time.perf_counter() - start
# not getrusage's: that remembers the process which started this one
status = Path("/proc/self/status").read_text()
peak = int(re.search(r"VmHWM:\\s+(\\d+) kB", status)[1]) * 1024 / 1e6
n_groups = int(motifs.groups.max()) + 1
answer = {"n": len(motifs.data), "n_groups": n_groups, "seconds": seconds, "peak": peak}
print(json.dumps(answer))
"""


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """Write cuts whose length has a median of 0.3 s, each of which holds its place in the song."""
    root = tmp_path_factory.mktemp("flamenco-motifs")
    rng = np.random.default_rng(0)
    for singer in SINGERS:
        (root / singer).mkdir()
    per_song = N_PLACES // N_SONGS
    second = SAMPLE_RATE
    for song in range(N_SONGS):
        samples = rng.standard_normal(4 * second * (per_song + 1)).astype(np.float32)
        singer = list(SINGERS)[song % len(SINGERS)]
        for number in range(song, N_CLIPS, N_SONGS):
            place = 4 * second * (1 + number // N_SONGS % per_song)
            n_samples = int(second * np.clip(rng.lognormal(np.log(0.3), 0.5), 0.04, 1.97))
            begin = place - rng.integers(n_samples - 512)
            path = root / singer / f"D{song:04}_-1-111-1_9dd9f56c-cab6-4e9e-8bdb-{number:012}.wav"
            cut = samples[begin : begin + n_samples]
            soundfile.write(path, cut, SAMPLE_RATE, subtype="FLOAT")
    return root


def loaded(root: Path) -> dict:
    command = [sys.executable, "-c", PROCESS, str(root)]
    result = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(result.stdout)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak is read from /proc")
def test_flamenco_motifs(benchmark, capsys, corpus):
    answer = benchmark.pedantic(loaded, args=(corpus,), rounds=1)
    benchmark.extra_info.update(answer)
    with capsys.disabled():
        print(
            f"\n{answer['n']:,} files in {answer['n_groups']:,} groups: {answer['seconds']:.0f} s, "
            f"peak {answer['peak']:.0f} MB"
        )
    assert answer["n"] == N_CLIPS
    assert answer["n_groups"] == N_PLACES // N_SONGS * N_SONGS
    assert answer["seconds"] < BOUNDS[0]
    assert answer["peak"] < BOUNDS[1]
