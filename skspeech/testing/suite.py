"""scikit-learn's checks and ours on one estimator: as a report, or as pytest's tests."""

import warnings
from collections.abc import Callable, Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from sklearn.base import clone
from sklearn.exceptions import SkipTestWarning
from sklearn.utils.estimator_checks import estimator_checks_generator

from skspeech.testing.checks import Check, speech_checks

__all__ = ["check_speech_estimator", "parametrize_with_checks"]

#: A reason for each check that is to fail, or what gives them for an estimator.
Expected = Mapping[str, str] | Callable[[Any], Mapping[str, str]] | None


def check_speech_estimator(
    estimator: Any, *, expected_failed_checks: Expected = None
) -> list[dict[str, Any]]:
    """Run scikit-learn's checks and ours on an estimator, and report every one.

    Parameters
    ----------
    estimator : estimator with ``__speech_tags__``
        A small instance: a classifier is fitted about 100 times.
    expected_failed_checks : mapping of str to str, callable or None, default=None
        Why a check is to fail, by the check's name; or a function that returns this for the
        estimator. The name may be the function's or, where scikit-learn runs one several times,
        that in the report.

    Returns
    -------
    list of dict
        A row a check: ``check_name``, ``suite`` (``"scikit-learn"`` or ``"skspeech"``),
        ``status``, ``exception``, ``expected_to_fail`` and ``expected_to_fail_reason`` (None where
        it is not). The status is ``"passed"``, ``"failed"`` or ``"skipped"``; where the check is to
        fail ``"xfail"`` if it does, and ``"xpass"`` if it passes: then the reason is out of date.

    Raises
    ------
    TypeError
        If `expected_failed_checks` is not a mapping of names to reasons.
    ValueError
        If it names a check that the estimator does not have.

    Examples
    --------
    >>> from skspeech.testing import check_speech_estimator, small_instance
    >>> report = check_speech_estimator(small_instance("FixedDuration"))
    >>> [row["check_name"] for row in report if row["status"] == "failed"]
    []
    """
    checks = list(_all_checks(estimator))
    expected = _expected(expected_failed_checks, estimator)
    _refuse_unknown(expected, [check for _, check in checks])
    return [_row(estimator, suite, check, _reason(expected, check)) for suite, check in checks]


def parametrize_with_checks(
    estimators: list[Any], *, expected_failed_checks: Expected = None
) -> Any:
    """Return a pytest decorator that runs all checks on all estimators, one test each.

    Parameters
    ----------
    estimators : list of estimators with ``__speech_tags__``
    expected_failed_checks : mapping of str to str, callable or None, default=None
        Why a check is to fail, by the check's name, as of :func:`check_speech_estimator`; a
        mapping is for all of the estimators. These tests are marked as xfail, and whether one
        that passes is an error is pytest's setting ``xfail_strict``.

    Returns
    -------
    pytest.MarkDecorator
        For a test function of ``estimator`` and ``check`` that calls ``check(estimator)``.

    Raises
    ------
    TypeError
        If `expected_failed_checks` is not a mapping of names to reasons.
    ValueError
        If it names a check that none of the estimators has.

    Examples
    --------
    >>> from skspeech.testing import parametrize_with_checks, small_instance
    >>> @parametrize_with_checks([small_instance("FixedDuration")])
    ... def test_estimator(estimator, check):
    ...     check(estimator)
    """
    import pytest

    parameters, all_expected, all_checks = [], {}, []
    for estimator in estimators:
        expected = _expected(expected_failed_checks, estimator)
        all_expected.update(expected)
        for suite, check in _all_checks(estimator):
            all_checks.append(check)
            reason = _reason(expected, check)
            parameters.append(
                pytest.param(
                    clone(estimator),
                    check,
                    id=f"{type(estimator).__name__}-{suite}-{_name(check)}",
                    marks=() if reason is None else pytest.mark.xfail(reason=reason),
                )
            )
    _refuse_unknown(all_expected, all_checks)
    return pytest.mark.parametrize(("estimator", "check"), parameters)


def _row(estimator: Any, suite: str, check: Check, reason: str | None) -> dict[str, Any]:
    from unittest import SkipTest

    exception: BaseException | None = None
    status = "passed" if reason is None else "xpass"
    try:
        check(clone(estimator))
    except SkipTest as skipped:
        status, exception = "skipped", skipped
    except Exception as broken:
        status, exception = "failed" if reason is None else "xfail", broken
    return {
        "check_name": _name(check),
        "suite": suite,
        "status": status,
        "exception": exception,
        "expected_to_fail": reason is not None,
        "expected_to_fail_reason": reason,
    }


def _all_checks(estimator: Any) -> Iterator[tuple[str, Check]]:
    with warnings.catch_warnings():
        # that little of scikit-learn's applies to what reads no 2-D arrays; ours do
        warnings.simplefilter("ignore", SkipTestWarning)
        theirs = list(estimator_checks_generator(estimator))
    for _, check in theirs:
        yield "scikit-learn", check
    for own in speech_checks(estimator):
        yield "skspeech", own


def _name(check: Any) -> str:
    """Return a check's name, with what a partial fixes: scikit-learn runs some twice."""
    fixed = getattr(check, "keywords", {})
    return "-".join([_plain_name(check), *(f"{key}={value}" for key, value in fixed.items())])


def _plain_name(check: Any) -> str:
    return getattr(check, "func", check).__name__


def _expected(expected: Expected, estimator: Any) -> dict[str, str]:
    """Return the reasons by name, whatever form they came in."""
    reasons = expected(estimator) if callable(expected) else expected
    if reasons is None:
        return {}
    if not isinstance(reasons, Mapping):
        raise TypeError(
            "expected_failed_checks must be a mapping of a check's name to a reason, or a function "
            f"from an estimator to one, got {reasons!r}."
        )
    for name, reason in reasons.items():
        if not (isinstance(reason, str) and reason.strip()):
            raise TypeError(
                f"expected_failed_checks must give a reason for {name!r}, got {reason!r}."
            )
    return dict(reasons)


def _reason(expected: Mapping[str, str], check: Any) -> str | None:
    return expected.get(_name(check), expected.get(_plain_name(check)))


def _refuse_unknown(expected: Mapping[str, str], checks: list[Any]) -> None:
    known = {name for check in checks for name in (_name(check), _plain_name(check))}
    for name in expected:
        if name not in known:
            similar = get_close_matches(str(name), known, n=1)
            raise ValueError(
                f"expected_failed_checks names {name!r}, which is no check of this estimator. "
                + (f"Is {similar[0]!r} meant?" if similar else "Take it out.")
            )
