"""The oracle, on cases that can be checked by hand."""

import pytest

from skspeech.mining.definition import closed_by_definition, contains, patterns_of


def words(listed):
    return {"".join(pattern): support for pattern, support in listed}


@pytest.mark.parametrize(
    ("max_gap", "expected"),
    [
        (0, "a b c d ab bc cd abc bcd abcd"),
        (1, "a b c d ab ac bc bd cd abc abd acd bcd abcd"),
        (None, "a b c d ab ac ad bc bd cd abc abd acd bcd abcd"),
    ],
)
def test_patterns_of_a_sequence(max_gap, expected):
    assert patterns_of("abcd", max_gap) == {tuple(word) for word in expected.split()}


def test_patterns_of_a_sequence_with_one_symbol():
    assert patterns_of("aaa", 0) == {("a",), ("a",) * 2, ("a",) * 3}


def test_contains():
    assert contains("abab", "bb")
    assert contains("ab", "")
    assert not contains("ab", "aab")


def test_what_is_contained_in_a_pattern_of_the_same_support_is_not_closed():
    assert words(closed_by_definition(["axb", "axab"], 2)) == {"axb": 2}


def test_without_the_middle_symbol_a_bounded_pattern_is_closed():
    # "ab" needs a gap and "axb" none, so that none is longer by one symbol at an end.
    assert words(closed_by_definition(["axb", "axab"], 2, max_gap=1)) == {"axb": 2, "ab": 2}


def test_contiguous():
    assert words(closed_by_definition(["abc", "xab", "bc"], 2, max_gap=0)) == {
        "ab": 2,
        "bc": 2,
        "b": 3,
    }


def test_forward_looks_to_the_right_only():
    found = closed_by_definition(["abc", "abc", "c"], 2, max_gap=0, closure="forward")
    assert words(found) == {"abc": 2, "bc": 2, "c": 3}


def test_support_counts_sequences_not_occurrences():
    assert words(closed_by_definition(["aaa", "ab"], 1, max_gap=0)) == {"aaa": 1, "ab": 1, "a": 2}


def test_a_pattern_too_long_to_be_listed_still_counts():
    sequences = ["abc", "abc", "ab"]
    assert words(closed_by_definition(sequences, 2, max_length=1)) == {}
    assert words(closed_by_definition(sequences, 2, max_length=2)) == {"ab": 3}
    assert words(closed_by_definition(sequences, 2, min_length=3)) == {"abc": 2}


def test_longest_first_then_lexicographic():
    listed = closed_by_definition(["ba", "ab", "c", "c"], 1)
    assert ["".join(pattern) for pattern, _ in listed] == ["ab", "ba", "a", "b", "c"]
