"""A spectrogram with its axes in seconds and kilohertz."""

from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline

from skspeech.inspection._extras import COLOURS, axes_or_new, check_extra

__all__ = ["SpectrogramDisplay", "plot_spectrogram"]

_UNITS = {"db": "power (dB)", "ln": "power (ln)", "power": "power"}
# What is this far below the loudest is drawn like silence: 80 dB, in the units of a scale.
_RANGES = {"db": 80.0, "ln": 8.0 * np.log(10), "power": np.inf}
_TICKS = 125.0 * 2.0 ** np.arange(10)  # Hz, octaves


class SpectrogramDisplay:
    """A spectrogram in seconds and hertz.

    The axes are in the units of the sound, whatever the bins are: a pitch track in Hz can be
    drawn over it as it is.  Make one with :func:`plot_spectrogram` or :meth:`from_estimator`.

    Parameters
    ----------
    spectrogram : array-like of shape (n_bins, n_frames)
        Frame i is centred on sample ``i * hop_length``.
    sample_rate : float
        Samples per second of the waveform, Hz.
    hop_length : int
        Samples from one frame to the next.
    f_min : float, default=0.0
        Lower edge of the lowest band, Hz; for linear bins the frequency of the lowest.
    f_max : float or None, default=None
        Upper edge of the highest band, Hz; for linear bins the frequency of the highest. None is
        half the sample rate.
    scale : {"db", "ln", "power"}, default="db"
        What the values are, as in :class:`~skspeech.preprocessing.LogMelSpectrogram`. Of
        logarithms, the 80 dB below the loudest are told apart.
    bins : {"mel", "linear"}, default="mel"
        Whether the bins are evenly spaced in mel (Slaney's, as in librosa) or in Hz.

    Attributes
    ----------
    ax_ : matplotlib Axes
        In seconds and Hz (written in kHz).
    figure_ : matplotlib Figure
    mesh_ : matplotlib QuadMesh

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from skspeech.datasets import load_voice_prompts
    >>> from skspeech.inspection import SpectrogramDisplay
    >>> from skspeech.preprocessing import LogMelSpectrogram
    >>> prompt = load_voice_prompts().data[0]
    >>> front_end = LogMelSpectrogram(sample_rate=8000, n_fft=512, hop_length=128, n_mels=64)
    >>> ax = Figure().subplots()
    >>> display = SpectrogramDisplay.from_estimator(front_end, prompt, ax=ax)
    >>> display.ax_.get_xlabel(), display.ax_.get_ylabel()
    ('time (s)', 'frequency (kHz)')
    """

    def __init__(
        self,
        spectrogram: Any,
        *,
        sample_rate: float,
        hop_length: int,
        f_min: float = 0.0,
        f_max: float | None = None,
        scale: str = "db",
        bins: str = "mel",
    ):
        self.spectrogram = spectrogram
        self.sample_rate = sample_rate
        self.hop_length = hop_length
        self.f_min = f_min
        self.f_max = f_max
        self.scale = scale
        self.bins = bins

    @classmethod
    def from_estimator(
        cls, estimator: Any, waveform: Any, *, ax: Any = None
    ) -> "SpectrogramDisplay":
        """Compute the spectrogram of a waveform as an estimator does, and draw it.

        Parameters
        ----------
        estimator : LogMelSpectrogram, LogPowerSpectrogram, or Pipeline with one of them
            Of a pipeline, the steps up to the spectrogram are applied; they must be fitted if
            they learn anything.
        waveform : array-like of shape (n_samples,)
        ax : matplotlib Axes or None, default=None
            Where to draw. None makes a new figure.

        Returns
        -------
        SpectrogramDisplay

        Raises
        ------
        TypeError
            If there is no such transformer.
        """
        steps = [step for _, step in estimator.steps] if isinstance(estimator, Pipeline) else None
        front_end, spectrogram = _transform_with(steps or [estimator], waveform)
        return cls(
            spectrogram,
            sample_rate=front_end.sample_rate,
            hop_length=front_end.hop_length,
            scale=front_end.scale,
            **_frequencies(front_end, len(spectrogram)),
        ).plot(ax=ax)

    def plot(self, *, ax: Any = None) -> "SpectrogramDisplay":
        """Draw it.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            Where to draw. None makes a new figure.

        Returns
        -------
        SpectrogramDisplay
            Itself.

        Raises
        ------
        MissingExtraError
            If matplotlib is not installed.
        ValueError
            For a spectrogram that is not two-dimensional, or a parameter that is not known.
        """
        check_extra("matplotlib", "SpectrogramDisplay.plot")
        values = self._check()
        self.ax_ = axes_or_new(ax)
        self.figure_ = self.ax_.figure
        n_bins, n_frames = values.shape
        frame = self.hop_length / self.sample_rate
        self.mesh_ = self.ax_.pcolormesh(
            (np.arange(n_frames + 1) - 0.5) * frame,
            self._edges(n_bins),
            values,
            cmap=COLOURS,
            vmin=max(values.min(), values.max() - _RANGES[self.scale]),
            rasterized=True,  # in a vector picture, a path for each value would be slow to draw
        )
        self._label()
        return self

    def _check(self) -> np.ndarray:
        values = np.asarray(self.spectrogram, dtype=float)
        if values.ndim != 2 or 0 in values.shape:
            raise ValueError(
                f"The spectrogram has shape {values.shape}, not (n_bins, n_frames). Give one "
                "channel of one recording, for instance spectrograms[0]."
            )
        for name, known in (("scale", tuple(_UNITS)), ("bins", ("mel", "linear"))):
            if getattr(self, name) not in known:
                raise ValueError(f"{name} is {getattr(self, name)!r}. It must be one of {known}.")
        if not 0 <= self.f_min < self._highest():
            raise ValueError(
                f"f_min is {self.f_min:g} Hz and f_max {self._highest():g} Hz. They must be "
                "frequencies from 0 Hz on, the first the lower one."
            )
        return values

    def _highest(self) -> float:
        return self.sample_rate / 2 if self.f_max is None else self.f_max

    def _edges(self, n_bins: int) -> np.ndarray:
        """Return the frequencies half-way between the bins, Hz, shape (n_bins + 1,)."""
        if self.bins == "linear":
            centres = np.linspace(self.f_min, self._highest(), n_bins)
            half = (centres[1] - centres[0]) / 2 if n_bins > 1 else self._highest() / 2
            return np.append(centres - half, centres[-1] + half)
        from librosa import hz_to_mel, mel_to_hz

        lowest, highest = hz_to_mel(np.array([self.f_min, self._highest()]))
        # n triangles stand on n + 2 points, their tips on the inner ones; the feet of the first
        # and the last reach to the ends
        half = (highest - lowest) / (n_bins + 1) / 2
        inner = mel_to_hz(np.linspace(lowest + half, highest - half, n_bins + 1)[1:-1])
        return np.concatenate([[self.f_min], inner, [self._highest()]])

    def _label(self) -> None:
        from matplotlib.ticker import FuncFormatter

        axis = self.ax_.yaxis
        if self.bins == "mel":
            from librosa import hz_to_mel, mel_to_hz

            self.ax_.set_yscale("function", functions=(hz_to_mel, mel_to_hz))
            lowest, highest = self.ax_.get_ylim()
            axis.set_ticks([tick for tick in _TICKS if max(lowest, 250) <= tick <= highest])
        axis.set_major_formatter(FuncFormatter(lambda hertz, _: f"{hertz / 1000:g}"))
        self.ax_.set(xlabel="time (s)", ylabel="frequency (kHz)")
        self.figure_.colorbar(self.mesh_, ax=self.ax_, label=_UNITS[self.scale])


