"""A training that is stopped goes on to the result that it would have had."""

from collections import Counter, OrderedDict, defaultdict, namedtuple
from functools import partial

import numpy as np
import pytest
import torch
from joblib import Parallel, delayed
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.callback import ProgressBar
from sklearn.model_selection import GridSearchCV, ShuffleSplit
from sklearn.pipeline import make_pipeline
from skorch.callbacks import Callback, EarlyStopping, Freezer, LRScheduler, Unfreezer
from torch.optim.lr_scheduler import MultiStepLR, OneCycleLR

from skspeech.archive import FileFormat
from skspeech.base import NetworkClassifier, NetworkRegressor
from skspeech.plugins import all_estimators
from skspeech.preprocessing import SpectrogramScaler
from skspeech.recordings import RecordingSequence
from skspeech.testing import make_labels, make_recordings, small_instance
from skspeech.testing.data import data, speakers
from skspeech.training.checkpoint import Checkpoint, open_checkpoint
from skspeech.training.net import SpeechNet

FORMAT = FileFormat("skspeech checkpoint", 1)
SPECTROGRAMS, LABELS = make_recordings("spectrogram", 16), make_labels(16)

NETWORKS = sorted(
    name for name, cls in all_estimators() if issubclass(cls, NetworkClassifier | NetworkRegressor)
)


class Killed(BaseException):
    """Ends a training as no handler expects."""


class Counts(Callback):
    """A callback of a user, whose memory a result depends on."""

    def on_train_begin(self, net, X=None, y=None, **kwargs):
        self.seen = []

    def on_epoch_end(self, net, **kwargs):
        self.seen.append(net.history[-1, "train_loss"])
        net.history.record("event_lr", sum(self.seen))


class Forgetful(Counts):
    """One whose memory is nothing that a file can hold."""

    def on_epoch_end(self, net, **kwargs):
        self.seen = {1, 2}


class Remembering(Forgetful):
    """The same one, which says what it must remember."""

    def state_dict(self):
        return {"seen": sorted(self.seen)}

    def load_state_dict(self, state):
        self.seen = set(state["seen"])


class Counting(Counts):
    """One that counts on from what it was given, and in other kinds of containers."""

    def __init__(self, total=0):
        self.total = total

    def on_train_begin(self, net, X=None, y=None, **kwargs):
        self.found, self.order = Counter(), OrderedDict()

    def on_epoch_end(self, net, **kwargs):
        self.total += 1
        self.found[f"epoch {self.total}"] += 1
        self.order[self.total] = np.arange(self.total)
        self.order.move_to_end(self.total, last=False)
        net.history.record("event_lr", self.total + len(self.found) + next(iter(self.order)))
        net.history.record("confusion", np.eye(2))


class Precise(torch.optim.Optimizer):
    """One whose state is of another type than the weights, to its last digits."""

    def __init__(self, groups, lr):
        super().__init__(groups, {"lr": lr / 100})

    @torch.no_grad()
    def step(self, closure):
        with torch.enable_grad():
            closure()
        for group in self.param_groups:
            for weight in group["params"]:
                state = self.state[weight]
                state["sum"] = state.get("sum", 0) + weight.grad.double()
                weight -= (group["lr"] * (1e12 * state["sum"]).sin()).float()


class Given(Callback):
    """One that only looks at what it is given."""

    def __init__(self, value):
        self.value = value


class Holds(Callback):
    """One that remembers what it is given; what that is, is said by a function of a module."""

    def __init__(self, make):
        self.make = make

    def on_epoch_end(self, net, **kwargs):
        self.held = self.make()


def make_pair():
    return namedtuple("Pair", "first second")(1, 2)


def make_half():
    return torch.zeros(2, dtype=torch.bfloat16)


class StopAfter:
    """A callback of scikit-learn's kind."""

    def __init__(self, n_epochs):
        self.n_epochs = n_epochs

    def setup(self, estimator, context):
        pass

    def on_fit_task_begin(self, estimator, context):
        pass

    def on_fit_task_end(self, estimator, context, *, fitted_estimator):
        return context.task_name == "epoch" and fitted_estimator.n_iter_ == self.n_epochs

    def teardown(self, estimator, context):
        pass


