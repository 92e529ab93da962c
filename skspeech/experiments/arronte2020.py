"""Table 2 of Arronte Alvarez and Gómez-Martín (2020): three networks on three features.

A. Arronte Alvarez, F. Gómez-Martín, "Singer Identification Using Convolutional Acoustic Motif
Embeddings", arXiv:2008.00198, 2020; sections 4 and 5.

The paper tests on 20 percent of all motifs, drawn at random, so that motifs of a song, and copies
of one recording, are on both sides. Here that protocol is one of several.

- ``arronte2020-flamenco``: the motifs that the authors released, all of them and split as in the
  paper; ``arronte2020-flamenco-groups`` is without copies, and whatever overlaps stays together.
- ``arronte2020-fsdd``: who speaks, on digits that were not heard in training.
- ``arronte2020-singing``: songs of :func:`~skspeech.datasets.make_singing`. Motifs, motifs with
  context and random pieces are split at random as in the paper, and the whole system is asked about
  songs that it never heard.

The small ones have an eighth of the maps and units, and batches of 16 for their few recordings, for
a few cores and no GPU.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from sklearn.model_selection import GroupKFold, LeaveOneGroupOut, ShuffleSplit
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.utils import Bunch

from skspeech.experiments.baselines import mfcc_svc
from skspeech.experiments.protocol import Experiment, Run
from skspeech.mining import ClosedMotifMiner
from skspeech.models import CRNNClassifier, Residual50Classifier, ResidualBLSTMClassifier
from skspeech.preprocessing import (
    MFCC,
    ContourApproximator,
    LogMelSpectrogram,
    LogPowerSpectrogram,
    MotifExtractor,
)
from skspeech.recordings import explode, object_array

__all__ = [
    "FLAMENCO",
    "FLAMENCO_GROUPS",
    "FSDD",
    "FSDD_SMALL",
    "SINGING",
    "SINGING_SMALL",
]

Settings = Mapping[str, Mapping[str, Any]]

#: In the order of Table 2.
FEATURES = ("mfcc", "spectrogram", "mel")
SEGMENTS = ("motif", "motif+context", "random")

# Table 2, the data set "Motifs": accuracy and AUC in percent, by feature in the order of FEATURES.
_TABLE_2 = {
    "crnn": ((88.59, 87.66), (87.13, 86.54), (91.05, 89.11)),
    "residual50": ((87.31, 86.55), (83.47, 81.98), (93.19, 91.77)),
    "residual-blstm": ((94.78, 92.02), (91.62, 88.66), (96.29, 94.42)),
}

PUBLISHED = {
    ("motif-at-random", f"{network}-{feature}"): {"wa": accuracy, "auc": auc}
    for network, figures in _TABLE_2.items()
    for feature, (accuracy, auc) in zip(FEATURES, figures, strict=True)
}

_NETWORKS: dict[str, Any] = {
    "crnn": CRNNClassifier,
    "residual50": Residual50Classifier,
    "residual-blstm": ResidualBLSTMClassifier,
}

# Motifs last less than the 29 frames that the CRNN's pools take by default.
_FULL: Settings = {
    "crnn": {"pool_padding": "same"},
    "residual50": {},
    "residual-blstm": {},
}
_EIGHTH: dict[str, Any] = {"dense_units": 128, "batch_size": 16}
_SMALL: Settings = {
    "crnn": {"n_maps": (16,) * 4, "gru_units": 32, **_FULL["crnn"], **_EIGHTH},
    "residual50": {"n_maps": 8, **_EIGHTH},
    "residual-blstm": {"n_maps": 16, "lstm_units": 64, **_EIGHTH},
}


def _mfcc(sample_rate: float) -> MFCC:
    """Return the paper's 40 coefficients of windows of 25 ms; steps of half of it.

    Below 16,000 Hz windows keep their 400 samples, as in
    :meth:`~skspeech.models.CRNNClassifier.pipeline`.
    """
    hop_length = round(0.0125 * sample_rate)
    return MFCC(sample_rate=sample_rate, n_fft=max(400, 2 * hop_length), hop_length=hop_length)


def _log_mel(sample_rate: float) -> LogMelSpectrogram:
    """Return the log-mel spectrogram of the networks' own pipeline."""
    return CRNNClassifier.pipeline(sample_rate=sample_rate)[0]


