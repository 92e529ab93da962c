import copy
import pickle

import matplotlib.pyplot as plt
import numpy as np
import pytest
import soundfile
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from torch import nn

from skspeech.exceptions import RecordingError
from skspeech.inspection import (
    RecurrentActivationsDisplay,
    plot_recurrent_activations,
    recurrent_activations,
)
from skspeech.layers import (
    MaskedConv1d,
    MaskedConv2d,
    MaskedMaxPool1d,
    MaskedRecurrent,
    MaskedSequential,
)
from skspeech.models import (
    CNNLSTM1DClassifier,
    CNNLSTM2DClassifier,
    FixedLengthCRNNClassifier,
    VariableLengthCRNNClassifier,
)
from skspeech.preprocessing import AudioLoader, FixedDuration, LogMelSpectrogram

RATE, HOP, N_BINS = 8000, 80, 4
ONCE = {"max_epochs": 1, "validation": None, "device": "cpu", "random_state": 0}
SMALL_CRNN = {"n_maps": (2, 3), "kernel_sizes": (3, (4, 3)), "pool_sizes": (2, 2)} | ONCE
LABELS = [0, 1] * 3


def small_network(**options):
    return CNNLSTM2DClassifier(n_maps=(2, 3), pool_sizes=(2, 2), lstm_units=5, **ONCE, **options)


def front_end():
    return LogMelSpectrogram(sample_rate=RATE, n_fft=256, hop_length=HOP, n_mels=N_BINS)


@pytest.fixture(scope="module")
def spectrograms():
    rng = np.random.default_rng(0)
    return [rng.normal(size=(N_BINS, n)).astype(np.float32) for n in (30, 41, 22, 9, 50, 33)]


@pytest.fixture(scope="module")
def waveforms():
    rng = np.random.default_rng(1)
    return [
        0.1 * rng.normal(size=n).astype(np.float32) for n in (2000, 3100, 2500, 1700, 900, 4000)
    ]


@pytest.fixture(scope="module")
def fitted(spectrograms):
    return small_network(standardize=None).fit(spectrograms, LABELS)


@pytest.fixture(scope="module")
def pipeline(waveforms):
    return make_pipeline(front_end(), small_network()).fit(waveforms, LABELS)


@pytest.fixture(scope="module")
def crnn(spectrograms):
    network = VariableLengthCRNNClassifier(recurrent_units=4, batch_frames=100, **SMALL_CRNN)
    return network.fit(spectrograms, LABELS)


class Layers(nn.Module):
    """Layers over time, with the bins as channels, and one recurrent layer or more."""

    def __init__(self, layers, *recurrent):
        super().__init__()
        self.layers = MaskedSequential(*layers)
        self.recurrent = nn.ModuleList(recurrent or [MaskedRecurrent(N_BINS, 3, cell="gru")])

    def min_input_length(self):
        return self.layers.min_input_length()

    def forward(self, inputs, lengths):
        x, lengths = self.layers(inputs.flatten(1, 2), lengths)
        for layer in self.recurrent:
            y, _ = layer(x=x, lengths=lengths)
        return y


def with_network(fitted, network):
    """Return a fitted estimator that has another network."""
    twin = copy.deepcopy(fitted)
    twin.net_.module_.network = network.train()  # so that evaluation mode shows
    return twin


# What is told of the activations


