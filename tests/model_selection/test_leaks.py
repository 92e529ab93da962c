"""The same sound on both sides of a split: what is found, where, in which folds, what is not."""

import io
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, KFold, LeaveOneGroupOut, StratifiedKFold

from skspeech.datasets import load_voice_prompts, make_emotional_speech
from skspeech.exceptions import LeakageWarning, RecordingError
from skspeech.model_selection import (
    Leak,
    LeaveOneSpeakerOut,
    ValidateOnTest,
    cross_validate_speakers,
    find_leaks,
)
from skspeech.recordings import RecordingSequence, object_array

RATE = 16_000


@pytest.fixture(scope="module")
def speech():
    return make_emotional_speech(4, 3, emotions=("anger", "sadness"), random_state=0)


def planted(recordings, donor, host, start, duration, at, change=lambda excerpt: excerpt):
    """Return the recordings with an excerpt of one of them put into another."""
    recordings = list(recordings)
    begin, n = round(start * RATE), round(duration * RATE)
    excerpt = change(recordings[donor][begin : begin + n])
    place = round(at * RATE)
    parts = recordings[host][:place], excerpt, recordings[host][place:]
    recordings[host] = np.concatenate(parts).astype(np.float32)
    return recordings


def rounded(waveform, bits=16):
    return np.rint(waveform * 2 ** (bits - 1)) / 2 ** (bits - 1)


def pairs(leaks):
    return [(leak.first, leak.second) for leak in leaks]


def test_there_is_none_in_honest_recordings(speech):
    assert find_leaks(speech.data) == []
    prompts = load_voice_prompts()
    assert find_leaks(prompts.data, sample_rate=prompts.sample_rate) == []


CONTAINERS = {
    "list": list,
    "tuple": tuple,
    "object_array": object_array,
    "sequence": lambda data: RecordingSequence(list(data)),
    "float64": lambda data: [x.astype(np.float64) for x in data],
    "bags": lambda data: [[x[:4000], x[4000:]] for x in data],
}


@pytest.mark.parametrize("container", CONTAINERS)
def test_copies_are_found_in_any_container(speech, container):
    data = [*speech.data, speech.data[2].copy(), speech.data[5]]
    leaks = find_leaks(CONTAINERS[container](data), min_duration=None)
    n_segments = 2 if container == "bags" else 1
    assert pairs(leaks) == [(2, 24)] * n_segments + [(5, 25)] * n_segments
    assert {leak.kind for leak in leaks} == {"copy"}
    lengths = [len(data[2])] if n_segments == 1 else [4000, len(data[2]) - 4000]
    assert [leak.duration for leak in leaks[:n_segments]] == [n / RATE for n in lengths]
    assert [leak.second_segment for leak in leaks[:n_segments]] == list(range(n_segments))


def test_a_table_of_waveforms_and_a_recording_of_integers():
    table = np.random.default_rng(0).integers(-99, 99, (4, 6000))
    table[3] = table[1]
    for X in (table, table.tolist(), list(table.astype(np.int16)), table.astype(float)):
        (leak,) = find_leaks(X)
        assert leak[:2] == (1, 3)
    pandas = pytest.importorskip("pandas")
    assert pairs(find_leaks(pandas.DataFrame(table))) == [(1, 3)]


def test_spectrograms_are_compared_as_wholes():
    rng = np.random.default_rng(0)
    spectrograms = [rng.normal(size=(8, 20 + i)) for i in range(4)]
    copies = [*spectrograms, spectrograms[1].copy(), spectrograms[2][:, 1:]]
    (leak,) = find_leaks(copies)
    assert (leak.first, leak.second, leak.kind) == (1, 4, "copy")
    assert np.isnan(leak.duration)
    assert pairs(find_leaks([[s, s + 1] for s in copies])) == [(1, 4)] * 2


