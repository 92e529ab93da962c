"""What a promise breaks on is cut down to what it takes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skspeech.testing import make_recordings
from skspeech.testing.answers import arrays_of
from skspeech.testing.smallest import assert_kept, pieces_of, recordings_of, smallest

LENGTHS = {
    "waveform": lambda x: x.shape[-1],
    "spectrogram": lambda x: x.shape[-1],
    "pitch": len,
    "video": len,
    "frame_targets": len,
    "contour": len,
}


def holds(*wanted):
    """Break where all of these places are there, each with as many frames as said."""

    def broken(pieces):
        lengths = {piece.place: len(piece.recording) for piece in pieces}
        return "there" if all(lengths.get(i, 0) >= n for i, n in wanted) else None

    return broken


@given(st.dictionaries(st.integers(0, 11), st.integers(1, 20), min_size=1))
def test_nothing_more_than_what_it_takes(wanted):
    pieces = pieces_of(np.zeros((12, 20)))
    found = smallest(pieces, "waveform", holds(*wanted.items()))
    assert {piece.place: len(piece.recording) for piece in found} == wanted
    assert [piece.place for piece in found] == sorted(wanted), "in the order of before"


def test_few_questions():
    asked = []

    def broken(pieces):
        asked.append(len(pieces))
        return holds((3, 40), (8, 1))(pieces)

    smallest(pieces_of(np.zeros((13, 1000))), "waveform", broken)
    assert len(asked) < 40


@pytest.mark.parametrize("kind", LENGTHS)
def test_names_say_how_to_get_the_pieces(kind):
    X = make_recordings(kind)
    length = LENGTHS[kind]
    found = smallest(
        pieces_of(X),
        kind,
        lambda pieces: "long" if sum(length(p.recording) for p in pieces) > 30 else None,
    )
    assert sum(length(piece.recording) for piece in found) == 31
    for piece in found:
        again = eval(piece.name, {"X": X})
        assert length(again) == length(piece.recording)
        assert [part.shape for part in arrays_of(again)] == [
            part.shape for part in arrays_of(piece.recording)
        ]


def test_files_are_left_out_but_not_shortened():
    X = make_recordings("path", 5)
    (piece,) = smallest(
        pieces_of(X), "path", lambda pieces: "odd" if 3 in {p.place for p in pieces} else None
    )
    assert (piece.name, piece.recording) == ("X[3]", X[3])
    assert recordings_of([piece]).tolist() == [X[3]]


def test_an_error_on_the_way_is_another_matter():
    def broken(pieces):
        if len(pieces) < 4:
            raise ValueError("too few")
        return "broken"

    assert len(smallest(pieces_of(np.zeros((12, 9))), "waveform", broken)) == 4


def test_what_was_asked_first_may_raise():
    def broken(pieces):
        raise ValueError("no answer")

    with pytest.raises(ValueError, match="no answer"):
        assert_kept("a promise", pieces_of(np.zeros((2, 9))), "waveform", broken)


def test_the_message():
    def broken(pieces):
        return f"{len(pieces)} came" if len(pieces) > 1 else None

    with pytest.raises(AssertionError) as caught:
        assert_kept("nobody comes", pieces_of(np.zeros((9, 5, 30))), "spectrogram", broken)
    assert str(caught.value) == (
        "nobody comes, but 9 came.\nThe smallest input that shows it, where "
        "X = make_recordings('spectrogram'), is [X[1][..., :1], X[2][..., :1]], of shape (5, 1) "
        "and shape (5, 1): 2 came."
    )


def test_a_promise_that_is_kept():
    assert_kept("nothing", pieces_of(np.zeros((2, 9))), "waveform", lambda pieces: None)
