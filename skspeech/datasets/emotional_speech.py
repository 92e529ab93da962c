"""Synthetic emotional speech: nonsense sentences from a source-filter synthesiser.

Glottal pulses and noise pass through formant resonators whose frequencies move from phone to phone
(the cascade of Klatt 1980, without its parallel branch). A speaker sets the length of the vocal
tract, the pitch and the habits of the voice; an emotion shifts pitch, tempo, loudness and voice
quality in the directions that Murray and Arnott (1993) and Scherer (2003) report. Where those
give a direction only, the size of the shift is our choice.
"""

from numbers import Integral
from typing import NamedTuple

import numpy as np
from scipy.signal import lfilter
from sklearn.utils import Bunch
from sklearn.utils._param_validation import Interval, validate_params

from skspeech.datasets._files import read_descr
from skspeech.datasets._voice import (
    BLOCK_SECONDS,
    SONORANTS,
    VOWEL_FORMANTS,
    Seed,
    all_formants,
    glottal_pulses,
    resonate,
    trajectory,
)
from skspeech.recordings import object_array


class _Segment(NamedTuple):
    """A stretch of a phone in which the vocal tract aims at one posture."""

    seconds: float  # at a neutral tempo
    formants: tuple[float, float, float]  # Hz, of a man's vocal tract
    voicing: float = 0.0  # amplitudes of the three sources, an open vowel's voicing being 1
    aspiration: float = 0.0
    frication: float = 0.0
    noise_centre: float = 4000.0  # Hz
    noise_bandwidth: float = 2000.0  # Hz


def _vowel(f1: float, f2: float, f3: float) -> tuple[_Segment, ...]:
    return (_Segment(0.12, (f1, f2, f3), voicing=1.0),)


def _sonorant(f1: float, f2: float, f3: float, voicing: float) -> tuple[_Segment, ...]:
    return (_Segment(0.065, (f1, f2, f3), voicing=voicing),)


def _stop(f1: float, f2: float, f3: float, centre: float) -> tuple[_Segment, ...]:
    locus = (f1, f2, f3)
    return (
        _Segment(0.05, locus),
        _Segment(0.012, locus, frication=0.5, noise_centre=centre, noise_bandwidth=1500.0),
        _Segment(0.03, locus, aspiration=0.25),
    )


VOWELS = {vowel: _vowel(*formants) for vowel, formants in VOWEL_FORMANTS.items()}

# Formants after Klatt (1980); amplitudes and durations are our choice.
CONSONANTS = {
    **{consonant: _sonorant(*formants) for consonant, formants in SONORANTS.items()},
    "p": _stop(400, 1100, 2150, 900.0),
    "t": _stop(400, 1600, 2600, 4500.0),
    "k": _stop(300, 1990, 2850, 2200.0),
    "s": (
        _Segment(
            0.1, (320, 1390, 2530), frication=0.3, noise_centre=6000.0, noise_bandwidth=1200.0
        ),
    ),
    "ʃ": (
        _Segment(0.1, (300, 1840, 2750), frication=0.3, noise_centre=3000.0, noise_bandwidth=800.0),
    ),
    "f": (_Segment(0.09, (340, 1100, 2080), frication=0.08, noise_bandwidth=6000.0),),
}

SCHWA = (500.0, 1500.0, 2500.0)
SILENCE = _Segment(0.15, SCHWA)
CODAS = ("m", "n", "l", "s")
_PHONES = {**VOWELS, **CONSONANTS, " ": (SILENCE,)}


class _Style(NamedTuple):
    """How an utterance is said."""

    pitch: float  # semitones from the speaker's own
    pitch_range: float  # factor on every pitch movement
    final_pitch: float  # semitones reached at the end of the utterance
    duration: float  # factor
    level: float  # dB
    tilt: float  # dB lost at 3 kHz
    open_quotient: float  # part of the cycle in which the glottis is open
    breathiness: float  # amplitude of aspiration beside voicing
    jitter: float  # standard deviation of the period, relative
    tremor: float  # semitones
    precision: float  # how far a vowel moves from schwa towards its target