CHANGES = {
    "as_it_is": lambda excerpt: excerpt,
    "softer": lambda excerpt: rounded(0.1 * excerpt),
    "turned_round": lambda excerpt: -excerpt,
    "with_a_constant": lambda excerpt: rounded(0.5 * excerpt + 0.1),
    "8_bits": lambda excerpt: rounded(0.9 * excerpt / np.abs(excerpt).max(), 8),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("duration", [0.25, 0.6])
def test_excerpts_are_found(speech, change, duration):
    X = planted(speech.data, 3, 20, 0.3, duration, 0.50009, CHANGES[change])
    (leak,) = find_leaks(X)
    assert (leak.first, leak.second, leak.kind) == (3, 20, "excerpt")
    assert leak.first_start == pytest.approx(0.3, abs=0.03)
    assert leak.second_start - leak.first_start == pytest.approx(0.20009, abs=1.01 / RATE)
    assert leak.duration == pytest.approx(duration, abs=0.05)
    sign = -1 if change == "turned_round" else 1
    assert 0.9 <= sign * leak.correlation <= 1 + 1e-6


def test_excerpts_are_found_after_mp3(speech):
    soundfile = pytest.importorskip("soundfile")
    buffer = io.BytesIO()
    soundfile.write(buffer, speech.data[3], RATE, format="MP3")
    buffer.seek(0)
    compressed = soundfile.read(buffer, dtype="float32")[0][4000:]
    (leak,) = find_leaks([*speech.data, compressed])
    assert leak[:2] == (3, 24)
    assert leak.duration > 0.5


@settings(max_examples=15, deadline=None)
@given(
    start=st.integers(0, 8000),
    at=st.integers(0, 8000),
    gain=st.floats(0.05, 1) | st.floats(-1, -0.05),
    constant=st.floats(-0.2, 0.2),
)
def test_no_shift_gain_or_constant_hides_an_excerpt(speech, start, at, gain, constant):
    X = planted(
        [speech.data[0], speech.data[9]],
        *(0, 1, start / RATE, 0.4, at / RATE),
        lambda excerpt: rounded(gain * excerpt + constant),
    )
    leaks = find_leaks(X)
    assert sum(leak.duration for leak in leaks) == pytest.approx(0.4, abs=0.1)
    for leak in leaks:
        shift = round((leak.second_start - leak.first_start) * RATE)
        assert abs(shift - (at - start)) <= 1


def test_what_is_shorter_is_left_out(speech):
    X = planted(speech.data, 3, 20, 0.3, 0.3, 0.5)
    assert len(find_leaks(X)) == 1
    assert find_leaks(X, min_duration=0.5) == []
    assert len(find_leaks(planted(speech.data, 3, 20, 0.3, 0.12, 0.5), min_duration=0.1)) == 1


def test_cuts_of_one_recording_that_overlap(speech):
    song = np.concatenate(list(speech.data[:6]))
    cuts = [song[begin : begin + 12_000] for begin in range(0, 48_000, 6000)]
    assert pairs(find_leaks(cuts)) == [(i, i + 1) for i in range(7)]
    leaks = find_leaks(cuts, groups=[0, 0, 0, 0, 1, 1, 1, 1])
    assert pairs(leaks) == [(3, 4)]
    assert leaks[0].first_start == pytest.approx(6000 / RATE, abs=0.01)
    assert leaks[0].second_start == pytest.approx(0, abs=0.01)
    assert leaks[0].duration == pytest.approx(6000 / RATE, abs=0.02)


def test_segments_of_bags_are_named(speech):
    X = [[speech.data[i], speech.data[i + 1]] for i in range(0, 12, 2)]
    X[4][1] = np.concatenate([X[4][1], X[0][0][3000:9000]])
    (leak,) = find_leaks(X)
    assert (leak.first, leak.first_segment) == (0, 0)
    assert (leak.second, leak.second_segment) == (4, 1)
    assert find_leaks([[X[0][0], X[0][0]], X[1]]) == []  # within a recording there is no leak


def test_an_excerpt_of_what_has_copies_is_told_of_each(speech):
    X = planted([*speech.data[:6], speech.data[3]], 3, 1, 0.3, 0.5, 0.2)
    leaks = find_leaks(X)
    assert pairs(leaks) == [(1, 3), (1, 6), (3, 6)]
    assert [leak.kind for leak in leaks] == ["excerpt", "excerpt", "copy"]
    assert pairs(find_leaks(X, groups=[0, 0, 0, 0, 0, 0, 1])) == [(1, 6), (3, 6)]


def test_groups_and_folds_say_what_counts(speech):
    X = [*speech.data[:10], speech.data[0], speech.data[1]]
    groups = [*"aabbccddee", "b", "a"]
    assert pairs(find_leaks(X)) == [(0, 10), (1, 11)]
    assert pairs(find_leaks(X, groups)) == [(0, 10)]
    assert pairs(find_leaks(X, groups, LeaveOneGroupOut())) == [(0, 10)]
    assert pairs(find_leaks(X, groups, LeaveOneSpeakerOut(n_validation=1))) == [(0, 10)]
    (leak,) = find_leaks(X, groups, LeaveOneGroupOut())
    assert (leak.folds, leak.tested) == ((0, 1), (0, 10))  # a and b are tested
    assert find_leaks(X, groups)[0].folds == ()
    split = [(np.arange(10), [10]), (np.arange(5, 12), [1, 2]), ([11], [1])]
    found = find_leaks(X, cv=split)
    assert [(leak.folds, leak.tested) for leak in found] == [((0,), (10,)), ((1, 2), (1, 1))]


def test_a_splitter_with_labels(speech):
    X = [*speech.data[:6], *speech.data[:6]]
    y = ["a", "b"] * 6
    assert len(find_leaks(X, cv=StratifiedKFold(2), y=y, min_duration=None)) == 6
    assert find_leaks(X, cv=2, min_duration=None) == find_leaks(X, cv=KFold(2), min_duration=None)
    assert find_leaks(X, np.tile(np.arange(6), 2), GroupKFold(3)) == []


def test_a_recording_on_both_sides_is_a_leak(speech):
    (leak,) = find_leaks(speech.data[:3], cv=[([0, 1], [1, 2])])
    assert (leak.first, leak.second, leak.folds, leak.tested) == (1, 1, (0,), (1,))


def test_leaks_are_a_table(speech):
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame(find_leaks([speech.data[0], speech.data[0]]))
    assert tuple(table.columns) == Leak._fields


T = np.arange(2 * RATE) / RATE
RNG = np.random.default_rng(0)


def hum(seed):
    rng = np.random.default_rng(seed)
    tones = [np.sin(2 * np.pi * 50 * k * T + rng.uniform(0, 7)) / k for k in range(1, 9)]
    return 0.1 * sum(tones) + 1e-3 * rng.normal(size=len(T))


def later(make):
    """Return two recordings of the same sound, the second a bit later."""
    return [make(T), make(T + 0.0123)]


WITHOUT_CONTENT = {
    "silence": [np.zeros(RATE), np.zeros(RATE), np.zeros(9000)],
    "constants": [np.full(RATE, 0.25), np.full(9000, 0.25)],
    "clicks": [np.eye(1, RATE, 5000)[0], np.eye(1, RATE, 5000)[0]],
    "silence_around_sound": [np.pad(RNG.normal(size=4000), 9000) for _ in range(3)],
    "noise": [RNG.normal(size=2 * RATE) for _ in range(6)],
    "soft_noise_of_16_bits": [rounded(RNG.normal(size=2 * RATE) / 32768) for _ in range(6)],
    "tone": later(lambda t: np.sin(2 * np.pi * 443.7 * t)),
    "low_tone": later(lambda t: rounded(0.3 * np.sin(2 * np.pi * 50 * t))),
    "sawtooth": later(lambda t: (137.3 * t) % 1 - 0.5),
    "two_tones": later(lambda t: np.sin(2 * np.pi * 770 * t) + np.sin(2 * np.pi * 1336 * t)),
    "chord": later(lambda t: sum(np.sin(2 * np.pi * f * t + f) for f in (262.6, 329.6, 392, 523))),
    "hum": [hum(seed) for seed in range(6)],
}


@pytest.mark.parametrize("kind", WITHOUT_CONTENT)
def test_what_other_recordings_may_hold_too_is_no_leak(kind):
    assert find_leaks(WITHOUT_CONTENT[kind]) == []


def test_lengths_of_all_kinds(speech):
    assert find_leaks([np.ones(1), np.arange(3.0), np.arange(9.0), speech.data[0][:200]]) == []
    assert find_leaks([speech.data[0]]) == []
    assert find_leaks([np.zeros(9)] * 4, cv=2) == []


def test_recordings_read_on_access_are_read_once(speech):
    read = []
    X = RecordingSequence(range(8), lambda i: read.append(i) or speech.data[i])
    assert find_leaks(X) == []
    assert read == list(range(8))


def test_what_is_refused(speech):
    X = list(speech.data[:4])
    with pytest.raises(RecordingError, match=r"X\[1\] is no array of numbers .*AudioLoader"):
        find_leaks([X[0], "path.wav"])
    with pytest.raises(RecordingError, match=r"X\[2\] holds NaN at sample 0"):
        find_leaks([*X[:2], np.full(9, np.nan)])
    with pytest.raises(RecordingError, match=r"X\[0\] has 4 axes"):
        find_leaks([np.zeros((1, 2, 3, 4))])
    with pytest.raises(ValueError, match="sample_rate is 0"):
        find_leaks(X, sample_rate=0)
    with pytest.raises(ValueError, match=r"min_duration is 0\.01"):
        find_leaks(X, min_duration=0.01)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        find_leaks(X, groups=[1, 2])


SPEAKERS = np.repeat(["Ann", "Bob", "Cid"], 4)
TABLE = np.random.default_rng(0).normal(size=(12, 20))
LABELS = np.tile([0, 1], 6)


def test_an_evaluation_warns_of_copies_and_stays_the_same(tmp_path):
    X = TABLE.copy()
    X[9] = X[2]
    model = LogisticRegression()
    call = {"X": X, "y": LABELS, "groups": SPEAKERS, "results": tmp_path / "rows.csv"}
    with pytest.warns(LeakageWarning, match=r"Fold 0 tests 1 .*, X\[2\] for one, which is X\[9\]"):
        rows = cross_validate_speakers(model, **call)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # all folds are there
        assert cross_validate_speakers(model, **call, check_copies=False) == rows
        cross_validate_speakers(model, X, LABELS, groups=SPEAKERS, check_copies=False)


@pytest.mark.parametrize("container", [list, object_array, lambda X: RecordingSequence(list(X))])
def test_an_evaluation_warns_whatever_the_container(container):
    recordings = [np.random.default_rng(i % 11).normal(size=(4, 10 + i % 11)) for i in range(12)]
    with pytest.warns(LeakageWarning, match=r"X\[0\] for one, which is X\[11\]"):
        cross_validate_speakers(DummyClassifier(), container(recordings), LABELS, groups=SPEAKERS)


@pytest.mark.parametrize("cv", [None, ValidateOnTest(splitter=LeaveOneGroupOut())])
def test_copies_on_one_side_are_no_leak(cv):
    X = TABLE.copy()
    X[1] = X[0]  # of one speaker
    cross_validate_speakers(LogisticRegression(), X, LABELS, groups=SPEAKERS, cv=cv)


def test_an_evaluation_leaves_alone_what_is_no_sound():
    X = [[0.0], [9.0]] * 6  # rows that are equal by chance
    cross_validate_speakers(LogisticRegression(), X, LABELS, groups=SPEAKERS)
    contours = [[[1, 2, 1, -1, 3, 4, 5, 6, 7, 8, 9]]] * 12
    cross_validate_speakers(DummyClassifier(), contours, LABELS, groups=SPEAKERS)
    paths = ["a_recording.wav"] * 12
    cross_validate_speakers(DummyClassifier(), paths, LABELS, groups=SPEAKERS)


def test_an_evaluation_leaves_ragged_lists_of_numbers_alone():
    X = [[0.0] * (1 + i % 3) for i in range(12)]
    cross_validate_speakers(DummyClassifier(), X, LABELS, groups=SPEAKERS)


def test_numbers_beyond_32_bits_are_no_warning():
    cross_validate_speakers(DummyClassifier(), 1e300 * TABLE, LABELS, groups=SPEAKERS)


@pytest.mark.parametrize("times", [3, 5])
def test_what_recurs_in_a_recording_is_found(times):
    speech = make_emotional_speech(2, 2, emotions=("anger", "sadness"), random_state=0).data
    excerpt = speech[0][3000:11_000]
    recurring = np.concatenate([part for _ in range(times) for part in (speech[5], excerpt)])
    leaks = find_leaks([speech[0], recurring])
    assert {(leak.first, leak.second) for leak in leaks} == {(0, 1)}
    assert max(leak.duration for leak in leaks) > 0.45


def test_a_loop_of_a_recording_is_found():
    speech = make_emotional_speech(1, 1, emotions=("anger",), random_state=0).data[0]
    assert find_leaks([speech, np.tile(speech, 4)])
    assert find_leaks([speech[:6400], np.resize(speech[:6400], 32_000)])


def lively(seconds, seed):
    """Return noise that rises and falls, as unlike itself as speech."""
    rng = np.random.default_rng(seed)
    swell = np.repeat(rng.uniform(0.05, 1, int(seconds * 20)), 800)
    return (swell * rng.standard_normal(len(swell))).astype(np.float32)


def test_a_run_of_more_than_a_minute_is_told_as_one():
    shared = lively(70, 0)
    (leak,) = find_leaks([shared, np.concatenate([lively(2, 1), shared])])
    assert leak.duration == pytest.approx(70, abs=0.1)
    assert leak.second_start == pytest.approx(2, abs=0.02)


def test_an_excerpt_late_in_an_hour_is_found():
    excerpt, long = lively(0.5, 0), lively(90, 1)
    long[80 * 16_000 : 80 * 16_000 + len(excerpt)] = excerpt
    (leak,) = find_leaks([np.concatenate([lively(1, 2), excerpt]), long])
    assert leak.second_start == pytest.approx(80, abs=0.02)


def test_an_excerpt_of_many_is_told_of_all():
    excerpt = lively(0.5, 0)
    leaks = find_leaks([np.concatenate([lively(1, 1 + i), excerpt]) for i in range(8)])
    assert len({(leak.first, leak.second) for leak in leaks}) == 28


@pytest.mark.parametrize("period", [0.02, 0.04, 0.08])
def test_what_repeats_itself_all_the_time_is_no_leak(period):
    beat = lively(0.2, 0)[: int(period * 16_000)]
    beats = [np.resize(beat, 32_000), np.resize(beat, 48_000)]
    assert find_leaks([np.concatenate([lively(1, i), x]) for i, x in enumerate(beats, 1)]) == []


def test_zeros_of_either_sign_are_the_same():
    first = lively(0.5, 0)
    first[100:200] = 0
    second = first.copy()
    second[100:200] = -0.0
    (leak,) = find_leaks([first, second])
    assert leak.kind == "copy"
