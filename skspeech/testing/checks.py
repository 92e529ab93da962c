"""What every estimator promises beyond scikit-learn's own checks, one function a promise.

Each check takes an unfitted estimator, leaves it as it was and raises an AssertionError that
says which promise broke: its own first line, and what was found. :func:`speech_checks` gives
those that apply by the estimator's tags. Where answers break a promise, or a fit does, it is shown
on the fewest and shortest recordings on which they do.
"""

import os
import pickle
import random
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import joblib
import numpy as np
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.utils.metadata_routing import get_routing_for_object

from skspeech.recordings import FRAMES_FIRST, RecordingSequence, object_array
from skspeech.tags import get_speech_tags
from skspeech.testing._asking import (
    Check,
    answers_of,
    assert_agree,
    assert_fit_keeps,
    fresh,
    groups_keyword,
    promised,
    questions_to,
    takes_groups,
)
from skspeech.testing.answers import arrays_of, assert_identical
from skspeech.testing.data import (
    bad_files,
    bad_recordings,
    contents,
    data,
    giant,
    hard_data,
    make_read_only,
    reads_tables,
    shortest,
    speakers,
    targets,
    unreadable_collections,
)
from skspeech.testing.smallest import Piece, assert_kept, pieces_of, recordings_of

__all__ = ["Check", "speech_checks"]

#: The methods that say something of each recording.
ANSWERS = ("predict", "predict_proba", "transform")


def speech_checks(estimator: Any) -> Iterator[Check]:
    """Yield the checks of our own that apply to an estimator.

    Parameters
    ----------
    estimator : estimator with ``__speech_tags__``

    Yields
    ------
    callable
        ``check(estimator)`` raises an AssertionError where the estimator breaks a promise.

    Examples
    --------
    >>> from skspeech.testing import small_instance, speech_checks
    >>> "check_short_recordings" in [
    ...     check.__name__ for check in speech_checks(small_instance("FixedDuration"))]
    True
    """
    yield check_containers_agree
    yield check_recordings_are_independent
    yield check_number_of_recordings_is_kept
    yield check_parameters_and_data_unchanged
    yield check_no_file_is_written
    yield check_global_random_state_untouched
    yield check_same_seed_same_answer
    yield check_copies_answer_alike
    yield check_short_recordings
    yield check_ragged_sets_no_n_features
    yield check_errors_name_the_recording
    yield check_unreadable_collections
    if get_speech_tags(estimator).reads_bags:
        yield check_bags
    if _answers_frames(estimator):
        yield check_every_frame_is_answered
    if get_speech_tags(estimator).output_kind is not None and hasattr(estimator, "transform"):
        yield check_sequence_stays_lazy
    if is_classifier(estimator):
        yield check_labels_of_any_type
        yield check_posteriors
    with_groups = [method for method in ("fit", *ANSWERS) if takes_groups(estimator, method)]
    if "fit" in with_groups:
        yield check_groups_only_split
    if with_groups:
        yield check_groups_are_requested
    if set(with_groups) & set(ANSWERS):
        yield check_answers_stay_within_groups


def _answers_frames(estimator: Any) -> bool:
    tags = get_speech_tags(estimator)
    return (
        tags.input_kind in FRAMES_FIRST
        and tags.output_kind == "frame_targets"
        and is_regressor(estimator)
    )


@promised
def check_containers_agree(estimator: Any) -> None:
    """A list, a tuple, an object array and a RecordingSequence of the same are the same."""
    X, y = data(estimator)
    wanted = questions_to(fresh(estimator).fit(X, y))
    for container in (list, tuple, RecordingSequence):
        found = questions_to(fresh(estimator).fit(container(list(X)), y), container)
        promise = f"a {container.__name__} answers as an object array"
        assert_agree(estimator, pieces_of(X), found, wanted, promise)


