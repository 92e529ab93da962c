"""Real digits: what is there of the corpus."""

from collections import Counter

import numpy as np
import pytest

from skspeech.datasets import fetch_fsdd
from skspeech.datasets._download import samples_digest
from skspeech.datasets.fsdd import DIGESTS, SPEAKERS


@pytest.fixture(scope="module")
def digits(data_home):
    try:
        return fetch_fsdd(data_home=data_home, download_if_missing=False)
    except FileNotFoundError:
        pytest.skip(reason="FSDD is not in fsdd/recordings")


def test_every_speaker_says_every_digit_fifty_times(digits):
    said = Counter(zip(digits.speakers.tolist(), digits.target.tolist(), strict=True))
    assert set(said.values()) == {50}
    assert len(said) + digits.n_missing / 50 == 10 * len(SPEAKERS)


def test_a_tenth_is_for_testing(digits):
    assert np.count_nonzero(digits.split == "test") == len(digits.data) / 10


def test_its_samples_are_those_we_know(digits, data_home):
    paths = [data_home / "fsdd" / "recordings" / name for name in digits.filenames]
    for speaker, digest in DIGESTS.items():
        assert samples_digest(path for path in paths if f"_{speaker}_" in path.stem) == digest


def test_no_recording_comes_twice(digits):
    assert len({waveform.tobytes() for waveform in digits.data}) == len(digits.data)
