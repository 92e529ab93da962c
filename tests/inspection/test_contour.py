"""Pitch, contour and motifs drawn over the spectrogram."""

from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure
from numpy.testing import assert_allclose

from skspeech.inspection import ContourDisplay, plot_contour, plot_motifs
from skspeech.inspection._motif_rows import place_in_rows
from skspeech.preprocessing import ContourApproximator

RATE, HOP = 8000, 80
LOCATIONS = [("recording", int), ("motif", int), ("start", float), ("end", float)]


def found(*occurrences, recording=0):
    """Return rows as MotifExtractor.locate gives them, from (motif, start, end)."""
    return np.array([(recording, *occurrence) for occurrence in occurrences], dtype=LOCATIONS)


def pitch_of(*hertz, seconds=0.5):
    return np.repeat(np.array(hertz, dtype=float), round(seconds * RATE / HOP))


def sung(pitch):
    """Return the waveform of a pitch track: silence where it is 0."""
    hertz = np.repeat(pitch, HOP)
    return np.sin(2 * np.pi * np.cumsum(hertz) / RATE) * (hertz > 0)


PITCH = pitch_of(220, 0, 330)


def draw(waveform=None, pitch=PITCH, approximated=None, **options):
    return plot_contour(
        waveform,
        pitch,
        approximated,
        sample_rate=RATE,
        hop_length=HOP,
        ax=Figure(layout="constrained").subplots(),
        **options,
    )


def test_lines_lie_on_the_times_and_pitches_of_the_frames():
    display = draw(approximated=0.99 * PITCH)
    times, hertz = display.pitch_.get_data()
    assert_allclose(times, np.arange(150) * 0.01)
    voiced = PITCH > 0
    assert_allclose(hertz[voiced], PITCH[voiced])
    assert np.isnan(hertz[~voiced]).all()  # no line through a pause
    assert_allclose(display.contour_.get_ydata()[voiced], 0.99 * PITCH[voiced])
    assert display.mesh_ is None


def test_axes_show_all_voices_in_hertz():
    display = draw(sung(PITCH), approximated=PITCH)
    display.figure_.draw_without_rendering()
    lowest, highest = display.ax_.get_ylim()
    assert lowest < 220
    assert highest > 330
    assert display.ax_.get_yscale() == "log"
    assert_allclose(display.ax_.get_xlim(), [0, 1.49])
    labels = [text.get_text() for text in display.ax_.get_yticklabels()]
    assert {"200", "250", "300"} <= set(labels)
    assert display.ax_.get_xlabel() == "time (s)"


@pytest.mark.parametrize("interval", [None, (0.2, 1.4)])
def test_the_spectrogram_is_loudest_where_the_pitch_is(interval):
    display = draw(sung(PITCH), interval=interval)
    values, corners = display.mesh_.get_array(), display.mesh_.get_coordinates()
    seconds, hertz = corners[0, :, 0], corners[:, 0, 1]
    assert (hertz > 0).all()
    for time, pitch in ((0.3, 220), (1.25, 330)):
        loudest = values[:, np.searchsorted(seconds, time) - 1].argmax()
        assert hertz[loudest] <= pitch <= hertz[loudest + 1]
    assert values[:, np.searchsorted(seconds, 0.75) - 1].max() < values.max() - 60


def test_a_long_recording_has_no_more_columns_than_a_picture():
    pitch = np.tile(PITCH, 40)
    assert draw(sung(pitch), pitch).mesh_.get_array().shape[1] <= 2001


def test_nothing_voiced():
    display = draw(np.zeros(RATE), np.zeros(101), np.zeros(101))
    display.figure_.draw_without_rendering()
    assert display.bars_ == []


def test_a_single_frame():
    draw(np.ones(3), np.array([220.0])).figure_.draw_without_rendering()


def test_motifs_are_bars_from_their_start_to_their_end():
    motifs = found((4, 0.0, 0.5), (17, 1.0, 1.4))
    display = draw(motifs=motifs)
    display.figure_.draw_without_rendering()
    assert [(bar.get_x(), bar.get_x() + bar.get_width()) for bar in display.bars_] == [
        (0.0, 0.5),
        (1.0, 1.4),
    ]
    assert [text.get_text() for text in display.ax_.texts] == ["4", "17"]
    assert display.n_hidden_ == 0
    assert display.ax_.get_title(loc="right") == ""
    # below the lowest pitch that is drawn
    top = max(bar.get_y() + bar.get_height() for bar in display.bars_)
    lowest, highest = np.log(display.ax_.get_ylim())
    assert np.exp(lowest + top * (highest - lowest)) < 220


def test_a_motif_has_one_colour():
    display = draw(motifs=found((4, 0.0, 0.2), (5, 0.3, 0.5), (4, 1.0, 1.4)))
    first, other, again = (bar.get_facecolor() for bar in display.bars_)
    assert first == again
    assert first != other


