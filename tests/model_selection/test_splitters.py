"""The papers' splits: no speaker on two sides, everybody tested who should be."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import LeaveOneGroupOut, ShuffleSplit, cross_val_score

from skspeech.model_selection import (
    LeaveOneSessionOut,
    LeaveOneSpeakerOut,
    SpeakerShuffleSplit,
    ValidateOnTest,
)

SESSIONS = {f"Ses0{i}{sex}": i for i in range(1, 6) for sex in "FM"}
SPEAKERS = np.repeat(list(SESSIONS), 3)

groups_of_some = st.integers(3, 8).flatmap(
    lambda n: st.lists(st.integers(0, n - 1), min_size=n, max_size=40).map(
        lambda drawn: np.array([*range(n), *drawn])
    )
)


def folds(splitter, groups):
    return list(splitter.split_with_validation(groups, None, groups))


@given(
    groups=groups_of_some,
    n_validation=st.integers(0, 1),
    seed=st.one_of(st.none(), st.integers(0, 9)),
    shuffle=st.booleans(),
)
def test_no_speaker_is_on_two_sides_and_no_recording_is_lost(groups, n_validation, seed, shuffle):
    if shuffle:
        splitter = SpeakerShuffleSplit(
            n_splits=3, n_test=1, n_validation=n_validation, random_state=seed
        )
    else:
        splitter = LeaveOneSpeakerOut(n_validation=n_validation, random_state=seed)
    found = folds(splitter, groups)
    assert len(found) == splitter.get_n_splits(groups, None, groups)
    for parts in found:
        spoken = [set(groups[part]) for part in parts]
        assert not spoken[0] & spoken[1]
        assert not (spoken[0] | spoken[1]) & spoken[2]
        assert sorted(np.concatenate(parts)) == list(range(len(groups)))
        assert [len(speakers) for speakers in spoken[1:]] == [n_validation, 1]


def test_leave_one_speaker_out_is_scikit_learns_without_validation():
    wanted = LeaveOneGroupOut().split(SPEAKERS, None, SPEAKERS)
    found = LeaveOneSpeakerOut().split(SPEAKERS, None, SPEAKERS)
    for parts, others in zip(found, wanted, strict=True):
        for part, other in zip(parts, others, strict=True):
            np.testing.assert_array_equal(part, other)


def test_eight_one_one():
    for train, validation, test in folds(LeaveOneSpeakerOut(n_validation=1), SPEAKERS):
        assert [len(set(SPEAKERS[part])) for part in (train, validation, test)] == [8, 1, 1]
    judges = [set(SPEAKERS[v]) for _, v, _ in folds(LeaveOneSpeakerOut(n_validation=1), SPEAKERS)]
    assert len(set(map(tuple, judges))) == 10, "everybody chooses an epoch once"


def test_order_drawn_is_the_same_for_the_same_seed_and_another_for_another():
    def judges(seed):
        splitter = LeaveOneSpeakerOut(n_validation=1, random_state=seed)
        return [SPEAKERS[part[1][0]] for part in folds(splitter, SPEAKERS)]

    assert judges(0) == judges(0) != judges(1)


def test_leave_one_session_out_tests_both_of_a_session():
    found = folds(LeaveOneSessionOut(sessions=SESSIONS), SPEAKERS)
    assert len(found) == 10
    tested = set()
    for train, validation, test in found:
        (tester,), (judge,) = set(SPEAKERS[test]), set(SPEAKERS[validation])
        assert SESSIONS[tester] == SESSIONS[judge]
        assert tester != judge
        assert {SESSIONS[speaker] for speaker in SPEAKERS[train]} == set(range(1, 6)) - {
            SESSIONS[tester]
        }
        tested.add(tester)
    assert tested == set(SESSIONS)


def test_sessions_must_know_every_speaker():
    with pytest.raises(ValueError, match=r"session of speaker 'Zoe'"):
        folds(LeaveOneSessionOut(sessions=SESSIONS), np.array(["Zoe", "Ses01F"]))


def test_eight_train_two_test():
    ((train, _, test),) = folds(SpeakerShuffleSplit(n_test=2, random_state=0), SPEAKERS)
    assert [len(set(SPEAKERS[part])) for part in (train, test)] == [8, 2]


def test_as_printed_the_test_part_chooses_the_epoch():
    splitter = ValidateOnTest(splitter=ShuffleSplit(3, test_size=0.2, random_state=0))
    for train, validation, test in splitter.split_with_validation(SPEAKERS):
        np.testing.assert_array_equal(validation, test)
        assert len(train) == 24
    assert splitter.get_n_splits() == 3


def test_validation_speakers_are_in_neither_part_of_split():
    splitter = LeaveOneSpeakerOut(n_validation=1)
    for parts, (train, _, test) in zip(
        splitter.split(SPEAKERS, None, SPEAKERS), folds(splitter, SPEAKERS), strict=True
    ):
        np.testing.assert_array_equal(parts[0], train)
        np.testing.assert_array_equal(parts[1], test)


@pytest.mark.parametrize(
    "splitter",
    [
        LeaveOneSpeakerOut(n_validation=1),
        LeaveOneSessionOut(sessions=SESSIONS),
        SpeakerShuffleSplit(n_splits=2),
        ValidateOnTest(splitter=SpeakerShuffleSplit(n_splits=2)),
    ],
    ids=repr,
)
def test_they_go_into_cross_val_score(splitter):
    X, y = np.arange(30.0)[:, None], np.tile(["low", "high", "high"], 10)
    scores = cross_val_score(LogisticRegression(), X, y, groups=SPEAKERS, cv=splitter)
    assert len(scores) == splitter.get_n_splits(X, y, SPEAKERS)


@pytest.mark.parametrize(
    ("splitter", "groups", "problem"),
    [
        (LeaveOneSpeakerOut(), None, "LeaveOneSpeakerOut splits by speaker: pass groups"),
        (LeaveOneSpeakerOut(n_validation=-1), SPEAKERS, "n_validation must be an integer of 0"),
        (LeaveOneSpeakerOut(n_validation=9), SPEAKERS, "leaves none of 10 speakers to train on"),
        (SpeakerShuffleSplit(n_test=0), SPEAKERS, "n_test must be an integer of 1 or more"),
        (SpeakerShuffleSplit(n_test=10), SPEAKERS, "leaves none of 10 speakers"),
        (SpeakerShuffleSplit(n_splits=0), SPEAKERS, "n_splits must be"),
    ],
)
def test_what_cannot_be_split(splitter, groups, problem):
    with pytest.raises(ValueError, match=problem):
        list(splitter.split(SPEAKERS, None, groups))
