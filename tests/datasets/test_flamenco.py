"""A corpus of our own making, in the layout of the published motifs, with copies and overlaps."""

import re
import shutil
from itertools import pairwise

import numpy as np
import pytest
import soundfile
from sklearn.model_selection import StratifiedGroupKFold

from skspeech.datasets import load_flamenco_motifs, make_singing
from skspeech.datasets.flamenco import SINGERS, _clip
from skspeech.exceptions import RecordingError

RATE = 22_050

#: How the names say the motif of a file: an ascending step has a minus there.
WRITTEN = ("-1-111-1", "221-2-2", "-121-2-11", "1-1-1-1-1")


def uuid(number):
    return f"9dd9f56c-cab6-4e9e-8bdb-{number:012x}"


@pytest.fixture(scope="module")
def songs():
    """Return two songs of each singer as (samples, from when to when each motif is sung)."""
    singing = make_singing(
        5, 2, n_phrases=4, n_repeats=3, sample_rate=RATE, hop_length=RATE, random_state=0
    )
    found = {}
    for i, waveform in enumerate(singing.data):
        rows = singing.motifs[singing.motifs["recording"] == i]
        spans = np.stack([rows["start"], rows["end"]], axis=1)
        singer = list(SINGERS)[singing.target[i]]
        found[singer, f"D{i:04}"] = waveform, (spans * RATE).astype(int)
    return found


@pytest.fixture(scope="module")
def corpus(songs, tmp_path_factory):
    """Write the motifs of the songs, six of each, and what else the published folders hold."""
    root = tmp_path_factory.mktemp("flamenco-motifs")
    number = 0

    def write(singer, song, symbols, samples):
        nonlocal number
        number += 1
        path = root / singer / f"{song}_{symbols}_{uuid(number)}.wav"
        soundfile.write(path, samples, RATE, subtype="FLOAT")

    for singer in SINGERS:
        (root / singer).mkdir()
    for (singer, song), (samples, spans) in songs.items():
        for i, (start, end) in enumerate(spans[:6]):
            write(singer, song, WRITTEN[i % 4], samples[start:end])
    # the first song of AM: a copy in the same song, one in another, and two overlapping cuts
    samples, spans = songs["AM", "D0000"]
    (start, end), (other_start, other_end) = spans[0], spans[5]
    write("AM", "D0000_intervals", "221", samples[start:end])
    write("AM", "M1048", "22221", samples[start:end])
    write("AM", "D0000.txt", "-1-1", samples[end - 300 : end + 900])
    write("AM", "D0000", "2222", samples[other_start + 100 : other_end])
    # a motif of EC that is also in TP's folder, twice
    samples, spans = songs["EC", "D0002"]
    for song in ("D0011", "D0011.txt"):
        write("TP", song, "111", samples[spans[1][0] : spans[1][1]])
    for path in (root, root / "AM"):
        (path / ".DS_Store").write_bytes(b"\x00\x00\x00\x01Bud1")
    (root / "AM" / "._D0000.wav").write_bytes(b"\x00\x05\x16\x07")
    (root / "EM" / "notes.txt").write_text("a stray file")
    (root / "songs").mkdir()
    soundfile.write(root / "songs" / "D0000.wav", np.zeros(100), RATE)
    return root


@pytest.fixture(scope="module")
def motifs(corpus):
    return load_flamenco_motifs(corpus)


@pytest.fixture(scope="module")
def published(corpus):
    return load_flamenco_motifs(corpus, duplicates="keep")


def test_copies_and_ambiguous_labels_are_dropped(motifs):
    assert np.bincount(motifs.target).tolist() == [12 + 2, 12 - 1, 12, 12, 12]
    assert (motifs.n_copies_dropped, motifs.n_ambiguous_dropped) == (2, 3)
    assert len(motifs.dropped) == 5
    assert [name[:2] for name in motifs.dropped] == ["AM", "AM", "EC", "TP", "TP"]
    assert not set(motifs.dropped) & set(motifs.filenames)
    contents = {waveform.tobytes() for waveform in motifs.data}
    assert len(contents) == len(motifs.data) == 61


