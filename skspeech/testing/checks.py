"""What every estimator promises beyond scikit-learn's own checks, one function a promise.

Each check takes an unfitted estimator, leaves it as it was and raises an AssertionError that
says which promise broke. :func:`speech_checks` gives those that apply by the estimator's tags.
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

import numpy as np
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone, is_classifier
from sklearn.utils.estimator_checks import estimator_checks_generator
from sklearn.utils.metadata_routing import get_routing_for_object

from skspeech.recordings import KINDS, RecordingSequence, object_array, segments_of
from skspeech.tags import get_speech_tags
from skspeech.testing.recordings import make_labels, make_recordings

__all__ = ["check_speech_estimator", "parametrize_with_checks", "speech_checks"]

Check = Callable[[Any], None]

#: How far a posterior may move with the batch, in float32 on the CPU.
TOLERANCE = 1e-5


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
    if hasattr(estimator, "transform") and not hasattr(estimator, "predict"):
        yield check_sequence_stays_lazy
    if is_classifier(estimator):
        yield check_labels_of_any_type
        yield check_posteriors
    if _takes_groups(estimator):
        yield check_groups_only_split
        yield check_groups_are_requested


def check_speech_estimator(estimator: Any) -> list[dict[str, Any]]:
    """Run scikit-learn's checks and ours on an estimator, and report every one.

    Parameters
    ----------
    estimator : estimator with ``__speech_tags__``
        A small instance: a classifier is fitted about 100 times.

    Returns
    -------
    list of dict
        ``check_name``, ``suite`` (``"scikit-learn"`` or ``"skspeech"``), ``status``
        (``"passed"``, ``"failed"``, ``"skipped"``) and ``exception``, a row a check.

    Examples
    --------
    >>> from skspeech.testing import check_speech_estimator, small_instance
    >>> report = check_speech_estimator(small_instance("FixedDuration"))
    >>> [row["check_name"] for row in report if row["status"] == "failed"]
    []
    """
    from unittest import SkipTest

    report = []
    for suite, check in _all_checks(estimator):
        row: dict[str, Any] = {
            "check_name": _name(check),
            "suite": suite,
            "status": "passed",
            "exception": None,
        }
        try:
            check(clone(estimator))
        except SkipTest as reason:
            row.update(status="skipped", exception=reason)
        except Exception as broken:
            row.update(status="failed", exception=broken)
        report.append(row)
    return report


def parametrize_with_checks(estimators: list[Any]) -> Any:
    """Return a pytest decorator that runs all checks on all estimators, one test each.

    Parameters
    ----------
    estimators : list of estimators with ``__speech_tags__``

    Returns
    -------
    pytest.MarkDecorator
        For a test function of ``estimator`` and ``check`` that calls ``check(estimator)``.

    Examples
    --------
    >>> from skspeech.testing import parametrize_with_checks, small_instance
    >>> @parametrize_with_checks([small_instance("FixedDuration")])
    ... def test_estimator(estimator, check):
    ...     check(estimator)
    """
    import pytest

    parameters = [
        pytest.param(clone(estimator), check, id=f"{_name(estimator)}-{suite}-{_name(check)}")
        for estimator in estimators
        for suite, check in _all_checks(estimator)
    ]
    return pytest.mark.parametrize(("estimator", "check"), parameters)


def _all_checks(estimator: Any) -> Iterator[tuple[str, Check]]:
    for _, check in estimator_checks_generator(estimator):
        yield "scikit-learn", check
    for own in speech_checks(estimator):
        yield "skspeech", own


def _name(check: Any) -> str:
    """Return a check's name, with what a partial fixes: scikit-learn runs some twice."""
    fixed = getattr(check, "keywords", {})
    name = getattr(check, "func", check).__name__
    return "-".join([name, *(f"{key}={value}" for key, value in fixed.items())])


def _takes_groups(estimator: Any) -> bool:
    import inspect

    return "groups" in inspect.signature(estimator.fit).parameters


