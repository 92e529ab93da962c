"""What is held out: whole speakers that cover the classes, never the last of a class."""

from itertools import combinations
from time import perf_counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import LeaveOneGroupOut, PredefinedSplit

from skspeech.training.validation import hold_out, hold_out_unlabelled

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


def speakers_of(labels, groups):
    """The speakers that each class has."""
    return {label: set(groups[labels == label].tolist()) for label in set(labels.tolist())}


def good_sets(labels, groups):
    """Every set of speakers that may be held out, by trying all: its size."""
    spoken = speakers_of(labels, groups)
    coverable = [speakers for speakers in spoken.values() if len(speakers) > 1]
    if len(coverable) < min(2, len(spoken)):
        return
    everybody = sorted(set(groups.tolist()))
    for n in range(1, len(everybody)):
        for chosen in map(set, combinations(everybody, n)):
            size = np.isin(groups, list(chosen)).sum()
            if (
                2 * size <= len(groups)
                and all(chosen & speakers for speakers in coverable)
                and all(speakers - chosen for speakers in spoken.values())
            ):
                yield size


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
        assert held.sum() <= (~held).sum(), "never more held than kept"
        coverable = {c for c, speakers in speakers_of(labels, groups).items() if len(speakers) > 1}
        assert set(labels[held].tolist()) == coverable
        assert len(coverable) >= min(2, len(set(labels.tolist())))
    else:
        assert part.speakers == ()
        if len(set(groups.tolist())) > 1:
            assert (part.method, len(part.indices)) == (None, 0), "speakers do not leak"
    if part.method is None:
        assert part.reason
        assert part.reason in repr(part)


@PROPERTY
@given(labelled_speakers(), FRACTIONS, st.integers(0, 99))
def test_speakers_are_held_out_where_they_can_be(recordings, fraction, seed):
    labels, groups = recordings
    if any(True for _ in good_sets(labels, groups)):
        part = choose(labels, groups, validation="speaker", fraction=fraction, seed=seed)
        assert part.method == "speaker"
    else:
        with pytest.raises(ValueError, match="No speaker can be held out"):
            choose(labels, groups, validation="speaker", fraction=fraction, seed=seed)


@PROPERTY
@given(labelled_speakers(), FRACTIONS, st.integers(0, 99))
def test_same_seed_same_speakers(recordings, fraction, seed):
    parts = [choose(*recordings, fraction=fraction, seed=seed) for _ in range(2)]
    assert repr(parts[0]) == repr(parts[1])


@PROPERTY
@given(st.lists(st.integers(1, 90), min_size=2, max_size=7), FRACTIONS, st.integers(0, 99))
def test_no_speaker_less_comes_nearer_to_the_fraction(sizes, fraction, seed):
    groups = np.repeat(range(len(sizes)), sizes)
    part = choose(np.zeros(len(groups), dtype=int), groups, fraction=fraction, seed=seed)
    size, target = len(part.indices), fraction * len(groups)
    for speaker in part.speakers[1:] and part.speakers:
        assert abs(size - sizes[speaker] - target) >= abs(size - target)


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


def test_fraction_is_met_with_whole_speakers():
    labels, groups = np.tile([0, 1], 50), np.repeat(range(10), 10)
    # the nearest number of speakers, of two the larger, at most half of the recordings
    for fraction, n_speakers in ((0.01, 1), (0.1, 1), (0.12, 1), (0.15, 2), (0.5, 5), (0.99, 5)):
        part = choose(labels, groups, validation="speaker", fraction=fraction)
        assert (part.method, len(part.speakers)) == ("speaker", n_speakers)
        assert len(part.indices) == 10 * n_speakers


@pytest.mark.parametrize("n_classes", [2, 5])
def test_speakers_of_one_label_each_cover_every_class(n_classes):
    groups = np.repeat(range(10), 10)
    labels = groups % n_classes
    for seed in range(20):
        part = choose(labels, groups, fraction=0.1, seed=seed)
        assert set(labels[part.indices]) == set(range(n_classes))
        assert len(part.speakers) == n_classes, "more than the fraction, but no more than needed"


