"""What all corpora that are fetched promise, each with a few silent files of its layout."""

import hashlib
import io
import pickle
from pathlib import Path

import numpy as np
import pytest
import soundfile

import skspeech.datasets.emodb
import skspeech.datasets.fsdd
import skspeech.datasets.ravdess
from skspeech.datasets import fetch_emodb, fetch_fsdd, fetch_ravdess
from skspeech.datasets._corpus import check_sounds
from skspeech.datasets._download import samples_digest

# the loader, its module, the folder of its files, two of their names by two speakers, and the rate
CORPORA = {
    "emodb": (
        fetch_emodb,
        skspeech.datasets.emodb,
        "emodb/wav",
        ("03a01Fa", "16b10Wb"),
        16_000,
    ),
    "fsdd": (
        fetch_fsdd,
        skspeech.datasets.fsdd,
        "fsdd/recordings",
        ("0_george_0", "9_theo_49"),
        8_000,
    ),
    "ravdess": (
        fetch_ravdess,
        skspeech.datasets.ravdess,
        "ravdess/Audio_Speech_Actors_01-24",
        ("Actor_01/03-01-01-01-01-01-01", "Actor_24/03-01-08-02-02-02-24"),
        48_000,
    ),
}


def silence(n_samples, rate):
    buffer = io.BytesIO()
    soundfile.write(buffer, np.zeros(n_samples), rate, format="WAV")
    return buffer.getvalue()


class Case:
    def __init__(self, name, home):
        self.fetch, self.module, folder, self.names, self.rate = CORPORA[name]
        self.home, self.folder = home, home / folder

    def write(self, name, suffix=".wav", n_samples=None):
        path = self.folder / f"{name}{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, np.zeros(n_samples or self.rate), self.rate)
        return path

    def __call__(self, **arguments):
        return self.fetch(data_home=self.home, **arguments)


@pytest.fixture(params=CORPORA)
def case(request, tmp_path):
    return Case(request.param, tmp_path / "home")


@pytest.fixture
def served(case, server, monkeypatch):
    """The corpus as two recordings on the server."""
    corpus = case.module.CORPUS
    inside = corpus.archive.inside
    server.pack(
        {
            f"top/{inside + '/' if inside else ''}{name}.wav": silence(case.rate, case.rate)
            for name in case.names
        }
        | {"top/read.me": b""}
    )
    archive = corpus.archive._replace(
        url=f"{server.url}/corpus.zip",
        checksum=f"md5:{hashlib.md5(server.content).hexdigest()}",
    )
    corpus = corpus._replace(archive=archive, n_recordings=2, digests={})
    monkeypatch.setattr(case.module, "CORPUS", corpus)
    return case


def test_a_part_of_the_corpus_is_loaded_and_says_so(case):
    for name in case.names:
        case.write(name)
    bunch = case(download_if_missing=False)
    n_recordings = case.module.CORPUS.n_recordings
    assert bunch.n_missing == n_recordings - 2
    assert f"Only 2 of the {n_recordings:,} recordings were found" in bunch.DESCR
    assert bunch.data.shape == bunch.target.shape == bunch.speakers.shape == (2,)
    assert bunch.target.dtype == np.int64
    assert bunch.target[0] == 0 or bunch.target_names[bunch.target[0]] == "happiness"
    assert bunch.target.max() < len(bunch.target_names)
    assert len(set(bunch.speakers)) == 2


def test_waveforms_are_read_when_they_are_asked_for(case):
    path = case.write(case.names[0])
    bunch = case()
    waveform = bunch.data[0]
    assert (waveform.shape, waveform.dtype) == ((bunch.sample_rate,), np.float32)
    assert len(pickle.loads(pickle.dumps(bunch.data))) == 1
    path.unlink()
    with pytest.raises(ValueError, match="does not exist"):
        bunch.data[0]


def test_the_variable_names_the_folder(case, monkeypatch):
    case.write(case.names[0])
    monkeypatch.setenv("SKSPEECH_DATA", str(case.home))
    assert len(case.fetch().data) == 1


def test_flac_and_wav_files_are_read(case):
    case.write(case.names[0], ".wav")
    case.write(case.names[1], ".flac")
    assert [Path(name).suffix for name in case().filenames] == [".wav", ".flac"]


