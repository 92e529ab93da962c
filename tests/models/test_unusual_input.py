"""Bags without a segment, classes that are lost, batches smaller than an utterance."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.model_selection import KFold, cross_val_predict, cross_val_score
from sklearn.pipeline import make_pipeline
from skorch.callbacks import Callback

from skspeech.exceptions import RecordingError
from skspeech.model_selection import LeaveOneSpeakerOut, cross_validate_speakers
from skspeech.preprocessing import FixedDuration
from skspeech.recordings import RecordingSequence, object_array
from skspeech.testing import make_labels, make_recordings, small_instance

NAMES = [
    "VariableLengthCRNNClassifier",
    "FixedLengthCRNNClassifier",
    "MultiKernelBLSTMClassifier",
    "CRNNClassifier",
    "Residual50Classifier",
    "ResidualBLSTMClassifier",
]
EACH = pytest.mark.parametrize("name", NAMES)
WAVES, X, Y = make_recordings("waveform", 12), make_recordings("spectrogram", 12), make_labels(12)
SPEAKERS = np.array(list("aaaabbbbcccc"))
#: One utterance, by the second speaker, is of a class of its own.
LONE = np.where(np.arange(12) == 4, "lone", Y)
TOO_FEW = "ignore:The least populated class in y has only 1 member:UserWarning"
LOST = "Number of classes in training fold"


def small(name, **parameters):
    return small_instance(name).set_params(max_epochs=1, **parameters)


def pieces(name, **parameters):
    """Return a system that splits each waveform into a bag of pieces of 0.1 s."""
    return make_pipeline(
        FixedDuration(duration=0.1, sample_rate=800, long="split"),
        small_instance("LogPowerSpectrogram"),
        small(name, **parameters),
    )


# A bag without a segment


@EACH
@pytest.mark.parametrize("empty", [[], ()], ids=["list", "tuple"])
@pytest.mark.parametrize("container", [list, object_array, RecordingSequence])
def test_a_bag_without_a_segment_is_named(name, empty, container):
    bags = [[x[:, :6], x[:, 6:]] for x in X]
    fitted = small(name).fit(bags, Y)
    for place in (0, 3):
        broken = container([*bags[:place], empty, *bags[place + 1 :]])
        for action in (lambda b=broken: small(name).fit(b, Y), lambda b=broken: fitted.predict(b)):
            with pytest.raises(RecordingError, match=rf"X\[{place}\] is an empty bag\. Remove"):
                action()
    with pytest.raises(RecordingError, match=r"X\[0\] is an empty bag"):
        fitted.predict([empty])


@EACH
def test_a_segment_without_a_frame_is_named(name):
    bags = [[x[:, :6], x[:, 6:]] for x in X]
    with pytest.raises(RecordingError, match=r"X\[3\] is empty \(shape \(5, 0\)\)"):
        small(name).fit([*bags[:3], [X[3], X[3][:, :0]], *bags[4:]], Y)


@EACH
def test_nothing_to_split_is_named(name):
    waves = list(WAVES)
    fitted = pieces(name).fit(waves, Y)
    for nothing, message in ((WAVES[3][:0], "is empty"), ([], "is a list, not an array")):
        waves[3] = nothing
        for action in (lambda: pieces(name).fit(waves, Y), lambda: fitted.predict(waves)):
            with pytest.raises(RecordingError, match=rf"X\[3\] {message}"):
                action()
    front_end = make_pipeline(small_instance("LogPowerSpectrogram"), small(name))
    with pytest.raises(RecordingError, match=r"X\[3\] is an empty bag"):
        front_end.fit(waves, Y)


# A class of one utterance, and a split that loses a class


@EACH
def test_a_class_of_one_utterance_is_trained_on(name):
    system = pieces(name).fit(WAVES, LONE)
    assert system[-1].validation_.method is None
    assert "the rarest with 1" in system[-1].validation_.reason
    assert system.predict_proba(WAVES).shape == (12, 3)
    groups = {f"{name.lower()}__groups": np.arange(12) % 4}
    held = system.fit(WAVES, LONE, **groups)[-1].validation_
    assert held.method == "speaker"
    assert 4 not in held.indices
    with pytest.raises(ValueError, match=r"the rarest with 1.*Choose validation=None"):
        small(name, validation="stratified").fit(X, LONE)


@EACH
@pytest.mark.filterwarnings(TOO_FEW)
def test_a_class_of_one_utterance_in_cross_validation(name):
    scores = cross_val_score(pieces(name), WAVES, LONE, cv=3, error_score="raise")
    assert np.isfinite(scores).all()
    with pytest.warns(RuntimeWarning, match=LOST):
        posteriors = cross_val_predict(pieces(name), WAVES, LONE, cv=3, method="predict_proba")
    assert posteriors.shape == (12, 3)
    assert_allclose(posteriors.sum(axis=1), 1)
    assert posteriors[4, 1] == 0, "whoever has not met a class gives it no chance"


@EACH
def test_splits_that_lose_a_class(name):
    labels = np.repeat(["calm", "glad", "sad"], 4)
    with pytest.warns(RuntimeWarning, match=LOST):
        posteriors = cross_val_predict(small(name), X, labels, cv=KFold(3), method="predict_proba")
    lost = np.repeat(np.eye(3, dtype=bool), 4, axis=0)
    assert not posteriors[lost].any()
    assert_allclose(posteriors.sum(axis=1), 1)


@EACH
@pytest.mark.parametrize("n_validation", [0, 1])
def test_a_speaker_who_alone_has_a_class(name, n_validation):
    rows = cross_validate_speakers(
        pieces(name), WAVES, LONE, groups=SPEAKERS, cv=LeaveOneSpeakerOut(n_validation=n_validation)
    )
    assert [row["test_speakers"] for row in rows] == [["a"], ["b"], ["c"]]
    for row in rows:
        assert row["classes"] == ["even", "lone", "odd"]
        assert np.sum(row["confusion"]) == row["n_test"] == 4
        assert np.isfinite([row["wa"], row["ua"]]).all()
        posteriors = np.array(row["posteriors"])
        assert posteriors.shape == (4, 3)
        assert_allclose(posteriors.sum(axis=1), 1, atol=1e-5)  # rows are rounded
    assert not np.array(rows[1]["posteriors"])[:, 1].any()
    assert rows[1]["truth"][0] == "lone", "counted, and never right"
    assert rows[1]["ua"] <= 2 / 3


# Batches smaller than an utterance


class Sizes(Callback):
    """Counts the segments of each batch; on the class, because the callback is copied."""

    seen: list = []

    def on_batch_begin(self, net, batch=None, training=False, **kwargs):
        self.seen.append((len(batch[0]["lengths"]), batch[0]["inputs"].shape[-1]))


@EACH
@pytest.mark.parametrize("bags", [False, True], ids=["recordings", "bags"])
def test_an_utterance_longer_than_a_batch_is_trained_on_alone(name, bags):
    recordings = [[x[:, :6], x[:, 6:]] for x in X] if bags else list(X)
    network = small(name, batch_frames=20, validation=None, callbacks=[Sizes()])
    if name.startswith("Multi"):
        network.set_params(crop_frames=None)
    Sizes.seen.clear()
    network.fit(recordings, Y)
    lengths = [s.shape[1] for x in recordings for s in (x if bags else [x])]
    assert max(lengths) > 20
    assert sum(n for n, _ in Sizes.seen) == len(lengths)
    assert all(n == 1 for n, longest in Sizes.seen if longest > 20)
    assert all(n * longest <= 20 for n, longest in Sizes.seen if n > 1)
    answers = network.predict_proba(recordings)
    assert_allclose(network.predict_proba(recordings[:1]), answers[:1], rtol=0, atol=1e-5)
    assert np.isfinite(network.set_params(batch_frames=1).fit(recordings, Y).predict_proba(X)).all()
