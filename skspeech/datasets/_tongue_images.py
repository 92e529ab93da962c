"""Ultrasound of the tongue as raw scan lines: what a probe under the chin would receive."""

from typing import NamedTuple

import numpy as np
from scipy.ndimage import gaussian_filter1d

DEPTH = 85.0
"""How far a scan line reaches, mm."""
FAN = np.deg2rad(92.0)
"""Between the first scan line and the last."""
DYNAMIC_RANGE = 60.0
"""Of the 8 bits, dB."""
CHUNK = 8
"""Frames drawn at once: bounds the memory."""

# Levels in dB below the brightest echo; all sizes are our choice, by the look of real recordings.
_TISSUE = -31.0
_AIR = -45.0  # what returns from beyond the tongue, by detours
_NOISE = -60.0
_RINGING = -8.0  # of the probe, in the first millimetres
_SHADOW = -36.0
_LOSS = 0.3  # a millimetre, after the machine has made up for most of it
_REFERENCE = 55.0  # mm from the probe to a tongue whose speckle is not stretched


class View(NamedTuple):
    """How a speaker's tongue is seen."""

    gain: float  # dB
    hyoid: float  # the scan lines behind it lie in the shadow of the hyoid bone, -1 to 1
    jaw: float  # and those before it in that of the jaw


def draw(
    rng: np.random.Generator,
    contour: np.ndarray,
    view: View,
    *,
    n_pixels: int,
    speckle: float,
    frame_rate: float,
) -> np.ndarray:
    """Return frames, uint8 of shape (n_frames, n_vectors, n_pixels).

    Parameters
    ----------
    rng : Generator
    contour : ndarray of shape (n_frames, n_vectors)
        How deep the tongue's surface is along each scan line, mm.
    view : View
    n_pixels : int
    speckle : float
        0 to 1.
    frame_rate : float
    """
    n_frames, n_vectors = contour.shape
    textures = _textures(rng, n_vectors, n_pixels)
    # tissue that slides out of the plane changes its speckle within some tenths of a second
    turns = np.cumsum(rng.normal(0.0, np.sqrt(4.0 / frame_rate), n_frames)).astype(np.float32)
    lines = _line_levels(rng, contour, view, frame_rate).astype(np.float32)
    contour = contour.astype(np.float32)
    frames = np.empty((n_frames, n_vectors, n_pixels), dtype=np.uint8)
    for start in range(0, n_frames, CHUNK):
        part = slice(start, start + CHUNK)
        power = _echoes(contour[part], lines[part], n_pixels)
        power *= _blend(speckle, _speckle(textures, contour[part], turns[part], n_pixels))
        noise = rng.standard_exponential(power.shape, dtype=np.float32)
        power += np.float32(10 ** (_NOISE / 10)) * _blend(speckle, noise)
        levels = np.float32(255 + 255 * view.gain / DYNAMIC_RANGE) + np.float32(
            2550 / DYNAMIC_RANGE
        ) * np.log10(power)
        frames[part] = np.clip(levels, 0, 255)
    return frames


def _blend(weight: float, power: np.ndarray) -> np.ndarray:
    """Mix a power whose mean is 1 with 1."""
    return np.float32(1.0 - weight) + np.float32(weight) * power


def _textures(rng: np.random.Generator, n_vectors: int, n_pixels: int) -> np.ndarray:
    """Return two complex fields of tissue, twice as deep as the image, of unit mean power."""
    field = rng.standard_normal((4, n_vectors, 2 * n_pixels))
    # an echo is short along the scan line, and about a scan line wide
    field = gaussian_filter1d(field, 0.5 * n_pixels / DEPTH, axis=-1, mode="wrap")
    field = gaussian_filter1d(field, 0.8, axis=-2, mode="wrap")
    field /= np.sqrt(2 * np.mean(field**2))
    return (field[:2] + 1j * field[2:]).astype(np.complex64)


def _speckle(
    textures: np.ndarray, contour: np.ndarray, turns: np.ndarray, n_pixels: int
) -> np.ndarray:
    """Return the power of the speckle, which moves with the tongue: it is stretched to it."""
    n_vectors, width = textures.shape[1:]
    stretch = np.minimum(np.float32(_REFERENCE) / contour, np.float32(width - 1) / n_pixels)
    places = (np.arange(n_pixels, dtype=np.float32) * stretch[:, :, None]).astype(np.intp)
    places += width * np.arange(n_vectors)[:, None]
    still, other = (texture.ravel().take(places) for texture in textures)
    still *= np.cos(turns)[:, None, None]
    other *= np.sin(turns)[:, None, None]
    still += other
    return still.real**2 + still.imag**2


def _line_levels(
    rng: np.random.Generator, contour: np.ndarray, view: View, frame_rate: float
) -> np.ndarray:
    """Return levels in dB of shape (n_frames, 2, n_vectors): of the surface, of the shadows."""
    n_frames, n_vectors = contour.shape
    # a surface that is not square to the beam sends the echo elsewhere
    slope = np.gradient(contour, FAN / (n_vectors - 1), axis=1) / contour
    surface = -30.0 * np.log10(1 + slope**2)
    places = np.linspace(-1.0, 1.0, n_vectors)
    wander = gaussian_filter1d(rng.standard_normal((2, n_frames)), 0.15 * frame_rate, axis=1)
    wander *= 0.02 / (wander.std() + 1e-12) if n_frames > 1 else 0.0
    behind = (view.hyoid + wander[0])[:, None] - places
    before = places - (view.jaw + wander[1])[:, None]
    shadow = _SHADOW / (1 + np.exp(-np.maximum(behind, before) / 0.03))
    return np.stack([surface, shadow], axis=1)


def _echoes(contour: np.ndarray, lines: np.ndarray, n_pixels: int) -> np.ndarray:
    """Return the power along the scan lines, without speckle, (n_frames, n_vectors, n_pixels)."""
    depths = (np.arange(n_pixels, dtype=np.float32) + np.float32(0.5)) * np.float32(
        DEPTH / n_pixels
    )
    beyond = depths - contour[:, :, None]
    surface, shadow = (10 ** (lines[:, i, :, None] / 10) for i in range(2))
    tissue, air = np.float32(10 ** (_TISSUE / 10)), np.float32(10 ** (_AIR / 10))
    # the lower edge of the bright band is the surface, and it ends in reverberation
    band = np.exp(
        -((np.minimum(beyond, 0) / np.float32(0.5)) ** 2) - np.maximum(beyond, 0) / np.float32(0.5)
    )
    power = np.where(beyond < 0, tissue, air) + surface * band
    power *= shadow * 10 ** (np.float32(-_LOSS / 10) * depths)
    return power + np.float32(10 ** (_RINGING / 10)) * np.exp(-depths / np.float32(0.8))