def _power_spectrogram(sample_rate: float) -> LogPowerSpectrogram:
    """Return the paper's spectrogram: 400 bins of windows of 25 ms, here up to half the rate."""
    hop_length = round(0.0125 * sample_rate)
    return LogPowerSpectrogram(
        sample_rate=sample_rate,
        window="hann",
        win_length=2 * hop_length,
        hop_length=hop_length,
        n_fft=800,
        f_max=sample_rate / 2,
    )


_FRONT_ENDS: dict[str, Callable[[float], Any]] = {
    "mfcc": _mfcc,
    "spectrogram": _power_spectrogram,
    "mel": _log_mel,
}


def _network(
    network: str, feature: str, settings: Settings, sample_rate: float, seed: int
) -> Pipeline:
    """Return a network behind its feature, from waveforms."""
    classifier = _NETWORKS[network](**settings[network], random_state=seed)
    return make_pipeline(_FRONT_ENDS[feature](sample_rate), classifier)


def _system(
    segments: str, network: str, feature: str, settings: Settings, sample_rate: float, seed: int
) -> Pipeline:
    """Return the whole system, from songs: their motifs, the feature of these, the network."""
    spectrogram, classifier = _network(network, feature, settings, 16_000, seed)
    extractor = _extractor(segments, sample_rate, seed).set_params(spectrogram=spectrogram)
    return make_pipeline(extractor, classifier)


def _extractor(segments: str, sample_rate: float, seed: int) -> MotifExtractor:
    """Return the extractor that finds most of what is planted in the songs.

    Its contour is the one that docs/arronte2020.md measures as "12 levels, smoothed"; that a motif
    must come back in four phrases keeps them few.
    """
    contour = ContourApproximator(
        sample_rate=sample_rate,
        hop_length=max(1, round(256 * sample_rate / 44_100)),
        n_levels=12,
        min_duration=0.02,
        max_dropout=0.03,
    )
    return MotifExtractor(
        sample_rate=sample_rate,
        contour=contour,
        miner=ClosedMotifMiner(min_support=4),
        segments=segments,
        random_state=seed,
    )


def _svc(sample_rate: float, seed: int) -> Pipeline:
    return mfcc_svc(sample_rate).set_params(mfcc=_mfcc(sample_rate))


def _at_random(seed: int) -> ShuffleSplit:
    return ShuffleSplit(1, test_size=0.2, random_state=seed)


def _five_parts(seed: int) -> GroupKFold:
    return GroupKFold(5)


def _one_left_out(seed: int) -> LeaveOneGroupOut:
    return LeaveOneGroupOut()


def _runs(
    protocol: str,
    splitter: Callable[[int], Any],
    settings: Settings,
    *,
    features: Sequence[str] = FEATURES,
    system: Callable[..., Pipeline] = _network,
    view: Callable[[Bunch], Bunch] | None = None,
) -> list[Run]:
    """Return a run of each network on each feature."""
    return [
        Run(
            protocol,
            f"{network}-{feature}",
            partial(system, network, feature, settings),
            splitter,
            view,
        )
        for network in _NETWORKS
        for feature in features
    ]


def _runs_with_svc(
    protocol: str,
    splitter: Callable[[int], Any],
    settings: Settings,
    *,
    features: Sequence[str] = FEATURES,
    view: Callable[[Bunch], Bunch] | None = None,
) -> list[Run]:
    """Return a run of each network on each feature, and of the support vector machine."""
    svc = Run(protocol, "svc-mfcc", _svc, splitter, view)
    return [*_runs(protocol, splitter, settings, features=features, view=view), svc]


def _singing_runs(settings: Settings, features: Sequence[str] = FEATURES) -> list[Run]:
    """Return the runs on segments at random, then those of whole systems on unheard songs."""
    runs = []
    for segments in SEGMENTS:
        view = partial(_cut_songs, segments)
        protocol = f"{segments}-at-random"
        runs += _runs_with_svc(protocol, _at_random, settings, features=features, view=view)
    for segments in SEGMENTS:
        runs += _runs(
            f"{segments}-unheard-songs",
            _one_left_out,
            settings,
            features=features,
            system=partial(_system, segments),
        )
    return [*runs, Run("whole-unheard-songs", "svc-mfcc", _svc, _one_left_out)]


