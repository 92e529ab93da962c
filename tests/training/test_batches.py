"""Segments, their batches and their moments."""

import weakref

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from skorch.callbacks import Callback

from skspeech.exceptions import RecordingError
from skspeech.models import MultiKernelBLSTMClassifier
from skspeech.recordings import RecordingSequence, object_array
from skspeech.testing import make_labels, make_recordings, small_instance
from skspeech.training.batches import Segments, collate, repeats_for_balance, survey
from skspeech.training.buckets import LengthBucketSampler
from skspeech.training.moments import Moments

PROPERTY = settings(deadline=None, max_examples=100)

SEEDS = st.integers(0, 2**31 - 1)


def ragged(rng, n_recordings, n_bins=3):
    return [
        rng.normal(size=(n_bins, rng.integers(1, 12))).astype(np.float32)
        for _ in range(n_recordings)
    ]


# The survey


def test_survey_lists_every_segment():
    rng = np.random.default_rng(0)
    single, first, second = ragged(rng, 3)
    found = survey(object_array([single, [first, second]]))
    assert found.recording.tolist() == [0, 1, 1]
    assert found.member.tolist() == [0, 0, 1]
    assert found.lengths.tolist() == [x.shape[-1] for x in (single, first, second)]
    assert found.layout == (1, 3)


@pytest.mark.parametrize(("shape", "layout"), [((7,), (1,)), ((3, 7), (1, 3)), ((2, 3, 7), (2, 3))])
def test_layout_is_what_comes_before_time(shape, layout):
    assert survey([np.zeros(shape, np.float32)]).layout == layout


def test_validation_recordings_are_not_measured():
    recordings = ragged(np.random.default_rng(0), 10)
    held = np.arange(10) % 3 == 0
    moments = Moments("bin")
    survey(object_array(recordings), moments=moments, measured=~held)
    frames = np.concatenate([x for x, out in zip(recordings, held, strict=True) if not out], -1)
    assert_allclose(moments.mean[0, :, 0], frames.mean(axis=1, dtype=float))
    assert_allclose(moments.scale[0, :, 0], frames.std(axis=1, dtype=float))


@pytest.mark.parametrize(
    ("bad", "found"),
    [
        (np.zeros((4, 7), np.float32), "1 channel and 4 bins"),
        (np.zeros((2, 3, 7), np.float32), "2 channels and 3 bins"),
        ([np.zeros((3, 7), np.float32), np.zeros((5, 7), np.float32)], "1 channel and 5 bins"),
    ],
)
def test_other_layout_names_the_recording(bad, found):
    good = np.zeros((3, 7), np.float32)
    with pytest.raises(RecordingError, match=rf"X\[2\] has {found} .* 1 channel and 3 bins"):
        survey([good, good, bad])


def test_given_layout_is_held_against_the_first():
    with pytest.raises(RecordingError, match=r"X\[0\] has 1 channel and 3 bins"):
        survey([np.zeros((3, 7), np.float32)], layout=(1, 4))


# Segments


def make_segments(recordings, chosen=None, **options):
    n = len(recordings)
    found = survey(recordings)
    return Segments(
        recordings,
        found,
        chosen=np.ones(n, dtype=bool) if chosen is None else chosen,
        targets=np.arange(n),
        weights=10.0 * np.arange(len(found.recording)),
        **options,
    )


def test_segments_are_those_of_the_chosen_recordings():
    a, b, c, d = ragged(np.random.default_rng(0), 4)
    segments = make_segments(object_array([a, [b, c], d]), np.array([False, True, True]))
    assert len(segments) == 3
    for i, wanted in enumerate((b, c, d)):
        assert_array_equal(segments[i][0], wanted[None])
    assert segments.lengths.tolist() == [x.shape[-1] for x in (b, c, d)]
    batch, (targets, weights, recording) = segments.collate([segments[2], segments[0]])
    assert batch["lengths"].tolist() == [d.shape[-1], b.shape[-1]]
    assert targets.tolist() == recording.tolist() == [2, 1]
    assert weights.tolist() == [30, 10]


