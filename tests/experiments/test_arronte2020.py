"""Table 2 of Arronte Alvarez and Gómez-Martín: its runs, and the segments that they read."""

import numpy as np
import pytest
import soundfile
from sklearn.utils import Bunch

from skspeech.experiments import arronte2020, protocol
from skspeech.experiments.protocol import load_experiment, run_experiment
from skspeech.model_selection import find_leaks

NETWORKS = ("crnn", "residual50", "residual-blstm")
NINE = [
    f"{network}-{feature}" for network in NETWORKS for feature in ("mfcc", "spectrogram", "mel")
]


def models(experiment, protocol):
    return [run.model for run in experiment.runs if run.protocol == protocol]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("arronte2020-flamenco", "motif-at-random"),
        ("arronte2020-flamenco-groups", "motif-unheard-excerpts"),
        ("arronte2020-fsdd", "unheard-digits"),
        ("arronte2020-fsdd-small", "unheard-digits"),
    ],
)
def test_three_networks_on_three_features_beside_a_support_vector_machine(name, expected):
    assert models(load_experiment(name), expected) == [*NINE, "svc-mfcc"]
    assert {run.protocol for run in load_experiment(name).runs} == {expected}


def test_songs_are_cut_in_three_ways_and_split_in_two():
    for segments in ("motif", "motif+context", "random"):
        assert models(arronte2020.SINGING, f"{segments}-at-random") == [*NINE, "svc-mfcc"]
        assert models(arronte2020.SINGING, f"{segments}-unheard-songs") == NINE
        small = models(arronte2020.SINGING_SMALL, f"{segments}-unheard-songs")
        assert small == [f"{network}-mel" for network in NETWORKS]
    assert models(arronte2020.SINGING, "whole-unheard-songs") == ["svc-mfcc"]


def test_published_figures_stand_beside_their_own_data_alone():
    published = arronte2020.FLAMENCO.published
    assert list(published) == [("motif-at-random", name) for name in NINE]
    assert published["motif-at-random", "residual-blstm-mel"] == {"wa": 96.29, "auc": 94.42}
    others = (arronte2020.FLAMENCO_GROUPS, arronte2020.FSDD, arronte2020.SINGING)
    assert not any(experiment.published for experiment in others)


@pytest.mark.parametrize("sample_rate", [8_000, 16_000])
def test_features_have_the_bins_of_the_paper(sample_rate):
    noise = np.random.default_rng(0).normal(size=(1, sample_rate)).astype(np.float32)
    found = {}
    for run in arronte2020.FSDD.runs[:3]:
        front_end = run.estimator(sample_rate, 0)[0]
        found[run.model] = front_end.fit_transform(noise).shape[1:]
    assert found == {"crnn-mfcc": (40, 81), "crnn-spectrogram": (400, 81), "crnn-mel": (128, 81)}


def test_the_full_networks_are_the_classes_as_they_are():
    for run in arronte2020.FSDD.runs[:-1]:
        network = run.estimator(16_000, 3)[-1]
        changed = {
            name: value
            for name, value in network.get_params().items()
            if value != type(network)().get_params()[name]
        }
        expected = {"pool_padding": "same"} if run.model.startswith("crnn") else {}
        assert changed == {"random_state": 3, **expected}


@pytest.fixture(scope="module")
def songs():
    """Return three songs of each of two of the five singers."""
    songs = arronte2020._load_singing(None, n_songs=3, n_phrases=4, n_repeats=4)
    some = np.flatnonzero(songs.target < 2)
    names = ("data", "target", "speakers", "filenames")
    return Bunch(**{**songs, **{name: songs[name][some] for name in names}})


def test_songs_of_one_number_are_kept_apart(songs):
    assert songs.speakers.tolist() == ["song 0", "song 1", "song 2"] * 2
    assert songs.filenames[4] == "singer 2, song 1"


def test_segments_are_recordings_and_groups_of_their_own(songs):
    cuts = arronte2020._cut_songs("motif+context", songs)
    n_cuts = len(cuts.data)
    assert n_cuts == len(cuts.target) == len(cuts.filenames) > 20
    assert np.array_equal(cuts.speakers, np.arange(n_cuts))
    assert set(cuts.target) == {0, 1}
    assert max(map(len, cuts.data)) == 48_000  # 3 s, or what the song still has


@pytest.mark.filterwarnings("ignore::skspeech.exceptions.LeakageWarning")
def test_rows_of_segments_and_of_songs(songs, monkeypatch, tmp_path):
    small = arronte2020.Experiment(
        about="Two singers.", load=lambda home: songs, runs=arronte2020.SINGING_SMALL.runs
    )
    monkeypatch.setattr(protocol, "load_experiment", lambda name: small)
    rows = run_experiment(
        "arronte2020-singing-small",
        output=tmp_path / "rows.csv",
        protocols=["motif-at-random", "motif-unheard-songs"],
        models=["residual-blstm-mel", "svc-mfcc"],
        max_epochs=1,
    )
    at_random, svc, *unheard = rows
    assert at_random["n_test"] == svc["n_test"] > 4  # segments
    assert "segments (motif)" in at_random["data"]
    assert [row["n_test"] for row in unheard] == [2, 2, 2]  # songs
    assert [row["test_speakers"] for row in unheard] == [["song 0"], ["song 1"], ["song 2"]]
    assert all(0 <= row["auc"] <= 1 for row in rows)


def test_the_released_motifs_with_and_without_copies(tmp_path):
    rng = np.random.default_rng(0)
    clips = {f"{who}_{i}": rng.uniform(-1, 1, 4000) for who in ("AM", "TP") for i in range(2)}
    clips["AM_2"] = clips["AM_0"]
    for name, samples in clips.items():
        folder = tmp_path / "flamenco-motifs" / name[:2]
        folder.mkdir(parents=True, exist_ok=True)
        uuid = f"00000000-0000-4000-8000-00000000000{name[-1]}"
        soundfile.write(folder / f"D000{name[-1]}_1-11-21_{uuid}.wav", samples, 22_050, "FLOAT")
    as_printed = arronte2020.FLAMENCO.load(tmp_path)
    assert len(as_printed.data) == 5
    assert len(set(as_printed.speakers)) == 5  # split at random, copies and all
    assert find_leaks(as_printed.data, groups=as_printed.speakers)
    honest = arronte2020.FLAMENCO_GROUPS.load(tmp_path)
    assert len(honest.data) == 4
    assert "4 of 11158" in honest.description


def test_fsdd_tells_speakers_and_keeps_digits_apart(tmp_path):
    folder = tmp_path / "fsdd" / "recordings"
    folder.mkdir(parents=True)
    for name in ("0_theo_1", "7_lucas_2"):
        soundfile.write(folder / f"{name}.wav", np.zeros(4000), 8000)
    fsdd = arronte2020.FSDD.load(tmp_path)
    assert fsdd.target_names[fsdd.target].tolist() == ["theo", "lucas"]
    assert fsdd.speakers.tolist() == ["digit 0", "digit 7"]
    assert "2 of 3000 recordings, speakers lucas theo" in fsdd.description
