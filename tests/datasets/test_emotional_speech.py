import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skspeech.datasets import make_emotional_speech
from skspeech.datasets.emotional_speech import CONSONANTS, EMOTIONS, VOWELS

NAMES = ("anger", "sadness")


@pytest.fixture(scope="module")
def speech():
    return make_emotional_speech(3, 2, emotions=NAMES, random_state=0)


def test_every_speaker_says_every_sentence_in_every_emotion(speech):
    said = set(zip(speech.speakers, speech.target, speech.sentences, strict=True))
    assert len(said) == len(speech.data) == 3 * 2 * 2


def test_bunch_is_aligned(speech):
    assert speech.data.shape == speech.target.shape == speech.speakers.shape == (12,)
    assert speech.sentences.shape == speech.texts.shape == (12,)
    assert speech.target_names.tolist() == list(NAMES)
    assert speech.sample_rate == 16000
    assert "Rosenberg" in speech.DESCR


def test_a_sentence_is_the_same_words_for_everyone(speech):
    for sentence in (0, 1):
        assert len(set(speech.texts[speech.sentences == sentence])) == 1


def test_texts_are_phones(speech):
    assert set("".join(speech.texts)) <= set(VOWELS) | set(CONSONANTS) | {" "}


def test_recordings_differ_in_length(speech):
    assert len({len(waveform) for waveform in speech.data}) > 6


@settings(max_examples=15, deadline=None)
@given(
    sample_rate=st.sampled_from([8000, 11025, 16000, 44100]),
    shortest=st.floats(0.3, 1.0),
    spread=st.floats(1.0, 2.0),
    seed=st.integers(0, 2**32 - 1),
    emotion=st.sampled_from(sorted(EMOTIONS)),
)
def test_waveforms_keep_to_range_and_length(sample_rate, shortest, spread, seed, emotion):
    duration = (shortest, shortest * spread)
    (waveform,), _ = make_emotional_speech(
        1,
        1,
        emotions=(emotion,),
        duration=duration,
        sample_rate=sample_rate,
        random_state=seed,
        return_X_y=True,
    )
    assert waveform.dtype == np.float32
    assert np.isfinite(waveform).all()
    assert 0.001 < np.abs(waveform).max() <= 1.0
    n_shortest, n_longest = (round(seconds * sample_rate) for seconds in duration)
    assert n_shortest <= len(waveform) <= n_longest


def test_same_random_state_makes_the_same_recordings(speech):
    np.random.seed(7)  # noqa: NPY002 - the global state must not matter
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    again = make_emotional_speech(3, 2, emotions=NAMES, random_state=0)
    for one, other in zip(speech.data, again.data, strict=True):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002


def test_no_random_state_makes_new_recordings_without_the_global_state():
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    first, second = (make_emotional_speech(1, 1, emotions=NAMES).data[0] for _ in range(2))
    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002


def test_random_state_instance_moves_on():
    rng = np.random.RandomState(0)
    first, second = (
        make_emotional_speech(1, 1, emotions=NAMES, random_state=rng).data[0] for _ in range(2)
    )
    assert not np.array_equal(first, second)


def test_a_recording_does_not_depend_on_the_others(speech):
    fewer = make_emotional_speech(1, 1, emotions=("sadness",), random_state=0)
    (same,) = speech.data[
        (speech.speakers == "speaker 1") & (speech.target == 1) & (speech.sentences == 0)
    ]
    np.testing.assert_array_equal(fewer.data[0], same)


def test_return_X_y_gives_data_and_target(speech):
    X, y = make_emotional_speech(3, 2, emotions=NAMES, random_state=0, return_X_y=True)
    np.testing.assert_array_equal(y, speech.target)
    np.testing.assert_array_equal(X[5], speech.data[5])


def _power_above(waveform, sample_rate, frequency):
    power = np.abs(np.fft.rfft(waveform)) ** 2
    return power[np.fft.rfftfreq(len(waveform), 1 / sample_rate) > frequency].sum() / power.sum()


def test_anger_is_shorter_louder_and_brighter_than_sadness():
    speech = make_emotional_speech(4, 3, emotions=NAMES, random_state=1)
    angry, sad = speech.data[speech.target == 0], speech.data[speech.target == 1]
    assert np.mean([len(x) for x in angry]) < np.mean([len(x) for x in sad])
    assert np.mean([np.std(x) for x in angry]) > np.mean([np.std(x) for x in sad])
    assert np.mean([_power_above(x, 16000, 500) for x in angry]) > np.mean(
        [_power_above(x, 16000, 500) for x in sad]
    )


def test_happiness_is_higher_than_boredom():
    import librosa

    speech = make_emotional_speech(2, 1, emotions=("boredom", "happiness"), random_state=2)
    pitch = np.array([np.median(librosa.yin(x, fmin=60, fmax=500, sr=16000)) for x in speech.data])
    for speaker in ("speaker 1", "speaker 2"):
        bored, happy = pitch[speech.speakers == speaker]
        assert happy > bored


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_speakers": 0}, "n_speakers"),
        ({"n_speakers": 1.5}, "n_speakers"),
        ({"n_utterances": 0}, "n_utterances"),
        ({"emotions": "anger"}, "emotions"),
        ({"emotions": ()}, "at least one emotion"),
        ({"emotions": ("anger", "anger")}, "each once"),
        ({"emotions": ("anger", "envy")}, "envy"),
        ({"duration": 2.0}, "duration"),
        ({"duration": (0.1, 2.0)}, "0.3"),
        ({"duration": (3.0, 1.0)}, "shorter one first"),
        ({"duration": (1.0, np.inf)}, "two numbers of seconds"),
        ({"duration": (1.0, 2.0, 3.0)}, "shortest and the longest"),
        ({"sample_rate": 4000}, "sample_rate"),
        ({"sample_rate": 16000.5}, "sample_rate"),
        ({"random_state": -1}, "random_state"),
    ],
)
def test_unusable_parameters_are_named(arguments, message):
    with pytest.raises((ValueError, TypeError), match=message):
        make_emotional_speech(**arguments)
