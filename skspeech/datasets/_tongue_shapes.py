"""The midsagittal tongue: its shape for each phone, how it moves, and the tract it leaves open."""

from typing import NamedTuple

import numpy as np
from scipy.linalg import eigh_tridiagonal
from scipy.ndimage import gaussian_filter1d

from skspeech.datasets._voice import trajectory

SPEED_OF_SOUND = 35_000.0  # cm/s, in warm moist air
N_SECTIONS = 40
"""Of the tongue's contour, whatever the number of scan lines."""
PLACES = np.linspace(-1.0, 1.0, N_SECTIONS)
"""Along the tongue: its root at -1, its tip at 1."""
NEUTRAL_GAP = 12.0
"""Between the resting tongue and the walls around it, mm."""
LARYNX = (1.5, 2.0, 2.5, 3.0)
"""Areas of its sections, cm2: as in a horn, all are equally long."""
N_LIPS = 4
"""Sections of the lips."""
SMALLEST_AREA = 0.03
"""Of a closed tract, cm2, so that its resonances stay defined."""


class Phone(NamedTuple):
    """What the tongue and the lips aim at."""

    seconds: float
    place: float  # where the body bulges, -1 to 1
    height: float  # by how much, mm
    tip: float  # by how much the tip is raised, mm
    lips: float  # area between them, cm2
    voiced: float = 1.0


# Places of constriction in the order in which Stevens and House (1955) vary them; sizes by trial,
# until the first two formants of the vowels are near Peterson and Barney's.
VOWELS = {
    "i": Phone(0.13, 0.42, 15.5, 0.0, 3.0),
    "ɛ": Phone(0.13, 0.35, 8.0, 0.0, 4.0),
    "ɑ": Phone(0.15, -0.75, 13.0, 0.0, 5.0),  # noqa: RUF001 - the phonetic alphabet's letter
    "ɔ": Phone(0.14, -0.45, 12.0, 0.0, 1.2),
    "u": Phone(0.13, -0.05, 14.0, 0.0, 0.4),
}
CONSONANTS = {
    "t": Phone(0.09, 0.3, 5.0, 18.0, 2.0, voiced=0.0),
    "d": Phone(0.07, 0.3, 5.0, 18.0, 2.0),
    "k": Phone(0.09, 0.0, 22.0, 0.0, 2.0, voiced=0.0),
    "g": Phone(0.07, 0.0, 22.0, 0.0, 2.0),
    "s": Phone(0.11, 0.3, 4.0, 14.0, 2.0, voiced=0.0),
    "ʃ": Phone(0.11, 0.6, 17.0, 3.0, 1.5, voiced=0.0),
    "j": Phone(0.07, 0.45, 17.5, 0.0, 3.0),
    "l": Phone(0.07, -0.2, 4.0, 12.0, 3.0),
    # the tongue has no part in these and takes the shape of the vowel to come
    "p": Phone(0.09, 0.0, 0.0, 0.0, 0.003, voiced=0.0),
    "b": Phone(0.07, 0.0, 0.0, 0.0, 0.003),
}
LABIALS = "pb"
PHONES = {**VOWELS, **CONSONANTS}
REST = Phone(0.15, 0.2, -1.0, 0.0, 2.0, voiced=0.0)


class Anatomy(NamedTuple):
    """A speaker's mouth."""

    tract: float  # length of the vocal tract, 1 being a man's 17.5 cm
    palate: float  # how far the palate is vaulted, mm
    size: float  # distance from the probe to the walls, 1 being that of a man
    tilt: float  # of the probe: distance to the tip less that to the root, mm


class Posture(NamedTuple):
    """The tongue, the lips and the glottis at n_times moments."""

    gap: np.ndarray  # (n_times, N_SECTIONS): between tongue and walls, mm
    lips: np.ndarray  # (n_times,), cm2
    voiced: np.ndarray  # (n_times,), 0 to 1


class Gestures(NamedTuple):
    """What is aimed at, one after the other; seconds."""

    starts: np.ndarray
    ends: np.ndarray
    phones: list[Phone]


