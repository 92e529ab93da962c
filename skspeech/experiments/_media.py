"""Pictures and sounds as data URIs, for a page that needs nothing beside itself."""

from base64 import b64encode
from io import BytesIO
from typing import Any

import numpy as np

SECONDS_SHOWN = 30.0  # of a recording: a song of minutes would make the page unwieldy


def sound(waveform: np.ndarray, sample_rate: int) -> str:
    """Return a waveform (n_samples,) as a WAV file of 16 bits; a peak above 1 is scaled to 1."""
    import soundfile

    file = BytesIO()
    quiet = waveform / max(1.0, float(np.abs(waveform).max()))
    soundfile.write(file, quiet, int(sample_rate), format="WAV", subtype="PCM_16")
    return _data_uri("audio/wav", file)


def spectrogram_picture(waveform: np.ndarray, sample_rate: int) -> str:
    """Return the log-mel spectrogram of a waveform as a PNG picture.

    Windows last 32 ms or a little more and step by an eighth, which shows harmonics and syllables.
    """
    from matplotlib.figure import Figure

    from skspeech.inspection import SpectrogramDisplay
    from skspeech.preprocessing import LogMelSpectrogram

    n_fft = 2 ** int(np.ceil(np.log2(max(8, 0.032 * sample_rate))))
    front_end = LogMelSpectrogram(
        sample_rate=sample_rate,
        n_fft=n_fft,
        hop_length=max(n_fft // 8, len(waveform) // 1000),  # no more frames than pixels
        n_mels=64,
    )
    figure = Figure(figsize=(5, 2.2), layout="constrained")
    SpectrogramDisplay.from_estimator(front_end, waveform, ax=figure.subplots())
    return _png(figure)


def history_picture(histories: list[list[dict[str, Any]]]) -> str:
    """Return the learning curves of all trainings as a PNG picture."""
    from matplotlib.figure import Figure

    from skspeech.inspection import plot_history

    figure = Figure(figsize=(5, 4), layout="constrained")
    plot_history(histories, ax=figure.subplots())
    return _png(figure)


def _png(figure: Any) -> str:
    file = BytesIO()
    # no word of the program that drew it: the same evaluation gives the same file
    figure.savefig(file, format="png", dpi=160, metadata={"Software": None})
    return _data_uri("image/png", file)


def _data_uri(kind: str, file: BytesIO) -> str:
    return f"data:{kind};base64,{b64encode(file.getvalue()).decode('ascii')}"
