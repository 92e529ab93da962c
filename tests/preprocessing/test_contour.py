"""From pitch to the symbols of a contour."""

from itertools import combinations, pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import NotFittedError

from skspeech.exceptions import RecordingError
from skspeech.persistence import load_model, save_model
from skspeech.preprocessing import ContourApproximator, contour
from skspeech.recordings import Phrase, RecordingSequence
from skspeech.testing import speech_checks

BORDERS = (70, 112)  # those of the authors


def hertz(cents):
    """Return pitch at so many cents above 55 Hz, None for unvoiced."""
    return np.array([0.0 if c is None else 55 * 2 ** (c / 1200) for c in cents], dtype=np.float32)


def notes(*cents, length=4):
    """Return pitch of steady notes of so many frames."""
    return hertz(np.repeat(np.array(cents, dtype=object), length))


def symbols(phrases):
    return [list(phrase) for phrase in phrases]


def in_frames(**parameters):
    """Return an approximator whose times are in frames."""
    return ContourApproximator(sample_rate=1, hop_length=1, **parameters)


def segments(**parameters):
    return in_frames(method="segments", interval_borders=BORDERS, **parameters)


# whole, even cents and odd margins: no sum of floats lies on a border
even_cents = st.integers(600, 1500).map(lambda c: 2 * c)
tracks = st.lists(even_cents | st.none(), min_size=1, max_size=60)


@pytest.mark.parametrize("method", ["kmeans", "segments"])
def test_steps_their_signs_and_their_times(method):
    pitch = notes(1200, 1300, None, 1500, 1440, 1740, None, 1200)
    approximator = in_frames(method=method, interval_borders=BORDERS).fit([pitch])
    (phrases,) = approximator.transform([pitch])
    assert symbols(phrases) == [[2], [-1, 3]]  # the last note has no step
    assert_array_equal(phrases[0].spans, [[0, 4]])
    assert_array_equal(phrases[1].spans, [[12, 16], [16, 20]])


def test_times_are_in_seconds():
    pitch = notes(1200, 1300, 1400, length=100)
    approximator = ContourApproximator(sample_rate=16000, hop_length=160, method="segments")
    (phrases,) = approximator.fit_transform([pitch])
    assert_allclose(phrases[0].spans, [[0, 1], [1, 2]])


@pytest.mark.parametrize(
    ("step", "size"), [(61, 1), (69, 1), (70, 2), (111, 2), (112, 2), (113, 3), (900, 3)]
)
@pytest.mark.parametrize("sign", [1, -1])
def test_the_authors_classes(step, size, sign):
    pitch = notes(2400, 2400 + sign * step)
    assert symbols(segments().fit_transform([pitch])[0]) == [[sign * size]]


def test_no_border_one_class():
    pitch = notes(1200, 1300, 2400, 1200)
    approximator = in_frames(interval_borders=[]).fit([pitch])
    assert symbols(approximator.transform([pitch])[0]) == [[1, 1, -1]]


def test_classes_are_learnt_from_the_steps_of_all_recordings():
    X = [notes(1200, 1280, 1180), notes(1500, 1590, 1890, 1600, None, 1800, 1510)]
    approximator = in_frames(method="segments", n_interval_classes=2).fit(X)
    # 80, 90, 100 | 290, 290, 300
    assert_allclose(approximator.interval_borders_, [(90 + 880 / 3) / 2])
    assert [symbols(phrases) for phrases in approximator.transform(X)] == [
        [[1, -1]],
        [[1, 2, -2], [-2]],
    ]


def test_fewer_sizes_than_classes():
    pitch = notes(1200, 1300, 1200)
    assert in_frames().fit([pitch]).interval_borders_.shape == (0,)
    assert in_frames(method="segments").fit([notes(1200)]).interval_borders_.shape == (0,)


def _best_inertia(values, n_clusters):
    values = np.sort(values)
    cuts = combinations(range(1, len(values)), n_clusters - 1)
    parts = (np.split(values, places) for places in cuts)
    return min(sum(((part - part.mean()) ** 2).sum() for part in found) for found in parts)


@settings(deadline=None, max_examples=40)
@given(st.lists(even_cents, min_size=3, max_size=10, unique=True), st.integers(2, 3))
def test_levels_are_the_best_there_are(cents, n_levels):
    approximator = in_frames(n_levels=n_levels).fit([hertz(cents)])
    distances = np.abs(np.subtract.outer(cents, approximator.levels_)).min(axis=1)
    # levels are rounded to a cent
    assert (distances**2).sum() <= _best_inertia(cents, n_levels) + len(cents) * 0.26 + 0.1


