"""Evaluation on speakers that were not heard: splits, one call for the whole, its result file."""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
