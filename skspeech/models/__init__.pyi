from .cnn_lstm import CNNLSTM1DClassifier, CNNLSTM2DClassifier
from .multi_kernel_blstm import MultiKernelBLSTMClassifier
from .variable_length_crnn import FixedLengthCRNNClassifier, VariableLengthCRNNClassifier

__all__ = [
    "CNNLSTM1DClassifier",
    "CNNLSTM2DClassifier",
    "FixedLengthCRNNClassifier",
    "MultiKernelBLSTMClassifier",
    "VariableLengthCRNNClassifier",
]
