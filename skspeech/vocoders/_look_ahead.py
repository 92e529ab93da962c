"""Griffin and Lim's iterations over a few frames at a time, so that sound follows at once."""

from fractions import Fraction

import numpy as np

from skspeech.exceptions import RecordingError
from skspeech.preprocessing._mel import mel_filters
from skspeech.preprocessing._mel_inversion import LOUDEST
from skspeech.vocoders._base import WaveformStream, n_samples_of

__all__ = ["GriffinLimStream"]

# Of the squared windows: where hardly one of them is open, no sound can be told.
_LEAST = 1e-6


class GriffinLimStream(WaveformStream):
    """Real-time iterative spectrogram inversion with look-ahead (Zhu, Beauregard, Wyse 2007).

    The frames before the one that is decided keep their phases; it and the `lookahead` frames
    behind it are iterated over each time that a frame comes. A new frame begins with the phases
    of what the others, overlapping, make of its window.

    Parameters
    ----------
    filters : tuple of (sample_rate, n_fft, f_min, f_max)
        Of the mel bands.
    hop : Fraction
        Samples from one frame to the next.
    n_fft : int
    n_iter : int
        After every frame.
    lookahead : int
        Frames.
    """

    def __init__(
        self,
        *,
        filters: tuple[float, int, float, float],
        hop: Fraction,
        n_fft: int,
        n_iter: int,
        lookahead: int,
    ):
        from scipy.signal import get_window

        # a frame's window reaches beyond its centre: what it hears must all have been decided
        super().__init__(lookahead + -(-(n_fft // 2) // hop))
        self.filters, self.hop, self.n_fft, self.n_iter = filters, hop, n_fft, n_iter
        self.n_ahead = lookahead
        self.window = get_window("hann", n_fft)
        self.inverse = np.zeros((0, 0))
        self.n_frames = 0
        self.magnitudes = np.zeros((0, 1 + n_fft // 2))  # of the frames not decided yet
        self.parts = np.zeros((0, n_fft))  # and what they sound like, under their windows
        # What the decided frames add up to, from the sample `first` on, and their squared windows.
        self.first = -(n_fft // 2)
        self.sums, self.weights = np.zeros(0), np.zeros(0)

    def _push(self, frames: np.ndarray) -> np.ndarray:
        self._check(frames)
        pieces = []
        for powers in np.exp(frames, dtype=np.float64):
            # one by one: a product of two matrices is rounded otherwise than that of one row
            self._begin(np.maximum(powers @ self.inverse, 0))
            self._iterate()
            if len(self.parts) > self.n_ahead:
                pieces.append(self._decide())
        return np.concatenate(pieces, dtype=np.float32) if pieces else np.zeros(0, np.float32)

    def _finish(self) -> np.ndarray:
        pieces = [self._decide() for _ in range(len(self.parts))]
        end = n_samples_of(self.n_frames, self.hop) if self.n_frames else 0
        rest = self._sound()[max(0, -self.first) :]
        pieces.append(rest[: max(0, end - max(0, self.first))])
        return np.concatenate(pieces, dtype=np.float32)

    def _check(self, frames: np.ndarray) -> None:
        if (loudest := frames.max()) > LOUDEST:
            raise RecordingError(
                f"holds {loudest:g}, and the logarithm of a magnitude is below {LOUDEST:g} for "
                "sound in [-1, 1]",
                "Give spectra as MelTargets makes them; standardised ones have to be restored "
                "before.",
            )
        n_mels = frames.shape[1]
        if not self.n_frames:
            sample_rate, n_fft, f_min, f_max = self.filters
            self.inverse = np.linalg.pinv(mel_filters(sample_rate, n_fft, n_mels, f_min, f_max)).T
        elif len(self.inverse) != n_mels:
            raise RecordingError(
                f"has {n_mels} bands in a frame after frames of {len(self.inverse)}",
                "Push the spectra of one recording.",
            )

    def _start(self, frame: int) -> int:
        """Return the first sample under a frame's window."""
        return int(frame * self.hop + Fraction(1, 2)) - self.n_fft // 2

    def _places(self) -> np.ndarray:
        """Return where the windows of the undecided frames begin, counted from `first`."""
        frames = range(self.n_frames - len(self.parts), self.n_frames)
        return np.array([self._start(frame) - self.first for frame in frames])

    def _begin(self, magnitude: np.ndarray) -> None:
        """Let a frame begin with the phases of what the others make of its window."""
        place = self._start(self.n_frames) - self.first
        missing = max(0, place + self.n_fft - len(self.sums))
        self.sums = np.concatenate([self.sums, np.zeros(missing)])
        self.weights = np.concatenate([self.weights, np.zeros(missing)])
        heard = self._sound()[place : place + self.n_fft] * self.window
        self.magnitudes = np.concatenate([self.magnitudes, magnitude[None]])
        self.n_frames += 1
        self.parts = np.concatenate([self.parts, self._fitted(heard[None], magnitude[None])])

    def _iterate(self) -> None:
        places = self._places()
        weights = self._added(self.weights, places, np.square(self.window))
        # only what lies under these windows is heard
        begin, end = places[0], places[-1] + self.n_fft
        weights, sums = np.maximum(weights[begin:end], _LEAST), self.sums[begin:end]
        places = places - begin
        under = places[:, None] + np.arange(self.n_fft)
        for _ in range(self.n_iter):
            sound = self._added(sums, places, self.parts * self.window) / weights
            self.parts = self._fitted(sound[under] * self.window, self.magnitudes)

    def _fitted(self, heard: np.ndarray, magnitudes: np.ndarray) -> np.ndarray:
        """Return frames with the phases of what is heard, and the magnitudes that are wanted."""
        spectra = np.fft.rfft(heard)
        sizes = np.abs(spectra)
        phases = np.where(sizes > 0, spectra, 1) / np.where(sizes > 0, sizes, 1)
        return np.fft.irfft(phases * magnitudes, self.n_fft)

    def _added(self, sums: np.ndarray, places: np.ndarray, parts: np.ndarray) -> np.ndarray:
        """Return sums with a part (or each one's own) added at every place."""
        total = sums.copy()
        parts = np.broadcast_to(parts, (len(places), self.n_fft))
        for place, part in zip(places, parts, strict=True):
            total[place : place + self.n_fft] += part
        return total

    def _sound(self) -> np.ndarray:
        """Return what all frames so far sound like, from the sample `first` on."""
        places = self._places()
        sums = self._added(self.sums, places, self.parts * self.window)
        weights = self._added(self.weights, places, np.square(self.window))
        return sums / np.maximum(weights, _LEAST)

    def _decide(self) -> np.ndarray:
        """Let the oldest frame be as it is, and return the samples that no later one will hear."""
        place = self._places()[:1]
        self.sums = self._added(self.sums, place, self.parts[:1] * self.window)
        self.weights = self._added(self.weights, place, np.square(self.window))
        self.parts, self.magnitudes = self.parts[1:], self.magnitudes[1:]
        n_known = self._start(self.n_frames - len(self.parts)) - self.first
        known = self.sums[:n_known] / np.maximum(self.weights[:n_known], _LEAST)
        before = max(0, -self.first)  # samples before the beginning
        self.first += n_known
        self.sums, self.weights = self.sums[n_known:], self.weights[n_known:]
        return known[before:]
