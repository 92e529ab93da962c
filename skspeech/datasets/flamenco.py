"""Motifs of five flamenco singers, as Arronte Alvarez and Gómez-Martín published them."""

import os
import re
from collections import defaultdict
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import numpy as np
from sklearn.utils import Bunch

from skspeech.datasets._corpus import read_waveforms, with_missing
from skspeech.datasets._files import SUFFIXES, read_descr
from skspeech.datasets._overlaps import overlap_groups, sample_bits
from skspeech.recordings import RecordingSequence, object_array

SAMPLE_RATE = 22_050  # of the files
N_FILES = 11_158

#: The folders, and whose voices are in them by the paper's Table 1.
SINGERS = {
    "AM": "Antonio Mairena",
    "EC": "El Chocolate",
    "EM": "Enrique Morente",
    "JT": "Juan Talega",
    "TP": "Tomás Pavón",
}

# D0001_-1-11-11_<uuid>, M1048_intervals_221-2-2_<uuid>, D0011.txt_-121-2-11_<uuid>
_NAME = re.compile(
    r"(?P<song>.+?)(\.txt)?(_intervals)?(_(?P<symbols>(-?[1-9])+))?"
    r"_[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}",
    re.IGNORECASE,
)


class _Clip(NamedTuple):
    path: Path
    filename: str  # relative to the corpus' folder
    singer: str
    song: str
    symbols: tuple[int, ...]


def load_flamenco_motifs(
    folder: str | os.PathLike,
    *,
    duplicates: str = "drop",
    sample_rate: float | None = 16_000,
    return_X_y: bool = False,
) -> Bunch | tuple[RecordingSequence, np.ndarray]:
    r"""Load the motifs of five flamenco singers from a folder; they are never downloaded.

    Short cuts of songs without accompaniment, each of which is one occurrence of a melodic motif.
    The task is to tell the singer. Many cuts are published more than once, and more overlap: where
    they are drawn at random, the same audio is on both sides of the split. Split by ``groups``.

    Parameters
    ----------
    folder : path-like
        With a folder for each singer, ``AM``, ``EC``, ``EM``, ``JT`` and ``TP``, and in them the
        files ``<song>_[intervals_]<symbols>_<uuid>.wav``. Hidden files, files that are neither .wav
        nor .flac and other folders are passed over.
    duplicates : {"drop", "keep"}, default="drop"
        "drop" keeps the first, by its name, of files that have the same samples, and none of them
        where they are in the folders of two singers. "keep" keeps all, as the paper has them. What
        only overlaps stays, also where it has two singers: `groups` then has both in one group.
    sample_rate : float or None, default=16000
        In Hz, of the waveforms. None keeps the files' own 22,050 Hz. Copies and overlaps are found
        in the files' own samples.
    return_X_y : bool, default=False
        Return ``(data, target)`` in place of the whole bunch.

    Returns
    -------
    bunch : :class:`~sklearn.utils.Bunch`
        In the order of the singers and of the names of the files, with the attributes

        data : RecordingSequence of shape (n_recordings,)
            Reads a file when an item is asked for: float32 of shape (n_samples,).
        target : ndarray of shape (n_recordings,), dtype int64
            The singer, a place in `target_names`.
        target_names : ndarray of shape (5,)
            ``"AM"``, ``"EC"``, ``"EM"``, ``"JT"`` and ``"TP"``; ``DESCR`` has the names.
        singers : ndarray of shape (n_recordings,)
            ``target_names[target]``.
        songs : ndarray of shape (n_recordings,)
            Such as ``"D0001"``, by the name of the file; of a name that does not end in a uuid, all
            of it. Cuts of one song are also published under the names of others: this is no
            honest split, `groups` are.
        symbols : ndarray of shape (n_recordings,), dtype object
            The motif, a tuple of int: steps of the pitch by their size, 1 or 2, and direction, +
            for up. The names of the files have the signs reversed; these are the paper's. Empty
            where a name has none that we can read.
        groups : ndarray of shape (n_recordings,), dtype int64
            The same for recordings that share 256 samples in a row, 12 ms, which are not silence,
            and for whatever these overlap with.
        filenames : ndarray of shape (n_recordings,)
            Relative to `folder`.
        dropped : list of str
            The files that are left out.
        n_copies_dropped : int
            How many of these are copies of one that is there.
        n_ambiguous_dropped : int
            How many are left out because the same samples have two singers.
        n_missing : int
            How many of the 11,158 files were not found. A part of the corpus is loaded without a
            warning; ``DESCR`` tells, too.
        sample_rate : float
            As given; 22050 for None.
        DESCR : str
            Origin, licence and citation.

    (data, target) : tuple
        If `return_X_y` is true.

    Raises
    ------
    FileNotFoundError
        If no singer has a file in `folder`.
    RecordingError
        If a file is damaged or empty: all are read once, to compare them.
    ValueError
        If `duplicates` is none of the above.

    Notes
    -----
    Of the 11,158 files, 5,405 differ; 2,281 stand under more than one song, and 99 under two
    singers. To read and compare 11,000 that all differ takes about a minute and, while it lasts,
    less than 2 GB.

    References
    ----------
    A. Arronte Alvarez and F. Gómez-Martín (2020). Singer identification using convolutional
    acoustic motif embeddings. arXiv:2008.00198.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> import numpy as np
    >>> import soundfile
    >>> from skspeech.datasets import load_flamenco_motifs
    >>> song = np.random.default_rng(0).uniform(-0.5, 0.5, 22_050)
    >>> with TemporaryDirectory() as folder:  # in place of the corpus, two cuts of a song
    ...     Path(folder, "EM").mkdir()
    ...     uuid = "b6b91648-a1cd-4b58-827e-6458bf11f489"
    ...     soundfile.write(f"{folder}/EM/M1046_-1-2-111_{uuid}.wav", song[:9000], 22_050)
    ...     soundfile.write(f"{folder}/EM/M1046_2-11-11_{uuid}.wav", song[5000:], 22_050)
    ...     motifs = load_flamenco_motifs(folder)
    >>> motifs.singers.tolist(), motifs.symbols[0], motifs.groups.tolist()
    (['EM', 'EM'], (1, 2, 1, -1, -1), [0, 0])
    """
    if duplicates not in ("drop", "keep"):
        raise ValueError(f"duplicates must be 'drop' or 'keep', got {duplicates!r}.")
    root = Path(folder).expanduser().absolute()
    clips = _find(root)
    paths = [clip.path for clip in clips]
    data = read_waveforms(paths, sample_rate)
    target = np.array([list(SINGERS).index(clip.singer) for clip in clips])
    samples = list(read_waveforms(paths, None))
    contents = _contents(samples)
    if duplicates == "drop":
        kept, copies, ambiguous = _without_copies(contents, target)
    else:
        kept, copies, ambiguous = list(range(len(clips))), [], []
    data, target = data[kept], target[kept]
    if return_X_y:
        return data, target
    there = [clips[i] for i in kept]
    return Bunch(
        data=data,
        target=target,
        target_names=np.array(list(SINGERS)),
        singers=np.array([clip.singer for clip in there], dtype=str),
        songs=np.array([clip.song for clip in there], dtype=str),
        symbols=object_array([clip.symbols for clip in there]),
        groups=_groups([samples[i] for i in kept], contents[kept]),
        filenames=np.array([clip.filename for clip in there], dtype=str),
        dropped=[clips[i].filename for i in sorted(copies + ambiguous)],
        n_copies_dropped=len(copies),
        n_ambiguous_dropped=len(ambiguous),
        n_missing=max(0, N_FILES - len(clips)),
        sample_rate=SAMPLE_RATE if sample_rate is None else sample_rate,
        DESCR=_describe(len(clips), len(copies), len(ambiguous)),
    )