def test_sequence_is_read_once_by_the_survey_and_never_kept():
    read, alive = [], []

    def open_recording(i):
        recording = np.full((3, 2 + i), i, np.float32)
        read.append(i)
        alive.append(weakref.ref(recording))
        return recording

    recordings = RecordingSequence(range(9), open_recording)
    segments = make_segments(recordings)
    assert read == list(range(9)), "the survey reads each once, in order"
    for batch in LengthBucketSampler(segments.lengths, 4, seed=0):
        before = len(read)
        segments.collate([segments[i] for i in batch])
        assert sorted(read[before:]) == sorted(batch.tolist()), "a batch reads its own"
        assert not any(ref() is not None for ref in alive), "nothing is kept"


# Crops and oversampling


def test_crops_are_runs_of_frames_drawn_anew():
    frames = np.arange(40, dtype=np.float32)
    long, short = np.tile(frames, (3, 1)), np.ones((3, 5), np.float32)
    segments = make_segments(object_array([long, short]), crop_frames=8)
    assert segments.lengths.tolist() == [8, 5]
    segments.sampler(2, seed=0)
    starts = set()
    for _ in range(20):
        crop = segments[0][0]
        assert_array_equal(crop[0, 0], crop[0, 0, 0] + np.arange(8))
        starts.add(int(crop[0, 0, 0]))
        assert_array_equal(segments[1][0], short[None])
    assert len(starts) > 5
    assert max(starts) <= 32
    segments.sampler(2, seed=0)
    again = [int(segments[0][0][0, 0, 0]) for _ in range(3)]
    segments.sampler(2, seed=0)
    assert again == [int(segments[0][0][0, 0, 0]) for _ in range(3)], "the same for the same seed"


@PROPERTY
@given(st.lists(st.integers(0, 4), min_size=1, max_size=40).map(np.array), SEEDS)
def test_repeats_make_all_classes_equal(classes, seed):
    repeats = repeats_for_balance(classes, np.random.default_rng(seed))
    counts = np.bincount(np.concatenate([np.arange(len(classes)), repeats]))
    for code in np.unique(classes):
        read = counts[classes == code]
        assert read.sum() == np.bincount(classes).max()
        assert read.max() - read.min() <= 1


def test_oversampled_bags_come_whole():
    bags = bags_of(n_recordings=4, n_segments=3)
    found = survey(object_array(bags))
    segments = Segments(
        object_array(bags),
        found,
        chosen=np.ones(4, dtype=bool),
        targets=np.array([0, 0, 0, 1]),
        weights=np.ones(12),
        oversample=True,
    )
    rows = np.concatenate(list(segments.sampler(5, seed=0)))
    assert np.bincount(rows).tolist() == [1] * 9 + [3] * 3
    judged = np.concatenate(list(segments.sampler(5, seed=None)))
    assert sorted(judged.tolist()) == list(range(12)), "an order that is kept reads each once"


class Listening(Callback):
    """Looks at the training part once more after each epoch, as skorch's scorings may."""

    def on_epoch_end(self, net, dataset_train=None, **kwargs):
        list(net.forward_iter(dataset_train))


def test_whoever_looks_at_the_training_part_leaves_it_reproducible():
    def fit():
        network = MultiKernelBLSTMClassifier(
            n_maps=(2, 2, 2),
            kernel_widths=(3,),
            lstm_units=2,
            crop_frames=6,
            max_epochs=2,
            validation=None,
            callbacks=[Listening()],
            random_state=0,
        )
        return network.fit(make_recordings("spectrogram", 12), make_labels(12)).module_

    for found, wanted in zip(fit().parameters(), fit().parameters(), strict=True):
        assert torch.equal(found, wanted)


