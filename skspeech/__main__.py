"""``python -m skspeech`` is the command ``skspeech``."""

import sys

from skspeech.cli import main

if __name__ == "__main__":
    sys.exit(main())
