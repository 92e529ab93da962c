"""Pitch, its contour and the motifs found in it, over the spectrogram."""

from typing import Any

import numpy as np

from skspeech.inspection._extras import ORANGE, axes_or_new, check_extra
from skspeech.inspection._motif_rows import draw_rows, height_of, place_in_rows
from skspeech.preprocessing._motif_parts import known

__all__ = ["ContourDisplay", "plot_contour", "plot_motifs"]

_WINDOW = 0.09  # seconds: long for speech, but the lines of low voices stay apart
_MOST_COLUMNS = 2000  # of the spectrogram: more than a picture has dots
_SHADES = (-45.0, 30.0)  # dB from the loudest, of white and black: lines stand out on grey
_INNER = (2, 98)  # per cent of the voiced frames that are sure to be seen, not each slip
_AROUND = (0.9, 1.25)  # how far below the lowest and above the highest of them the axis goes
_WITHOUT_PITCH = (110.0, 440.0)  # Hz
_PITCH_LINE = {"color": "black", "linewidth": 0.9, "label": "pitch"}
_CONTOUR_LINE = {
    "color": ORANGE,
    "linewidth": 3.0,
    "label": "contour",
    "drawstyle": "steps-post",
}


class ContourDisplay:
    """Pitch and its contour over the spectrogram, with motifs in rows below.

    As Figure 1 of Arronte Alvarez and Gómez-Martín ("Singer identification using convolutional
    acoustic motif embeddings"), but with both curves in one picture, so that it shows how close
    they are. The frequency axis is logarithmic: equal intervals look equally large.

    Motifs overlap, since parts of motifs are often motifs. Each occurrence is a bar with the number
    of its motif, of which colours remind; the longest come first, each in the uppermost row where
    there is room, and what finds none in `max_rows` rows is counted in the corner.

    Make one with :func:`plot_contour`, :func:`plot_motifs` or :meth:`from_estimator`.

    Parameters
    ----------
    waveform : array-like of shape (n_samples,), or None
        None draws no spectrogram.
    pitch : array-like of shape (n_frames,)
        Hz, 0 where unvoiced.
    approximated : array-like of shape (n_frames,), or None
        The same of its contour, as
        :meth:`~skspeech.preprocessing.ContourApproximator.approximate` gives it. None draws none.
    motifs : structured array or None, default=None
        Of one recording: fields ``motif``, and ``start`` and ``end`` in seconds.
    sample_rate : float, default=44100
        Samples per second of the waveform, Hz.
    hop_length : int, default=256
        Samples from one frame of the pitch to the next.
    interval : (float, float) or None, default=None
        From when to when to draw, seconds. None draws all.
    max_rows : int, default=8
        Rows of motifs at most.

    Attributes
    ----------
    ax_ : matplotlib Axes
        In seconds and Hz.
    figure_ : matplotlib Figure
    mesh_ : matplotlib QuadMesh or None
        The spectrogram.
    pitch_, contour_ : matplotlib Line2D or None
    bars_ : list of matplotlib Rectangle
        One a motif that is shown.
    n_hidden_ : int
        Motifs of the interval for which there was no room.

    Examples
    --------
    >>> import numpy as np
    >>> from matplotlib.figure import Figure
    >>> from skspeech.inspection import ContourDisplay
    >>> pitch = np.repeat([220.0, 0.0, 247.0], 50)
    >>> display = ContourDisplay(None, pitch, pitch, hop_length=441).plot(ax=Figure().subplots())
    >>> display.ax_.get_xlabel(), display.ax_.get_ylabel()
    ('time (s)', 'frequency (Hz)')
    """

    def __init__(
        self,
        waveform: Any,
        pitch: Any,
        approximated: Any,
        *,
        motifs: Any = None,
        sample_rate: float = 44100,
        hop_length: int = 256,
        interval: tuple[float, float] | None = None,
        max_rows: int = 8,
    ):
        self.waveform = waveform
        self.pitch = pitch
        self.approximated = approximated
        self.motifs = motifs
        self.sample_rate = sample_rate
        self.hop_length = hop_length
        self.interval = interval
        self.max_rows = max_rows

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        waveform: Any,
        *,
        interval: tuple[float, float] | None = None,
        max_rows: int = 8,
        ax: Any = None,
    ) -> "ContourDisplay":
        """Draw what a fitted MotifExtractor finds in a waveform.

        Parameters
        ----------
        estimator : fitted MotifExtractor
            Its contour is drawn if that part has the method ``approximate``.
        waveform : array-like of shape (n_samples,)
        interval : (float, float) or None, default=None
            From when to when to draw, seconds. None draws all.
        max_rows : int, default=8
            Rows of motifs at most.
        ax : matplotlib Axes or None, default=None
            Where to draw. None makes a new figure.

        Returns
        -------
        ContourDisplay

        Raises
        ------
        MissingExtraError
            If matplotlib is not installed.
        TypeError
            If the estimator does not locate motifs.
        ValueError
            If it is not one waveform, or no part says by ``hop_length`` how far frames are apart.
        """
        check_extra("matplotlib", f"{cls.__name__}.from_estimator")
        if not hasattr(estimator, "locate"):
            raise TypeError(
                f"{type(estimator).__name__} locates no motifs. Give a fitted MotifExtractor; "
                "pitch and contour of other origin go to plot_contour."
            )
        if np.ndim(waveform) != 1:
            raise ValueError(
                f"{cls.__name__} draws one waveform, (n_samples,), not shape {np.shape(waveform)}: "
                "of a collection, give X[i]."
            )
        motifs = estimator.locate([waveform])
        pitch = estimator.pitch_.transform([waveform])
        contour = estimator.contour_
        stairs = hasattr(contour, "approximate")
        hop_length = known(contour, "hop_length") or known(estimator.pitch_, "hop_length")
        if hop_length is None:
            raise ValueError(
                "Neither the contour nor the pitch of the estimator says its hop_length. Give what "
                "they answer to plot_contour."
            )
        return cls(
            waveform,
            pitch[0],
            contour.approximate(pitch)[0] if stairs else None,
            motifs=motifs,
            sample_rate=estimator.sample_rate,
            hop_length=hop_length,
            interval=interval,
            max_rows=max_rows,
        ).plot(ax=ax)

    def plot(self, *, ax: Any = None) -> "ContourDisplay":
        """Draw it.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            Where to draw. None makes a new figure.

        Returns
        -------
        ContourDisplay
            Itself.

        Raises
        ------
        MissingExtraError
            If matplotlib is not installed.
        ValueError
            If pitch and contour are not equally long, the interval is none, or motifs are not of
            one recording.
        """
        check_extra("matplotlib", f"{type(self).__name__}.plot")
        pitch, approximated = self._checked_pitch()
        self._check_frames(len(pitch))
        begin, end = self._checked_interval(len(pitch))
        motifs = self._checked_motifs(begin, end)
        self.ax_ = axes_or_new(ax)
        self.figure_ = self.ax_.figure
        limits = _frequencies(pitch[pitch > 0], self.sample_rate)
        self.mesh_ = self._draw_spectrogram(begin, end, limits)
        self.contour_ = self._draw_line(approximated, _CONTOUR_LINE)
        self.pitch_ = self._draw_line(pitch, _PITCH_LINE)
        self.ax_.legend(loc="upper right", ncols=2)
        self.ax_.set(xlim=(begin, end), xlabel="time (s)", ylabel="frequency (Hz)")
        rows = place_in_rows(motifs, self.max_rows)
        self._scale_frequencies(limits, height_of(rows))
        self.bars_ = draw_rows(self.ax_, motifs, rows)
        self.n_hidden_ = len(rows) - len(self.bars_)
        return self

    def _checked_pitch(self) -> tuple[np.ndarray, np.ndarray | None]:
        pitch = np.asarray(self.pitch, dtype=float)
        if pitch.ndim != 1 or len(pitch) == 0:
            raise ValueError(
                f"The pitch has shape {pitch.shape}, not (n_frames,). Give that of one recording."
            )
        if self.approximated is None:
            return pitch, None
        approximated = np.asarray(self.approximated, dtype=float)
        if approximated.shape != pitch.shape:
            raise ValueError(
                f"The contour has shape {approximated.shape}, the pitch {pitch.shape}. Give the "
                "approximation of this pitch: approximator.approximate([pitch])[0]."
            )
        return pitch, approximated

    def _check_frames(self, n_frames: int) -> None:
        """Refuse a pitch whose frames are not those of the waveform: lines would lie elsewhere."""
        if self.waveform is None:
            return
        wanted = 1 + len(self.waveform) // self.hop_length
        if abs(n_frames - wanted) > 1:
            raise ValueError(
                f"The pitch has {n_frames:,} frames, but a waveform of {len(self.waveform):,} "
                f"samples has {wanted:,} with hop_length={self.hop_length}. Give the hop_length "
                "of the pitch."
            )

    def _checked_interval(self, n_frames: int) -> tuple[float, float]:
        if self.interval is None:
            # a single frame has a width, too
            return 0.0, max(n_frames - 1, 1) * self.hop_length / self.sample_rate
        if len(self.interval) != 2 or not 0 <= self.interval[0] < self.interval[1]:
            raise ValueError(
                f"interval is {self.interval!r}. Give (begin, end) in seconds, from 0 on, the "
                "earlier one first."
            )
        begin, end = self.interval
        return float(begin), float(end)

    def _checked_motifs(self, begin: float, end: float) -> np.ndarray:
        if self.motifs is None:
            return np.zeros(0, [("motif", int), ("start", float), ("end", float)])
        motifs = np.asarray(self.motifs)
        names = motifs.dtype.names or ()
        if not {"motif", "start", "end"} <= set(names):
            raise ValueError(
                "motifs must be rows with the fields motif, start and end, as "
                f"MotifExtractor.locate gives them; they have {names or 'no fields'}."
            )
        if "recording" in names and len(set(motifs["recording"].tolist())) > 1:
            raise ValueError(
                "motifs are of more than one recording. Choose those of this one: "
                "motifs[motifs['recording'] == i]."
            )
        return motifs[(motifs["end"] > begin) & (motifs["start"] < end)]

    def _draw_spectrogram(self, begin: float, end: float, limits: tuple[float, float]) -> Any:
        if self.waveform is None:
            return None
        first = int(begin * self.sample_rate)
        piece = np.asarray(self.waveform)[first : int(np.ceil(end * self.sample_rate)) + 1]
        if len(piece) == 0:
            return None
        values, step, bin_width = _spectrogram(piece, self.sample_rate, limits[1])
        lowest = max(1, int(limits[0] / bin_width) - 1)  # not at 0 Hz, which has no logarithm
        return self.ax_.pcolormesh(
            begin + (np.arange(values.shape[1] + 1) - 0.5) * step,
            (np.arange(lowest, len(values) + 1) - 0.5) * bin_width,
            values[lowest:],
            cmap="Greys",
            vmin=values.max() + _SHADES[0],
            vmax=values.max() + _SHADES[1],
            rasterized=True,  # in a vector picture, a path for each value would be slow to draw
        )

    def _draw_line(self, hertz: np.ndarray | None, style: dict[str, Any]) -> Any:
        if hertz is None:
            return None
        times = np.arange(len(hertz)) * self.hop_length / self.sample_rate
        (line,) = self.ax_.plot(times, np.where(hertz > 0, hertz, np.nan), **style)
        return line

    def _scale_frequencies(self, limits: tuple[float, float], share: float) -> None:
        """Leave a share of the axes' height for motifs, below the lowest frequency."""
        from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

        lowest, highest = limits
        bottom = lowest / (highest / lowest) ** (share / (1 - share))
        self.ax_.set(yscale="log", ylim=(bottom, highest))
        axis = self.ax_.yaxis
        axis.set_major_locator(LogLocator(subs=(1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8)))
        axis.set_minor_locator(NullLocator())
        axis.set_major_formatter(FuncFormatter(lambda hertz, _: f"{hertz:g}"))
        axis.set_ticks([tick for tick in axis.get_ticklocs() if lowest <= tick <= highest])
        if share:
            self.ax_.axhspan(bottom, lowest, color="white", zorder=2.1)  # below the frame
            self.ax_.axhline(lowest, color="black", linewidth=0.8, zorder=2.1)