def small(name="CNNLSTM2DClassifier", **parameters):
    estimator = small_instance(name)
    return estimator.set_params(**{"max_epochs": 4, **parameters})


def killed(estimator, *data, after, monkeypatch):
    """Fit until some epochs are written, and die."""
    save = Checkpoint.save

    def save_and_die(self, net, **state):
        save(self, net, **state)
        if state["n_epochs"] == after:
            raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(Checkpoint, "save", save_and_die)
        with pytest.raises(Killed):
            estimator.fit(*data)


def tamper(folder, change):
    """Change the only checkpoint in a folder, so that it still is one."""
    (path,) = folder.glob("*.checkpoint")
    members, _ = FORMAT.unpack(path.read_bytes())
    tree = FORMAT.tree(members)
    change(tree)
    path.write_bytes(FORMAT.pack(tree, FORMAT.tensors(members)))


@pytest.fixture
def trained(monkeypatch):
    """Count the epochs that are trained."""
    epochs = []
    run = SpeechNet.run_single_epoch

    def counting(self, iterator, training, **options):
        epochs.extend([1] * training)
        return run(self, iterator, training, **options)

    monkeypatch.setattr(SpeechNet, "run_single_epoch", counting)
    return epochs


def assert_equal_trainings(found, expected):
    weights = expected.module_.state_dict()
    assert found.module_.state_dict().keys() == weights.keys()
    for name, tensor in found.module_.state_dict().items():
        assert torch.equal(tensor, weights[name]), name

    def rows(estimator):
        return [{**row, "seconds": 0} for row in estimator.history_]

    assert rows(found) == rows(expected)
    assert_array_equal(found.validation_.indices, expected.validation_.indices)


def check_goes_on(estimator, *data, folder, monkeypatch, stops=(1, 3)):
    """Compare a training that is killed after some epochs, again and again, with another."""
    expected = clone(estimator).fit(*data)
    estimator = clone(estimator).set_params(checkpoint_dir=folder)
    for after in stops:
        killed(clone(estimator), *data, after=after, monkeypatch=monkeypatch)
    found = clone(estimator).fit(*data)
    assert_equal_trainings(found, expected)
    return found, expected


