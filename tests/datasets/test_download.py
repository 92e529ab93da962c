import hashlib
import subprocess
import sys
import threading

import numpy as np
import pytest
import soundfile

import skspeech.datasets._download
from skspeech.datasets._download import Archive, fetch_archive, samples_digest

SOUNDS = {"corpus/wav/a.wav": b"a" * 40_000, "corpus/wav/deep/b.flac": b"b" * 40_000}
OTHERS = {
    "corpus/list.txt": b"c",
    "other/c.wav": b"d",
    "corpus/wav/.a.wav": b"e",
    "corpus/wav/": b"",
}


@pytest.fixture
def content(server):
    server.pack(SOUNDS | OTHERS)
    return server.content


@pytest.fixture
def md5(content):
    return hashlib.md5(content).hexdigest()


@pytest.fixture
def archive(server, md5):
    return Archive(f"{server.url}/files/corpus%201.zip?download=1", f"md5:{md5}", inside="wav")


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "home" / "wav"


def contents(folder):
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def nothing_is_left(folder):
    """Not even the folders that were made for it."""
    return not list(folder.parents[1].iterdir())


UNPACKED = {"a.wav": b"a" * 40_000, "deep/b.flac": b"b" * 40_000}


def test_sounds_are_unpacked_and_nothing_else_is_left(archive, folder):
    fetch_archive(archive, folder)
    assert contents(folder) == UNPACKED
    assert list(folder.parent.iterdir()) == [folder]


def test_an_empty_folder_is_filled(archive, folder):
    folder.mkdir(parents=True)
    fetch_archive(archive, folder)
    assert contents(folder) == UNPACKED


def test_a_folder_with_files_is_left_alone(archive, folder, server):
    folder.mkdir(parents=True)
    (folder / "mine.txt").write_text("mine")
    with pytest.raises(FileExistsError, match="holds other files"):
        fetch_archive(archive, folder)
    assert contents(folder) == {"mine.txt": b"mine"}
    assert not server.asked


def test_without_inside_all_sounds_are_unpacked(archive, folder):
    fetch_archive(archive._replace(inside=None), folder)
    assert set(contents(folder)) == {*SOUNDS, "other/c.wav"}


def cut(server, archive, folder, after=50_000):
    """Let a download break off and return the part that it leaves."""
    server.hang_up_after = after
    with pytest.raises(OSError, match=r"the connection ended after|IncompleteRead"):
        fetch_archive(archive, folder)
    server.hang_up_after = None
    (part,) = folder.parent.iterdir()
    return part


def test_a_download_that_was_cut_off_goes_on(archive, folder, server, content):
    part = cut(server, archive, folder)
    assert part.name.startswith("corpus 1.zip.")
    assert part.suffix == ".part"
    assert part.read_bytes() == content[:50_000]
    fetch_archive(archive, folder)
    assert server.asked[1:] == [("bytes=50000-", '"one.1"', 206)]
    assert contents(folder) == UNPACKED
    assert list(folder.parent.iterdir()) == [folder]


@pytest.mark.parametrize("after", [0, 1, -1])
def test_it_goes_on_wherever_it_was_cut_off(archive, folder, server, content, after):
    part = cut(server, archive, folder, after)
    assert part.read_bytes() == content[:after]
    fetch_archive(archive, folder)
    assert contents(folder) == UNPACKED


def test_it_is_cut_off_twice(archive, folder, server):
    cut(server, archive, folder, 10_000)
    part = cut(server, archive, folder, 20_000)
    assert part.stat().st_size == 30_000
    fetch_archive(archive, folder)
    assert contents(folder) == UNPACKED


def test_the_date_tells_the_version_where_there_is_no_etag(archive, folder, server):
    server.etag, server.modified = None, "Wed, 21 Oct 2015 07:28:00 GMT"
    cut(server, archive, folder)
    fetch_archive(archive, folder)
    assert server.asked[1:] == [("bytes=50000-", server.modified, 206)]
    assert contents(folder) == UNPACKED


@pytest.mark.parametrize(
    ("change", "statuses"),
    [
        ({"ranges": False}, [200]),
        ({"etag": '"two"'}, [200]),
        ({"etag": '"two"', "heeds_if_range": False}, [206, 200]),
        ({"etag": 'W/"one.1"'}, [200]),
    ],
    ids=["no ranges", "another version", "another version in parts", "weak version"],
)
def test_it_begins_again_where_it_cannot_go_on(archive, folder, server, change, statuses):
    cut(server, archive, folder)
    vars(server).update(change)
    fetch_archive(archive, folder)
    assert [status for _, _, status in server.asked[1:]] == statuses
    assert contents(folder) == UNPACKED
    assert list(folder.parent.iterdir()) == [folder]


