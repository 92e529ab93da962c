"""What every transformer that treats each recording on its own does with collections."""

import pickle

import joblib
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import config_context
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline

from skspeech.exceptions import RecordingError
from skspeech.preprocessing import FixedDuration, LogMelSpectrogram
from skspeech.preprocessing._base import RecordingTransformer
from skspeech.recordings import RecordingSequence, object_array
from skspeech.testing import make_labels, make_recordings, small_instance


class Gain(RecordingTransformer):
    """Multiplies; remembers how many recordings came at once."""

    _parameter_constraints = {"factor": [float, int]}
    _input_kind = "waveform"
    _output_kind = "waveform"

    def __init__(self, factor=2.0, seen=None):
        self.factor = factor
        self.seen = seen

    def _transform_batch(self, recordings):
        if self.seen is not None:
            self.seen.append(len(recordings))
        return [recording * self.factor for recording in recordings]


X = [np.array([1.0, 2.0, 3.0]), np.array([4.0])]


def opened(recordings):
    """Return a lazy sequence and the list of what was read of it."""
    read = []

    def open_recording(i):
        read.append(i)
        return recordings[i]

    return RecordingSequence(range(len(recordings)), open_recording), read


@pytest.mark.parametrize("container", [list, tuple, object_array])
def test_ragged_in_object_array_out(container):
    transformed = Gain().fit_transform(container(X))
    assert transformed.shape == (2,)
    assert transformed.dtype == object
    assert_array_equal(transformed[0], [2, 4, 6])
    assert_array_equal(transformed[1], [8])


def test_equal_lengths_in_a_list_stay_an_object_array():
    assert Gain().transform([np.ones(3), np.ones(3)]).shape == (2,)


@pytest.mark.parametrize("table", [np.ones((2, 3)), pd.DataFrame(np.ones((2, 3))), [[1, 1, 1]] * 2])
def test_table_in_array_out(table):
    transformed = Gain().fit_transform(table)
    assert transformed.shape == (2, 3)
    assert transformed.dtype == np.float32


def test_sequence_in_sequence_out():
    sequence, read = opened(X)
    transformed = Gain().fit_transform(sequence)
    assert isinstance(transformed, RecordingSequence)
    assert transformed.shape == (2,)
    assert read == []
    assert_array_equal(transformed[1], [8])
    assert read == [1]


def test_a_later_set_params_changes_no_lazy_answer():
    gain = Gain()
    transformed = gain.transform(RecordingSequence(X))
    gain.set_params(factor=5.0)
    assert_array_equal(transformed[1], [8])
    assert_array_equal(gain.transform(RecordingSequence(X))[1], [20])


def test_lazy_answers_pickle_and_hash():
    transformed = LogMelSpectrogram(n_fft=16, n_mels=2).transform(RecordingSequence(X))
    copied = pickle.loads(pickle.dumps(transformed))
    assert_array_equal(copied[0], transformed[0])
    again = LogMelSpectrogram(n_fft=16, n_mels=2).transform(RecordingSequence(X))
    other = LogMelSpectrogram(n_fft=16, n_mels=3).transform(RecordingSequence(X))
    assert joblib.hash(again) == joblib.hash(transformed) != joblib.hash(other)


def test_bags_come_back_as_bags():
    transformed = Gain().transform([[X[0], X[1]], X[1], (X[0],)])
    assert [type(recording) for recording in transformed] == [list, np.ndarray, list]
    assert_array_equal(transformed[0][0], [2, 4, 6])
    assert_array_equal(transformed[0][1], [8])
    assert_array_equal(transformed[2][0], [2, 4, 6])


def test_all_segments_of_all_recordings_go_together():
    seen = []
    Gain(seen=seen).transform([[X[0], X[1]], X[1], [X[0]]])
    assert seen == [4]


def test_lazy_bags():
    transformed = Gain().transform(RecordingSequence([[X[0], X[1]], X[1]]))
    assert_array_equal(transformed[0][1], [8])
    assert_array_equal(transformed[1], [8])


def test_works_without_fit():
    assert_array_equal(Gain().transform(X)[1], [8])
    try:
        LogMelSpectrogram().transform(X)
    except NotFittedError:
        pytest.fail("nothing is learnt, so there is nothing to fit")


def test_fit_learns_nothing():
    assert set(vars(Gain().fit(X))) == {"factor", "seen"}
    assert not Gain().__sklearn_tags__().requires_fit


def test_recordings_are_not_written_to():
    table = np.ones((2, 3), np.float32)
    for transformer in (Gain(), FixedDuration(), LogMelSpectrogram(n_fft=4, n_mels=1)):
        transformer.transform(table)
        transformer.transform(list(table))
        assert_array_equal(table, np.ones((2, 3)))


