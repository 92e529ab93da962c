"""Estimators of this package and of others: found, checked, and begun."""

from skspeech.plugins.health import check_plugins
from skspeech.plugins.registry import (
    ESTIMATOR_KINDS,
    EstimatorEntry,
    all_estimators,
    list_estimators,
    load,
)
from skspeech.plugins.skeleton import write_plugin

__all__ = [
    "ESTIMATOR_KINDS",
    "EstimatorEntry",
    "all_estimators",
    "check_plugins",
    "list_estimators",
    "load",
    "write_plugin",
]
