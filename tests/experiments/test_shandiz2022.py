"""Tables 2 and 3 of Shandiz and Tóth: their networks, their split, and the figures beside ours."""

import numpy as np
import pytest

from skspeech.experiments import protocol, shandiz2022
from skspeech.experiments.protocol import load_experiment, run_experiment
from skspeech.experiments.tables import experiment_tables
from skspeech.model_selection import read_results

NAMES = [
    "3d-cnn", "3d-cnn-bilstm", "3d-cnn-convlstm",
    "layers-llll", "layers-lll", "layers-clll", "layers-ccll", "layers-clcl", "layers-lccl",
    "ridge",
]  # fmt: skip


@pytest.mark.parametrize("name", ["shandiz2022-tongues", "shandiz2022-tongues-small"])
def test_every_line_of_the_tables_is_a_run(name):
    experiment = load_experiment(name)
    assert [run.model for run in experiment.runs] == NAMES
    assert [key[1] for key in experiment.published] == NAMES[:-1]


def test_full_networks_are_the_classes_as_they_are():
    for run in shandiz2022.TONGUES.runs[:-1]:
        network = run.estimator(22_050, 5)[-1]
        changed = {
            name: value
            for name, value in network.get_params().items()
            if value != type(network)().get_params()[name]
        }
        assert changed.pop("random_state") == 5
        assert set(changed) <= {"layers"}


def test_orders_of_layers():
    orders = {
        run.model: run.estimator(22_050, 0)[-1].layers
        for run in shandiz2022.TONGUES_SMALL.runs[2:-1]
    }
    conv, lstm = "conv3d", "convlstm"
    assert orders == {
        "3d-cnn-convlstm": (conv, conv, conv, lstm),
        "layers-llll": (lstm,) * 4,
        "layers-lll": (lstm,) * 3,
        "layers-clll": (conv, lstm, lstm, lstm),
        "layers-ccll": (conv, conv, lstm, lstm),
        "layers-clcl": (conv, lstm, conv, lstm),
        "layers-lccl": (lstm, conv, conv, lstm),
    }


def test_the_papers_split():
    parts = (
        shandiz2022.TONGUES.runs[0]
        .splitter(0)
        .split_with_validation(np.arange(438), groups=np.arange(438))
    )
    assert [len(part) for part in next(parts)] == [310, 41, 87]


def test_rows_and_the_table_of_them(monkeypatch, tmp_path):
    load = lambda home: shandiz2022._load_tongues(home, n_sentences=4, n_pixels=32)  # noqa: E731
    runs = [
        protocol.Run(
            run.protocol, run.model, run.estimator, lambda seed: shandiz2022._split(1, 1, seed)
        )
        for run in shandiz2022.TONGUES_SMALL.runs
    ]
    small = protocol.Experiment("Four.", load, runs, shandiz2022.PUBLISHED)
    monkeypatch.setattr(protocol, "load_experiment", lambda name: small)
    rows = run_experiment(
        "shandiz2022-tongues-small",
        output=tmp_path / "rows.csv",
        models=["3d-cnn-convlstm", "ridge"],
        max_epochs=1,
    )
    assert [(row["n_train"], row["n_validation"], row["n_test"]) for row in rows] == [
        (2, 1, 1),
        (2, 0, 1),  # which has no epoch to choose
    ]
    assert "4, n_pixels=32" in rows[0]["data"]
    table = experiment_tables(read_results(tmp_path / "rows.csv"))
    header, _, ours, ridge = (
        [cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[:4]
    )
    found = dict(zip(header, ours, strict=True))
    assert found["MSE test, paper"] == "0.276"
    assert found["R2 test, paper"] == "0.73"
    assert f"{rows[0]['mse']:.3f}" in ours
    assert found["parameters"] == f"{rows[0]['n_parameters']:,}"
    assert dict(zip(header, ridge, strict=True))["MSE test, paper"] == ""
    assert "skspeech experiment shandiz2022-tongues-small" in table