class TestGoingOn:
    @pytest.mark.parametrize("name", NETWORKS)
    def test_every_network(self, name, tmp_path, monkeypatch):
        estimator = small(name)
        check_goes_on(estimator, *data(estimator), folder=tmp_path, monkeypatch=monkeypatch)

    @pytest.mark.parametrize(
        "parameters",
        [
            {"optimizer": "sgd"},
            {"optimizer": "rmsprop", "weight_decay": 0.1},
            {"optimizer": torch.optim.RAdam},
            {"optimizer": Precise, "validation": None},
            {"lr_patience": 1, "patience": 3},
            {"validation": None},
            {"validation": None, "batch_frames": 60},
            {"patience": 1, "lr": 0.5},
            {"dropout": 0.5, "batch_frames": 60, "class_weight": "balanced"},
            {"callbacks": [LRScheduler("CosineAnnealingLR", T_max=4)]},
            {"callbacks": [LRScheduler("StepLR", step_size=3, step_every="batch")]},
            {"callbacks": [("early", EarlyStopping("train_loss", threshold=0.5, patience=3))]},
            {"callbacks": [Counts()], "verbose": 1},
            {"callbacks": [Remembering()]},
            {"callbacks": [Counting(3), Counting()]},
            {"callbacks": [Freezer("*weight", at=1), Unfreezer("*weight", at=3)]},
            {"callbacks": [EarlyStopping(patience=2, load_best=True)]},
            {"callbacks": [LRScheduler(MultiStepLR, milestones=[2, 4])]},
            {"callbacks": [LRScheduler(OneCycleLR, max_lr=0.1, total_steps=90)]},
            {"random_state": np.random.RandomState(3)},
            {"standardize": None, "precision": "bfloat16"},
        ],
        ids=str,
    )
    def test_parameters(self, parameters, tmp_path, monkeypatch):
        estimator = small("VariableLengthCRNNClassifier", max_epochs=5, **parameters)
        stops = (1, 2) if {"patience", "callbacks"} & parameters.keys() else (1, 3, 4)
        check_goes_on(
            estimator,
            SPECTROGRAMS,
            LABELS,
            folder=tmp_path,
            monkeypatch=monkeypatch,
            stops=stops,
        )

    def test_random_excerpts(self, tmp_path, monkeypatch):
        estimator = small("MultiKernelBLSTMClassifier", crop_frames=5)
        check_goes_on(estimator, SPECTROGRAMS, LABELS, folder=tmp_path, monkeypatch=monkeypatch)

    def test_groups(self, tmp_path, monkeypatch):
        groups, _ = speakers(SPECTROGRAMS)
        _, expected = check_goes_on(
            small(), SPECTROGRAMS, LABELS, groups, folder=tmp_path, monkeypatch=monkeypatch
        )
        assert expected.validation_.method == "speaker"

    def test_another_part_held_out_is_another_training(self, tmp_path, trained):
        splitter = ShuffleSplit(1, test_size=4)  # alike by chance once in 1820
        for _ in range(2):
            small(checkpoint_dir=tmp_path, validation=splitter).fit(SPECTROGRAMS, LABELS)
        assert len(trained) == 2 * 4

    def test_after_the_last_epoch(self, tmp_path, monkeypatch, trained):
        """What batch normalisation measures in the end needs batches that are no more."""
        estimator = small(max_epochs=2, validation=None)
        check_goes_on(
            estimator,
            SPECTROGRAMS,
            LABELS,
            folder=tmp_path,
            monkeypatch=monkeypatch,
            stops=(1, 2),
        )
        assert len(trained) == 2 + 2

    def test_recordings_read_on_access(self, tmp_path, monkeypatch):
        recordings = RecordingSequence(SPECTROGRAMS, np.negative)
        check_goes_on(small(), recordings, LABELS, folder=tmp_path, monkeypatch=monkeypatch)

    def test_training_further(self, tmp_path, monkeypatch):
        further = {"warm_start": True, "max_epochs": 3}
        expected = small().fit(SPECTROGRAMS, LABELS)
        expected.set_params(**further).fit(SPECTROGRAMS, LABELS)
        folder = tmp_path / "new" / "folder"
        estimator = small(checkpoint_dir=folder).fit(SPECTROGRAMS, LABELS)
        estimator.set_params(**further)
        killed(estimator, SPECTROGRAMS, LABELS, after=2, monkeypatch=monkeypatch)
        assert estimator.n_iter_ == 4
        assert_equal_trainings(estimator.fit(SPECTROGRAMS, LABELS), expected)
        assert estimator.n_iter_ == 7
        assert len(list(folder.glob("*.checkpoint"))) == 2

    def test_what_a_callback_is_given_is_not_written(self, tmp_path):
        """It may be all the recordings."""
        for value in (0, np.zeros(10**5), [np.zeros(10**5)]):
            estimator = small(checkpoint_dir=tmp_path, max_epochs=1)
            estimator.set_params(callbacks=[Given(value)]).fit(SPECTROGRAMS, LABELS)
        sizes = [path.stat().st_size for path in tmp_path.glob("*.checkpoint")]
        assert len(sizes) == 3
        assert max(sizes) < min(sizes) + 2000

    def test_finished_is_taken_as_it_is(self, tmp_path, trained):
        first = small(checkpoint_dir=tmp_path).fit(SPECTROGRAMS, LABELS)
        n_trained = len(trained)
        again = small(checkpoint_dir=str(tmp_path)).fit(SPECTROGRAMS, LABELS)
        assert len(trained) == n_trained == first.n_iter_
        assert_equal_trainings(again, first)

    def test_arrays_do_not_grow_with_the_epochs(self, tmp_path):
        """A training of many epochs is not to spend its time on writing them down."""
        names = []
        for n_epochs in (1, 4):
            folder = tmp_path / str(n_epochs)
            small(checkpoint_dir=folder, max_epochs=n_epochs).fit(SPECTROGRAMS, LABELS)
            (path,) = folder.glob("*.checkpoint")
            members, _ = FORMAT.unpack(path.read_bytes())
            names.append(set(FORMAT.tensors(members)))
        assert names[0] == names[1]

    def test_callbacks_of_scikit_learn(self, tmp_path, monkeypatch):
        estimator = small(checkpoint_dir=tmp_path)
        killed(estimator, SPECTROGRAMS, LABELS, after=2, monkeypatch=monkeypatch)
        estimator.set_callbacks(ProgressBar()).fit(SPECTROGRAMS, LABELS)
        assert estimator.n_iter_ == 4

    def test_stopped_by_callbacks_of_scikit_learn(self, tmp_path):
        """They are no parameters, so that a training without them is another one."""
        expected = small().fit(SPECTROGRAMS, LABELS)
        estimator = small(checkpoint_dir=tmp_path)
        for _ in range(2):
            stopped = clone(estimator).set_callbacks(StopAfter(2)).fit(SPECTROGRAMS, LABELS)
            assert stopped.n_iter_ == 2
        assert_equal_trainings(estimator.fit(SPECTROGRAMS, LABELS), expected)

    def test_a_failure_keeps_what_is_written(self, tmp_path, trained):
        estimator = small(checkpoint_dir=tmp_path, lr=1e30, validation=None, optimizer="sgd")
        with pytest.raises(ValueError, match="diverged"):
            estimator.fit(SPECTROGRAMS, LABELS)
        n_trained = len(trained)
        with pytest.raises(ValueError, match="diverged"):
            estimator.fit(SPECTROGRAMS, LABELS)
        assert len(trained) <= n_trained + 1