def test_return_X_y_gives_data_and_target(case):
    for name in case.names:
        case.write(name)
    X, y = case(return_X_y=True)
    np.testing.assert_array_equal(y, case().target)
    np.testing.assert_array_equal(X[1], case().data[1])


def test_absent_and_not_to_be_downloaded_it_says_where_it_looked(case, server):
    with pytest.raises(FileNotFoundError) as error:
        case(download_if_missing=False)
    for said in (
        f"is not in {case.home}",
        f"lie in {case.folder}",
        case.module.CORPUS.archive.url,
        "SKSPEECH_DATA",
        "download_if_missing",
    ):
        assert said in str(error.value)
    assert not case.home.exists()


def test_absent_it_is_downloaded_once(served, server):
    bunch = served()
    assert (len(bunch.data), bunch.n_missing) == (2, 0)
    assert "Only" not in bunch.DESCR
    names = {path.stem for path in served.folder.rglob("*.wav")}
    assert names == {Path(name).name for name in served.names}
    served()
    assert len(server.asked) == 1


def test_what_is_there_is_never_completed(served, server):
    served.write(served.names[0])
    assert served().n_missing == 1
    assert not server.asked


def test_what_another_process_fetched_meanwhile_is_taken(served, monkeypatch):
    def fetch(archive, folder, verify):
        served.write(served.names[0])
        raise FileExistsError("holds other files")

    monkeypatch.setattr("skspeech.datasets._corpus.fetch_archive", fetch)
    assert len(served().data) == 1


def test_hidden_files_do_not_stand_in_the_way(served):
    served.folder.mkdir(parents=True)
    (served.folder / ".DS_Store").touch()
    assert len(served().data) == 2
    assert (served.folder / ".DS_Store").exists()


def test_a_failed_download_says_how_to_get_it_by_hand(served, server):
    server.content = b"something else"
    with pytest.raises(OSError, match="does not match the known hash") as error:
        served()
    assert f"lie in {served.folder}" in str(error.value)
    assert not served.home.exists()


def test_a_download_with_too_few_recordings_is_refused(served, monkeypatch):
    corpus = served.module.CORPUS._replace(n_recordings=3)
    monkeypatch.setattr(served.module, "CORPUS", corpus)
    with pytest.raises(OSError, match="holds 2 recordings, not 3"):
        served()
    assert not served.home.exists()


def test_a_download_with_other_samples_is_refused(served, monkeypatch):
    speaker = served.module.CORPUS.filename.fullmatch(Path(served.names[0]).name)["speaker"]
    corpus = served.module.CORPUS._replace(digests={speaker: "0" * 64})
    monkeypatch.setattr(served.module, "CORPUS", corpus)
    with pytest.raises(OSError, match=rf"speaker {speaker} .* not {'0' * 64}"):
        served()
    path = served.write("there/" + Path(served.names[0]).name)
    other = served.write("there/" + Path(served.names[1]).name)
    check_sounds(corpus._replace(digests={speaker: samples_digest([path])}), [path, other])


def test_a_download_with_another_file_is_refused(served, server, monkeypatch):
    inside = served.module.CORPUS.archive.inside or "any"
    server.pack({f"{inside}/other.wav": silence(8, 8000)})
    archive = served.module.CORPUS.archive._replace(checksum=None)
    monkeypatch.setattr(served.module, "CORPUS", served.module.CORPUS._replace(archive=archive))
    with pytest.raises(OSError, match=r"other\.wav in corpus\.zip is not a file of"):
        served()


@pytest.mark.parametrize("name", ["recording", "17a01Fa", "0_george_50", "03-01-09-01-01-01-01"])
def test_sounds_of_other_names_are_refused(case, name):
    case.write(case.names[0])
    case.write(name)
    with pytest.raises(ValueError, match=f"{name}.wav is not named as"):
        case()


def test_one_recording_in_two_files_is_refused(case):
    case.write(case.names[0], ".wav")
    case.write(case.names[0], ".flac")
    with pytest.raises(ValueError, match="are the same recording"):
        case()


def test_archives_come_with_a_checksum_or_known_samples(case):
    corpus = case.module.CORPUS
    assert corpus.archive.url.startswith("https://")
    assert corpus.archive.checksum or corpus.digests
