from .backends import register_dask
from .evaluation import cross_validate_speakers
from .frames import cross_validate_frames
from .leaks import Leak, find_leaks
from .results import FRAME_COLUMNS, ResultFile, read_results
from .search import TPESearchCV
from .splitters import LeaveOneSessionOut, LeaveOneSpeakerOut, SpeakerShuffleSplit, ValidateOnTest

__all__ = [
    "FRAME_COLUMNS",
    "Leak",
    "LeaveOneSessionOut",
    "LeaveOneSpeakerOut",
    "ResultFile",
    "SpeakerShuffleSplit",
    "TPESearchCV",
    "ValidateOnTest",
    "cross_validate_frames",
    "cross_validate_speakers",
    "find_leaks",
    "read_results",
    "register_dask",
]