def test_others_may_read_what_was_fetched(archive, folder):
    folder.parent.mkdir()
    fetch_archive(archive, folder)
    assert folder.stat().st_mode == folder.parent.stat().st_mode


@pytest.mark.parametrize("etag", [None, 'W/"weak"', '"' + "%" * 100 + '"'])
def test_without_a_version_it_begins_again(archive, folder, server, etag):
    server.etag = etag
    cut(server, archive, folder)
    fetch_archive(archive, folder)
    assert server.asked[1:] == [(None, None, 200)]
    assert contents(folder) == UNPACKED


@pytest.mark.parametrize("rest", [b"", b"more"], ids=["all of it", "too much"])
def test_a_part_without_a_rest_is_fetched_again(archive, folder, server, content, rest):
    part = cut(server, archive, folder)
    part.write_bytes(content + rest)
    fetch_archive(archive, folder)
    assert [status for _, _, status in server.asked[1:]] == [416, 200]
    assert contents(folder) == UNPACKED


def test_a_part_that_is_not_of_the_file_is_refused_by_the_checksum(archive, folder, server):
    part = cut(server, archive, folder)
    part.write_bytes(b"x" * 50_000)
    with pytest.raises(OSError, match="does not match the known hash"):
        fetch_archive(archive, folder)
    fetch_archive(archive, folder)
    assert contents(folder) == UNPACKED


def test_a_file_of_unknown_length_is_fetched(archive, folder, server):
    server.tells_length = False
    fetch_archive(archive, folder)
    assert contents(folder) == UNPACKED


def test_a_wrong_checksum_is_named_with_the_right_one(archive, folder, server, md5):
    server.content += b" "
    found = hashlib.md5(server.content).hexdigest()
    with pytest.raises(OSError, match=found) as error:
        fetch_archive(archive, folder)
    assert md5 in str(error.value)
    assert nothing_is_left(folder)


def test_where_no_checksum_is_published_damage_is_found_all_the_same(archive, folder, server):
    server.content = server.content.replace(b"a" * 100, b"a" * 99 + b"x", 1)
    with pytest.raises(OSError, match="CRC"):
        fetch_archive(archive._replace(checksum=None), folder)
    assert nothing_is_left(folder)


def test_a_page_in_place_of_the_file_is_refused(archive, folder, server):
    server.content = b"<html>Please log in</html>"
    with pytest.raises(OSError, match="no archive that can be read"):
        fetch_archive(archive._replace(checksum=None), folder)
    assert nothing_is_left(folder)


def test_an_archive_without_sounds_is_refused(archive, folder):
    with pytest.raises(OSError, match=r"no \.wav or \.flac file in audio"):
        fetch_archive(archive._replace(inside="audio"), folder)
    assert nothing_is_left(folder)


@pytest.mark.parametrize(
    "name", ["../evil.wav", "wav/../../evil.wav", "/evil.wav", "C:/evil.wav", "wav\\..\\evil.wav"]
)
def test_an_archive_that_would_write_elsewhere_is_refused(archive, folder, server, name):
    server.pack({"wav/a.wav": b"a", name: b"evil"})
    with pytest.raises(OSError, match="outside its folder"):
        fetch_archive(archive._replace(checksum=None), folder)
    assert nothing_is_left(folder)


def test_what_is_verified_and_refused_does_not_take_its_place(archive, folder):
    def verify(paths):
        assert sorted(path.name for path in paths) == ["a.wav", "b.flac"]
        raise OSError("not the corpus")

    with pytest.raises(OSError, match="not the corpus"):
        fetch_archive(archive, folder, verify)
    assert nothing_is_left(folder)


def test_unpacking_is_interrupted_and_done_the_next_time(archive, folder, server):
    def interrupt(paths):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch_archive(archive, folder, interrupt)
    assert [path.name for path in folder.parent.iterdir()] == ["corpus 1.zip"]
    fetch_archive(archive, folder)
    assert len(server.asked) == 1
    assert contents(folder) == UNPACKED


def test_what_a_killed_process_left_is_used_and_cleared_away(archive, folder, server, content):
    remains = folder.parent / ".wav.unpacking"
    remains.mkdir(parents=True)
    (remains / "old.wav").touch()
    (folder.parent / "corpus 1.zip").write_bytes(content)
    fetch_archive(archive, folder)
    assert not server.asked
    assert contents(folder) == UNPACKED
    assert list(folder.parent.iterdir()) == [folder]


