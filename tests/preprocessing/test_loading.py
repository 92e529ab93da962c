"""From paths to waveforms, one at a time, up to networks."""

import os
import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline

from skspeech.datasets import load_voice_prompts
from skspeech.exceptions import AudioWarning, RecordingError
from skspeech.models import CNNLSTM2DClassifier
from skspeech.preprocessing import AudioLoader, FixedDuration, LogMelSpectrogram, loading
from skspeech.recordings import RecordingSequence, object_array
from skspeech.tags import get_speech_tags
from skspeech.testing import small_instance

RATE = 800


@pytest.fixture
def paths(tmp_path):
    """Four WAV files of 100, 200, 300 and 400 samples of 0.1, 0.2, 0.3 and 0.4."""
    for i in range(1, 5):
        soundfile.write(tmp_path / f"{i}.wav", np.full(100 * i, i / 10), RATE, subtype="FLOAT")
    return sorted(tmp_path.glob("*.wav"))


@pytest.fixture
def broken(paths):
    """The same, of which the second has lost its end."""
    paths[1].write_bytes(paths[1].read_bytes()[:-200])
    return paths


@pytest.fixture
def opened(monkeypatch):
    """Names of the files that were opened."""
    names = []

    def read(name, sample_rate):
        names.append(Path(name).name)
        return np.ones(3, np.float32)

    monkeypatch.setattr(loading, "read_waveform", read)
    return names


COLLECTIONS = {
    "list of Path": list,
    "list of str": lambda paths: [str(path) for path in paths],
    "tuple": tuple,
    "array of str": lambda paths: np.array([str(path) for path in paths]),
    "array of object": object_array,
    "column": lambda paths: pd.Series([str(path) for path in paths], index=[3, 2, 1, 0]),
    "column of Path": lambda paths: pd.DataFrame({"path": paths}, index=[7, 7, 7, 7])["path"],
    "index": lambda paths: pd.Index([str(path) for path in paths]),
    "sequence": RecordingSequence,
}


@pytest.mark.parametrize("collection", COLLECTIONS.values(), ids=COLLECTIONS)
def test_collections_of_paths(paths, collection):
    waveforms = AudioLoader(sample_rate=RATE).fit_transform(collection(paths))
    assert isinstance(waveforms, RecordingSequence)
    assert waveforms.shape == (4,)
    assert [len(waveform) for waveform in waveforms] == [100, 200, 300, 400]
    assert waveforms[2][0] == np.float32(0.3)
    assert waveforms[2].dtype == np.float32


@pytest.mark.parametrize("collection", COLLECTIONS.values(), ids=COLLECTIONS)
def test_nothing_is_opened_before_it_is_asked_for(paths, opened, collection):
    waveforms = AudioLoader().fit(collection(paths)).transform(collection(paths))
    assert opened == []
    assert len(waveforms[1:]) == 3
    assert opened == []
    _ = waveforms[1:][1]
    assert opened == ["3.wav"]
    _ = waveforms[2]
    assert opened == ["3.wav", "3.wav"], "nothing is kept"


def test_an_entry_of_a_folder(paths):
    entries = sorted(os.scandir(paths[0].parent), key=lambda entry: entry.name)
    assert len(AudioLoader(sample_rate=RATE).transform(entries)[3]) == 400