def test_what_finds_no_room_is_counted():
    motifs = found(*[(i, 0.1 * i, 1.0 + 0.01 * i) for i in range(10)])
    display = draw(motifs=motifs, max_rows=3)
    assert (len(display.bars_), display.n_hidden_) == (3, 7)
    assert "7 of 10 occurrences" in display.ax_.get_title(loc="right")
    assert min(bar.get_x() for bar in display.bars_) == 0  # the longest are there


def test_many_rows_leave_half_of_the_axes():
    motifs = found(*[(i, 0.0, 1.0) for i in range(30)])
    display = draw(motifs=motifs, max_rows=30)
    assert len(display.bars_) == 30
    assert max(bar.get_y() + bar.get_height() for bar in display.bars_) <= 0.5


def test_a_number_is_left_out_where_it_has_no_room():
    display = draw(motifs=found((1, 0.0, 1.0), (123456, 1.2, 1.21)))
    assert [text.get_text() for text in display.ax_.texts] == ["1"]


def test_only_motifs_of_the_interval():
    motifs = found((0, 0.0, 0.3), (1, 0.2, 0.6), (2, 0.9, 1.2))
    display = draw(sung(PITCH), motifs=motifs, interval=(0.4, 0.8))
    assert [bar.get_x() for bar in display.bars_] == [0.2]
    assert display.ax_.get_xlim() == (0.4, 0.8)


spans = st.tuples(st.integers(0, 5), st.integers(0, 30), st.integers(1, 12))


@settings(deadline=None, max_examples=60)
@given(st.lists(spans, max_size=25), st.integers(0, 6))
def test_no_two_of_a_row_overlap_and_none_is_left_out_needlessly(drawn, max_rows):
    motifs = found(*[(motif, begin, begin + length) for motif, begin, length in drawn])
    rows = place_in_rows(motifs, max_rows)
    assert ((rows >= -1) & (rows < max_rows)).all()

    def overlap(one, other):
        return one["start"] < other["end"] and other["start"] < one["end"]

    for i, one in enumerate(motifs):
        if rows[i] >= 0:
            others = [m for k, m in enumerate(motifs) if k != i and rows[k] == rows[i]]
            assert not any(overlap(one, other) for other in others)
        else:
            for row in range(max_rows):
                assert any(overlap(one, other) for other in motifs[rows == row])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"pitch": np.zeros((2, 3))}, r"shape \(2, 3\), not \(n_frames,\)"),
        ({"pitch": []}, r"shape \(0,\), not \(n_frames,\)"),
        ({"approximated": PITCH[1:]}, r"contour has shape \(149,\), the pitch \(150,\)"),
        ({"interval": (1, 1)}, r"interval is \(1, 1\)"),
        ({"interval": (-1, 1)}, r"interval is \(-1, 1\)"),
        ({"motifs": np.zeros((2, 3))}, r"they have no fields"),
        (
            {"motifs": np.concatenate([found((0, 0, 1)), found((0, 0, 1), recording=1)])},
            r"more than one recording",
        ),
    ],
)
def test_refused(options, message):
    with pytest.raises(ValueError, match=message):
        draw(**options)


def test_an_interval_beyond_the_end():
    assert draw(sung(PITCH), interval=(20, 30)).mesh_ is None


class Extractor:
    """What plot_motifs asks a MotifExtractor for."""

    sample_rate = RATE

    def __init__(self, contour):
        self.contour_ = contour
        self.pitch_ = SimpleNamespace(hop_length=HOP, transform=lambda X: [PITCH] * len(X))

    def locate(self, X):
        assert len(X) == 1
        return found((3, 0.0, 0.5))


def test_a_fitted_extractor_and_a_waveform_are_enough():
    contour = ContourApproximator(sample_rate=RATE, hop_length=HOP).fit([PITCH])
    ax = Figure().subplots()
    display = plot_motifs(Extractor(contour), sung(PITCH), ax=ax, interval=(0, 1))
    assert display.ax_ is ax
    assert_allclose(display.contour_.get_ydata()[:50], 220, rtol=1e-3)
    assert len(display.bars_) == 1
    assert isinstance(display, ContourDisplay)


def test_a_contour_that_cannot_be_drawn_is_left_out():
    display = plot_motifs(Extractor(object()), sung(PITCH), ax=Figure().subplots())
    assert display.contour_ is None
    assert display.pitch_ is not None


def test_what_locates_nothing_is_refused():
    with pytest.raises(TypeError, match=r"ContourApproximator locates no motifs"):
        plot_motifs(ContourApproximator(), sung(PITCH), ax=Figure().subplots())


def test_given_axes_no_pyplot_figure():
    before = plt.get_fignums()
    draw()
    assert plt.get_fignums() == before


def test_a_pitch_of_another_hop_is_refused():
    with pytest.raises(ValueError, match="51 frames, but a waveform of 5,000 samples has 20 with"):
        plot_contour(
            np.zeros(5000), np.full(51, 220.0), None, hop_length=256, ax=Figure().subplots()
        )


def test_a_collection_is_no_waveform():
    extractor = SimpleNamespace(locate=None)
    with pytest.raises(ValueError, match=r"one waveform, .* of a collection, give X\[i\]"):
        plot_motifs(extractor, [np.zeros(9)])