def test_a_server_that_is_not_there_is_an_oserror(server, archive, folder):
    absent = archive._replace(url=archive.url.replace(str(server.server_port), "1"))
    with pytest.raises(OSError, match="refused"):
        fetch_archive(absent, folder)
    assert nothing_is_left(folder)


def test_folders_that_were_there_are_left(server, archive, folder):
    absent = archive._replace(url=archive.url.replace(str(server.server_port), "1"))
    folder.parent.mkdir()
    with pytest.raises(OSError, match="refused"):
        fetch_archive(absent, folder / "deep" / "wav")
    assert list(folder.parents[1].rglob("*")) == [folder.parent]
    folder.mkdir()
    with pytest.raises(OSError, match="refused"):
        fetch_archive(absent, folder)
    assert folder.is_dir()


def test_hidden_files_do_not_stand_in_the_way(archive, folder):
    folder.mkdir(parents=True)
    (folder / ".DS_Store").write_bytes(b"mine")
    fetch_archive(archive, folder)
    assert contents(folder) == UNPACKED | {".DS_Store": b"mine"}
    assert list(folder.parent.iterdir()) == [folder]


def test_hidden_files_are_left_where_it_fails(archive, folder):
    folder.mkdir(parents=True)
    (folder / ".DS_Store").write_bytes(b"mine")
    with pytest.raises(OSError, match=r"no \.wav or \.flac"):
        fetch_archive(archive._replace(inside="audio"), folder)
    assert contents(folder) == {".DS_Store": b"mine"}


def test_threads_that_fetch_one_corpus_wait_for_each_other(archive, folder, server, monkeypatch):
    cut(server, archive, folder)
    start, locked, failed = threading.Barrier(4), skspeech.datasets._download._locked, []

    def locked_together(path):
        start.wait(10)
        return locked(path)

    def fetch():
        try:
            fetch_archive(archive, folder)
        except Exception as error:
            failed.append(error)

    monkeypatch.setattr("skspeech.datasets._download._locked", locked_together)
    threads = [threading.Thread(target=fetch) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    assert [status for _, _, status in server.asked[1:]] == [206]  # once, the rest of the part
    assert contents(folder) == UNPACKED
    assert list(folder.parent.iterdir()) == [folder]


def test_processes_that_fetch_one_corpus_wait_for_each_other(archive, folder, server):
    code = f"""
from pathlib import Path
from skspeech.datasets import _download
locked = _download._locked
_download._locked = lambda path: (print("ready", flush=True), input(), locked(path))[-1]
_download.fetch_archive(_download.{archive!r}, Path({str(folder)!r}))
"""
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    runs = [subprocess.Popen([sys.executable, "-c", code], text=True, **pipes) for _ in range(2)]
    assert [run.stdout.readline() for run in runs] == ["ready\n"] * 2
    for run in runs:
        run.stdin.write("\n")
        run.stdin.flush()
    said = [run.communicate(timeout=60)[1] for run in runs]
    assert [run.returncode for run in runs] == [0, 0], said
    assert [status for _, _, status in server.asked] == [200]
    assert contents(folder) == UNPACKED
    assert list(folder.parent.iterdir()) == [folder]


def test_one_that_waits_goes_on_where_the_other_fails(archive, folder, server):
    waits, failed = threading.Event(), []

    def break_off(paths):
        waits.set()
        raise OSError("not the corpus")

    def fetch_and_fail():
        try:
            fetch_archive(archive, folder, break_off)
        except OSError as error:
            failed.append(str(error))

    thread = threading.Thread(target=fetch_and_fail)
    thread.start()
    assert waits.wait(10)
    fetch_archive(archive, folder)
    thread.join()
    assert failed == ["not the corpus"]
    assert contents(folder) == UNPACKED
    assert list(folder.parent.iterdir()) == [folder]


def test_the_digest_is_that_of_names_and_samples(tmp_path):
    samples = {"b": np.array([1, -2], np.int16), "a": np.array([3], np.int16)}
    for name, values in samples.items():
        soundfile.write(tmp_path / f"{name}.wav", values, 8000)
        soundfile.write(tmp_path / f"{name}.flac", values, 16000)
    expected = hashlib.sha256(b"a\0\x03\x00b\0\x01\x00\xfe\xff").hexdigest()
    assert samples_digest(tmp_path.glob("*.wav")) == expected
    assert samples_digest(tmp_path.glob("*.flac")) == expected
