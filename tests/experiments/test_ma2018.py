"""The experiment of Ma et al. (2018): its models, its splits and what the paper prints."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.utils import Bunch

from skspeech.datasets import make_emotional_speech
from skspeech.experiments import ma2018, protocol
from skspeech.experiments._corpora import IEMOCAP_SESSIONS
from skspeech.experiments.protocol import Experiment, Run, load_experiment, run_experiment
from skspeech.experiments.tables import experiment_tables
from skspeech.model_selection import read_results
from skspeech.models import FixedLengthCRNNClassifier, VariableLengthCRNNClassifier

MODELS = ["fixed-length", "fixed-length-more-steps", "variable-length", "mfcc-svc"]


def models(experiment):
    return {run.model: run.estimator(16_000, 3) for run in experiment.runs}


@pytest.mark.parametrize(
    ("name", "experiment", "splits"),
    [
        ("ma2018-emodb", ma2018.EMODB, "leave-one-speaker-out"),
        ("ma2018-emodb-small", ma2018.EMODB_SMALL, "leave-one-speaker-out"),
        ("ma2018-iemocap", ma2018.IEMOCAP, "leave-one-session-out"),
    ],
)
def test_names(name, experiment, splits):
    assert load_experiment(name) is experiment
    assert [(run.protocol, run.model) for run in experiment.runs] == [
        (splits, model) for model in MODELS
    ]


def test_both_networks_are_the_same_and_differ_in_what_they_read():
    fixed, more_steps, variable, svc = models(ma2018.EMODB).values()
    differ = [
        (name, value, more_steps.get_params()[name])
        for name, value in fixed.get_params().items()
        if name.startswith("fixedlengthcrnnclassifier__") and value != more_steps.get_params()[name]
    ]
    assert differ == [("fixedlengthcrnnclassifier__batch_frames", 9600, 6000)]
    assert [type(step).__name__ for step in fixed] == [
        "FixedDuration",
        "LogPowerSpectrogram",
        "FixedLengthCRNNClassifier",
    ]
    assert fixed[0].duration == 3.0
    assert fixed[0].long == "split"
    assert isinstance(fixed[-1], FixedLengthCRNNClassifier)
    assert isinstance(variable[-1], VariableLengthCRNNClassifier)
    assert clone(variable[:-1]).get_params().keys() == clone(fixed[1:-1]).get_params().keys()
    settings = variable[-1].get_params()
    assert settings.pop("length_weighted") is True
    assert fixed[-1].get_params() == settings
    assert settings["random_state"] == 3
    assert settings["class_weight"] == "balanced"
    assert type(svc[-1]).__name__ == "SVC"


def test_the_small_experiment_has_half_the_maps_and_all_else():
    for whole, small in zip(
        models(ma2018.EMODB).values(), models(ma2018.EMODB_SMALL).values(), strict=True
    ):
        before, after = whole.get_params(), small.get_params()
        changed = {name for name in after if "__" in name and before[name] != after[name]}
        assert changed <= {f"{whole.steps[-1][0]}__n_maps"}
        for name in changed:
            assert after[name] == tuple(n // 2 for n in before[name])


def parts(experiment, speakers):
    (splitter,) = {repr(run.splitter(0)): run.splitter(0) for run in experiment.runs}.values()
    for indices in splitter.split_with_validation(speakers, groups=speakers):
        yield tuple(sorted(set(np.asarray(speakers)[part].tolist())) for part in indices)


def test_another_speaker_chooses_the_epoch_on_emodb():
    speakers = ["03", "03", "08", "09", "10"]
    found = list(parts(ma2018.EMODB, speakers))
    assert found[0] == (["09", "10"], ["08"], ["03"])
    assert [test for _, _, test in found] == [["03"], ["08"], ["09"], ["10"]]
    for train, validation, test in found:
        assert len(validation) == len(test) == 1
        assert sorted(train + validation + test) == sorted(set(speakers))


def test_the_partner_chooses_the_epoch_on_iemocap_both_ways_round():
    found = list(parts(ma2018.IEMOCAP, list(IEMOCAP_SESSIONS)))
    assert len(found) == 10
    assert found[0][1:] == (["Ses01M"], ["Ses01F"])
    assert found[1][1:] == (["Ses01F"], ["Ses01M"])
    for train, validation, test in found:
        assert len(train) == 8
        assert not {speaker[:5] for speaker in train} & {validation[0][:5], test[0][:5]}
        assert validation[0][:5] == test[0][:5]


def test_table_1_belongs_to_iemocap():
    assert not ma2018.EMODB.published
    published = {model: figures for (_, model), figures in ma2018.IEMOCAP.published.items()}
    assert published == {
        "fixed-length": {"wa": 68.86, "ua": 57.45},
        "variable-length": {"wa": 71.45, "ua": 64.22},
    }


def corpus(data_home):
    speech = make_emotional_speech(3, 1, emotions=("anger", "sadness"), random_state=0)
    return Bunch(**speech, filenames=np.arange(len(speech.data)), description="made up")


def small(run):
    """Return the run with a network that is quick to train."""

    def estimator(sample_rate, seed):
        model = run.estimator(sample_rate, seed)
        network = model.steps[-1][0]
        if "crnn" in network:
            model.set_params(
                **{
                    f"{network}__n_maps": (2, 2, 2),
                    f"{network}__kernel_sizes": ((3, 3), (3, 3), (3, 3)),
                    f"{network}__recurrent_units": 2,
                    f"{network}__max_epochs": 1,
                }
            )
        return model

    return Run(run.protocol, run.model, estimator, run.splitter)


def test_small_networks_run_and_make_the_tables(monkeypatch, tmp_path):
    runs = tuple(small(run) for run in ma2018.EMODB.runs)
    experiment = Experiment(about="A small one.", load=corpus, runs=runs)
    monkeypatch.setattr(protocol, "load_experiment", lambda name: experiment)
    rows = run_experiment("ma2018-emodb", output=tmp_path / "rows.csv")
    assert [row["model"] for row in rows] == [model for model in MODELS for _ in range(3)]
    for row in rows:
        validates = row["model"] != "mfcc-svc"  # which has no epochs
        assert len(row["validation_speakers"]) == validates
        assert not set(row["validation_speakers"]) & set(row["test_speakers"])
        assert (row["n_train"], row["n_validation"], row["n_test"]) == (2, 2 * validates, 2)
        assert row["n_epochs"] == (1 if validates else None)
    markdown = experiment_tables(read_results(tmp_path / "rows.csv"))
    for model in MODELS:
        assert f"| leave-one-speaker-out | {model} | 0 |" in markdown