def test_last_step_of_an_lstm_is_the_embedding(fitted, spectrograms):
    for recording in spectrograms:
        result = recurrent_activations(fitted, recording)
        assert result.activations.dtype == np.float32
        assert result.activations.shape == (5, recording.shape[1] // 4)
        assert result.n_forward_units == 5
        embedding = fitted.transform([recording])[0]
        np.testing.assert_allclose(result.activations[:, -1], embedding, atol=1e-6, rtol=0)


def test_ends_of_both_directions_are_the_embedding(crnn, spectrograms):
    result = recurrent_activations(crnn, spectrograms[1])
    assert result.activations.shape == (8, 10)
    assert result.n_forward_units == 4
    ends = np.concatenate([result.activations[:4, -1], result.activations[4:, 0]])
    np.testing.assert_allclose(ends, crnn.transform([spectrograms[1]])[0], atol=1e-6, rtol=0)


def test_only_the_recording_matters(crnn, spectrograms):
    first = recurrent_activations(crnn, spectrograms[0])
    recurrent_activations(crnn, spectrograms[4])
    crnn.predict(spectrograms)
    torch.manual_seed(5)
    again = recurrent_activations(pickle.loads(pickle.dumps(crnn)), spectrograms[0].copy())
    for name in first:
        np.testing.assert_array_equal(first[name], again[name])


@pytest.mark.parametrize("recording", [0, 1])
def test_nothing_of_the_estimator_changes(crnn, spectrograms, recording):
    model = copy.deepcopy(crnn)
    model.module_.train()
    recording = [spectrograms[0], np.zeros((N_BINS + 1, 9))][recording]
    before, drawn = pickle.dumps(model), torch.get_rng_state()
    try:
        recurrent_activations(model, recording)
    except RecordingError:
        assert len(recording) == N_BINS + 1
    assert pickle.dumps(model) == before
    assert torch.equal(torch.get_rng_state(), drawn)
    assert model.module_.training
    assert not any(module._forward_pre_hooks for module in model.module_.modules())


def test_dropout_rests(fitted, spectrograms):
    network = Layers([MaskedConv1d(N_BINS, N_BINS, 1), nn.Dropout(0.5)])
    network = with_network(fitted, network)
    first, again = (recurrent_activations(network, spectrograms[0]) for _ in range(2))
    np.testing.assert_array_equal(first.activations, again.activations)


def test_the_layer_run_last_counts(fitted, spectrograms):
    layers = [MaskedRecurrent(N_BINS, n, bidirectional=n == 3, num_layers=2) for n in (2, 3)]
    network = Layers([MaskedMaxPool1d(1)], *layers)
    network.recurrent = nn.ModuleList(layers[::-1])
    result = recurrent_activations(with_network(fitted, network), spectrograms[0])
    assert (len(result.activations), result.n_forward_units) == (2, 2)
    network.recurrent = nn.ModuleList(layers)
    result = recurrent_activations(with_network(fitted, network), spectrograms[0])
    assert (len(result.activations), result.n_forward_units) == (6, 3)


def test_bfloat16_comes_out_as_float32(spectrograms):
    network = small_network(precision="bfloat16").fit(spectrograms, LABELS)
    result = recurrent_activations(network, spectrograms[1])
    assert result.activations.dtype == np.float32
    plain = copy.deepcopy(network)
    plain.net_.precision = "float32"
    exact = recurrent_activations(plain, spectrograms[1]).activations
    np.testing.assert_allclose(result.activations, exact, atol=0.05)


# Time


def pool(size, padding="valid"):
    return MaskedMaxPool1d(size, padding=padding)


def conv(size, **options):
    return MaskedConv1d(N_BINS, N_BINS, size, **options)


@pytest.mark.parametrize(
    ("layers", "n_frames", "times"),
    [
        ([pool(1)], 3, [0, 1, 2]),
        ([conv(3), pool(2), conv(5), pool(4)], 33, [3.5, 11.5, 19.5, 27.5]),
        ([pool(8, "same")], 19, [3.5, 11.5, 17]),
        ([conv(5, padding="valid")], 7, [2, 3, 4]),
        ([conv(5, padding="valid"), pool(2)], 9, [2.5, 4.5]),
        ([conv(7, padding="valid", stride=2)], 12, [3, 5, 7]),
        ([pool(128)], 251, [63.5]),  # the rest is not heard
        ([pool(128, "same")], 100, [49.5]),
        ([pool(8)], 5, [3.5]),  # padded to the least length
        ([conv(3, stride=2), pool(3)], 31, [2.5, 8.5, 14.5, 20.5, 26.5]),
    ],
)
def test_times(fitted, layers, n_frames, times):
    network = with_network(fitted, Layers(layers))
    result = recurrent_activations(network, np.ones((N_BINS, n_frames)))
    assert result.unit == "frame"
    np.testing.assert_allclose(result.times, times)
    np.testing.assert_allclose(result.spans.mean(axis=1), times)


@settings(max_examples=40, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 4), min_size=1, max_size=3),
    padding=st.sampled_from(["valid", "same"]),
    n_frames=st.integers(1, 70),
    data=st.data(),
)
def test_a_step_stands_for_the_frames_that_it_hears(fitted, sizes, padding, n_frames, data):
    network = with_network(fitted, Layers([pool(size, padding) for size in sizes]))
    silence = np.zeros((N_BINS, n_frames))
    click = silence.copy()
    place = data.draw(st.integers(0, n_frames - 1))
    click[:, place] = 5.0
    quiet, loud = (recurrent_activations(network, x) for x in (silence, click))
    changed = np.flatnonzero((quiet.activations != loud.activations).any(axis=0))
    inside = np.flatnonzero((loud.spans[:, 0] <= place) & (place <= loud.spans[:, 1]))
    assert changed[:1].tolist() == inside.tolist()  # and, as it remembers, the steps after it


