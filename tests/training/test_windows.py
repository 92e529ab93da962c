"""Windows of frames: cut at the edges, read when a batch is made, each recording about once."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from skspeech.exceptions import RecordingError
from skspeech.preprocessing import UltrasoundFramer
from skspeech.recordings import RecordingSequence
from skspeech.training.moments import Moments
from skspeech.training.windows import as_input, context_of, cut_windows, make_window_parts

PROPERTY = settings(deadline=None, max_examples=50)
NONE = np.array([], dtype=np.intp)


def videos(*lengths, dtype=np.float32, layout=(3, 2)):
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (n, *layout)).astype(dtype) for n in lengths]


def targets_of(recordings):
    return [np.asarray(x, np.float32).reshape(len(x), -1)[:, :2] for x in recordings]


def parts_of(recordings, held_out=NONE, context_frames=3, **options):
    return make_window_parts(
        recordings,
        options.pop("targets", None) or targets_of(recordings),
        np.asarray(held_out, np.intp),
        context_frames=context_frames,
        **options,
    )


def objects(recordings):
    found = np.empty(len(recordings), dtype=object)
    found[:] = recordings
    return found


def batches(part, batch_size, seed):
    """Return the frames, windows and targets of an epoch, batch by batch."""
    sampler = part.sampler(batch_size, seed=seed)
    return [(rows, *part.collate([part[i] for i in rows])) for rows in sampler]


# Windows


@pytest.mark.parametrize(
    ("context_frames", "wanted"),
    [(1, (0, 0)), (2, (1, 0)), (3, (1, 1)), (24, (12, 11)), (25, (12, 12))],
)
def test_context(context_frames, wanted):
    assert context_of(context_frames) == wanted


@PROPERTY
@given(st.integers(1, 30), st.integers(1, 12))
def test_edges_are_replicated_as_the_framer_does(n_frames, context_frames):
    (video,) = videos(n_frames)
    before, after = context_of(context_frames)
    found = cut_windows(video, np.arange(n_frames), np.arange(-before, after + 1))
    assert found.shape == (n_frames, context_frames, 3, 2)
    (wanted,) = UltrasoundFramer(context_frames=context_frames).fit_transform([video])
    assert_array_equal(found, wanted)
    framed = cut_windows(wanted, np.arange(n_frames)[::-1], np.arange(-before, after + 1))
    assert_array_equal(framed, wanted[::-1])


def test_8_bits_stand_for_minus_1_to_1():
    assert as_input(np.array([0, 255], np.uint8)).tolist() == [-1, 1]
    assert as_input(np.array([0, 255], np.float16)).tolist() == [0, 255]
    assert as_input(np.array([0, 255], np.float16)).dtype == torch.float32


def test_what_may_not_be_written_to_is_copied():
    """torch warns of it, once a process, and would let it be written to."""
    for dtype in (np.uint8, np.float16, np.float32):
        (video,) = videos(5, dtype=dtype)
        values = as_input(video).numpy()
        assert np.shares_memory(values, video) == (dtype == np.float32)
        video.setflags(write=False)
        for view in (video, video[::-1], video[:, :1]):
            assert not np.shares_memory(as_input(view).numpy(), video)
            wanted = view / 127.5 - 1 if dtype == np.uint8 else view
            assert_allclose(as_input(view), wanted, rtol=1e-6, atol=1e-6)


# Batches


@PROPERTY
@given(
    st.lists(st.integers(1, 60), min_size=1, max_size=12),
    st.integers(1, 9),
    st.integers(1, 5),
    st.sampled_from([np.uint8, np.float16, np.float32]),
    st.booleans(),
)
def test_an_epoch_has_every_frame_once_with_its_own_window(
    lengths, batch_size, context, dtype, lazy
):
    X = videos(*lengths, dtype=dtype)
    part = parts_of(RecordingSequence(X) if lazy else objects(X), context_frames=context).training
    owners = np.repeat(np.arange(len(lengths)), lengths)
    places = np.concatenate([np.arange(n) for n in lengths])
    before, after = context_of(context)
    seen = []
    for rows, batch, (targets,) in batches(part, batch_size, seed=1):
        assert len(rows) <= batch_size
        assert batch["inputs"].shape == (len(rows), context, 3, 2)
        assert_array_equal(targets, part.targets[rows])
        for row, window in zip(rows, batch["inputs"], strict=True):
            video = as_input(X[owners[row]])
            around = np.arange(places[row] - before, places[row] + after + 1)
            assert_array_equal(window, video[around.clip(0, len(video) - 1)])
        seen.extend(rows.tolist())
    assert sorted(seen) == list(range(sum(lengths)))
    sampler = part.sampler(batch_size, seed=1)
    assert len(sampler) == len(list(sampler))
    assert sampler.mean_size == pytest.approx(sum(lengths) / len(sampler))


def test_without_a_seed_frames_are_in_order():
    part = parts_of(objects(videos(5, 4))).training
    rows = np.concatenate([rows for rows, *_ in batches(part, 2, seed=None)])
    assert rows.tolist() == list(range(9))


def test_the_order_is_the_seeds_and_another_in_each_epoch():
    part = parts_of(objects(videos(*[20] * 10))).training

    def epochs(seed):
        sampler = part.sampler(4, seed=seed)
        return [np.concatenate(list(sampler)).tolist() for _ in range(2)]

    assert epochs(0) == epochs(0)
    first, second = epochs(0)
    assert first != second
    assert epochs(1) != epochs(0)
    assert first != sorted(first)


def test_frames_of_several_recordings_are_shuffled_together():
    part = parts_of(objects(videos(*[50] * 40))).training
    owners = [set((rows // 50).tolist()) for rows, *_ in batches(part, 16, seed=0)]
    assert np.mean([len(batch) for batch in owners]) > 5


@settings(PROPERTY, max_examples=20)
@given(
    st.lists(st.integers(1, 200), min_size=1, max_size=20),
    st.integers(1, 4),
    st.integers(0, 100),
)
def test_recordings_that_are_read_on_access_are_read_once_an_epoch(lengths, batch_size, seed):
    X, read = [np.zeros((n, 1, 1), np.uint8) for n in lengths], []
    lazy = RecordingSequence(range(len(X)), lambda i: (read.append(i), X[i])[1])
    part = parts_of(lazy, targets=[np.zeros((n, 1), np.float32) for n in lengths]).training
    assert read == list(range(len(X)))  # the survey
    del read[:]
    batches(part, batch_size, seed=seed)
    assert set(read) == set(range(len(X)))
    assert len(read) <= 1.1 * len(X) + 1
    kept = sum(len(video) for video in part._read.values())
    assert kept <= 2 * (32 * batch_size + max(lengths))


def test_recordings_in_memory_are_not_copied():
    X = objects(videos(5, 4))
    part = parts_of(X).training
    assert part._video(1) is X[1]


def test_a_source_that_changes_is_named():
    lengths = iter([5, 4, 5, 3])
    lazy = RecordingSequence(range(2), lambda i: np.zeros((next(lengths), 3, 2)))
    part = parts_of(lazy, targets=[np.zeros((n, 1), np.float32) for n in (5, 4)]).training
    with pytest.raises(RecordingError, match=r"X\[1\] has 3 frames now and had 4 before.*the same"):
        batches(part, 9, seed=None)


# Parts


def test_parts():
    X = videos(5, 4, 6, 3)
    parts = parts_of(objects(X), held_out=[1, 3])
    assert (len(parts.training), len(parts.validation)) == (11, 7)
    assert parts.layout == (3, 2)
    trained = np.concatenate([targets_of(X)[i] for i in (0, 2)])
    assert_allclose(parts.target_mean, trained.mean(axis=0), rtol=1e-6)
    assert_allclose(parts.target_scale, trained.std(axis=0), rtol=1e-6)
    for part, chosen in ((parts.training, (0, 2)), (parts.validation, (1, 3))):
        frames = np.concatenate([targets_of(X)[i] for i in chosen])
        assert_allclose(
            part.targets, (frames - trained.mean(axis=0)) / trained.std(axis=0), atol=1e-5
        )
        assert part.targets.dtype == torch.float32
    assert parts_of(objects(X)).validation is None


def test_an_output_that_never_changes_is_zero():
    X = videos(5, 4)
    targets = [np.full((len(x), 1), -11.5129, np.float32) for x in X]
    parts = parts_of(objects(X), targets=targets)
    assert parts.target_scale.tolist() == [1]
    assert not parts.training.targets.any()


@pytest.mark.parametrize("per", ["bin", "global"])
@pytest.mark.parametrize("dtype", [np.uint8, np.float16, np.float32])
def test_moments_of_the_frames_that_are_trained_on(per, dtype):
    X = videos(5, 4, 6, dtype=dtype)
    moments = Moments(per)
    parts_of(RecordingSequence(X), held_out=[1], moments=moments)
    frames = np.concatenate([as_input(X[i]).numpy() for i in (0, 2)]).astype(float)
    axis = 0 if per == "bin" else None
    shape = (3, 2, 1) if per == "bin" else (1, 1, 1)
    assert_allclose(moments.mean, frames.mean(axis=axis).reshape(shape), rtol=1e-6, atol=1e-7)
    assert_allclose(moments.scale, frames.std(axis=axis).reshape(shape), rtol=1e-6)


def test_targets_are_standardised_by_what_is_given():
    X = videos(5)
    given = np.array([1.0, 2.0]), np.array([4.0, 5.0])
    parts = parts_of(objects(X), target_moments=given)
    assert_allclose(parts.training.targets, (targets_of(X)[0] - given[0]) / given[1], rtol=1e-6)


# Errors


def test_frames_and_targets_that_differ_in_number():
    X = videos(5, 4)
    with pytest.raises(
        RecordingError, match=r"X\[1\] has 4 frames, but y\[1\] has 3.*align_frames"
    ):
        parts_of(objects(X), targets=[np.zeros((5, 1), "f"), np.zeros((3, 1), "f")])


def test_frames_of_other_sizes():
    X = [*videos(5), *videos(4, layout=(2, 3))]
    with pytest.raises(
        RecordingError, match=r"X\[1\] has frames of 2 x 3 where the network reads 3 x 2.*front end"
    ):
        parts_of(objects(X))


def test_a_context_of_another_size():
    X = videos(5, 4, layout=(4, 3, 2))
    assert parts_of(objects(X), context_frames=4).layout == (4, 3, 2)
    with pytest.raises(
        RecordingError, match=r"X\[0\] .*context of 4, but context_frames is 3.*Set"
    ):
        parts_of(objects(X), context_frames=3)


def test_a_layout_that_was_learned_before_holds():
    with pytest.raises(RecordingError, match=r"X\[0\] has frames of 3 x 2 .* reads 2 x 2"):
        parts_of(objects(videos(5)), layout=(2, 2))
