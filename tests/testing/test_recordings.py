from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.testing import assert_array_equal

from skspeech.recordings import KINDS, check_recording
from skspeech.testing import make_labels, make_recordings


@pytest.mark.parametrize("kind", KINDS)
def test_recordings_are_readable_and_ragged(kind):
    recordings = make_recordings(kind)
    assert recordings.shape == (12,)
    assert recordings.dtype == object
    for recording in recordings:
        assert check_recording(recording, kind=kind) is recording
    assert len({recording.shape for recording in recordings}) > 6


@pytest.mark.parametrize("kind", KINDS)
def test_the_seed_decides(kind):
    first, second, other = (make_recordings(kind, 3, seed=seed) for seed in (1, 1, 2))
    for a, b in zip(first, second, strict=True):
        assert_array_equal(a, b)
    assert any(a.shape != b.shape or (a != b).any() for a, b in zip(first, other, strict=True))


@pytest.mark.parametrize("kind", KINDS)
def test_a_longer_collection_begins_with_the_shorter(kind):
    for a, b in zip(make_recordings(kind, 3), make_recordings(kind, 5), strict=False):
        assert_array_equal(a, b)


@pytest.mark.parametrize("kind", ["spectrogram", "pitch", "video"])
def test_odd_and_even_differ(kind):
    levels = np.array([recording[:2].mean(dtype=float) for recording in make_recordings(kind)])
    if kind == "pitch":  # the first frames are unvoiced
        levels = -np.array([recording[3:].mean(dtype=float) for recording in make_recordings(kind)])
    assert levels[1::2].min() > levels[0::2].max()


def test_odd_and_even_contours_hold_other_motifs():
    for i, contour in enumerate(make_recordings("contour")):
        motif = [1, 1, -2, 1, 1, -2] if i % 2 else [-1, 2, -1, -1, 2, -1]
        places = [range(len(phrase) - 5) for phrase in contour]
        held = [
            any(list(phrase[k : k + 6]) == motif for k in starts)
            for phrase, starts in zip(contour, places, strict=True)
        ]
        assert all(held)


def test_contours_are_readable_ragged_and_decided_by_the_seed():
    contours = make_recordings("contour")
    assert contours.shape == (12,)
    for contour in contours:
        assert check_recording(contour, kind="contour") == contour
        for phrase in contour:
            assert (np.diff(phrase.spans, axis=1) > 0).all()
            assert (phrase.spans[1:, 0] < phrase.spans[:-1, 1]).all(), "neighbours overlap"
    assert len({len(contour) for contour in contours}) > 1
    assert make_recordings("contour", 3).tolist() == contours[:3].tolist()
    assert make_recordings("contour", 3, seed=1).tolist() != contours[:3].tolist()


def test_odd_and_even_waveforms_have_other_tones():
    turns = [
        np.diff(np.sign(waveform)).astype(bool).mean() for waveform in make_recordings("waveform")
    ]
    assert max(turns[1::2]) < min(turns[0::2])


def test_paths_are_files_while_the_array_is_there():
    paths = make_recordings("path", 3)
    waveforms = make_recordings("waveform", 3)
    for path, waveform in zip(paths, waveforms, strict=True):
        samples, rate = soundfile.read(path, dtype="float32")
        assert rate == 800
        assert_array_equal(samples, waveform)
    folder = Path(paths[0]).parent
    part = paths[:1]  # a view keeps the array
    del paths
    assert Path(part[0]).exists()
    del part
    assert not folder.exists(), "a temporary folder is left"


def test_labels():
    assert make_labels(5).tolist() == ["even", "odd", "even", "odd", "even"]
    assert len(make_labels()) == len(make_recordings("pitch"))


def test_an_unknown_kind():
    with pytest.raises(KeyError):
        make_recordings("smell")
