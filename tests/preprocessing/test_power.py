"""What the spectrograms share: threads, and what a subclass has to define."""

import signal
import threading
import time
import tomllib
from pathlib import Path

import joblib
import numpy as np
import pytest
from numpy.testing import assert_array_equal
from packaging.requirements import Requirement

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
    pools = []
    pool = _power.ThreadPoolExecutor
    monkeypatch.setattr(_power, "ThreadPoolExecutor", lambda n: (pools.append(n), pool(n))[1])
    monkeypatch.setattr(type(front), "_threaded", True)
    monkeypatch.setenv("OMP_NUM_THREADS", str(n_threads))
    for found, row in zip(front.transform(X), wanted, strict=True):
        assert_array_equal(found, row)
    assert pools == [min(n_threads, len(X))]


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


@pytest.mark.parametrize("n_threads", [1, 2, 5])
def test_the_first_of_several_that_are_too_loud_is_named(monkeypatch, n_threads):
    monkeypatch.setenv("OMP_NUM_THREADS", str(n_threads))
    long, short = np.full(90000, 1e30), np.full(4, 1e30)
    for _ in range(5):
        with pytest.raises(RecordingError, match=r"^X\[0\] is so loud"):
            LogPowerSpectrogram().transform([long, *[short] * 6])


class Slow(LogPowerSpectrogram):
    """Takes a hundredth of a second a recording, and fails where the power is zero."""

    def _from_power(self, power):
        self.tried.append(1)
        self.before(power)
        time.sleep(0.01)
        return super()._from_power(power)


@pytest.mark.parametrize("error", [MemoryError, SystemExit])
@pytest.mark.parametrize("n_threads", [1, 2, 5])
def test_an_error_stops_the_other_threads(monkeypatch, n_threads, error):
    def fail_on_silence(power):
        if not power.any():
            time.sleep(0.05 / len(power[0]))  # the later of two fails first
            raise error(f"of {len(power[0])} frames")

    monkeypatch.setenv("OMP_NUM_THREADS", str(n_threads))
    slow = Slow()
    slow.tried, slow.before = [], fail_on_silence
    X = [*voices(900), np.zeros(160), np.zeros(1600), *voices(*[900] * 97)]
    with pytest.raises(error, match="of 2 frames"):
        slow.transform(X)
    assert len(slow.tried) < 50


@pytest.mark.parametrize("n_threads", [1, 2, 5])
def test_ctrl_c_stops_the_threads(monkeypatch, n_threads):
    def interrupt_once(power):
        if len(slow.tried) == 1:
            signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

    monkeypatch.setenv("OMP_NUM_THREADS", str(n_threads))
    slow = Slow()
    slow.tried, slow.before = [], interrupt_once
    # where the tests run in the background of a shell, Ctrl-C is ignored
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            slow.transform(voices(*[900] * 100))
    finally:
        signal.signal(signal.SIGINT, handler)
    assert len(slow.tried) < 50


def test_a_subclass_must_say_what_it_computes():
    class Idle(PowerTransformer):
        _parameter_constraints = {}

    with pytest.raises(TypeError, match="Idle must define _make_power"):
        Idle().transform([np.ones(3)])


def test_the_oldest_numpy_writes_spectra_into_a_buffer():
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text("utf-8"))
    wanted = {r.name: r for r in map(Requirement, project["project"]["dependencies"])}
    assert "1.26.4" not in wanted["numpy"].specifier, "rfft(out=) came with numpy 2.0"
