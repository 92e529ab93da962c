"""From a recorded song to the spectrograms of its motifs."""

import numpy as np
import pytest
from sklearn.pipeline import make_pipeline

from skspeech.exceptions import MotifWarning
from skspeech.mining import ClosedMotifMiner
from skspeech.preprocessing import (
    AudioLoader,
    ContourApproximator,
    MotifExtractor,
    SaliencePitch,
)

RATE = 44100


@pytest.fixture(scope="module")
def song(data_home):
    path = data_home / "singing" / "vocadito" / "vocadito_1.flac"
    if not path.exists():
        pytest.skip(reason="vocadito is not in singing/vocadito")
    return AudioLoader(sample_rate=RATE).transform([str(path)])[0]


@pytest.fixture(scope="module")
def takes(data_home):
    """Return one second of each voice of a quartet."""
    return read(data_home / "singing" / "dagstuhl_choirset")


@pytest.fixture(scope="module")
def clips(data_home):
    """Return two seconds of each of 15 channels: all the same tone of 440 Hz."""
    return read(data_home / "singing" / "multivox")


def read(folder):
    paths = sorted(folder.glob("*.flac"))
    if not paths:
        pytest.skip(reason=f"there are no recordings in singing/{folder.name}")
    return list(AudioLoader(sample_rate=RATE).transform([str(path) for path in paths]))


@pytest.fixture(scope="module")
def extractor(song):
    return MotifExtractor().fit([song], ["singer"])


def test_a_song_has_motifs_of_the_published_kind(song, extractor):
    rows = extractor.locate([song])
    assert len(extractor.miner_.patterns_) > 10
    assert extractor.miner_.supports_.min() >= 3
    assert min(map(len, extractor.miner_.patterns_)) >= 5
    # each motif is in as many phrases as it has support, and located once in each
    counts = np.bincount(rows["motif"], minlength=len(extractor.miner_.patterns_))
    assert counts.tolist() == extractor.miner_.supports_[0].tolist()


def test_motifs_lie_where_somebody_sings(song, extractor):
    (pitch,) = SaliencePitch().transform([song])
    for row in extractor.locate([song]):
        first, stop = (round(row[name] * RATE / 256) for name in ("start", "end"))
        assert 0 < row["start"] < row["end"] < len(song) / RATE
        assert (pitch[first:stop] > 0).all()


def test_the_bag_of_a_song(song, extractor):
    (bag,) = extractor.transform([song])
    assert len(bag) == len(extractor.locate([song]))
    lengths = [1 + len(piece) * 16000 / RATE / 200 for piece in extractor.cut([song])[0]]
    for spectrogram, length in zip(bag, lengths, strict=True):
        assert spectrogram.shape[0] == 128
        assert abs(spectrogram.shape[1] - length) <= 1
        assert np.isfinite(spectrogram).all()


def test_short_takes_of_other_singers_are_answered_too(takes, clips, extractor):
    with pytest.warns(MotifWarning, match=r"[12]\.00 s\) has no motif"):
        bags = extractor.transform([*takes, *clips])
    assert min(map(len, bags)) > 0
    assert len(bags) == 4 + 15


def test_counts_of_motifs_tell_recordings_apart(song, takes):
    counts = make_pipeline(
        SaliencePitch(),
        ContourApproximator(),
        ClosedMotifMiner(scope="class", min_support=2, min_length=2),
    ).fit_transform([song, *takes], ["vocadito", *["dagstuhl"] * 4])
    assert counts.shape[0] == 5
    assert counts.sum(axis=1).argmax() == 0
