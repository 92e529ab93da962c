"""A recording of 3 s answered by onnxruntime from the file, beside torch, on one thread.

The published networks after one step of training: the 2D network of Zhao et al. on 128 mel bands,
and that of Ma et al. on 400 bins, 300 frames each. What they have learned does not matter. Torch
is the bare module with the softmax, as the file is; calls alternate and CPU time is counted,
because others may be at work.
"""

import statistics
import time

import numpy as np
import pytest
import torch

from skspeech.models import CNNLSTM2DClassifier, VariableLengthCRNNClassifier
from skspeech.persistence import to_onnx

pytestmark = pytest.mark.usefixtures("one_thread")

NETWORKS = [(CNNLSTM2DClassifier, 128), (VariableLengthCRNNClassifier, 400)]
N_FRAMES = 300


def spectrograms(n, n_bins):
    return np.random.default_rng(0).normal(size=(n, 1, n_bins, N_FRAMES)).astype(np.float32)


def milliseconds(function, *arguments):
    start = time.process_time()
    answer = function(*arguments)
    return 1000 * (time.process_time() - start), np.asarray(answer)


@pytest.mark.parametrize(("network", "n_bins"), NETWORKS)
def test_one_recording(benchmark, capsys, tmp_path, network, n_bins):
    onnxruntime = pytest.importorskip("onnxruntime", reason="the other program is not there")
    estimator = network(max_epochs=1, validation=None, device="cpu", random_state=0)
    estimator.fit(spectrograms(4, n_bins), [0, 1, 2, 3])
    to_onnx(estimator, tmp_path / "network.onnx")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(tmp_path / "network.onnx", options)
    inputs, lengths = spectrograms(1, n_bins), np.array([N_FRAMES])
    tensors = torch.from_numpy(inputs), torch.from_numpy(lengths)
    pairs = []

    def in_torch():
        with torch.inference_mode():
            return estimator.module_(*tensors).softmax(-1)

    def in_onnxruntime():
        return session.run(None, {"inputs": inputs, "lengths": lengths})[0]

    def both():
        of_torch, wanted = milliseconds(in_torch)
        of_onnxruntime, found = milliseconds(in_onnxruntime)
        np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-4)
        pairs.append((of_torch, of_onnxruntime))

    benchmark.pedantic(both, rounds=20, warmup_rounds=2)
    of_torch, of_onnxruntime = (statistics.median(column) for column in zip(*pairs, strict=True))
    benchmark.extra_info |= {"torch (ms)": of_torch, "onnxruntime (ms)": of_onnxruntime}
    with capsys.disabled():
        print(
            f"\n{network.__name__}: 3 s take {of_onnxruntime:.1f} ms in onnxruntime, "
            f"{of_torch:.1f} ms in torch"
        )
