import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skspeech.datasets import make_singing

SMALL = {"n_motifs": 3, "n_phrases": 4, "n_repeats": 3, "sample_rate": 8000, "hop_length": 50}
PLAIN = {"vibrato": 0, "ornaments": 0, "glide": 0, "drift": 0, "snr": np.inf}


@pytest.fixture(scope="module")
def singing():
    return make_singing(3, 2, **SMALL, random_state=0)


@pytest.fixture(scope="module")
def plain():
    return make_singing(3, 2, **SMALL, **PLAIN, random_state=0)


def _apart(pitch, other):
    """Return by how many cents pitches differ where the second is voiced."""
    voiced = other > 0
    return 1200 * np.log2(pitch[voiced] / other[voiced])


def _of(singing, name, recording):
    table = singing[name]
    return table[table["recording"] == recording]


def _at(times, singing):
    return np.round(times * singing.sample_rate / singing.hop_length).astype(int)


def test_bunch_is_aligned(singing):
    assert singing.data.shape == singing.target.shape == (6,)
    assert singing.songs.shape == singing.pitch.shape == (6,)
    assert singing.target.tolist() == [0, 0, 1, 1, 2, 2]
    assert singing.songs.tolist() == [0, 1] * 3
    assert singing.target_names.tolist() == ["singer 1", "singer 2", "singer 3"]
    assert singing.sample_rate == 8000
    assert singing.hop_length == 50
    assert "Rosenberg" in singing.DESCR