def test_levels_are_learnt_from_all_voiced_frames():
    X = [notes(None, 1200, None, 1210), notes(1800, None, 1850, 1850)]
    approximator = in_frames(n_levels=2).fit(X)
    assert_array_equal(approximator.levels_, [1205, 1833])
    assert symbols(approximator.transform([notes(1300, 1700, 1900)])[0]) == [[1]]


def test_fewer_pitches_than_levels():
    X = [notes(1200, 1300, 1200, 1500, length=300)]
    assert_array_equal(in_frames().fit(X).levels_, [1200, 1300, 1500])


def test_all_but_equal_pitches_leave_no_empty_level():
    rng = np.random.default_rng(0)
    pitch = hertz(np.repeat([3000.0, 4000.0], 500) + 1e-3 * rng.standard_normal(1000))
    approximator = in_frames().fit([pitch])
    assert_array_equal(approximator.levels_, [3000, 4000])
    assert symbols(approximator.transform([pitch])[0]) == [[1]]


def test_of_very_many_frames_even_parts_are_clustered(monkeypatch):
    rng = np.random.default_rng(0)
    pitch = hertz(np.repeat([1200, 1500, 2100], 2000) + 20 * rng.standard_normal(6000))
    exact = in_frames(n_levels=3).fit([pitch])
    monkeypatch.setattr(contour, "_MOST_VALUES", 500)
    part = in_frames(n_levels=3).fit([pitch])
    assert_allclose(part.levels_, exact.levels_, atol=1)
    again = in_frames(n_levels=3).fit([pitch[::-1]])
    assert_array_equal(part.levels_, again.levels_)


def _as_the_authors_do(cents, margin):
    """Return first frames and heights of segments, as their code grows them."""
    found, begin, high, low = [], 0, cents[0], cents[0]
    for i in range(1, len(cents)):
        if abs(cents[i] - high) <= margin and abs(cents[i] - low) <= margin:
            high, low = max(high, cents[i]), min(low, cents[i])
        else:
            found.append((begin, round((high + low) / 2)))
            begin, high, low = i, cents[i], cents[i]
    return [*found, (begin, round((high + low) / 2))]


@settings(deadline=None, max_examples=100)
@given(st.lists(even_cents, min_size=1, max_size=60), st.sampled_from([1, 61, 121]))
def test_segments_are_the_authors(cents, margin):
    wanted = _as_the_authors_do(cents, margin)
    (stairs,) = segments(margin=margin).fit([hertz(cents)]).approximate([hertz(cents)])
    lengths = np.diff([begin for begin, _ in wanted] + [len(cents)])
    assert_allclose(stairs, hertz(np.repeat([height for _, height in wanted], lengths)), rtol=1e-6)


def test_segments_of_one_height_are_one():
    pitch = hertz([2400, 2459.9, 2399.8, 2459.7, 2700])  # in the middle 2429.95 and 2429.75
    approximator = segments().fit([pitch])
    (phrases,) = approximator.transform([pitch])
    assert symbols(phrases) == [[3]]
    assert_array_equal(phrases[0].spans, [[0, 4]])
    assert_allclose(approximator.approximate([pitch])[0], hertz([2430] * 4 + [2700]), rtol=1e-6)


@settings(deadline=None, max_examples=60)
@given(tracks, st.integers(-300, 300))
def test_transposing_leaves_the_symbols_of_segments(cents, shift):
    moved = [None if c is None else c + 2 * shift for c in cents]
    X = [hertz(cents), hertz(moved)]
    original, transposed = segments(margin=61).fit_transform(X)
    assert original == transposed


@settings(deadline=None, max_examples=60)
@given(tracks, tracks, st.sampled_from(["kmeans", "segments"]))
def test_a_pause_between_two_recordings_keeps_the_phrases_of_both(first, second, method):
    approximator = in_frames(method=method, n_levels=5, margin=61)
    approximator.fit([notes(1200, 1300, 1500, 1800, 2200, 2700)])
    pause = [None]
    one, two, both = approximator.transform(
        [hertz(first), hertz(second), hertz([*first, *pause, *second])]
    )
    later = len(first) + len(pause)
    assert both == one + [Phrase(phrase.symbols, phrase.spans + later) for phrase in two]


