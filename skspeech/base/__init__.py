"""The scikit-learn face of every network; what lies behind it is in :mod:`skspeech.training`."""

from skspeech.base.classifier import NetworkClassifier
from skspeech.base.regressor import NetworkRegressor

__all__ = ["NetworkClassifier", "NetworkRegressor"]