@promised
def check_recordings_are_independent(estimator: Any) -> None:
    """An answer depends on its recording alone: not on the others, their order or padding."""
    X, y = hard_data(estimator)
    asking = questions_to(fresh(estimator).fit(X, y))
    known: dict[str, Any] = {}

    def alone(pieces: list[Piece]) -> dict[str, list[Any]]:
        for piece in pieces:
            if piece.name not in known:
                known[piece.name] = asking([piece])
        return {
            method: [known[piece.name][method][0] for piece in pieces]
            for method in known[pieces[0].name]
        }

    pieces = pieces_of(X)
    permuted = [pieces[i] for i in np.random.default_rng(0).permutation(len(X))]
    kind = get_speech_tags(estimator).input_kind
    longer = [*pieces, Piece(f"giant(X, {kind!r})", len(X), giant(X, kind))]
    for asked, other, promise in (
        (pieces, asking, "the same question is answered alike twice"),
        (pieces, alone, "a recording alone is answered as among others"),
        (permuted, alone, "the order of the recordings does not matter"),
        (longer, alone, "padding to a much longer recording does not matter"),
    ):
        assert_agree(estimator, asked, asking, other, promise)


@promised
def check_number_of_recordings_is_kept(estimator: Any) -> None:
    """No step changes the number of recordings; a subset of them works as well as all."""
    X, y = data(estimator)
    asking = questions_to(fresh(estimator).fit(X, y))

    def broken(pieces: list[Piece]) -> str | None:
        for method, answers in asking(pieces).items():
            if len(answers) != len(pieces):
                return f"{method} of {len(pieces)} gives {len(answers)}"
        return None

    pieces = pieces_of(X)
    for part in (pieces, pieces[:1], [pieces[i] for i in (3, 3, 0)]):
        promise = "as many recordings come out as go in"
        assert_kept(promise, part, get_speech_tags(estimator).input_kind, broken)


@promised
def check_every_frame_is_answered(estimator: Any) -> None:
    """A regressor of frames answers each frame of a recording with one row."""
    X, y = data(estimator)
    asking = questions_to(fresh(estimator).fit(X, y))

    def broken(pieces: list[Piece]) -> str | None:
        for piece, answer in zip(pieces, asking(pieces)["predict"], strict=True):
            if len(answer) != len(piece.recording):
                return f"predict of {piece.name} gives {len(answer)} for {len(piece.recording)}"
        return None

    promise = "there are as many rows as frames"
    assert_kept(promise, pieces_of(X), get_speech_tags(estimator).input_kind, broken)


@promised
def check_parameters_and_data_unchanged(estimator: Any) -> None:
    """``fit`` changes neither a constructor parameter nor the recordings."""

    def changed(X: np.ndarray, y: np.ndarray) -> str | None:
        before = [contents(x) for x in X]
        fitted = fresh(estimator)
        hashes = _parameter_hashes(fitted)
        answers_of(fitted.fit(X, y), X)
        for name, value in _parameter_hashes(fitted).items():
            if value != hashes[name]:
                return f"it changes the parameter {name}"
        for i, (x, original) in enumerate(zip(X, before, strict=True)):
            if not _is_identical(contents(x), original):
                return f"it writes to recording {i}"
        return None

    assert_fit_keeps(estimator, "fit keeps what it is given", changed)
    X, y = data(estimator)
    for x in X:
        make_read_only(x)
    answers_of(fresh(estimator).fit(X, y), X)  # read-only recordings do as well


def _is_identical(found: Any, wanted: Any) -> bool:
    try:
        assert_identical(found, wanted, "")
    except AssertionError:
        return False
    return True


def _parameter_hashes(estimator: Any) -> dict[str, str]:
    """Hash each parameter, since one that is changed in place is still the same object."""
    return {
        # an estimator among them may be fitted, as a Pipeline's steps are
        name: joblib.hash(clone(value, safe=False))
        for name, value in estimator.get_params().items()
    }


@promised
def check_no_file_is_written(estimator: Any) -> None:
    """Neither fitting nor answering leaves a file in the working, home or temporary folder."""

    def written(X: np.ndarray, y: np.ndarray) -> str | None:
        with tempfile.TemporaryDirectory() as folder, _moved_into(folder):
            answers_of(fresh(estimator).fit(X, y), X)
            left = [str(path.relative_to(folder)) for path in Path(folder).rglob("*")]
        return f"found {left}" if left else None

    assert_fit_keeps(estimator, "nothing is written to disk unasked", written)


