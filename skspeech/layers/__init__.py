"""Torch layers that know about padding: masked ones, and those of video as Keras has them."""

from skspeech.layers.conv3d import SameConv3d, SamePool3d
from skspeech.layers.conv_lstm import ConvLSTM
from skspeech.layers.masked import (
    MaskedConv1d,
    MaskedConv2d,
    MaskedSequential,
    length_mask,
    mask_padding,
)
from skspeech.layers.normalization import MaskedBatchNorm1d, MaskedBatchNorm2d
from skspeech.layers.pooling import (
    MaskedAvgPool1d,
    MaskedAvgPool2d,
    MaskedMaxPool1d,
    MaskedMaxPool2d,
)
from skspeech.layers.recurrent import MaskedRecurrent
from skspeech.layers.residual import MaskedResidual
from skspeech.layers.summary import MaskedSummary

__all__ = [
    "ConvLSTM",
    "MaskedAvgPool1d",
    "MaskedAvgPool2d",
    "MaskedBatchNorm1d",
    "MaskedBatchNorm2d",
    "MaskedConv1d",
    "MaskedConv2d",
    "MaskedMaxPool1d",
    "MaskedMaxPool2d",
    "MaskedRecurrent",
    "MaskedResidual",
    "MaskedSequential",
    "MaskedSummary",
    "SameConv3d",
    "SamePool3d",
    "length_mask",
    "mask_padding",
]