def _data(estimator: Any, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    recordings = make_recordings(get_speech_tags(estimator).input_kind, seed=seed)
    return recordings, make_labels(len(recordings))


def _answers(estimator: Any, X: Any) -> list[Any]:
    """Return everything that a fitted estimator says of each recording."""
    methods = [name for name in ("predict_proba", "transform") if hasattr(estimator, name)]
    if not methods:
        methods = ["predict"]
    return [list(getattr(estimator, name)(X)) for name in methods]


def _assert_alike(found: Any, wanted: Any, promise: str) -> None:
    for answers, others in zip(found, wanted, strict=True):
        assert len(answers) == len(others), promise
        for i, (answer, other) in enumerate(zip(answers, others, strict=True)):
            pairs = zip(segments_of(answer), segments_of(other), strict=True)
            for part, wanted_part in pairs:
                assert_allclose(
                    part, wanted_part, atol=TOLERANCE, rtol=1e-5, err_msg=f"{promise}: X[{i}]"
                )


def check_containers_agree(estimator: Any) -> None:
    """A list, a tuple, an object array and a RecordingSequence of the same are the same."""
    X, y = _data(estimator)
    wanted = _answers(clone(estimator).fit(X, y), X)
    for container in (list(X), tuple(X), RecordingSequence(list(X))):
        found = _answers(clone(estimator).fit(container, y), container)
        _assert_alike(found, wanted, f"a {type(container).__name__} answers as an object array")


def check_recordings_are_independent(estimator: Any) -> None:
    """An answer depends on its recording alone: not on the others, their order or padding."""
    X, y = _data(estimator)
    fitted = clone(estimator).fit(X, y)
    wanted = _answers(fitted, X)
    alone = [_answers(fitted, [x]) for x in X]
    _assert_alike(
        [[answers[k][0] for answers in alone] for k in range(len(wanted))],
        wanted,
        "a recording alone is answered as among others",
    )
    order = np.random.default_rng(0).permutation(len(X))
    _assert_alike(
        _answers(fitted, X[order]),
        [[answers[i] for i in order] for answers in wanted],
        "the order of the recordings does not matter",
    )
    longest = max(X, key=lambda x: x.size)
    time_axis = 0 if get_speech_tags(estimator).input_kind == "video" else -1
    giant = np.concatenate([longest] * 9, axis=time_axis)
    _assert_alike(
        [answers[:-1] for answers in _answers(fitted, object_array([*X, giant]))],
        wanted,
        "padding to a much longer recording does not matter",
    )


def check_number_of_recordings_is_kept(estimator: Any) -> None:
    """No step changes the number of recordings; a subset of them works as well as all."""
    X, y = _data(estimator)
    fitted = clone(estimator).fit(X, y)
    for part in (X, X[:1], X[[3, 3, 0]]):
        for answers in _answers(fitted, part):
            assert len(answers) == len(part), "as many recordings come out as go in"


def check_parameters_and_data_unchanged(estimator: Any) -> None:
    """``fit`` changes neither a constructor parameter nor the recordings."""
    X, y = _data(estimator)
    before = [x.copy() for x in X]
    fitted = clone(estimator)
    parameters = fitted.get_params()
    for x in X:
        x.setflags(write=False)
    fitted.fit(X, y)
    _answers(fitted, X)
    after = fitted.get_params()
    for name, value in parameters.items():
        assert after[name] is value or after[name] == value, f"fit keeps the parameter {name}"
    for x, original in zip(X, before, strict=True):
        assert_array_equal(x, original, err_msg="the recordings are not written to")


def check_no_file_is_written(estimator: Any) -> None:
    """Neither fitting nor answering leaves a file in the working, home or temporary folder."""
    X, y = _data(estimator)
    with tempfile.TemporaryDirectory() as folder, _moved_into(folder):
        _answers(clone(estimator).fit(X, y), X)
        left = [str(path.relative_to(folder)) for path in Path(folder).rglob("*")]
        assert not left, f"nothing is written to disk unasked, but found {left}"


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


def check_global_random_state_untouched(estimator: Any) -> None:
    """Fitting and answering draw nothing from, and seed none of, the global generators."""
    import torch

    X, y = _data(estimator)

    def states() -> tuple:
        global_numpy = pickle.dumps(np.random.get_state())  # noqa: NPY002 - it is what is meant
        return random.getstate(), global_numpy, torch.get_rng_state().tolist()

    for random_state in (0, None):
        trained = clone(estimator)
        if "random_state" in trained.get_params():
            trained.set_params(random_state=random_state)
        before = states()
        _answers(trained.fit(X, y), X)
        for name, found, wanted in zip(
            ("random", "numpy.random", "torch"), states(), before, strict=True
        ):
            assert found == wanted, (
                f"the global generator of {name} is left alone (random_state={random_state})"
            )


def check_same_seed_same_answer(estimator: Any) -> None:
    """The same ``random_state`` on the same CPU gives the same weights, to the last bit."""
    X, y = _data(estimator)
    first, second = (_answers(clone(estimator).fit(X, y), X) for _ in range(2))
    for answers, others in zip(first, second, strict=True):
        for answer, other in zip(answers, others, strict=True):
            for part, wanted in zip(segments_of(answer), segments_of(other), strict=True):
                assert_array_equal(part, wanted, err_msg="the same seed gives the same answer")


def check_copies_answer_alike(estimator: Any) -> None:
    """Pickle and cloudpickle keep the answers; a clone of a fitted estimator is unfitted."""
    import cloudpickle

    X, y = _data(estimator)
    fitted = clone(estimator).fit(X, y)
    wanted = _answers(fitted, X)
    for module in (pickle, cloudpickle):
        copied = pickle.loads(module.dumps(fitted))
        _assert_alike(_answers(copied, X), wanted, f"{module.__name__} keeps the answers")
    left = [name for name in vars(clone(fitted)) if name.endswith("_")]
    assert not left, f"a clone is unfitted, but has {left}"


def check_short_recordings(estimator: Any) -> None:
    """A recording of one sample or frame is not too short to fit on or to answer."""
    X, y = _data(estimator)
    video = get_speech_tags(estimator).input_kind == "video"
    X[0] = X[0][:1] if video else X[0][..., :1]
    for answers in _answers(clone(estimator).fit(X, y), X):
        for part in segments_of(answers[0]):
            assert np.isfinite(part).all(), "the answer to one frame is finite"


def check_ragged_sets_no_n_features(estimator: Any) -> None:
    """Ragged recordings have no number of features, and are told from tables anew each fit."""
    X, y = _data(estimator)
    fitted = clone(estimator)
    if fitted.__sklearn_tags__().input_tags.two_d_array:
        table = np.random.default_rng(0).random((len(y), 9))
        fitted.fit(table, y)
        assert fitted.n_features_in_ == 9, "a 2-D array sets n_features_in_"
    for container in (X, list(X), RecordingSequence(list(X))):
        fitted.fit(container, y)
        assert not hasattr(fitted, "n_features_in_"), "ragged recordings set no n_features_in_"


def check_errors_name_the_recording(estimator: Any) -> None:
    """A recording that cannot be used is named, at fit and at predict, in every container."""
    X, y = _data(estimator)
    fitted = clone(estimator).fit(X, y)
    for wrong, bad in _bad_recordings(estimator, X[3]).items():
        broken = object_array([*X[:3], bad, *X[4:]])
        lazy = RecordingSequence(list(broken))
        _assert_names(partial(clone(estimator).fit, broken, y), f"fit on {wrong}")
        _assert_names(partial(_answers, fitted, broken), f"an answer to {wrong}")
        _assert_names(partial(_answers, fitted, lazy), f"an answer to {wrong}, read on access")


def _bad_recordings(estimator: Any, good: np.ndarray) -> dict[str, Any]:
    tags = get_speech_tags(estimator)
    bad: dict[str, Any] = {
        "an empty recording": good[..., :0],
        "wrong axes": np.zeros((1,) * (max(map(len, KINDS[tags.input_kind])) + 1)),
        "a string": "recording.wav",
        "None": None,
        "an empty bag": [],
        "complex numbers": good.astype(complex),
        "dates": np.zeros(good.shape, "datetime64[s]"),
    }
    if good.dtype.kind == "f":
        for name, value in (("NaN", np.nan), ("infinity", np.inf)):
            bad[name] = good.copy()
            bad[name].flat[-1] = value
        bad["what float32 cannot hold"] = np.full(good.shape, 1e300)
    if not tags.reads_bags:
        bad["a bag"] = [good, good]
    return bad


def _assert_names(action: Callable[[], Any], promise: str) -> None:
    try:
        action()
    except (ValueError, TypeError) as error:
        assert "X[3]" in str(error), f"{promise} names X[3], but said: {error}"
    else:
        raise AssertionError(f"{promise} raises an error")


def check_unreadable_collections(estimator: Any) -> None:
    """What is no collection of recordings is refused with a ValueError or a TypeError."""
    X, y = _data(estimator)
    fitted = clone(estimator).fit(X, y)
    unreadable: list[Any] = [
        [],
        object_array([]),
        "recording.wav",
        None,
        3.0,
        X[0].ravel(),
        {"a": X[0]},
    ]
    for wrong in unreadable:
        for action in (
            lambda w=wrong: clone(estimator).fit(w, y),
            lambda w=wrong: _answers(fitted, w),
        ):
            try:
                action()
            except (ValueError, TypeError) as error:
                assert str(error), "an error says what is wrong"
            else:
                raise AssertionError(f"{type(wrong).__name__} is refused")


def check_bags(estimator: Any) -> None:
    """A bag of one answers as its segment, and a posterior is the mean over the segments."""
    X, y = _data(estimator)
    bags = object_array([[x, X[i - 1]] for i, x in enumerate(X)])
    fitted = clone(estimator).fit(bags, y)
    single = _answers(fitted, X)
    _assert_alike(
        [
            [answer if not isinstance(answer, list) else answer[0] for answer in answers]
            for answers in _answers(fitted, object_array([[x] for x in X]))
        ],
        single,
        "a bag of one answers as its segment",
    )
    for answers, segments in zip(_answers(fitted, bags), single, strict=True):
        for i, answer in enumerate(answers):
            pair = [segments[i], segments[i - 1]]
            if isinstance(answer, list):  # a transformer answers a bag with a bag
                _assert_alike([answer], [pair], "a bag's segments are transformed")
            else:
                promise = f"X[{i}]: a bag's answer is the mean over its segments"
                assert_allclose(answer, np.mean(pair, axis=0), atol=TOLERANCE, err_msg=promise)


def check_sequence_stays_lazy(estimator: Any) -> None:
    """A RecordingSequence is transformed into one, and read only where it is asked for."""
    X, _ = _data(estimator)
    read: list[int] = []

    def open_recording(i: int) -> Any:
        read.append(i)
        return X[i]

    sequence = RecordingSequence(range(len(X)), open_recording)
    transformed = clone(estimator).fit(sequence).transform(sequence)
    assert isinstance(transformed, RecordingSequence), "a RecordingSequence comes out"
    assert not read, f"nothing is read before it is asked for, but {read} were"
    transformed[2]
    assert read == [2], f"only what is asked for is read, but {read} were"


def check_labels_of_any_type(estimator: Any) -> None:
    """Labels may be strings, integers or booleans; ``predict`` gives them back."""
    X, y = _data(estimator)
    odd = y == "odd"
    for labels in (y, y.astype(object), odd, np.where(odd, 7, -3), y.tolist()):
        fitted = clone(estimator).fit(X, labels)
        assert_array_equal(fitted.classes_, np.unique(labels), err_msg="classes_ are the labels")
        assert set(fitted.predict(X)) <= set(labels), "predict gives labels back"


def check_posteriors(estimator: Any) -> None:
    """Rows of ``predict_proba`` are float64, sum to 1, and agree with ``predict``."""
    X, y = _data(estimator)
    fitted = clone(estimator).fit(X, y)
    posteriors = fitted.predict_proba(X)
    assert posteriors.dtype == np.float64, "posteriors are float64"
    assert posteriors.shape == (len(X), len(fitted.classes_)), "one column a class"
    assert_allclose(posteriors.sum(axis=1), 1, atol=1e-12, err_msg="rows sum to 1")
    assert (posteriors >= 0).all(), "posteriors are not negative"
    assert_array_equal(
        fitted.predict(X),
        fitted.classes_[posteriors.argmax(axis=1)],
        err_msg="predict takes the largest posterior",
    )


def check_groups_only_split(estimator: Any) -> None:
    """Groups choose what is held out and go no further: not into the network."""
    X, y = _data(estimator)
    groups = np.array(["Ann", "Bob", "Cid"])[np.arange(len(X)) % 3]
    clone(estimator).fit(X, y, groups=groups)  # into forward, strings would not go
    if "validation" in estimator.get_params():
        plain, grouped = (clone(estimator).set_params(validation=None) for _ in range(2))
        _assert_alike(
            _answers(grouped.fit(X, y, groups=groups), X),
            _answers(plain.fit(X, y), X),
            "where nothing is held out, groups change nothing",
        )


def check_groups_are_requested(estimator: Any) -> None:
    """With metadata routing on, ``groups`` reach ``fit`` without a request by the user."""
    request = get_routing_for_object(estimator)
    assert "groups" in request.consumes("fit", ["groups"]), "groups are requested for fit"