# Directions after Murray and Arnott (1993) and, for boredom, Scherer (2003); sizes are our choice.
EMOTIONS = {
    "anger": _Style(3.0, 1.6, -3.0, 0.9, 5.0, 5.0, 0.50, 0.05, 0.012, 0.0, 1.1),
    "boredom": _Style(-1.5, 0.45, -1.5, 1.15, -2.0, 13.0, 0.66, 0.06, 0.006, 0.0, 0.75),
    "disgust": _Style(-1.5, 1.1, -4.0, 1.2, -1.0, 9.0, 0.52, 0.05, 0.016, 0.0, 0.95),
    "fear": _Style(5.0, 0.9, 1.0, 0.82, 0.0, 9.0, 0.62, 0.10, 0.025, 0.5, 0.95),
    "happiness": _Style(3.5, 1.7, 1.5, 0.94, 3.0, 7.0, 0.60, 0.09, 0.008, 0.0, 1.05),
    "neutral": _Style(0.0, 1.0, -3.0, 1.0, 0.0, 10.0, 0.60, 0.05, 0.007, 0.0, 1.0),
    "sadness": _Style(-1.0, 0.5, -2.5, 1.22, -4.0, 16.0, 0.72, 0.16, 0.012, 0.2, 0.8),
}
_NEUTRAL = np.array(EMOTIONS["neutral"])

# Spread between utterances of one emotion, and between speakers: our choice, set so that emotions
# overlap as acted ones do.
_UTTERANCE_SPREAD = np.array([0.8, 0.15, 0.8, 0.05, 1.2, 1.2, 0.03, 0.02, 0.002, 0.05, 0.05])
_SPEAKER_SPREAD = np.array([0.0, 0.15, 0.7, 0.07, 2.0, 1.5, 0.03, 0.02, 0.003, 0.05, 0.05])
_LOWEST = _Style(-12.0, 0.1, -8.0, 0.5, -20.0, 1.0, 0.35, 0.01, 0.001, 0.0, 0.5)
_HIGHEST = _Style(12.0, 3.0, 6.0, 2.0, 12.0, 30.0, 0.9, 0.4, 0.05, 1.5, 1.2)


class _Speaker(NamedTuple):
    pitch: float  # Hz
    tract: float  # factor on every formant; a woman's tract is shorter, her formants higher
    expressiveness: float  # factor on what sets an emotion apart from neutral
    habits: np.ndarray  # offset to every entry of a _Style


class _Sentence(NamedTuple):
    phones: str
    seconds: float  # at a neutral tempo
    accents: np.ndarray  # semitones, a vowel


class _Tracks(NamedTuple):
    """What the synthesiser is told for every sample, and for every block of samples."""

    f0: np.ndarray  # (n_samples,), Hz
    sources: np.ndarray  # (3, n_samples): voicing, aspiration, frication
    formants: np.ndarray  # (n_blocks, n_formants), Hz
    fricatives: list[tuple[int, int, _Segment]]  # first and last sample, segment


