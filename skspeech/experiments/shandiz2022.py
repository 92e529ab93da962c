"""Tables 2 and 3 of Shandiz and Tóth (2022): spectra from tongue ultrasound, by orders of layers.

A. H. Shandiz, L. Tóth, "Improved processing of ultrasound tongue videos by combining ConvLSTM and
3D convolutional networks", 2022; section 5.

The paper's 438 sentences of one speaker are to be asked for. Here the sentences are those of
:func:`~skspeech.datasets.make_tongue_ultrasound`, parted as there: 310 to learn from, 41 that
choose the epoch, 87 to be tested on. So the figures stand side by side, but are of other data.

The small experiment has 28, 4 and 8 shorter sentences in 32 x 16 pixels, kernels of 5 x 5, half the
maps, and batches of 32 for 20 epochs at most, for a few cores and no GPU.
"""

from functools import partial
from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.utils import Bunch

from skspeech.experiments.baselines import FrameRidge
from skspeech.experiments.protocol import Experiment, Run
from skspeech.model_selection import SpeakerShuffleSplit
from skspeech.models import Conv3DBiLSTMRegressor, Conv3DConvLSTMRegressor, Conv3DRegressor
from skspeech.preprocessing import MelTargets, UltrasoundScaler, align_frames

__all__ = ["TONGUES", "TONGUES_SMALL"]

PROTOCOL = "unheard-sentences"

#: The orders of Table 3 beside the best, which is the third network of Table 2.
_ORDERS = ("llll", "lll", "clll", "ccll", "clcl", "lccl")
_LAYERS = {"c": "conv3d", "l": "convlstm"}

_NETWORKS: dict[str, tuple[Any, dict[str, Any]]] = {
    "3d-cnn": (Conv3DRegressor, {}),
    "3d-cnn-bilstm": (Conv3DBiLSTMRegressor, {}),
    "3d-cnn-convlstm": (Conv3DConvLSTMRegressor, {}),
    **{
        f"layers-{order}": (Conv3DConvLSTMRegressor, {"layers": tuple(map(_LAYERS.get, order))})
        for order in _ORDERS
    },
}

# Table 2, and in its rounding Table 3 (whose line of the best says 0.27): squared error and mean R2
# on the development part, then on the test part.
_TABLES: dict[str, tuple[float | None, ...]] = {
    "3d-cnn": (0.292, 0.714, 0.293, 0.710),
    "3d-cnn-bilstm": (0.285, 0.721, 0.282, 0.721),
    "3d-cnn-convlstm": (0.276, 0.727, 0.276, 0.73),
    "layers-llll": (0.31, None, 0.31, None),
    "layers-lll": (0.29, None, 0.3, None),
    "layers-clll": (0.31, None, 0.31, None),
    "layers-ccll": (0.36, None, 0.35, None),
    "layers-clcl": (0.3, None, 0.3, None),
    "layers-lccl": (0.34, None, 0.34, None),
}
_FIGURES = ("validation_mse", "validation_r2", "mse", "r2")
PUBLISHED = {
    (PROTOCOL, name): {
        figure: value for figure, value in zip(_FIGURES, values, strict=True) if value is not None
    }
    for name, values in _TABLES.items()
}

_SMALL = {"kernel_size": 5, "batch_size": 32, "max_epochs": 20}


def _load_tongues(data_home: Any, *, n_sentences: int, n_pixels: int) -> Bunch:
    """Return sentences of one synthetic speaker, and their spectra as what is to be answered."""
    from skspeech.datasets import make_tongue_ultrasound

    tongues: Any = make_tongue_ultrasound(
        n_sentences=n_sentences, n_pixels=n_pixels, random_state=0
    )
    spectra = MelTargets().fit_transform(tongues.audio)
    videos, spectra = align_frames(tongues.data, spectra)
    names = np.array([f"sentence {i}" for i in range(n_sentences)])
    return Bunch(
        data=videos,
        frame_targets=spectra,
        speakers=names,  # of one speaker: what is kept apart are the sentences
        filenames=names,
        sample_rate=tongues.sample_rate,
        description=(
            f"make_tongue_ultrasound(n_sentences={n_sentences}, n_pixels={n_pixels}, "
            f"random_state=0), {sum(map(len, videos))} frames"
        ),
    )


def _network(name: str, sample_rate: float, seed: int) -> Pipeline:
    cls, own = _NETWORKS[name]
    return make_pipeline(UltrasoundScaler(), cls(**own, random_state=seed))


def _small(name: str, sample_rate: float, seed: int) -> Pipeline:
    system = _network(name, sample_rate, seed)
    system[0].set_params(height=32, width=16)
    network = system[-1].set_params(**_SMALL)
    maps = (15, 30, 45, 42)
    if isinstance(network, Conv3DConvLSTMRegressor):
        n_layers = len(network.layers)
        network.set_params(n_maps=(*maps[: n_layers - 1], 32))
    else:
        network.set_params(n_maps=maps)
    return system


def _ridge(sample_rate: float, seed: int) -> Pipeline:
    return make_pipeline(UltrasoundScaler(height=32, width=16), FrameRidge(context_frames=9))


def _split(n_validation: int, n_test: int, seed: int) -> SpeakerShuffleSplit:
    return SpeakerShuffleSplit(n_validation=n_validation, n_test=n_test, random_state=seed)


def _runs(system: Any, splitter: Any) -> tuple[Run, ...]:
    networks = [Run(PROTOCOL, name, partial(system, name), splitter) for name in _NETWORKS]
    return (*networks, Run(PROTOCOL, "ridge", _ridge, splitter))


TONGUES = Experiment(
    about="Shandiz and Tóth 2022 on make_tongue_ultrasound: Tables 2 and 3.",
    load=partial(_load_tongues, n_sentences=438, n_pixels=256),
    runs=_runs(_network, partial(_split, 41, 87)),
    published=PUBLISHED,
)
TONGUES_SMALL = Experiment(
    about="Shandiz and Tóth 2022 on make_tongue_ultrasound, small: Tables 2 and 3.",
    load=partial(_load_tongues, n_sentences=40, n_pixels=128),
    runs=_runs(_small, partial(_split, 4, 8)),
    published=PUBLISHED,
)
