"""Where patterns occur, against the definition written out."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skspeech.mining import _occurrences
from skspeech.mining._occurrences import OCCURRENCE, PatternTree


def stops(phrase, pattern, start, max_gap):
    """Every stop of a pattern from a start."""
    places = {start} if phrase[start] == pattern[0] else set()
    for symbol in pattern[1:]:
        places = {
            later
            for place in places
            for later in range(place + 1, len(phrase))
            if phrase[later] == symbol and (max_gap is None or later - place - 1 <= max_gap)
        }
    return {place + 1 for place in places}


def by_definition(patterns, phrases, max_gap, first):
    found = [
        (place, motif, start, min(ends))
        for place, phrase in enumerate(phrases)
        for start in range(len(phrase))
        for motif, pattern in enumerate(patterns)
        if (ends := stops(phrase, pattern, start, max_gap))
    ]
    if first:
        seen = set()
        found = [row for row in found if row[:2] not in seen and not seen.add(row[:2])]
    return found


symbols = st.integers(-2, 1)
all_patterns = st.lists(
    st.lists(symbols, min_size=1, max_size=5).map(tuple), min_size=1, max_size=8, unique=True
)
all_phrases = st.lists(st.lists(symbols | st.just(7), max_size=12), max_size=6)


@settings(deadline=None, max_examples=300)
@given(all_patterns, all_phrases, st.sampled_from([0, 1, 2, 5, 20, None]), st.booleans(), st.data())
def test_as_by_definition(patterns, phrases, max_gap, first, data):
    block = data.draw(st.sampled_from([1, 5, 2**16]), label="block")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_occurrences, "_BLOCK", block)
        patch.setattr(_occurrences, "_BLOCK_WITH_GAPS", block)
        found = PatternTree(patterns, max_gap).find(phrases, first=first)
    assert found.dtype == OCCURRENCE
    assert found.tolist() == by_definition(patterns, phrases, max_gap, first)


def find(pattern, phrase, max_gap):
    found = PatternTree([pattern], max_gap).find([phrase])
    return found[["start", "stop"]].tolist()


def test_occurrences_overlap():
    assert find("aa", "aaaa", 0) == [(0, 2), (1, 3), (2, 4)]


def test_a_bounded_gap_is_not_read_greedily():
    # the first b is too far from c; the second is not
    assert find("abc", "abbxc", 1) == [(0, 5)]
    assert find("abc", "abxxc", 1) == []
    assert find("abc", "abxxc", None) == [(0, 5)]


def test_the_earliest_stop():
    assert find("ab", "axbb", 5) == [(0, 3)]
    assert find("ab", "axbb", None) == [(0, 3)]


def test_no_pattern_crosses_from_one_phrase_into_the_next():
    for max_gap in (0, 1, None):
        assert len(PatternTree(["ab"], max_gap).find(["a", "b", "a", "", "b"])) == 0


def test_symbols_that_are_in_no_pattern():
    assert find(("b", "a"), "zbaz", 0) == [(1, 3)]
    assert find((3,), [2**70, 3, -1], 0) == [(1, 2)]


@pytest.mark.parametrize("max_gap", [0, 1, None])
@pytest.mark.parametrize("phrases", [[], [[]], [[], []], [["z"]]])
def test_nothing_to_find(phrases, max_gap):
    assert PatternTree(["ab"], max_gap).find(phrases).shape == (0,)


def test_a_huge_gap_costs_no_memory():
    assert find("ab", "a" + "x" * 50 + "b", 10**9) == [(0, 52)]
    assert np.array_equal(find("ab", "ab" * 3, 10**9), find("ab", "ab" * 3, None))
