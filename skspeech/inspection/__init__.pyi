from .activations import (
    RecurrentActivationsDisplay,
    plot_recurrent_activations,
    recurrent_activations,
)
from .confusion import plot_confusion_matrix
from .contour import ContourDisplay, plot_contour, plot_motifs
from .embeddings import EmbeddingDisplay, plot_embeddings
from .history import HistoryDisplay, plot_history
from .spectrogram import SpectrogramDisplay, plot_spectrogram

__all__ = [
    "ContourDisplay",
    "EmbeddingDisplay",
    "HistoryDisplay",
    "RecurrentActivationsDisplay",
    "SpectrogramDisplay",
    "plot_confusion_matrix",
    "plot_contour",
    "plot_embeddings",
    "plot_history",
    "plot_motifs",
    "plot_recurrent_activations",
    "plot_spectrogram",
    "recurrent_activations",
]