def plot_contour(
    waveform: Any,
    pitch: Any,
    approximated: Any,
    *,
    motifs: Any = None,
    sample_rate: float = 44100,
    hop_length: int = 256,
    interval: tuple[float, float] | None = None,
    max_rows: int = 8,
    ax: Any = None,
) -> ContourDisplay:
    """Draw pitch and its contour over the spectrogram, and motifs in rows below.

    Parameters
    ----------
    waveform : array-like of shape (n_samples,), or None
        None draws no spectrogram.
    pitch : array-like of shape (n_frames,)
        Hz, 0 where unvoiced.
    approximated : array-like of shape (n_frames,), or None
        The same of its contour, as
        :meth:`~skspeech.preprocessing.ContourApproximator.approximate` gives it. None draws none.
    motifs : structured array or None, default=None
        Of one recording: fields ``motif``, and ``start`` and ``end`` in seconds.
    sample_rate : float, default=44100
        Samples per second of the waveform, Hz.
    hop_length : int, default=256
        Samples from one frame of the pitch to the next.
    interval : (float, float) or None, default=None
        From when to when to draw, seconds. None draws all.
    max_rows : int, default=8
        Rows of motifs at most; occurrences for which there is no room are counted.
    ax : matplotlib Axes or None, default=None
        Where to draw. None makes a new figure.

    Returns
    -------
    ContourDisplay

    Raises
    ------
    MissingExtraError
        If matplotlib is not installed.
    ValueError
        If pitch and contour are not equally long, the interval is none, or motifs are not of one
        recording.

    Examples
    --------
    >>> import numpy as np
    >>> from matplotlib.figure import Figure
    >>> from skspeech.inspection import plot_contour
    >>> from skspeech.preprocessing import ContourApproximator
    >>> pitch = 220 + 30 * np.sin(np.arange(400) / 20)
    >>> approximator = ContourApproximator(method="segments").fit([pitch])
    >>> (approximated,) = approximator.approximate([pitch])
    >>> display = plot_contour(None, pitch, approximated, ax=Figure().subplots())
    >>> [text.get_text() for text in display.ax_.get_legend().get_texts()]
    ['contour', 'pitch']
    """
    return ContourDisplay(
        waveform,
        pitch,
        approximated,
        motifs=motifs,
        sample_rate=sample_rate,
        hop_length=hop_length,
        interval=interval,
        max_rows=max_rows,
    ).plot(ax=ax)


