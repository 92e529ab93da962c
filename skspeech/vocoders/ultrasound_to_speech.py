"""The whole way from raw ultrasound of the tongue to speech, as one estimator."""

from collections.abc import Iterable, Iterator
from numbers import Real
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin, _fit_context
from sklearn.utils import Bunch, Tags, check_consistent_length
from sklearn.utils._param_validation import HasMethods, Interval
from sklearn.utils.validation import check_is_fitted

from skspeech.exceptions import RecordingError
from skspeech.metrics import mean_r2
from skspeech.preprocessing.alignment import align_frames
from skspeech.recordings import (
    check_recording,
    features_kept_on_failure,
    object_array,
    validate_recordings,
)
from skspeech.tags import SpeechTags
from skspeech.vocoders._speech_parts import build_parts
from skspeech.vocoders._speech_stream import (
    SpeechStream,
    latency_of,
    pieces_of,
    spectra_by_frame,
)

__all__ = ["UltrasoundToSpeech"]


class UltrasoundToSpeech(RegressorMixin, BaseEstimator):
    """Speech from tongue ultrasound: frames scaled, answered by spectra, and these made sound.

    It learns from raw ultrasound and the speech recorded with it. What it has learned it makes
    audible for a whole recording (:meth:`synthesize`) or while the frames still come
    (:meth:`synthesize_stream`), and both are the same sound.

    Parameters
    ----------
    sample_rate : float, default=22050
        Samples per second of the waveforms, Hz.
    frame_rate : float, default=22050 / 270
        Frames per second of the ultrasound, Hz.
    scaler : transformer of videos, or None, default=None
        From the device's frames to those that the regressor reads, each by itself. None is
        :class:`~skspeech.preprocessing.UltrasoundScaler`, 128 x 64 pixels.
    targets : transformer from waveforms to frame targets, or None, default=None
        The spectra that are learned. None is :class:`~skspeech.preprocessing.MelTargets` at these
        two rates.
    regressor : regressor from videos to frame targets, or None, default=None
        None is :class:`~skspeech.models.Conv3DConvLSTMRegressor`, the paper's best.
    vocoder : transformer from frame targets to waveforms, or None, default=None
        None is ``GriffinLimVocoder(lookahead=3, n_iter=8)`` at these rates, for the spectra of
        `targets`: it needs no weights, and decides while frames come. One that learns, such as
        :class:`~skspeech.vocoders.WaveGlowVocoder` without a file of weights, does so from the
        recorded spectra.
    random_state : int, RandomState instance or None, default=None
        Of a regressor and a vocoder that are None here; those that are given have their own.

    Attributes
    ----------
    scaler_, targets_, regressor_, vocoder_ : estimators
        The parts, fitted.

    Notes
    -----
    Of a regressor that streams, as those of skspeech do, spectra are computed frame by frame in
    every method, so that a stream's are the same to the last bit. It takes up to twice as long as
    ``regressor_.predict``, whose sums are rounded otherwise: in the seventh digit, but to a vocoder
    that looks for phases that is enough for another sound, as good and not the same. On another
    machine or number of threads the sound may differ as well.

    References
    ----------
    A. H. Shandiz and L. Tóth, "Improved processing of ultrasound tongue videos by combining
    ConvLSTM and 3D convolutional networks", 2022. Its vocoder is WaveGlow.

    Examples
    --------
    >>> import numpy as np
    >>> from skspeech.datasets import make_tongue_ultrasound
    >>> from skspeech.models import Conv3DRegressor
    >>> from skspeech.preprocessing import UltrasoundScaler
    >>> from skspeech.vocoders import UltrasoundToSpeech
    >>> tongues = make_tongue_ultrasound(n_sentences=2, duration=(0.5, 0.6), random_state=0)
    >>> chain = UltrasoundToSpeech(
    ...     frame_rate=tongues.frame_rate,
    ...     scaler=UltrasoundScaler(height=16, width=8),
    ...     regressor=Conv3DRegressor(n_maps=(4, 4), max_epochs=1, random_state=0),
    ... ).fit(tongues.data, tongues.audio)
    >>> sound = chain.synthesize(tongues.data[0])
    >>> frame_by_frame = chain.synthesize_stream(iter(tongues.data[0]))
    >>> bool(np.array_equal(np.concatenate(list(frame_by_frame)), sound))
    True
    """

    __metadata_request__fit = {"groups": True}
    _parameter_constraints: dict = {
        "sample_rate": [Interval(Real, 0, None, closed="neither")],
        "frame_rate": [Interval(Real, 0, None, closed="neither")],
        "scaler": [HasMethods(["fit", "transform"]), None],
        "targets": [HasMethods(["fit", "transform"]), None],
        "regressor": [HasMethods(["fit", "predict"]), None],
        "vocoder": [HasMethods(["fit", "transform"]), None],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        *,
        sample_rate: float = 22050,
        frame_rate: float = 22050 / 270,
        scaler: Any = None,
        targets: Any = None,
        regressor: Any = None,
        vocoder: Any = None,
        random_state: Any = None,
    ):
        self.sample_rate = sample_rate
        self.frame_rate = frame_rate
        self.scaler = scaler
        self.targets = targets
        self.regressor = regressor
        self.vocoder = vocoder
        self.random_state = random_state

    def __speech_tags__(self) -> SpeechTags:
        return SpeechTags(input_kind="video", output_kind="waveform")

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False  # a table of numbers is no video
        tags.input_tags.three_d_array = True
        return tags

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X: Any, y: Any, groups: Any = None) -> "UltrasoundToSpeech":
        """Train the regressor, and the vocoder where it learns.

        Parameters
        ----------
        X : collection of n videos
            Raw ultrasound (n_frames, n_vectors, n_pixels), as the device stores it. A
            RecordingSequence is read recording by recording, in each epoch anew.
        y : collection of n waveforms
            The speech recorded with it, of the same time, up to two frames.
        groups : array-like of shape (n,) or None, default=None
            Speakers, for the regressor's validation part.

        Returns
        -------
        self

        Raises
        ------
        RecordingError
            Names the recording that cannot be used, or is longer or shorter than its speech.
        ValueError
            If parts do not agree on a rate, or a waveform cannot be used.
        """
        with features_kept_on_failure(self):
            recordings = validate_recordings(self, X, reset=True)
            parts = build_parts(self)
            wanted = _wanted(parts.targets.fit_transform, recordings, y)
            scaler = parts.scaler.fit(recordings)
            videos, frames = align_frames(scaler.transform(recordings), wanted)
            # not every regressor takes groups
            known = {} if groups is None else {"groups": groups}
            regressor = parts.regressor.fit(videos, frames, **known)
            vocoder = parts.vocoder.fit(wanted, y)
        self.scaler_, self.targets_ = scaler, parts.targets
        self.regressor_, self.vocoder_ = regressor, vocoder
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Return the speech of each recording.

        Parameters
        ----------
        X : collection of n videos
            Raw, as for ``fit``.

        Returns
        -------
        1-D object array of n ndarrays of float32, shape (n_samples,)
            As long as the frames: a sample less than ``n_frames * sample_rate / frame_rate``. It
            depends on its recording alone.

        Raises
        ------
        RecordingError
            Names the recording that cannot be used, and the mend.
        """
        spectra = self.spectra(X)
        return object_array(self.vocoder_.transform(spectra))

    def spectra(self, X: Any) -> np.ndarray:
        """Return the spectra that the regressor answers, of which `predict` makes sound.

        Parameters
        ----------
        X : collection of n videos
            Raw, as for ``fit``.

        Returns
        -------
        1-D object array of n ndarrays of float32, shape (n_frames, n_outputs)
        """
        check_is_fitted(self)
        recordings = validate_recordings(self, X, reset=False)
        return object_array([self._spectra(recordings[i], i) for i in range(len(recordings))])

    def _spectra(self, video: np.ndarray, index: int) -> np.ndarray:
        try:
            answers = self._begun("regressor")
        except ValueError:  # it needs whole recordings
            answers = None
        try:
            if answers is None:
                return self.regressor_.predict(self.scaler_.transform([video]))[0]
            return spectra_by_frame(self.scaler_, answers, video)
        except RecordingError as error:
            raise error.at(index) from None

    def score(self, X: Any, y: Any) -> float:
        """Return the mean R2 of the spectra, the mean over the outputs (1 is best).

        Parameters
        ----------
        X : collection of n videos
        y : collection of n waveforms

        Returns
        -------
        float
            Over all frames, against the spectra of the waveforms: phases, which a vocoder
            makes up, do not count.
        """
        answers = self.spectra(X)
        answers, wanted = align_frames(answers, _wanted(self.targets_.transform, answers, y))
        return mean_r2(wanted, answers)

    def synthesize(self, recording: Any) -> np.ndarray:
        """Return the speech of one recording.

        Parameters
        ----------
        recording : array-like of shape (n_frames, n_vectors, n_pixels)
            Raw ultrasound.

        Returns
        -------
        ndarray of float32, shape (n_samples,)
        """
        return self.predict([recording])[0]

    def stream(self) -> SpeechStream:
        """Begin a recording whose frames come a few at a time.

        Returns
        -------
        SpeechStream
            ``push(frames)`` and ``finish()`` return, piece by piece, what ``synthesize`` makes of
            the whole recording. Its ``lookahead`` says by how many frames the sound comes later
            than they do, and ``delay`` in seconds: by default 17 and 0.21, the 12 frames
            behind the middle of a window and 5 of the vocoder.

        Raises
        ------
        ValueError
            If the regressor or the vocoder needs whole recordings.
        """
        check_is_fitted(self)
        answers, sounds = self._begun("regressor"), self._begun("vocoder")
        return SpeechStream(self.scaler_, answers, sounds, self.frame_rate)

    def _begun(self, role: str) -> Any:
        part = getattr(self, f"{role}_")
        name = f"The {role} {type(part).__name__}"
        if not hasattr(part, "stream"):
            raise ValueError(
                f"{name} has no stream(): it needs whole recordings. `synthesize` does with it; "
                "the regressors and vocoders of skspeech stream."
            )
        try:
            return part.stream()
        except ValueError as error:
            raise ValueError(f"{name} cannot stream. {error}") from error

    def synthesize_stream(self, frames: Iterable[Any]) -> Iterator[np.ndarray]:
        """Return the speech of one recording while its frames still come.

        Parameters
        ----------
        frames : iterable of array-like of shape (n_vectors, n_pixels)
            Raw ultrasound, frame by frame; a video is one as well.

        Yields
        ------
        ndarray of float32, shape (n_samples,)
            What has become known by a frame, if anything; when the frames end, the rest. The
            pieces together are what ``synthesize`` makes of all frames.

        Raises
        ------
        ValueError
            If the regressor or the vocoder needs whole recordings.
        """
        return pieces_of(self.stream(), frames)

    def latency(self, recording: Any) -> Bunch:
        """Measure how long each frame of a stream takes on one CPU thread.

        Parameters
        ----------
        recording : array-like of shape (n_frames, n_vectors, n_pixels)
            Raw ultrasound.

        Returns
        -------
        Bunch
            All in seconds: ``seconds`` (n_frames,), of each frame from its coming to the sound
            that it makes known; their ``median``, ``percentile_95`` and ``maximum``; and
            ``allowed``, the time until the next frame: 0.0122 by default.

        Notes
        -----
        It is time by the clock: other programs at work count. A short recording is synthesized
        before, so that what is loaded and planned once does not count. Meanwhile the whole process
        has one thread. What a network computes on a GPU it computes there.
        """
        import torch
        from threadpoolctl import threadpool_limits

        stream = self.stream()
        video = check_recording(recording, kind="video", reader=type(self).__name__)
        n_threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            with threadpool_limits(1):
                self.synthesize(video[:1])
                seconds = latency_of(stream, video)
        finally:
            torch.set_num_threads(n_threads)
        return Bunch(
            seconds=seconds,
            median=float(np.median(seconds)),
            percentile_95=float(np.percentile(seconds, 95)),
            maximum=float(seconds.max()),
            allowed=1 / self.frame_rate,
        )


def _wanted(to_spectra: Any, recordings: Any, y: Any) -> Any:
    """Return the spectra of the waveforms; an error in one names it as what it is."""
    if y is None:
        raise ValueError(
            "UltrasoundToSpeech requires y to be passed, but the target y is None. Give the "
            "waveforms that were recorded with the videos."
        )
    check_consistent_length(recordings, y)
    try:
        return to_spectra(y)
    except RecordingError as error:
        raise ValueError(f"y[{error.index}] {error.problem}. {error.mend}") from error
