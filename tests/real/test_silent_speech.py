"""From real tongue videos to a sound that can be played: shapes, lengths, and a file."""

import runpy
from pathlib import Path

import numpy as np
import pytest
import soundfile

SCRIPT = Path(__file__).parents[2] / "docs" / "make_silent_speech.py"


@pytest.fixture
def clips(data_home):
    folder = data_home / "ultrasound" / "ultrax_video"
    if not folder.is_dir():
        pytest.skip(reason="there are no tongue videos")
    return folder


def test_from_two_clips_to_the_speech_of_a_third(clips, tmp_path, capsys):
    output = tmp_path / "speech.wav"
    runpy.run_path(str(SCRIPT))["main"](str(clips), str(output), "1")
    said = capsys.readouterr().out
    assert "Ultrax_TD_004.npz: video (748, 128, 96), 6.157 s; sound (135747,), 6.156 s" in said
    assert "spectra (748, 80)" in said
    assert "scaled (748, 32, 16), float32" in said
    speech, sample_rate = soundfile.read(output)
    assert sample_rate == 22_050
    assert abs(len(speech) / sample_rate - 748 / 121.49) < 1 / 121.49  # to a frame
    assert 0 < np.abs(speech).max() <= 1
