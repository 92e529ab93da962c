from .audio import FixedDuration
from .cepstrum import MFCC
from .contour import ContourApproximator
from .deltas import Deltas
from .loading import AudioLoader
from .motifs import MotifExtractor
from .pitch import PyinPitch, SaliencePitch
from .scaling import SpeakerScaler, SpectrogramScaler
from .spectrogram import LogMelSpectrogram, LogPowerSpectrogram

__all__ = [
    "MFCC",
    "AudioLoader",
    "ContourApproximator",
    "Deltas",
    "FixedDuration",
    "LogMelSpectrogram",
    "LogPowerSpectrogram",
    "MotifExtractor",
    "PyinPitch",
    "SaliencePitch",
    "SpeakerScaler",
    "SpectrogramScaler",
]
