"""The example of one training in several processes: it is that of one process."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("accelerate", reason="needs the extra accelerate")

EXAMPLES = Path(__file__).parents[1] / "examples"

CODE = """
import hashlib, json, sys, warnings
import numpy as np
from accelerate_training import SharedNet, accelerator
from sklearn.base import clone
from skspeech.testing import small_instance

rng = np.random.default_rng(0)
labels = np.array(["a", "b"] * 10)
spectrograms = [rng.normal(0.5 * (y == "b"), 1, (8, n)) for y, n in zip(labels, range(20, 40))]
seen = []
for options in ({"batch_size": 7}, {"batch_frames": 260}):
    network = small_instance("VariableLengthCRNNClassifier")
    network.set_params(dropout=0.0, max_epochs=4, device="cpu", **options)
    alone = clone(network).fit(spectrograms, labels)
    type(network)._net_class = SharedNet
    network.fit(spectrograms, labels)
    del type(network)._net_class
    weights = [p.detach().numpy() for p in network.module_.parameters()]
    others = [p.detach().numpy() for p in alone.module_.parameters()]
    seen.append({
        "digest": hashlib.sha256(b"".join(p.tobytes() for p in weights)).hexdigest(),
        "apart": float(max(abs(p - q).max() for p, q in zip(weights, others))),
        "losses": [[e["valid_loss"] for e in n.history_] for n in (network, alone)],
        "best": [[(e["valid_score"], e["best"]) for e in n.history_] for n in (network, alone)],
    })
with open(f"{sys.argv[1]}/{accelerator.process_index}.json", "w") as file:
    json.dump(seen, file)
accelerator.end_training()
"""


def test_two_processes_train_the_network_of_one(tmp_path):
    script = tmp_path / "train.py"
    script.write_text(CODE, encoding="utf-8")
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    environment = {**os.environ, "ACCELERATE_USE_CPU": "true", "PYTHONPATH": str(EXAMPLES)}
    subprocess.run([*launch, script, tmp_path], env=environment, check=True, timeout=120)
    both = [json.loads((tmp_path / f"{i}.json").read_text(encoding="utf-8")) for i in range(2)]
    for first, second in zip(*both, strict=True):
        assert first == second, "all processes have the same network, to the last bit"
        assert first["apart"] < 1e-3
        assert first["losses"][0] == pytest.approx(first["losses"][1], rel=1e-4)
        assert first["best"][0] == first["best"][1]
