from .audio import FixedDuration
from .cepstrum import MFCC
from .deltas import Deltas
from .loading import AudioLoader
from .scaling import SpeakerScaler, SpectrogramScaler
from .spectrogram import LogMelSpectrogram, LogPowerSpectrogram

__all__ = [
    "MFCC",
    "AudioLoader",
    "Deltas",
    "FixedDuration",
    "LogMelSpectrogram",
    "LogPowerSpectrogram",
    "SpeakerScaler",
    "SpectrogramScaler",
]