def test_a_speaker_with_most_of_the_recordings_stays():
    groups = np.repeat(["Ann", "Bob", "Cid"], [9, 85, 6])
    labels = np.arange(100) % 2
    for seed in range(20):
        part = choose(labels, groups, fraction=0.1, seed=seed)
        assert part.speakers == ("Ann",), "9 is nearer to 10 than 6 and 15"


def test_two_speakers_of_one_size_may_be_parted():
    part = choose(np.tile([0, 1], 6), np.repeat(["Ann", "Bob"], 6), validation="speaker")
    assert len(part.indices) == 6


def test_nothing_is_held_out_where_most_would_have_to_be():
    labels = np.array([0, 1] * 20 + [0, 1] * 2 + [2] * 4)  # class 2 is Bob's alone
    groups = np.repeat(["Ann", "Bob"], [40, 8])
    part = choose(labels, groups)
    assert (part.method, len(part.indices)) == (None, 0)
    assert "at most half" in part.reason
    with pytest.raises(ValueError, match="at most half"):
        choose(labels, groups, validation="speaker")


def test_groups_that_are_the_labels_hold_nothing_out():
    labels = np.repeat(range(4), 10)
    part = choose(labels, labels)
    assert (part.method, part.speakers, part.indices.tolist()) == (None, (), [])
    assert "two speakers" in part.reason
    with pytest.raises(ValueError, match=r"two speakers.*stratified.*None"):
        choose(labels, labels, validation="speaker")


def test_speaker_who_alone_has_a_class_stays():
    labels = np.array([0, 1, 0, 1, 2, 2])
    groups = np.array(["Ann", "Ann", "Bob", "Bob", "Cid", "Cid"])
    for seed in range(20):
        part = choose(labels, groups, validation="speaker", fraction=0.3, seed=seed)
        assert part.speakers in (("Ann",), ("Bob",))
        assert "1 of 3 classes" in part.reason, "the user can see what is not judged"


def test_one_class_that_can_be_covered_is_too_little():
    labels = np.array([0, 1, 0, 0, 0, 0])
    groups = np.array(["Ann", "Ann", "Bob", "Bob", "Cid", "Cid"])
    assert choose(labels, groups).method is None
    assert choose(np.zeros(6, dtype=int), groups).method == "speaker", "unless there is only one"


def test_many_recordings_are_quick():
    rng = np.random.RandomState(0)
    labels, groups = rng.randint(10, size=10_000), rng.randint(1000, size=10_000)
    start = perf_counter()
    part = choose(labels, groups, fraction=0.1)
    assert perf_counter() - start < 5
    assert abs(len(part.indices) - 1000) <= 1


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


def test_splitter_holds_out_its_first_test_part():
    held = np.array([3, 0, 7])
    fold = np.full(20, -1)
    fold[held] = 0
    part = choose([0, 1] * 10, np.repeat(range(4), 5), validation=PredefinedSplit(fold))
    assert (part.method, part.indices.tolist(), part.speakers) == ("split", [0, 3, 7], ())


def test_splitter_gets_groups_and_names_who_is_held_out_whole():
    groups = np.repeat(["Ann", "Bob", "Cid"], 6)
    part = choose([0, 1] * 9, groups, validation=LeaveOneGroupOut())
    assert (part.speakers, part.indices.tolist()) == (("Ann",), list(range(6)))


@pytest.mark.parametrize(
    ("fold", "problem"),
    [
        ([-1] * 6, r"PredefinedSplit\(\) holds nothing out of these 6 recordings"),
        ([0, -1] * 3, "holds out every recording of a class"),
    ],
)
def test_splitter_that_leaves_nothing_is_refused(fold, problem):
    with pytest.raises(ValueError, match=problem):
        choose([0, 1] * 3, validation=PredefinedSplit(fold))