class FixedSteps(Layers):
    """As many steps whatever the length, or one for the root of the length."""

    def __init__(self, root):
        super().__init__([MaskedMaxPool1d(1)])
        self.root = root

    def forward(self, inputs, lengths):
        n_steps = int(inputs.shape[-1] ** 0.5) if self.root else 4
        x = inputs.flatten(1, 2)[..., :1].repeat(1, 1, n_steps)
        return super().forward(x[:, None], torch.full_like(lengths, n_steps))


@pytest.mark.parametrize(
    ("root", "n_frames", "times"),
    [(False, 16, [1.5, 5.5, 9.5, 13.5]), (True, 25, [2, 7, 12, 17, 22])],
)
def test_steps_without_a_law_share_the_frames(fitted, root, n_frames, times):
    network = with_network(fitted, FixedSteps(root))
    result = recurrent_activations(network, np.ones((N_BINS, n_frames)))
    np.testing.assert_allclose(result.times, times)


def test_seconds(pipeline, waveforms):
    result = recurrent_activations(pipeline, waveforms[0])
    assert result.unit == "s"
    np.testing.assert_allclose(result.times, (1.5 + 4 * np.arange(6)) * HOP / RATE)
    assert result.borders.shape == (0,)
    alone = recurrent_activations(pipeline[-1], pipeline[0].transform(waveforms[:1])[0])
    assert alone.unit == "frame"
    np.testing.assert_array_equal(alone.activations, result.activations)
    np.testing.assert_allclose(alone.times * HOP / RATE, result.times)


def test_waveforms(waveforms):
    network = CNNLSTM1DClassifier(n_maps=(2, 2), pool_sizes=(4, 4), lstm_units=3, **ONCE)
    network.fit(waveforms, LABELS)
    result = recurrent_activations(network, waveforms[0])
    assert (result.unit, result.times[1]) == ("sample", 16 + 7.5)
    long = FixedDuration(duration=0.5, sample_rate=RATE)
    model = make_pipeline(long, "passthrough", network).fit(waveforms, LABELS)
    result = recurrent_activations(model, waveforms[0])
    assert (result.unit, result.times[1]) == ("s", (16 + 7.5) / RATE)
    assert result.activations.shape == (3, 250)


def test_pieces_follow_each_other(waveforms):
    split = FixedDuration(duration=0.2, sample_rate=RATE, long="split")
    network = FixedLengthCRNNClassifier(recurrent_units=4, **SMALL_CRNN)
    model = make_pipeline(split, front_end(), network).fit(waveforms, LABELS)
    result = recurrent_activations(model, waveforms[1])  # 3100 samples: two pieces of 21 frames
    bag = model[:-1].transform(waveforms[1:2])[0]
    alone = [recurrent_activations(network, piece) for piece in bag]
    np.testing.assert_array_equal(
        result.activations, np.concatenate([a.activations for a in alone], axis=1)
    )
    frame = HOP / RATE
    np.testing.assert_allclose(result.borders, [20.5 * frame])
    np.testing.assert_allclose(result.times[:5], alone[0].times * frame)
    np.testing.assert_allclose(result.times[5:], (21 + alone[1].times) * frame)
    as_bag = recurrent_activations(network, bag)
    np.testing.assert_array_equal(as_bag.activations, result.activations)


# What is read


def test_paths_and_pipelines_in_pipelines(pipeline, waveforms, tmp_path):
    soundfile.write(tmp_path / "a.wav", waveforms[0], RATE, subtype="FLOAT")
    model = make_pipeline(AudioLoader(sample_rate=RATE), pipeline)
    from_disk = recurrent_activations(model, tmp_path / "a.wav")
    wanted = recurrent_activations(pipeline, waveforms[0])
    for name in wanted:
        np.testing.assert_array_equal(from_disk[name], wanted[name])


def test_the_best_of_a_search(waveforms):
    model = make_pipeline(front_end(), small_network())
    search = GridSearchCV(model, {"cnnlstm2dclassifier__lr": [1e-3]}, cv=2)
    with pytest.raises(NotFittedError):
        recurrent_activations(search, waveforms[0])
    search.fit(waveforms, LABELS)
    np.testing.assert_array_equal(
        recurrent_activations(search, waveforms[0]).activations,
        recurrent_activations(search.best_estimator_, waveforms[0]).activations,
    )


@pytest.mark.parametrize(
    "wrap", [lambda n: n, make_pipeline, lambda n: make_pipeline(front_end(), n)]
)
def test_not_fitted(wrap, waveforms):
    with pytest.raises(NotFittedError, match="CNNLSTM2DClassifier"):
        recurrent_activations(wrap(small_network()), waveforms[0])


