from .emodb import fetch_emodb
from .emotional_speech import make_emotional_speech
from .flamenco import load_flamenco_motifs
from .fsdd import fetch_fsdd
from .iemocap import load_iemocap
from .japanese_vowels import load_japanese_vowels
from .ravdess import fetch_ravdess
from .singing import make_singing
from .tongue import make_tongue_ultrasound
from .ultrasound import load_aaa_recordings
from .voice_prompts import load_voice_prompts

__all__ = [
    "fetch_emodb",
    "fetch_fsdd",
    "fetch_ravdess",
    "load_aaa_recordings",
    "load_flamenco_motifs",
    "load_iemocap",
    "load_japanese_vowels",
    "load_voice_prompts",
    "make_emotional_speech",
    "make_singing",
    "make_tongue_ultrasound",
]
