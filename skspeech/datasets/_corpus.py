"""What the fetched corpora share: their files are found, downloaded, checked and read."""

import os
import re
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from skspeech.datasets._download import Archive, fetch_archive, samples_digest
from skspeech.datasets._files import data_home_path, find_sounds, read_descr
from skspeech.recordings import RecordingSequence


class Corpus(NamedTuple):
    """What is known of a corpus of sound files before any of them is read.

    Parameters
    ----------
    name : str
    descr : str
        The name of its description in ``descr/``.
    folder : str
        Below the data home; searched with all its subfolders.
    filename : pattern
        What the names of its files match, without the suffix; its groups take them apart.
    n_recordings : int
        How many recordings the whole corpus has.
    archive : Archive
        From where it is downloaded.
    unpack_to : str, default=""
        The subfolder of `folder` for what is downloaded.
    passed_over : pattern or None, default=None
        Files of the same publication that are not part of this corpus.
    digests : mapping, default={}
        Of speakers whose recordings we know, what :func:`samples_digest` gives.
    copies : mapping, default={}
        From names of recordings to those of others that are published with the same samples; they
        are left out where the files have the same.
    """

    name: str
    descr: str
    folder: str
    filename: re.Pattern[str]
    n_recordings: int
    archive: Archive
    unpack_to: str = ""
    passed_over: re.Pattern[str] | None = None
    digests: Mapping[str, str] = {}
    copies: Mapping[str, str] = {}


class Files(NamedTuple):
    """The files of a corpus that are there, in the order of their names, without copies."""

    paths: list[Path]
    names: list[re.Match[str]]
    filenames: np.ndarray  # relative to the corpus' folder
    dropped: list[str]  # likewise: the copies
    n_missing: int

    def group(self, name: str) -> np.ndarray:
        """Return one part of the names, an array of str."""
        return np.array([match[name] for match in self.names])


def fetch_files(
    corpus: Corpus, data_home: str | os.PathLike | None, download_if_missing: bool
) -> Files:
    """Return the files of a corpus; download it where there is none at all.

    Raises
    ------
    FileNotFoundError
        If there is none, and it may not be downloaded.
    OSError
        If the download fails or is not the corpus.
    ValueError
        If a sound file in the folder is not the corpus', or one is there twice.
    """
    folder = data_home_path(data_home) / corpus.folder
    found = _find(corpus, folder)
    if not found:
        _download(corpus, folder, download_if_missing)
        found = _find(corpus, folder)
    there = {path.stem: path for path, _ in found}
    copies = {
        copy
        for copy, original in corpus.copies.items()
        if {copy, original} <= set(there) and _hold_the_same(there[copy], there[original])
    }
    kept = [(path, match) for path, match in found if path.stem not in copies]
    return Files(
        paths=[path for path, _ in kept],
        names=[match for _, match in kept],
        filenames=np.array([_inside(folder, path) for path, _ in kept]),
        dropped=[_inside(folder, path) for path, _ in found if path.stem in copies],
        n_missing=corpus.n_recordings - len(found),
    )


def _find(corpus: Corpus, folder: Path) -> list[tuple[Path, re.Match[str]]]:
    return find_sounds(folder, corpus.filename, corpus.name, corpus.passed_over)


def _hold_the_same(path: Path, other: Path) -> bool:
    """Whether two files have the same samples; one that cannot be read is named when it is read."""
    import soundfile

    try:
        samples, rate = soundfile.read(os.fspath(path))
        others, other_rate = soundfile.read(os.fspath(other))
    except (OSError, RuntimeError, ValueError):
        return False
    return rate == other_rate and np.array_equal(samples, others)


def _inside(folder: Path, path: Path) -> str:
    return path.relative_to(folder).as_posix()


def _download(corpus: Corpus, folder: Path, allowed: bool) -> None:
    absent = f"{corpus.name} is not in {folder}: there is none of its .wav or .flac files"
    by_hand = (
        f"To get it by hand, unpack {corpus.archive.url} so that they lie in "
        f"{folder / corpus.unpack_to}. The parameter data_home or the environment variable "
        "SKSPEECH_DATA names another place."
    )
    if not allowed:
        raise FileNotFoundError(f"{absent}. Allow the download (download_if_missing). {by_hand}")

    def verify(paths: list[Path]) -> None:
        check_sounds(corpus, paths)

    try:
        fetch_archive(corpus.archive, folder / corpus.unpack_to, verify)
    except OSError as error:
        if _find(corpus, folder):  # another process has fetched it meanwhile
            return
        raise OSError(f"{absent}, and the download failed: {error}. {by_hand}") from error


def check_sounds(corpus: Corpus, paths: list[Path]) -> None:
    """Raise an OSError unless these are the files of the corpus, as far as we know them."""
    by_speaker = defaultdict(list)
    for path in paths:
        match = corpus.filename.fullmatch(path.stem)
        if match is None:
            raise OSError(f"{path.name} in {corpus.archive.name} is not a file of {corpus.name}")
        by_speaker[match["speaker"]].append(path)
    if len(paths) != corpus.n_recordings:
        raise OSError(
            f"{corpus.archive.name} holds {len(paths):,} recordings, not {corpus.n_recordings:,}"
        )
    for speaker, digest in corpus.digests.items():
        found = samples_digest(by_speaker[speaker])
        if found != digest:
            raise OSError(
                f"the recordings of speaker {speaker} in {corpus.archive.name} are not those of "
                f"{corpus.name}: the SHA-256 of their samples is {found}, not {digest}"
            )


def describe(corpus: Corpus, files: Files) -> str:
    """Return the description of a corpus, which says how much of it is there."""
    return with_missing(read_descr(corpus.descr), corpus.n_recordings, files.n_missing)


def with_missing(descr: str, n_recordings: int, n_missing: int, kind: str = "") -> str:
    """Return a description that says how many of the (selected) recordings are missing, if any."""
    if not n_missing:
        return descr
    return (
        f"{descr}\nOnly {n_recordings - n_missing:,} of the {n_recordings:,} {kind}recordings were "
        f"found: {n_missing:,} are missing.\n"
    )


def read_waveforms(paths: list[Path], sample_rate: float | None) -> RecordingSequence:
    """Return the waveforms of files, read on access, at a sample rate in Hz or the files' own."""
    from skspeech.preprocessing import AudioLoader

    return AudioLoader(sample_rate=sample_rate).transform(paths)
