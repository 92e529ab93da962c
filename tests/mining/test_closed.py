import pickle
import signal
import sys
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from enum import Enum

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skspeech.exceptions import MissingExtraError, PatternExplosionError
from skspeech.mining import _bide, _gaps, _suffix_array, closed_sequences
from skspeech.mining.definition import closed_by_definition
from skspeech.recordings import Phrase

GAPS = (None, 0, 1, 2, 3)
CLOSURES = ("both", "forward")


def walks(n_sequences, n_symbols, n_values, seed=0):
    """Return walks by steps of -1, 0 and 1."""
    steps = np.random.default_rng(seed).integers(-1, 2, (n_sequences, n_symbols))
    return np.abs(np.cumsum(steps, axis=1)) % n_values


@st.composite
def databases(draw):
    """Draw sequences of few symbols, or variants of one sequence."""
    symbols = st.integers(0, draw(st.integers(0, 4)))
    sequence = st.lists(symbols, min_size=1, max_size=8)
    if draw(st.booleans()):
        return draw(st.lists(sequence, min_size=1, max_size=6))
    theme = draw(sequence)
    changes = st.tuples(st.integers(0, len(theme) - 1), symbols)
    return [
        [*theme[:i], symbol, *theme[i + draw(st.integers(0, 1)) :]]
        for i, symbol in draw(st.lists(changes, min_size=1, max_size=6))
    ]


@st.composite
def questions(draw):
    sequences = draw(databases())
    min_length = draw(st.integers(1, 3))
    return (sequences, draw(st.integers(1, len(sequences)))), {
        "min_length": min_length,
        "max_length": draw(st.none() | st.integers(min_length, min_length + 3)),
        "max_gap": draw(st.sampled_from(GAPS)),
        "closure": draw(st.sampled_from(CLOSURES)),
    }


@settings(max_examples=300, deadline=None)
@given(questions())
def test_is_what_the_definition_says(question):
    args, kwargs = question
    assert closed_sequences(*args, **kwargs) == closed_by_definition(*args, **kwargs)


@settings(max_examples=100, deadline=None)
@given(questions())
def test_is_the_same_in_small_slices_and_without_tables(question):
    args, kwargs = question
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_bide, "MAX_TABLE", 0)
        for module in (_bide, _gaps, _suffix_array):
            patch.setattr(module, "SLICE", 2)
        found = closed_sequences(*args, **kwargs)
    assert found == closed_sequences(*args, **kwargs)


@settings(max_examples=100, deadline=None)
@given(databases(), st.integers(1, 3), st.none() | st.integers(3, 5))
def test_prefixspan_gives_the_same_list(sequences, min_length, max_length):
    support = (len(sequences) + 1) // 2
    lengths = {"min_length": min_length, "max_length": max_length}
    found = closed_sequences(sequences, support, algorithm="prefixspan", **lengths)
    assert found == closed_sequences(sequences, support, **lengths)


@settings(max_examples=100, deadline=None)
@given(questions(), st.randoms(use_true_random=False))
def test_neither_the_order_nor_the_names_matter(question, random):
    (sequences, support), kwargs = question
    names = [f"{random.random():.3f}-{i}" for i in range(6)]
    renamed = [[names[symbol] for symbol in sequence] for sequence in sequences]
    random.shuffle(renamed)
    expected = [
        (tuple(names[symbol] for symbol in pattern), n)
        for pattern, n in closed_sequences(sequences, support, **kwargs)
    ]
    expected.sort(key=lambda item: (-len(item[0]), item[0]))
    assert closed_sequences(renamed, support, **kwargs) == expected


@pytest.mark.parametrize("max_gap", [0, 1, None])
def test_many_symbols(max_gap):
    sequences = np.random.default_rng(0).integers(0, 400, (40, 8)).tolist()
    found = closed_sequences(sequences, 2, max_gap=max_gap)
    assert found == closed_by_definition(sequences, 2, max_gap=max_gap)


@pytest.mark.parametrize("max_gap", [0, 1, None])
def test_long_patterns(max_gap):
    sequences = [[7] * 300, [7] * 299]
    assert closed_sequences(sequences, 2, max_gap=max_gap) == [((7,) * 299, 2)]


