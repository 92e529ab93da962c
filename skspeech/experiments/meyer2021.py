"""The ablation of a network rebuilt from the abstract of Meyer, Xu and Fingscheidt (2021).

P. Meyer, Z. Xu, T. Fingscheidt, "Improving convolutional recurrent neural networks for speech
emotion recognition", IEEE Spoken Language Technology Workshop, 2021.

We have read only the abstract. It names four improvements and an ablation study, and one figure: an
unweighted average recall of 64.5 percent on average on IEMOCAP. This is a reconstruction, and the
figure stands beside none of ours. Each model but the first lacks one of the four. Each speaker is
left out and the next one chooses the epoch: 8, 1 and 1 speakers of IEMOCAP, as in Chen et al.
(2018), from whom the features and the sizes of the BLSTM and of the dense layer are taken, too; the
rest is ours.

The small experiment is the same with half the maps in each convolution, for a few cores and no GPU.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from sklearn.pipeline import Pipeline

from skspeech.experiments._corpora import FOUR_EMOTIONS, load_emodb, load_iemocap
from skspeech.experiments.protocol import Experiment, Run, seeded_pipeline
from skspeech.model_selection import LeaveOneSpeakerOut
from skspeech.models import MultiKernelBLSTMClassifier

__all__ = ["EMODB", "EMODB_SMALL", "IEMOCAP"]

_NETWORK = "multikernelblstmclassifier"

# What differs from the whole system, by the name of the run.
ABLATIONS: Mapping[str, Mapping[str, Any]] = {
    "full": {},
    "single-kernel": {  # as many weights in that layer
        f"{_NETWORK}__kernel_widths": (9,),
        f"{_NETWORK}__n_maps": (128, 64, 128),
    },
    "last-output": {f"{_NETWORK}__summary": "last"},
    "log-mel-only": {"deltas": "passthrough"},
    "plain-training": {
        f"{_NETWORK}__oversample": False,
        f"{_NETWORK}__crop_frames": None,
        f"{_NETWORK}__lr_patience": None,
    },
}


def _system(settings: Mapping[str, Any], sample_rate: float, seed: int) -> Pipeline:
    system = seeded_pipeline(MultiKernelBLSTMClassifier, sample_rate, seed)
    return system.set_params(**settings)


def _small(settings: Mapping[str, Any], sample_rate: float, seed: int) -> Pipeline:
    system = _system(settings, sample_rate, seed)
    maps = f"{_NETWORK}__n_maps"
    return system.set_params(**{maps: tuple(n // 2 for n in system.get_params()[maps])})


def _leave_one_speaker_out(seed: int) -> LeaveOneSpeakerOut:
    return LeaveOneSpeakerOut(n_validation=1)


def _runs(system: Callable[..., Pipeline]) -> tuple[Run, ...]:
    return tuple(
        Run("leave-one-speaker-out", name, partial(system, settings), _leave_one_speaker_out)
        for name, settings in ABLATIONS.items()
    )


EMODB = Experiment(
    about="After the abstract of Meyer et al. 2021, on EmoDB: the whole, and without each part.",
    load=partial(load_emodb, emotions=FOUR_EMOTIONS),
    runs=_runs(_system),
)
EMODB_SMALL = Experiment(
    about="After the abstract of Meyer et al. 2021, on EmoDB, half the maps: without each part.",
    load=EMODB.load,
    runs=_runs(_small),
)
IEMOCAP = Experiment(
    about="After the abstract of Meyer et al. 2021, on IEMOCAP: the whole, and without each part.",
    load=partial(load_iemocap, emotions=FOUR_EMOTIONS, agreement="majority"),
    runs=_runs(_system),
)
