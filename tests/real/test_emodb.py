"""Real utterances of real lengths (1.5 to 4.5 s here) through the published networks."""

from collections import Counter

import librosa
import numpy as np
import pytest
from sklearn.pipeline import make_pipeline

from skspeech.datasets import fetch_emodb
from skspeech.datasets._download import samples_digest
from skspeech.datasets.emodb import DIGESTS
from skspeech.models import (
    CNNLSTM1DClassifier,
    CNNLSTM2DClassifier,
    FixedLengthCRNNClassifier,
    MultiKernelBLSTMClassifier,
    VariableLengthCRNNClassifier,
)
from skspeech.preprocessing import FixedDuration, LogMelSpectrogram
from skspeech.recordings import segments_of


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


@pytest.mark.parametrize(
    ("kind", "shape", "size"),
    [
        (VariableLengthCRNNClassifier, (400,), {"recurrent_units": 8}),
        (FixedLengthCRNNClassifier, (400,), {"recurrent_units": 8}),
        (MultiKernelBLSTMClassifier, (3, 40), {"lstm_units": 8}),
    ],
)
def test_the_pipelines_of_variable_length_read_raw_utterances(emodb, kind, shape, size):
    waveforms, emotions = emodb[0][::4], emodb[1][::4]
    system = kind.pipeline()
    system[-1].set_params(n_maps=(2, 2, 2), max_epochs=1, random_state=0, **size)
    front_end = system[:-1].fit_transform(waveforms)
    for waveform, recording in zip(waveforms, front_end, strict=True):
        segments = segments_of(recording)
        in_pieces = kind is FixedLengthCRNNClassifier
        assert len(segments) == (-(-len(waveform) // 48_000) if in_pieces else 1)
        n_samples = 48_000 if in_pieces else len(waveform)
        assert {segment.shape for segment in segments} == {(*shape, n_samples // 160 + 1)}
    system.fit(waveforms, emotions)
    together = system.predict_proba(waveforms)
    alone = np.concatenate([system.predict_proba([waveform]) for waveform in waveforms])
    np.testing.assert_allclose(alone, together, rtol=0, atol=1e-5)


@pytest.fixture(scope="module")
def corpus(data_home, emodb):
    return fetch_emodb(data_home=data_home, download_if_missing=False)


def test_the_corpus_is_what_is_known_of_it(corpus):
    known = {"03": 49, "08": 58, "09": 43, "10": 38, "11": 55, "12": 35}
    known |= {"13": 61, "14": 69, "15": 56, "16": 71}
    speakers = Counter(corpus.speakers.tolist())
    assert speakers == {speaker: known[speaker] for speaker in speakers}
    assert sum(known.values()) == len(corpus.data) + corpus.n_missing == 535


def test_six_of_its_speakers_show_all_emotions(corpus):
    six = np.isin(corpus.speakers, list(DIGESTS))
    emotions = Counter(corpus.target_names[corpus.target[six]].tolist())
    assert emotions == {
        "anger": 72,
        "boredom": 40,
        "disgust": 14,
        "fear": 35,
        "happiness": 36,
        "neutral": 47,
        "sadness": 34,
    }


def test_its_samples_are_those_we_know(corpus, data_home):
    paths = [data_home / "emodb" / "wav" / name for name in corpus.filenames]
    for speaker, digest in DIGESTS.items():
        assert samples_digest(path for path in paths if path.stem[:2] == speaker) == digest


def test_no_recording_comes_twice(corpus):
    lengths = [len(waveform) for waveform in corpus.data]
    assert len({waveform.tobytes() for waveform in corpus.data}) == len(corpus.data)
    assert (min(lengths), max(lengths)) == (19_608, 143_652)
