"""What the spectrograms share: threads, and what a subclass has to define."""

import threading

import joblib
import numpy as np
import pytest
from numpy.testing import assert_array_equal

from skspeech.exceptions import RecordingError
from skspeech.preprocessing import MFCC, LogMelSpectrogram, LogPowerSpectrogram, _power
from skspeech.preprocessing._power import PowerTransformer

FRONTS = [LogMelSpectrogram(), LogPowerSpectrogram(), MFCC()]


def voices(*lengths):
    rng = np.random.default_rng(0)
    return [0.1 * rng.standard_normal(n).astype(np.float32) for n in lengths]


@pytest.mark.parametrize("front", FRONTS, ids=lambda front: type(front).__name__)
@pytest.mark.parametrize("n_threads", [2, 3, 16])
def test_any_number_of_threads_gives_the_same_digits(monkeypatch, front, n_threads):
    X = voices(9000, 1, 700, 40000, 16000, 3, 800)
    wanted = front.transform(X)  # OMP_NUM_THREADS is 1 in the tests
    monkeypatch.setenv("OMP_NUM_THREADS", str(n_threads))
    for found, row in zip(front.transform(X), wanted, strict=True):
        assert_array_equal(found, row)


@pytest.mark.parametrize(("n_threads", "others"), [(1, 0), (4, 4), (100, 8)])
def test_so_many_threads_work(monkeypatch, n_threads, others):
    seen = set()
    everybody = threading.Barrier(max(1, others), timeout=10)

    class Watched(LogPowerSpectrogram):
        def _from_power(self, power):
            seen.add(threading.get_ident())
            everybody.wait()
            return super()._from_power(power)

    monkeypatch.setenv("OMP_NUM_THREADS", str(n_threads))
    Watched().transform(voices(*[900] * 8))
    assert len(seen - {threading.get_ident()}) == others


def test_nothing_is_prepared_in_a_thread(monkeypatch):
    """librosa's filters are made with warnings caught, which is not for threads."""
    seen = set()

    class Watched(LogMelSpectrogram):
        _threaded = True

        def _make_power(self):
            seen.add(threading.get_ident())
            return super()._make_power()

    monkeypatch.setenv("OMP_NUM_THREADS", "4")
    Watched(n_fft=512, n_mels=16).transform(voices(*[900] * 8))
    assert seen == {threading.get_ident()}


@pytest.mark.parametrize("value", ["", "0", "all"])
def test_without_a_wish_there_are_as_many_threads_as_cores(monkeypatch, value):
    monkeypatch.setenv("OMP_NUM_THREADS", value)
    assert _power._n_threads() == joblib.cpu_count()


@pytest.mark.parametrize(("value", "wanted"), [("3", 3), ("4,2", 4)])
def test_a_wish_for_threads(monkeypatch, value, wanted):
    monkeypatch.setenv("OMP_NUM_THREADS", value)
    assert _power._n_threads() == wanted


@pytest.mark.parametrize("n_threads", [1, 2, 5])
def test_the_first_of_two_errors_is_raised(monkeypatch, n_threads):
    monkeypatch.setenv("OMP_NUM_THREADS", str(n_threads))
    quiet, loud, short = np.ones(40000), np.full(40000, 1e30), np.full(4, 1e30)
    with pytest.raises(RecordingError, match=r"^X\[1\] is so loud"):
        LogPowerSpectrogram().transform([quiet, loud, quiet, short])


@pytest.mark.parametrize("name", ["_make_power", "_from_power"])
def test_a_subclass_must_say_what_it_computes(name):
    class Idle(PowerTransformer):
        _parameter_constraints = {}

        def _make_power(self):
            return np.ones_like

        def _from_power(self, power):
            return power

    delattr(Idle, name)
    with pytest.raises(TypeError, match=f"Idle must define {name}"):
        Idle().transform([np.ones(3)])
