from .models import FORMAT_VERSION, check_savable, load_model, save_model

__all__ = ["FORMAT_VERSION", "check_savable", "load_model", "save_model"]