def test_rates(paths):
    assert len(AudioLoader(sample_rate=RATE // 2).transform(paths)[0]) == 50
    assert len(AudioLoader(sample_rate=None).transform(paths)[0]) == 100
    assert len(AudioLoader().transform(paths)[0]) == 2000


def test_a_relative_path_is_read_from_the_working_directory(paths, monkeypatch):
    waveforms = AudioLoader(sample_rate=RATE).transform(["1.wav"])
    with pytest.raises(RecordingError, match=r"'1\.wav'. does not exist"):
        _ = waveforms[0]
    monkeypatch.chdir(paths[0].parent)
    assert len(waveforms[0]) == 100


def test_waveforms_pickle_and_know_a_later_set_params_not(paths):
    loader = AudioLoader(sample_rate=RATE)
    waveforms = loader.transform(paths)
    loader.set_params(sample_rate=RATE * 2)
    assert len(pickle.loads(pickle.dumps(waveforms))[1]) == len(waveforms[1]) == 200


def test_tags():
    tags = get_speech_tags(AudioLoader())
    assert (tags.input_kind, tags.output_kind) == ("path", "waveform")
    assert not tags.reads_bags
    tags = AudioLoader().__sklearn_tags__()
    assert not tags.input_tags.two_d_array
    assert not tags.requires_fit
    assert get_speech_tags(make_pipeline(AudioLoader(), FixedDuration())).input_kind == "path"


@pytest.mark.parametrize("parameters", [{"sample_rate": 0}, {"on_error": "ignore"}])
@pytest.mark.parametrize("method", ["fit", "transform"])
def test_parameters_are_checked(paths, parameters, method):
    with pytest.raises(ValueError, match="parameter of AudioLoader must be"):
        getattr(AudioLoader(**parameters), method)(paths)


# What is no collection of paths


@pytest.mark.parametrize("method", ["fit", "transform"])
@pytest.mark.parametrize(
    ("collection", "error", "match"),
    [
        ("a.wav", TypeError, r"put one into a list, \['a.wav'\]"),
        (Path("a.wav"), TypeError, "put one into a list"),
        (b"a.wav", TypeError, "put one into a list"),
        (None, TypeError, "got NoneType"),
        ({"a.wav": 1}, TypeError, "got dict"),
        ({"a.wav"}, TypeError, "got set"),
        ((path for path in ["a.wav"]), TypeError, "got generator"),
        ([], ValueError, "X holds no paths"),
        (np.array([], str), ValueError, "X holds no paths"),
        (RecordingSequence([]), ValueError, "X holds no paths"),
        (np.array("a.wav"), ValueError, "got 0 axes"),
        (np.array([["a.wav"]]), ValueError, "got 2 axes. Give it the one column"),
        (pd.DataFrame({"path": ["a.wav"]}), ValueError, "Give it the one column"),
        (np.ones(3), RecordingError, r"X\[0\] is no path but float64"),
        (["a.wav", None], RecordingError, r"X\[1\] is no path but NoneType"),
        (pd.Series(["a.wav", None]), RecordingError, r"X\[1\] is no path but float"),
        (["a.wav", b"b.wav"], RecordingError, r"X\[1\] is no path but bytes"),
        (["a.wav", ["b.wav"]], RecordingError, r"X\[1\] is no path but list"),
        (["a.wav", ""], RecordingError, r"X\[1\] is an empty path"),
    ],
)
def test_what_is_no_collection_of_paths(collection, error, match, method):
    with pytest.raises(error, match=match):
        getattr(AudioLoader(on_error="warn"), method)(collection)


def test_what_is_no_path_is_an_error_on_access_too():
    waveforms = AudioLoader(on_error="warn").transform(RecordingSequence(["a.wav", None]))
    with pytest.raises(RecordingError, match=r"X\[1\] is no path"):
        _ = waveforms[1]


# Files that cannot be used


def test_an_error_names_index_and_file(broken):
    waveforms = AudioLoader(sample_rate=RATE).fit_transform(broken)
    assert len(waveforms[0]) == 100
    match = r"X\[1\] \('.*2\.wav'\) is cut off: 600 of 800 bytes.*Restore.*on_error='warn'"
    with pytest.raises(RecordingError, match=match):
        _ = waveforms[1]
    with pytest.raises(RecordingError, match=r"X\[0\] \('.*2\.wav'\)"):
        _ = waveforms[1:][0]
    with pytest.raises(RecordingError, match=r"X\[1\] \('.*2\.wav'\)"):
        LogMelSpectrogram().fit(waveforms).transform(waveforms)[1]


def test_numpys_strings_are_named_as_strings(tmp_path):
    waveforms = AudioLoader().transform(np.array([str(tmp_path / "none.wav")]))
    with pytest.raises(RecordingError, match=r"X\[0\] \('/?[^(]*none\.wav'\) does not exist"):
        _ = waveforms[0]


@pytest.mark.parametrize(("rate", "n_samples"), [(RATE, 80), (16000, 1600), (None, 1600), (1, 1)])
def test_silence_stands_for_a_file_with_a_warning(broken, rate, n_samples):
    waveforms = AudioLoader(sample_rate=rate, on_error="warn").transform(broken)
    match = r"^'.*2\.wav' is cut off.*; 0\.1 s of silence stand for it\. Restore"
    with pytest.warns(AudioWarning, match=match):
        silence = waveforms[1]
    assert_array_equal(silence, np.zeros(n_samples, np.float32), strict=True)


def test_every_reading_of_a_bad_file_warns(broken):
    waveforms = AudioLoader(sample_rate=RATE, on_error="warn").transform(broken)
    with pytest.warns(AudioWarning) as caught:
        list(waveforms)
    assert len(caught) == 1
    with pytest.warns(AudioWarning, match=r"2\.wav"):
        _ = waveforms[1:][0]


@pytest.mark.parametrize(
    "front_end",
    [
        [LogMelSpectrogram(sample_rate=RATE, n_fft=64, hop_length=16, n_mels=4)],
        [FixedDuration(duration=0.3, sample_rate=RATE), small_instance("LogMelSpectrogram")],
        [
            FixedDuration(duration=0.1, sample_rate=RATE, long="split"),
            small_instance("LogMelSpectrogram"),
        ],
    ],
    ids=["as long as they are", "fixed", "split"],
)
def test_later_steps_and_networks_take_the_silence(broken, front_end):
    system = make_pipeline(
        AudioLoader(sample_rate=RATE, on_error="warn"),
        *front_end,
        small_instance("CNNLSTM2DClassifier").set_params(max_epochs=1),
    )
    with pytest.warns(AudioWarning):
        posteriors = system.fit(broken, ["a", "b", "a", "b"]).predict_proba(broken)
    assert np.isfinite(posteriors).all()


# Up to a network

PROMPTS = load_voice_prompts()
#: Two voices, of 8 prompts each.
CHOSEN = np.flatnonzero((PROMPTS.target < 6) & np.isin(PROMPTS.target, [0, 4]))[::3]


@pytest.fixture
def system():
    return make_pipeline(
        AudioLoader(sample_rate=4000),
        LogMelSpectrogram(sample_rate=4000, n_fft=256, hop_length=256, n_mels=16),
        CNNLSTM2DClassifier(
            n_maps=(8,),
            pool_sizes=(4,),
            lstm_units=8,
            batch_size=4,
            max_epochs=8,
            lr=1e-2,
            validation=None,
            random_state=0,
        ),
    )


@pytest.fixture
def voices():
    import skspeech.datasets

    folder = Path(skspeech.datasets.__file__).parent / "data" / "voice_prompts"
    return [folder / PROMPTS.filenames[i] for i in CHOSEN], PROMPTS.target_names[
        PROMPTS.target[CHOSEN]
    ]


def test_from_paths_to_labels(system, voices):
    paths, names = voices
    assert system.fit(paths, names).score(paths, names) > 0.9
    in_memory = clone(system[1:]).fit(list(system[0].transform(paths)), names)
    waveforms = list(system[0].transform(paths))
    assert_array_equal(in_memory.predict_proba(waveforms), system.predict_proba(paths))
    assert_array_equal(system.predict(np.array(paths, dtype=str)), system.predict(paths))


def test_two_processes_read_paths(system, voices):
    paths, names = voices
    one, two = (cross_val_score(system, paths, names, cv=2, n_jobs=n) for n in (None, 2))
    assert_array_equal(one, two)


def test_an_error_in_fit_names_the_file(system, voices):
    paths, names = voices
    with pytest.raises(RecordingError, match=r"X\[2\] \('nowhere\.wav'\) does not exist"):
        system.fit([*paths[:2], "nowhere.wav", *paths[3:]], names)
