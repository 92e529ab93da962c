"""What is held out: whole speakers, never the last recording of a class."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skspeech.training.validation import hold_out

PROPERTY = settings(deadline=None, max_examples=100)


def choose(labels, groups=None, *, validation="auto", fraction=0.2, seed=0):
    return hold_out(
        np.asarray(labels),
        None if groups is None else np.asarray(groups),
        validation=validation,
        fraction=fraction,
        rng=np.random.RandomState(seed),
    )


def kept_labels(labels, part):
    return set(np.delete(labels, part.indices).tolist())


@st.composite
def labelled_speakers(draw):
    n = draw(st.integers(1, 40))
    labels = draw(st.lists(st.integers(0, 3), min_size=n, max_size=n))
    groups = draw(st.lists(st.integers(0, 6), min_size=n, max_size=n))
    if draw(st.booleans()):
        groups = [f"speaker {group}" for group in groups]
    return np.unique(labels, return_inverse=True)[1], np.array(groups)


FRACTIONS = st.floats(0.01, 0.99)


@PROPERTY
@given(labelled_speakers(), FRACTIONS, st.integers(0, 99))
def test_auto_with_groups(recordings, fraction, seed):
    labels, groups = recordings
    part = choose(labels, groups, fraction=fraction, seed=seed)
    held = np.zeros(len(labels), dtype=bool)
    held[part.indices] = True
    assert held.sum() == len(part.indices), "no recording is held out twice"
    assert kept_labels(labels, part) == set(labels.tolist()), "no class vanishes"
    if part.method == "speaker":
        assert set(groups[held]) == set(part.speakers)
        assert not set(groups[held]) & set(groups[~held]), "speakers are held out whole"
        if held.sum() < fraction * len(labels):  # then nobody else could be taken
            for speaker in set(groups[~held]):
                left = labels[~held & (groups != speaker)]
                assert set(left.tolist()) < set(labels.tolist())
    else:
        assert part.speakers == ()


@PROPERTY
@given(labelled_speakers(), FRACTIONS, st.integers(0, 99))
def test_auto_without_groups(recordings, fraction, seed):
    labels, _ = recordings
    part = choose(labels, fraction=fraction, seed=seed)
    assert part.method in ("stratified", None)
    assert kept_labels(labels, part) == set(labels.tolist())
    assert np.all(np.diff(part.indices) > 0)
    if part.method == "stratified":
        assert len(part.indices) == int(np.ceil(fraction * len(labels)))
    else:
        assert len(part.indices) == 0


def test_stratified_keeps_the_proportions():
    labels = np.repeat([0, 1], [80, 20])
    part = choose(labels, validation="stratified", fraction=0.25)
    assert np.bincount(labels[part.indices]).tolist() == [20, 5]


def test_same_seed_same_part():
    labels, groups = np.tile([0, 1], 20), np.repeat(range(8), 5)
    for given_groups in (groups, None):
        parts = [choose(labels, given_groups, seed=seed).indices.tolist() for seed in (0, 0)]
        assert parts[0] == parts[1]
        others = [choose(labels, given_groups, seed=seed).indices.tolist() for seed in range(9)]
        assert any(other != parts[0] for other in others)


def test_fraction_is_reached_with_whole_speakers():
    labels, groups = np.tile([0, 1], 50), np.repeat(range(10), 10)
    for fraction, n_speakers in ((0.01, 1), (0.1, 1), (0.15, 2), (0.5, 5), (0.99, 9)):
        part = choose(labels, groups, validation="speaker", fraction=fraction)
        assert (part.method, len(part.speakers)) == ("speaker", n_speakers)
        assert len(part.indices) == 10 * n_speakers


def test_speaker_who_alone_has_a_class_stays():
    labels = np.array([0, 1, 0, 1, 2, 2])
    groups = np.array(["Ann", "Ann", "Bob", "Bob", "Cid", "Cid"])
    for seed in range(20):
        part = choose(labels, groups, validation="speaker", fraction=0.3, seed=seed)
        assert part.speakers in (("Ann",), ("Bob",))


def test_groups_may_be_a_list_of_strings_or_integers():
    labels = np.tile([0, 1], 10)
    by_name = choose(labels, np.repeat(["a", "b", "c", "d"], 5))
    by_number = choose(labels, np.repeat([3, 5, 7, 9], 5))
    assert by_name.indices.tolist() == by_number.indices.tolist()
    assert by_name.method == by_number.method == "speaker"


def test_one_speaker_cannot_be_held_out():
    labels, groups = np.tile([0, 1], 20), np.zeros(40, dtype=int)
    part = choose(labels, groups)
    assert (part.method, part.speakers, len(part.indices)) == ("stratified", (), 8)
    with pytest.raises(ValueError, match="No speaker can be held out"):
        choose(labels, groups, validation="speaker")


def test_groups_do_not_change_a_stratified_part():
    labels, groups = np.tile([0, 1], 20), np.repeat(range(8), 5)
    part = choose(labels, groups, validation="stratified")
    assert part.method == "stratified"
    assert part.indices.tolist() == choose(labels, validation="stratified").indices.tolist()


def test_speaker_without_groups_is_an_error():
    with pytest.raises(ValueError, match="pass groups to fit"):
        choose([0, 1] * 10, validation="speaker")


@pytest.mark.parametrize("labels", [[0, 0, 0, 1], [0, 1], [0]], ids=["lone class", "two", "one"])
def test_what_is_too_little_for_stratified(labels):
    assert choose(labels).method is None
    with pytest.raises(ValueError, match="too few for a stratified"):
        choose(labels, validation="stratified")


def test_none_holds_nothing_out():
    part = choose([0, 1] * 20, np.repeat(range(8), 5), validation=None)
    assert (part.method, part.indices.tolist(), part.speakers) == (None, [], ())


def test_one_class_still_has_a_validation_part():
    part = choose(np.zeros(20, dtype=int))
    assert (part.method, len(part.indices)) == ("stratified", 4)
