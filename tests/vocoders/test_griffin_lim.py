"""Sound from spectra alone: how near, how long, and the same frame by frame."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline

from skspeech.datasets import load_voice_prompts
from skspeech.exceptions import RecordingError
from skspeech.preprocessing import MelTargets
from skspeech.recordings import RecordingSequence
from skspeech.vocoders import GriffinLimVocoder

RATES = {"sample_rate": 8000, "frame_rate": 81.67, "n_fft": 512, "f_max": 4000.0}


@pytest.fixture(scope="module")
def voices():
    """Two real recordings at 8 kHz."""
    return [waveform[:6000] for waveform in load_voice_prompts().data[:48:24]]


@pytest.fixture(scope="module")
def spectra(voices):
    return MelTargets(**RATES).fit_transform(voices)


def distance(vocoder, spectra):
    """Return how far the spectra of the sound are from those it was made from: neper."""
    again = MelTargets(**RATES).fit_transform(vocoder.fit_transform(spectra))
    assert [len(x) for x in again] == [len(x) for x in spectra]
    heard = [x > -7 for x in spectra]  # not what is all but silent
    pairs = zip(again, spectra, heard, strict=True)
    return np.mean([np.abs(a - b)[where].mean() for a, b, where in pairs])


@pytest.mark.parametrize("lookahead", [None, 3])
def test_sound_has_the_spectra_it_was_made_from(spectra, lookahead):
    iterated = GriffinLimVocoder(**RATES, lookahead=lookahead, n_iter=16, random_state=0)
    found = distance(iterated, spectra)
    assert found < 0.35
    assert found < distance(clone(iterated).set_params(n_iter=1), spectra)


def test_looking_ahead_pays(spectra):
    near, far = (GriffinLimVocoder(**RATES, lookahead=n, n_iter=4) for n in (0, 4))
    assert distance(far, spectra) < distance(near, spectra)


@settings(deadline=None, max_examples=15)
@given(
    n_frames=st.integers(1, 40),
    hop=st.fractions(4, 10, max_denominator=7),
    lookahead=st.integers(0, 4),
    cuts=st.lists(st.integers(0, 40), max_size=4),
)
def test_a_stream_gives_what_transform_gives(n_frames, hop, lookahead, cuts):
    spectra = np.random.default_rng(n_frames).normal(-3, 1, (n_frames, 4)).astype(np.float32)
    vocoder = GriffinLimVocoder(
        sample_rate=800, frame_rate=float(800 / hop), n_fft=32, f_max=None, n_iter=2,
        lookahead=lookahead,
    )  # fmt: skip
    whole = vocoder.fit_transform([spectra])[0]
    assert len(whole) == max(1, -(-n_frames * hop // 1) - 1)
    stream = vocoder.stream()
    cuts = sorted({0, *(cut for cut in cuts if cut < n_frames), n_frames})
    pieces = []
    for begin, end in pairwise(cuts):
        pieces.append(stream.push(spectra[begin:end]))
        assert sum(map(len, pieces)) >= (end - 1 - stream.lookahead) * hop - 1
    np.testing.assert_array_equal(np.concatenate([*pieces, stream.finish()]), whole)


def test_what_follows_later_changes_nothing(spectra):
    vocoder = GriffinLimVocoder(**RATES, lookahead=2, n_iter=4).fit(spectra)
    stream = vocoder.stream()
    known = stream.push(spectra[0][:30])
    np.testing.assert_array_equal(known, vocoder.transform(spectra[:1])[0][: len(known)])
    assert len(known) >= (29 - stream.lookahead) * 8000 / 81.67


def test_a_recording_sounds_the_same_each_time(spectra):
    vocoder = GriffinLimVocoder(**RATES).fit(spectra)  # random_state=None
    np.testing.assert_array_equal(vocoder.transform(spectra)[1], vocoder.transform(spectra[1:])[0])


def test_it_ends_a_pipeline(voices, spectra):
    both = make_pipeline(MelTargets(**RATES), GriffinLimVocoder(**RATES, random_state=0))
    found = both.fit_transform(voices)
    np.testing.assert_array_equal(
        found[1], GriffinLimVocoder(**RATES, random_state=0).fit_transform(spectra)[1]
    )
    lazy = both.transform(RecordingSequence(voices))
    assert isinstance(lazy, RecordingSequence)
    np.testing.assert_array_equal(lazy[1], found[1])


def test_standardised_spectra_are_refused():
    vocoder = GriffinLimVocoder(random_state=0).fit([np.zeros((3, 80))])
    with pytest.raises(RecordingError, match=r"X\[1\] holds 40, and the logarithm"):
        vocoder.transform([np.zeros((3, 80)), np.full((3, 80), 40.0)])
    stream = vocoder.set_params(lookahead=1).stream()
    with pytest.raises(RecordingError, match="holds 40, and the logarithm"):
        stream.push(np.full((3, 80), 40.0))


def test_a_stream_needs_a_lookahead():
    with pytest.raises(NotFittedError):
        GriffinLimVocoder(lookahead=3).stream()
    with pytest.raises(ValueError, match="Set lookahead"):
        GriffinLimVocoder().fit([np.zeros((3, 80))]).stream()


def test_a_stream_is_of_one_recording():
    stream = GriffinLimVocoder(lookahead=0).fit([np.zeros((3, 80))]).stream()
    stream.push(np.zeros((1, 80)))
    with pytest.raises(RecordingError, match="has 40 bands in a frame after frames of 80"):
        stream.push(np.zeros((1, 40)))
    with pytest.raises(RecordingError, match=r"has shape \(80,\)"):
        stream.push(np.zeros(80))
    stream.finish()
    with pytest.raises(ValueError, match="has been finished"):
        stream.push(np.zeros((1, 80)))


def test_a_stream_of_nothing_is_silent():
    stream = GriffinLimVocoder(lookahead=0).fit([np.zeros((3, 80))]).stream()
    assert stream.finish().shape == (0,)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"frame_rate": 30000.0}, "frame_rate is 30000.0, above the sample rate"),
        ({"f_min": 8000.0}, "f_min is 8000.0 Hz, not below f_max"),
        ({"f_max": 12000.0}, "above half the sample rate"),
        ({"lookahead": 3, "n_fft": 512}, "less than three hops of 270"),
    ],
)
def test_parameters_that_do_not_go_together(wrong, message):
    with pytest.raises(ValueError, match=message):
        GriffinLimVocoder(**wrong).fit([np.zeros((3, 80))])
