"""One small instance of every public estimator: few maps, small kernels, few epochs, short windows.

scikit-learn's checks fit a classifier about 70 times and want more than 0.83 accuracy on
blobs; the instances are as small as that allows. Nothing else is changed from the defaults but
``batch_frames``, since all of a table of a few columns would be one batch, and an epoch one step,
and for the networks with batches of 64 and a patience of 2, made for thousands of motifs, both.
"""

from typing import Any, NamedTuple

__all__ = ["INSTANCES", "small_instance"]


class Part(NamedTuple):
    """An estimator that is a parameter of another: its name and its parameters."""

    name: str
    parameters: dict[str, Any]


_SMALL_NETWORK = {
    "n_maps": (8, 8),
    "pool_sizes": (4, 4),
    "lstm_units": 8,
    "max_epochs": 12,
    "lr": 1e-2,
    "random_state": 0,
}

_SMALL_CRNN = {
    "n_maps": (4, 8),
    "kernel_sizes": ((3, 4), 3),
    "pool_sizes": (2, 2),
    "recurrent_units": 8,
    "max_epochs": 10,
    "lr": 1e-2,
    "batch_frames": None,
    "random_state": 0,
}

_SMALL_MOTIF_NETWORK = {
    "dense_units": 16,
    "max_epochs": 6,
    "lr": 1e-2,
    # from 16 on torch has another kernel for convolutions of 1 x 1; the two differ by 3e-7
    "batch_size": 12,
    "patience": None,
    "random_state": 0,
}

_SMALL_VIDEO_NETWORK = {
    "kernel_size": 3,
    "context_frames": 5,
    "dropout": 0.0,
    "max_epochs": 10,
    "lr": 1e-2,
    "batch_size": 16,
    "patience": None,
    "standardize": "bin",
    "random_state": 0,
}

