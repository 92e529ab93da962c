"""The checks on our own estimators, and planted sins on the checks."""

import importlib
import os
import re
from pathlib import Path

import frame_sins
import pytest
import sins
from sklearn.base import BaseEstimator, is_classifier, is_regressor
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import check_param_validation

from skspeech.mining import ClosedMotifMiner
from skspeech.plugins import list_estimators, load
from skspeech.preprocessing import AudioLoader, FixedDuration, LogMelSpectrogram
from skspeech.tags import get_speech_tags
from skspeech.testing import (
    INSTANCES,
    parametrize_with_checks,
    small_instance,
    speech_checks,
)

DOCS = Path(__file__).parents[2] / "docs" / "estimators.md"
NAMES = sorted(INSTANCES)
BASES = {"PitchTransformer", "RecordingTransformer"}  # public, for others to derive from


# Conformance: every check of scikit-learn and of ours, on every estimator of the package. A check
# that is skipped is a failure here: warnings are errors, and so is pytest's own skip below.


# The checks' tones have few motifs: of a recording without one, MotifExtractor tells.
@pytest.mark.filterwarnings("ignore::skspeech.exceptions.MotifWarning")
@parametrize_with_checks([small_instance(name) for name in NAMES])
def test_estimator(estimator, check):
    from unittest import SkipTest

    try:
        check(estimator)
    except SkipTest as reason:
        pytest.fail(f"skipped: {reason}")


def test_nothing_in_the_environment_skips_a_check():
    assert os.environ["SCIPY_ARRAY_API"] == "1"


@pytest.mark.parametrize("name", NAMES)
def test_no_list_of_checks_is_hollow(name):
    (mark,) = (parametrize_with_checks([small_instance(name)]),)
    ids = [parameter.id for parameter in mark.args[1]]
    assert len(set(ids)) == len(ids)
    ours = [i for i in ids if i.startswith(f"{name}-skspeech-")]
    theirs = [i for i in ids if i.startswith(f"{name}-scikit-learn-")]
    assert len(ours) + len(theirs) == len(ids)
    least = {"classifier": (17, 54), "regressor": (13, 45), "transformer": (14, 45)}[_kind(name)]
    if not small_instance(name).__sklearn_tags__().input_tags.two_d_array:
        lazy = get_speech_tags(small_instance(name)).output_kind is not None
        least = (12 + lazy, 1)  # all but one of scikit-learn's feed a 2-D array
    assert len(ours) >= least[0]
    assert len(theirs) >= least[1], "check_estimator ran fewer checks than scikit-learn 1.9.1 has"


@pytest.mark.parametrize("name", NAMES)
def test_parameters_are_validated(name):
    check_param_validation(name, small_instance(name))


@pytest.mark.parametrize(
    "estimator",
    [
        AudioLoader(sample_rate=None),
        make_pipeline(
            small_instance("AudioLoader"),
            small_instance("LogMelSpectrogram"),
            sins.Honest(random_state=0),
        ),
        FixedDuration(duration=0.05, sample_rate=800, long="split"),
        LogMelSpectrogram(n_fft=33, hop_length=8, n_mels=4, scale="power"),
        make_pipeline(
            FixedDuration(duration=0.1, sample_rate=800, long="split"),
            small_instance("LogMelSpectrogram"),
        ),
        make_pipeline(small_instance("LogMelSpectrogram"), sins.Honest(random_state=0)),
        make_pipeline(
            ClosedMotifMiner(scope="class", min_length=3, occurrences="all"),
            LogisticRegression(),
        ),
    ],
    ids=["any rate", "system of paths", "split", "odd window", "front end", "system", "motifs"],
)
def test_other_estimators_keep_our_promises(estimator):
    for check in speech_checks(estimator):
        check(estimator)


# Completeness: packages, small instances, registry and documentation name the same estimators.


def _kind(name):
    instance = small_instance(name)
    if is_classifier(instance):
        return "classifier"
    return "regressor" if is_regressor(instance) else "transformer"


def _public_estimators():
    for room in ("mining", "models", "preprocessing", "vocoders"):
        package = importlib.import_module(f"skspeech.{room}")
        for name in package.__all__:
            found = getattr(package, name)
            if isinstance(found, type) and issubclass(found, BaseEstimator) and name not in BASES:
                yield name, found


