"""Draw voices.png: one prompt in the six bundled voices, and the demo's confusion matrix.

Run ``python docs/pictures/make_voices.py`` in an environment that has skspeech[report]. The
demo is trained once, with seed 0, which takes about 15 s.
"""

import sys
from io import BytesIO
from pathlib import Path

import librosa
import matplotlib.pyplot as plt
import numpy as np
from PIL import Image

from skspeech.datasets import load_voice_prompts
from skspeech.experiments.demo import run_demo
from skspeech.preprocessing import LogMelSpectrogram

PROMPT = "vm-goodbye"
N_FFT, HOP_LENGTH, N_MELS = 512, 64, 64
COLOURS = "cividis"
TICKS = (0.5, 1, 2, 4)  # kHz


def main() -> None:
    """Write voices.png beside this file."""
    voices = load_voice_prompts()
    result = run_demo(seed=0, stream=sys.stdout)
    plt.rcParams.update({"font.family": "DejaVu Sans", "font.size": 9, "axes.titlesize": 9})
    figure = plt.figure(figsize=(8, 3.6), dpi=200, layout="constrained")
    left, right = figure.subfigures(1, 2, width_ratios=(1.32, 1))
    draw_spectrograms(left, voices)
    draw_confusion(right, voices.target_names, result.confusion)
    drawn = BytesIO()
    figure.savefig(drawn, format="png")
    # a palette of 128 colours looks the same and takes a third of the space
    picture = Image.open(drawn).convert("RGB").quantize(128)
    picture.save(Path(__file__).with_name("voices.png"), optimize=True)


def draw_spectrograms(figure, voices) -> None:
    """Draw the prompt in each voice, all in the same time and colour scale."""
    front_end = LogMelSpectrogram(
        sample_rate=voices.sample_rate, n_fft=N_FFT, hop_length=HOP_LENGTH, n_mels=N_MELS
    )
    chosen = voices.prompts == PROMPT
    spectrograms = front_end.fit_transform(voices.data[chosen])
    frame = HOP_LENGTH / voices.sample_rate
    longest = max(spectrogram.shape[1] for spectrogram in spectrograms) * frame
    loudest = max(spectrogram.max() for spectrogram in spectrograms)
    places = np.interp(
        librosa.hz_to_mel(1000 * np.array(TICKS)),
        librosa.hz_to_mel(librosa.mel_frequencies(n_mels=N_MELS + 2, fmax=voices.sample_rate / 2)),
        np.arange(-1, N_MELS + 1),
    )
    axes = figure.subplots(3, 2, sharex=True, sharey=True)
    for axis, spectrogram, voice in zip(
        axes.flat, spectrograms, voices.target[chosen], strict=True
    ):
        image = axis.imshow(
            spectrogram,
            origin="lower",
            aspect="auto",
            cmap=COLOURS,
            interpolation="nearest",
            vmin=loudest - 60,
            vmax=loudest,
            extent=(0, spectrogram.shape[1] * frame, -0.5, N_MELS - 0.5),
        )
        axis.set(xlim=(0, longest), ylim=(-0.5, N_MELS - 0.5))
        axis.set_yticks(places, [f"{tick:g}" for tick in TICKS])
        axis.set_title(short(voices.target_names[voice]), loc="left", pad=2)
    figure.suptitle(f"“{PROMPT}” in six voices, log-mel", fontsize=10)
    figure.supxlabel("time (s)", fontsize=9)
    figure.supylabel("frequency (kHz)", fontsize=9)
    figure.colorbar(image, ax=axes, label="power (dB)", shrink=0.6, aspect=25)


def draw_confusion(figure, names, confusion) -> None:
    """Draw counts: who spoke by row, the answer by column."""
    axis = figure.subplots()
    axis.imshow(confusion, cmap=COLOURS, vmin=0)
    for (row, column), count in np.ndenumerate(confusion):
        if count:
            colour = "black" if count > confusion.max() / 2 else "white"
            axis.text(column, row, count, ha="center", va="center", color=colour)
    labels = [short(name) for name in names]
    axis.set_xticks(range(len(names)), labels, rotation=40, ha="right", rotation_mode="anchor")
    axis.set_yticks(range(len(names)), labels)
    axis.set(xlabel="answer of the network", ylabel="who spoke")
    axis.tick_params(length=0)
    axis.spines[:].set_visible(False)
    right = int(np.trace(confusion))
    figure.suptitle(f"prompts never heard in training: {right} of {confusion.sum()}", fontsize=10)


def short(name: str) -> str:
    """Return "Allison (en)" for "en_US_f_Allison"."""
    return f"{name.split('_')[-1].removesuffix('RU')} ({name[:2]})"


if __name__ == "__main__":
    main()
