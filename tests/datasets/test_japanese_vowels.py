import numpy as np
import pytest

from skspeech.datasets import load_japanese_vowels


@pytest.fixture(scope="module")
def vowels():
    return load_japanese_vowels()


def test_utterances_are_cepstra_of_7_to_29_frames(vowels):
    assert vowels.data.shape == (640,)
    assert vowels.data.dtype == object
    assert {utterance.shape[0] for utterance in vowels.data} == {12}
    n_frames = [utterance.shape[1] for utterance in vowels.data]
    assert (min(n_frames), max(n_frames)) == (7, 29)
    assert {utterance.dtype for utterance in vowels.data} == {np.dtype("float32")}
    assert all(np.isfinite(utterance).all() for utterance in vowels.data)


def test_first_coefficients_are_those_of_the_corpus(vowels):
    # the first line of ae.train
    expected = [1.860936, -0.207383, 0.261557, -0.214562, -0.171253, -0.118167, -0.277557]
    np.testing.assert_array_almost_equal(vowels.data[0][:7, 0], expected, decimal=6)


@pytest.mark.parametrize(
    ("split", "counts"),
    [("train", [30] * 9), ("test", [31, 35, 88, 44, 29, 24, 40, 50, 29])],
)
def test_given_split_has_the_documented_counts(vowels, split, counts):
    assert np.bincount(vowels.target[vowels.split == split]).tolist() == counts


def test_speakers_are_the_classes(vowels):
    np.testing.assert_array_equal(vowels.speakers, vowels.target_names[vowels.target])
    assert vowels.target.dtype == np.int64


def test_frames_are_timed_as_documented(vowels):
    assert vowels.hop_length / vowels.sample_rate == 0.0064


def test_utterances_own_their_memory(vowels):
    assert all(utterance.base is None for utterance in vowels.data)


def test_return_X_y_gives_data_and_target(vowels):
    X, y = load_japanese_vowels(return_X_y=True)
    np.testing.assert_array_equal(y, vowels.target)
    np.testing.assert_array_equal(X[639], vowels.data[639])


def test_means_tell_the_speakers_apart(vowels):
    from sklearn.neighbors import NearestCentroid

    X = np.array([utterance.mean(axis=1) for utterance in vowels.data])
    train = vowels.split == "train"
    model = NearestCentroid().fit(X[train], vowels.target[train])
    assert model.score(X[~train], vowels.target[~train]) > 0.8