def test_every_estimator_has_a_small_instance():
    assert [name for name, _ in sorted(_public_estimators())] == NAMES


def test_every_estimator_is_registered_once_and_as_what_it_is():
    registered = {
        entry.name: (entry.kind, load(entry.name, distribution="skspeech"))
        for entry in list_estimators()
        if entry.distribution == "skspeech"
    }
    assert registered == {name: (_kind(name), found) for name, found in _public_estimators()}


def test_every_estimator_is_documented():
    rows = re.findall(r"^\| *\[`(\w+)`\]", DOCS.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert sorted(set(rows)) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_small_instances_are_of_their_class_and_unfitted(name):
    instance = small_instance(name)
    assert type(instance).__name__ == name
    assert not [attribute for attribute in vars(instance) if attribute.endswith("_")]
    assert small_instance(name) is not instance


def test_an_unknown_instance():
    with pytest.raises(KeyError):
        small_instance("Nobody")


# Planted sins: the honest pass every check, and each sin fails the one named and no other, unless
# one follows from the other.

EPOCHS = {"max_epochs": 2, "lr": 1e-2, "random_state": 0}
HONEST = {
    "Honest": sins.Honest(random_state=0),
    "Honest without a seed": sins.Honest(),
    "Honest without validation": sins.Honest(validation=None),
    "HonestContour": sins.HonestContour(),
    "HonestGain": sins.HonestGain(),
    "HonestLoader": sins.HonestLoader(),
    "HonestMotifs": sins.HonestMotifs(),
    "HonestNetwork": frame_sins.HonestNetwork(**EPOCHS),
    "HonestRegressor": frame_sins.HonestRegressor(),
    "HonestScaler": sins.HonestScaler(),
    "HonestVocoder": frame_sins.HonestVocoder(),
}

BAGS = "check_bags"
CONTAINERS = "check_containers_agree"
COPIES = "check_copies_answer_alike"
FRAMES = "check_every_frame_is_answered"
NUMBER = "check_number_of_recordings_is_kept"
RAGGED = "check_ragged_sets_no_n_features"
SEED = "check_same_seed_same_answer"
SHORT = "check_short_recordings"
SPLIT = "check_groups_only_split"
COLLECTIONS = "check_unreadable_collections"
INDEPENDENT = "check_recordings_are_independent"
GROUPS = "check_answers_stay_within_groups"
UNCHANGED = "check_parameters_and_data_unchanged"
NO_FILE = "check_no_file_is_written"
RANDOM = "check_global_random_state_untouched"
ERRORS = "check_errors_name_the_recording"
LAZY = "check_sequence_stays_lazy"

SINS = [
    (sins.AveragesPadding(), INDEPENDENT, "alone is answered as among others"),
    (sins.SubtractsTheBatchMean(), INDEPENDENT, "alone is answered as among others"),
    (sins.LooksAtTheOneBefore(), INDEPENDENT, "alone is answered as among others"),
    (sins.RollsDice(), INDEPENDENT, "the same question is answered alike twice"),
    (sins.DropsShortRecordings(), SHORT, "answered, not dropped"),
    (sins.DropsTheLast(), NUMBER, "as many .* come out as go in"),
    (sins.NeedsTwoFrames(), SHORT, "one frame is finite"),
    (sins.ForgetsTheSoftmax(), "check_posteriors", "not every row sums to 1"),
    (sins.AnswersInFloat32(), "check_posteriors", "not float64"),
    (sins.NeedsNumberedLabels(), "check_labels_of_any_type", "the classes_ are"),
    (sins.AnswersByTheFirstSegment(), BAGS, "the mean over its segments"),
    (sins.ForgetsThatTuplesAreBags(), BAGS, "the mean over its segments"),
    (sins.ChangesAParameter(), UNCHANGED, "it changes the parameter options"),
    (sins.ChangesWhatAParameterHolds(options=[]), UNCHANGED, "it changes the parameter options"),
    (sins.WritesIntoTheRecordings(), UNCHANGED, "writes to recording 0"),
    (sins.WritesAFile(), NO_FILE, "best_model.txt"),
    (sins.WritesAHiddenFile(), NO_FILE, ".honest_cache"),
    (sins.WritesATemporaryFile(), NO_FILE, "weights.txt"),
    (sins.SeedsNumpy(), RANDOM, r"left alone .*, but that of numpy\.random"),
    (sins.SeedsTorch(), RANDOM, "but that of torch is not"),
    (sins.DrawsFromTheGlobalGenerator(), RANDOM, r"random_state=None\), but that of numpy\.random"),
    (sins.IgnoresTheSeed(), SEED, "the same seed gives the same answer"),
    (sins.KeepsItsOwnStateOutOfPickles(), COPIES, "pickle keeps the answers"),
    (sins.FeedsGroupsToTheNetwork(), SPLIT, "could not convert string"),
    (sins.LearnsFromGroups(), SPLIT, "groups change nothing"),
    (sins.LearnsFromNumberedGroups(), SPLIT, "groups change nothing"),
    (sins.AsksForNoGroups(), "check_groups_are_requested", "groups are requested for fit"),
    (
        sins.AsksForNoGroupsAtTransform(),
        "check_groups_are_requested",
        "groups are requested for transform",
    ),
    (sins.HidesThatItLooksAcross(), GROUPS, "without the tag looks_across"),
    (sins.LooksBeyondTheGroup(), GROUPS, "the recordings of other groups do not matter"),
    (
        sins.CountsFeaturesOfRaggedRecordings(),
        RAGGED,
        "set no n_features_in_",
    ),
    (
        sins.KeepsTheFeaturesOfYesterday(),
        RAGGED,
        "set no n_features_in_",
    ),
    (sins.ReadsListsInReverse(), CONTAINERS, "a list answers as an object array"),
    (sins.HidesTheRecording(), ERRORS, r"names X\[3\], but said: the input is not usable"),
    (sins.BreaksInAnotherWay(), ERRORS, "raises a ValueError or TypeError, but raised Runtime"),
    (sins.SwallowsErrors(), ERRORS, "raises an error"),
    (sins.TakesAnything(), COLLECTIONS, "is refused"),
    (sins.ReadsEverythingAtTransform(), LAZY, "a RecordingSequence comes out"),
    (sins.ReadsTheFirstAtTransform(), LAZY, "nothing is read before it is asked for"),
    (sins.ReadsTheNeighboursToo(), LAZY, "only what is asked for is read"),
    (sins.WritesIntoTheFiles(), UNCHANGED, "writes to recording 0"),
    (sins.NeedsTwoFramesOfAFile(), SHORT, "RecordingError"),
    (sins.PassesOverMissingFiles(), ERRORS, "an answer to a missing file raises an error"),
    (sins.HidesTheFile(), ERRORS, r"an answer to a text file names X\[3\]"),
    (sins.WritesIntoThePhrases(), UNCHANGED, "writes to recording 0"),
    (sins.NeedsTwoSymbols(), SHORT, "RecordingError"),
    (sins.RoundsSymbols(), ERRORS, "fit on floats for a phrase raises an error"),
    (sins.TakesALoneContour(), COLLECTIONS, "list is refused"),
    (sins.TimesFromTheFirstRecording(), INDEPENDENT, "alone is answered as among others"),
    (sins.DropsThePhraseOfAGiant(), INDEPENDENT, "padding to a much longer recording"),
    (sins.RollsDiceOnTimes(), SEED, "the same seed gives the same"),
    (frame_sins.LeaksPadding(**EPOCHS), INDEPENDENT, r"shape \(5, 2\) and shape \(5, 1\)"),
    (frame_sins.NormalisesByTheBatch(**EPOCHS), INDEPENDENT, "alone is answered as among others"),
    (frame_sins.PutsGroupsIntoTheNetwork(**EPOCHS), SPLIT, "groups change nothing"),
    (frame_sins.AnswersPadding(), INDEPENDENT, r"has the shape \(2, 2\), not \(1, 2\)"),
    (frame_sins.ScalesByTheBatch(), INDEPENDENT, "alone is answered as among others"),
    (frame_sins.KeepsTheStateOfTheVideoBefore(), INDEPENDENT, r"of X\[1\]\[:1\] differs"),
    (frame_sins.LosesTheFirstFrame(), FRAMES, r"X\[0\]\[:2\] gives 1 for 2"),
    (frame_sins.CountsPixels(), RAGGED, "set no n_features_in_"),
    (frame_sins.PadsToTheLongest(), INDEPENDENT, r"has the shape \(16,\), not \(8,\)"),
    (frame_sins.PeaksAtOne(), INDEPENDENT, "alone is answered as among others"),
    (frame_sins.DrawsNoise(), RANDOM, r"left alone .*, but that of numpy\.random"),
    (frame_sins.SplitsInTwo(), NUMBER, "transform of 1 gives 2"),
]

# Checks that show the fewest and shortest recordings; those of others are as few and short already.
SHRUNK = {
    BAGS,
    CONTAINERS,
    COPIES,
    FRAMES,
    GROUPS,
    INDEPENDENT,
    NO_FILE,
    NUMBER,
    RAGGED,
    RANDOM,
    SEED,
    SPLIT,
    UNCHANGED,
    "check_labels_of_any_type",
    "check_posteriors",
}

# What a sin breaks besides: an answer that depends on the others is another for a bag, too.
ALSO = {
    "LooksAtTheOneBefore": {BAGS},
    "RollsDice": {CONTAINERS, SEED, COPIES, BAGS, SPLIT},
    "DropsTheLast": {INDEPENDENT, SHORT, BAGS},
    "WritesIntoTheRecordings": {SEED, ERRORS},
    "IgnoresTheSeed": {CONTAINERS, SPLIT},
    "HidesThatItLooksAcross": {BAGS},
    "HidesTheFile": {COLLECTIONS},
    "TimesFromTheFirstRecording": {CONTAINERS},
    "RollsDiceOnTimes": {CONTAINERS, INDEPENDENT, COPIES, BAGS},
    "AnswersPadding": {FRAMES},
    "PadsToTheLongest": {CONTAINERS},
    "PeaksAtOne": {CONTAINERS},
    "SplitsInTwo": {INDEPENDENT, SHORT, LAZY},
}


def our_check(estimator, name):
    (check,) = [check for check in speech_checks(estimator) if check.__name__ == name]
    return check


@pytest.mark.parametrize("estimator", HONEST.values(), ids=HONEST.keys())
def test_the_honest_pass_every_check(estimator):
    before = estimator.get_params()
    for check in speech_checks(estimator):
        check(estimator)
    assert estimator.get_params() == before
    assert not [name for name in vars(estimator) if name.endswith("_")]


@pytest.mark.parametrize(
    ("sinner", "name", "found"), SINS, ids=[type(sinner).__name__ for sinner, _, _ in SINS]
)
def test_a_sin_is_seen(sinner, name, found, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # where a file may be written
    broken = {}
    for check in speech_checks(sinner):
        try:
            check(sinner)
        except AssertionError as error:
            broken[check.__name__] = (check, str(error))
    assert set(broken) == {name} | ALSO.get(type(sinner).__name__, set())
    check, message = broken[name]
    assert message.startswith(check.__doc__.partition("\n")[0]), "the promise is named"
    assert type(sinner).__name__ in message
    assert re.search(found, message, flags=re.DOTALL)
    assert ("The smallest input that shows it" in message) == (name in SHRUNK)


def test_a_sin_of_fit_is_shown_on_one_frame(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for sinner, name, _ in SINS:
        if type(sinner) in (sins.ChangesAParameter, sins.WritesAFile, sins.SeedsNumpy):
            with pytest.raises(
                AssertionError, match=r"\[X\[0\]\[\.\.\., :1\]\], of shape \(5, 1\)"
            ):
                our_check(sinner, name)(sinner)


def test_every_check_of_ours_has_its_sin():
    checks = {check.__name__ for honest in HONEST.values() for check in speech_checks(honest)}
    assert checks == {name for _, name, _ in SINS}


@pytest.mark.parametrize("sinner", [sins.SeedsNumpy(), sins.SeedsTorch()])
def test_a_second_seeding_is_seen_too(sinner):
    for _ in range(2):
        with pytest.raises(AssertionError, match="are left alone"):
            our_check(sinner, RANDOM)(sinner)
