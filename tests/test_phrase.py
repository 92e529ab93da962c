"""A phrase reads as the sequence of its symbols, and keeps their times with them."""

import pickle

import numpy as np
import pytest

from skspeech.recordings import Phrase

SPANS = [[0.0, 0.3], [0.2, 0.5], [0.3, 0.9]]


def test_is_the_sequence_of_its_symbols():
    phrase = Phrase([1, -2, 1], SPANS)
    assert list(phrase) == [1, -2, 1]
    assert phrase[-1] == 1
    assert 2 not in phrase
    assert phrase.count(1) == 2
    assert [type(symbol) for symbol in phrase] == [int] * 3


def test_a_slice_keeps_the_times():
    assert Phrase([1, -2, 1], SPANS)[1:] == Phrase([-2, 1], SPANS[1:])


def test_may_be_empty():
    assert len(Phrase([], [])) == 0


def test_equal_means_symbols_and_times():
    phrase = Phrase([1, -2, 1], SPANS)
    assert phrase != Phrase([1, -2, 2], SPANS)
    assert phrase != Phrase([1, -2, 1], np.add(SPANS, 0.1))
    assert phrase != [1, -2, 1]


def test_survives_pickling():
    phrase = Phrase([1, -2, 1], SPANS)
    assert pickle.loads(pickle.dumps(phrase)) == phrase


@pytest.mark.parametrize("symbols", [[1, 2], [[1, 2, 3]], 1])
def test_every_symbol_needs_a_span(symbols):
    with pytest.raises(ValueError, match="needs as many symbols"):
        Phrase(symbols, SPANS)


@pytest.mark.parametrize("symbols", [[1.5, 2.0, 3.0], ["1", "2", "3"], [True, False, True]])
def test_symbols_are_integers(symbols):
    with pytest.raises(TypeError, match="The symbols of a Phrase are integers"):
        Phrase(symbols, SPANS)


def test_symbols_have_64_bits():
    with pytest.raises(ValueError, match="got 18446744073709551615"):
        Phrase(np.array([2**64 - 1], dtype=np.uint64), [[0, 1]])
    with pytest.raises(TypeError, match="got an array of object"):
        Phrase([2**70], [[0, 1]])
