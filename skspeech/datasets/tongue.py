"""Synthetic silent speech: ultrasound of a tongue that is known, and the speech that it causes.

A contour moves from phone to phone. What it leaves open of the vocal tract gives the resonances,
where it almost closes the tract there is noise, and where it does close it there is silence. The
same contour is drawn as ultrasound shows a tongue. Lips and voice are heard and not seen.
"""

from numbers import Integral, Real
from typing import NamedTuple

import numpy as np
from scipy.interpolate import make_interp_spline
from sklearn.utils import Bunch
from sklearn.utils._param_validation import Interval, validate_params

from skspeech.datasets._files import read_descr
from skspeech.datasets._tongue_images import DEPTH, View, draw
from skspeech.datasets._tongue_shapes import (
    CONSONANTS,
    LABIALS,
    PHONES,
    PLACES,
    REST,
    VOWELS,
    Anatomy,
    Gestures,
    Phone,
    Posture,
    areas,
    formants,
    front_resonance,
    posture,
    walls,
)
from skspeech.datasets._voice import BLOCK_SECONDS, Seed, glottal_pulses, resonate
from skspeech.recordings import object_array

SYLLABLE = 0.22
"""Seconds, on average."""
LEVEL = 0.06
"""Of the voice, root mean square."""


class _Speaker(NamedTuple):
    anatomy: Anatomy
    view: View
    pitch: float  # Hz
    lag: float  # seconds that the tongue needs
    open_quotient: float
    tilt: float  # dB at 3 kHz


