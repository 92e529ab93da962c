from .cards import make_model_card
from .export import to_onnx
from .models import FORMAT_VERSION, check_savable, load_model, save_model

__all__ = [
    "FORMAT_VERSION",
    "check_savable",
    "load_model",
    "make_model_card",
    "save_model",
    "to_onnx",
]
