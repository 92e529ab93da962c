import pytest


@pytest.fixture
def keras(monkeypatch):
    """Give Keras with torch beneath, to compare with, where it is installed."""
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    return pytest.importorskip("keras", reason="Keras, which this is compared with, is not there")
