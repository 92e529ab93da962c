"""Tables of markdown from rows: what is printed is what the rows say."""

import numpy as np
import pytest

from skspeech.experiments.tables import experiment_tables
from skspeech.model_selection.results import FOLD_COLUMNS

CLASSES = ["anger", "neutral", "sadness"]


def row(model, protocol="leave-one-speaker-out", fold=0, truth="aan", answer="ans", **more):
    names = dict(zip("ans", CLASSES, strict=True))
    truth, answer = [names[x] for x in truth], [names[x] for x in answer]
    right = np.mean(np.array(truth) == answer)
    fixed = {
        "experiment": "zhao2019-emodb",
        "protocol": protocol,
        "model": model,
        "seed": "0",
        "settings": "",
        "data": "EmoDB, 3 of 535",
        "versions": "torch 2",
        "threads": "1",
        "command": "skspeech experiment zhao2019-emodb --data-home DIR --seed 0",
    }
    found = {
        "fold": fold,
        "n_train": 6,
        "n_test": len(truth),
        "truth": truth,
        "predicted": answer,
        "wa": right,
        "ua": 0.25 * fold,
        "train_wa": 1.0,
        "n_epochs": 7,
        "fit_seconds": 60.0,
        "classes": CLASSES,
    }
    return {**dict.fromkeys(FOLD_COLUMNS), **fixed, **found, **more}


def lines(markdown):
    return [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in markdown.splitlines()
        if line.startswith("|")
    ]


def test_published_figures_stand_beside_ours():
    found = lines(experiment_tables([row("cnn-lstm-2d", "random-80-20-as-printed")]))
    named = dict(zip(found[0][:7], found[2][:7], strict=True))
    assert found[2][:7] == [
        "random-80-20-as-printed",
        "cnn-lstm-2d",
        "0",
        "95.33",
        f"{100 * 7 / 9:.2f}",  # six trained on and one of three tested
        "76.64",
        "33.33",
    ]
    assert named["validation accuracy, paper"] == "76.64"


def test_other_protocols_pool_their_folds():
    rows = [row("mfcc-svc", fold=1, answer="aan"), row("mfcc-svc", fold=0, n_epochs=None)]
    (_, _, line, *_) = lines(experiment_tables(rows))
    assert line == [
        "leave-one-speaker-out",
        "mfcc-svc",
        "0",
        "66.7",
        "62.5",  # anger 3 of 4, neutral 1 of 2
        "66.7 ± 33.3",
        "12.5 ± 12.5",
        "0.33, 1.00",
        "0.00, 0.25",
        "7",
        "2.0",
    ]


def test_published_wa_and_ua_stand_beside_ours():
    rows = [
        row(model, "leave-one-session-out", experiment="ma2018-iemocap")
        for model in ("mfcc-svc", "variable-length", "fixed-length")
    ]
    header, _, *found = lines(experiment_tables(rows))
    assert header[1:7] == ["model", "seed", "WA, paper", "UA, paper", "WA", "UA"]
    assert [line[1:7] for line in found[:3]] == [
        ["fixed-length", "0", "68.86", "57.45", "33.3", "25.0"],
        ["variable-length", "0", "71.45", "64.22", "33.3", "25.0"],
        ["mfcc-svc", "0", "", "", "33.3", "25.0"],
    ]


def test_without_published_figures_there_are_no_columns_for_them():
    header, *_ = lines(experiment_tables([row("full", experiment="meyer2021-iemocap")]))
    assert not [cell for cell in header if "paper" in cell]


def test_confusion_is_in_percent_and_empty_for_a_class_without_recordings():
    found = lines(experiment_tables([row("mfcc-svc")]))
    assert found[3] == ["percent of", "ange", "neut", "sadn"]
    assert found[5:] == [
        ["anger (2)", "50.0", "50.0", "0.0"],
        ["neutral (1)", "0.0", "0.0", "100.0"],
        ["sadness (0)", "", "", ""],
    ]


def test_a_search_shows_its_candidates():
    search = {
        "best": 1,
        "candidates": [
            [{"net__optimizer": "sgd", "net__lr": 1e-4}, 0.25],
            [{"net__optimizer": "adam", "net__lr": 3e-3}, 0.5],
            [{"net__optimizer": "adam", "net__lr": 1.0}, None],
        ],
    }
    rows = [
        row(
            "cnn-lstm-2d-tpe",
            "two-speakers",
            search=search,
            experiment="zhao2019-search",
        )
    ]
    found = lines(experiment_tables(rows))
    assert found[3:] == [
        ["optimizer", "lr", "validation accuracy", ""],
        ["---"] * 4,
        ["sgd", "0.0001", "25.0", ""],
        ["adam", "0.003", "50.0", "chosen; test WA 33.3"],
        ["adam", "1", "", ""],
    ]


def test_commands_seeds_data_and_versions_are_named():
    text = experiment_tables([row("mfcc-svc"), row("mfcc-svc", data="EmoDB, all")])
    assert (
        len([line for line in lines(text) if line[:2] == ["leave-one-speaker-out", "mfcc-svc"]])
        == 2
    )
    assert "--data-home DIR --seed 0 --resume" in text
    assert "Data: EmoDB, 3 of 535; EmoDB, all. Versions: torch 2." in text


def test_rows_of_two_experiments_are_not_mixed():
    with pytest.raises(ValueError, match="rows of 2 experiments"):
        experiment_tables([row("mfcc-svc"), row("mfcc-svc", experiment="zhao2019-iemocap")])


def test_a_fold_that_is_there_twice_is_refused():
    with pytest.raises(ValueError, match=r"mfcc-svc, seed 0: a fold is there twice"):
        experiment_tables([row("mfcc-svc"), row("mfcc-svc")])


def test_rows_of_a_run_that_is_no_more_are_named():
    with pytest.raises(ValueError, match="no run leave-one-speaker-out, cnn"):
        experiment_tables([row("cnn")])


def test_features_of_one_network_stand_in_one_line_below_the_papers():
    names = {
        "experiment": "arronte2020-flamenco",
        "protocol": "motif-at-random",
        "command": "skspeech experiment arronte2020-flamenco --data-home DIR --seed 0",
    }
    rows = [
        row("crnn-mfcc", auc=0.9, **names),
        row("crnn-mel", fold=0, auc=0.5, **names),
        row("crnn-mel", fold=1, auc=None, answer="aan", **names),  # one class in the test part
        row("svc-mfcc", auc=None, **names),
    ]
    header, _, paper, ours, svc, *_ = lines(experiment_tables(rows))
    assert header[3:] == [
        "mfcc, accuracy", "AUC", "spectrogram, accuracy", "AUC", "mel, accuracy", "AUC",
    ]  # fmt: skip
    assert paper == ["motif-at-random", "crnn", "paper", "88.59", "87.66", "", "", "91.05", "89.11"]
    assert ours == ["motif-at-random", "crnn", "seed 0", "33.3", "90.0", "", "", "66.7", "50.0"]
    assert svc == ["motif-at-random", "svc", "seed 0", "33.3", *[""] * 5]
