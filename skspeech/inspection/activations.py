"""What the units of a network's recurrent layer answer while it reads a recording."""

from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline
from sklearn.utils import Bunch
from sklearn.utils.validation import check_is_fitted

from skspeech.inspection._extras import BLUE, ORANGE, axes_or_new, check_extra
from skspeech.inspection._listener import Listener, measure_steps, spans_of
from skspeech.recordings import KINDS, validate_recordings
from skspeech.tags import get_speech_tags

__all__ = ["RecurrentActivationsDisplay", "plot_recurrent_activations", "recurrent_activations"]


def recurrent_activations(estimator: Any, recording: Any) -> Bunch:
    """Return what each unit of the recurrent layer answers at each step of a recording.

    Ma et al. (2018, section 5.2, Figures 3 and 4) look at networks in this way. The layer is the
    last :class:`~skspeech.layers.MaskedRecurrent` that runs when the network answers; of layers
    stacked in it, the topmost. The network is a copy of the fitted one in evaluation mode, on the
    same device and in the same precision, and reads the recording alone.

    Parameters
    ----------
    estimator : fitted network, Pipeline that ends in one, or fitted search over these
        The steps before the network transform the recording, as in ``predict``.
    recording : array, path or bag
        One recording, as one ``X[i]`` of ``predict``.

    Returns
    -------
    result : :class:`~sklearn.utils.Bunch`
        activations : ndarray of float32, shape (n_units, n_steps)
            Of LSTM and GRU, from -1 to 1. The units that read forwards come first, then those
            that read backwards.
        n_forward_units : int
            How many of them read forwards.
        times : ndarray of float64, shape (n_steps,)
            The centre of what a step stands for; see the notes.
        spans : ndarray of float64, shape (n_steps, 2)
            Its beginning and end.
        borders : ndarray of float64, shape (n_segments - 1,)
            Where the next segment of a bag begins; empty for a recording that is no bag.
        unit : {"s", "frame", "sample"}
            Of times, spans and borders. "s" where a step of a pipeline has the ``sample_rate``
            and, before a network that does not read waveforms, the ``hop_length`` of what the
            network reads; else its frames or samples.

    Raises
    ------
    TypeError
        If the estimator does not end in a network of skspeech's kind, or that runs no
        MaskedRecurrent.
    NotFittedError
        If it is not fitted.
    RecordingError
        If the recording cannot be used.
    ValueError
        If the recurrent layer reads a recording in several rows, which have no common time, or a
        search was fitted with ``refit=False``.

    Notes
    -----
    Frame i of what the network reads is centred on time i, or on ``i * hop_length / sample_rate``
    seconds, and sample i on time i. How many frames a step stands for is measured: shorter
    recordings, of zeros, show with how many frames the network reaches its first step (`first`)
    and with how many more each further one (`stride`). Step j stands for the `stride` frames in
    the middle of those from ``j * stride`` on that it needs, which are `first` frames, or
    `stride` where that is more; none reach beyond the end. Where the number of steps
    follows no such law, the steps share the frames evenly. Convolutions with "same" padding look
    further on both sides, which moves the centre of what is heard by less than a step. Frames that
    make up no full step, as the rest that a pool drops, belong to none. A recording shorter than
    the network's least length counts as that long.

    Segments of a bag follow each other in time, each as long as the network reads it: zeros that
    :class:`~skspeech.preprocessing.FixedDuration` put behind a piece count.

    Examples
    --------
    >>> from sklearn.pipeline import make_pipeline
    >>> from skspeech.datasets import load_voice_prompts
    >>> from skspeech.inspection import recurrent_activations
    >>> from skspeech.models import CNNLSTM2DClassifier
    >>> from skspeech.preprocessing import LogMelSpectrogram
    >>> prompts = load_voice_prompts()
    >>> front_end = LogMelSpectrogram(sample_rate=8000, n_fft=512, hop_length=80, n_mels=32)
    >>> network = CNNLSTM2DClassifier(n_maps=(4, 4), pool_sizes=(2, 4), lstm_units=6, max_epochs=1)
    >>> model = make_pipeline(front_end, network).fit(prompts.data[:8], prompts.target[:8])
    >>> result = recurrent_activations(model, prompts.data[0])
    >>> result.activations.shape, result.times[:3].round(3), result.unit
    ((6, 21), array([0.035, 0.115, 0.195]), 's')
    """
    steps = _steps_of(estimator)
    network = _check_network(steps[-1] if steps else None, estimator)
    recordings: Any = [recording]
    for step in steps[:-1]:
        recordings = step.transform(recordings)
    listener = Listener(network)
    segments = listener.segments(validate_recordings(network, recordings, reset=False)[0])
    heard = [listener.listen(segment) for segment in segments]
    lengths = [max(listener.least, segment.shape[-1]) for segment in segments]
    law = measure_steps(listener.n_steps, listener.least, max(lengths))
    starts = np.cumsum([0, *lengths[:-1]])
    in_frames = [
        start + spans_of(length, activations.shape[1], law)
        for start, length, activations in zip(starts, lengths, heard, strict=True)
    ]
    frame, unit = _frame(network, steps[:-1])
    spans = (np.concatenate(in_frames) - 0.5) * frame  # frame i reaches from i - 0.5 to i + 0.5
    return Bunch(
        activations=np.concatenate(heard, axis=1),
        n_forward_units=len(heard[0]) // listener.n_directions,
        times=spans.mean(axis=1),
        spans=spans,
        borders=(starts[1:] - 0.5) * frame,
        unit=unit,
    )


