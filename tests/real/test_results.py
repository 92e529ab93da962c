"""The rows that are published beside the documentation are found again, and go on from there."""

import shutil
from pathlib import Path

import pytest

from skspeech.experiments.protocol import run_experiment, versions
from skspeech.model_selection import evaluation, frames, read_results

RESULTS = Path(__file__).parents[2] / "docs" / "results"


@pytest.mark.parametrize("name", [path.stem for path in sorted(RESULTS.glob("*.csv"))])
def test_nothing_is_computed_twice(name, data_home, emodb, tmp_path, monkeypatch):
    rows = read_results(RESULTS / f"{name}.csv")
    if {row["versions"] for row in rows} != {versions()}:
        pytest.skip(reason="the rows are of other versions, and those are computed again")

    def refuse(*arguments):
        raise AssertionError("this fold is in the file and would be computed again")

    monkeypatch.setattr(evaluation, "run_fold", refuse)
    monkeypatch.setattr(frames, "_run_fold", refuse)
    output = shutil.copy(RESULTS / f"{name}.csv", tmp_path)
    found = []
    for protocol, seed, settings in {
        (row["protocol"], row["seed"], row["settings"]) for row in rows
    }:
        here = (protocol, seed, settings)
        models = {
            row["model"] for row in rows if (row["protocol"], row["seed"], row["settings"]) == here
        }
        found += run_experiment(
            name,
            data_home=data_home,
            seed=int(seed),
            output=output,
            resume=True,
            protocols=[protocol],
            models=sorted(models),
            max_epochs=int(settings.removeprefix("max_epochs=")) if settings else None,
        )
    assert {row["key"] for row in found} == {row["key"] for row in rows}
