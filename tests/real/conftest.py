"""Real recordings lie beside the project, never in it; where there are none, tests are skipped."""

import os
from pathlib import Path

import pytest
import soundfile

from skspeech.recordings import object_array

DATA = Path(os.environ.get("SKSPEECH_REAL_DATA", Path(__file__).parents[3] / "shared" / "data"))


@pytest.fixture(scope="session")
def data_home():
    """Return the folder in which the corpora lie, each in a folder of its own."""
    return DATA


@pytest.fixture(scope="session")
def emodb_paths():
    """Return the files of 31 utterances of Berlin EmoDB."""
    paths = sorted((DATA / "emodb" / "wav").glob("*.flac"))[::9]
    if not paths:
        pytest.skip(reason=f"EmoDB is not in {DATA.name}/emodb/wav")
    return paths


@pytest.fixture(scope="session")
def emodb(emodb_paths):
    """Return 31 utterances of Berlin EmoDB: waveforms at 16 kHz, emotions and speakers."""
    waveforms = object_array([soundfile.read(path, dtype="float32")[0] for path in emodb_paths])
    return (
        waveforms,
        [path.stem[5] for path in emodb_paths],
        [path.stem[:2] for path in emodb_paths],
    )