@validate_params(
    {
        "n_speakers": [Interval(Integral, 1, None, closed="left")],
        "n_utterances": [Interval(Integral, 1, None, closed="left")],
        "emotions": ["array-like"],
        "duration": [tuple, list],
        "sample_rate": [Interval(Integral, 8000, None, closed="left")],
        "random_state": ["random_state"],
        "return_X_y": ["boolean"],
    },
    prefer_skip_nested_validation=True,
)
def make_emotional_speech(
    n_speakers: int = 8,
    n_utterances: int = 4,
    *,
    emotions: tuple[str, ...] = ("anger", "boredom", "happiness", "neutral", "sadness"),
    duration: tuple[float, float] = (0.8, 3.0),
    sample_rate: int = 16_000,
    random_state: int | np.random.RandomState | None = None,
    return_X_y: bool = False,
) -> Bunch | tuple[np.ndarray, np.ndarray]:
    """Make nonsense sentences that several speakers say in several emotions.

    Every speaker says every sentence once in every emotion, as in corpora of acted emotion, so that
    neither the words nor the speaker give the emotion away. The signal is speech-like, not speech:
    use it to try, test and time estimators, never to report how well they do.

    Parameters
    ----------
    n_speakers : int, default=8
        Number of speakers, alternately low (about 115 Hz) and high voices (about 205 Hz).
    n_utterances : int, default=4
        Number of utterances of each speaker in each emotion, one a sentence.
    emotions : sequence of str, default=("anger", "boredom", "happiness", "neutral", "sadness")
        The classes: any of these, "disgust" and "fear".
    duration : (float, float), default=(0.8, 3.0)
        Shortest and longest utterance, in seconds; at least 0.3.
    sample_rate : int, default=16000
        In Hz, at least 8000.
    random_state : int, RandomState instance or None, default=None
        The same number makes the same recordings, whatever was drawn before (NumPy's streams may
        change with its version). A recording depends on its speaker, emotion and sentence, not on
        how many others are made. None takes fresh entropy from the system; the global random state
        is neither read nor changed.
    return_X_y : bool, default=False
        Return ``(data, target)`` in place of the whole bunch.

    Returns
    -------
    bunch : :class:`~sklearn.utils.Bunch`
        With the attributes, n standing for n_speakers * len(emotions) * n_utterances,

        data : ndarray of shape (n,), dtype object
            Each item a float32 waveform of shape (n_samples,) in [-1, 1].
        target : ndarray of shape (n,), dtype int64
            The emotion, as an index into `target_names`.
        target_names : ndarray of shape (n_emotions,)
            The emotions, in the order given.
        speakers : ndarray of shape (n,)
            ``"speaker 1"`` and so on: the groups to split by.
        sentences : ndarray of shape (n,), dtype int64
            Which sentence is said, 0 to n_utterances - 1.
        texts : ndarray of shape (n,)
            The sentence in the International Phonetic Alphabet; a space is a pause.
        sample_rate : int
            As given, in Hz.
        DESCR : str
            How the recordings are made.

    (data, target) : tuple of ndarray
        If `return_X_y` is true.

    Raises
    ------
    ValueError
        If a number is out of range, an emotion is unknown, named twice, or none is named.
    TypeError
        If `duration` holds something other than numbers.

    References
    ----------
    G. E. Peterson and H. L. Barney (1952). Control methods used in a study of the vowels. Journal
    of the Acoustical Society of America 24(2), 175-184. (Vowel formants.)

    A. E. Rosenberg (1971). Effect of glottal pulse shape on the quality of natural vowels. Journal
    of the Acoustical Society of America 49(2B), 583-590. (Glottal pulse.)

    D. H. Klatt (1980). Software for a cascade/parallel formant synthesizer. Journal of the
    Acoustical Society of America 67(3), 971-995. (Resonators, formants of consonants.)

    I. R. Murray and J. L. Arnott (1993). Toward the simulation of emotion in synthetic speech.
    Journal of the Acoustical Society of America 93(2), 1097-1108. (Emotions.)

    K. R. Scherer (2003). Vocal communication of emotion: a review of research paradigms. Speech
    Communication 40(1-2), 227-256. (Emotions.)

    Examples
    --------
    >>> from skspeech.datasets import make_emotional_speech
    >>> speech = make_emotional_speech(n_speakers=2, n_utterances=1, random_state=0)
    >>> speech.data.shape, speech.data[0].dtype
    ((10,), dtype('float32'))
    >>> print(speech.target_names[speech.target[0]], "by", speech.speakers[0])
    anger by speaker 1
    """
    names = _check_emotions(emotions)
    shortest, longest = _check_duration(duration)
    seed = Seed.draw(random_state)
    speakers = [_draw_speaker(seed.rng(0, i), low=i % 2 == 0) for i in range(n_speakers)]
    sentences = [_draw_sentence(seed.rng(1, j), shortest, longest) for j in range(n_utterances)]
    keys = [
        (i, emotion, j) for i in range(n_speakers) for emotion in names for j in range(n_utterances)
    ]
    order = list(EMOTIONS)
    waveforms = []
    for i, emotion, j in keys:
        rng = seed.rng(2, i, order.index(emotion), j)
        style = _draw_style(rng, EMOTIONS[emotion], speakers[i])
        seconds = float(np.clip(sentences[j].seconds * style.duration, shortest, longest))
        waveforms.append(_speak(rng, sentences[j], speakers[i], style, seconds, sample_rate))
    data = object_array(waveforms)
    target = np.array([names.index(emotion) for _, emotion, _ in keys], dtype=np.int64)
    if return_X_y:
        return data, target
    said = np.array([j for _, _, j in keys], dtype=np.int64)
    return Bunch(
        data=data,
        target=target,
        target_names=np.array(names),
        speakers=np.array([f"speaker {i + 1}" for i, _, _ in keys]),
        sentences=said,
        texts=np.array([sentence.phones for sentence in sentences])[said],
        sample_rate=sample_rate,
        DESCR=read_descr("emotional_speech"),
    )


