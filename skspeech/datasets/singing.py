"""Synthetic singing: songs without words or accompaniment whose pitch and motifs are known.

The voice is that of :mod:`skspeech.datasets.emotional_speech`: glottal pulses through formant
resonators. Melodies are of our making, in the manner that flamenco singing is described: small
figures that come back, much ornament and vibrato, and a tuning that wanders.
"""

from numbers import Integral, Real

import numpy as np
from sklearn.utils import Bunch
from sklearn.utils._param_validation import Interval, validate_params

from skspeech.datasets._files import read_descr
from skspeech.datasets._performance import Manner, draw_singer, sing
from skspeech.datasets._songs import compose, draw_motifs, draw_style
from skspeech.datasets._voice import Seed
from skspeech.recordings import object_array


@validate_params(
    {
        "n_singers": [Interval(Integral, 1, None, closed="left")],
        "n_songs": [Interval(Integral, 1, None, closed="left")],
        "n_motifs": [Interval(Integral, 1, None, closed="left")],
        "n_phrases": [Interval(Integral, 1, None, closed="left")],
        "n_repeats": [Interval(Integral, 1, None, closed="left")],
        "vibrato": [Interval(Real, 0, 600, closed="both")],
        "ornaments": [Interval(Real, 0, 1, closed="both")],
        "glide": [Interval(Real, 0, 1, closed="both")],
        "drift": [Interval(Real, 0, 600, closed="both")],
        "snr": [Interval(Real, 0, None, closed="both")],
        "sample_rate": [Interval(Integral, 8000, None, closed="left")],
        "hop_length": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
        "return_X_y": ["boolean"],
    },
    prefer_skip_nested_validation=True,
)
def make_singing(
    n_singers: int = 4,
    n_songs: int = 3,
    *,
    n_motifs: int = 3,
    n_phrases: int = 8,
    n_repeats: int = 4,
    vibrato: float = 40.0,
    ornaments: float = 0.2,
    glide: float = 0.08,
    drift: float = 15.0,
    snr: float = 40.0,
    sample_rate: int = 44_100,
    hop_length: int = 256,
    random_state: int | np.random.RandomState | None = None,
    return_X_y: bool = False,
) -> Bunch | tuple[np.ndarray, np.ndarray]:
    """Make songs by several singers, with their pitch and with where their motifs are.

    A song is a row of phrases parted by breaths. Every motif of its singer is sung in several of
    them, each time from another pitch and in another tempo, between notes of no plan. Two thirds of
    a singer's motifs are the singer's own, the others are shared with one other singer. The signal
    is like singing, it is not singing: use it to try, test and time estimators, never to report how
    well they do.

    Parameters
    ----------
    n_singers : int, default=4
        Number of singers, alternately low and high voices.
    n_songs : int, default=3
        Number of songs of each singer, about 35 s each by default.
    n_motifs : int, default=3
        Number of motifs of a singer, all of which are in every song: five to eight steps of one to
        five semitones. A third of them, rounded down, are another singer's as well.
    n_phrases : int, default=8
        Number of phrases of a song.
    n_repeats : int, default=4
        In how many phrases of a song each motif is sung, once in each; at most `n_phrases`.
    vibrato : float, default=40.0
        How far long notes swing to either side, in cents, for a typical singer. 0 is a straight
        tone.
    ornaments : float, default=0.2
        Share of the notes, 0 to 1, that come with a grace note, a turn or a slide.
    glide : float, default=0.08
        Seconds from one note to the next; 0 for steps.
    drift : float, default=15.0
        Standard deviation, in cents, of the tuning of a song, which wanders from phrase to phrase.
        At 0 every note is a whole number of semitones above 55 Hz.
    snr : float, default=40.0
        Level of the singing above the noise of the recording, in dB; ``inf`` for no noise.
    sample_rate : int, default=44100
        In Hz, at least 8000.
    hop_length : int, default=256
        Samples from one frame of `pitch` to the next.
    random_state : int, RandomState instance or None, default=None
        The same number makes the same songs, whatever was drawn before (NumPy's streams may change
        with its version). A song depends on its singer and number, not on how many others are made,
        and its notes not on how they are sung. None takes fresh entropy from the system; the global
        random state is neither read nor changed.
    return_X_y : bool, default=False
        Return ``(data, target)`` in place of the whole bunch.

    Returns
    -------
    bunch : :class:`~sklearn.utils.Bunch`
        With the attributes, n standing for n_singers * n_songs,

        data : ndarray of shape (n,), dtype object
            Each item a float32 waveform of shape (n_samples,) in [-1, 1].
        target : ndarray of shape (n,), dtype int64
            The singer, as an index into `target_names`.
        target_names : ndarray of shape (n_singers,)
            ``"singer 1"`` and so on.
        songs : ndarray of shape (n,), dtype int64
            Which of the singer's songs it is, 0 to n_songs - 1: the groups to split by. Songs of
            one number share mode and tempo.
        pitch : ndarray of shape (n,), dtype object
            Each item float32 of shape (1 + n_samples // hop_length,): the true pitch in Hz at
            sample ``i * hop_length``, 0 where no one sings.
        motifs : ndarray of shape (n * n_motifs * n_repeats,), structured
            Where motifs are sung: ``recording``, ``motif`` (an index into `motif_steps`),
            ``start`` of the first note and ``end`` of the last, in seconds; by recording and start.
        motif_steps : ndarray of shape (n_different_motifs,), dtype object
            Each item a tuple of int: semitones from note to note.
        motif_names : ndarray of shape (n_different_motifs,)
            Whose they are, such as ``"singer 1, motif 2"`` or ``"singers 1 and 2, motif 3"``.
        notes : ndarray of shape (n_notes,), structured
            What is sung, without ornaments: ``recording``, ``phrase``, ``motif`` (-1 where it
            belongs to none), ``start`` and ``end`` in seconds, ``cents`` above 55 Hz.
        sample_rate, hop_length : int
            As given.
        DESCR : str
            How the songs are made.

    (data, target) : tuple of ndarray
        If `return_X_y` is true.

    Raises
    ------
    ValueError
        If a number is out of range, or `n_repeats` is above `n_phrases`.

    References
    ----------
    A. E. Rosenberg (1971). Effect of glottal pulse shape on the quality of natural vowels. Journal
    of the Acoustical Society of America 49(2B), 583-590. (Glottal pulse.)

    D. H. Klatt (1980). Software for a cascade/parallel formant synthesizer. Journal of the
    Acoustical Society of America 67(3), 971-995. (Resonators.)

    A. Arronte Alvarez and F. Gómez-Martín (2020). Singer identification using convolutional
    acoustic motif embeddings. arXiv:2008.00198. (What flamenco singing is like.)

    Examples
    --------
    >>> from skspeech.datasets import make_singing
    >>> singing = make_singing(2, 1, n_phrases=4, n_repeats=3, random_state=0)
    >>> singing.data.shape, singing.target_names[singing.target].tolist()
    ((2,), ['singer 1', 'singer 2'])
    >>> occurrence = singing.motifs[0]
    >>> print(singing.motif_names[occurrence["motif"]], singing.motif_steps[occurrence["motif"]])
    singer 1, motif 1 (-2, 1, 5, -4, 1, 1, -5)
    """
    if n_repeats > n_phrases:
        raise ValueError(
            f"n_repeats is {n_repeats}, more than the {n_phrases} of n_phrases: a motif is sung "
            "once in a phrase. Lower n_repeats or raise n_phrases."
        )
    seed = Seed.draw(random_state)
    manner = Manner(vibrato, ornaments, glide, drift)
    motifs, repertoires = draw_motifs(seed, n_singers, n_motifs)
    singers = [draw_singer(seed.rng(2, i), low=i % 2 == 0) for i in range(n_singers)]
    keys = [(i, j) for i in range(n_singers) for j in range(n_songs)]
    waveforms, pitches, notes, occurrences = [], [], [], []
    for recording, (i, j) in enumerate(keys):
        written, planted, seconds = compose(
            seed.rng(3, i, j),
            motifs,
            repertoires[i],
            draw_style(seed.rng(4, j)),
            n_phrases=n_phrases,
            n_repeats=n_repeats,
        )
        written["cents"] += 100.0 * singers[i].tonic
        written["recording"] = planted["recording"] = recording
        f0, waveform = sing(
            seed.rng(5, i, j), written, seconds, singers[i], manner, snr, sample_rate
        )
        waveforms.append(waveform)
        pitches.append(f0[::hop_length].astype(np.float32))
        notes.append(written)
        occurrences.append(planted)
    data = object_array(waveforms)
    target = np.array([i for i, _ in keys], dtype=np.int64)
    if return_X_y:
        return data, target
    return Bunch(
        data=data,
        target=target,
        target_names=np.array([f"singer {i + 1}" for i in range(n_singers)]),
        songs=np.array([j for _, j in keys], dtype=np.int64),
        pitch=object_array(pitches),
        motifs=np.concatenate(occurrences),
        motif_steps=object_array([motif.steps for motif in motifs]),
        motif_names=np.array([motif.name for motif in motifs]),
        notes=np.concatenate(notes),
        sample_rate=sample_rate,
        hop_length=hop_length,
        DESCR=read_descr("singing"),
    )
