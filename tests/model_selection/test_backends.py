"""Evaluations and searches under other backends of joblib: the same scores, and killed workers."""

import importlib.util
import logging
import os
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
import soundfile
from joblib import Parallel, delayed, parallel_config
from joblib._parallel_backends import ThreadingBackend
from joblib.externals.loky import get_reusable_executor
from joblib.externals.loky.process_executor import TerminatedWorkerError
from scipy.stats import loguniform
from sklearn.base import clone
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    RandomizedSearchCV,
    cross_val_score,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skspeech.exceptions import MissingExtraError
from skspeech.model_selection import (
    TPESearchCV,
    cross_validate_frames,
    cross_validate_speakers,
    read_results,
    register_dask,
)
from skspeech.preprocessing import AudioLoader, LogMelSpectrogram
from skspeech.recordings import RecordingSequence
from skspeech.testing import small_instance

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="workers are killed by a signal")

RNG = np.random.default_rng(0)
X = [RNG.normal(size=(4, n)).astype(np.float32) for n in RNG.integers(8, 16, 24)]
Y = np.array(["a", "b"] * 12)
SPEAKERS = np.repeat(list("uvwxyz"), 4)
VIDEOS = [RNG.normal(size=(9, 6, 4)) for _ in range(4)]
SPECTRA = [RNG.normal(size=(9, 3)) for _ in range(4)]
CONTOURS = [[[*"abcab"], [*"cabca"]], [[*"bcabc"]], [[*"aabb"]], [[*"abab"]]] * 3
NETWORK = small_instance("CNNLSTM2DClassifier").set_params(max_epochs=2)
SEARCH = {"cv": GroupKFold(3), "scoring": "neg_log_loss"}
LR = {"lr": [1e-3, 1e-2]}


def rows_of(rows):
    """Rows without what no two runs agree about."""
    for row in rows:
        for epoch in row["history"] or []:
            epoch.pop("seconds")
    return [{k: v for k, v in row.items() if "seconds" not in k and k != "key"} for row in rows]


def scores_of(search):
    found = search.fit(X, Y, groups=SPEAKERS).cv_results_
    return [found["params"], *(found[f"split{i}_test_score"].tolist() for i in range(3))]


def features(folder):
    """Spectrograms of files and motifs, some of them in each worker."""
    paths = []
    for i in range(4):
        paths.append(folder / f"{i}.wav")
        soundfile.write(paths[-1], np.sin(np.arange(900) * (i + 1) / 9), 8000)
    loaded = AudioLoader(sample_rate=8000).fit_transform(paths)
    mel = LogMelSpectrogram(sample_rate=8000, n_fft=64, hop_length=32, n_mels=4)
    miner = small_instance("ClosedMotifMiner").set_params(min_support=1, min_length=2)
    jobs = [delayed(clone(mel).fit_transform)(loaded[rows]) for rows in ([0, 2], [1, 3])]
    jobs += [delayed(clone(miner).fit_transform)(part) for part in (CONTOURS[:6], CONTOURS[6:])]
    found = Parallel()(jobs)
    return [[np.asarray(one).tolist() for one in part] for part in found]


EVALUATIONS = {
    "cross_val_score": lambda _: cross_val_score(
        NETWORK, X, Y, groups=SPEAKERS, cv=GroupKFold(3)
    ).tolist(),
    "cross_validate_speakers": lambda _: rows_of(
        cross_validate_speakers(NETWORK, X, Y, groups=SPEAKERS)
    ),
    "read on access": lambda _: rows_of(
        cross_validate_speakers(NETWORK, RecordingSequence(X, np.tanh), Y, groups=SPEAKERS)
    ),
    "a search inside": lambda _: rows_of(
        cross_validate_speakers(
            GridSearchCV(NETWORK, LR, **SEARCH), X, Y, groups=SPEAKERS, cv=GroupKFold(2)
        )
    ),
    "cross_validate_frames": lambda _: rows_of(
        cross_validate_frames(
            small_instance("Conv3DRegressor").set_params(max_epochs=2),
            VIDEOS,
            SPECTRA,
            groups=list("aabb"),
        )
    ),
    "GridSearchCV": lambda _: scores_of(GridSearchCV(NETWORK, LR, **SEARCH)),
    "RandomizedSearchCV": lambda _: scores_of(
        RandomizedSearchCV(
            NETWORK, {"lr": loguniform(1e-4, 1e-1)}, n_iter=2, random_state=0, **SEARCH
        )
    ),
    "TPESearchCV": lambda _: scores_of(
        TPESearchCV(NETWORK, {"lr": loguniform(1e-4, 1e-1)}, n_iter=11, random_state=0, **SEARCH)
    ),
    "features": features,
}


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """What each evaluation gives in this process; computed when it is asked for."""
    known = {}

    def answer(name):
        if name not in known:
            with parallel_config("sequential"):
                known[name] = EVALUATIONS[name](tmp_path_factory.mktemp("alone"))
        return known[name]

    return answer


