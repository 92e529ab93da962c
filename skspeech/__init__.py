"""Deep learning on recordings of speech, singing and articulation, done the scikit-learn way.

Rooms are loaded when they are first named: ``import skspeech`` alone brings in neither torch nor
librosa nor scikit-learn.

Examples
--------
>>> import skspeech
>>> skspeech.models.CNNLSTM2DClassifier(max_epochs=5)
CNNLSTM2DClassifier(max_epochs=5)
"""

from typing import Any

import lazy_loader as _lazy

_load_room, __dir__, __all__ = _lazy.attach(
    __name__,
    submodules=[
        "base",
        "datasets",
        "exceptions",
        "inspection",
        "layers",
        "metrics",
        "mining",
        "model_selection",
        "models",
        "persistence",
        "plugins",
        "preprocessing",
        "recordings",
        "tags",
        "testing",
        "vocoders",
    ],
)


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("skspeech")
    return _load_room(name)
