import dataclasses
import pickle

import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.dummy import DummyClassifier
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV
from sklearn.pipeline import Pipeline, make_pipeline, make_union
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from skspeech import recordings
from skspeech.models import CNNLSTM2DClassifier
from skspeech.preprocessing import FixedDuration, LogMelSpectrogram
from skspeech.tags import KINDS, SpeechTags, get_speech_tags


def test_tags_are_frozen_and_compare_by_value():
    tags = SpeechTags(input_kind="waveform")
    assert tags == SpeechTags(input_kind="waveform", output_kind=None)
    assert pickle.loads(pickle.dumps(tags)) == tags
    with pytest.raises(dataclasses.FrozenInstanceError):
        tags.input_kind = "pitch"


@pytest.mark.parametrize("estimator", [FixedDuration(), LogMelSpectrogram(), CNNLSTM2DClassifier()])
def test_kinds_are_known(estimator):
    tags = get_speech_tags(estimator)
    assert tags.input_kind in KINDS
    assert tags.output_kind in {*KINDS, None}


def test_array_kinds_are_kinds():
    assert set(recordings.KINDS) < set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_may_be_read_and_given(kind):
    assert SpeechTags(input_kind=kind, output_kind=kind).output_kind == kind


@pytest.mark.parametrize("kind", ["wavform", "bag", "", None, ["waveform"]])
def test_an_unknown_input_kind(kind):
    with pytest.raises(ValueError, match=r"input_kind must be one of waveform, .*, got"):
        SpeechTags(input_kind=kind)


@pytest.mark.parametrize("kind", ["wavform", "", 3])
def test_an_unknown_output_kind(kind):
    with pytest.raises(ValueError, match=r"output_kind must be one of waveform, .* or None, got"):
        SpeechTags(input_kind="waveform", output_kind=kind)


def test_estimator_answers_for_itself():
    wanted = SpeechTags(input_kind="waveform", output_kind="spectrogram", reads_bags=True)
    assert get_speech_tags(LogMelSpectrogram()) == wanted


def test_pipeline_reads_as_its_first_and_gives_as_its_last():
    tags = get_speech_tags(make_pipeline(FixedDuration(), LogMelSpectrogram()))
    assert (tags.input_kind, tags.output_kind) == ("waveform", "spectrogram")
    assert tags.reads_bags


@pytest.mark.parametrize("idle", ["passthrough", None])
def test_idle_steps_do_not_count(idle):
    pipeline = Pipeline([("a", idle), ("b", LogMelSpectrogram()), ("c", idle)])
    assert get_speech_tags(pipeline) == get_speech_tags(LogMelSpectrogram())


@pytest.mark.parametrize(
    "last", [CNNLSTM2DClassifier(), DummyClassifier(), make_pipeline(StandardScaler())]
)
def test_a_last_step_that_gives_no_recordings(last):
    tags = get_speech_tags(make_pipeline(LogMelSpectrogram(), last))
    assert (tags.input_kind, tags.output_kind) == ("waveform", None)
    assert not tags.gives_bags


def test_pipelines_nest():
    front = make_pipeline(FixedDuration(), make_pipeline(LogMelSpectrogram()))
    assert get_speech_tags(front).output_kind == "spectrogram"
    assert get_speech_tags(make_pipeline(front)) == get_speech_tags(front)
    assert get_speech_tags(make_pipeline(front, CNNLSTM2DClassifier())).output_kind is None


def test_bags_pass_through_a_pipeline():
    split = FixedDuration(long="split")
    tags = get_speech_tags(make_pipeline(split, LogMelSpectrogram()))
    assert tags.gives_bags
    assert not tags.reads_bags
    assert not get_speech_tags(make_pipeline(split, CNNLSTM2DClassifier())).gives_bags
    assert not get_speech_tags(make_pipeline(FixedDuration(), LogMelSpectrogram())).gives_bags


class Crowd(LogMelSpectrogram):
    def __speech_tags__(self):
        return dataclasses.replace(super().__speech_tags__(), looks_across=True)


def test_a_pipeline_looks_across_recordings_if_any_step_does():
    for steps in ([Crowd()], [FixedDuration(), Crowd(), CNNLSTM2DClassifier()]):
        assert get_speech_tags(make_pipeline(*steps)).looks_across
        assert get_speech_tags(make_pipeline(make_pipeline(*steps), DummyClassifier())).looks_across
    assert not get_speech_tags(make_pipeline(FixedDuration(), LogMelSpectrogram())).looks_across


@pytest.mark.parametrize(
    "hidden",
    [
        make_union(LogMelSpectrogram(), Crowd()),
        make_union(make_pipeline(Crowd(), FunctionTransformer())),
        GridSearchCV(make_pipeline(Crowd(), DummyClassifier()), {}),
        CalibratedClassifierCV(make_pipeline(make_union(Crowd()), DummyClassifier())),
    ],
    ids=["union", "pipeline in a union", "search", "calibration"],
)
def test_looking_across_is_found_however_deep(hidden):
    assert get_speech_tags(make_pipeline(FixedDuration(), hidden)).looks_across
    assert not get_speech_tags(
        make_pipeline(FixedDuration(), make_union(LogMelSpectrogram(), "drop"), DummyClassifier())
    ).looks_across


def test_a_class_among_the_parameters_is_no_step():
    system = make_pipeline(LogMelSpectrogram(), FunctionTransformer(kw_args=Crowd))
    assert not get_speech_tags(system).looks_across


@pytest.mark.parametrize("search", [GridSearchCV, RandomizedSearchCV])
def test_a_search_answers_with_what_it_searches(search):
    system = make_pipeline(FixedDuration(), Crowd(), DummyClassifier())
    assert get_speech_tags(search(system, {})) == get_speech_tags(system)
    with pytest.raises(TypeError, match=r"DummyClassifier does not say .* __speech_tags__"):
        get_speech_tags(search(DummyClassifier(), {}))


def test_a_fitted_search_answers_with_what_it_found():
    search = GridSearchCV(make_pipeline(Crowd(), DummyClassifier()), {})
    search.best_estimator_ = make_pipeline(LogMelSpectrogram(), DummyClassifier())
    assert not get_speech_tags(search).looks_across


@pytest.mark.parametrize(
    "estimator",
    [
        StandardScaler(),
        Pipeline([("a", "passthrough")]),
        make_pipeline(StandardScaler(), DummyClassifier()),
        make_pipeline(FunctionTransformer(), LogMelSpectrogram()),
        3,
    ],
)
def test_silence_about_recordings_is_an_error(estimator):
    with pytest.raises(TypeError, match="__speech_tags__"):
        get_speech_tags(estimator)