def plot_spectrogram(
    spectrogram: Any,
    *,
    sample_rate: float,
    hop_length: int,
    f_min: float = 0.0,
    f_max: float | None = None,
    scale: str = "db",
    bins: str = "mel",
    ax: Any = None,
) -> SpectrogramDisplay:
    """Draw a spectrogram with its axes in seconds and kilohertz.

    Parameters
    ----------
    spectrogram : array-like of shape (n_bins, n_frames)
        Frame i is centred on sample ``i * hop_length``.
    sample_rate : float
        Samples per second of the waveform, Hz.
    hop_length : int
        Samples from one frame to the next.
    f_min : float, default=0.0
        Lower edge of the lowest band, Hz; for linear bins the frequency of the lowest.
    f_max : float or None, default=None
        Upper edge of the highest band, Hz; for linear bins the frequency of the highest. None is
        half the sample rate.
    scale : {"db", "ln", "power"}, default="db"
        What the values are.
    bins : {"mel", "linear"}, default="mel"
        Whether the bins are evenly spaced in mel or in Hz.
    ax : matplotlib Axes or None, default=None
        Where to draw. None makes a new figure.

    Returns
    -------
    SpectrogramDisplay

    Raises
    ------
    MissingExtraError
        If matplotlib is not installed.
    ValueError
        For a spectrogram that is not two-dimensional, or a parameter that is not known.

    Examples
    --------
    >>> import numpy as np
    >>> from matplotlib.figure import Figure
    >>> from skspeech.inspection import plot_spectrogram
    >>> noise = np.random.default_rng(0).normal(size=(40, 100))
    >>> ax = Figure().subplots()
    >>> plot_spectrogram(noise, sample_rate=16000, hop_length=160, ax=ax).ax_.get_xlim()
    (np.float64(-0.005), np.float64(0.995))
    """
    return SpectrogramDisplay(
        spectrogram,
        sample_rate=sample_rate,
        hop_length=hop_length,
        f_min=f_min,
        f_max=f_max,
        scale=scale,
        bins=bins,
    ).plot(ax=ax)


def _transform_with(steps: list[Any], waveform: Any) -> tuple[Any, np.ndarray]:
    """Return the transformer that makes the spectrogram, and what it makes of the waveform."""
    from skspeech.preprocessing import LogMelSpectrogram, LogPowerSpectrogram

    recordings: Any = [np.asarray(waveform)]
    for step in steps:
        if step is None or step == "passthrough":
            continue
        if not hasattr(step, "transform"):
            break
        recordings = step.transform(recordings)
        if isinstance(step, LogMelSpectrogram | LogPowerSpectrogram):
            return step, recordings[0]
    raise TypeError(
        f"No LogMelSpectrogram or LogPowerSpectrogram in {[type(s).__name__ for s in steps]}. "
        "Give one, or a pipeline with one; other spectrograms go to plot_spectrogram."
    )


def _frequencies(front_end: Any, n_bins: int) -> dict[str, Any]:
    """Return where the bins of a transformer lie, as parameters of the display."""
    if hasattr(front_end, "n_mels"):
        return {"bins": "mel", "f_min": front_end.f_min, "f_max": front_end.f_max}
    highest = (n_bins - 1) * front_end.sample_rate / front_end.n_fft
    return {"bins": "linear", "f_max": highest}