def plot_motifs(
    estimator: Any,
    waveform: Any,
    *,
    interval: tuple[float, float] | None = None,
    max_rows: int = 8,
    ax: Any = None,
) -> ContourDisplay:
    """Draw where a fitted MotifExtractor hears its motifs in a waveform.

    Parameters
    ----------
    estimator : fitted MotifExtractor
        Its contour is drawn if that part has the method ``approximate``.
    waveform : array-like of shape (n_samples,)
    interval : (float, float) or None, default=None
        From when to when to draw, seconds. None draws all.
    max_rows : int, default=8
        Rows of motifs at most; occurrences for which there is no room are counted.
    ax : matplotlib Axes or None, default=None
        Where to draw. None makes a new figure.

    Returns
    -------
    ContourDisplay

    Raises
    ------
    MissingExtraError
        If matplotlib is not installed.
    TypeError
        If the estimator does not locate motifs.

    Examples
    --------
    >>> import numpy as np
    >>> from matplotlib.figure import Figure
    >>> from skspeech.inspection import plot_motifs
    >>> from skspeech.preprocessing import ContourApproximator, MotifExtractor
    >>> notes = [220.0, 262.0, 220.0, 196.0, 220.0, 262.0, 196.0, 0.0]  # Hz, and a pause
    >>> pitch = np.tile(np.repeat(notes, 2400), 4)
    >>> song = np.sin(2 * np.pi * np.cumsum(pitch) / 16000) * (pitch > 0)
    >>> contour = ContourApproximator(sample_rate=16000, hop_length=93, n_levels=3)
    >>> extractor = MotifExtractor(sample_rate=16000, contour=contour).fit([song])
    >>> display = plot_motifs(extractor, song, ax=Figure().subplots())
    >>> len(display.bars_)
    4
    """
    return ContourDisplay.from_estimator(
        estimator, waveform, interval=interval, max_rows=max_rows, ax=ax
    )


