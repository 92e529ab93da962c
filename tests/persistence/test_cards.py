"""Model cards: what is known is said, what is not is not made up, and nothing breaks out."""

import re

import numpy as np
import pytest
from sklearn.base import BaseEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from skspeech.model_selection import (
    LeaveOneSpeakerOut,
    cross_validate_frames,
    cross_validate_speakers,
)
from skspeech.models import CNNLSTM2DClassifier, Conv3DRegressor
from skspeech.persistence import load_model, make_model_card, save_model
from skspeech.preprocessing import FixedDuration, LogMelSpectrogram
from skspeech.testing import make_labels, make_recordings
from skspeech.vocoders import WaveGlowVocoder

WAVES, LABELS = make_recordings("waveform", 16), make_labels(16)
SPEAKERS = np.array(["Ann", "Bob", "Cid|`x`", "Dan"])[np.arange(16) // 2 % 4]


@pytest.fixture(scope="module")
def fitted():
    model = make_pipeline(
        FixedDuration(duration=0.02, sample_rate=8000),
        LogMelSpectrogram(sample_rate=8000, n_fft=64, hop_length=16, n_mels=8),
        CNNLSTM2DClassifier(
            n_maps=(4,), pool_sizes=(2,), lstm_units=4, max_epochs=3, random_state=7
        ),
    )
    return model.fit(WAVES, LABELS, cnnlstm2dclassifier__groups=SPEAKERS)


@pytest.fixture(scope="module")
def rows():
    table = np.random.default_rng(0).normal(size=(16, 2)) + 1.0 * (LABELS == "odd")[:, None]
    return cross_validate_speakers(
        LogisticRegression(), table, LABELS, groups=SPEAKERS, cv=LeaveOneSpeakerOut()
    )


def cells(card, heading):
    """Return the table under a heading, a dict of first to other cells."""
    part = f"\n{card}".split(f"\n{heading}\n")[1].split("\n#")[0]
    lines = [line for line in part.splitlines() if line.startswith("|")]
    table = [re.split(r"(?<!\\)\|", line)[1:-1] for line in lines]
    widths = {len(line) for line in table}
    assert len(widths) == 1, "each line of a table has as many cells"
    return {first.strip(): [cell.strip() for cell in others] for first, *others in table}


class TestWhatTheEstimatorKnows:
    def test_network(self, fitted):
        card = make_model_card(fitted)
        network = fitted[-1]
        assert card.startswith("# CNNLSTM2DClassifier\n")
        assert "| reads | waveforms |" in card
        assert "| sample rate | 8,000 Hz |" in card
        assert "one of 2 classes: `even`, `odd`" in card
        n_weights = sum(weight.numel() for weight in network.module_.parameters())
        assert f"| parameters of `CNNLSTM2DClassifier` | {n_weights:,} |" in card
        training = cells(card, "## Training of `CNNLSTM2DClassifier`")
        best = [row for row in network.history_ if row["best"]][-1]
        assert training["random_state"] == ["`7`"]
        assert training["epochs trained"] == ["3"]
        assert training["best epoch, whose weights these are"] == [str(best["epoch"])]
        assert training["its score on what was held out"] == [f"{best['valid_score']:.4f}"]
        held = training["held out to choose the epoch"][0]
        assert held.startswith(f"{len(network.validation_.indices)} recordings (speaker)")

    def test_only_parameters_that_differ(self, fitted):
        steps = cells(make_model_card(fitted), "## Steps")
        assert steps["`fixedduration`"] == [
            "`skspeech.FixedDuration`",
            "`duration=0.02`, `sample_rate=8000`",
        ]
        assert "patience" not in steps["`cnnlstm2dclassifier`"][1]

    def test_no_folder_of_this_machine(self, fitted):
        from sklearn.base import clone

        network = clone(fitted[-1]).set_params(checkpoint_dir="/home/ann", random_state=1)
        assert "/home/ann" not in make_model_card(make_pipeline(network, memory="/home/ann"))

    def test_estimators_in_estimators_have_lines_of_their_own(self, fitted):
        from sklearn.base import clone
        from sklearn.pipeline import FeatureUnion

        network = clone(fitted[-1]).set_params(checkpoint_dir="/home/ann")
        for model, key in (
            (FeatureUnion([("a", network)]), "a"),
            (make_pipeline(FeatureUnion([("a", make_pipeline(network))])), None),
            (GridSearchCV(network, {"lr": [0.1]}), "estimator"),
        ):
            card = make_model_card(model)
            assert "/home/ann" not in card
            steps = cells(card, "## Steps")
            key = key or "featureunion__a__cnnlstm2dclassifier"
            assert steps[f"`{key}`"][0] == "`skspeech.CNNLSTM2DClassifier`"
            assert "`lstm_units=4`" in steps[f"`{key}`"][1]
        assert cells(card, "## Steps")["`(the model)`"][1] == (
            "`estimator=...`, `param_grid={'lr': [0.1]}`"
        )

    def test_no_folder_of_a_checkpoint(self):
        card = make_model_card(WaveGlowVocoder(checkpoint="/home/ann/glow.pt"))
        assert "`checkpoint='glow.pt'`" in card
        assert "/home/ann" not in card

    def test_what_answers_in_the_end(self, fitted):
        card = make_model_card(make_pipeline(fitted, "passthrough"))
        assert card.startswith("# CNNLSTM2DClassifier\n\n`CNNLSTM2DClassifier`: ")

    def test_what_nobody_said_is_not_stated(self, fitted):
        card = make_model_card(fitted)
        for heading in ("Data", "Intended use and limits", "Licence"):
            assert f"\n## {heading}\n\nNot stated.\n" in card
        assert "Protocol: Not stated.\n\nScores: Not stated.\n" in card
        assert "How to do it again" not in card

    def test_nothing_held_out(self):
        network = CNNLSTM2DClassifier(
            n_maps=(4,), pool_sizes=(2,), lstm_units=4, max_epochs=1, validation=None
        )
        card = make_model_card(network.fit(make_recordings("spectrogram", 16), LABELS))
        assert "| held out to choose the epoch | nothing." in card
        assert "best epoch" not in card

    def test_regressor(self):
        videos = [np.random.default_rng(i).normal(size=(20, 8, 4)) for i in range(4)]
        spectra = [video[:, :2, 0] for video in videos]
        network = Conv3DRegressor(n_maps=(4,), context_frames=5, max_epochs=1, random_state=0)
        rows = cross_validate_frames(network, videos, spectra, groups=list("aabb"))
        card = make_model_card(network.fit(videos, spectra), results=rows)
        assert "| reads | videos |" in card
        mean = np.mean([row["mse"] for row in rows])
        scores = cells(card, "## Evaluation")
        assert scores["squared error of standardised targets (MSE)"][0] == f"{mean:.4f}"
        assert not any("MCD" in name for name in scores)

    def test_parameters_of_others_may_mean_something_else(self):
        class Walk(BaseEstimator):
            def __init__(self, *, steps=3, sample_rate="daily", checkpoint=1):
                self.steps, self.sample_rate, self.checkpoint = steps, sample_rate, checkpoint

        card = make_model_card(make_pipeline(Walk(steps=4, checkpoint=2)))
        assert card.startswith("# Walk")
        assert cells(card, "## Steps")["`walk`"][1] == "`checkpoint=2`, `steps=4`"

    def test_transformer(self):
        card = make_model_card(FixedDuration(duration=3.0))
        assert "| `(the model)` | `skspeech.FixedDuration` | `duration=3.0` |" in card
        assert "Training" not in card


class TestWhatIsGiven:
    def test_scores_of_real_folds(self, fitted, rows, tmp_path):
        card = make_model_card(
            fitted, data="Made **here**.", protocol="One out.", results=rows, command="do `it`"
        )
        scores = cells(card, "## Evaluation")
        for column in ("wa", "ua", "auc"):
            values = [row[column] for row in rows]
            (name,) = [name for name in scores if f"({column.upper()})" in name]
            assert scores[name] == [
                f"{np.mean(values):.4f}",
                f"{np.std(values, ddof=1):.4f}",
                "4",
            ]
        assert "Scores of 4 models, one for each fold of the protocol, on 16 recordings" in card
        assert "The model in this file is none of these" in card
        assert "## Data\n\nMade **here**.\n" in card
        assert "Protocol: One out.\n" in card
        assert "## How to do it again\n\n```\ndo `it`\n```\n" in card

    def test_a_result_file(self, fitted, rows, tmp_path):
        table = np.random.default_rng(0).normal(size=(16, 2)) + 1.0 * (LABELS == "odd")[:, None]
        path = tmp_path / "rows.csv"
        again = cross_validate_speakers(
            LogisticRegression(), table, LABELS, groups=SPEAKERS, results=path
        )
        assert make_model_card(fitted, results=path) == make_model_card(fitted, results=again)

    def test_one_fold_has_no_spread(self, fitted, rows):
        card = make_model_card(fitted, results=rows[:1])
        assert "| one fold | 1 |" in card
        assert "Scores of one model, on 4 recordings tested." in card

    def test_a_score_that_some_folds_lack(self, fitted, rows):
        some = [rows[0] | {"auc": None}, *rows[1:]]
        card = make_model_card(fitted, results=some)
        (line,) = [line for line in card.splitlines() if "(AUC)" in line]
        assert line.endswith("| 3 |")

    @pytest.mark.parametrize(
        ("change", "match"),
        [
            (lambda rows: [], "no row"),
            (lambda rows: [{"wa": 1.0, "ua": 1.0}], r"results\[0\] is no row of a fold"),
            (lambda rows: [{**rows[0], "ua": None}], r"results\[0\] is no row"),
            (lambda rows: [*rows[:1], {**rows[1], "wa": float("nan")}], r"results\[1\]"),
            (lambda rows: [{**rows[0], "wa": "0.9"}], r"results\[0\]"),
            (lambda rows: [0.9, 0.8], r"results\[0\]"),
            (lambda rows: rows + rows, "more than one evaluation"),
            (
                lambda rows: [{**row, "model": str(i)} for i, row in enumerate(rows)],
                "more than one evaluation",
            ),
        ],
    )
    def test_no_other_rows(self, change, match, fitted, rows):
        with pytest.raises(ValueError, match=match):
            make_model_card(fitted, results=change(rows))


class TestNothingBreaksOut:
    NASTY = ("a|b", "`", "``x`", "# no heading\n## nor this", "<script>", "[x](y)", "\\", "\x1b[2J")

    def test_labels(self):
        model = LogisticRegression().fit(np.eye(8), np.array(self.NASTY))
        card = make_model_card(model)
        table = cells(card, "# LogisticRegression")
        assert table["answers"][0].startswith("one of 8 classes: ")
        assert r"a\|b" in table["answers"][0]
        assert [line for line in card.splitlines() if line.startswith("#")] == [
            "# LogisticRegression",
            "## Steps",
            "## Data",
            "## Evaluation",
            "## Intended use and limits",
            "## Licence",
            "## Versions",
        ]
        assert "\x1b" not in card

    def test_names_of_steps(self):
        from sklearn.pipeline import Pipeline

        model = Pipeline([(name, FixedDuration()) for name in self.NASTY])
        assert len(cells(make_model_card(model), "## Steps")) == len(self.NASTY) + 2

    def test_speakers(self, fitted):
        network = CNNLSTM2DClassifier(
            n_maps=(4,), pool_sizes=(2,), lstm_units=4, max_epochs=1, random_state=1
        )
        speakers = np.where(np.arange(16) < 8, "Cid|`x`", "a\n| b |")
        network.fit(make_recordings("spectrogram", 16), LABELS, groups=speakers)
        cells(make_model_card(network), "## Training of `CNNLSTM2DClassifier`")

    def test_a_command_with_a_fence(self):
        card = make_model_card(FixedDuration(), command="echo '```'\n# no heading")
        assert "````\necho '```'\n# no heading\n````" in card


class TestBesideTheFile:
    def test_written_with_the_model(self, fitted, path):
        import hashlib

        save_model(fitted, path)
        card = path.with_name("model.skspeech.md").read_text(encoding="utf-8")
        assert card.startswith(make_model_card(fitted))
        file = cells(card, "## The file")
        data = path.read_bytes()
        assert file["SHA-256"] == [f"`{hashlib.sha256(data).hexdigest()}`"]
        assert file["size"] == [f"{len(data):,} bytes"]
        assert "model = load_model('model.skspeech')\n" in card
        assert "Needs `skspeech==" in card

    def test_given(self, path):
        save_model(FixedDuration(), path, card="# Mine\n")
        card = path.with_name("model.skspeech.md").read_text(encoding="utf-8")
        assert card.startswith("# Mine\n\n## The file\n")

    def test_an_edited_card_is_saved_again(self, path):
        save_model(FixedDuration(), path)
        beside = path.with_name("model.skspeech.md")
        card = beside.read_text(encoding="utf-8").replace("Licence\n\nNot stated", "Licence\n\nCC0")
        save_model(FixedDuration(), path, card=card, overwrite=True)
        assert beside.read_text(encoding="utf-8") == card
        save_model(FixedDuration(duration=3.0), path, card=card, overwrite=True)
        again = beside.read_text(encoding="utf-8")
        assert again.count("SHA-256") == card.count("SHA-256")
        assert cells(again, "## The file")["SHA-256"] != cells(card, "## The file")["SHA-256"]

    def test_what_was_added_at_the_end_stays(self, path):
        mine = "# Mine\n\n## Loading\n\nWith both hands.\n"
        save_model(FixedDuration(), path, card=mine)
        beside = path.with_name("model.skspeech.md")
        card = f"{beside.read_text(encoding='utf-8')}\n## Notes\n\nKeep this.\n"
        for _ in range(2):
            save_model(FixedDuration(), path, card=card, overwrite=True)
            card = beside.read_text(encoding="utf-8")
        assert card.startswith(f"{mine}\n## Notes\n\nKeep this.\n\n## The file\n")
        assert card.count("SHA-256") == 1
        assert card.count("## Loading") == 2

    def test_is_not_overwritten_unasked(self, path):
        beside = path.with_name("model.skspeech.md")
        beside.write_text("mine", encoding="utf-8")
        with pytest.raises(FileExistsError, match=r"model\.skspeech\.md exists"):
            save_model(FixedDuration(), path)
        assert beside.read_text(encoding="utf-8") == "mine"
        assert not path.exists()
        save_model(FixedDuration(), path, overwrite=True)
        assert "FixedDuration" in beside.read_text(encoding="utf-8")
        load_model(path)

    def test_a_model_never_lies_there_without_one(self, path, monkeypatch):
        import os

        replaced = []

        def fail_at_the_second(part, to):
            if replaced:
                raise OSError("killed")
            replaced.append(to)
            replace(part, to)

        replace = os.replace
        monkeypatch.setattr(os, "replace", fail_at_the_second)
        with pytest.raises(OSError, match="killed"):
            save_model(FixedDuration(), path)
        assert [file.name for file in path.parent.iterdir()] == ["model.skspeech.md"]