@contextmanager
def _moved_into(folder: str) -> Iterator[None]:
    names = ("HOME", "TMPDIR", "XDG_CACHE_HOME")
    before, cwd, tempdir = {n: os.environ.get(n) for n in names}, Path.cwd(), tempfile.tempdir
    try:
        os.chdir(folder)
        os.environ.update(dict.fromkeys(names, folder))
        tempfile.tempdir = folder
        yield
    finally:
        os.chdir(cwd)
        tempfile.tempdir = tempdir
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@promised
def check_global_random_state_untouched(estimator: Any) -> None:
    """Fitting and answering draw nothing from, and seed none of, the global generators."""
    for random_state in (0, None):
        trained = clone(estimator)
        if "random_state" in trained.get_params():
            trained.set_params(random_state=random_state)

        def moved(X: np.ndarray, y: np.ndarray, trained: Any = trained) -> str | None:
            # one number on: seeding with what was seeded before would otherwise go unseen
            before = _global_states(advance=True)
            answers_of(clone(trained).fit(X, y), X)
            after = _global_states()
            names = [name for name, state in after.items() if state != before[name]]
            return f"that of {names[0]} is not" if names else None

        promise = f"the global generators are left alone (random_state={random_state})"
        assert_fit_keeps(estimator, promise, moved)


def _global_states(*, advance: bool = False) -> dict[str, Any]:
    import torch

    if advance:
        random.random(), np.random.random(), torch.rand(1)  # noqa: NPY002
    return {
        "random": random.getstate(),
        "numpy.random": pickle.dumps(np.random.get_state()),  # noqa: NPY002 - what is meant
        "torch": torch.get_rng_state().tolist(),
    }


@promised
def check_same_seed_same_answer(estimator: Any) -> None:
    """The same ``random_state`` on the same CPU gives the same weights, to the last bit."""
    X, y = data(estimator)
    first, second = (questions_to(fresh(estimator).fit(X, y)) for _ in range(2))
    promise = "the same seed gives the same answer"
    assert_agree(estimator, pieces_of(X), first, second, promise, exactly=True)


@promised
def check_copies_answer_alike(estimator: Any) -> None:
    """Pickle and cloudpickle keep the answers; a clone of a fitted estimator is unfitted."""
    import cloudpickle

    X, y = data(estimator)
    fitted = fresh(estimator).fit(X, y)
    for module in (pickle, cloudpickle):
        copied = pickle.loads(module.dumps(fitted))
        promise = f"{module.__name__} keeps the answers"
        assert_agree(estimator, pieces_of(X), questions_to(copied), questions_to(fitted), promise)
    left = [name for name in vars(clone(fitted)) if name.endswith("_")]
    assert not left, f"a clone is unfitted, but has {left}"


@promised
def check_short_recordings(estimator: Any) -> None:
    """A recording of one sample or frame is not too short to fit on or to answer."""
    X, _ = data(estimator)
    X[0] = shortest(X[0], get_speech_tags(estimator).input_kind)
    y = targets(estimator, X)
    for answers in answers_of(fresh(estimator).fit(X, y), X).values():
        assert len(answers) == len(X), "a recording of one frame is answered, not dropped"
        for part in arrays_of(answers[0]):
            assert np.isfinite(part).all(), "the answer to one frame is finite"


@promised
def check_ragged_sets_no_n_features(estimator: Any) -> None:
    """Ragged recordings have no number of features, and are told from tables anew each fit."""
    fitted = fresh(estimator)
    if reads_tables(estimator):
        _, y = data(estimator)
        table = np.random.default_rng(0).random((len(y), 9))
        fitted.fit(table, table[:, 0] if is_regressor(estimator) else y)
        assert fitted.n_features_in_ == 9, "a 2-D array sets n_features_in_"

    def counted(X: Any, y: np.ndarray) -> str | None:
        fitted.fit(X, y)
        return f"it is {fitted.n_features_in_}" if hasattr(fitted, "n_features_in_") else None

    for container in (object_array, list, RecordingSequence):
        promise = f"ragged recordings set no n_features_in_ ({container.__name__})"
        assert_fit_keeps(estimator, promise, counted, container)


@promised
def check_errors_name_the_recording(estimator: Any) -> None:
    """A recording that cannot be used is named, at fit and at predict, in every container."""
    X, y = data(estimator)
    fitted = fresh(estimator).fit(X, y)
    files = bad_files(estimator, X[3])
    for wrong, bad in {**bad_recordings(estimator, X[3]), **files}.items():
        broken = object_array([*X[:3], bad, *X[4:]])
        lazy = RecordingSequence(list(broken))
        if wrong not in files:
            _assert_names(partial(fresh(estimator).fit, broken, y), f"fit on {wrong}")
        _assert_names(partial(answers_of, fitted, broken), f"an answer to {wrong}")
        _assert_names(partial(answers_of, fitted, lazy), f"an answer to {wrong}, read on access")