@settings(deadline=None, max_examples=60)
@given(tracks)
def test_played_backwards_levels_give_the_opposite_steps(cents):
    approximator = in_frames(n_levels=5).fit([notes(1200, 1300, 1500, 1800, 2200, 2700)])
    forwards, backwards = approximator.transform([hertz(cents), hertz(cents[::-1])])
    assert symbols(backwards) == [[-s for s in phrase[::-1].symbols] for phrase in forwards[::-1]]


@settings(deadline=None, max_examples=60)
@given(tracks, st.sampled_from(["kmeans", "segments"]))
def test_spans_follow_each_other_within_the_recording(cents, method):
    approximator = ContourApproximator(method=method, n_levels=5)
    pitch = hertz(cents)
    (phrases,) = approximator.fit([pitch, notes(1200, 1500)]).transform([pitch])
    assert all(len(phrase) for phrase in phrases)
    for phrase in phrases:
        assert (phrase.spans[:, 0] < phrase.spans[:, 1]).all()
        assert_array_equal(phrase.spans[:-1, 1], phrase.spans[1:, 0])
        assert set(phrase) <= {-2, -1, 1, 2}
    for before, after in pairwise(phrases):
        assert before.spans[-1, 1] < after.spans[0, 0]
    if phrases:
        assert phrases[0].spans[0, 0] >= 0
        assert phrases[-1].spans[-1, 1] <= (len(pitch) - 1) * 256 / 44100


@settings(deadline=None, max_examples=60)
@given(tracks, st.sampled_from(["kmeans", "segments"]))
def test_the_approximation_is_as_near_as_it_says(cents, method):
    pitch = hertz(cents)
    approximator = in_frames(method=method, n_levels=5).fit([pitch, notes(1200, 1500)])
    (stairs,) = approximator.approximate([pitch])
    assert stairs.dtype == np.float32
    assert_array_equal(stairs > 0, pitch > 0)
    voiced = pitch > 0
    away = 1200 * np.abs(np.log2(stairs[voiced] / pitch[voiced]))
    if method == "segments":
        assert (away <= 30.51).all()
    else:
        heights = 1200 * np.log2(stairs[voiced] / 55)
        nearest = np.abs(np.subtract.outer(heights, approximator.levels_)).min(axis=1)
        assert (nearest < 0.01).all()
    phrases = approximator.transform([pitch])[0]
    steps = np.diff(stairs)[(stairs[1:] > 0) & (stairs[:-1] > 0)]
    assert sum(map(len, phrases)) == np.count_nonzero(steps)


def test_an_unvoiced_recording_has_no_phrase():
    approximator = in_frames().fit([notes(1200, 1500)])
    found = approximator.transform([np.zeros(9), notes(1200, 1500)])
    assert found[0] == []
    assert symbols(found[1]) == [[1]]
    assert_array_equal(approximator.approximate([np.zeros(9)])[0], np.zeros(9))


def test_levels_need_a_voiced_frame():
    with pytest.raises(ValueError, match=r"No frame of any recording is voiced"):
        ContourApproximator().fit([np.zeros(9), np.zeros(3)])
    assert segments().fit_transform([np.zeros(9)])[0] == []


@pytest.mark.parametrize("lazy", [False, True])
def test_negative_pitch_is_named(lazy):
    X = [notes(1200, 1500), np.array([220.0, 0, -220, 220])]
    container = RecordingSequence(X) if lazy else X
    message = r"X\[1\] has a negative pitch, -220 Hz at frame 2\. .* 0 for unvoiced"
    with pytest.raises(RecordingError, match=message):
        ContourApproximator().fit(container)
    with pytest.raises(RecordingError, match=message):
        list(segments().fit(X[:1]).transform(container))


def test_nan_is_named():
    with pytest.raises(RecordingError, match=r"X\[0\] holds NaN at frame 1"):
        ContourApproximator().fit([np.array([220.0, np.nan])])


@pytest.mark.parametrize("borders", [(112, 70), (0, 70), (-1,), (70, 70), (70, np.nan), [[70]], 70])
def test_borders_that_do_not_rise(borders):
    with pytest.raises(ValueError, match=r"interval_borders"):
        ContourApproximator(interval_borders=borders).fit([notes(1200, 1500)])