def _frequencies(voiced: np.ndarray, sample_rate: float) -> tuple[float, float]:
    """Return from where to where the frequency axis goes, Hz."""
    lowest, highest = np.percentile(voiced, _INNER) if len(voiced) else _WITHOUT_PITCH
    return float(lowest * _AROUND[0]), float(min(highest * _AROUND[1], sample_rate / 2))


def _spectrogram(
    waveform: np.ndarray, sample_rate: float, f_max: float
) -> tuple[np.ndarray, float, float]:
    """Return dB, seconds from one column to the next, and Hz from one bin to the next."""
    from skspeech.preprocessing import LogPowerSpectrogram

    length = max(2, round(_WINDOW * sample_rate))
    n_fft = 4 * 2 ** int(np.ceil(np.log2(length)))  # bins finer than the window tells apart
    hop_length = max(1, length // 8, -(-len(waveform) // _MOST_COLUMNS))
    front_end = LogPowerSpectrogram(
        sample_rate=sample_rate,
        win_length=length,
        hop_length=hop_length,
        n_fft=n_fft,
        f_max=min(f_max + 2 * sample_rate / n_fft, sample_rate / 2),
        window="hann",
    )
    return front_end.transform([waveform])[0], hop_length / sample_rate, sample_rate / n_fft
