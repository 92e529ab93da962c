from .cnn_lstm import CNNLSTM1DClassifier, CNNLSTM2DClassifier
from .conv3d import Conv3DBiLSTMRegressor, Conv3DConvLSTMRegressor, Conv3DRegressor
from .motif_crnn import CRNNClassifier
from .multi_kernel_blstm import MultiKernelBLSTMClassifier
from .residual50 import Residual50Classifier
from .residual_blstm import ResidualBLSTMClassifier
from .variable_length_crnn import FixedLengthCRNNClassifier, VariableLengthCRNNClassifier

__all__ = [
    "CNNLSTM1DClassifier",
    "CNNLSTM2DClassifier",
    "CRNNClassifier",
    "Conv3DBiLSTMRegressor",
    "Conv3DConvLSTMRegressor",
    "Conv3DRegressor",
    "FixedLengthCRNNClassifier",
    "MultiKernelBLSTMClassifier",
    "Residual50Classifier",
    "ResidualBLSTMClassifier",
    "VariableLengthCRNNClassifier",
]
