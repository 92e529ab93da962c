"""The experiments of Zhao, Mao and Chen (2019): their protocols as printed, and an honest one.

J. Zhao, X. Mao, L. Chen, "Speech emotion recognition using deep 1D & 2D CNN LSTM networks",
Biomedical Signal Processing and Control 47, 312-323, 2019; section 4, Table 7.

As printed, 20 percent of the utterances (speaker-dependent) or two of ten speakers
(speaker-independent) are the test part, and the same part chooses the best epoch. Table 7(b) is
the accuracy on it, Table 7(a) the accuracy on all utterances, those trained on included. The
honest protocol leaves one speaker after the other out, and the epoch is chosen on another speaker.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from sklearn.model_selection import GroupShuffleSplit, RandomizedSearchCV, ShuffleSplit
from sklearn.pipeline import Pipeline, make_pipeline

from skspeech.experiments._corpora import load_emodb, load_iemocap
from skspeech.experiments.baselines import mfcc_svc
from skspeech.experiments.protocol import Experiment, Run, seeded_pipeline
from skspeech.model_selection import (
    LeaveOneSpeakerOut,
    SpeakerShuffleSplit,
    TPESearchCV,
    ValidateOnTest,
)
from skspeech.models import CNNLSTM1DClassifier, CNNLSTM2DClassifier
from skspeech.preprocessing import LogMelSpectrogram, SpeakerScaler

__all__ = ["EMODB", "IEMOCAP", "SEARCH"]

DEPENDENT = "random-80-20-as-printed"
INDEPENDENT = "two-speakers-as-printed"
HONEST = "leave-one-speaker-out"

# Table 7; in percent.
PUBLISHED_EMODB = {
    (DEPENDENT, "cnn-lstm-1d"): {"average": 92.34, "validation": 61.68},
    (DEPENDENT, "cnn-lstm-2d"): {"average": 95.33, "validation": 76.64},
    (INDEPENDENT, "cnn-lstm-1d"): {"average": 86.73, "validation": 57.14},
    (INDEPENDENT, "cnn-lstm-2d"): {"average": 95.89, "validation": 82.42},
}
PUBLISHED_IEMOCAP = {
    (DEPENDENT, "cnn-lstm-1d"): {"average": 67.92, "validation": 46.12},
    (DEPENDENT, "cnn-lstm-2d"): {"average": 89.16, "validation": 62.07},
    (INDEPENDENT, "cnn-lstm-1d"): {"average": 79.72, "validation": 45.52},
    (INDEPENDENT, "cnn-lstm-2d"): {"average": 85.58, "validation": 52.14},
}


def _own_length(sample_rate: float, seed: int, *, speaker_scaler: bool = False) -> Pipeline:
    """Return the 2D network on utterances as long as they are, not padded to 8 s."""
    return make_pipeline(
        LogMelSpectrogram(sample_rate=sample_rate),
        SpeakerScaler() if speaker_scaler else "passthrough",
        CNNLSTM2DClassifier(random_state=seed),
    )


def _svc(sample_rate: float, seed: int, *, speaker_scaler: bool = False) -> Pipeline:
    return mfcc_svc(sample_rate, speaker_scaler=speaker_scaler)


def _random_split(seed: int) -> Any:
    return ValidateOnTest(splitter=ShuffleSplit(1, test_size=0.2, random_state=seed))


def _two_speakers(seed: int) -> Any:
    return ValidateOnTest(splitter=SpeakerShuffleSplit(n_test=2, random_state=seed))


def _two_new_speakers(seed: int) -> Any:
    return SpeakerShuffleSplit(n_test=2, random_state=seed)


def _leave_one_out(seed: int) -> Any:
    return LeaveOneSpeakerOut()


_PAPERS: dict[str, Callable[[float, int], Any]] = {
    "cnn-lstm-2d": partial(seeded_pipeline, CNNLSTM2DClassifier),
    "cnn-lstm-1d": partial(seeded_pipeline, CNNLSTM1DClassifier),
}
_BESIDE: dict[str, Callable[[float, int], Any]] = {
    "cnn-lstm-2d-own-length": _own_length,
    "cnn-lstm-2d-own-length-speaker-scaler": partial(_own_length, speaker_scaler=True),
    "mfcc-svc": _svc,
    "mfcc-svc-speaker-scaler": partial(_svc, speaker_scaler=True),
}
_RUNS = (
    *(
        Run(protocol, model, estimator, splitter)
        for protocol, splitter in ((DEPENDENT, _random_split), (INDEPENDENT, _two_speakers))
        for model, estimator in _PAPERS.items()
    ),
    *(
        Run(HONEST, model, estimator, _leave_one_out)
        for model, estimator in {**_PAPERS, **_BESIDE}.items()
    ),
)


def _search(sample_rate: float, seed: int, *, tpe: bool = False) -> Any:
    """Return a search over what the paper searched over, blind to the test speakers.

    The paper names Hyperopt's tree-structured Parzen estimators and the four optimisers, and
    neither the range of the learning rate nor the number of trials; these are our choice.
    """
    system = seeded_pipeline(CNNLSTM2DClassifier, sample_rate, seed)
    space = {
        "cnnlstm2dclassifier__optimizer": ["adagrad", "adam", "sgd", "rmsprop"],
        "cnnlstm2dclassifier__lr": [1e-4, 3e-4, 1e-3, 3e-3, 1e-2],
    }
    options: dict[str, Any] = {
        "cv": GroupShuffleSplit(1, test_size=0.25, random_state=seed),
        "scoring": "accuracy",
        "random_state": seed,
    }
    if tpe:
        return TPESearchCV(system, space, n_iter=20, **options)
    return RandomizedSearchCV(system, space, n_iter=8, **options)


EMODB = Experiment(
    about="Zhao et al. 2019 on EmoDB: Table 7 as printed, and leaving one speaker out.",
    load=load_emodb,
    runs=_RUNS,
    published=PUBLISHED_EMODB,
)
IEMOCAP = Experiment(
    about="Zhao et al. 2019 on IEMOCAP: Table 7 as printed, and leaving one speaker out.",
    load=partial(
        load_iemocap,
        emotions=("anger", "excitement", "frustration", "happiness", "neutral", "sadness"),
        agreement="complete",
    ),
    runs=_RUNS,
    published=PUBLISHED_IEMOCAP,
)
SEARCH = Experiment(
    about="Zhao et al. 2019, section 3.4: the optimiser and learning rate, searched for on EmoDB.",
    load=load_emodb,
    runs=(
        Run("two-speakers", "cnn-lstm-2d-random-search", _search, _two_new_speakers),
        Run("two-speakers", "cnn-lstm-2d-tpe", partial(_search, tpe=True), _two_new_speakers),
    ),
)
