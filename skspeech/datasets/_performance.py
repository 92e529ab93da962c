"""How notes are sung: a singer's voice, ornaments, vibrato and tuning."""

from typing import NamedTuple

import numpy as np
from scipy.signal import lfilter

from skspeech.datasets._voice import (
    BLOCK_SECONDS,
    SONORANTS,
    VOWEL_FORMANTS,
    all_formants,
    glottal_pulses,
    resonate,
    trajectory,
)

VOWELS = ("ɑ", "ɛ", "i", "ɔ", "u")  # noqa: RUF001 - those of Spanish, as near as the table has
CONSONANTS = ("m", "n", "l")
REFERENCE = 55.0
"""Hz: cents count from here."""


class Singer(NamedTuple):
    tonic: int  # semitones above 55 Hz
    tract: float  # factor on every formant
    colours: np.ndarray  # (n_vowels, 3), factors on the formants of the vowels
    open_quotient: float
    tilt: float  # dB lost at 3 kHz
    breathiness: float
    vibrato_rate: float  # Hz
    vibrato_depth: float  # factor
    ornaments: np.ndarray  # of grace notes, turns and slides, the shares


class Manner(NamedTuple):
    """How notes are sung; what the caller chose."""

    vibrato: float
    ornaments: float
    glide: float
    drift: float


def draw_singer(rng: np.random.Generator, low: bool) -> Singer:
    return Singer(
        tonic=int(rng.integers(15, 20)) + (0 if low else 7),
        # Peterson and Barney's women have formants about 1.17 times the men's
        tract=(1.0 if low else 1.17) * np.clip(rng.normal(1.0, 0.04), 0.9, 1.1),
        colours=np.exp(rng.normal(0.0, 0.05, (len(VOWELS), 3))),
        open_quotient=rng.uniform(0.55, 0.8),
        tilt=rng.uniform(2.0, 10.0),
        breathiness=rng.uniform(0.02, 0.08),
        vibrato_rate=rng.uniform(4.8, 6.5),
        vibrato_depth=rng.uniform(0.6, 1.4),
        ornaments=rng.dirichlet([2.0, 2.0, 2.0]),
    )