def _check_emotions(emotions: tuple[str, ...]) -> list[str]:
    names = list(emotions)
    unknown = [name for name in names if name not in EMOTIONS]
    if unknown:
        raise ValueError(f"emotions holds {unknown}. Choose from {list(EMOTIONS)}.")
    if not names or len(set(names)) < len(names):
        raise ValueError(f"emotions is {names}. Name at least one emotion, and each once.")
    return names


def _check_duration(duration: tuple[float, float]) -> tuple[float, float]:
    if len(duration) != 2:
        raise ValueError(
            f"duration is {duration!r}. Give the shortest and the longest, in seconds."
        )
    shortest, longest = (float(seconds) for seconds in duration)
    # 0.3 s hold two syllables at the fastest tempo that still sounds spoken
    if not 0.3 <= shortest <= longest < np.inf:
        raise ValueError(
            f"duration is {duration!r}. Give two numbers of seconds, neither below 0.3, the "
            "shorter one first."
        )
    return shortest, longest


def _draw_speaker(rng: np.random.Generator, low: bool) -> _Speaker:
    return _Speaker(
        pitch=(115.0 if low else 205.0) * 2 ** rng.normal(0.0, 0.12),
        # Peterson and Barney's women have formants about 1.17 times the men's
        tract=(1.0 if low else 1.17) * np.clip(rng.normal(1.0, 0.04), 0.9, 1.1),
        expressiveness=rng.uniform(0.7, 1.2),
        habits=rng.normal(0.0, _SPEAKER_SPREAD),
    )


