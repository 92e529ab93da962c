"""The ablation after the abstract of Meyer et al. (2021): each model lacks one part."""

import numpy as np
import pytest
from sklearn.utils import Bunch

from skspeech.datasets import make_emotional_speech
from skspeech.experiments import meyer2021, protocol
from skspeech.experiments.protocol import Experiment, Run, load_experiment, run_experiment

NETWORK = "multikernelblstmclassifier"
BOTH = [meyer2021.EMODB, meyer2021.IEMOCAP]


def settings(experiment=meyer2021.EMODB):
    """Return the parameters of each model, by the model's name; those of steps, not the steps."""
    found = {}
    for run in experiment.runs:
        parameters = run.estimator(16_000, 3).get_params()
        found[run.model] = {name: parameters[name] for name in parameters if "__" in name}
    return found


@pytest.mark.parametrize("name", ["meyer2021-emodb", "meyer2021-iemocap"])
def test_names(name):
    experiment = load_experiment(name)
    assert experiment in BOTH
    assert {run.protocol for run in experiment.runs} == {"leave-one-speaker-out"}
    assert [run.model for run in experiment.runs] == [
        "full",
        "single-kernel",
        "last-output",
        "log-mel-only",
        "plain-training",
    ]


def test_no_figure_of_the_abstract_stands_beside_ours():
    assert not any(experiment.published for experiment in BOTH)


@pytest.mark.parametrize(
    ("model", "without"),
    [
        ("single-kernel", {"kernel_widths": (9,), "n_maps": (128, 64, 128)}),
        ("last-output", {"summary": "last"}),
        ("plain-training", {"oversample": False, "crop_frames": None, "lr_patience": None}),
    ],
)
def test_each_model_lacks_its_part_and_nothing_else(model, without):
    full, found = settings()["full"], settings()[model]
    assert full.keys() == found.keys()
    differing = {name: found[name] for name in full if full[name] != found[name]}
    assert differing == {f"{NETWORK}__{name}": value for name, value in without.items()}


def test_the_small_experiment_has_half_the_maps_and_all_else():
    assert load_experiment("meyer2021-emodb-small") is meyer2021.EMODB_SMALL
    maps = f"{NETWORK}__n_maps"
    small = settings(meyer2021.EMODB_SMALL)
    for model, before in settings().items():
        after = small[model]
        assert {name for name in before if before[name] != after[name]} == {maps}
        assert after[maps] == tuple(n // 2 for n in before[maps])


def test_without_deltas_the_front_end_alone_differs():
    full, found = settings()["full"], settings()["log-mel-only"]
    assert {name: full[name] for name in full if not name.startswith("deltas__")} == found
    models = {run.model: run.estimator(16_000, 3) for run in meyer2021.EMODB.runs}
    assert type(models["full"].named_steps["deltas"]).__name__ == "Deltas"
    assert models["log-mel-only"].named_steps["deltas"] == "passthrough"


def test_one_kernel_width_has_as_many_weights():
    full, single = (settings()[model] for model in ("full", "single-kernel"))
    weights = [
        sum(width * each[f"{NETWORK}__n_maps"][0] for width in each[f"{NETWORK}__kernel_widths"])
        for each in (full, single)
    ]
    assert weights[0] == weights[1]
    maps = len(full[f"{NETWORK}__kernel_widths"]) * full[f"{NETWORK}__n_maps"][0]
    assert maps == single[f"{NETWORK}__n_maps"][0]


@pytest.mark.parametrize("experiment", BOTH)
def test_eight_speakers_train_one_chooses_the_epoch_one_tests(experiment):
    speakers = np.repeat(list("abcdefghij"), 2)
    for run in experiment.runs:
        folds = list(run.splitter(0).split_with_validation(speakers, groups=speakers))
        assert len(folds) == 10
        for fold in folds:
            names = [set(speakers[part].tolist()) for part in fold]
            assert [len(part) for part in names] == [8, 1, 1]
            assert len(set.union(*names)) == 10


def corpus(data_home):
    speech = make_emotional_speech(3, 1, emotions=("anger", "sadness"), random_state=0)
    return Bunch(**speech, filenames=np.arange(len(speech.data)), description="made up")


def small(run):
    """Return the run with a network that is quick to train, its part still missing."""

    def estimator(sample_rate, seed):
        model = run.estimator(sample_rate, seed)
        few = {"n_maps": (2, 2, 2), "lstm_units": 2, "dense_units": 2, "max_epochs": 1}
        return model.set_params(**{f"{NETWORK}__{name}": value for name, value in few.items()})

    return Run(run.protocol, run.model, estimator, run.splitter)


def test_small_networks_run(monkeypatch, tmp_path):
    runs = tuple(small(run) for run in meyer2021.EMODB.runs)
    experiment = Experiment(about="A small one.", load=corpus, runs=runs)
    monkeypatch.setattr(protocol, "load_experiment", lambda name: experiment)
    rows = run_experiment("small", output=tmp_path / "rows.csv")
    assert len(rows) == 5 * 3
    assert {row["n_epochs"] for row in rows} == {1}
    for row in rows:
        assert not set(row["validation_speakers"]) & set(row["test_speakers"])
