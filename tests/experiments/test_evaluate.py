"""Any registered classifier on any corpus: what skspeech evaluate prints and writes."""

import io

import numpy as np
import pytest
import soundfile
from sklearn.utils import Bunch

from skspeech.datasets import make_emotional_speech
from skspeech.experiments import evaluate as module
from skspeech.experiments.evaluate import DATASETS, SPLITS, evaluate, make_model
from skspeech.model_selection import read_results
from skspeech.models import CNNLSTM1DClassifier, CNNLSTM2DClassifier
from skspeech.persistence import load_model


@pytest.fixture
def emodb(tmp_path):
    """A folder that looks like EmoDB: three speakers, two emotions."""
    folder = tmp_path / "emodb" / "wav"
    folder.mkdir(parents=True)
    speech = make_emotional_speech(
        n_speakers=3, n_utterances=2, emotions=("anger", "sadness"), random_state=0
    )
    speakers = dict(zip(np.unique(speech.speakers), ("03", "08", "09"), strict=True))
    texts = {}
    for x, label, speaker in zip(speech.data, speech.target, speech.speakers, strict=True):
        letter = {"anger": "W", "sadness": "T"}[str(speech.target_names[label])]
        texts[speaker, letter] = texts.get((speaker, letter), 0) + 1
        name = f"{speakers[speaker]}a0{texts[speaker, letter]}{letter}a.wav"
        soundfile.write(folder / name, x, speech.sample_rate)
    return tmp_path


def run(emodb, **options):
    stream = io.StringIO()
    rows = evaluate("emodb", "mfcc-svc", data_home=emodb, stream=stream, **options)
    return rows, stream.getvalue()


def test_one_speaker_after_the_other_and_a_table(emodb):
    rows, text = run(emodb)
    assert [row["test_speakers"] for row in rows] == [["03"], ["08"], ["09"]]
    assert "All 12 answers together: WA" in text
    assert "anger" in text
    assert not [path for path in emodb.iterdir() if path.name != "emodb"], "nothing is written"


def test_results_are_gone_on_with(emodb):
    path = emodb / "rows.csv"
    rows, _ = run(emodb, results=path)
    again, _ = run(emodb, results=path)
    assert again == rows
    assert len(read_results(path)) == 3


def test_report_and_model_are_written_on_request(emodb, monkeypatch):
    def small(name, *, sample_rate, seed):
        model = CNNLSTM2DClassifier.pipeline(sample_rate=sample_rate)
        return model.set_params(
            fixedduration__duration=0.5,
            cnnlstm2dclassifier__n_maps=(2, 2),
            cnnlstm2dclassifier__pool_sizes=(4, 4),
            cnnlstm2dclassifier__lstm_units=2,
            cnnlstm2dclassifier__random_state=seed,
        )

    monkeypatch.setattr(module, "make_model", small)
    report, saved = emodb / "report.html", emodb / "model"
    rows, text = run(
        emodb,
        max_epochs=1,
        checkpoint_dir=emodb / "epochs",
        report=report,
        save=saved,
        command="skspeech evaluate x",
    )
    assert {row["n_epochs"] for row in rows} == {1}
    assert f"Report: {report}" in text
    assert "skspeech evaluate x" in report.read_text(encoding="utf-8")
    card = (emodb / "model.md").read_text(encoding="utf-8")
    assert f"Its card: {saved}.md" in text
    mean = np.mean([row["ua"] for row in rows])
    assert f"unweighted accuracy (UA) | {mean:.4f} |" in card.replace("\\", "")
    assert "`emodb`: 12 recordings, 3 speakers." in card
    assert f"Protocol: `{SPLITS['speaker'](0, None)!r}` over the speakers (`--cv speaker" in card
    assert "```\nskspeech evaluate x\n```" in card
    waveforms = [np.random.default_rng(0).normal(size=9000)]
    checkpoints = list((emodb / "epochs").glob("*.checkpoint"))
    assert len(checkpoints) == 4, "a fold each, and all recordings"
    assert str(emodb) not in card
    loaded = load_model(saved)
    assert loaded[-1].checkpoint_dir is None
    assert loaded.predict(waveforms)[0] in ("anger", "sadness")
    with pytest.raises(FileExistsError, match="Remove it, or save to another file"):
        run(emodb, save=saved)
    saved.unlink()
    with pytest.raises(FileExistsError, match=r"model\.md is there already"):
        run(emodb, save=saved)