@pytest.mark.parametrize("n_now", [7, 13])
def test_a_source_that_changes_its_mind_is_named(n_now):
    sizes = iter([10, 10, n_now])
    recordings = RecordingSequence(range(2), lambda i: np.ones((3, next(sizes)), np.float32))
    segments = make_segments(recordings)
    with pytest.raises(RecordingError, match=rf"X\[1\] has {n_now} frames .* had 10 before"):
        segments[1]


def test_bags_larger_than_a_run_of_batches_are_read_once_an_epoch():
    source = Counted(bags_of(n_recordings=6, n_segments=50))
    network = small_instance("CNNLSTM2DClassifier").set_params(max_epochs=2, batch_frames=24)
    network.set_params(validation=None).fit(RecordingSequence(source), make_labels(6))
    assert max(source.reads) <= 1 + 2 * 2


# collate


@PROPERTY
@given(st.lists(st.integers(1, 9), min_size=1, max_size=8), SEEDS)
def test_collate_pads_with_zeros(lengths, seed):
    rng = np.random.default_rng(seed)
    segments = [rng.normal(size=(2, 3, n)).astype(np.float32) for n in lengths]
    batch = collate(segments)
    assert batch["inputs"].dtype == torch.float32
    assert batch["inputs"].shape == (len(lengths), 2, 3, max(lengths))
    assert batch["lengths"].tolist() == lengths
    for row, segment in zip(batch["inputs"].numpy(), segments, strict=True):
        assert_array_equal(row[..., : segment.shape[-1]], segment)
        assert not row[..., segment.shape[-1] :].any()


def test_a_batch_is_a_copy():
    segments = [np.ones((1, 4), np.float32)]
    collate(segments)["inputs"].zero_()
    assert segments[0].all()


# Bags read on access


class Counted:
    """A source that counts how often each recording is read."""

    def __init__(self, items):
        self.items = items
        self.reads = [0] * len(items)

    def __len__(self):
        return len(self.items)

    def __getitem__(self, i):
        self.reads[i] += 1
        return self.items[i]


def bags_of(n_recordings, n_segments, n_frames=12):
    rng = np.random.default_rng(0)
    return [
        [rng.standard_normal((3, n_frames)).astype(np.float32) for _ in range(n_segments)]
        for _ in range(n_recordings)
    ]


def test_a_bag_read_on_access_is_read_once_an_epoch():
    source = Counted(bags_of(n_recordings=40, n_segments=20))
    network = small_instance("CNNLSTM2DClassifier").set_params(max_epochs=3, batch_size=4)
    network.set_params(validation="stratified", validation_fraction=0.25)
    network.fit(RecordingSequence(source), make_labels(40))
    # one pass to survey, one an epoch; a bag at the border of two pools of batches twice
    assert max(source.reads) <= 1 + 2 * 3
    assert sum(source.reads) <= 40 * (1 + 3) * 1.3


def test_bags_read_on_access_train_as_well_as_those_in_memory():
    bags = bags_of(n_recordings=12, n_segments=3)
    for i, bag in enumerate(bags):
        for segment in bag:
            segment[0] += 2 * (i % 2)
    network = small_instance("CNNLSTM2DClassifier")
    fitted = network.fit(RecordingSequence(bags), make_labels(12))
    assert fitted.score(bags, make_labels(12)) == 1


def test_predicting_from_a_lazy_collection_keeps_a_few_batches_in_memory():
    alive, most = weakref.WeakSet(), 0

    class Tracked(np.ndarray):
        __hash__ = object.__hash__

    def read(i):
        nonlocal most
        recording = np.full((5, 20), i, np.float32).view(Tracked)
        alive.add(recording)
        most = max(most, len(alive))
        return recording

    network = small_instance("CNNLSTM2DClassifier").set_params(batch_size=4)
    X = make_recordings("spectrogram")
    network.fit(X, make_labels(len(X)))
    lazy = RecordingSequence(range(200), read)
    assert network.predict(lazy).shape == (200,)
    assert most <= 4 * 4 + 1
