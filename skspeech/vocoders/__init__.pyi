from .griffin_lim import GriffinLimVocoder
from .ultrasound_to_speech import UltrasoundToSpeech
from .waveglow import WaveGlowVocoder

__all__ = ["GriffinLimVocoder", "UltrasoundToSpeech", "WaveGlowVocoder"]