class TestRefused:
    def test_no_seed(self, tmp_path):
        estimator = small(checkpoint_dir=tmp_path, random_state=None)
        with pytest.raises(ValueError, match="checkpoint_dir needs a random_state"):
            estimator.fit(SPECTROGRAMS, LABELS)
        assert not list(tmp_path.iterdir())

    def test_what_cannot_be_told_from_others(self, tmp_path):
        estimator = small(checkpoint_dir=tmp_path)
        recordings = RecordingSequence(SPECTROGRAMS, lambda x: x)
        with pytest.raises(ValueError, match="functions of a module"):
            estimator.fit(recordings, LABELS)

    def test_memory_that_a_file_cannot_hold(self, tmp_path):
        estimator = small(checkpoint_dir=tmp_path, callbacks=[Forgetful()])
        with pytest.raises(TypeError, match=r"Forgetful.*holds a set.*state_dict\(\)"):
            estimator.fit(SPECTROGRAMS, LABELS)

    @pytest.mark.parametrize(
        ("make", "reason"),
        [
            (make_pair, "a Pair"),
            (partial(defaultdict, int), "a defaultdict"),
            (make_half, "bfloat16"),
        ],
    )
    def test_memory_that_would_come_back_as_something_else(self, make, reason, tmp_path):
        estimator = small(checkpoint_dir=tmp_path, callbacks=[Holds(make)])
        with pytest.raises(TypeError, match=rf"Holds.*{reason}.*state_dict\(\)"):
            estimator.fit(SPECTROGRAMS, LABELS)

    @pytest.mark.parametrize(
        "change",
        [
            lambda tree: tree.pop("finished"),
            lambda tree: tree.update(n_epochs="1"),
            lambda tree: tree.update(n_epochs=10**12),
            lambda tree: tree.update(n_epochs=-1),
            lambda tree: tree["draws"].update(torch="none"),
            lambda tree: tree["callbacks"].update(best_epoch=3),
            lambda tree: tree.update(history=[]),
            lambda tree: tree.update(net={}),
        ],
    )
    def test_tampered(self, change, tmp_path):
        small(checkpoint_dir=tmp_path, max_epochs=1).fit(SPECTROGRAMS, LABELS)
        tamper(tmp_path, change)
        with pytest.raises(ValueError, match="cannot be gone on with"):
            small(checkpoint_dir=tmp_path, max_epochs=1).fit(SPECTROGRAMS, LABELS)

    def test_what_callbacks_of_skorch_are_given(self, tmp_path, monkeypatch):
        stopping = EarlyStopping(patience=3)
        estimator = small(checkpoint_dir=tmp_path, callbacks=[stopping])
        killed(estimator, SPECTROGRAMS, LABELS, after=1, monkeypatch=monkeypatch)
        other = ["monitor", "nothing"]
        tamper(tmp_path, lambda tree: tree["callbacks"]["EarlyStopping"]["dict"].append(other))
        assert estimator.fit(SPECTROGRAMS, LABELS).n_iter_ == 4

    @pytest.mark.parametrize("content", [b"", b"PK", b"not a checkpoint" * 99])
    def test_damaged(self, content, tmp_path):
        small(checkpoint_dir=tmp_path).fit(SPECTROGRAMS, LABELS)
        (path,) = tmp_path.glob("*.checkpoint")
        path.write_bytes(content)
        with pytest.raises(ValueError, match=rf"{path.name} cannot be gone on with.*Remove it"):
            small(checkpoint_dir=tmp_path).fit(SPECTROGRAMS, LABELS)

    def test_truncated(self, tmp_path):
        small(checkpoint_dir=tmp_path).fit(SPECTROGRAMS, LABELS)
        (path,) = tmp_path.glob("*.checkpoint")
        whole = path.read_bytes()
        for size in np.linspace(0, len(whole) - 1, 9, dtype=int):
            path.write_bytes(whole[:size])
            with pytest.raises(ValueError, match="cannot be gone on with"):
                small(checkpoint_dir=tmp_path).fit(SPECTROGRAMS, LABELS)

    def test_a_file_in_place_of_the_folder(self, tmp_path):
        (tmp_path / "file").touch()
        with pytest.raises(FileExistsError):
            small(checkpoint_dir=tmp_path / "file").fit(SPECTROGRAMS, LABELS)

    def test_type(self):
        with pytest.raises(ValueError, match="'checkpoint_dir' parameter"):
            small(checkpoint_dir=3).fit(SPECTROGRAMS, LABELS)


