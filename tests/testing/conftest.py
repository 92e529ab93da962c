import sys
from pathlib import Path

# sins.py is shared by the tests of this folder, and pickled by name
sys.path.insert(0, str(Path(__file__).parent))