@pytest.mark.parametrize(("max_gap", "support"), [(1, 6), (None, 16)])
def test_many_patterns(max_gap, support):
    sequences = walks(40, 30, 6)
    found = closed_sequences(sequences, support, max_gap=max_gap, closure="forward")
    assert len(found) == len(dict(found)) > 1100
    assert set(closed_sequences(sequences, support, max_gap=max_gap)) < set(found)


def test_contiguous_patterns_of_long_sequences():
    sequences = walks(30, 500, 13).tolist()
    windows = Counter()
    for sequence in sequences:
        windows.update({tuple(sequence[i : i + n]) for n in range(1, 25) for i in range(501 - n)})
    closed = {p: n for p, n in windows.items() if n >= 5}
    for pattern, n in windows.items():
        for shorter in (pattern[1:], pattern[:-1]):
            if closed.get(shorter) == n:
                del closed[shorter]
    found = closed_sequences(sequences, 5, max_gap=0)
    assert len(found[0][0]) < 24
    assert dict(found) == closed
    assert found == sorted(found, key=lambda item: (-len(item[0]), item[0]))


def test_what_goes_on_past_the_longest_listed_is_not_closed():
    sequences = ["abcd", "abcd", "bc"]
    for max_gap in GAPS:
        kwargs = {"max_gap": max_gap, "max_length": 3}
        assert closed_sequences(sequences, 2, **kwargs) == closed_by_definition(
            sequences, 2, **kwargs
        )
        assert closed_sequences(sequences, 3, **kwargs) == [(("b", "c"), 3)]


@pytest.mark.parametrize("max_gap", [0, 1, None])
@pytest.mark.parametrize(
    "make",
    [
        tuple,
        np.array,
        lambda x: np.array(x, dtype=np.uint8),
        lambda x: [np.int32(i) for i in x],
        lambda x: Phrase(x, np.zeros((len(x), 2))),
        lambda x: np.array(x, dtype=object),
    ],
)
def test_any_sequence_of_integers(make, max_gap):
    sequences = [make([3, 1, 2]), make([1, 2, 3])]
    found = closed_sequences(sequences, 2, max_gap=max_gap)
    assert found == [((1, 2), 2), ((3,), 2)]
    assert {type(symbol) for pattern, _ in found for symbol in pattern} == {int}
    assert {type(support) for _, support in found} == {int}


@pytest.mark.parametrize("make", [str, list, tuple, np.array, lambda x: np.array(list(x))])
def test_any_sequence_of_strings(make):
    if make is np.array:
        found = closed_sequences(np.array(["cab", "abc"]), 2)
    else:
        found = closed_sequences((make(word) for word in ("cab", "abc")), 2)
    assert found == [(("a", "b"), 2), (("c",), 2)]
    assert {type(symbol) for pattern, _ in found for symbol in pattern} == {str}


def test_symbols_may_be_words_and_integers_of_any_size():
    sequences = [["up", "Ünder", "down"], ["Ünder", "down", ""]]
    assert closed_sequences(sequences, 2) == [(("Ünder", "down"), 2)]
    sequences = [[10**30, -(2**70), 0], [10**30, -(2**70)]]
    assert closed_sequences(sequences, 2, max_gap=0) == [((10**30, -(2**70)), 2)]


def test_numbers_as_large_as_one_likes():
    for max_gap in (None, 0, 1, 10**30):
        lengths = {"max_gap": max_gap, "max_length": 10**30, "max_patterns": 10**30}
        assert closed_sequences(["ab", "ab"], np.int8(2), **lengths) == [(("a", "b"), 2)]
        assert closed_sequences(["ab", "ab"], 2, min_length=10**30, max_gap=max_gap) == []


@pytest.mark.parametrize("max_gap", [0, 1, None])
def test_nothing_is_frequent(max_gap):
    assert closed_sequences(["ab", "cd"], 2, max_gap=max_gap) == []
    assert closed_sequences(["ab"], 1, max_gap=max_gap) == [(("a", "b"), 1)]


