"""Kill an evaluation at random moments, look at its files each time, and let it end.

Run as ``python killing.py FOLDER N_KILLS``. It prints what it saw, as JSON.
"""

import json
import os
import random
import signal
import sys
import time
from pathlib import Path

from skspeech.archive import FileFormat
from skspeech.model_selection import cross_validate_speakers, read_results
from skspeech.testing import make_labels, make_recordings, small_instance
from skspeech.testing.data import speakers

X, y = make_recordings("spectrogram", 18), make_labels(18)
groups, _ = speakers(X)
EPOCHS = 60


def evaluate(folder, **parameters):
    estimator = small_instance("CNNLSTM2DClassifier").set_params(patience=None, **parameters)
    return cross_validate_speakers(estimator, X, y, groups=groups, results=folder / "rows.csv")


def epochs_written(folder):
    """Return the number of epochs in each checkpoint, read as a training would read it."""
    checkpoint = FileFormat("skspeech checkpoint", 1)
    found = {}
    for path in folder.glob("*.checkpoint"):
        members, _ = checkpoint.unpack(path.read_bytes())
        checkpoint.tensors(members)
        found[path.name] = checkpoint.tree(members)["n_epochs"]
    return found


def rows_written(folder):
    path = folder / "rows.csv"
    return len(read_results(path)) if path.exists() else 0


def killed(folder, longest, **parameters):
    """Tell whether a process that evaluates was killed before it was done."""
    pid = os.fork()
    if not pid:
        evaluate(folder, **parameters)
        os._exit(0)
    time.sleep(random.uniform(0, longest))
    os.kill(pid, signal.SIGKILL)
    return os.WIFSIGNALED(os.waitpid(pid, 0)[1])


def plain(rows):
    """Return rows without what differs from run to run: the time."""
    for row in rows:
        row["history"] = [{**epoch, "seconds": 0} for epoch in row["history"]]
    return [{**row, "fit_seconds": 0, "score_seconds": 0} for row in rows]


def main(folder, n_kills):
    random.seed(0)
    expected, seconds = expected_rows(folder / "whole")
    n_killed, n_runs, n_whole, seen = 0, 0, 0, set()
    while n_killed < n_kills or not n_whole:  # on a busy machine it takes more of them
        n_runs += 1
        run = folder / str(n_runs)
        run.mkdir()
        before: dict = {}
        while rows_written(run) < 3 and (n_killed < n_kills or not n_whole):
            n_killed += killed(run, seconds / 10, max_epochs=EPOCHS, checkpoint_dir=run)
            epochs = epochs_written(run)
            assert all(epochs[name] >= n for name, n in before.items()), (before, epochs)
            before = epochs
            seen.add((n_runs, rows_written(run), *sorted(epochs.items())))
        n_whole += rows_written(run) == 3
        assert plain(evaluate(run, max_epochs=EPOCHS, checkpoint_dir=run)) == expected
        assert plain(read_results(run / "rows.csv")) == expected
    n_rows = sorted({rows for _, rows, *_ in seen})
    print(json.dumps({"n_killed": n_killed, "n_places": len(seen), "n_rows": n_rows}))


def expected_rows(folder):
    """Return the rows of a run without checkpoints, and the seconds that one with them takes."""
    folder.mkdir()
    evaluate(folder, max_epochs=1)  # whatever is slow at first
    rows = evaluate(folder, max_epochs=EPOCHS)
    (folder / "rows.csv").unlink()
    start = time.perf_counter()
    evaluate(folder, max_epochs=EPOCHS, checkpoint_dir=folder)
    return plain(rows), time.perf_counter() - start


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
