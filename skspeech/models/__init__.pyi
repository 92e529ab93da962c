from .cnn_lstm import CNNLSTM1DClassifier, CNNLSTM2DClassifier

__all__ = ["CNNLSTM1DClassifier", "CNNLSTM2DClassifier"]
