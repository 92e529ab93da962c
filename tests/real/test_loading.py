"""Real files, read on access."""

import numpy as np
from numpy.testing import assert_array_equal
from sklearn.pipeline import make_pipeline

from skspeech.models import CNNLSTM2DClassifier
from skspeech.preprocessing import AudioLoader, LogMelSpectrogram


def test_emodb_is_read_at_16_khz(emodb_paths, emodb):
    waveforms = AudioLoader(sample_rate=16000).fit_transform(emodb_paths)
    own_rate = AudioLoader(sample_rate=None).fit_transform(emodb_paths)
    for found, same, wanted in zip(waveforms, own_rate, emodb[0], strict=True):
        assert_array_equal(found, wanted, strict=True)
        assert_array_equal(same, wanted)
        assert 1 < len(found) / 16000 < 10
        assert np.abs(found).max() <= 1


def test_from_files_to_posteriors(emodb_paths, emodb):
    network = CNNLSTM2DClassifier(n_maps=(8, 8), pool_sizes=(4, 4), lstm_units=8, max_epochs=1)
    system = make_pipeline(AudioLoader(), LogMelSpectrogram(n_mels=32), network)
    posteriors = system.fit(emodb_paths, emodb[1]).predict_proba(emodb_paths)
    np.testing.assert_allclose(system[1:].predict_proba(emodb[0]), posteriors, atol=1e-5)
