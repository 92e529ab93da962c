from .activations import (
    RecurrentActivationsDisplay,
    plot_recurrent_activations,
    recurrent_activations,
)
from .confusion import plot_confusion_matrix
from .history import HistoryDisplay, plot_history
from .spectrogram import SpectrogramDisplay, plot_spectrogram

__all__ = [
    "HistoryDisplay",
    "RecurrentActivationsDisplay",
    "SpectrogramDisplay",
    "plot_confusion_matrix",
    "plot_history",
    "plot_recurrent_activations",
    "plot_spectrogram",
    "recurrent_activations",
]