def _assert_names(action: Callable[[], Any], promise: str) -> None:
    try:
        action()
    except Exception as error:
        assert isinstance(error, ValueError | TypeError), (
            f"{promise} raises a ValueError or TypeError, but raised {error!r}"
        )
        assert "X[3]" in str(error), f"{promise} names X[3], but said: {error}"
    else:
        raise AssertionError(f"{promise} raises an error")


@promised
def check_unreadable_collections(estimator: Any) -> None:
    """What is no collection of recordings is refused with a ValueError or a TypeError."""
    X, y = data(estimator)
    fitted = fresh(estimator).fit(X, y)
    for wrong in unreadable_collections(X):
        for action in (
            lambda w=wrong: fresh(estimator).fit(w, y),
            lambda w=wrong: answers_of(fitted, w),
        ):
            try:
                action()
            except Exception as error:
                assert isinstance(error, ValueError | TypeError), (
                    f"{type(wrong).__name__} raises a ValueError or TypeError, not {error!r}"
                )
                assert str(error), "an error says what is wrong"
            else:
                raise AssertionError(f"{type(wrong).__name__} is refused")


@promised
def check_bags(estimator: Any) -> None:
    """A bag of one answers as its segment, and a posterior is the mean over the segments."""
    X, y = hard_data(estimator)
    fitted = fresh(estimator).fit(_recordings_of_bags(pieces_of(X)), y)
    asking = questions_to(fitted)
    # a transformer of recordings answers a bag with a bag
    transforms = get_speech_tags(estimator).output_kind is not None

    def of_one(pieces: list[Piece]) -> dict[str, list[Any]]:
        answers = answers_of(fitted, object_array([[piece.recording] for piece in pieces]))
        return {
            method: [bag[0] if transforms else bag for bag in bags]
            for method, bags in answers.items()
        }

    promise = "a bag of one answers as its segment"
    assert_agree(estimator, pieces_of(X), of_one, asking, promise)
    if get_speech_tags(estimator).looks_across:
        return  # the segments of a recording belong together, as the recordings of a group do

    def of_two(pieces: list[Piece]) -> dict[str, list[Any]]:
        return answers_of(fitted, _recordings_of_bags(pieces))

    def joined(pieces: list[Piece]) -> dict[str, list[Any]]:
        return {
            method: [
                pair if transforms else np.mean(pair, axis=0)
                for pair in ([answer, answers[i - 1]] for i, answer in enumerate(answers))
            ]
            for method, answers in asking(pieces).items()
        }

    promise = "of a bag of each and the one before it, the answer is the mean over its segments"
    assert_agree(estimator, pieces_of(X), of_two, joined, promise)


def _recordings_of_bags(pieces: list[Piece]) -> np.ndarray:
    """Return bags of each recording and the one before it, lists and tuples by turns."""
    return object_array(
        [
            (list, tuple)[piece.place % 2]([piece.recording, pieces[i - 1].recording])
            for i, piece in enumerate(pieces)
        ]
    )


@promised
def check_sequence_stays_lazy(estimator: Any) -> None:
    """A RecordingSequence is transformed into one, and read only where it is asked for."""
    X, y = data(estimator)
    read: list[int] = []

    def open_recording(i: int) -> Any:
        read.append(i)
        return X[i]

    sequence = RecordingSequence(range(len(X)), open_recording)
    fitted = fresh(estimator).fit(sequence, y)
    if fitted.__sklearn_tags__().requires_fit:
        read.clear()  # what is learnt has to be read
    transformed = fitted.transform(sequence)
    assert isinstance(transformed, RecordingSequence), "a RecordingSequence comes out"
    assert not read, f"nothing is read before it is asked for, but {read} were"
    transformed[2]
    assert read == [2], f"only what is asked for is read, but {read} were"