@pytest.fixture(scope="module")
def importable():
    """Let workers import the module beside this one."""
    folder = str(Path(__file__).parent)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        patch.setenv("PYTHONPATH", os.pathsep.join([folder, os.environ.get("PYTHONPATH", "")]))
        yield


@pytest.fixture(scope="module")
def loky(importable):
    get_reusable_executor().shutdown(kill_workers=True)  # another test's, of another path
    yield {"backend": "loky", "n_jobs": 2}
    get_reusable_executor().shutdown(kill_workers=True)


@pytest.fixture(scope="module")
def dask(importable):
    distributed = pytest.importorskip("distributed", reason="needs the extra dask")
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=None, silence_logs=logging.CRITICAL
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield {"backend": "dask", "client": client}


def _folder():
    """A short name, for sockets lie in it; ray may still write when the tests are over."""
    return tempfile.TemporaryDirectory(prefix="r", ignore_cleanup_errors=True)


@pytest.fixture(scope="module")
def ray(importable):
    if importlib.util.find_spec("ray") is None:
        pytest.skip(reason="needs the extra ray, which has no wheel for this Python")
    with pytest.MonkeyPatch.context() as patch, _folder() as folder:
        patch.setenv("RAY_AUTH_MODE", "disabled")  # else it writes a token into the home directory
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        import ray
        from ray.util.joblib import register_ray

        register_ray()
        ray.init(
            num_cpus=2,
            include_dashboard=False,
            object_store_memory=80 * 2**20,
            log_to_driver=False,
            logging_level=logging.ERROR,
            _temp_dir=folder,
        )
        try:
            yield {"backend": "ray", "n_jobs": 2}
        finally:
            ray.shutdown()


def doomed(folder, at):
    """A model that kills its process at one of its calls."""
    from doomed import killed

    step = FunctionTransformer(killed, kw_args={"log": str(folder / "calls"), "at": at})
    return make_pipeline(step, NETWORK)


@pytest.mark.parametrize(
    ("backend", "name"),
    [(backend, name) for backend in ("loky", "dask") for name in EVALUATIONS],
)
def test_scores_are_those_of_one_process(backend, name, alone, request, tmp_path):
    with parallel_config(**request.getfixturevalue(backend)):
        assert EVALUATIONS[name](tmp_path) == alone(name)


def test_a_search_outlives_a_worker_of_dask(dask, alone, tmp_path):
    """Where joblib holds no array for it on one worker alone: these recordings are a list."""
    search = GridSearchCV(doomed(tmp_path, 5), {"cnnlstm2dclassifier__lr": LR["lr"]}, **SEARCH)
    with parallel_config(**dask):
        assert scores_of(search)[1:] == alone("GridSearchCV")[1:]


def test_a_search_outlives_a_worker_that_held_its_arrays(dask, alone, tmp_path):
    """joblib hands arrays above 1,000 bytes to one worker, and its own backend loses them."""
    register_dask()
    dask["client"].wait_for_workers(2, timeout=60)
    search = GridSearchCV(doomed(tmp_path, 5), {"cnnlstm2dclassifier__lr": LR["lr"]}, **SEARCH)
    assert Y.astype("U40").nbytes > 1000
    with parallel_config("skspeech-dask", client=dask["client"]):
        search.fit(X, Y.astype("U40"), groups=SPEAKERS)
    assert (tmp_path / "calls").stat().st_size > 2 * 3 * 2 + 1, "one was killed"
    found = [search.cv_results_[f"split{i}_test_score"].tolist() for i in range(3)]
    assert found == alone("GridSearchCV")[1:]