@validate_params(
    {
        "n_speakers": [Interval(Integral, 1, None, closed="left")],
        "n_sentences": [Interval(Integral, 1, None, closed="left")],
        "duration": [tuple, list],
        "frame_rate": [Interval(Real, 10, 1000, closed="both")],
        "n_vectors": [Interval(Integral, 2, None, closed="left")],
        "n_pixels": [Interval(Integral, 2, None, closed="left")],
        "sample_rate": [Interval(Integral, 8000, None, closed="left")],
        "speckle": [Interval(Real, 0, 1, closed="both")],
        "snr": [Interval(Real, 0, None, closed="both")],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def make_tongue_ultrasound(
    n_speakers: int = 1,
    n_sentences: int = 12,
    *,
    duration: tuple[float, float] = (1.5, 3.0),
    frame_rate: float = 81.67,
    n_vectors: int = 64,
    n_pixels: int = 256,
    sample_rate: int = 22_050,
    speckle: float = 1.0,
    snr: float = 40.0,
    random_state: int | np.random.RandomState | None = None,
) -> Bunch:
    """Make ultrasound videos of tongues whose contours are known, and the speech they cause.

    Nonsense sentences, such as "latuki", are said by a tongue that is drawn as raw scan lines, as
    a probe under the chin gives them, and heard: the contour's gap to the walls of the mouth
    gives the resonances, noise and silence. The lips, the voice and its pitch are only heard. It
    is like silent speech, it is not: use it to try, test and time estimators, never to report how
    well they do.

    Parameters
    ----------
    n_speakers : int, default=1
        Number of speakers, alternately large and small mouths, low and high voices.
    n_sentences : int, default=12
        Number of sentences, which all speakers say.
    duration : tuple of two floats, default=(1.5, 3.0)
        The shortest and the longest sentence, in seconds; at least 0.5.
    frame_rate : float, default=81.67
        Frames a second, 10 to 1000.
    n_vectors : int, default=64
        Scan lines, from the root of the tongue to its tip.
    n_pixels : int, default=256
        Echoes along each, from the probe to 85 mm away.
    sample_rate : int, default=22050
        Of the audio, in Hz, at least 8000.
    speckle : float, default=1.0
        How grainy the image is: 0 for smooth tissue without noise, 1 for fully developed speckle.
    snr : float, default=40.0
        Level of the speech above the noise of the recording, in dB; ``inf`` for no noise.
    random_state : int, RandomState instance or None, default=None
        The same number makes the same recordings, whatever was drawn before (NumPy's streams may
        change with its version). A recording depends on its speaker and sentence, not on how many
        others are made, and its sound not on how it is drawn. None takes fresh entropy from the
        system; the global random state is neither read nor changed.

    Returns
    -------
    bunch : :class:`~sklearn.utils.Bunch`
        With the attributes, n standing for n_speakers * n_sentences,

        data : ndarray of shape (n,), dtype object
            Each item uint8 of shape (n_frames, n_vectors, n_pixels). Frame i is at sample
            ``i * sample_rate / frame_rate`` of the audio.
        audio : ndarray of shape (n,), dtype object
            Each item a float32 waveform of shape (n_samples,) in [-1, 1], half a frame shorter than
            n_frames: mel spectra centred on the frames are as many as these.
        contours : ndarray of shape (n,), dtype object
            Each item float32 of shape (n_frames, n_vectors): how far the tongue's surface is from
            the probe, in pixels, also where a shadow hides it; pixel k reaches from k to k + 1.
        speakers : ndarray of shape (n,)
            ``"speaker 1"`` and so on.
        sentences : ndarray of shape (n,), dtype int64
            Which sentence it is, 0 to n_sentences - 1: the groups to split by where speakers are on
            both sides.
        texts : ndarray of shape (n,)
            The phones.
        frame_rate, sample_rate : float, int
            As given.
        pixels_per_mm : float
            Along a scan line.
        DESCR : str
            How the recordings are made.

    Raises
    ------
    ValueError
        If a number is out of range.

    References
    ----------
    J. M. Heinz and K. N. Stevens (1965). On the relations between lateral cineradiographs, area
    functions and acoustic spectra of speech. 5th International Congress on Acoustics, A44. (Areas.)

    A. G. Webster (1919). Acoustical impedance, and the theory of horns and of the phonograph.
    Proceedings of the National Academy of Sciences 5(7), 275-282. (Resonances.)

    D. H. Klatt (1980). Software for a cascade/parallel formant synthesizer. Journal of the
    Acoustical Society of America 67(3), 971-995. (Resonators.)

    M. Stone (2005). A guide to analysing tongue motion from ultrasound images. Clinical Linguistics
    & Phonetics 19(6-7), 455-501. (What the images show.)

    Examples
    --------
    >>> from skspeech.datasets import make_tongue_ultrasound
    >>> tongues = make_tongue_ultrasound(n_sentences=2, duration=(0.8, 1.0), random_state=0)
    >>> tongues.data.shape, tongues.data[0].dtype, tongues.data[0].shape[1:]
    ((2,), dtype('uint8'), (64, 256))
    >>> len(tongues.contours[0]) == len(tongues.data[0])
    True
    """
    shortest, longest = _check_duration(duration)
    seed = Seed.draw(random_state)
    speakers = [_draw_speaker(seed.rng(0, i), low=i % 2 == 0) for i in range(n_speakers)]
    texts = [_draw_text(seed.rng(1, j), shortest, longest) for j in range(n_sentences)]
    keys = [(i, j) for i in range(n_speakers) for j in range(n_sentences)]
    videos, waveforms, contours = [], [], []
    for i, j in keys:
        rng, speaker = seed.rng(2, i, j), speakers[i]
        text, seconds = texts[j]
        gestures = _articulate(rng, text, seconds)
        # the last frame is half a hop from the end: no rule of rounding adds or takes one
        n_frames = max(1, round(seconds * frame_rate))
        n_samples = round((n_frames - 0.5) * sample_rate / frame_rate)
        times = np.arange(n_frames) / frame_rate
        contour = _contour(rng, gestures, speaker, times, n_vectors)
        waveforms.append(_speak(seed.rng(3, i, j), gestures, speaker, n_samples, sample_rate, snr))
        videos.append(
            draw(
                seed.rng(4, i, j),
                contour,
                speaker.view,
                n_pixels=n_pixels,
                speckle=speckle,
                frame_rate=frame_rate,
            )
        )
        contours.append((contour * n_pixels / DEPTH).astype(np.float32))
    said = np.array([j for _, j in keys], dtype=np.int64)
    return Bunch(
        data=object_array(videos),
        audio=object_array(waveforms),
        contours=object_array(contours),
        speakers=np.array([f"speaker {i + 1}" for i, _ in keys]),
        sentences=said,
        texts=np.array([text for text, _ in texts])[said],
        frame_rate=frame_rate,
        sample_rate=sample_rate,
        pixels_per_mm=n_pixels / DEPTH,
        DESCR=read_descr("tongue_ultrasound"),
    )


def _check_duration(duration: tuple[float, float]) -> tuple[float, float]:
    if len(duration) != 2 or not all(isinstance(each, Real) for each in duration):
        raise ValueError(
            f"duration is {duration!r}. Give the shortest and the longest, in seconds."
        )
    shortest, longest = (float(seconds) for seconds in duration)
    if not 0.5 <= shortest <= longest < np.inf:
        raise ValueError(
            f"duration is {duration!r}. Give two numbers of seconds, neither below 0.5, the "
            "shorter one first."
        )
    return shortest, longest


def _draw_speaker(rng: np.random.Generator, low: bool) -> _Speaker:
    size = (1.0 if low else 0.9) * np.clip(rng.normal(1.0, 0.03), 0.92, 1.08)
    return _Speaker(
        anatomy=Anatomy(
            tract=(1.0 if low else 0.86) * np.clip(rng.normal(1.0, 0.03), 0.92, 1.08),
            palate=rng.uniform(3.0, 9.0),
            size=size,
            tilt=rng.uniform(-6.0, 6.0),
        ),
        view=View(
            gain=rng.uniform(-3.0, 3.0),
            hyoid=rng.uniform(-0.95, -0.8),
            jaw=rng.uniform(0.8, 0.95),
        ),
        pitch=(115.0 if low else 205.0) * 2 ** rng.normal(0.0, 0.12),
        lag=rng.uniform(0.016, 0.022),
        open_quotient=rng.uniform(0.5, 0.7),
        tilt=rng.uniform(3.0, 10.0),
    )


def _draw_text(rng: np.random.Generator, shortest: float, longest: float) -> tuple[str, float]:
    seconds = rng.uniform(shortest, longest)
    syllables = [
        str(rng.choice(list(CONSONANTS))) + str(rng.choice(list(VOWELS)))
        for _ in range(max(1, round((seconds - 2 * REST.seconds) / SYLLABLE)))
    ]
    return "".join(syllables), seconds


def _articulate(rng: np.random.Generator, text: str, seconds: float) -> Gestures:
    """Say a text in some seconds, from rest to rest; no one aims twice at exactly the same."""
    aims = [PHONES[phone] for phone in text]
    for k, phone in enumerate(text):
        if phone in LABIALS:
            place, height = aims[k + 1].place, aims[k + 1].height
            aims[k] = aims[k]._replace(place=place, height=height)
    phones = [REST, *(_vary(rng, aim) for aim in aims), REST]
    lengths = np.array([phone.seconds for phone in phones])
    lengths *= np.exp(rng.normal(0.0, 0.15, len(lengths)))
    edges = np.concatenate([[0.0], np.cumsum(lengths)]) * seconds / lengths.sum()
    return Gestures(edges[:-1], edges[1:], phones)


def _vary(rng: np.random.Generator, phone: Phone) -> Phone:
    place, height, tip, lips = rng.normal(0.0, [0.03, 0.6, 0.4, 0.12])
    return phone._replace(
        place=phone.place + place,
        height=phone.height + height,
        tip=phone.tip + tip * (phone.tip > 0),
        lips=phone.lips * np.exp(lips),
    )


def _contour(
    rng: np.random.Generator,
    gestures: Gestures,
    speaker: _Speaker,
    times: np.ndarray,
    n_vectors: int,
) -> np.ndarray:
    """Return how far the tongue is from the probe along each scan line, in mm.

    Between sentences the probe slips a little under the chin: it turns, and it is pressed more.
    """
    gap = np.maximum(posture(gestures, times, speaker.lag).gap, 0.0)
    turn, press = rng.normal(0.0, [0.012, 0.4])
    surface = walls(speaker.anatomy) - speaker.anatomy.size * gap - press
    directions = np.linspace(-1.0, 1.0, n_vectors) + turn
    return make_interp_spline(PLACES, surface, axis=1)(np.clip(directions, -1.0, 1.0))


def _speak(
    rng: np.random.Generator,
    gestures: Gestures,
    speaker: _Speaker,
    n_samples: int,
    sample_rate: int,
    snr: float,
) -> np.ndarray:
    """Return what the gestures sound like: float32 of shape (n_samples,), in [-1, 1]."""
    block = round(BLOCK_SECONDS * sample_rate)
    centres = np.arange(0, n_samples, block) + block / 2
    posed = posture(gestures, centres / sample_rate, speaker.lag)
    voicing, frication = _sources(posed)
    samples = np.arange(n_samples)
    position = samples / n_samples
    pulses, _ = glottal_pulses(
        rng,
        _pitch(rng, position, speaker),
        sample_rate,
        open_quotient=speaker.open_quotient,
        tilt=speaker.tilt,
        jitter=0.005,
    )
    n_formants = int(np.clip(sample_rate / 2 / 1100, 3, 7))
    tract = np.minimum(formants(posed, speaker.anatomy, n_formants), 0.48 * sample_rate)
    voice = resonate(np.interp(samples, centres, voicing) * pulses, tract, sample_rate)
    voice /= np.sqrt(np.mean(voice**2)) + 1e-12
    noise = np.interp(samples, centres, frication) * rng.standard_normal(n_samples)
    hiss = _hiss(noise, posed, speaker.anatomy, sample_rate)
    signal = LEVEL * (voice + hiss + 10 ** (-snr / 20) * rng.standard_normal(n_samples))
    return (signal / max(1.0, np.abs(signal).max())).astype(np.float32)


def _sources(posed: Posture) -> tuple[np.ndarray, np.ndarray]:
    """Return the amplitudes of voice and noise, by how far the tongue closes the tract."""
    narrowest = areas(posed.gap).min(axis=1)
    open_enough = np.clip((np.minimum(narrowest, posed.lips) - 0.02) / 0.3, 0.0, 1.0)
    voicing = posed.voiced * open_enough**0.5
    # noise is loudest where the passage is narrow and not shut
    distance = np.log((narrowest + 1e-4) / 0.12) / 0.8
    loudness = 0.8 * np.exp(-0.5 * distance**2) * np.minimum(posed.lips, 1.0)
    return voicing, loudness * (1.0 - 0.8 * posed.voiced)


def _pitch(rng: np.random.Generator, position: np.ndarray, speaker: _Speaker) -> np.ndarray:
    """Return the pitch in Hz: it falls, with a few accents that no tongue shows."""
    centres, heights = rng.uniform(0.1, 0.9, 3), rng.uniform(0.0, 4.0, 3)
    accents = heights * np.exp(-0.5 * ((position[:, None] - centres) / 0.06) ** 2)
    return speaker.pitch * 2 ** ((3.0 * (0.5 - position) + accents.sum(axis=1)) / 12)


def _hiss(noise: np.ndarray, posed: Posture, anatomy: Anatomy, sample_rate: int) -> np.ndarray:
    """Shape noise by the cavity between the narrowest passage and the lips."""
    centre = np.minimum(front_resonance(posed, anatomy), 0.4 * sample_rate)
    return resonate(np.diff(noise, prepend=0.0), centre[:, None], sample_rate, (1000.0,))