def test_an_array_is_read_as_equally_long_tracks():
    X = np.stack([notes(1200, 1500), notes(None, 1500)])
    approximator = in_frames().fit(X)
    assert approximator.n_features_in_ == 8
    found = approximator.transform(X)
    assert (found.shape, found.dtype) == ((2,), object)
    assert [symbols(phrases) for phrases in found] == [[[1]], []]
    assert approximator.approximate(X).shape == X.shape


@pytest.mark.parametrize("method", ["kmeans", "segments"])
def test_a_sequence_is_read_once_in_fit_and_on_access_after(method):
    read = []

    def open_track(i):
        read.append(i)
        return [notes(1200, 1500), notes(1300, 1900, 1200)][i]

    sequence = RecordingSequence(range(2), open_track)
    approximator = in_frames(method=method).fit(sequence)
    assert read == [0, 1]
    lazy, stairs = approximator.transform(sequence), approximator.approximate(sequence)
    assert read == [0, 1]
    assert len(symbols(lazy[1])[0]) == 2
    assert stairs[1].shape == (12,)
    assert read == [0, 1, 1, 1]


def test_segments_keep_our_promises():
    for check in speech_checks(segments()):
        check(segments())


def test_needs_to_be_fitted():
    for method in ("transform", "approximate"):
        with pytest.raises(NotFittedError):
            getattr(segments(), method)([notes(1200)])


@pytest.mark.parametrize(
    "parameters", [{}, {"method": "segments", "interval_borders": BORDERS, "margin": 50}]
)
def test_saved_and_loaded(tmp_path, parameters):
    X = [notes(1200, 1500, None, 1300, 1290, 1900)]
    approximator = in_frames(**parameters).fit(X)
    save_model(approximator, tmp_path / "contour.skspeech")
    loaded = load_model(tmp_path / "contour.skspeech")
    assert loaded.transform(X)[0] == approximator.transform(X)[0]
    assert_array_equal(loaded.approximate(X)[0], approximator.approximate(X)[0])


@pytest.mark.parametrize("method", ["kmeans", "segments"])
def test_short_segments_are_passed_through(method):
    glide = [1200] * 5 + [1300, 1400, 1500] + [1600] * 5
    (wanted,) = (hertz([1200] * 8 + [1600] * 5),)
    (pitch,) = (hertz(glide),)
    approximator = in_frames(method=method, interval_borders=BORDERS, min_duration=2)
    ((phrase,),) = approximator.fit([pitch]).transform([pitch])
    assert list(phrase) == [3]
    assert_array_equal(phrase.spans, [[0, 8]])
    assert_allclose(approximator.approximate([pitch])[0], wanted, rtol=1e-3)


def test_a_wavering_between_long_segments_is_no_step():
    pitch = hertz([1200] * 5 + [1300] + [1200] * 5)
    assert segments(min_duration=2).fit_transform([pitch])[0] == []


def test_the_longest_segment_stays_however_short():
    pitch = hertz([1200, 1300, 1300, 1400])
    approximator = segments(min_duration=9).fit([pitch])
    assert approximator.transform([pitch])[0] == []
    assert_allclose(approximator.approximate([pitch])[0], hertz([1300] * 4), rtol=1e-3)


def test_short_dropouts_end_no_phrase():
    pitch = hertz([None, 1200, 1200, None, None, 1400, 1400, None, None, None, 1200, 1400, None])
    short = segments(max_dropout=2).fit([pitch])
    assert symbols(short.transform([pitch])[0]) == [[1, 1, 1], [3]]  # over 1267 and 1333 cents
    stairs = short.approximate([pitch])[0]
    assert (stairs > 0).tolist() == [False, *[True] * 6, *[False] * 3, *[True] * 2, False]
    assert symbols(segments().fit_transform([pitch])[0]) == [[3]]
    assert symbols(segments(max_dropout=3).fit_transform([pitch])[0])[0][-1] == 3


def test_durations_are_whole_frames():
    pitch = hertz([1200] * 30 + [1300] * 3 + [1200] * 30)
    exact = ContourApproximator(
        method="segments", interval_borders=BORDERS, sample_rate=44100, hop_length=441
    )
    assert len(exact.set_params(min_duration=0.03).fit_transform([pitch])[0][0]) == 2
    assert exact.set_params(min_duration=0.031).fit_transform([pitch])[0] == []


def test_levels_are_learnt_from_what_is_sung():
    pitch = hertz([1200] * 6 + [None] * 5 + [2400] * 6)
    assert in_frames(n_levels=3, max_dropout=5).fit([pitch]).levels_.tolist() == [1200, 2400]
