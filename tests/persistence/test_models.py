"""Models on disk: what comes back is what was saved, or an error that says why not."""

import json
import os
import subprocess
import sys
import zipfile
from copy import copy

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from skorch.callbacks import LRScheduler

from skspeech.models import CNNLSTM1DClassifier, CNNLSTM2DClassifier
from skspeech.persistence import FORMAT_VERSION, load_model, save_model
from skspeech.persistence._reader import ModelReader
from skspeech.persistence._writer import ModelWriter
from skspeech.plugins import list_estimators
from skspeech.preprocessing import FixedDuration, LogMelSpectrogram
from skspeech.testing import make_labels, make_recordings, small_instance
from skspeech.testing.data import data

WAVES, LABELS = make_recordings("waveform", 16), make_labels(16)
SPECTROGRAMS = make_recordings("spectrogram", 16)

STEP = {"class": "FixedDuration", "distribution": "skspeech", "parameters": {}, "state": {}}


def small(cls=CNNLSTM2DClassifier, **parameters):
    defaults = {"n_maps": (4, 4), "pool_sizes": (2, 2), "lstm_units": 4, "max_epochs": 2}
    return cls(**{**defaults, "batch_size": 8, "random_state": 0, **parameters})


def emotion(**parameters):
    return make_pipeline(
        FixedDuration(duration=0.02, sample_rate=8000),
        LogMelSpectrogram(sample_rate=8000, n_fft=64, hop_length=16, n_mels=8),
        small(**parameters),
    )


@pytest.fixture(scope="module")
def fitted():
    return emotion().fit(WAVES, LABELS)


@pytest.fixture
def saved(fitted, path):
    save_model(fitted, path)
    return path


def there_and_back(estimator, path):
    save_model(estimator, path)
    return load_model(path)