@pytest.mark.parametrize("form", [list, RecordingSequence])
def test_errors_name_the_recording(form):
    broken = form([X[0], np.array([1, np.nan]), X[1]])
    with pytest.raises(RecordingError, match=r"X\[1\] holds NaN at sample 1.* before Gain\."):
        list(Gain().transform(broken))
    with pytest.raises(RecordingError, match=r"X\[0\] holds NaN"):
        list(
            Gain().transform(broken)[1:]
            if form is RecordingSequence
            else Gain().transform(broken[1:])
        )


def test_parameters_are_checked_at_fit_and_at_transform():
    for method in ("fit", "transform"):
        for recordings in (X, RecordingSequence(X)):
            with pytest.raises(ValueError, match="The 'factor' parameter of Gain"):
                getattr(Gain(factor="loud"), method)(recordings)


def test_a_subclass_must_transform():
    class Idle(RecordingTransformer):
        _parameter_constraints = {}
        _input_kind = _output_kind = "waveform"

    with pytest.raises(TypeError, match="Idle must define _transform_batch"):
        Idle().transform(X)


@pytest.mark.parametrize(
    "transformer",
    [
        FixedDuration(duration=2, sample_rate=800, long="split"),
        LogMelSpectrogram(sample_rate=8000, n_fft=64, f_max=3000, scale="ln"),
    ],
)
def test_clones_have_the_same_parameters(transformer):
    twin = clone(transformer.fit(X))
    assert twin.get_params() == transformer.get_params()
    assert twin.set_params(sample_rate=1).get_params() != transformer.get_params()


@pytest.mark.parametrize("transformer", [FixedDuration(), LogMelSpectrogram(n_fft=4, n_mels=1)])
def test_recordings_become_no_data_frame(transformer):
    transformer = clone(transformer)
    assert transformer.set_output(transform="pandas") is transformer
    assert isinstance(transformer.fit_transform(X), np.ndarray)
    with config_context(transform_output="pandas"):
        assert isinstance(transformer.fit_transform(X), np.ndarray)
        assert isinstance(transformer.fit_transform(np.ones((2, 3))), np.ndarray)
        assert isinstance(transformer.transform(RecordingSequence(X)), RecordingSequence)


@pytest.mark.parametrize("front", [FixedDuration, LogMelSpectrogram])
def test_a_pipeline_hands_set_output_to_its_last_step(front):
    waveforms, labels = make_recordings("waveform"), make_labels()
    last = "CNNLSTM1DClassifier" if front is FixedDuration else "CNNLSTM2DClassifier"
    system = make_pipeline(small_instance(front.__name__), small_instance(last))
    embedding = system.set_output(transform="pandas").fit(waveforms, labels).transform(waveforms)
    assert isinstance(embedding, pd.DataFrame)
    assert len(embedding) == len(waveforms)


def test_an_error_at_work_names_the_recording_of_the_segment():
    class Picky(Gain):
        def _transform_batch(self, recordings):
            for i, recording in enumerate(recordings):
                if len(recording) == 1:
                    raise RecordingError("is one sample", "Lengthen it.", i)
            return recordings

    with pytest.raises(RecordingError, match=r"^X\[1\] is one sample"):
        Picky().transform([[X[0], X[0]], [X[0], X[1]], X[0]])
    with pytest.raises(RecordingError, match=r"^X\[2\] is one sample"):
        list(Picky().transform(RecordingSequence([X[0], [X[0], X[0]], [X[0], X[1]]])))


def test_an_error_at_work_may_name_no_recording():
    class Helpless(Gain):
        def _transform_batch(self, recordings):
            raise RecordingError("is beyond help", "Give up.")

    with pytest.raises(RecordingError, match=r"^A recording is beyond help"):
        Helpless().transform(X)


def test_front_end_and_network_agree_lazily_and_in_memory():
    waveforms, labels = make_recordings("waveform"), make_labels()
    system = make_pipeline(
        FixedDuration(duration=0.1, sample_rate=800, long="split"),
        LogMelSpectrogram(sample_rate=800, n_fft=32, hop_length=8, n_mels=4),
        small_instance("CNNLSTM2DClassifier"),
    )
    posteriors = system.fit(waveforms, labels).predict_proba(waveforms)
    bags = system[0].transform(waveforms)
    assert [len(bag) for bag in bags] == [-(-len(x) // 80) for x in waveforms]
    assert len({len(bag) for bag in bags}) > 1
    network = system[-1]
    for posterior, bag in zip(posteriors, bags, strict=True):
        alone = network.predict_proba(list(system[1].transform(bag)))
        assert_allclose(posterior, alone.mean(axis=0), atol=1e-5)
    lazy = RecordingSequence(list(waveforms))
    assert_allclose(system.predict_proba(lazy), posteriors, atol=1e-5)
    assert_allclose(clone(system).fit(lazy, labels).predict_proba(lazy), posteriors, atol=1e-5)