def posture(gestures: Gestures, times: np.ndarray, lag: float) -> Posture:
    """Return where the tongue is on its way from phone to phone.

    It moves by the shortest way from one shape to the next and, being heavy, lags: targets are
    smoothed by a Gaussian of `lag` seconds, so that short ones are not reached.
    """
    fine = np.arange(gestures.starts[0], gestures.ends[-1] + 0.002, 0.002)
    aims = np.array(
        [[*target_gap(phone), np.log(phone.lips), phone.voiced] for phone in gestures.phones]
    )
    ramps = 0.35 * (gestures.ends - gestures.starts)
    path = trajectory(fine, gestures.starts, gestures.ends, aims, ramps)
    path[:, :-1] = gaussian_filter1d(path[:, :-1], lag / 0.002, axis=0, mode="nearest")
    at = np.column_stack([np.interp(times, fine, column) for column in path.T])
    return Posture(at[:, :N_SECTIONS], np.exp(at[:, N_SECTIONS]), at[:, -1])


def target_gap(phone: Phone) -> np.ndarray:
    """Return the gap between tongue and walls for a phone, in mm; below 0 it presses on them."""
    body = phone.height * np.exp(-(((PLACES - phone.place) / 0.42) ** 2))
    tip = phone.tip * np.exp(-(((PLACES - 0.9) / 0.22) ** 2))
    # a muscle keeps its volume: what bulges here draws in elsewhere
    return NEUTRAL_GAP - (body - body.mean()) - (tip - tip.mean())


def areas(gap: np.ndarray) -> np.ndarray:
    """Return cross-sections in cm2 of gaps in mm: a power of the gap (Heinz and Stevens 1965)."""
    return 1.6 * (np.maximum(gap, 0.0) / 10.0) ** 1.5


def formants(posed: Posture, anatomy: Anatomy, n_formants: int) -> np.ndarray:
    """Return the resonances of the tract in Hz, of shape (n_times, n_formants).

    Webster's equation of a horn that is closed at the glottis and open at the lips, in sections of
    equal length: a larynx, the part that the tongue shapes, and the lips.
    """
    n_times = len(posed.gap)
    larynx = np.broadcast_to(LARYNX, (n_times, len(LARYNX)))
    lips = np.repeat(posed.lips[:, None], N_LIPS, axis=1)
    area = np.column_stack([larynx, areas(posed.gap), lips]).clip(SMALLEST_AREA)
    # between the middles of neighbours lie half a section of either; p = 0 at the open end
    between = 2.0 / (1.0 / area[:, :-1] + 1.0 / area[:, 1:])
    right = np.column_stack([between, 2.0 * area[:, -1]])
    left = np.column_stack([np.zeros(n_times), between])
    diagonal = (left + right) / area
    beside = -between / np.sqrt(area[:, :-1] * area[:, 1:])
    found = [
        eigh_tridiagonal(*each, eigvals_only=True)[:n_formants]
        for each in zip(diagonal, beside, strict=True)
    ]
    return np.sqrt(np.array(found)) * SPEED_OF_SOUND / (2 * np.pi * _section(anatomy))


def front_resonance(posed: Posture, anatomy: Anatomy) -> np.ndarray:
    """Return the first resonance in Hz, (n_times,), between narrowest passage and lips."""
    n_sections = N_SECTIONS + N_LIPS - posed.gap.argmin(axis=1)
    return SPEED_OF_SOUND / (4 * n_sections * _section(anatomy))


def _section(anatomy: Anatomy) -> float:
    """Return the length of a section, in cm."""
    return 17.5 * anatomy.tract / (len(LARYNX) + N_SECTIONS + N_LIPS)


def walls(anatomy: Anatomy) -> np.ndarray:
    """Return how far from the probe the walls are along each direction, in mm."""
    vault = anatomy.palate * np.exp(-(((PLACES - 0.35) / 0.4) ** 2))
    return anatomy.size * (58.0 + 4.0 * PLACES**2) + vault + 0.5 * anatomy.tilt * PLACES