def test_all_can_be_kept(motifs, published):
    assert np.bincount(published.target).tolist() == [16, 12, 12, 12, 14]
    assert published.n_copies_dropped == published.n_ambiguous_dropped == 0
    assert published.dropped == []
    assert set(motifs.filenames) | set(motifs.dropped) == set(published.filenames)


def test_everything_is_in_the_order_of_singers_and_names(motifs):
    assert motifs.target_names.tolist() == ["AM", "EC", "EM", "JT", "TP"]
    assert motifs.singers.tolist() == motifs.target_names[motifs.target].tolist()
    assert motifs.filenames.tolist() == sorted(motifs.filenames)
    assert [name[:2] for name in motifs.filenames] == motifs.singers.tolist()
    assert set(motifs.songs[motifs.singers == "EM"]) == {"D0004", "D0005"}
    assert set(motifs.songs[motifs.singers == "AM"]) == {"D0000", "D0001"}


def test_waveforms_are_resampled_unless_they_are_not_to_be(corpus, motifs):
    own = load_flamenco_motifs(corpus, sample_rate=None)
    assert (motifs.sample_rate, own.sample_rate) == (16_000, RATE)
    assert own.data[3].dtype == motifs.data[3].dtype == np.float32
    samples, _ = soundfile.read(corpus / own.filenames[3], dtype="float32")
    np.testing.assert_array_equal(own.data[3], samples)
    assert len(motifs.data[3]) == int(np.ceil(len(samples) * 16_000 / RATE))


def planted(bunch, start):
    """Return the groups of the files of AM's first song that have these symbols in their names."""
    return {
        group
        for group, name in zip(bunch.groups, bunch.filenames, strict=True)
        if re.match(rf"AM/(D0000|M1048)\S*_{start}_9dd9", name)
    }


def test_overlapping_cuts_are_one_group(motifs, published):
    for bunch in (motifs, published):
        assert len(planted(bunch, "-1-1")) == len(planted(bunch, "2222")) == 1
        # the group of the cut that they overlap with has one more file
        (group,) = planted(bunch, "2222")
        assert (bunch.groups == group).sum() >= 2
        assert (bunch.groups == planted(bunch, "-1-1").pop()).sum() >= 2


def test_copies_are_one_group_where_they_are_kept(published):
    contents = {}
    for waveform, group in zip(published.data, published.groups, strict=True):
        assert contents.setdefault(waveform.tobytes(), group) == group
    shared = published.groups[published.target == 1]
    assert np.isin(published.groups[published.target == 4], shared).sum() == 2


@pytest.mark.parametrize("samples", [np.zeros(900), np.linspace(-0.5, 0.5, 40)])
def test_copies_are_one_group_also_if_they_are_silent_or_short(tmp_path, samples):
    (tmp_path / "EM").mkdir()
    for song, waveform in [("M1", samples), ("M2", samples / 2 + 0.125), ("M3", samples)]:
        soundfile.write(tmp_path / "EM" / f"{song}.wav", waveform, RATE, subtype="FLOAT")
    assert load_flamenco_motifs(tmp_path, duplicates="keep").groups.tolist() == [0, 1, 0]
    assert load_flamenco_motifs(tmp_path).filenames.tolist() == ["EM/M1.wav", "EM/M2.wav"]


def test_groups_are_those_of_the_times_that_were_cut(songs, motifs):
    # of a singer whose files are the motifs alone: cuts overlap where their times do
    for i, singer in [(2, "EM"), (3, "JT")]:
        apart = 0
        for _, spans in (value for key, value in songs.items() if key[0] == singer):
            chosen = sorted(spans[:6].tolist())
            apart += 6 - sum(b[0] + 256 <= a[1] for a, b in pairwise(chosen))
        assert len(set(motifs.groups[motifs.target == i])) == apart


def test_groups_make_a_split(motifs):
    splitter = StratifiedGroupKFold(3)
    for train, test in splitter.split(motifs.data, motifs.target, motifs.groups):
        assert not set(motifs.groups[train]) & set(motifs.groups[test])