class RecurrentActivationsDisplay:
    """The activations of a recurrent layer: time to the right, a row a unit, darker is higher.

    The greys reach from -1 to 1, the range of LSTM and GRU, so that pictures side by side can be
    compared. Where they show too little, ``mesh_.set_clim`` sets other ends. A line parts the
    units that read forwards, above, from those that read backwards; broken lines part the
    segments of a bag. Frames between two of them that belong to no step are hatched.

    Make one with :func:`plot_recurrent_activations` or :meth:`from_estimator`.

    Parameters
    ----------
    result : Bunch
        As :func:`recurrent_activations` returns it.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    mesh_ : matplotlib QuadMesh

    Examples
    --------
    >>> import numpy as np
    >>> from matplotlib.figure import Figure
    >>> from sklearn.utils import Bunch
    >>> from skspeech.inspection import RecurrentActivationsDisplay
    >>> result = Bunch(
    ...     activations=np.zeros((4, 2)), n_forward_units=4, unit="s", borders=np.array([]),
    ...     times=np.array([0.5, 1.5]), spans=np.array([[0.0, 1.0], [1.0, 2.0]]),
    ... )
    >>> display = RecurrentActivationsDisplay(result).plot(ax=Figure().subplots())
    >>> display.ax_.get_xlabel(), display.ax_.get_ylabel()
    ('time (s)', 'unit')
    """

    def __init__(self, result: Bunch):
        self.result = result

    @classmethod
    def from_estimator(
        cls, estimator: Any, recording: Any, *, ax: Any = None
    ) -> "RecurrentActivationsDisplay":
        """Let a fitted network read a recording, and draw what its recurrent layer answers.

        Parameters
        ----------
        estimator : fitted network, Pipeline that ends in one, or fitted search over these
        recording : array, path or bag
            One recording, as one ``X[i]`` of ``predict``.
        ax : matplotlib Axes or None, default=None
            Where to draw. None makes a new figure.

        Returns
        -------
        RecurrentActivationsDisplay
        """
        check_extra("matplotlib", f"{cls.__name__}.from_estimator")
        return cls(recurrent_activations(estimator, recording)).plot(ax=ax)

    def plot(self, *, ax: Any = None) -> "RecurrentActivationsDisplay":
        """Draw it.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            Where to draw. None makes a new figure.

        Returns
        -------
        RecurrentActivationsDisplay
            Itself.

        Raises
        ------
        MissingExtraError
            If matplotlib is not installed.
        """
        check_extra("matplotlib", f"{type(self).__name__}.plot")
        self.ax_ = axes_or_new(ax)
        self.figure_ = self.ax_.figure
        n_units = len(self.result.activations)
        edges, values = _cells(self.result.spans, self.result.activations)
        self.mesh_ = self.ax_.pcolormesh(
            edges,
            np.arange(n_units + 1) - 0.5,
            values,
            cmap="Greys",
            vmin=-1.0,
            vmax=1.0,
            rasterized=True,  # in a vector picture, a path for each value would be slow to draw
        )
        for border in self.result.borders:
            self.ax_.axvline(border, color=BLUE, linestyle="--", linewidth=1.0)
        self.ax_.patch.set(hatch="////", edgecolor="0.7")  # where the mesh leaves a gap
        self._label()
        return self

    def _label(self) -> None:
        from matplotlib.ticker import MaxNLocator

        unit, n_forward = self.result.unit, self.result.n_forward_units
        self.ax_.set(xlabel="time (s)" if unit == "s" else unit, ylabel="unit")
        if n_forward < len(self.result.activations):
            self.ax_.axhline(n_forward - 0.5, color=ORANGE, linewidth=1.5)
            self.ax_.set_ylabel("unit (backward | forward)")  # it reads upwards
        self.ax_.yaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        self.ax_.set_ylim(len(self.result.activations) - 0.5, -0.5)
        self.figure_.colorbar(self.mesh_, ax=self.ax_, label="activation")


