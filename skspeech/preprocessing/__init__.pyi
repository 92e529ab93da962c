from ._base import RecordingTransformer
from .alignment import align_frames
from .audio import FixedDuration
from .cepstrum import MFCC
from .contour import ContourApproximator
from .deltas import Deltas
from .loading import AudioLoader
from .mel_targets import MelTargets
from .motifs import MotifExtractor
from .pitch import PitchTransformer, PyinPitch, SaliencePitch
from .scaling import SpeakerScaler, SpectrogramScaler
from .spectrogram import LogMelSpectrogram, LogPowerSpectrogram
from .ultrasound import UltrasoundFramer, UltrasoundScaler

__all__ = [
    "MFCC",
    "AudioLoader",
    "ContourApproximator",
    "Deltas",
    "FixedDuration",
    "LogMelSpectrogram",
    "LogPowerSpectrogram",
    "MelTargets",
    "MotifExtractor",
    "PitchTransformer",
    "PyinPitch",
    "RecordingTransformer",
    "SaliencePitch",
    "SpeakerScaler",
    "SpectrogramScaler",
    "UltrasoundFramer",
    "UltrasoundScaler",
    "align_frames",
]
