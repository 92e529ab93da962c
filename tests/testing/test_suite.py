"""The report of all checks, and what is expected to fail in it."""

import re
from functools import partial
from unittest import SkipTest

import frame_sins
import pytest
import sins
from sklearn.base import clone

from skspeech.testing import check_speech_estimator, parametrize_with_checks, speech_checks

SKIPPED, FAILING = "skip", "fail-readonly=True"


@pytest.fixture
def two_of_theirs(monkeypatch):
    """Only two checks of scikit-learn's: one that is skipped, and one that fails."""
    theirs = [(None, skip), (None, partial(fail, readonly=True))]
    monkeypatch.setattr("skspeech.testing.suite.estimator_checks_generator", lambda _: iter(theirs))


def skip(estimator):
    raise SkipTest("not today")


def fail(estimator, readonly):
    raise RuntimeError("broken")


def report_of(estimator, **options):
    report = check_speech_estimator(estimator, **options)
    rows = {row["check_name"]: row for row in report}
    assert len(rows) == len(report)
    return rows


@pytest.mark.parametrize(
    "estimator",
    [sins.Honest(random_state=0), frame_sins.HonestRegressor(), frame_sins.HonestVocoder()],
    ids=lambda estimator: type(estimator).__name__,
)
def test_the_honest_pass_scikit_learns_checks_too(estimator):
    statuses = {name: row["status"] for name, row in report_of(estimator).items()}
    assert set(statuses.values()) == {"passed"}, statuses


@pytest.mark.usefixtures("two_of_theirs")
def test_the_report_has_a_row_a_check():
    rows = report_of(sins.ForgetsTheSoftmax())
    assert len(rows) == len(list(speech_checks(sins.Honest()))) + 2
    assert rows[SKIPPED]["status"] == "skipped"
    assert str(rows[SKIPPED]["exception"]) == "not today"
    assert rows[FAILING]["status"] == "failed"
    assert rows[FAILING]["suite"] == "scikit-learn"
    assert rows["check_posteriors"]["status"] == "failed"
    assert "not every row sums to 1" in str(rows["check_posteriors"]["exception"])
    assert rows["check_no_file_is_written"] == {
        "check_name": "check_no_file_is_written",
        "suite": "skspeech",
        "status": "passed",
        "exception": None,
        "expected_to_fail": False,
        "expected_to_fail_reason": None,
    }


REASONS = {
    "check_posteriors": "energies, no posteriors",
    "check_bags": "thought to fail",
    "fail": "by the function's name, as scikit-learn has it",
    "skip": "skipped, and so not known",
}


@pytest.mark.usefixtures("two_of_theirs")
@pytest.mark.parametrize("expected", [REASONS, lambda estimator: REASONS], ids=["dict", "callable"])
def test_what_is_expected_to_fail_is_told_apart(expected):
    rows = report_of(sins.ForgetsTheSoftmax(), expected_failed_checks=expected)
    assert rows["check_posteriors"]["status"] == "xfail"
    assert rows["check_posteriors"]["expected_to_fail_reason"] == "energies, no posteriors"
    assert "not every row sums to 1" in str(rows["check_posteriors"]["exception"])
    assert rows["check_bags"]["status"] == "xpass", "the reason is out of date"
    assert rows["check_bags"]["expected_to_fail"]
    assert rows["check_bags"]["exception"] is None
    assert rows[FAILING]["status"] == "xfail"
    assert rows[SKIPPED]["status"] == "skipped"
    assert "failed" not in {row["status"] for row in rows.values()}


@pytest.mark.usefixtures("two_of_theirs")
def test_the_name_of_the_report_is_one_of_several_runs():
    rows = report_of(sins.Honest(), expected_failed_checks={FAILING: "memory maps"})
    assert rows[FAILING]["status"] == "xfail"
    assert {row["status"] for name, row in rows.items() if name != FAILING} == {"passed", "skipped"}


def test_a_callable_is_given_the_estimator():
    estimator = sins.HonestGain()
    given = []
    parametrize_with_checks([estimator], expected_failed_checks=lambda e: given.append(e))
    assert given == [estimator]


@pytest.mark.usefixtures("two_of_theirs")
def test_marks_carry_the_reason():
    mark = parametrize_with_checks(
        [sins.Honest(), sins.HonestGain()], expected_failed_checks=REASONS
    )
    marked = {p.id: m.kwargs for p in mark.args[1] for m in p.marks if m.name == "xfail"}
    assert marked["Honest-skspeech-check_posteriors"] == {"reason": "energies, no posteriors"}
    assert marked["HonestGain-scikit-learn-fail-readonly=True"] == {"reason": REASONS["fail"]}
    assert len(marked) == 7, "a vocoder has no posteriors"


A_TEST_FILE = """
import sins
from skspeech.testing import parametrize_with_checks

EXPECTED = {"check_short_recordings": "two frames are needed", "check_bags": "out of date"}

@parametrize_with_checks([sins.NeedsTwoFrames()], expected_failed_checks=EXPECTED)
def test_estimator(estimator, check):
    check(estimator)
"""


def test_pytest_says_what_fails_as_expected_and_what_does_not(tmp_path, capsys):
    (tmp_path / "test_it.py").write_text(A_TEST_FILE, encoding="utf-8")
    (tmp_path / "pytest.ini").write_text("[pytest]", encoding="utf-8")
    chosen = "skspeech-check_short or skspeech-check_bags or skspeech-check_posteriors"
    options = ["-rxX", "-p", "no:cacheprovider", "-k", chosen]
    assert pytest.main([str(tmp_path), *options]) == pytest.ExitCode.OK
    said = capsys.readouterr().out
    assert "1 passed" in said
    assert re.search("XFAIL .*check_short_recordings.* - two frames are needed", said)
    assert re.search("XPASS .*check_bags.* - out of date", said)


@pytest.mark.parametrize(
    ("wrong", "error", "found"),
    [
        ({"check_posterior": "a typo"}, ValueError, r"Is 'check_posteriors' meant\?"),
        ({"nonsense": "of no check"}, ValueError, "is no check of this estimator. Take it out"),
        (["check_posteriors"], TypeError, "must be a mapping"),
        (lambda estimator: "check_posteriors", TypeError, "must be a mapping"),
        ({"check_posteriors": ""}, TypeError, "must give a reason for 'check_posteriors'"),
        ({"check_posteriors": True}, TypeError, "must give a reason"),
    ],
)
def test_what_cannot_be_expected(wrong, error, found):
    with pytest.raises(error, match=found):
        check_speech_estimator(sins.Honest(), expected_failed_checks=wrong)
    with pytest.raises(error, match=found):
        parametrize_with_checks([sins.Honest()], expected_failed_checks=wrong)


def test_a_mapping_for_several_need_not_fit_each():
    both = [sins.Honest(), sins.HonestGain()]
    parametrize_with_checks(both, expected_failed_checks={"check_posteriors": "of one of them"})


def test_parametrized_estimators_are_clones():
    honest = sins.Honest(random_state=3)
    mark = parametrize_with_checks([honest])
    instances = [parameter.values[0] for parameter in mark.args[1]]
    assert len({id(instance) for instance in instances}) == len(instances)
    assert honest not in instances
    assert all(instance.random_state == 3 for instance in instances)
    assert clone(honest).get_params() == honest.get_params()
