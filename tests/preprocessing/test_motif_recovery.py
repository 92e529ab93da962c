"""Are the motifs that were planted in songs found again? docs/make_recovery.py has more figures."""

import numpy as np
import pytest

from skspeech.datasets import make_singing
from skspeech.metrics import motif_recovery
from skspeech.mining import ClosedMotifMiner
from skspeech.preprocessing import ContourApproximator, LogMelSpectrogram, MotifExtractor
from skspeech.preprocessing._base import RecordingTransformer

RATE, HOP = 8000, 46
PLAIN = {"vibrato": 0, "ornaments": 0, "glide": 0, "drift": 0, "snr": np.inf}
ROBUST = {"method": "segments", "margin": 150, "min_duration": 0.02, "max_dropout": 0.03}


class KnownPitch(RecordingTransformer):
    """The true pitch of synthetic songs."""

    _parameter_constraints: dict = {}
    _input_kind, _output_kind = "waveform", "pitch"

    def __init__(self, *, singing=None, hop_length=HOP):
        self.singing = singing
        self.hop_length = hop_length

    def _transform_batch(self, recordings):
        known = {x.tobytes(): i for i, x in enumerate(self.singing.data)}
        return [self.singing.pitch[known[x.tobytes()]] for x in recordings]


def sung(**manner):
    return make_singing(2, 2, **manner, sample_rate=RATE, hop_length=HOP, random_state=0)


@pytest.fixture(scope="module")
def plain():
    return sung(**PLAIN)


@pytest.fixture(scope="module")
def ornamented():
    return sung()


def extractor(singing, *, known_pitch, **contour):
    return MotifExtractor(
        sample_rate=RATE,
        pitch=KnownPitch(singing=singing) if known_pitch else None,
        contour=ContourApproximator(sample_rate=RATE, hop_length=HOP, **contour),
        miner=ClosedMotifMiner(occurrences="all"),
        spectrogram=LogMelSpectrogram(sample_rate=RATE, n_fft=512, hop_length=100, n_mels=8),
    ).fit(singing.data, singing.target)


@pytest.mark.parametrize("method", ["kmeans", "segments"])
def test_plain_motifs_are_found_whole(plain, method):
    found = extractor(plain, known_pitch=True, method=method)
    located = found.locate(plain.data)
    recall, precision = motif_recovery(plain.motifs, located)
    assert recall == 1
    assert precision > 0.9
    # the dictionary has every motif, maybe with a step that always follows
    for steps in plain.motif_steps:
        cents = 100 * np.array(steps)
        symbols = np.sign(cents) * (1 + (np.abs(cents) > found.contour_.interval_borders_))
        n_steps = len(steps)
        assert any(
            pattern[k : k + n_steps] == tuple(symbols)
            for pattern in found.miner_.patterns_
            for k in range(len(pattern) - n_steps + 1)
        )
    # and where it is sung it is located to a frame, from the first note to the last one's beginning
    last = {
        (note["recording"], note["end"]): note["start"]
        for note in plain.notes[["recording", "end", "start"]]
    }
    frame = HOP / RATE
    for occurrence in plain.motifs:
        here = located[located["recording"] == occurrence["recording"]]
        end = last[occurrence["recording"], occurrence["end"]]
        whole = (here["start"] < occurrence["start"] + 2 * frame) & (here["end"] > end - 2 * frame)
        assert (whole & (here["end"] - here["start"] < 2 * (end - occurrence["start"]))).any()


@pytest.mark.parametrize(
    ("manner", "contour", "least"),
    [
        ({"drift": 40}, {"method": "kmeans"}, 0.9),
        ({"ornaments": 0.2}, {"method": "kmeans"}, 0.6),
        ({"vibrato": 40}, {"method": "kmeans"}, 0.7),
        ({"glide": 0.08}, {"method": "segments"}, 0.7),
        ({"glide": 0.08}, ROBUST, 0.7),
    ],
)
def test_one_thing_alone_hides_few_motifs(manner, contour, least):
    singing = sung(**{**PLAIN, **manner})
    located = extractor(singing, known_pitch=True, **contour).locate(singing.data)
    recall, precision = motif_recovery(singing.motifs, located)
    assert recall > least
    assert precision > 0.4


def test_ornamented_motifs_are_found_in_audio(ornamented):
    located = extractor(ornamented, known_pitch=False, **ROBUST).locate(ornamented.data)
    recall, precision = motif_recovery(ornamented.motifs, located)
    assert recall > 0.6
    assert precision > 0.7
    as_published = extractor(ornamented, known_pitch=False).locate(ornamented.data)
    assert motif_recovery(ornamented.motifs, as_published)[0] < recall