@pytest.mark.parametrize("n_patterns", [1, 5, 40])
@pytest.mark.parametrize("kwargs", [{"max_gap": 0}, {"max_gap": 1}, {}])
def test_an_explosion_gives_what_was_found(kwargs, n_patterns):
    sequences = walks(20, 40, 13).tolist()
    complete = closed_sequences(sequences, 8, **kwargs)
    assert len(complete) > n_patterns
    assert complete == closed_sequences(sequences, 8, max_patterns=len(complete), **kwargs)
    with pytest.raises(PatternExplosionError) as caught:
        closed_sequences(sequences, 8, max_patterns=n_patterns, **kwargs)
    error = pickle.loads(pickle.dumps(caught.value))
    assert len(error.patterns) == n_patterns == error.max_patterns
    assert error.patterns == [item for item in complete if item in error.patterns]
    if kwargs == {"max_gap": 0}:
        assert error.patterns == complete[:n_patterns]
        assert error.n_patterns == len(complete)


def test_prefixspan_explodes_too():
    with pytest.raises(PatternExplosionError, match="There are 4 closed patterns") as caught:
        closed_sequences(["abcd", "dcba"], 2, algorithm="prefixspan", max_patterns=3)
    assert caught.value.patterns == [(("a",), 2), (("b",), 2), (("c",), 2)]


def test_an_explosion_is_noticed_in_time():
    # 2 ** 200 patterns, most of them long
    sequences = [range(200)] * 2
    with pytest.raises(PatternExplosionError, match=r"more than 1,000 .*min_support") as caught:
        closed_sequences(sequences, 2, closure="forward", max_patterns=1000)
    assert "(0, 1" not in repr(caught.value)


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="needs POSIX signals")
@pytest.mark.parametrize("kwargs", [{}, {"max_gap": 3}, {"closure": "forward"}])
def test_ctrl_c(kwargs):
    def interrupt():
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

    small, endless = ["axb", "axab"], walks(100, 100, 20)
    expected = closed_sequences(small, 2, **kwargs)
    n_threads = threading.active_count()
    # where the tests run in the background of a shell, Ctrl-C is ignored
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    timer = threading.Timer(0.2, interrupt)
    try:
        timer.start()
        with pytest.raises(KeyboardInterrupt):
            closed_sequences(endless, 20, max_patterns=sys.maxsize, **kwargs)
    finally:
        timer.join()
        signal.signal(signal.SIGINT, handler)
    assert threading.active_count() == n_threads
    assert closed_sequences(small, 2, **kwargs) == expected


@pytest.mark.parametrize("max_gap", [0, 1, None])
def test_in_threads(max_gap):
    databases = [walks(20, 50, 10, seed=i) for i in range(8)]
    expected = [closed_sequences(x, 12, max_gap=max_gap) for x in databases]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda x: closed_sequences(x, 12, max_gap=max_gap), databases))
    assert found == expected


@pytest.mark.parametrize(
    ("name", "value", "error", "message"),
    [
        ("min_support", 0, ValueError, "min_support is 0, and the least is 1."),
        ("min_support", 4, ValueError, "min_support is 4, and the number of sequences is 3. Lower"),
        ("min_support", 0.5, TypeError, "min_support is 0.5, which is not an integer."),
        ("min_support", True, TypeError, "min_support is True, which is not an integer."),
        ("min_support", np.True_, TypeError, "which is not an integer."),
        ("min_support", None, TypeError, "min_support is None, which is not an integer."),
        ("min_length", 0, ValueError, "min_length is 0, and the least is 1."),
        ("min_length", "2", TypeError, "min_length is '2', which is not an integer."),
        ("max_length", 1, ValueError, "max_length is 1, and the least is 2, which is min_length."),
        ("max_length", 2.0, TypeError, "max_length is 2.0, which is not an integer or None."),
        ("max_gap", -1, ValueError, "max_gap is -1, and the least is 0."),
        ("max_gap", False, TypeError, "max_gap is False, which is not an integer or None."),
        ("max_patterns", 0, ValueError, "max_patterns is 0, and the least is 1."),
        ("max_patterns", None, TypeError, "max_patterns is None, which is not an integer."),
        ("closure", "left", ValueError, "closure is 'left', none of 'both', 'forward'."),
        ("algorithm", "spade", ValueError, "algorithm is 'spade', none of 'bide', 'prefixspan'."),
    ],
)
def test_bad_parameters(name, value, error, message):
    kwargs = {"min_support": 2, "min_length": 2, name: value}
    with pytest.raises(error) as caught:
        closed_sequences(["abc", "abd", "abe"], **kwargs)
    assert message in str(caught.value)


