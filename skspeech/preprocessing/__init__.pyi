from .audio import FixedDuration
from .spectrogram import LogMelSpectrogram

__all__ = ["FixedDuration", "LogMelSpectrogram"]