class TestRoundTrip:
    def test_pipeline(self, fitted, path):
        loaded = there_and_back(fitted, path)
        for method in ("predict", "predict_proba", "transform"):
            assert_array_equal(getattr(loaded, method)(WAVES), getattr(fitted, method)(WAVES))
        assert repr(loaded) == repr(fitted)
        clone(loaded).fit(WAVES, LABELS)

    def test_what_training_left(self, fitted, path):
        before, after = fitted[-1], there_and_back(fitted, path)[-1]
        assert after.get_params() == before.get_params()
        assert after.history_ == before.history_
        assert after.n_iter_ == before.n_iter_ == 2
        assert after.validation_.method == before.validation_.method == "stratified"
        assert_array_equal(after.validation_.indices, before.validation_.indices)
        assert after.layout_ == before.layout_
        assert after.classes_.dtype == before.classes_.dtype

    @pytest.mark.parametrize(
        "labels",
        [
            LABELS,
            LABELS.astype(object),
            np.arange(16) % 3,
            (np.arange(16) % 2).astype(bool),
            np.arange(16) % 2 + 0.5,
        ],
        ids=lambda labels: str(labels.dtype),
    )
    def test_waveform_network_and_labels(self, labels, path):
        if labels.dtype == float:
            labels = labels.astype(int).astype(np.float32)
        network = small(CNNLSTM1DClassifier, max_epochs=1).fit(WAVES, labels)
        loaded = there_and_back(network, path)
        assert_array_equal(loaded.predict_proba(WAVES), network.predict_proba(WAVES))
        assert_array_equal(loaded.predict(WAVES), network.predict(WAVES))
        assert loaded.classes_.dtype == network.classes_.dtype

    @pytest.mark.parametrize("entry", list_estimators(), ids=lambda entry: entry.name)
    def test_every_estimator(self, entry, path):
        if entry.distribution != "skspeech":
            pytest.skip(reason="a plugin's")
        estimator = small_instance(entry.name)
        X, y = data(estimator)
        estimator.fit(X, y)
        loaded = there_and_back(estimator, path)
        method = "transform" if hasattr(estimator, "transform") else "predict"
        before, after = getattr(estimator, method)(X), getattr(loaded, method)(X)
        for one, other in zip(before, after, strict=True):
            assert_array_equal(one, other)
        assert str(loaded) == str(estimator)

    @pytest.mark.parametrize(
        "parameters",
        [
            {"class_weight": {"even": 1.0, "odd": 2.5}},
            {"lr": np.float64(1e-3), "batch_size": np.int64(4)},
            {"standardize": None, "validation": None},
            {"standardize": "global", "precision": "bfloat16"},
            {"n_maps": [4, 4], "pool_sizes": [2, 2]},
        ],
        ids=lambda parameters: " ".join(parameters),
    )
    def test_parameters(self, parameters, path):
        network = small(**parameters).fit(SPECTROGRAMS, LABELS)
        loaded = there_and_back(network, path)
        before, after = network.get_params(), loaded.get_params()
        for name, value in before.items():
            assert type(after[name]) is type(value)
            assert_array_equal(after[name], value)
        assert_array_equal(loaded.predict_proba(SPECTROGRAMS), network.predict_proba(SPECTROGRAMS))

    def test_table_of_named_columns(self, path):
        pandas = pytest.importorskip("pandas", reason="named columns are pandas'")
        table = pandas.DataFrame(np.arange(64.0).reshape(16, 4), columns=list("abcd"))
        network = small(n_maps=(4,), pool_sizes=(1,), validation=None).fit(table, LABELS)
        network.set_output(transform="pandas")
        loaded = there_and_back(network, path)
        assert loaded.n_features_in_ == 4
        assert loaded.feature_names_in_.tolist() == list("abcd")
        assert loaded.transform(table).equals(network.transform(table))

    def test_settings_of_the_fitted_net_stay(self, path):
        network = small(batch_frames=90).fit(SPECTROGRAMS, LABELS)
        network.set_params(batch_frames=None, batch_size=3, lr=0.5)
        loaded = there_and_back(network, path)
        assert (loaded.batch_frames, loaded.net_.batch_frames) == (None, 90)
        assert (loaded.batch_size, loaded.net_.batch_size) == (3, 8)
        assert (loaded.lr, loaded.net_.lr) == (0.5, network.net_.lr)

    def test_warm_start_goes_on(self, path):
        network = small(warm_start=True, max_epochs=1).fit(SPECTROGRAMS, LABELS)
        loaded = there_and_back(network, path)
        before = loaded.predict_proba(SPECTROGRAMS)
        loaded.set_params(lr=1e-9).fit(SPECTROGRAMS, LABELS)
        assert loaded.n_iter_ == 2
        assert [row["epoch"] for row in loaded.history_] == [1, 2]
        # as close as the running means of the batch normalisation, which move even so
        assert np.abs(loaded.predict_proba(SPECTROGRAMS) - before).max() < 0.1

    def test_checkpoints_are_left_behind(self, path):
        network = small().fit(SPECTROGRAMS, LABELS).set_params(checkpoint_dir="here")
        assert there_and_back(network, path).checkpoint_dir is None
        assert network.checkpoint_dir == "here"

    def test_groups_held_out(self, path):
        speakers = np.array(["Ann", "Bob", "Cid", "Dan"])[np.arange(16) // 2 % 4]
        network = small().fit(SPECTROGRAMS, LABELS, groups=speakers)
        loaded = there_and_back(network, path)
        assert loaded.validation_.speakers == network.validation_.speakers
        assert loaded.validation_.method == "speaker"

    def test_passthrough(self, path):
        loaded = there_and_back(make_pipeline("passthrough", FixedDuration()), path)
        assert loaded.steps[0] == ("passthrough", "passthrough")

    def test_trained_on_another_machine(self, path):
        network = small(device="cpu").fit(SPECTROGRAMS, LABELS).set_params(device="cuda:7")
        loaded = there_and_back(network, path)
        assert loaded.device == "cuda:7"
        assert loaded.predict(SPECTROGRAMS).shape == (16,)

    @pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device on this machine")
    def test_trained_on_a_real_gpu(self, path, tmp_path):
        network = small(device="cuda").fit(SPECTROGRAMS, LABELS)
        save_model(network, path)
        np.save(tmp_path / "p.npy", network.predict_proba(SPECTROGRAMS))
        code = (
            "import numpy as np\n"
            "from skspeech.persistence import load_model\n"
            "from skspeech.testing import make_recordings\n"
            f"loaded = load_model({str(path)!r})\n"
            "assert (loaded.device, loaded.net_.device) == ('cuda', 'cpu')\n"
            "found = loaded.predict_proba(make_recordings('spectrogram', 16))\n"
            f"assert np.abs(found - np.load({str(tmp_path / 'p.npy')!r})).max() < 1e-3\n"
        )
        without_gpu = {**os.environ, "CUDA_VISIBLE_DEVICES": ""}
        subprocess.run([sys.executable, "-c", code], env=without_gpu, check=True)
        assert load_model(path).net_.device == "cuda"

    def test_global_random_state_is_left_alone(self, fitted, path):
        torch_state, numpy_state = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
        there_and_back(fitted, path)
        assert torch.equal(torch.get_rng_state(), torch_state)
        assert_array_equal(np.random.get_state()[1], numpy_state)  # noqa: NPY002


PLAIN = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
VALUES = st.recursive(
    PLAIN,
    lambda inner: (
        st.lists(inner)
        | st.lists(inner).map(tuple)
        | st.dictionaries(PLAIN.filter(lambda key: key == key), inner)
    ),
    max_leaves=10,
)


@given(VALUES)
def test_values_keep_their_types(value):
    text = json.dumps(ModelWriter().value(value, "key"), allow_nan=False)
    assert repr(ModelReader({}).value(json.loads(text))) == repr(value)


class TestRefusedToSave:
    @pytest.mark.parametrize(
        ("model", "match"),
        [
            (object(), r"The model is a object of builtins.*skspeech list"),
            (
                make_pipeline(make_pipeline(object()), FixedDuration()),
                r"The step 'pipeline__object' is a object",
            ),
            (make_pipeline(FixedDuration(), memory="cache"), r"memory is a place of this machine"),
        ],
    )
    def test_foreign(self, model, match, path):
        with pytest.raises(TypeError, match=match):
            save_model(model, path)
        assert not path.exists()

    def test_search(self, path):
        search = GridSearchCV(small(max_epochs=1), {"lr": [0.01]}, cv=2)
        search.fit(SPECTROGRAMS, LABELS)
        with pytest.raises(TypeError, match="Save its best_estimator_"):
            save_model(search, path)
        save_model(search.best_estimator_, path)

    def test_subclass_of_ours(self, path):
        class FixedDuration2(FixedDuration):
            pass

        FixedDuration2.__name__ = "FixedDuration"
        with pytest.raises(TypeError, match="The model is a"):
            save_model(FixedDuration2(), path)

    @pytest.mark.parametrize(
        "parameters",
        [
            {"optimizer": torch.optim.Adamax},
            {"callbacks": [LRScheduler()]},
            {"random_state": np.random.RandomState(0)},
        ],
        ids=lambda parameters: next(iter(parameters)),
    )
    def test_parameter(self, parameters, path):
        (name,) = parameters
        model = emotion(**parameters).fit(WAVES, LABELS)
        with pytest.raises(TypeError, match=rf"cnnlstm2dclassifier__{name}.*set_params"):
            save_model(model, path)
        before = model.predict_proba(WAVES)
        model[-1].set_params(**{name: "adam" if name == "optimizer" else None})
        assert_array_equal(there_and_back(model, path).predict_proba(WAVES), before)

    @pytest.mark.parametrize("parameters", [{"lstm_units": 9}, {"pool_sizes": (2, 3)}])
    def test_changed_after_fit(self, parameters, path):
        network = small().fit(SPECTROGRAMS, LABELS).set_params(**parameters)
        with pytest.raises(ValueError, match="changed after fit"):
            save_model(network, path)

    def test_not_fitted(self, path):
        with pytest.raises(NotFittedError):
            save_model(emotion(), path)

    def test_attribute_that_would_be_lost(self, path):
        step = FixedDuration()
        step._cache = 1
        with pytest.raises(TypeError, match="_cache is neither"):
            save_model(step, path)

    @pytest.mark.parametrize("value", [np.array([1j]), np.array(["2020"], dtype="M8[D]"), {1, 2}])
    def test_learned_that_cannot_be_held(self, value, path):
        step = FixedDuration()
        step.learned_ = value
        with pytest.raises(TypeError, match="learned_ holds"):
            save_model(step, path)


class TestWriting:
    def test_is_not_overwritten_unasked(self, fitted, saved):
        before = saved.read_bytes()
        with pytest.raises(FileExistsError, match="overwrite=True"):
            save_model(FixedDuration(), saved)
        assert saved.read_bytes() == before
        save_model(FixedDuration(), saved, overwrite=True)
        assert isinstance(load_model(saved), FixedDuration)

    def test_failure_leaves_what_was_there(self, saved, monkeypatch):
        before = saved.read_bytes()

        def fail(*arguments):
            raise OSError("no space left")

        monkeypatch.setattr(os, "fsync", fail)
        with pytest.raises(OSError, match="no space"):
            save_model(FixedDuration(), saved, overwrite=True)
        assert saved.read_bytes() == before
        assert {file.name for file in saved.parent.iterdir()} == {saved.name, f"{saved.name}.md"}

    def test_same_model_same_bytes(self, fitted, saved, tmp_path):
        save_model(fitted, tmp_path / "other.skspeech")
        assert (tmp_path / "other.skspeech").read_bytes() == saved.read_bytes()

    def test_members_are_what_they_say(self, saved):
        from safetensors.numpy import load

        with zipfile.ZipFile(saved) as archive:
            assert archive.namelist() == ["manifest.json", "tree.json", "tensors.safetensors"]
            assert all(info.compress_type == 0 for info in archive.infolist())
            manifest = json.loads(archive.read("manifest.json"))
            tree = json.loads(archive.read("tree.json"))
            load(archive.read("tensors.safetensors"))
        assert manifest["format_version"] == FORMAT_VERSION
        assert set(manifest["versions"]) == {"skspeech", "scikit-learn", "numpy", "torch"}
        assert [name for name, _ in tree["steps"]] == [
            "fixedduration",
            "logmelspectrogram",
            "cnnlstm2dclassifier",
        ]


class TestRefusedToLoad:
    def test_no_such_file(self, path):
        with pytest.raises(FileNotFoundError):
            load_model(path)

    @pytest.mark.parametrize("content", [b"", b"not a model", b"PK\x03\x04" + bytes(100)])
    def test_other_files(self, content, path):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"model\.skspeech cannot be loaded"):
            load_model(path)

    def test_any_flipped_bit(self, fitted, saved):
        """Each flip is found, or changes nothing (a date, say)."""
        whole = saved.read_bytes()
        expected = fitted.predict_proba(WAVES[:3])
        rng = np.random.default_rng(0)
        end = len(whole) - 400  # the central directory, where a flip may also change nothing
        places = {*range(60), *rng.integers(0, end, 150), *range(end, len(whole))}
        passed = 0
        for place in sorted(int(place) for place in places):
            flipped = bytearray(whole)
            flipped[place] ^= 1 << int(rng.integers(8))
            saved.write_bytes(flipped)
            try:
                loaded = load_model(saved)
            except ValueError as error:
                assert "model.skspeech" in str(error)  # noqa: PT017
            else:
                passed += 1
                assert_array_equal(loaded.predict_proba(WAVES[:3]), expected)
        assert passed < len(places) / 3

    def test_any_truncation(self, saved, truncated):
        for cut in truncated(saved, 60):
            with pytest.raises(ValueError, match=r"model\.skspeech cannot be loaded"):
                load_model(cut)

    @pytest.mark.parametrize("format_version", [0, 2, "1", None])
    def test_format_version(self, saved, format_version, rewrite):
        rewrite(saved, manifest=lambda said: said.update(format_version=format_version))
        with pytest.raises(
            ValueError, match=rf"format version {format_version!r}.* reads version 1"
        ):
            load_model(saved)

    def test_other_format(self, saved, rewrite):
        rewrite(saved, manifest=lambda said: said.update(format="a song"))
        with pytest.raises(ValueError, match="not one of a skspeech model"):
            load_model(saved)

    @pytest.mark.parametrize(
        ("name", "distribution"),
        [
            ("Sieve", "sieve"),
            ("FixedDuration", "sieve"),
            ("Sieve", "skspeech"),
            ("Network", "skspeech"),
        ],
    )
    def test_unknown_class(self, saved, name, distribution, rewrite):
        def change(model):
            model["steps"][0][1].update({"class": name, "distribution": distribution})

        rewrite(saved, tree=change)
        with pytest.raises(ValueError, match=rf"holds a '{name}' of '{distribution}'"):
            load_model(saved)

    def test_tampered_tensors(self, saved, rewrite):
        rewrite(saved, tensors=lambda data: data[:-1] + bytes([data[-1] ^ 1]))
        with pytest.raises(ValueError, match=r"tensors\.safetensors is not what was written"):
            load_model(saved)

    @pytest.mark.parametrize(
        "change",
        [
            lambda node: node["parameters"].update(lstm_units=10**9),
            lambda node: node["parameters"].update(lstm_units=-1),
            lambda node: node["parameters"].update(unknown=1),
            lambda node: node["parameters"].update(callbacks={"estimator": STEP}),
            lambda node: node["parameters"].update(lr={"pickle": "gASV"}),
            lambda node: node["state"].update(predict_=1, predict=2),
            lambda node: node["state"].update(__class__=3),
            lambda node: node["state"].update(layout_={"tuple": [1, 2]}),
            lambda node: node["state"].pop("classes_"),
            lambda node: node["net"]["weights"].pop("mean"),
            lambda node: node["net"]["weights"].update(mean="no such tensor"),
            lambda node: node["net"]["settings"].update(momentum=1),
            lambda node: node.pop("class"),
        ],
    )
    def test_tampered_tree(self, saved, change, rewrite):
        rewrite(saved, tree=lambda model: change(model["steps"][-1][1]))
        with pytest.raises(ValueError, match=r"model\.skspeech cannot be loaded"):
            load_model(saved)

    @pytest.mark.parametrize("layers", [{"gru_layers": 10**9}, {"n_maps": {"tuple": [1] * 9999}}])
    def test_layers_that_would_never_end(self, layers, path, rewrite):
        network = small_instance("CRNNClassifier").set_params(max_epochs=1)
        save_model(network.fit(SPECTROGRAMS, LABELS), path)
        rewrite(path, tree=lambda node: node["parameters"].update(layers))
        with pytest.raises(ValueError, match="more layers than it has weights"):
            load_model(path)

    def test_unknown_parameter_of_another_version(self, saved, rewrite):
        rewrite(
            saved,
            manifest=lambda said: said["versions"].update(skspeech="7.0"),
            tree=lambda model: model["steps"][0][1]["parameters"].update(pace=1),
        )
        with pytest.raises(ValueError, match=r"'pace' It was written by skspeech 7\.0; this is"):
            load_model(saved)

    def test_text_that_would_fill_the_memory(self, saved, rewrite):
        def change(model):
            model["steps"][-1][1]["state"]["classes_"]["array"][0] = "<U100000000"

        rewrite(saved, tree=change)
        with pytest.raises(ValueError, match="2 texts of type"):
            load_model(saved)

    def test_many_texts_that_would_fill_the_memory(self, saved, rewrite):
        small = {"array": ["<U1000000", [1], ["a"]]}

        rewrite(saved, tree=lambda model: model["steps"][0][1]["state"].update(x_=[small] * 9))
        with pytest.raises(ValueError, match="1 texts of type"):
            load_model(saved)

    def test_members_that_share_their_bytes(self, saved):
        """Each entry of a zip's directory may point to the same large member."""
        with zipfile.ZipFile(saved, "a") as archive:
            archive.writestr("large", bytes(10**6))
            large = archive.getinfo("large")
            for i in range(100):
                again = copy(large)
                again.filename = f"large{i}"
                archive.filelist.append(again)
                archive.NameToInfo[again.filename] = again
        assert saved.stat().st_size < 2 * 10**6
        with pytest.raises(ValueError, match="its members are larger than it is"):
            load_model(saved)

    def test_a_member_twice(self, saved):
        with zipfile.ZipFile(saved, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("tree.json", b"{}")
        with pytest.raises(ValueError, match="it holds a member twice"):
            load_model(saved)

    @pytest.mark.parametrize("name", ["manifest.json", "tree.json"])
    def test_a_member_that_is_missing(self, name, saved):
        with zipfile.ZipFile(saved) as archive:
            found = {n: archive.read(n) for n in archive.namelist() if n != name}
        with zipfile.ZipFile(saved, "w") as archive:
            for other, data in found.items():
                archive.writestr(other, data)
        with pytest.raises(ValueError, match=rf"its {name} is not"):
            load_model(saved)

    def test_cache(self, saved, rewrite):
        rewrite(saved, tree=lambda model: model["parameters"].update(memory="/tmp"))
        with pytest.raises(ValueError, match="a place on this machine: memory"):
            load_model(saved)

    def test_a_tree_changed_by_hand(self, saved, rewrite):
        with zipfile.ZipFile(saved) as archive:
            changed = archive.read("tree.json").replace(b'"lr"', b'"lR"')
        members = {"tree.json": changed}
        rewrite(saved, members=members)
        with pytest.raises(ValueError, match=r"tree\.json is not what was written"):
            load_model(saved)

    def test_deeply_nested(self, saved):
        deep = b'{"format": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"
        with zipfile.ZipFile(saved, "w") as archive:
            archive.writestr("manifest.json", deep)
        with pytest.raises(ValueError, match="RecursionError"):
            load_model(saved)

    def test_compressed(self, saved):
        with zipfile.ZipFile(saved, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("manifest.json", bytes(10**6))
        with pytest.raises(ValueError, match="compressed"):
            load_model(saved)

    def test_a_folder_of_another_machine(self, saved, rewrite):
        def change(model):
            model["steps"][-1][1]["parameters"]["checkpoint_dir"] = "/tmp"

        rewrite(saved, tree=change)
        with pytest.raises(ValueError, match="a place on this machine: checkpoint_dir"):
            load_model(saved)

    def test_unlisted_members_are_passed_over(self, fitted, saved, rewrite):
        rewrite(saved, members={"README.md": b"later versions may add one"})
        assert_array_equal(load_model(saved).predict(WAVES), fitted.predict(WAVES))