def test_a_missing_dask_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(MissingExtraError, match=r"register_dask needs distributed.*\[dask\]"):
        register_dask()


@pytest.mark.parametrize("name", ["cross_validate_speakers", "a search inside"])
def test_scores_with_arrays_sent_are_those_of_one_process(name, dask, alone, tmp_path):
    register_dask()
    with parallel_config("skspeech-dask", client=dask["client"]):
        assert EVALUATIONS[name](tmp_path) == alone(name)


@pytest.mark.parametrize("name", ["GridSearchCV", "features"])  # each call starts its workers
def test_scores_under_ray_are_those_of_one_process(name, ray, alone, tmp_path):
    with parallel_config(**ray):
        assert EVALUATIONS[name](tmp_path) == alone(name)


class ByTheRound(ThreadingBackend):
    """A backend that gives all answers at once, as joblib's multiprocessing does."""

    supports_return_generator = False


def test_a_backend_without_generators_computes_by_the_round(alone, tmp_path):
    files = [tmp_path / "rows.csv"] * 2  # the second time, nothing is left to compute
    with parallel_config(ByTheRound(), n_jobs=4):
        for file in files:
            rows = cross_validate_speakers(NETWORK, X, Y, groups=SPEAKERS, results=file)
            assert rows_of(rows) == alone("cross_validate_speakers")


@pytest.mark.parametrize("backend", ["dask", "ray"])
def test_an_evaluation_outlives_a_worker(backend, alone, request, tmp_path):
    options = request.getfixturevalue(backend)
    if backend == "ray":
        again = {"max_restarts": 1, "max_task_retries": 1}
        options = {**options, "ray_remote_args": again}
    else:
        options["client"].wait_for_workers(2, timeout=60)  # of one, joblib makes no use
    with parallel_config(**options):
        rows = cross_validate_speakers(
            doomed(tmp_path, 8), X, Y, groups=SPEAKERS, results=tmp_path / "rows.csv"
        )
    assert (tmp_path / "calls").stat().st_size > 6 * 3, "one was killed"
    assert rows_of(rows) == alone("cross_validate_speakers")
    assert len(read_results(tmp_path / "rows.csv")) == 6


def test_a_search_goes_on_after_a_broken_pool(loky, alone, tmp_path):
    """The same candidates are drawn, and those that were fitted are taken from their files."""
    space, files = {"cnnlstm2dclassifier__lr": loguniform(1e-4, 1e-1)}, tmp_path / "checkpoints"

    def search(at):
        model = doomed(tmp_path, at).set_params(cnnlstm2dclassifier__checkpoint_dir=str(files))
        return TPESearchCV(model, space, n_iter=11, random_state=0, refit=False, **SEARCH)

    with parallel_config(**loky), pytest.raises(TerminatedWorkerError):
        scores_of(search(at=40))
    kept = {path: path.stat().st_mtime_ns for path in files.glob("*.checkpoint")}
    again = scores_of(search(at=40))  # in this process: workers take seconds to start
    written = [path for path, time in kept.items() if path.stat().st_mtime_ns != time]
    assert len(kept) > 10
    assert len(written) <= 2, "two were being trained"
    assert again[1:] == alone("TPESearchCV")[1:]


def test_an_evaluation_goes_on_after_a_broken_pool(loky, alone, tmp_path):
    call = {"X": X, "y": Y, "groups": SPEAKERS, "results": tmp_path / "rows.csv"}
    with parallel_config(**loky), pytest.raises(TerminatedWorkerError):
        cross_validate_speakers(doomed(tmp_path, 10), **call)
    kept = {row["key"] for row in read_results(tmp_path / "rows.csv")}
    n_calls = (tmp_path / "calls").stat().st_size
    rows = cross_validate_speakers(doomed(tmp_path, 10), **call)
    assert 1 <= len(kept) < 6
    assert (tmp_path / "calls").stat().st_size - n_calls == 3 * (6 - len(kept))
    assert rows_of(rows) == alone("cross_validate_speakers")
