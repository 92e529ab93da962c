"""No false alarm on real speech: sentences by several speakers, digits said fifty times."""

import numpy as np
import pytest
from sklearn.model_selection import LeaveOneGroupOut

from skspeech.datasets import fetch_emodb, fetch_fsdd
from skspeech.model_selection import find_leaks

CORPORA = {"emodb": (fetch_emodb, 16_000), "fsdd": (fetch_fsdd, 8_000)}


@pytest.fixture(scope="module", params=CORPORA)
def corpus(request, data_home):
    fetch, sample_rate = CORPORA[request.param]
    try:
        found = fetch(data_home=data_home, download_if_missing=False)
    except OSError:
        pytest.skip(reason=f"{request.param} is not in {data_home.name}")
    return found, sample_rate


def test_no_two_recordings_share_sound(corpus):
    corpus, sample_rate = corpus
    assert find_leaks(corpus.data, sample_rate=sample_rate) == []


def test_what_is_planted_is_found(corpus):
    corpus, sample_rate = corpus
    speakers = np.unique(corpus.speakers)
    first, second = (np.flatnonzero(corpus.speakers == speaker)[0] for speaker in speakers[:2])
    X = list(corpus.data)
    quarter = sample_rate // 4
    begin = int(np.argmax(np.convolve(np.square(X[first]), np.ones(quarter), mode="valid")))
    excerpt = np.rint(-0.2 * X[first][begin : begin + quarter] * 32_768) / 32_768
    X[second] = np.append(X[second], excerpt.astype(np.float32))
    (leak,) = find_leaks(X, groups=corpus.speakers, cv=LeaveOneGroupOut(), sample_rate=sample_rate)
    assert (leak.first, leak.second) == (first, second)
    assert leak.first_start == pytest.approx(begin / sample_rate, abs=0.03)
    assert leak.duration == pytest.approx(0.25, abs=0.06)
    assert (leak.folds, leak.tested) == ((0, 1), (first, second))
