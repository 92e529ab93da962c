"""A source-filter voice: glottal pulses, and formant resonators that move (Klatt 1980).

What the synthesisers of this package share; each says which sounds its speakers or singers make.
"""

from typing import NamedTuple

import numpy as np
from scipy.signal import lfilter, sosfilt

BLOCK_SECONDS = 0.01
"""From one posture of the vocal tract to the next."""
RINGING_SECONDS = 0.04
"""How long a resonator is heard after its block: the narrowest has fallen by 76 dB."""

# Peterson and Barney (1952), table II: means over 33 men.
VOWEL_FORMANTS = {
    "i": (270, 2290, 3010),
    "ɪ": (390, 1990, 2550),  # noqa: RUF001 - the phonetic alphabet's letter
    "ɛ": (530, 1840, 2480),
    "æ": (660, 1720, 2410),
    "ɑ": (730, 1090, 2440),  # noqa: RUF001
    "ɔ": (570, 840, 2410),
    "ʊ": (440, 1020, 2240),
    "u": (300, 870, 2240),
    "ʌ": (640, 1190, 2390),
    "ɝ": (490, 1350, 1690),
}

# Formants after Klatt (1980); how loud, an open vowel being 1, is our choice.
SONORANTS = {
    "m": (480, 1270, 2130, 0.35),
    "n": (480, 1340, 2470, 0.35),
    "l": (310, 1050, 2880, 0.5),
    "ɹ": (310, 1060, 1380, 0.5),
    "w": (290, 610, 2150, 0.5),
    "j": (260, 2070, 3020, 0.5),
}

# Above the third: no phone moves them. Bandwidths rise with frequency as in Klatt (1980).
UPPER_FORMANTS = (3500.0, 4500.0, 5500.0, 6500.0)
BANDWIDTHS = (70.0, 100.0, 150.0, 200.0, 250.0, 300.0, 350.0)


class Seed(NamedTuple):
    """A stream of random numbers for every speaker, sentence or song, by its key."""

    entropy: int

    @classmethod
    def draw(cls, random_state: int | np.random.RandomState | None) -> "Seed":
        if isinstance(random_state, np.random.RandomState):
            random_state = int(random_state.randint(np.iinfo(np.int32).max))
        # SeedSequence takes None for the system's entropy and leaves the global state alone
        return cls(np.random.SeedSequence(random_state).entropy)  # type: ignore[arg-type]

    def rng(self, *key: int) -> np.random.Generator:
        return np.random.default_rng(np.random.SeedSequence(self.entropy, spawn_key=key))


def trajectory(
    times: np.ndarray, starts: np.ndarray, ends: np.ndarray, values: np.ndarray, ramps: np.ndarray
) -> np.ndarray:
    """Hold each row of `values` within its segment and move linearly between segments."""
    knots = np.column_stack([starts + ramps, ends - ramps]).ravel()
    held = np.repeat(values, 2, axis=0)
    return np.column_stack([np.interp(times, knots, column) for column in held.T])


def all_formants(formants: np.ndarray, tract: float, sample_rate: int) -> np.ndarray:
    """Add the formants that stand still, scale by the vocal tract, keep what the rate can hold."""
    upper = np.broadcast_to(UPPER_FORMANTS, (len(formants), len(UPPER_FORMANTS)))
    scaled = tract * np.column_stack([formants, upper])
    return scaled[:, scaled.max(axis=0) < 0.48 * sample_rate]


def glottal_pulses(
    rng: np.random.Generator,
    f0: np.ndarray,
    sample_rate: int,
    *,
    open_quotient: float,
    tilt: float,
    jitter: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the derivative of the glottal flow, of unit power, and the flow, in [0, 1]."""
    cycles = np.cumsum(f0 / sample_rate)
    n_cycles = int(cycles[-1]) + 2
    periods = 1.0 + jitter * np.clip(rng.standard_normal(n_cycles), -3, 3)
    cycles = np.cumsum(f0 / sample_rate * periods[cycles.astype(int)])
    number = cycles.astype(int)
    phase = cycles - number
    # Rosenberg's pulse of type C: a raised cosine opens the glottis, a quarter cosine closes it
    opening, closed = 0.65 * open_quotient, open_quotient
    rise = 0.5 - 0.5 * np.cos(np.pi * np.minimum(phase / opening, 1.0))
    fall = np.cos(0.5 * np.pi * np.clip((phase - opening) / (closed - opening), 0.0, 1.0))
    shimmer = 1.0 + 4.0 * jitter * np.clip(rng.standard_normal(2 * n_cycles), -3, 3)
    flow = rise * fall
    pulses = np.diff(flow * shimmer[number], prepend=0.0)
    # one pole that loses `tilt` dB at 3 kHz (Klatt's TL)
    corner = 3000.0 / np.sqrt(10 ** (tilt / 10) - 1)
    pole = np.exp(-2 * np.pi * corner / sample_rate)
    pulses = lfilter([1 - pole], [1, -pole], pulses)
    return pulses / np.sqrt(np.mean(pulses**2)), flow


def resonate(
    source: np.ndarray,
    formants: np.ndarray,
    sample_rate: int,
    bandwidths: tuple[float, ...] = BANDWIDTHS,
) -> np.ndarray:
    """Pass `source` through a cascade of resonators that move from block to block.

    Each block is windowed, filtered on its own and added to its neighbours: one filter fades into
    the next. Changing the coefficients of a running filter would click.
    """
    n_blocks, n_formants = formants.shape
    radius = np.exp(-np.pi * np.array(bandwidths[:n_formants]) / sample_rate)
    sections = np.zeros((n_blocks, n_formants, 6))
    sections[..., 3] = 1.0
    sections[..., 4] = -2 * radius * np.cos(2 * np.pi * formants / sample_rate)
    sections[..., 5] = radius**2
    sections[..., 0] = sections[..., 3:].sum(axis=-1)  # unit gain at 0 Hz
    block = round(BLOCK_SECONDS * sample_rate)
    window = np.sin(np.pi * (np.arange(2 * block) + 0.5) / (2 * block)) ** 2
    tail = round(RINGING_SECONDS * sample_rate)
    # Block i is centred on sample (i + 1/2) * block. Half a window hangs over at both ends, where
    # the utterance is silent.
    padded = np.pad(source, (block // 2, 2 * block + tail))
    output = np.zeros(len(padded) + tail)
    excitation = np.zeros(2 * block + tail)
    for i, section in enumerate(sections):
        start = i * block
        excitation[: 2 * block] = window * padded[start : start + 2 * block]
        output[start : start + len(excitation)] += sosfilt(section, excitation)
    return output[block // 2 : block // 2 + len(source)]