@settings(max_examples=15, deadline=None)
@given(
    sample_rate=st.sampled_from([8000, 11025, 22050]),
    hop_length=st.integers(1, 500),
    vibrato=st.floats(0, 200),
    ornaments=st.floats(0, 1),
    glide=st.floats(0, 0.3),
    drift=st.floats(0, 100),
    snr=st.floats(0, 100),
    seed=st.integers(0, 2**32 - 1),
)
def test_any_manner_gives_waveforms_and_their_pitch(sample_rate, hop_length, seed, **manner):
    singing = make_singing(
        1,
        1,
        n_motifs=1,
        n_phrases=1,
        n_repeats=1,
        sample_rate=sample_rate,
        hop_length=hop_length,
        random_state=seed,
        **manner,
    )
    (waveform,), (pitch,) = singing.data, singing.pitch
    assert waveform.dtype == pitch.dtype == np.float32
    assert np.isfinite(waveform).all()
    assert 0.01 < np.abs(waveform).max() <= 1.0
    assert pitch.shape == (1 + len(waveform) // hop_length,)
    assert ((pitch == 0) | ((pitch > 55) & (pitch < 1000))).all()


def test_every_motif_is_sung_in_as_many_phrases_as_asked_for(singing):
    for recording in range(6):
        notes = _of(singing, "notes", recording)
        phrases = np.unique(notes[["motif", "phrase"]][notes["motif"] >= 0])
        _, counts = np.unique(phrases["motif"], return_counts=True)
        assert counts.tolist() == [3, 3, 3]
    assert len(singing.motifs) == 6 * 3 * 3


def test_a_motif_keeps_its_steps_and_changes_place_and_tempo(singing):
    lengths, beginnings = {}, {}
    for occurrence in singing.motifs:
        notes = _of(singing, "notes", occurrence["recording"])
        within = (notes["start"] >= occurrence["start"]) & (notes["end"] <= occurrence["end"])
        steps = tuple((np.diff(notes["cents"][within]) / 100).tolist())
        assert steps == singing.motif_steps[occurrence["motif"]]
        assert (notes["motif"][within] == occurrence["motif"]).all()
        lengths.setdefault(occurrence["motif"], []).append(occurrence["end"] - occurrence["start"])
        beginnings.setdefault(occurrence["motif"], set()).add(notes["cents"][within][0])
    assert all(max(seconds) > 1.1 * min(seconds) for seconds in lengths.values())
    assert all(len(cents) > 1 for cents in beginnings.values())


def test_motifs_are_long_enough_to_be_mined_and_differ(singing):
    assert all(5 <= len(steps) <= 8 and 0 not in steps for steps in singing.motif_steps)
    assert len(set(singing.motif_steps)) == len(singing.motif_steps) == len(singing.motif_names)


def test_two_singers_share_a_third_of_their_motifs(singing):
    sung = [
        set(singing.motifs["motif"][singing.target[singing.motifs["recording"]] == singer])
        for singer in range(3)
    ]
    assert [len(motifs) for motifs in sung] == [3, 3, 3]
    (shared,) = sung[0] & sung[1]
    assert singing.motif_names[shared] == "singers 1 and 2, motif 3"
    assert not sung[2] & (sung[0] | sung[1])
    assert {singing.motif_names[motif] for motif in sung[2]} == {
        f"singer 3, motif {k}" for k in (1, 2, 3)
    }


def test_tables_are_in_the_order_of_recordings_and_time(singing):
    for table in (singing.motifs, singing.notes):
        assert (table["end"] > table["start"]).all()
        order = np.lexsort([table["start"], table["recording"]])
        np.testing.assert_array_equal(order, np.arange(len(table)))


def test_no_note_is_sung_twice_in_a_row_within_a_phrase(singing):
    same_phrase = (np.diff(singing.notes["phrase"]) == 0) & (
        np.diff(singing.notes["recording"]) == 0
    )
    assert (np.diff(singing.notes["cents"])[same_phrase] != 0).all()


def test_pitch_is_voiced_within_phrases_only(singing):
    for recording in range(6):
        notes, pitch = _of(singing, "notes", recording), singing.pitch[recording]
        voiced = np.zeros(len(pitch), dtype=bool)
        for start, end in notes[["start", "end"]]:
            voiced[_at(start, singing) : _at(end, singing)] = True
        assert np.count_nonzero((pitch > 0) != voiced) <= 2 * 4  # a frame at either end of a phrase
        edges = np.flatnonzero(np.diff(pitch > 0))
        assert len(edges) == 2 * 4
        # breaths are long enough to be heard
        assert np.diff(edges)[1::2].min() * singing.hop_length / singing.sample_rate > 0.25


def test_plain_pitch_is_that_of_the_notes(plain):
    for recording in range(6):
        notes = _of(plain, "notes", recording)
        for note in notes:
            frames = slice(_at(note["start"], plain) + 1, _at(note["end"], plain) - 1)
            hertz = 55 * 2 ** (note["cents"] / 1200)
            np.testing.assert_allclose(plain.pitch[recording][frames], hertz, rtol=1e-6)
        assert (notes["cents"] % 100 == 0).all()


def test_manner_changes_the_pitch_and_not_the_notes(singing, plain):
    np.testing.assert_array_equal(singing.notes, plain.notes)
    np.testing.assert_array_equal(singing.motifs, plain.motifs)
    for parameter, value in {"vibrato": 40, "ornaments": 0.5, "glide": 0.1, "drift": 20}.items():
        changed = make_singing(1, 1, **SMALL, **{**PLAIN, parameter: value}, random_state=0)
        assert not np.array_equal(changed.pitch[0], plain.pitch[0]), parameter
        np.testing.assert_array_equal(changed.pitch[0] > 0, plain.pitch[0] > 0)


def test_vibrato_swings_as_far_as_asked(plain):
    swing = make_singing(3, 1, **SMALL, **{**PLAIN, "vibrato": 100}, random_state=0)
    pairs = zip(swing.pitch, plain.pitch[plain.songs == 0], strict=True)
    depths = [np.abs(_apart(*pair)).max() for pair in pairs]
    assert 50 < min(depths) < max(depths) < 300


def test_drift_has_the_deviation_asked_for():
    many = {**SMALL, "n_motifs": 1, "n_phrases": 25}
    tuned, wandering = (
        make_singing(1, 1, **many, **{**PLAIN, "drift": drift}, random_state=0).pitch[0]
        for drift in (0, 30)
    )
    assert 20 < np.std(_apart(wandering, tuned)) < 40


def test_noise_has_the_level_asked_for():
    quiet, loud = (
        make_singing(1, 1, **SMALL, **{**PLAIN, "snr": snr}, random_state=0).data[0]
        for snr in (np.inf, 10)
    )
    gap = slice(0, 1000)  # before the first note
    assert np.abs(quiet[gap]).max() < 0.01 * np.abs(quiet).max()
    assert 8 < 20 * np.log10(np.std(loud) / np.std(loud[gap])) < 12


def test_low_and_high_voices_alternate(singing):
    heights = np.array([np.median(pitch[pitch > 0]) for pitch in singing.pitch])
    assert heights[singing.target == 1].min() > heights[singing.target != 1].max()


@pytest.mark.parametrize(("manner", "random_state"), [({}, 0), (PLAIN, 1)])
def test_pyin_hears_the_pitch(manner, random_state):
    import librosa

    short = {"n_motifs": 1, "n_phrases": 1, "n_repeats": 1, "sample_rate": 8000}
    singing = make_singing(1, 1, **short, **manner, hop_length=80, random_state=random_state)
    heard, _, _ = librosa.pyin(
        singing.data[0],
        fmin=65,
        fmax=800,
        sr=singing.sample_rate,
        frame_length=320,
        hop_length=singing.hop_length,
        fill_na=None,
        resolution=0.2,
    )
    # a window of 40 ms hears both notes where they meet
    alone = np.ones(len(heard), dtype=bool)
    for frame in _at(singing.notes["start"], singing):
        alone[max(frame - 3, 0) : frame + 4] = False
    apart = _apart(heard[alone], singing.pitch[0][alone])
    assert (np.abs(apart) < 50).mean() > 0.95


def test_same_random_state_makes_the_same_songs_however_many(singing):
    np.random.seed(7)  # noqa: NPY002 - the global state must not matter
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    again = make_singing(2, 1, **SMALL, random_state=0)
    for name in ("data", "pitch"):
        for one, other in zip(singing[name][[0, 2]], again[name], strict=True):
            np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002


def test_no_random_state_makes_new_songs():
    first, second = (make_singing(1, 1, **SMALL).data[0] for _ in range(2))
    assert not np.array_equal(first, second)


def test_random_state_instance_moves_on():
    rng = np.random.RandomState(0)
    first, second = (make_singing(1, 1, **SMALL, random_state=rng).data[0] for _ in range(2))
    assert not np.array_equal(first, second)


def test_the_rate_changes_no_note_and_no_pitch(plain):
    finer = make_singing(
        1, 1, **{**SMALL, "sample_rate": 16000, "hop_length": 100}, **PLAIN, random_state=0
    )
    np.testing.assert_array_equal(finer.notes, _of(plain, "notes", 0))
    n_frames = min(len(finer.pitch[0]), len(plain.pitch[0]))
    same = np.isclose(finer.pitch[0][:n_frames], plain.pitch[0][:n_frames])
    assert same.mean() > 0.99  # a frame on the border of two notes may belong to either


def test_return_X_y_gives_data_and_target(singing):
    X, y = make_singing(1, 2, **SMALL, random_state=0, return_X_y=True)
    assert y.tolist() == [0, 0]
    np.testing.assert_array_equal(X[1], singing.data[1])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_singers": 0}, "n_singers"),
        ({"n_songs": 1.5}, "n_songs"),
        ({"n_motifs": 0}, "n_motifs"),
        ({"n_phrases": 3, "n_repeats": 4}, "n_repeats is 4, more than the 3"),
        ({"vibrato": -1}, "vibrato"),
        ({"ornaments": 1.5}, "ornaments"),
        ({"glide": -0.1}, "glide"),
        ({"drift": np.nan}, "drift"),
        ({"snr": -10}, "snr"),
        ({"sample_rate": 4000}, "sample_rate"),
        ({"hop_length": 0}, "hop_length"),
        ({"random_state": -1}, "random_state"),
    ],
)
def test_unusable_parameters_are_named(arguments, message):
    with pytest.raises((ValueError, TypeError), match=message):
        make_singing(**arguments)