def _load_fsdd(data_home: Any) -> Bunch:
    """Return FSDD with its speakers to be told and its digits to be kept apart."""
    from skspeech.datasets import fetch_fsdd

    fsdd: Any = fetch_fsdd(data_home=data_home)
    fsdd.target_names, target = np.unique(fsdd.speakers, return_inverse=True)
    digits = np.array([f"digit {digit}" for digit in fsdd.target])
    fsdd.target, fsdd.speakers = target, digits
    fsdd.data = object_array(list(fsdd.data))
    names = " ".join(fsdd.target_names)
    fsdd.description = f"FSDD, {len(target)} of 3000 recordings, speakers {names}"
    return fsdd


def _load_singing(data_home: Any, *, n_songs: int, n_phrases: int, n_repeats: int) -> Bunch:
    """Return songs of five singers, at 16 kHz; songs of one number are kept apart."""
    from skspeech.datasets import make_singing

    songs: Any = make_singing(
        5,
        n_songs,
        n_phrases=n_phrases,
        n_repeats=n_repeats,
        sample_rate=16_000,
        random_state=0,
    )
    songs.speakers = np.array([f"song {number}" for number in songs.songs])
    songs.filenames = np.array(
        [
            f"{songs.target_names[i]}, song {n}"
            for i, n in zip(songs.target, songs.songs, strict=True)
        ]
    )
    songs.description = (
        f"make_singing(5, {n_songs}, n_phrases={n_phrases}, n_repeats={n_repeats}, "
        "sample_rate=16_000, random_state=0)"
    )
    return songs


def _cut_songs(segments: str, songs: Bunch) -> Bunch:
    """Return the segments of all songs as recordings, each a group of its own.

    As in the paper, motifs are mined from all songs before any is put aside.
    """
    extractor = _extractor(segments, songs.sample_rate, 0).fit(songs.data, songs.target)
    cuts = explode(extractor.cut(songs.data), songs.target)
    return Bunch(
        data=cuts.data,
        target=cuts.target,
        target_names=songs.target_names,
        speakers=np.arange(len(cuts.data)),
        filenames=songs.filenames[cuts.recordings],
        sample_rate=songs.sample_rate,
        description=f"{songs.description}, {len(cuts.data)} segments ({segments})",
    )


def _load_flamenco(data_home: Any, *, duplicates: str) -> Bunch:
    """Return the released motifs in ``flamenco-motifs`` of the folder of the corpora."""
    from skspeech.datasets import load_flamenco_motifs
    from skspeech.datasets._files import data_home_path

    folder = data_home_path(data_home) / "flamenco-motifs"
    motifs: Any = load_flamenco_motifs(folder, duplicates=duplicates)
    n_motifs = len(motifs.target)
    motifs.speakers = motifs.groups if duplicates == "drop" else np.arange(n_motifs)
    motifs.data = object_array(list(motifs.data))
    motifs.description = f"flamenco-motifs, {n_motifs} of 11158 files, duplicates={duplicates!r}"
    return motifs


FLAMENCO = Experiment(
    about="Arronte Alvarez and Gómez-Martín 2020 on the motifs they released: Table 2, as printed.",
    load=partial(_load_flamenco, duplicates="keep"),
    runs=_runs_with_svc("motif-at-random", _at_random, _FULL),
    published=PUBLISHED,
    features=FEATURES,
)
FLAMENCO_GROUPS = Experiment(
    about="The same without copies, and what overlaps with it kept on one side.",
    load=partial(_load_flamenco, duplicates="drop"),
    runs=_runs_with_svc("motif-unheard-excerpts", _five_parts, _FULL),
    features=FEATURES,
)
FSDD = Experiment(
    about="The networks of Arronte Alvarez and Gómez-Martín 2020 on FSDD: who says unheard digits.",
    load=_load_fsdd,
    runs=_runs_with_svc("unheard-digits", _five_parts, _FULL),
    features=FEATURES,
)
FSDD_SMALL = Experiment(
    about="The same with an eighth of the maps and units, and batches of 16.",
    load=_load_fsdd,
    runs=_runs_with_svc("unheard-digits", _five_parts, _SMALL),
    features=FEATURES,
)
SINGING = Experiment(
    about="Arronte Alvarez and Gómez-Martín 2020 on make_singing: motif, motif+context, random.",
    load=partial(_load_singing, n_songs=8, n_phrases=8, n_repeats=4),
    runs=_singing_runs(_FULL),
    features=FEATURES,
)
SINGING_SMALL = Experiment(
    about="The same on fewer and shorter songs, on log-mel, with an eighth of the maps and units.",
    load=partial(_load_singing, n_songs=4, n_phrases=3, n_repeats=3),
    runs=_singing_runs(_SMALL, ("mel",)),
    features=("mel",),
)