class TestSharing:
    def test_one_training_a_file(self, tmp_path):
        opened = partial(open_checkpoint, tmp_path, "key")
        with opened() as first, opened() as second, opened() as third:
            assert len({first.path, second.path, third.path}) == 3
        with opened() as again:
            assert again.path == first.path

    def test_freed_by_a_failure(self, tmp_path):
        with pytest.raises(Killed), open_checkpoint(tmp_path, "key"):
            raise Killed
        with open_checkpoint(tmp_path, "key") as checkpoint:
            assert checkpoint.path.name == "key.checkpoint"

    def test_what_a_killed_process_left(self, tmp_path):
        for name in (".key.checkpoint.1f.part", ".key-2.checkpoint.1f.part"):
            (tmp_path / name).touch()
        with open_checkpoint(tmp_path, "key"):
            left = {path.name for path in tmp_path.glob(".*")}
        assert left == {".key-2.checkpoint.1f.part"}

    @pytest.mark.parametrize("backend", ["threading", "loky"])
    def test_equal_trainings_at_once(self, backend, tmp_path):
        estimator = small(checkpoint_dir=tmp_path)
        fitted = Parallel(n_jobs=2, backend=backend)(
            delayed(clone(estimator).fit)(SPECTROGRAMS, LABELS) for _ in range(2)
        )
        assert_equal_trainings(*fitted)

    def test_a_search(self, tmp_path, trained):
        model = make_pipeline(SpectrogramScaler(), small(checkpoint_dir=tmp_path, max_epochs=2))
        grid = {"cnnlstm2dclassifier__lr": [0.1, 0.01]}
        first = GridSearchCV(model, grid, cv=2, n_jobs=2).fit(SPECTROGRAMS, LABELS)
        assert len(list(tmp_path.glob("*.checkpoint"))) == 2 * 2 + 1
        trained.clear()
        again = GridSearchCV(model, grid, cv=2).fit(SPECTROGRAMS, LABELS)
        assert not trained
        name = "mean_test_score"
        assert_array_equal(again.cv_results_[name], first.cv_results_[name])
        assert_equal_trainings(again.best_estimator_[-1], first.best_estimator_[-1])