def plot_recurrent_activations(
    estimator: Any, recording: Any, *, ax: Any = None
) -> RecurrentActivationsDisplay:
    """Draw what the units of a fitted network's recurrent layer answer to a recording.

    Parameters
    ----------
    estimator : fitted network, Pipeline that ends in one, or fitted search over these
        The steps before the network transform the recording, as in ``predict``.
    recording : array, path or bag
        One recording, as one ``X[i]`` of ``predict``.
    ax : matplotlib Axes or None, default=None
        Where to draw. None makes a new figure.

    Returns
    -------
    RecurrentActivationsDisplay

    Raises
    ------
    MissingExtraError
        If matplotlib is not installed.
    TypeError, ValueError
        As :func:`recurrent_activations`.

    Examples
    --------
    >>> import numpy as np
    >>> from matplotlib.figure import Figure
    >>> from skspeech.inspection import plot_recurrent_activations
    >>> from skspeech.models import CNNLSTM2DClassifier
    >>> X, y = np.random.default_rng(0).normal(size=(8, 16, 64)), [0, 1] * 4
    >>> network = CNNLSTM2DClassifier(n_maps=(4, 4), pool_sizes=(2, 4), lstm_units=6, max_epochs=1)
    >>> ax = Figure().subplots()
    >>> plot_recurrent_activations(network.fit(X, y), X[0], ax=ax).ax_.get_xlabel()
    'frame'
    """
    return RecurrentActivationsDisplay.from_estimator(estimator, recording, ax=ax)


def _steps_of(estimator: Any) -> list[Any]:
    """Return the estimators that a recording passes through, whatever they are wrapped into."""
    if isinstance(estimator, Pipeline):
        return [part for _, step in estimator.steps for part in _steps_of(step)]
    if estimator is None or isinstance(estimator, str):  # "passthrough"
        return []
    if hasattr(estimator, "estimator") and hasattr(estimator, "refit"):  # a search
        if hasattr(estimator, "cv_results_") and not hasattr(estimator, "best_estimator_"):
            raise ValueError("The search has no best_estimator_. Fit it with refit=True.")
        check_is_fitted(estimator, "best_estimator_")
        return _steps_of(estimator.best_estimator_)
    return [estimator]


def _check_network(network: Any, estimator: Any) -> Any:
    from skspeech.base import NetworkClassifier

    if not isinstance(network, NetworkClassifier):
        found = type(estimator).__name__
        if network is not estimator:
            found += f" that ends in {type(network).__name__}"
        raise TypeError(
            f"{found} has no recurrent layer to look at. Give a fitted network, a subclass of "
            "skspeech.base.NetworkClassifier, or a Pipeline that ends in one."
        )
    check_is_fitted(network, "net_")
    return network


def _frame(network: Any, front_end: list[Any]) -> tuple[float, str]:
    """Return how long a frame of what the network reads is, and in which unit."""
    kind = get_speech_tags(network).input_kind
    for step in reversed(front_end):
        rate = getattr(step, "sample_rate", None)
        hop_length = 1 if kind == "waveform" else getattr(step, "hop_length", None)
        if rate and hop_length:
            return hop_length / rate, "s"
    return 1.0, KINDS[kind][0][-1]


def _cells(spans: np.ndarray, activations: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the edges and the values of the columns; one of NaN where there is a gap in time."""
    begins, ends = spans.T
    gaps = 1 + np.flatnonzero(begins[1:] - ends[:-1] > 1e-6 * (ends[:-1] - begins[:-1]))
    edges = np.append(np.insert(begins, gaps, ends[gaps - 1]), ends[-1])
    return edges, np.insert(activations, gaps, np.nan, axis=1)
