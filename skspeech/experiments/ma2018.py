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


# As many steps in an epoch as the network that reads whole utterances takes on EmoDB: batches of 19
# pieces in place of 31. It tells what the number of steps is worth.
_NETWORKS: dict[str, tuple[Any, dict[str, Any]]] = {
    "fixed-length": (FixedLengthCRNNClassifier, {}),
    "fixed-length-more-steps": (FixedLengthCRNNClassifier, {"batch_frames": 6000}),
    "variable-length": (VariableLengthCRNNClassifier, {}),
}


def _system(cls: Any, settings: dict[str, Any], sample_rate: float, seed: int) -> Pipeline:
    system = seeded_pipeline(cls, sample_rate, seed)
    return system.set_params(**{f"{cls.__name__.lower()}__{k}": v for k, v in settings.items()})


def _svc(sample_rate: float, seed: int) -> Any:
    return mfcc_svc(sample_rate)


def _leave_one_speaker_out(seed: int) -> LeaveOneSpeakerOut:
    return LeaveOneSpeakerOut(n_validation=1)


def _leave_one_session_out(seed: int) -> LeaveOneSessionOut:
    return LeaveOneSessionOut(sessions=IEMOCAP_SESSIONS)


def _runs(protocol: str, splitter: Callable[[int], Any], **settings: Any) -> tuple[Run, ...]:
    """Return a run of each network, with further settings, and of the support vector machine."""
    models: dict[str, Callable[[float, int], Any]] = {
        name: partial(_system, cls, {**own, **settings}) for name, (cls, own) in _NETWORKS.items()
    }
    models["mfcc-svc"] = _svc
    return tuple(Run(protocol, name, model, splitter) for name, model in models.items())


EMODB = Experiment(
    about="Ma et al. 2018 on EmoDB: utterances as they are against pieces of 3 s.",
    load=partial(load_emodb, emotions=FOUR_EMOTIONS),
    runs=_runs(SPEAKER, _leave_one_speaker_out),
)
EMODB_SMALL = Experiment(
    about="Ma et al. 2018 on EmoDB, half the maps: utterances as they are against pieces of 3 s.",
    load=EMODB.load,
    runs=_runs(SPEAKER, _leave_one_speaker_out, n_maps=(8, 12, 16)),
)
IEMOCAP = Experiment(
    about="Ma et al. 2018 on IEMOCAP: Table 1, utterances as they are against pieces of 3 s.",
    load=partial(load_iemocap, emotions=FOUR_EMOTIONS, agreement="majority"),
    runs=_runs(SESSION, _leave_one_session_out),
    published=PUBLISHED_IEMOCAP,
)