def _draw_sentence(rng: np.random.Generator, shortest: float, longest: float) -> _Sentence:
    # from the middle of the range, on a log scale, so that tempo has room on both sides
    seconds = shortest * (longest / shortest) ** rng.uniform(0.2, 0.8)
    n_syllables = max(2, round(4.5 * seconds))
    syllables = [
        str(rng.choice(list(CONSONANTS)))
        + str(rng.choice(list(VOWELS)))
        + (str(rng.choice(CODAS)) if rng.random() < 0.25 else "")
        for _ in range(n_syllables)
    ]
    if n_syllables >= 8:
        syllables.insert(n_syllables // 2, " ")
    accents = rng.choice([0.0, 1.5, 4.0], size=n_syllables, p=[0.5, 0.2, 0.3])
    return _Sentence("".join(syllables), seconds, accents)


def _draw_style(rng: np.random.Generator, emotion: _Style, speaker: _Speaker) -> _Style:
    strength = speaker.expressiveness * rng.uniform(0.7, 1.15)
    style = _NEUTRAL + strength * (np.array(emotion) - _NEUTRAL)
    style += speaker.habits + rng.normal(0.0, _UTTERANCE_SPREAD)
    return _Style(*np.clip(style, _LOWEST, _HIGHEST))


def _speak(
    rng: np.random.Generator,
    sentence: _Sentence,
    speaker: _Speaker,
    style: _Style,
    seconds: float,
    sample_rate: int,
) -> np.ndarray:
    """Say a sentence: float32 of shape (n_samples,), in [-1, 1]."""
    n_samples = round(seconds * sample_rate)
    tracks = _plan(rng, sentence, speaker, style, n_samples, sample_rate)
    voicing, aspiration, frication = tracks.sources
    pulses, flow = glottal_pulses(
        rng,
        tracks.f0,
        sample_rate,
        open_quotient=style.open_quotient,
        tilt=style.tilt,
        jitter=style.jitter,
    )
    noise = rng.standard_normal((2, n_samples))
    # the breath is modulated by the glottis: noise flows while it is open
    breath = noise[0] * (voicing * style.breathiness * (0.3 + flow) + aspiration)
    signal = resonate(voicing * pulses + breath, tracks.formants, sample_rate)
    signal /= np.sqrt(np.mean(signal**2)) + 1e-12
    signal += _fricate(noise[1], tracks.fricatives, speaker, sample_rate) * frication
    return _record(rng, signal, style)


def _plan(
    rng: np.random.Generator,
    sentence: _Sentence,
    speaker: _Speaker,
    style: _Style,
    n_samples: int,
    sample_rate: int,
) -> _Tracks:
    """Lay out segments, pitch and sources over the length of the utterance."""
    segments, is_vowel = _segments(sentence)
    lengths = np.array([segment.seconds for segment in segments])
    lengths *= np.exp(rng.normal(0.0, 0.12, len(lengths)))
    # a slow speaker draws out the vowels more than the consonants
    lengths[is_vowel] *= style.duration**0.5
    edges = np.concatenate([[0.0], np.cumsum(lengths)]) * n_samples / lengths.sum()
    starts, ends = edges[:-1], edges[1:]

    block = round(BLOCK_SECONDS * sample_rate)
    block_times = np.arange(0, n_samples, block) + block / 2
    samples = np.arange(n_samples)
    aims = np.array([segment.formants for segment in segments])
    aims[is_vowel] = SCHWA + style.precision * (aims[is_vowel] - SCHWA)
    formants = trajectory(block_times, starts, ends, aims, 0.3 * (ends - starts))
    amplitudes = np.array([(s.voicing, s.aspiration, s.frication) for s in segments])
    ramps = np.minimum(0.008 * sample_rate, 0.4 * (ends - starts))
    sources = trajectory(samples, starts, ends, amplitudes, ramps).T

    centres = ((starts + ends) / 2)[is_vowel]
    semitones = _melody(rng, block_times, centres, sentence.accents, style, sample_rate)
    f0 = speaker.pitch * 2 ** (np.interp(samples, block_times, semitones) / 12)
    fricatives = [
        (int(start), int(end) + 1, segment)
        for start, end, segment in zip(starts, ends, segments, strict=True)
        if segment.frication
    ]
    return _Tracks(f0, sources, all_formants(formants, speaker.tract, sample_rate), fricatives)


def _segments(sentence: _Sentence) -> tuple[list[_Segment], np.ndarray]:
    """Return the segments of a sentence within two silences, and which of them are vowels."""
    segments = [SILENCE._replace(seconds=0.06)]
    is_vowel = [False]
    for phone in sentence.phones:
        segments.extend(_PHONES[phone])
        is_vowel.extend([phone in VOWELS] * len(_PHONES[phone]))
    segments.append(SILENCE._replace(seconds=0.08))
    return segments, np.array([*is_vowel, False])


def _melody(
    rng: np.random.Generator,
    times: np.ndarray,
    centres: np.ndarray,
    accents: np.ndarray,
    style: _Style,
    sample_rate: int,
) -> np.ndarray:
    """Return the pitch in semitones from the speaker's own: declination, accents, end, tremor."""
    position = times / times[-1]
    declination = 1.5 * (0.5 - position)
    width = 0.08 * sample_rate
    said = accents * np.exp(rng.normal(0.0, 0.2, len(accents)))
    bumps = (said * np.exp(-0.5 * ((times[:, None] - centres) / width) ** 2)).sum(axis=1)
    ending = style.final_pitch * np.clip((position - 0.75) / 0.25, 0.0, 1.0)
    rate = rng.uniform(5.0, 8.0)  # Hz
    tremor = np.sin(2 * np.pi * (rate * times / sample_rate + rng.random()))
    return style.pitch + style.pitch_range * (declination + bumps + ending) + style.tremor * tremor


def _fricate(
    noise: np.ndarray,
    fricatives: list[tuple[int, int, _Segment]],
    speaker: _Speaker,
    sample_rate: int,
) -> np.ndarray:
    """Shape noise by each fricative's resonance, to unit power within it."""
    shaped = np.zeros_like(noise)
    for start, end, segment in fricatives:
        centre = min(segment.noise_centre * speaker.tract, 0.4 * sample_rate)
        radius = np.exp(-np.pi * segment.noise_bandwidth / sample_rate)
        a = [1.0, -2 * radius * np.cos(2 * np.pi * centre / sample_rate), radius**2]
        part = lfilter([1.0, 0.0, -1.0], a, noise[start:end])  # zeros at 0 Hz and Nyquist
        shaped[start:end] = part / (np.sqrt(np.mean(part**2)) + 1e-12)
    return shaped


def _record(rng: np.random.Generator, signal: np.ndarray, style: _Style) -> np.ndarray:
    """Set the level, add the hiss of a quiet room, and keep within full scale."""
    # the distance to the microphone differs, or the level alone would tell the emotion
    level = -26.0 + style.level + rng.normal(0.0, 1.5)
    signal = signal * 10 ** (level / 20) + 10 ** (-70 / 20) * rng.standard_normal(len(signal))
    return (signal / max(1.0, np.abs(signal).max())).astype(np.float32)
