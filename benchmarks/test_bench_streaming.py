"""Peak memory of 100,000 files through loader, front end and network, beside that of 10,000.

Each number of files is answered by a fresh process, which fits a small network on a few of them
and reads the same few short files again and again: what is measured is not the disk. The report's
``beyond_mb`` is what ten times as many files take more at the peak, less what was asked for: the
list of paths and the posteriors.
"""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

N_FILES = 10_000, 100_000
RATE = 16000

#: Megabytes. A recording of these is 6 kB as a waveform and 0.7 kB as a spectrogram: if one of the
#: two were kept of each, 90,000 more files would take 60 MB or more.
BOUND = 10

PROCESS = """
import json, re, sys, time
from pathlib import Path
from sklearn.pipeline import make_pipeline
from skspeech.models import CNNLSTM2DClassifier
from skspeech.preprocessing import AudioLoader, LogMelSpectrogram

def peak():  # not getrusage's: that remembers the process which started this one
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"VmHWM:\\s+(\\d+) kB", status)[1]) * 1024 / 1e6

files = sorted(map(str, Path(sys.argv[1]).glob("*.wav")))
network = CNNLSTM2DClassifier(
    n_maps=(4,), pool_sizes=(4,), lstm_units=4, max_epochs=1, validation=None, random_state=0
)
front_end = LogMelSpectrogram(n_fft=512, hop_length=160, n_mels=16)
model = make_pipeline(AudioLoader(), front_end, network)
model.fit(files, [i % 2 for i in range(len(files))])
paths = files * (int(sys.argv[2]) // len(files))
before, start = peak(), time.perf_counter()
labels = model.predict(paths)
seconds = time.perf_counter() - start
print(json.dumps({"n": len(labels), "peak": peak(), "before": before, "seconds": seconds}))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Ten files of 0.08 to 0.12 s."""
    folder = tmp_path_factory.mktemp("files")
    rng = np.random.default_rng(0)
    for i in range(10):
        noise = 0.1 * rng.standard_normal(int(RATE * (0.08 + 0.004 * i)))
        soundfile.write(folder / f"{i}.wav", noise, RATE)
    return folder


def answered(folder: Path, n_files: int) -> dict:
    command = [sys.executable, "-c", PROCESS, str(folder), str(n_files)]
    result = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(result.stdout)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak is read from /proc")
def test_streaming(benchmark, capsys, folder):
    few, many = (
        answered(folder, N_FILES[0]),
        benchmark.pedantic(answered, args=(folder, N_FILES[1]), rounds=1),
    )
    assert (few["n"], many["n"]) == N_FILES
    # a path in a list, a posterior of two classes in float64, a label
    asked = (8 + 2 * 8 + 8) * (N_FILES[1] - N_FILES[0]) / 1e6
    beyond = many["peak"] - few["peak"] - asked
    benchmark.extra_info["beyond_mb"] = round(beyond, 1)
    with capsys.disabled():
        for row in (few, many):
            print(
                f"\n{row['n']:,} files: peak {row['peak']:.0f} MB, {row['before']:.0f} MB before, "
                f"{row['seconds']:.0f} s",
                end="",
            )
        print(f"\n{beyond:.1f} MB beyond what was asked for")
    assert beyond < BOUND