@pytest.mark.parametrize(
    ("name", "cls"),
    [
        ("cnn-lstm-2d", CNNLSTM2DClassifier),
        ("CNNLSTM2DClassifier", CNNLSTM2DClassifier),
        ("cnn_lstm_1d", CNNLSTM1DClassifier),
    ],
)
def test_models_by_name(name, cls):
    model = make_model(name, sample_rate=8000, seed=7)
    assert type(model[-1]) is cls
    assert model[-1].random_state == 7
    assert model[0].sample_rate == 8000


def test_unknown_model_names_those_there_are():
    with pytest.raises(ValueError, match=r"no classifier 'cnn'; there are mfcc-svc, CNNLSTM1D"):
        make_model("cnn", sample_rate=8000, seed=0)


def test_names_that_differ_in_nothing_that_is_heard_are_both_named(monkeypatch):
    import skspeech.plugins

    entries = [Bunch(name=name) for name in ("CNNLSTM2DClassifier", "CnnLstm2D", "CnnLstm2D")]
    monkeypatch.setattr(skspeech.plugins, "list_estimators", lambda kind: entries)
    monkeypatch.setattr(
        skspeech.plugins, "load", {"CNNLSTM2DClassifier": CNNLSTM2DClassifier}.__getitem__
    )
    with pytest.raises(ValueError, match=r"any of CNNLSTM2DClassifier, CnnLstm2D\. Write the one"):
        make_model("cnn-lstm-2d", sample_rate=8000, seed=0)
    model = make_model("CNNLSTM2DClassifier", sample_rate=8000, seed=0)
    assert type(model[-1]) is CNNLSTM2DClassifier


def test_a_class_without_a_pipeline_is_said(monkeypatch):
    import skspeech.plugins

    monkeypatch.setattr(skspeech.plugins, "load", lambda name: object)
    with pytest.raises(ValueError, match=r"has no pipeline\(sample_rate=...\)"):
        make_model("cnn-lstm-2d", sample_rate=8000, seed=0)


def test_splits_keep_speakers_apart_except_the_random_one():
    speakers = np.repeat(list("abcd"), 5)
    corpus = Bunch(speakers=speakers, sessions=np.repeat([1, 2], 10))
    for name, make in SPLITS.items():
        groups = None if name == "random" else speakers
        shared = [
            set(speakers[train]) & set(speakers[test])
            for train, test in make(0, corpus).split(speakers, None, groups)
        ]
        assert any(shared) == (name == "random")


def test_voice_prompts_come_with_the_package():
    corpus = DATASETS["voice-prompts"](None)
    assert len(set(corpus.speakers)) == 24, "what is said is kept apart, the voices are told"


def test_a_model_that_cannot_be_saved_is_refused_before_anything_is_fitted(emodb):
    with pytest.raises(TypeError, match=r"The step 'functiontransformer', a .*frame_statistics"):
        run(emodb, save=emodb / "model", results=emodb / "rows.csv")
    assert not (emodb / "rows.csv").exists()


def test_a_folder_that_is_not_there_is_refused_before_anything_is_fitted(emodb):
    with pytest.raises(FileNotFoundError, match="Make it first"):
        run(emodb, save=emodb / "deeper" / "model")


def test_a_corpus_without_sessions_is_said(emodb):
    with pytest.raises(ValueError, match="no sessions; choose another cv"):
        run(emodb, cv="session")