def sing(
    rng: np.random.Generator,
    notes: np.ndarray,
    seconds: float,
    singer: Singer,
    manner: Manner,
    snr: float,
    sample_rate: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the pitch at every sample and one more, 0 unvoiced, and the float32 waveform."""
    n_samples = round(seconds * sample_rate)
    times = np.arange(n_samples + 1) / sample_rate
    cents = _pitch_curve(rng, notes, times, singer, manner)
    f0 = REFERENCE * 2.0 ** (cents / 1200.0)
    pulses, flow = glottal_pulses(
        rng,
        f0[:-1],
        sample_rate,
        open_quotient=singer.open_quotient,
        tilt=singer.tilt,
        jitter=0.002,
    )
    first, last = _phrases(notes)
    voicing = _loudness(rng, notes, times[:-1]) * _gate(times[:-1], first, last)
    formants, articulation = _articulate(rng, notes, times[:-1], singer, sample_rate)
    voicing *= articulation
    noise = rng.standard_normal((2, n_samples))
    breath = noise[0] * (
        voicing * singer.breathiness * (0.3 + flow) + _breaths(rng, times[:-1], first)
    )
    signal = resonate(voicing * pulses + breath, formants, sample_rate)
    voiced = np.zeros(n_samples + 1, dtype=bool)
    for start, end in np.ceil(np.column_stack([first, last]) * sample_rate).astype(int):
        voiced[start:end] = True
    signal = _record(rng, signal, voiced[:-1], noise[1], snr)
    return np.where(voiced, f0, 0.0), signal


def _phrases(notes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return when phrases begin and end."""
    turns = np.flatnonzero(np.diff(notes["phrase"])) + 1
    return notes["start"][np.r_[0, turns]], notes["end"][np.r_[turns - 1, -1]]


def _pitch_curve(
    rng: np.random.Generator,
    notes: np.ndarray,
    times: np.ndarray,
    singer: Singer,
    manner: Manner,
) -> np.ndarray:
    """Return cents above 55 Hz: notes, how they are joined and ornamented, vibrato, drift."""
    starts, ends, begin, finish = _ornament(rng, notes, singer, manner.ornaments).T
    joined = np.isclose(starts[1:], ends[:-1])
    ramps = np.minimum(manner.glide / 2, 0.4 * (ends - starts))
    knots = np.column_stack(
        [starts + ramps * np.r_[False, joined], ends - ramps * np.r_[joined, False]]
    ).ravel()
    cents = np.interp(times, knots, np.column_stack([begin, finish]).ravel())

    depths = manner.vibrato * singer.vibrato_depth * np.exp(rng.normal(0.0, 0.2, len(starts)))
    rate = singer.vibrato_rate * np.exp(rng.normal(0.0, 0.04))
    phase = rng.random()
    piece = np.maximum(np.searchsorted(starts, times, side="right") - 1, 0)
    # vibrato sets in after a tenth of a second and is over when the next note comes
    swell = np.clip((times - starts[piece] - 0.1) / 0.15, 0.0, 1.0)
    swell *= np.clip((ends[piece] - times) / 0.05, 0.0, 1.0)
    cents += depths[piece] * swell * np.sin(2 * np.pi * (rate * times + phase))

    first, last = _phrases(notes)
    tuning = lfilter([0.6], [1.0, -0.8], rng.standard_normal(len(first) + 20))[20:]
    return cents + manner.drift * np.interp(times, (first + last) / 2, tuning)


def _ornament(
    rng: np.random.Generator, notes: np.ndarray, singer: Singer, share: float
) -> np.ndarray:
    """Return pieces of pitch, rows of start, end, and cents at either: one or more a note."""
    pieces: list[tuple[float, float, float, float]] = []
    for start, end, cents in zip(notes["start"], notes["end"], notes["cents"], strict=True):
        kind = rng.choice(3, p=singer.ornaments)
        other = cents + rng.choice([-200.0, -100.0, 100.0, 200.0])
        seconds = rng.uniform(0.06, 0.09)
        if rng.random() >= share or end - start < 2 * seconds:
            pieces.append((start, end, cents, cents))
            continue
        if kind == 0:  # a grace note
            pieces.append((start, start + seconds, other, other))
            start += seconds
        elif kind == 1:  # a turn, as often as the note has room for, up to three times
            n_turns = min(3, int((end - start) / seconds - 1) // 2)
            for _ in range(n_turns):
                pieces.append((start, start + seconds, cents, cents))
                pieces.append((start + seconds, start + 2 * seconds, other, other))
                start += 2 * seconds
        else:  # a slide
            pieces.append((start, start + seconds, other, cents))
            start += seconds
        pieces.append((start, end, cents, cents))
    return np.array(pieces)


def _gate(times: np.ndarray, first: np.ndarray, last: np.ndarray) -> np.ndarray:
    """Return 1 within phrases, 0 between them, with short ramps inside."""
    knots = np.column_stack([first, first + 0.03, last - 0.06, last]).ravel()
    return np.interp(times, knots, np.tile([0.0, 1.0, 1.0, 0.0], len(first)))


def _loudness(rng: np.random.Generator, notes: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Return an amplitude that changes from note to note and from phrase to phrase."""
    phrases = rng.normal(0.0, 2.0, notes["phrase"].max() + 1)
    level = phrases[notes["phrase"]] + rng.normal(0.0, 2.0, len(notes))
    return 10 ** (np.interp(times, (notes["start"] + notes["end"]) / 2, level) / 20)


def _breaths(rng: np.random.Generator, times: np.ndarray, first: np.ndarray) -> np.ndarray:
    """Return the amplitude of the breath taken before some phrases."""
    taken = first[rng.random(len(first)) < 0.6]
    knots = (taken[:, None] + [-0.25, -0.15, -0.1, -0.03]).ravel()
    if not len(knots):
        return np.zeros(len(times))
    return 0.02 * np.interp(times, knots, np.tile([0.0, 1.0, 1.0, 0.0], len(taken)))


def _articulate(
    rng: np.random.Generator,
    notes: np.ndarray,
    times: np.ndarray,
    singer: Singer,
    sample_rate: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Return formants by block and the amplitude that consonants leave to the voice.

    About half of the notes begin a syllable with a consonant; others go on with the vowel.
    """
    begins = rng.random(len(notes)) < 0.5
    begins[0] = True
    begins[1:] |= np.diff(notes["phrase"]) > 0
    starts = notes["start"][begins]
    ends = np.append(starts[1:], notes["end"][-1])
    vowels = rng.integers(len(VOWELS), size=len(starts))
    consonants = rng.integers(len(CONSONANTS), size=len(starts))
    open_mouth = np.array([VOWEL_FORMANTS[v] for v in VOWELS]) * singer.colours
    closed = np.array([SONORANTS[c] for c in CONSONANTS])
    postures = np.empty((2 * len(starts), 4))
    postures[0::2] = closed[consonants]
    postures[1::2, :3] = open_mouth[vowels]
    postures[1::2, 3] = 1.0
    edges = np.column_stack([starts, starts + 0.05]).ravel()
    until = np.append(edges[1:], ends[-1])
    block_times = np.arange(0, len(times), round(BLOCK_SECONDS * sample_rate)) / sample_rate
    ramps = np.minimum(0.02, 0.4 * (until - edges))
    moving = trajectory(block_times + BLOCK_SECONDS / 2, edges, until, postures, ramps)
    return all_formants(moving[:, :3], singer.tract, sample_rate), np.interp(
        times, block_times + BLOCK_SECONDS / 2, moving[:, 3]
    )


def _record(
    rng: np.random.Generator,
    signal: np.ndarray,
    voiced: np.ndarray,
    noise: np.ndarray,
    snr: float,
) -> np.ndarray:
    """Give the song a microphone of its own, a level and noise, within full scale."""
    tone = rng.uniform(-0.3, 0.3)
    signal = lfilter([1.0, tone], [1.0], signal)
    signal *= 0.1 / (np.sqrt(np.mean(signal[voiced] ** 2)) + 1e-12)
    signal += 0.1 * 10 ** (-snr / 20) * noise
    signal *= 10 ** (rng.normal(0.0, 2.0) / 20)
    return (signal / max(1.0, np.abs(signal).max())).astype(np.float32)
