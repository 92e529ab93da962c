"""Recordings: corpora that come with the package, are fetched or lie there, and synthetic speech.

Each function returns a :class:`sklearn.utils.Bunch`: ``data`` holds one recording an item,
``target`` codes the classes named by ``target_names``, and ``speakers`` serve as groups. Of tongue
ultrasound, ``audio`` holds the speech, from which the targets of every frame are made.
"""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
