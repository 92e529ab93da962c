from .evaluation import cross_validate_speakers
from .leaks import Leak, find_leaks
from .results import ResultFile, read_results
from .search import TPESearchCV
from .splitters import LeaveOneSessionOut, LeaveOneSpeakerOut, SpeakerShuffleSplit, ValidateOnTest

__all__ = [
    "Leak",
    "LeaveOneSessionOut",
    "LeaveOneSpeakerOut",
    "ResultFile",
    "SpeakerShuffleSplit",
    "TPESearchCV",
    "ValidateOnTest",
    "cross_validate_speakers",
    "find_leaks",
    "read_results",
]
