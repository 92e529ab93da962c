"""Pictures of recordings, of trainings and of answers, as scikit-learn's Display objects.

They need matplotlib, which comes with ``skspeech[report]``.
"""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
