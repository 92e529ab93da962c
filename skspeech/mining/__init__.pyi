from .closed import closed_sequences
from .miner import ClosedMotifMiner

__all__ = [
    "ClosedMotifMiner",
    "closed_sequences",
]
