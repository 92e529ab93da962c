"""What a recording is, which collections of them are read, and the one lazy container.

A collection ``X`` holds n recordings; everything that belongs to a recording (its label,
its speaker) has the same index. The kind of a recording comes from the estimator's
:class:`~skspeech.tags.SpeechTags`, never from a look at the data.
"""

from skspeech.recordings.bags import Segments, explode
from skspeech.recordings.checks import FRAMES_FIRST, KINDS, check_recording, segments_of
from skspeech.recordings.collection import features_kept_on_failure, validate_recordings
from skspeech.recordings.phrase import Phrase
from skspeech.recordings.sequence import RecordingSequence, object_array

__all__ = [
    "FRAMES_FIRST",
    "KINDS",
    "Phrase",
    "RecordingSequence",
    "Segments",
    "check_recording",
    "explode",
    "features_kept_on_failure",
    "object_array",
    "segments_of",
    "validate_recordings",
]
