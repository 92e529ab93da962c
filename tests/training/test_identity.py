"""What a training is known by."""

import numpy as np
import pandas as pd
import pytest
import torch
from joblib import Parallel, delayed
from sklearn.model_selection import PredefinedSplit
from skorch.callbacks import Callback

from skspeech.recordings import validate_recordings
from skspeech.testing import make_labels, make_recordings, small_instance
from skspeech.training.identity import training_key

SPECTROGRAMS, LABELS = make_recordings("spectrogram", 16), make_labels(16)


class Weighs(Callback):
    """A callback of a user, who gives it a tensor."""

    def __init__(self, weights):
        self.weights = weights


def small(name="CNNLSTM2DClassifier", **parameters):
    return small_instance(name).set_params(**parameters)


class TestKey:
    def key(self, recordings=SPECTROGRAMS, labels=LABELS, groups=None, **parameters):
        return training_key(small(**parameters), recordings, labels, groups)

    @pytest.mark.parametrize(
        "parameters",
        [
            {"lr": 0.2},
            {"random_state": 1},
            {"max_epochs": 9},
            {"labels": LABELS[::-1].copy()},
            {"groups": LABELS},
            {"recordings": [-x for x in SPECTROGRAMS]},
            {"validation": PredefinedSplit([0] * 3 + [-1] * 13)},
            {"callbacks": [Weighs(None)]},
            {"name": "VariableLengthCRNNClassifier"},
        ],
        ids=lambda parameters: next(iter(parameters)),
    )
    def test_what_changes_the_result(self, parameters):
        assert self.key(**parameters) != self.key()

    def test_what_does_not(self):
        assert self.key(verbose=1, checkpoint_dir="elsewhere") == self.key()
        again = [x.copy() for x in SPECTROGRAMS]
        assert self.key(recordings=again) == self.key(recordings=list(SPECTROGRAMS))

    def test_a_memory_map(self, tmp_path):
        table = np.random.default_rng(0).standard_normal((8, 5))
        np.save(tmp_path / "table.npy", table)
        mapped = np.load(tmp_path / "table.npy", mmap_mode="r")
        assert self.key(recordings=mapped) == self.key(recordings=table)

    def test_what_was_trained_before(self):
        first, second = (small(random_state=seed).fit(SPECTROGRAMS, LABELS) for seed in (0, 1))
        second.set_params(random_state=0)
        keys = set()
        for warm_start in (False, True):
            for estimator in (first, second):
                estimator.set_params(warm_start=warm_start)
                keys.add(training_key(estimator, SPECTROGRAMS, LABELS, None))
        assert len(keys) == 3

    def test_not_how_long_it_took(self):
        first, second = (small(warm_start=True).fit(SPECTROGRAMS, LABELS) for _ in range(2))
        assert training_key(first, SPECTROGRAMS) == training_key(second, SPECTROGRAMS)

    def test_in_a_worker(self):
        n = 400  # joblib maps what is larger than a megabyte
        rng = np.random.default_rng(0)
        whole = [rng.standard_normal((n, 2 * n), dtype=np.float32) for _ in range(3)]
        parted = [
            [x[:, ::2] for x in whole],
            [x.T for x in whole],
            [x[:2, ::2] for x in whole],
        ]
        table = pd.DataFrame(rng.standard_normal((9, 4)), columns=list("abcd"))
        table["e"] = 1.0
        words = pd.Series([f"class {i % 2}" for i in range(9)])
        estimator = small(callbacks=[Weighs(torch.ones(3))], class_weight={"class 1": 2.0})
        found = (*parted, table, table.iloc[[1, 3]])
        calls = [
            (estimator, validate_recordings(small(), recordings, reset=True), words, words[::2])
            for recordings in found
        ]
        keys = Parallel(n_jobs=2)(delayed(training_key)(*call) for call in calls)
        assert keys == [training_key(*call) for call in calls]

    def test_of_the_script(self):
        """What a script defines is made anew in a worker, where it is not in __main__."""
        first, second, other = (
            type(name, (Callback,), {"__module__": "__main__", "__qualname__": name})
            for name in ("Own", "Own", "Another")
        )
        assert self.key(callbacks=[first()]) == self.key(callbacks=[second()])
        assert self.key(callbacks=[first()]) != self.key(callbacks=[other()])

    def test_a_frozen_set(self):
        """The order of texts in it is another in each process, as that of these numbers is."""
        first, second = frozenset([8, 16, 0]), frozenset([16, 0, 8])
        assert list(first) != list(second)
        keys = {self.key(callbacks=[Weighs(members)]) for members in (first, second)}
        assert len(keys) == 1

    def test_a_refusal_is_short(self):
        class Local(Callback):
            pass

        for estimator in (small(callbacks=[Local()]), small(callbacks=[Weighs(lambda: 0)])):
            with pytest.raises(ValueError, match="functions of a module") as refused:
                training_key(estimator, SPECTROGRAMS, LABELS)
            assert len(str(refused.value)) < 500
            assert len(str(refused.value.__cause__)) < 300
