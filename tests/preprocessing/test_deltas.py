import librosa
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from skspeech.exceptions import RecordingError
from skspeech.preprocessing import Deltas
from skspeech.recordings import RecordingSequence


def spectrograms(*lengths, n_bins=3):
    rng = np.random.default_rng(0)
    return [rng.normal(-20, 5, (n_bins, n)).astype(np.float32) for n in lengths]


@pytest.mark.parametrize(("order", "width"), [(2, 9), (1, 3), (1, 5), (3, 5), (2, 21)])
@pytest.mark.parametrize("n_frames", [1, 2, 4, 8, 9, 10, 51])
def test_values_are_librosas(order, width, n_frames):
    (x,) = spectrograms(n_frames)
    (found,) = Deltas(order=order, width=width).transform([x])
    assert found.shape == (1 + order, 3, n_frames)
    assert found.dtype == np.float32
    assert_array_equal(found[0], x)
    for k in range(1, 1 + order):
        wanted = librosa.feature.delta(x.astype(float), width=width, order=k, mode="nearest")
        assert_allclose(found[k], wanted, rtol=0, atol=1e-5)


def test_away_from_the_ends_it_is_librosas_default():
    (x,) = spectrograms(40)
    (found,) = Deltas().transform([x])
    assert_allclose(found[2, :, 4:-4], librosa.feature.delta(x, order=2)[:, 4:-4], atol=1e-5)


@settings(deadline=None, max_examples=50)
@given(st.integers(1, 30), st.floats(-50, 50), st.floats(-3, 3))
def test_a_straight_line_and_a_constant(n_frames, start, slope):
    line = (start + slope * np.arange(n_frames))[None]
    (found,) = Deltas().transform([line])
    assert_allclose(found[1:, 0, 4:-4], [[slope], [0]] * np.ones(max(0, n_frames - 8)), atol=1e-4)
    (flat,) = Deltas().transform([np.full((1, n_frames), start)])
    assert_allclose(flat[1:], 0, atol=1e-4)


def test_a_parabola_has_its_second_derivative():
    (found,) = Deltas().transform([(0.5 * np.arange(30.0) ** 2)[None]])
    assert_allclose(found[2, 0, 4:-4], 1, rtol=1e-4)


def test_nothing_beyond_the_recording_is_seen():
    """A recording answers alike alone, and as a view of a longer one."""
    (x,) = spectrograms(60)
    (cut,) = Deltas().transform([x[:, 20:40]])
    (alone,) = Deltas().transform([x[:, 20:40].copy()])
    (whole,) = Deltas().transform([x])
    assert_array_equal(cut, alone)
    assert_allclose(cut[..., 4:-4], whole[..., 24:36], atol=1e-5)


@pytest.mark.parametrize("form", [list, np.stack, RecordingSequence])
def test_the_inverse_is_the_static_channel(form):
    X = form(spectrograms(7, 7, 7))
    found = Deltas(order=3, width=5).inverse_transform(Deltas(order=3, width=5).fit(X).transform(X))
    assert type(found) is (RecordingSequence if form is RecordingSequence else np.ndarray)
    assert len(found) == 3
    for row, wanted in zip(found, X, strict=True):
        assert_array_equal(row, wanted)
        assert row.base is None or form is np.stack


def test_the_inverse_of_bags():
    X = spectrograms(7, 9, 2)
    bags = [[X[0], X[1]], X[2]]
    back = Deltas().inverse_transform(Deltas().transform(bags))
    assert_array_equal(back[0][1], X[1])
    assert_array_equal(back[1], X[2])


def test_an_array_gives_an_array():
    cube = Deltas().fit_transform(np.stack(spectrograms(7, 7)))
    assert cube.shape == (2, 3, 3, 7)
    assert Deltas().inverse_transform(cube).shape == (2, 3, 7)


@pytest.mark.parametrize("form", [list, RecordingSequence])
def test_channels_are_refused(form):
    X = form([[np.ones((3, 2, 4)), np.ones((3, 2, 4))], np.ones((3, 2, 4))])
    with pytest.raises(
        RecordingError, match=r"^X\[0\] has 3 channels already .* Give Deltas one channel"
    ):
        list(Deltas().transform(X))


@pytest.mark.parametrize("shape", [(4, 5), (2, 4, 5)])
@pytest.mark.parametrize("form", [list, RecordingSequence])
def test_what_has_no_deltas_has_no_inverse(shape, form):
    with pytest.raises(RecordingError, match=r"^X\[0\] has shape .*, not \(3, n_bins, n_frames\)"):
        list(Deltas().inverse_transform(form([np.ones(shape)])))


@pytest.mark.parametrize(("name", "value"), [("order", 0), ("order", 1.5), ("width", 1)])
def test_wrong_parameters(name, value):
    with pytest.raises(ValueError, match=f"The '{name}' parameter of Deltas"):
        Deltas(**{name: value}).fit(spectrograms(9))


@pytest.mark.parametrize("options", [{"width": 4}, {"width": 3, "order": 3}])
@pytest.mark.parametrize("method", ["fit", "transform", "inverse_transform"])
def test_widths_that_fit_no_polynomial(options, method):
    with pytest.raises(ValueError, match=r"width is \d; it must be odd.* greater than order, \d\."):
        getattr(Deltas(**options), method)(spectrograms(9))
