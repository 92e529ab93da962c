"""An experiment: its runs on its splits, a row a fold in a file that is gone on with."""

import csv

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import ShuffleSplit
from sklearn.pipeline import make_pipeline
from sklearn.utils import Bunch

from skspeech.experiments import protocol
from skspeech.experiments.protocol import (
    COLUMNS,
    EXPERIMENTS,
    Experiment,
    Run,
    load_experiment,
    run_experiment,
)
from skspeech.model_selection import LeaveOneSpeakerOut, ValidateOnTest
from skspeech.model_selection.results import FOLD_COLUMNS
from skspeech.models import CNNLSTM2DClassifier


def corpus(data_home):
    rng = np.random.default_rng(0)
    target = np.tile([0, 1], 12)
    data = [rng.normal(size=(3, 8)) + label for label in target]
    return Bunch(
        data=data,
        target=target,
        target_names=np.array(["glad", "sad"]),
        speakers=np.repeat(["Ann", "Bob", "Cid", "Dan"], 6),
        sample_rate=8000,
        filenames=np.arange(24),
        description=f"24 made up, {data_home}",
    )


def network(sample_rate, seed):
    assert sample_rate == 8000
    return make_pipeline(
        CNNLSTM2DClassifier(
            n_maps=(2,), pool_sizes=(2,), lstm_units=2, max_epochs=3, random_state=seed
        )
    )


def as_printed(seed):
    return ValidateOnTest(splitter=ShuffleSplit(1, test_size=0.25, random_state=seed))


SMALL = Experiment(
    about="A small one.",
    load=corpus,
    runs=(
        Run("as-printed", "net", network, as_printed),
        Run("honest", "net", network, lambda seed: LeaveOneSpeakerOut(n_validation=1)),
        Run("honest", "net-two", network, lambda seed: LeaveOneSpeakerOut()),
    ),
    published={("as-printed", "net"): {"average": 90.0, "validation": 60.0}},
)


@pytest.fixture(autouse=True)
def _one_small_experiment(monkeypatch, tmp_path):
    monkeypatch.setattr(protocol, "load_experiment", lambda name: SMALL)
    monkeypatch.chdir(tmp_path)


def test_all_runs_and_a_row_a_fold(tmp_path):
    rows = run_experiment("small", data_home="here", seed=3)
    assert [(row["protocol"], row["model"]) for row in rows] == [
        ("as-printed", "net"),
        *[("honest", "net")] * 4,
        *[("honest", "net-two")] * 4,
    ]
    with (tmp_path / "small.csv").open(newline="", encoding="utf-8") as file:
        written = list(csv.DictReader(file))
    assert tuple(written[0]) == (*COLUMNS, *FOLD_COLUMNS)
    assert len(written) == 9
    assert {row["seed"] for row in written} == {"3"}
    assert written[0]["data"] == "24 made up, here"
    assert "torch 2" in written[0]["versions"]
    assert written[0]["command"] == "skspeech experiment small --data-home DIR --seed 3"


def test_only_as_printed_looks_at_the_training_recordings_again():
    first, *others = run_experiment("small")
    assert first["train_wa"] is not None
    assert {row["train_wa"] for row in others} == {None}


def test_some_runs_and_fewer_epochs_are_said():
    rows = run_experiment("small", protocols=["honest"], models=["net-two"], max_epochs=1)
    assert [(row["model"], row["settings"]) for row in rows] == [("net-two", "max_epochs=1")] * 4
    assert {row["n_epochs"] for row in rows} == {1}
    assert rows[0]["command"].endswith(" small --data-home DIR --seed 0 --max-epochs 1")


def test_a_file_that_is_there_is_gone_on_with_only_on_request():
    rows = run_experiment("small", protocols=["honest"], output="rows.csv")
    with pytest.raises(FileExistsError, match=r"rows\.csv is there already.*--resume"):
        run_experiment("small", output="rows.csv")
    again = run_experiment("small", output="rows.csv", resume=True)
    seconds = [row["fit_seconds"] for row in again if row["protocol"] == "honest"]
    assert seconds == [row["fit_seconds"] for row in rows], "nothing was computed twice"
    assert len(again) == 9


def test_checkpoints_change_no_row(tmp_path):
    plain = run_experiment("small", models=["net-two"], output="plain.csv")
    rows = run_experiment("small", models=["net-two"], checkpoint_dir="epochs", output="rows.csv")
    assert [row["key"] for row in rows] == [row["key"] for row in plain]
    assert [row["posteriors"] for row in rows] == [row["posteriors"] for row in plain]
    assert len(list((tmp_path / "epochs").glob("*.checkpoint"))) == len(rows)


def test_seeds_are_other_rows():
    first = run_experiment("small", models=["net-two"], output="rows.csv")
    second = run_experiment("small", models=["net-two"], seed=1, output="rows.csv", resume=True)
    assert not {row["key"] for row in first} & {row["key"] for row in second}


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        ({"protocols": ["hones"]}, "no protocol 'hones' in it; there are as-printed, honest"),
        ({"models": ["nets"]}, "no model 'nets' in it; there are net, net-two"),
        ({"protocols": ["as-printed"], "models": ["net-two"]}, "No run of the experiment"),
    ],
)
def test_unknown_runs(wrong, problem, tmp_path):
    with pytest.raises(ValueError, match=problem):
        run_experiment("small", **wrong)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_experiment_can_be_loaded_and_its_models_built(name):
    experiment = load_experiment(name)
    names = [(run.protocol, run.model) for run in experiment.runs]
    assert len(set(names)) == len(names)
    assert set(experiment.published) <= set(names)
    for run in experiment.runs:
        estimator = run.estimator(16000, 0)
        assert hasattr(estimator, "fit")
        assert hasattr(run.splitter(0), "split")
        seeds = [
            value for key, value in estimator.get_params().items() if key.endswith("random_state")
        ]
        assert all(seed in (0, None) for seed in seeds)


def test_unknown_experiment():
    with pytest.raises(ValueError, match="no experiment 'zhao'; there are zhao2019-emodb"):
        load_experiment("zhao")


def test_models_without_epochs_keep_their_settings():
    assert protocol.limit_epochs(LogisticRegression(), 3) == ""


def test_a_view_of_the_corpus_is_taken_once_for_the_runs_that_share_it(monkeypatch):
    seen = []

    def part_of(whole):
        seen.append(len(whole.data))
        kept = np.flatnonzero(np.arange(24) % 6 < 4)  # of each speaker, both classes
        part = {name: whole[name][kept] for name in ("target", "speakers", "filenames")}
        data = [whole.data[i] for i in kept]
        return Bunch(**{**whole, **part, "data": data, "description": "a part of it"})

    def folds(seed):
        return LeaveOneSpeakerOut()

    runs = [
        Run("all", "net", network, folds),
        Run("part", "net", network, folds, part_of),
        Run("part", "net-two", network, folds, part_of),
    ]
    monkeypatch.setattr(
        protocol, "load_experiment", lambda name: Experiment("Views.", corpus, runs)
    )
    rows = run_experiment("small", max_epochs=1)
    assert seen == [24]
    assert [row["data"] for row in rows[-4:]] == ["a part of it"] * 4
    assert [len(row["test"]) for row in rows] == [6] * 4 + [4] * 8
