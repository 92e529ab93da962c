from .griffin_lim import GriffinLimVocoder
from .waveglow import WaveGlowVocoder

__all__ = ["GriffinLimVocoder", "WaveGlowVocoder"]
