"""Real utterances of real lengths (1.5 to 4.5 s here) through the published networks."""

import librosa
import numpy as np
import pytest
from sklearn.pipeline import make_pipeline

from skspeech.models import CNNLSTM1DClassifier, CNNLSTM2DClassifier
from skspeech.preprocessing import FixedDuration, LogMelSpectrogram


def test_log_mel_spectrograms_are_librosas(emodb):
    waveforms, _, _ = emodb
    found = LogMelSpectrogram().fit_transform(waveforms)
    for spectrogram, waveform in zip(found, waveforms, strict=True):
        power = librosa.feature.melspectrogram(
            y=waveform, sr=16000, n_fft=2048, hop_length=512, n_mels=128, pad_mode="constant"
        )
        expected = librosa.power_to_db(power, ref=1.0, top_db=None)
        heard = expected > expected.max() - 80
        assert np.abs(spectrogram - expected)[heard].max() < 1e-3


@pytest.mark.parametrize("front_end", ["as long as they are", "8 s"])
def test_the_2d_network_answers_alike_alone_and_in_a_batch(emodb, front_end):
    waveforms, emotions, speakers = emodb
    network = CNNLSTM2DClassifier(
        n_maps=(8, 8, 16, 16), lstm_units=16, max_epochs=2, random_state=0
    )
    steps = [LogMelSpectrogram(), network]
    if front_end == "8 s":
        steps.insert(0, FixedDuration(duration=8.0))
    model = make_pipeline(*steps)
    model.fit(waveforms, emotions, cnnlstm2dclassifier__groups=speakers)
    assert network.validation_.method == "speaker"
    together = model.predict_proba(waveforms)
    alone = np.concatenate([model.predict_proba([waveform]) for waveform in waveforms])
    np.testing.assert_allclose(alone, together, rtol=0, atol=1e-5)


def test_the_1d_network_reads_raw_utterances(emodb):
    waveforms, emotions, _ = emodb
    network = CNNLSTM1DClassifier(n_maps=(4, 4, 8, 8), lstm_units=8, max_epochs=1, random_state=0)
    network.fit(waveforms, emotions)
    together = network.predict_proba(waveforms)
    alone = np.concatenate([network.predict_proba([waveform]) for waveform in waveforms])
    np.testing.assert_allclose(alone, together, rtol=0, atol=1e-5)