# Without classes


def choose_unlabelled(n_recordings, groups=None, *, validation="auto", fraction=0.2, seed=0):
    return hold_out_unlabelled(
        n_recordings,
        None if groups is None else np.asarray(groups),
        validation=validation,
        fraction=fraction,
        rng=np.random.RandomState(seed),
    )


@PROPERTY
@given(st.integers(1, 50), FRACTIONS, st.integers(0, 100), st.sampled_from(["auto", "random"]))
def test_recordings_are_drawn_at_random(n_recordings, fraction, seed, validation):
    n_held = int(np.ceil(fraction * n_recordings))
    options = {"validation": validation, "fraction": fraction, "seed": seed}
    if n_held < n_recordings:
        part = choose_unlabelled(n_recordings, **options)
        held = part.indices.tolist()
        assert (part.method, len(held), part.speakers) == ("random", n_held, ())
        assert (
            held == sorted(set(held)) == choose_unlabelled(n_recordings, **options).indices.tolist()
        )
        assert set(held) <= set(range(n_recordings))
    elif validation == "auto":
        part = choose_unlabelled(n_recordings, **options)
        assert (part.method, len(part.indices)) == (None, 0)
        assert "too few" in part.reason
    else:
        with pytest.raises(ValueError, match=r"too few.*Choose validation=None"):
            choose_unlabelled(n_recordings, **options)


def test_another_seed_draws_others():
    parts = {tuple(choose_unlabelled(40, seed=seed).indices) for seed in range(5)}
    assert len(parts) == 5


@PROPERTY
@given(st.lists(st.integers(0, 5), min_size=1, max_size=30), FRACTIONS, st.integers(0, 100))
def test_speakers_of_recordings_without_classes(groups, fraction, seed):
    groups = np.array([f"speaker {group}" for group in groups])
    part = choose_unlabelled(len(groups), groups, fraction=fraction, seed=seed)
    if len(set(groups)) == 1:
        assert part.method in ("random", None)
        return
    assert part.method == "speaker"  # the smaller half of them can always go
    assert part.reason == ""
    held = set(part.speakers)
    assert 0 < len(part.indices) <= len(groups) / 2
    assert part.indices.tolist() == np.flatnonzero(np.isin(groups, list(held))).tolist()
    asked = choose_unlabelled(
        len(groups), groups, fraction=fraction, seed=seed, validation="speaker"
    )
    assert asked.indices.tolist() == part.indices.tolist()


def test_random_does_not_look_at_groups():
    with_groups = choose_unlabelled(9, [0, 1, 2] * 3, validation="random")
    assert with_groups.method == "random"
    assert (
        with_groups.indices.tolist() == choose_unlabelled(9, validation="random").indices.tolist()
    )


@pytest.mark.parametrize("groups", [None, [7] * 5], ids=["no groups", "one speaker"])
def test_speakers_that_there_are_not_are_random_without_classes(groups):
    with pytest.raises(ValueError, match=r'choose validation="random".* or None'):
        choose_unlabelled(5, groups, validation="speaker")
    wanted = r'choose validation="stratified".* or None'
    with pytest.raises(ValueError, match=wanted):
        choose([0, 1, 0, 1, 0], groups, validation="speaker")


def test_none_and_splitters_without_classes():
    assert choose_unlabelled(5, validation=None).method is None
    part = choose_unlabelled(5, validation=PredefinedSplit([0, -1, 0, -1, -1]))
    assert (part.method, part.indices.tolist()) == ("split", [0, 2])
    part = choose_unlabelled(4, ["a", "a", "b", "b"], validation=LeaveOneGroupOut())
    assert part.speakers == ("a",)
    with pytest.raises(ValueError, match=r"holds out every recording\. Choose a splitter"):
        choose_unlabelled(2, validation=PredefinedSplit([0, 0]))