def test_the_description_says_what_is_there(motifs, published):
    assert motifs.n_missing == 11_158 - 66
    assert "Only 66 of the 11,158 recordings were found" in motifs.DESCR
    assert "Of 66 files, 2 were left out as copies of others, and 3 because" in motifs.DESCR
    assert "left out as copies" not in published.DESCR
    assert "none is stated" in motifs.DESCR


@pytest.mark.parametrize("duplicates", ["drop", "keep"])
def test_data_and_target_are_those_of_the_bunch(corpus, motifs, published, duplicates):
    X, y = load_flamenco_motifs(corpus, duplicates=duplicates, return_X_y=True)
    bunch = {"drop": motifs, "keep": published}[duplicates]
    np.testing.assert_array_equal(y, bunch.target)
    assert len(X) == len(bunch.data)
    np.testing.assert_array_equal(X[-1], bunch.data[-1])


@pytest.mark.parametrize(
    ("name", "song", "symbols"),
    [
        (f"D0001_-1-11-11_{uuid(1)}", "D0001", (1, 1, -1, 1, -1)),
        (f"D0011.txt_-121-2-11_{uuid(1)}", "D0011", (1, -2, -1, 2, 1, -1)),
        (f"M1048_intervals_221-2-2_{uuid(1)}", "M1048", (-2, -2, -1, 2, 2)),
        (f"a_song_2_-1-111-1_{uuid(1).upper()}", "a_song_2", (1, 1, -1, -1, 1)),
        (f"D0001_{uuid(1)}", "D0001", ()),
        (f"D0001_none_{uuid(1)}", "D0001_none", ()),
        ("take_2", "take_2", ()),
    ],
)
def test_names_are_read_with_the_signs_of_the_paper(tmp_path, name, song, symbols):
    clip = _clip(tmp_path, tmp_path / "AM" / f"{name}.wav")
    assert (clip.singer, clip.song, clip.symbols) == ("AM", song, symbols)


def test_symbols_are_tuples(motifs):
    assert motifs.symbols.shape == (61,)
    place = motifs.filenames.tolist().index(f"AM/D0000_-1-111-1_{uuid(1)}.wav")
    assert motifs.symbols[place] == (1, 1, -1, -1, 1)
    assert {step for symbols in motifs.symbols for step in symbols} == {-2, -1, 1, 2}


def test_a_singer_may_be_missing(corpus, tmp_path):
    shutil.copytree(corpus / "JT", tmp_path / "JT")
    motifs = load_flamenco_motifs(tmp_path)
    assert set(motifs.target) == {3}
    assert len(motifs.target_names) == 5


def test_if_all_labels_are_ambiguous_nothing_is_left(tmp_path):
    for singer in ("AM", "EC"):
        (tmp_path / singer).mkdir()
        soundfile.write(tmp_path / singer / "D0001.wav", np.zeros(100), RATE)
    motifs = load_flamenco_motifs(tmp_path)
    assert len(motifs.data) == len(motifs.target) == len(motifs.groups) == 0
    assert motifs.n_ambiguous_dropped == 2


def test_a_folder_without_motifs_is_an_error(tmp_path):
    (tmp_path / "AM").mkdir()
    with pytest.raises(FileNotFoundError, match=r"no flamenco motifs in .* no licence"):
        load_flamenco_motifs(tmp_path)
    with pytest.raises(FileNotFoundError, match="no flamenco motifs"):
        load_flamenco_motifs(tmp_path / "nowhere")


def test_a_damaged_file_is_named(tmp_path):
    (tmp_path / "TP").mkdir()
    path = tmp_path / "TP" / f"D0011_111_{uuid(1)}.wav"
    path.write_bytes(b"RIFF")
    with pytest.raises(RecordingError, match="D0011_111_"):
        load_flamenco_motifs(tmp_path)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"duplicates": "maybe"}, "duplicates must be 'drop' or 'keep', got 'maybe'"),
        ({"sample_rate": 0}, "sample_rate"),
    ],
)
def test_a_parameter_out_of_range_is_named(corpus, arguments, message):
    with pytest.raises(ValueError, match=message):
        load_flamenco_motifs(corpus, **arguments)
