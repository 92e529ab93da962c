"""Real parameter files and one real export."""

import numpy as np
import pytest

from skspeech.datasets import load_aaa_recordings
from skspeech.datasets.ultrasound import read_parameters

GEOMETRIES = {(63, 256), (63, 412), (64, 842), (64, 923), (64, 546)}


@pytest.fixture(scope="module")
def folder(data_home):
    folder = data_home / "ultrasound"
    if not (folder / "aaa" / "File009.ult").is_file():
        pytest.skip(reason=f"there are no recordings in {data_home.name}/ultrasound")
    return folder


def test_every_real_parameter_file_is_read(folder):
    paths = sorted((folder / "parameter_files").iterdir())
    assert len(paths) == 49
    found = [read_parameters(path) for path in paths]
    assert {(each.n_vectors, each.n_pixels) for each in found} == GEOMETRIES
    assert all(81 < each.frame_rate < 123 for each in found)
    assert all(0 < each.time_of_first_frame < 1.1 for each in found)
    assert all(each.pixels_per_mm > 3 and each.angle in (0.025, 0.038) for each in found)


def test_real_export_is_read_whole(folder):
    aaa = load_aaa_recordings(folder / "aaa", crop=False)
    assert aaa.data[0].shape == (250, 63, 256)
    raw = np.fromfile(folder / "aaa" / "File009.ult", dtype=np.uint8)
    np.testing.assert_array_equal(aaa.data[0].ravel(), raw)
    assert aaa.audio[0].shape == (64512,)
    assert aaa.prompts.tolist() == ["007   na"]
    assert aaa.speakers.tolist() == ["participant"]
    assert str(aaa.dates[0]) == "2015-04-29T11:36:03"


def test_real_export_is_cut_to_the_overlap(folder):
    whole = load_aaa_recordings(folder / "aaa", crop=False)
    aaa = load_aaa_recordings(folder / "aaa")
    # frame 233 is at 2.9176 s and frame 234 at 2.9257 s, where 64,512 samples at 22,050 Hz end
    assert aaa.data[0].shape == (234, 63, 256)
    np.testing.assert_array_equal(aaa.data[0], whole.data[0][:234])
    begin = round(1.01619 * 22050)
    assert begin + len(aaa.audio[0]) in (64511, 64512)
    np.testing.assert_array_equal(aaa.audio[0], whole.audio[0][begin : begin + len(aaa.audio[0])])


def test_real_frames_and_spectra_are_aligned(folder):
    from skspeech.preprocessing import MelTargets, align_frames

    aaa = load_aaa_recordings(folder / "aaa")
    targets = MelTargets(frame_rate=float(aaa.frame_rates[0])).fit_transform(list(aaa.audio))
    videos, targets = align_frames(list(aaa.data), targets)
    assert len(videos[0]) == len(targets[0]) == 234