def _find(root: Path) -> list[_Clip]:
    clips = [
        _clip(root, path)
        for singer in SINGERS
        for path in sorted((root / singer).glob("[!.]*"))
        if path.suffix.lower() in SUFFIXES and path.is_file()
    ]
    if not clips:
        raise FileNotFoundError(
            f"There are no flamenco motifs in {root}: none of its folders {', '.join(SINGERS)} has "
            "a .wav or .flac file. folder must be the one that holds the singers' folders; the "
            "motifs have no licence and are not downloaded."
        )
    return clips


def _clip(root: Path, path: Path) -> _Clip:
    match = _NAME.fullmatch(path.stem)
    written = (match and match["symbols"]) or ""
    return _Clip(
        path=path,
        filename=path.relative_to(root).as_posix(),
        singer=path.parent.name,
        song=match["song"] if match else path.stem,
        symbols=tuple(-int(symbol) for symbol in re.findall(r"-?[1-9]", written)),
    )


def _contents(samples: Sequence[np.ndarray]) -> np.ndarray:
    """Return which files have the same samples: for each, the place of the first of them."""
    first: dict[bytes, int] = {}
    return np.array(
        [
            first.setdefault(sha256(sample_bits(waveform).tobytes()).digest(), i)
            for i, waveform in enumerate(samples)
        ]
    )


def _without_copies(
    contents: np.ndarray, target: np.ndarray
) -> tuple[list[int], list[int], list[int]]:
    """Return the places of the files that stay, of their copies, and of those with two singers."""
    files = defaultdict(list)
    for i, content in enumerate(contents.tolist()):
        files[content].append(i)
    kept: list[int] = []
    copies: list[int] = []
    ambiguous: list[int] = []
    for same in files.values():
        if len(set(target[same].tolist())) > 1:
            ambiguous += same
        else:
            kept.append(same[0])
            copies += same[1:]
    return kept, copies, ambiguous


def _groups(samples: list[np.ndarray], contents: np.ndarray) -> np.ndarray:
    """Return the groups of what overlaps; copies are one group, however short or silent."""
    _, first, places = np.unique(contents, return_index=True, return_inverse=True)
    return overlap_groups([samples[i] for i in first])[places]


def _describe(n_files: int, n_copies: int, n_ambiguous: int) -> str:
    descr = with_missing(read_descr("flamenco"), N_FILES, max(0, N_FILES - n_files))
    if not n_copies + n_ambiguous:
        return descr
    return (
        f"{descr}\nOf {n_files:,} files, {n_copies:,} were left out as copies of others, and "
        f"{n_ambiguous:,} because the same samples have two singers.\n"
    )
