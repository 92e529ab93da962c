"""Sound from the log-mel spectra of 2.5 s of real speech, beside librosa's own inversion.

``decibels`` in the report is how far the spectra of the sound are from those that were wanted,
the mean over all that is not silent. A stream is timed frame by frame: it has 12.2 ms until the
next. WaveGlow has its published size and random weights, which take as long as any.
"""

import librosa
import numpy as np
import pytest

from skspeech.datasets import load_voice_prompts
from skspeech.preprocessing import MelTargets
from skspeech.preprocessing._resampling import resample
from skspeech.vocoders import GriffinLimVocoder, WaveGlowVocoder

FRAMES = 204


@pytest.fixture(scope="module")
def spectra():
    voice = np.concatenate(load_voice_prompts().data[:3])
    return MelTargets().fit_transform([resample(voice, 8000, 22050)])[0][:FRAMES]


def distance(sound, wanted):
    """Return the mean distance of spectra in dB, where they are not silent."""
    again = MelTargets().fit_transform([sound])[0][: len(wanted)]
    heard = wanted[: len(again)] > -7
    return float(np.abs(again - wanted[: len(again)])[heard].mean() * 20 / np.log(10))


def librosas(spectra):
    return librosa.feature.inverse.mel_to_audio(
        np.exp(spectra.T), sr=22050, n_fft=1024, hop_length=270, power=1.0, fmax=8000.0, n_iter=32
    )


def test_librosa(benchmark, spectra, one_thread):
    sound = benchmark.pedantic(librosas, (spectra,), rounds=3, warmup_rounds=1)
    benchmark.extra_info["decibels"] = distance(sound, spectra)


@pytest.mark.parametrize("lookahead", [None, 3])
def test_griffin_lim(benchmark, spectra, one_thread, lookahead):
    vocoder = GriffinLimVocoder(lookahead=lookahead, random_state=0).fit([spectra])
    made = benchmark.pedantic(vocoder.transform, ([spectra],), rounds=3, warmup_rounds=1)
    benchmark.extra_info["decibels"] = distance(made[0], spectra)


@pytest.mark.parametrize("n_iter", [4, 8, 16])
def test_a_frame_of_a_stream(benchmark, spectra, one_thread, n_iter):
    stream = GriffinLimVocoder(lookahead=3, n_iter=n_iter).fit([spectra]).stream()
    frames = iter(np.concatenate([spectra] * 2))
    benchmark.pedantic(lambda: stream.push(next(frames)[None]), rounds=300, warmup_rounds=20)
    benchmark.extra_info["lookahead"] = stream.lookahead


def test_waveglow(benchmark, spectra, one_thread, tmp_path):
    from safetensors.torch import save_file

    from skspeech.training.seeding import seeded
    from skspeech.vocoders._waveglow_network import WaveGlow, WaveGlowSizes

    with seeded(0, "cpu"):
        weights = WaveGlow(WaveGlowSizes()).state_dict()
    save_file(weights, tmp_path / "waveglow.safetensors")
    vocoder = WaveGlowVocoder.from_checkpoint(
        tmp_path / "waveglow.safetensors", device="cpu", random_state=0
    )
    benchmark.pedantic(vocoder.transform, ([spectra[:82]],), rounds=2)
    benchmark.extra_info["seconds_of_sound"] = 82 * 270 / 22050