@promised
def check_labels_of_any_type(estimator: Any) -> None:
    """Labels may be strings, integers or booleans; ``predict`` gives them back."""

    def lost(X: np.ndarray, y: np.ndarray) -> str | None:
        odd = y == "odd"
        for labels in (y, y.astype(object), odd, np.where(odd, 7, -3), y.tolist()):
            fitted = fresh(estimator).fit(X, labels)
            known = np.unique(labels).tolist()
            if np.asarray(fitted.classes_).tolist() != known:
                return f"of the labels {known} the classes_ are {fitted.classes_}"
            others = sorted(set(fitted.predict(X)) - set(labels))
            if others:
                return f"predict answers {others[0]!r}, which is no label"
        return None

    assert_fit_keeps(estimator, "labels come back as they are", lost)


@promised
def check_posteriors(estimator: Any) -> None:
    """Rows of ``predict_proba`` are float64, sum to 1, and agree with ``predict``."""
    X, y = data(estimator)
    fitted = fresh(estimator).fit(X, y)

    def broken(pieces: list[Piece]) -> str | None:
        recordings = recordings_of(pieces)
        posteriors = fitted.predict_proba(recordings)
        shape = (len(pieces), len(fitted.classes_))
        if posteriors.dtype != np.float64 or posteriors.shape != shape:
            return f"they are {posteriors.dtype} {posteriors.shape}, not float64 {shape}"
        if not np.allclose(posteriors.sum(axis=1), 1, rtol=0, atol=1e-12):
            return "not every row sums to 1"
        if (posteriors < 0).any():
            return f"one is {posteriors.min()}"
        best = fitted.classes_[posteriors.argmax(axis=1)]
        if not np.array_equal(fitted.predict(recordings), best):
            return "predict does not take the largest"
        return None

    kind = get_speech_tags(estimator).input_kind
    assert_kept("posteriors are shares", pieces_of(X), kind, broken)


@promised
def check_groups_only_split(estimator: Any) -> None:
    """``fit`` takes names as groups, and with ``validation=None`` groups change nothing."""

    def refused(X: np.ndarray, y: np.ndarray) -> str | None:
        fresh(estimator).fit(X, y)
        try:
            fresh(estimator).fit(X, y, groups=speakers(X)[0])  # strings would not go into forward
        except Exception as error:
            return f"fit raised {error!r}"
        return None

    assert_fit_keeps(estimator, "names are groups", refused)
    X, y = hard_data(estimator)
    names, numbers = speakers(X)
    if "validation" not in estimator.get_params():
        return
    whole = clone(estimator).set_params(validation=None)
    wanted = questions_to(fresh(whole).fit(X, y))
    for groups in (names, numbers):
        found = questions_to(fresh(whole).fit(X, y, groups=groups))
        promise = "where nothing is held out, groups change nothing"
        assert_agree(estimator, pieces_of(X), found, wanted, promise)


@promised
def check_groups_are_requested(estimator: Any) -> None:
    """With metadata routing on, ``groups`` reach every method that takes them, unasked for."""
    request = get_routing_for_object(estimator)
    for method in ("fit", *ANSWERS):
        if takes_groups(estimator, method):
            asked = request.consumes(method, ["groups"])
            assert "groups" in asked, f"groups are requested for {method}"


@promised
def check_answers_stay_within_groups(estimator: Any) -> None:
    """With groups, an answer depends on its recording or, by ``looks_across``, on its group."""
    X, y = hard_data(estimator)
    groups, _ = speakers(X)
    fitted = fresh(estimator)
    fitted.fit(X, y, **groups_keyword(fitted, "fit", groups))
    looks_across = get_speech_tags(estimator).looks_across

    def part(pieces: list[Piece]) -> list[int]:
        mine = [i for i, piece in enumerate(pieces) if groups[piece.place] == groups[0]]
        return mine if looks_across else mine[:2]

    def of_part(pieces: list[Piece]) -> dict[str, list[Any]]:
        return of_all([pieces[i] for i in part(pieces)])

    def of_all(pieces: list[Piece]) -> dict[str, list[Any]]:
        return answers_of(fitted, recordings_of(pieces), groups[[p.place for p in pieces]])

    def among_all(pieces: list[Piece]) -> dict[str, list[Any]]:
        return {m: [answers[i] for i in part(pieces)] for m, answers in of_all(pieces).items()}

    promise = (
        "the recordings of other groups do not matter"
        if looks_across
        else "without the tag looks_across, the other recordings do not matter"
    )
    assert_agree(estimator, pieces_of(X), among_all, of_part, promise)