@pytest.mark.parametrize("kwargs", [{"max_gap": 0}, {"max_gap": 3}, {"closure": "forward"}])
def test_prefixspan_has_no_gap_and_one_closure(kwargs):
    with pytest.raises(ValueError, match=r'algorithm="prefixspan" has neither .*"bide"'):
        closed_sequences(["ab"], 1, algorithm="prefixspan", **kwargs)


def test_prefixspan_is_an_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "prefixspan", None)
    with pytest.raises(MissingExtraError, match=r"skspeech\[prefixspan\]"):
        closed_sequences(["ab"], 1, algorithm="prefixspan")


@pytest.mark.parametrize(
    ("sequences", "error", "message"),
    [
        ([], ValueError, "There are no sequences."),
        ("abc", TypeError, "sequences is no collection of sequences but str."),
        (b"abc", TypeError, "sequences is no collection of sequences but bytes."),
        ({"a": "b"}, TypeError, "sequences is no collection of sequences but dict."),
        (3, TypeError, "sequences is no collection of sequences but int."),
        (None, TypeError, "sequences is no collection of sequences but NoneType."),
        (np.array(3), TypeError, "sequences is no collection of sequences but ndarray."),
        (pd.DataFrame({"ab": [1]}), TypeError, "no collection of sequences but DataFrame."),
        ([np.zeros(2, "m8[ns]")], TypeError, "sequences[0] is an array of timedelta64[ns]."),
        ([[np.timedelta64(1, "s")]], TypeError, "sequences[0][0] is np.timedelta64(1,'s'), nei"),
        ([1, 2, 3], TypeError, "sequences[0] is no sequence but int."),
        (np.arange(3), TypeError, "sequences[0] is no sequence but int64."),
        (["ab", None], TypeError, "sequences[1] is no sequence but NoneType."),
        (["ab", {"a"}], TypeError, "sequences[1] is no sequence but set."),
        (["ab", ""], ValueError, "sequences[1] is empty. Remove it."),
        ([[], [1]], ValueError, "sequences[0] is empty. Remove it."),
        ([np.zeros((2, 3), int)], ValueError, "sequences[0] is an array of shape (2, 3)."),
        ([np.array(3)], ValueError, "sequences[0] is an array of shape ()."),
        ([[1], [2, 3.0]], TypeError, "sequences[1][1] is 3.0, neither an integer nor a string"),
        ([np.ones(2)], TypeError, "sequences[0][0] is 1.0, neither an integer nor a string"),
        ([[1], [2, None]], TypeError, "sequences[1][1] is None, neither"),
        ([[1, True]], TypeError, "sequences[0][1] is True, neither"),
        ([np.array([True])], TypeError, "sequences[0][0] is True, neither"),
        ([["a"], ["b", ("c",)]], TypeError, "sequences[1][1] is ('c',), neither"),
        ([[1], [[1]]], TypeError, "sequences[1][0] is [1], neither"),
        ([["a", "b"], ["c", 1]], TypeError, "sequences[1][1] is 1, an integer, where"),
        ([[1], [2, "b"]], TypeError, "sequences[1][1] is 'b', a string, where"),
    ],
)
def test_bad_sequences(sequences, error, message):
    with pytest.raises(error) as caught:
        closed_sequences(sequences, 1)
    assert message in str(caught.value)
    assert str(caught.value).endswith(".")


class Note(str, Enum):  # noqa: UP042 - a StrEnum's str() is its value
    DO = "do"
    RE = "re"


def test_members_of_an_enum_are_their_strings():
    assert closed_sequences([[Note.DO, Note.RE]], 1) == [(("do", "re"), 1)]


def test_prefixspan_cannot_recurse_for_ever():
    pytest.importorskip("prefixspan")
    with pytest.raises(ValueError, match="Use algorithm='bide'"):
        closed_sequences([[7] * 1200] * 2, 2, algorithm="prefixspan")