#: The parameters of the small instance of each class, by the name it is registered under.
INSTANCES: dict[str, dict[str, Any]] = {
    "AudioLoader": {"sample_rate": 800},
    "CNNLSTM1DClassifier": _SMALL_NETWORK,
    "CNNLSTM2DClassifier": _SMALL_NETWORK,
    "CRNNClassifier": {"n_maps": (4, 8), "gru_units": 8, "gru_layers": 1, **_SMALL_MOTIF_NETWORK},
    "ClosedMotifMiner": {},
    "ContourApproximator": {"n_levels": 6},
    "Conv3DBiLSTMRegressor": {"n_maps": (8, 8), "lstm_units": 8, **_SMALL_VIDEO_NETWORK},
    "Conv3DConvLSTMRegressor": {
        "layers": ("conv3d", "convlstm"),
        "n_maps": (8, 8),
        **_SMALL_VIDEO_NETWORK,
    },
    "Conv3DRegressor": {"n_maps": (8, 8), "dense_units": 16, **_SMALL_VIDEO_NETWORK},
    "Deltas": {"width": 3, "order": 1},
    "FixedDuration": {"duration": 0.01, "sample_rate": 800},
    "FixedLengthCRNNClassifier": _SMALL_CRNN,
    "GriffinLimVocoder": {
        "sample_rate": 800,
        "frame_rate": 85.0,  # a hop that is not whole
        "n_fft": 32,
        "f_max": None,
        "n_iter": 2,
    },
    "LogMelSpectrogram": {"n_fft": 32, "hop_length": 8, "n_mels": 4},
    "LogPowerSpectrogram": {
        "sample_rate": 800,
        "win_length": 16,
        "hop_length": 8,
        "n_fft": 32,
        "f_max": 200.0,
    },
    "MFCC": {"n_fft": 32, "hop_length": 8, "n_mels": 4, "n_mfcc": 3},
    "MelTargets": {
        "sample_rate": 800,
        "frame_rate": 85.0,  # a hop that is not whole
        "n_fft": 32,
        "n_mels": 4,
        "f_max": None,
    },
    "MultiKernelBLSTMClassifier": {
        "kernel_widths": (1, 3),
        "n_maps": (4, 8, 8),
        "lstm_units": 4,
        "dense_units": 16,
        "max_epochs": 6,
        "lr": 2e-2,
        "random_state": 0,
    },
    "MotifExtractor": {
        "sample_rate": 2000,
        "pitch": Part(
            "SaliencePitch",
            {"sample_rate": 2000, "win_length": 64, "hop_length": 8, "min_duration": 0.001},
        ),
        # steps of a cent or two, which the noise on a tone makes
        "contour": Part(
            "ContourApproximator",
            {
                "sample_rate": 2000,
                "hop_length": 8,
                "method": "segments",
                "margin": 1.0,
                "interval_borders": (5,),
            },
        ),
        "miner": Part("ClosedMotifMiner", {"min_support": 1, "min_length": 1}),
        "spectrogram": Part(
            "LogMelSpectrogram", {"sample_rate": 1000, "n_fft": 32, "hop_length": 8, "n_mels": 4}
        ),
    },
    "PyinPitch": {
        "sample_rate": 800,
        "frame_length": 20,
        "hop_length": 8,
        "f_min": 100.0,
        "f_max": 200.0,
    },
    "Residual50Classifier": {"n_maps": 2, "n_blocks": (1, 1), **_SMALL_MOTIF_NETWORK},
    "ResidualBLSTMClassifier": {
        "n_maps": 4,
        "n_blocks": 1,
        "lstm_units": 8,
        **_SMALL_MOTIF_NETWORK,
    },
    "SaliencePitch": {"sample_rate": 800, "win_length": 32, "hop_length": 8},
    "SpeakerScaler": {"without_groups": "recording"},
    "SpectrogramScaler": {},
    "UltrasoundFramer": {"context_frames": 5},
    "UltrasoundScaler": {"height": 4, "width": 8},
    "UltrasoundToSpeech": {
        "sample_rate": 800,
        "frame_rate": 85.0,
        "scaler": Part("UltrasoundScaler", {"height": 8, "width": 6}),
        "targets": Part(
            "MelTargets",
            {"sample_rate": 800, "frame_rate": 85.0, "n_fft": 32, "n_mels": 4, "f_max": None},
        ),
        "regressor": Part(
            "Conv3DConvLSTMRegressor",
            {
                **_SMALL_VIDEO_NETWORK,
                "layers": ("conv3d", "convlstm"),
                "n_maps": (4, 4),
                "max_epochs": 1,
            },
        ),
        "vocoder": Part(
            "GriffinLimVocoder",
            {
                "sample_rate": 800,
                "frame_rate": 85.0,
                "n_fft": 32,
                "f_max": None,
                "n_iter": 2,
                "lookahead": 1,
            },
        ),
    },
    "VariableLengthCRNNClassifier": _SMALL_CRNN,
    "WaveGlowVocoder": {
        "sample_rate": 800,
        "frame_rate": 85.0,  # a hop that is not whole
        "hop_length": 8,
        "n_flows": 2,
        "n_group": 4,
        "n_layers": 2,
        "n_channels": 4,
        "max_epochs": 2,
        "segment_length": 64,
    },
}


def small_instance(name: str) -> Any:
    """Return a small instance of one of our own estimators.

    Parameters
    ----------
    name : str
        The name it is registered under.

    Returns
    -------
    estimator

    Raises
    ------
    KeyError
        If no small instance is known.

    Examples
    --------
    >>> from skspeech.testing import small_instance
    >>> small_instance("FixedDuration")
    FixedDuration(duration=0.01, sample_rate=800)
    """
    return _built(Part(name, INSTANCES[name]))


def _built(part: Part) -> Any:
    from skspeech.plugins import load

    parameters = {
        key: _built(value) if isinstance(value, Part) else value
        for key, value in part.parameters.items()
    }
    return load(part.name, distribution="skspeech")(**parameters)