@pytest.mark.parametrize(
    ("estimator", "name"),
    [
        (LogisticRegression(), "LogisticRegression has no"),
        (make_pipeline(small_network(), LogisticRegression()), "ends in LogisticRegression has no"),
        (make_pipeline("passthrough"), "Pipeline that ends in NoneType has no"),
    ],
)
def test_not_a_network(estimator, name):
    with pytest.raises(TypeError, match=name):
        recurrent_activations(estimator, np.zeros((N_BINS, 9)))


class WithoutRecurrence(Layers):
    def forward(self, inputs, lengths):
        return inputs


class BinsApart(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.recurrent = MaskedConv2d(1, 2, 1), MaskedRecurrent(2, 3)

    def min_input_length(self):
        return 1

    def forward(self, inputs, lengths):
        x, lengths = self.conv(inputs, lengths)
        return self.recurrent(x.movedim(2, 1).flatten(0, 1), lengths.repeat(x.shape[2]))


def test_networks_without_a_sequence(fitted):
    silence = np.zeros((N_BINS, 9))
    network = with_network(fitted, WithoutRecurrence([pool(1)]))
    with pytest.raises(TypeError, match=r"CNNLSTM2DClassifier runs no recurrent layer"):
        recurrent_activations(network, silence)
    with pytest.raises(ValueError, match=r"reads one recording as 4 rows"):
        recurrent_activations(with_network(fitted, BinsApart()), silence)


def test_recordings_that_cannot_be_used(fitted):
    with pytest.raises(RecordingError, match=r"has 1 channel and 5 bins where"):
        recurrent_activations(fitted, np.zeros((N_BINS + 1, 9)))
    with pytest.raises(RecordingError, match="NaN"):
        recurrent_activations(fitted, np.full((N_BINS, 9), np.nan))


# The picture


def test_picture_of_both_directions(crnn, spectrograms):
    ax = Figure().subplots()
    display = plot_recurrent_activations(crnn, spectrograms[0], ax=ax)
    assert display.ax_ is ax
    assert display.figure_ is ax.figure
    display.figure_.draw_without_rendering()
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("frame", "unit (backward | forward)")
    assert ax.get_ylim() == (7.5, -0.5)  # the first unit on top
    assert ax.get_xlim() == (-0.5, 27.5)
    assert [line.get_ydata()[0] for line in ax.lines] == [3.5]
    assert display.mesh_.get_clim() == (-1, 1)
    bar = next(axes for axes in ax.figure.axes if axes is not ax)
    assert bar.get_ylabel() == "activation"
    white, black = display.mesh_.get_cmap()([0.0, 1.0])[:, 0]
    assert white > 0.9 > 0.1 > black


def test_values_are_drawn_at_their_times(pipeline, waveforms):
    display = plot_recurrent_activations(pipeline, waveforms[0], ax=Figure().subplots())
    result = recurrent_activations(pipeline, waveforms[0])
    edges = display.mesh_.get_coordinates()[0, :, 0]
    np.testing.assert_allclose((edges[1:] + edges[:-1]) / 2, result.times)
    np.testing.assert_array_equal(display.mesh_.get_array(), result.activations)
    assert (display.ax_.get_xlabel(), display.ax_.get_ylabel()) == ("time (s)", "unit")
    assert not display.ax_.lines


def test_pieces_are_parted(fitted, spectrograms):
    bag = [spectrograms[0], spectrograms[2]]  # 7 steps of 4 in 30 frames, 5 in 22
    display = plot_recurrent_activations(fitted, bag, ax=Figure().subplots())
    assert [line.get_xdata()[0] for line in display.ax_.lines] == [29.5]
    edges = display.mesh_.get_coordinates()[0, :, 0]
    np.testing.assert_allclose(edges, [*np.arange(8) * 4 - 0.5, *29.5 + np.arange(6) * 4])
    nothing = np.isnan(display.mesh_.get_array().filled(np.nan)).all(axis=0)
    assert np.flatnonzero(nothing).tolist() == [7]
    display.figure_.draw_without_rendering()


def test_a_display_may_be_drawn_again(fitted, spectrograms):
    result = recurrent_activations(fitted, spectrograms[0])
    display = RecurrentActivationsDisplay(result)
    first, second = Figure().subplots(1, 2)
    assert display.plot(ax=first).ax_ is first
    assert display.plot(ax=second).plot(ax=second).ax_.get_ylim() == (4.5, -0.5)


def test_a_figure_is_made_only_where_no_axes_are_given(fitted, spectrograms):
    before = plt.get_fignums()
    plot_recurrent_activations(fitted, spectrograms[0], ax=Figure().subplots())
    assert plt.get_fignums() == before
    display = plot_recurrent_activations(fitted, spectrograms[0])
    assert plt.gcf() is display.figure_
    plt.close(display.figure_)
