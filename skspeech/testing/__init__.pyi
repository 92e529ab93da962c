from .checks import speech_checks
from .instances import INSTANCES, small_instance
from .recordings import make_labels, make_recordings
from .suite import check_speech_estimator, parametrize_with_checks

__all__ = [
    "INSTANCES",
    "check_speech_estimator",
    "make_labels",
    "make_recordings",
    "parametrize_with_checks",
    "small_instance",
    "speech_checks",
]
