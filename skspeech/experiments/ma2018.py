"""The experiment of Ma et al. (2018): utterances as long as they are against pieces of 3 s.

X. Ma, Z. Wu, J. Jia, M. Xu, H. Meng, L. Cai, "Emotion recognition from variable-length speech
segments using deep learning on spectrograms", Interspeech, 2018; section 5, Table 1.

On IEMOCAP one session is left out; one of its speakers chooses the epoch and the other is the test
part. Which one is not said, so each tests once: ten folds. On EmoDB, whose speakers come in no
pairs, each speaker is left out and the next one chooses the epoch.

The small experiment is the same with half the maps in each convolution, for a few cores and no GPU.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from sklearn.pipeline import Pipeline

from skspeech.experiments._corpora import (
    FOUR_EMOTIONS,
    IEMOCAP_SESSIONS,
    load_emodb,
    load_iemocap,
)
from skspeech.experiments.baselines import mfcc_svc
from skspeech.experiments.protocol import Experiment, Run, seeded_pipeline
from skspeech.model_selection import LeaveOneSessionOut, LeaveOneSpeakerOut
from skspeech.models import FixedLengthCRNNClassifier, VariableLengthCRNNClassifier

__all__ = ["EMODB", "EMODB_SMALL", "IEMOCAP"]

SPEAKER = "leave-one-speaker-out"
SESSION = "leave-one-session-out"

# Table 1; in percent. Its first row, 68.8 and 59.4, is quoted from Satt et al. (2017).
PUBLISHED_IEMOCAP = {
    (SESSION, "fixed-length"): {"wa": 68.86, "ua": 57.45},
    (SESSION, "variable-length"): {"wa": 71.45, "ua": 64.22},
}


_HALF = (8, 12, 16)


def _small(cls: Any, sample_rate: float, seed: int) -> Pipeline:
    system = seeded_pipeline(cls, sample_rate, seed)
    return system.set_params(**{f"{cls.__name__.lower()}__n_maps": _HALF})


def _svc(sample_rate: float, seed: int) -> Any:
    return mfcc_svc(sample_rate)


def _leave_one_speaker_out(seed: int) -> LeaveOneSpeakerOut:
    return LeaveOneSpeakerOut(n_validation=1)


def _leave_one_session_out(seed: int) -> LeaveOneSessionOut:
    return LeaveOneSessionOut(sessions=IEMOCAP_SESSIONS)


_MODELS: dict[str, Callable[[float, int], Any]] = {
    "fixed-length": partial(seeded_pipeline, FixedLengthCRNNClassifier),
    "variable-length": partial(seeded_pipeline, VariableLengthCRNNClassifier),
    "mfcc-svc": _svc,
}

EMODB = Experiment(
    about="Ma et al. 2018 on EmoDB: utterances as they are against pieces of 3 s.",
    load=partial(load_emodb, emotions=FOUR_EMOTIONS),
    runs=tuple(
        Run(SPEAKER, name, model, _leave_one_speaker_out) for name, model in _MODELS.items()
    ),
)
EMODB_SMALL = Experiment(
    about="Ma et al. 2018 on EmoDB, half the maps: utterances as they are against pieces of 3 s.",
    load=EMODB.load,
    runs=(
        Run(
            SPEAKER,
            "fixed-length",
            partial(_small, FixedLengthCRNNClassifier),
            _leave_one_speaker_out,
        ),
        Run(
            SPEAKER,
            "variable-length",
            partial(_small, VariableLengthCRNNClassifier),
            _leave_one_speaker_out,
        ),
        Run(SPEAKER, "mfcc-svc", _svc, _leave_one_speaker_out),
    ),
)
IEMOCAP = Experiment(
    about="Ma et al. 2018 on IEMOCAP: Table 1, utterances as they are against pieces of 3 s.",
    load=partial(load_iemocap, emotions=FOUR_EMOTIONS, agreement="majority"),
    runs=tuple(
        Run(SESSION, name, model, _leave_one_session_out) for name, model in _MODELS.items()
    ),
    published=PUBLISHED_IEMOCAP,
)
