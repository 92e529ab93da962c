from .confusion import plot_confusion_matrix
from .history import HistoryDisplay, plot_history
from .spectrogram import SpectrogramDisplay, plot_spectrogram

__all__ = [
    "HistoryDisplay",
    "SpectrogramDisplay",
    "plot_confusion_matrix",
    "plot_history",
    "plot_spectrogram",
]
