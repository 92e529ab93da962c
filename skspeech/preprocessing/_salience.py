"""Spectral peaks, harmonic salience and the best pitches of each frame, compiled by numba.

After J. Salamon, E. Gómez and J. Bonada, "Sinusoid extraction and salience function design for
predominant melody estimation" (DAFx-11, 2011). Pitches are counted in cents above 1 Hz here.
"""

import math
from typing import NamedTuple

import numpy as np

from skspeech.compiled import compiler

__all__ = ["BIN", "SPREAD", "Grid", "frame_candidates"]

#: Cents from one bin of the salience function to the next.
BIN = 10.0

#: Bins (to either side) over which a harmonic counts: a semitone.
SPREAD = 10

compiled = compiler(fastmath=True)  # nothing here is infinite or NaN


class Grid(NamedTuple):
    """Where the points of a spectrum and the bins of the salience function lie.

    Parameters
    ----------
    hz_per_point : float
        From one point of the spectrum to the next.
    first : int
        The first point at which a peak may lie, at least 1.
    least : float
        The least power of a peak, as a share of the frame's highest peak's.
    lobe : float
        What the power of a frame is multiplied by to be that of the peak of a sinusoid.
    lowest : float
        Pitch of the first bin, in cents.
    n_bins : int
        Bins of the salience function.
    """

    hz_per_point: float
    first: int
    least: float
    lobe: float
    lowest: float
    n_bins: int


@compiled
def frame_candidates(
    spectra: np.ndarray,
    grid: Grid,
    harmonics: np.ndarray,
    weights: np.ndarray,
    found: np.ndarray,
) -> None:
    """Write the most salient pitches of each frame, the best first.

    Parameters
    ----------
    spectra : ndarray of complex64, shape (n_frames, n_points)
        The lower end of each spectrum.
    grid : Grid
    harmonics : ndarray of float32, shape (n_harmonics,)
        Each harmonic's cents above the pitch.
    weights : ndarray of float32, shape (n_harmonics,)
        What each harmonic's amplitude counts.
    found : ndarray of float32, shape (n_frames, n_candidates, 3)
        Written: cents above 1 Hz, salience, and the share of the frame's power that lies in the
        harmonics. Salience is 0 where there are fewer pitches.
    """
    n_points, n_bins, first = spectra.shape[1], grid.n_bins, grid.first
    power = np.empty(n_points, np.float32)
    peaks = np.empty((n_points, 3), np.float32)  # Hz, cents, amplitude
    impulses = np.empty(n_bins + 4 * SPREAD, np.float32)
    salience = np.empty(n_bins + 2 * SPREAD, np.float32)
    kernel = np.empty(2 * SPREAD + 1, np.float32)
    for i in range(len(kernel)):
        kernel[i] = math.cos((i - SPREAD) / SPREAD * math.pi / 2) ** 2
    for frame in range(len(spectra)):
        total = 0.0
        for k in range(n_points):
            power[k] = spectra[frame, k].real ** 2 + spectra[frame, k].imag ** 2
        for k in range(first, n_points):
            total += power[k]
        n_peaks = find_peaks(power, first, grid.least, grid.hz_per_point, peaks)
        sum_harmonics(peaks, n_peaks, grid.lowest, harmonics, weights, kernel, impulses, salience)
        pick(salience, grid.lowest, found[frame])
        refine(peaks, n_peaks, harmonics, weights, total * grid.lobe, found[frame])


@compiled
def find_peaks(
    power: np.ndarray, first: int, least: float, hz_per_point: float, peaks: np.ndarray
) -> int:
    """Write frequency (Hz, cents) and amplitude of each peak, and return their number.

    A parabola through the logarithm of the power at the highest point and its neighbours.
    """
    highest = np.float32(0.0)
    for k in range(first, len(power) - 1):
        highest = max(highest, power[k])
    floor, n_peaks = np.float32(least) * highest, 0
    tiny = np.float32(1e-35)
    for k in range(first, len(power) - 1):
        if power[k] > floor and power[k] > power[k - 1] and power[k] >= power[k + 1]:
            left = math.log(max(power[k - 1], tiny))
            top = math.log(max(power[k], tiny))
            right = math.log(max(power[k + 1], tiny))
            curvature = left - 2 * top + right
            shift = 0.5 * (left - right) / curvature if curvature < 0 else 0.0
            peaks[n_peaks, 0] = hz = (k + shift) * hz_per_point
            peaks[n_peaks, 1] = 1200 * math.log2(hz)
            peaks[n_peaks, 2] = math.exp(0.5 * (top - 0.25 * (left - right) * shift))
            n_peaks += 1
    return n_peaks


@compiled
def sum_harmonics(
    peaks: np.ndarray,
    n_peaks: int,
    lowest: float,
    harmonics: np.ndarray,
    weights: np.ndarray,
    kernel: np.ndarray,
    impulses: np.ndarray,
    salience: np.ndarray,
) -> None:
    """Write the salience of each bin, and of a semitone of bins beyond either end.

    The paper's sum over peaks and harmonics of an amplitude and a cosine squared about the bin
    of a peak's frequency over the harmonic's number; here the amplitudes are added up by bins
    first, and the cosine is laid over the sum, which is the same and takes less time.
    """
    impulses[:] = 0
    for i in range(n_peaks):
        for h in range(len(harmonics)):
            b = math.floor((peaks[i, 1] - harmonics[h] - lowest) / BIN + 0.5) + 2 * SPREAD
            if b < 0:
                break
            if b < len(impulses):
                impulses[b] += peaks[i, 2] * weights[h]
    salience[:] = 0
    for j in range(len(kernel)):
        weight = kernel[j]
        for b in range(len(salience)):
            salience[b] += weight * impulses[b + j]


@compiled
def pick(salience: np.ndarray, lowest: float, found: np.ndarray) -> None:
    """Write cents and salience of the highest local maxima, the highest first."""
    found[:] = 0
    last = len(found) - 1
    for b in range(SPREAD, len(salience) - SPREAD):
        s = salience[b]
        if s > found[last, 1] and s > salience[b - 1] and s >= salience[b + 1]:
            place = last
            while place > 0 and found[place - 1, 1] < s:
                found[place, 0] = found[place - 1, 0]
                found[place, 1] = found[place - 1, 1]
                place -= 1
            found[place, 0] = lowest + BIN * (b - SPREAD)
            found[place, 1] = s


@compiled
def refine(
    peaks: np.ndarray,
    n_peaks: int,
    harmonics: np.ndarray,
    weights: np.ndarray,
    total: float,
    found: np.ndarray,
) -> None:
    """Move each pitch to the mean of what its harmonics say, and write their share of power.

    A harmonic says its frequency over its number, and counts as it does in the salience.
    """
    for c in range(len(found)):
        if found[c, 1] == 0:
            break
        cents = found[c, 0]
        hz = 2.0 ** (cents / 1200)
        moved, weighed, power = 0.0, 0.0, 0.0
        for i in range(n_peaks):
            h = int(peaks[i, 0] / hz + 0.5)
            if h < 1 or h > len(harmonics):
                continue
            off = peaks[i, 1] - harmonics[h - 1] - cents
            if abs(off) < SPREAD * BIN:
                near = math.cos(off / (SPREAD * BIN) * math.pi / 2) ** 2
                weight = near * weights[h - 1] * peaks[i, 2]
                moved += weight * off
                weighed += weight
                power += near * peaks[i, 2] ** 2
        if weighed > 0:
            found[c, 0] = cents + moved / weighed
        if total > 0:
            found[c, 2] = power / total
