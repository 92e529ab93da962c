from .evaluation import cross_validate_speakers
from .results import ResultFile, read_results
from .search import TPESearchCV
from .splitters import LeaveOneSessionOut, LeaveOneSpeakerOut, SpeakerShuffleSplit, ValidateOnTest

__all__ = [
    "LeaveOneSessionOut",
    "LeaveOneSpeakerOut",
    "ResultFile",
    "SpeakerShuffleSplit",
    "TPESearchCV",
    "ValidateOnTest",
    "cross_validate_speakers",
    "read_results",
]
