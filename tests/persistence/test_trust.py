"""Classes of other packages: named by the reader, or never imported."""

import importlib
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import BaseEstimator
from sklearn.pipeline import make_pipeline
from sklearn.svm import SVC

from skspeech.persistence import _trust, check_savable, load_model, save_model
from skspeech.preprocessing import FixedDuration
from skspeech.testing import make_labels, make_recordings

EXAMPLE = Path(__file__).parents[2] / "examples" / "skspeech-plugin-example"
LABELS = make_labels(16)
TABLE = np.random.default_rng(0).normal(size=(16, 4))

GRAIN = """
import pathlib
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin
import numpy as np

pathlib.Path({mark!r}).touch()


class Sieve(TransformerMixin, BaseEstimator):
    def __init__(self, *, size=2, part=None):
        self.size, self.part = size, part

    def fit(self, X, y=None):
        self.mean_ = np.mean(X, axis=0)
        self.n_seen_ = len(X)
        self.names_ = {{"first": ["a", "b"], "second": (1, None)}}
        if self.part is not None:
            self.part_ = self.part.fit(X, y)
        return self

    def transform(self, X):
        X = np.asarray(X) - self.mean_
        return X if self.part is None else X + self.part_.transform(X)


class Private(Sieve):
    def fit(self, X, y=None):
        self._table = X
        return super().fit(X)


class Coded(Sieve):
    def fit(self, X, y=None):
        self.function_ = lambda x: x
        return super().fit(X)


class Outer:
    class Inner(Sieve):
        pass


class NotAnEstimator:
    def __init__(self, **parameters):
        pathlib.Path({mark!r} + "_built").touch()


def function(**parameters):
    pathlib.Path({mark!r} + "_built").touch()
"""

METADATA = "Metadata-Version: 2.1\nName: grain-voices\nVersion: 1.2\n"


@pytest.fixture
def importable_example(monkeypatch):
    """Let the example of a plugin be imported, as if it were installed, in one test."""
    monkeypatch.syspath_prepend(EXAMPLE)
    yield
    for name in [name for name in sys.modules if name.startswith("skspeech_plugin_example")]:
        del sys.modules[name]


@pytest.fixture
def mark(tmp_path):
    """The file that tells that the module was imported."""
    return tmp_path / "imported"


@pytest.fixture
def grain(tmp_path, mark, monkeypatch):
    """A module of another distribution, which leaves a mark when it is imported."""
    site = tmp_path / "site"
    info = site / "grain_voices-1.2.dist-info"
    info.mkdir(parents=True)
    (site / "grain.py").write_text(GRAIN.format(mark=str(mark)), encoding="utf-8")
    (info / "METADATA").write_text(METADATA, encoding="utf-8")
    (info / "top_level.txt").write_text("grain\n", encoding="utf-8")
    (info / "RECORD").write_text("grain.py,,\n", encoding="utf-8")
    monkeypatch.syspath_prepend(site)
    yield importlib.import_module("grain")
    sys.modules.pop("grain", None)


@pytest.fixture
def saved(grain, path, mark, monkeypatch):
    """A file of a model with three steps of grain; the module is gone from memory."""
    # to look through all that is installed takes a second
    monkeypatch.setattr(_trust, "packages_distributions", lambda: {"grain": ["grain-voices"]})
    part = make_pipeline(grain.Sieve(), grain.Sieve(part=grain.Sieve()))
    save_model(make_pipeline(part, SVC()).fit(TABLE, LABELS), path)
    sys.modules.pop("grain")
    mark.unlink()
    return path


class TestRoundTrip:
    def test_values(self, grain, path):
        assert _trust.origin("grain") == {"distribution": "grain-voices", "version": "1.2"}
        assert _trust.origin("no_such_grain") == {"distribution": None, "version": None}
        model = grain.Sieve(size=3, part=grain.Sieve()).fit(TABLE)
        save_model(model, path)
        loaded = load_model(path, trusted=["grain.Sieve"])
        assert type(loaded) is grain.Sieve
        assert (loaded.size, loaded.n_seen_, loaded.names_) == (3, 16, model.names_)
        assert_array_equal(loaded.transform(TABLE), model.transform(TABLE))

    def test_in_a_pipeline(self, saved):
        loaded = load_model(saved, trusted={"grain.Sieve"})
        assert loaded.predict(TABLE).shape == (16,)

    def test_the_card_says_what_to_trust_and_install(self, saved):
        card = saved.with_name("model.skspeech.md").read_text(encoding="utf-8")
        assert "load_model('model.skspeech', trusted=['grain.Sieve'])" in card
        assert "`grain-voices==1.2`" in card

    def test_a_plugins_network(self, path, importable_example):
        from skspeech_plugin_example.attention import ExampleClassifier

        recordings = make_recordings("spectrogram", 16)
        network = ExampleClassifier(n_maps=4, max_epochs=1, random_state=0)
        save_model(network.fit(recordings, LABELS), path)
        name = "skspeech_plugin_example.attention.ExampleClassifier"
        with pytest.raises(ValueError, match=f"{name} "):
            load_model(path)
        loaded = load_model(path, trusted=[name])
        assert_array_equal(loaded.predict_proba(recordings), network.predict_proba(recordings))
        assert loaded.history_ == network.history_


class TestRefusedToSave:
    @pytest.mark.parametrize(
        ("name", "match"),
        [
            ("Private", r"_table is neither a parameter nor a fitted attribute"),
            ("Coded", r"function_ holds a function"),
        ],
    )
    def test_attributes(self, name, match, grain, path):
        with pytest.raises(TypeError, match=match):
            save_model(getattr(grain, name)().fit(TABLE), path)
        assert not path.exists()

    def test_classes_that_are_not_found_again(self, grain, path, monkeypatch):
        class Local(FixedDuration):
            pass

        main = type("Sieve", (BaseEstimator,), {"__module__": "__main__"})
        monkeypatch.setattr(sys.modules["__main__"], "Sieve", main, raising=False)
        moved = type("Moved", (grain.Sieve,), {"__module__": "grain"})
        for cls in (Local, main, moved, grain.Outer.Inner):
            with pytest.raises(TypeError, match="a module that can be imported where"):
                check_savable(make_pipeline(cls()))

    def test_what_derives_from_no_base_estimator(self, grain, path):
        with pytest.raises(TypeError, match="derive from BaseEstimator"):
            check_savable(grain.NotAnEstimator())


class TestRefusedToLoad:
    @pytest.fixture(autouse=True)
    def nothing_is_built(self, mark):
        yield
        assert not mark.with_name("imported_built").exists()

    @pytest.mark.parametrize("trusted", [(), ["grain.Private", "grain", "Sieve", "grain.sieve"]])
    def test_untrusted_is_not_imported(self, trusted, saved, mark):
        with pytest.raises(ValueError, match=r"grain\.Sieve \(grain-voices 1\.2\)") as caught:
            load_model(saved, trusted=trusted)
        assert f"load_model({str(saved)!r}, trusted=[" in str(caught.value)
        assert "--trust grain.Sieve" in str(caught.value)
        assert not mark.exists()
        assert "grain" not in sys.modules

    def test_all_are_named_at_once_before_any_is_imported(self, saved, mark, rewrite):
        def change(tree):
            inner = tree["steps"][0][1]["steps"][1][1]["parameters"]["part"]["estimator"]
            inner.update({"class": "chaff.Husk", "distribution": "chaff", "version": "0.3"})
            tree["steps"][0][1]["steps"][0][1].update({"class": "os.system"})

        rewrite(saved, tree=change)
        with pytest.raises(ValueError, match="neither skspeech nor skops") as caught:
            load_model(saved, trusted=["grain.Sieve"])
        for text in ("chaff.Husk (chaff 0.3)", "os.system (", "'grain.Sieve', 'os.system', 'chaff"):
            assert text in str(caught.value)
        assert not mark.exists()

    @pytest.mark.parametrize("trusted", ["grain.Sieve", True, [int], None])
    def test_trusted_is_a_list_of_names(self, trusted, saved):
        with pytest.raises(TypeError, match=r"write trusted=\['package\.module\.Class'\]"):
            load_model(saved, trusted=trusted)

    def test_a_class_that_is_not_there(self, saved, rewrite):
        rewrite(saved, tree=lambda tree: put(tree, "no_such_grain.Sieve"))
        with pytest.raises(ValueError, match=r"cannot be imported \(ModuleNotFoundError.*grain-vo"):
            load_model(saved, trusted=["grain.Sieve", "no_such_grain.Sieve"])
        rewrite(saved, tree=lambda tree: put(tree, "grain.Gone"))
        with pytest.raises(ValueError, match=r"cannot be imported \(AttributeError.*Install that"):
            load_model(saved, trusted=["grain.Sieve", "grain.Gone"])

    @pytest.mark.parametrize("name", ["grain.NotAnEstimator", "grain.function", "os.system"])
    def test_what_is_no_estimator(self, name, saved, rewrite):
        rewrite(saved, tree=lambda tree: put(tree, name))
        with pytest.raises(ValueError, match=rf"{name} \(grain-voices 1\.2\) is no scikit-learn"):
            load_model(saved, trusted=["grain.Sieve", name])

    @pytest.mark.parametrize(
        "name",
        [
            "sklearn.svm._classes.SVC",
            "skspeech.preprocessing.audio.FixedDuration",
            "numpy.load",
            "grain.Sieve.__init__.__globals__",
            "grain. Sieve",
            "grain..Sieve",
            ".Sieve",
            "../grain.Sieve",
            "grain.Sieve\x1b[2J",
            "\N{CYRILLIC SMALL LETTER DZE}klearn.svm.SVC",
        ],
    )
    def test_names_that_can_be_none(self, name, saved, rewrite):
        rewrite(saved, tree=lambda tree: put(tree, name))
        with pytest.raises(ValueError, match=r"model\.skspeech cannot be loaded") as caught:
            load_model(saved, trusted=["grain.Sieve", name])
        assert "\x1b" not in str(caught.value)

    @pytest.mark.parametrize("said", ["a\nb", "\x1b[2Jpip", ["x"], "x" * 200, None])
    def test_what_a_file_says_of_a_distribution_is_looked_at(self, said, saved, rewrite):
        def change(tree):
            put(tree, "grain.Sieve")
            tree["steps"][0][1]["steps"][0][1].update(distribution=said, version=said)

        rewrite(saved, tree=change)
        with pytest.raises(ValueError, match=r"a distribution that is not known|grain-voices 1"):
            load_model(saved)

    @pytest.mark.parametrize("name", ["skspeech", "scikit-learn", "numpy"])
    def test_no_file_speaks_for_our_distributions(self, name, saved, rewrite):
        def change(tree):
            tree["steps"][0][1]["steps"][0][1].update(
                {"class": "chaff.Husk", "distribution": name, "version": "1.9"}
            )

        rewrite(saved, tree=change)
        with pytest.raises(ValueError, match=r"chaff\.Husk \(a distribution that is not known\)"):
            load_model(saved)

    @pytest.mark.parametrize(
        "state",
        [
            {"transform": 1},
            {"__class__": 1},
            {"__dict__": {"dict": []}},
            {"_table": 1},
            {"fit_": {"estimator": {"class": "os.system", "parameters": {}, "state": {}}}},
            {"mean_ ": 1},
            {"_sklearn_output_config": {"dict": [["transform", "evil"]]}},
        ],
        ids=str,
    )
    def test_attributes(self, state, saved, rewrite):
        def change(tree):
            tree["steps"][0][1]["steps"][0][1]["state"].update(state)

        rewrite(saved, tree=change)
        with pytest.raises(ValueError, match=r"model\.skspeech cannot be loaded"):
            load_model(saved, trusted=["grain.Sieve"])

    @pytest.mark.parametrize("place", ["memory", "checkpoint_dir"])
    def test_places(self, place, saved, rewrite):
        def change(tree):
            tree["steps"][0][1]["steps"][0][1]["parameters"].update({place: "/tmp"})

        rewrite(saved, tree=change)
        with pytest.raises(ValueError, match=f"a place on this machine: {place}"):
            load_model(saved, trusted=["grain.Sieve"])

    @pytest.mark.parametrize(
        "node",
        [
            {"class": "Pipeline", "distribution": "scikit-learn"},
            {"class": "FeatureUnion", "steps": 3},
            {"class": "SVC", "distribution": "scikit-learn", "steps": []},
            {"class": ["grain.Sieve"]},
            {"class": None},
            {"class": "grain.Sieve", "steps": []},
            {"class": "FixedDuration", "distribution": "skspeech", "skops": "skops/0.skops"},
        ],
        ids=str,
    )
    def test_nodes_of_other_forms(self, node, saved, rewrite):
        def change(tree):
            tree["steps"][0][1] = {"parameters": {}, "state": {}, **node}

        rewrite(saved, tree=change)
        with pytest.raises(ValueError, match=r"model\.skspeech cannot be loaded"):
            load_model(saved, trusted=["grain.Sieve"])

    def test_another_version_is_told_where_loading_fails(self, saved, rewrite):
        def change(tree):
            tree["steps"][0][1]["steps"][0][1].update(version="0.9", state={"transform": 1})

        rewrite(saved, tree=change)
        with pytest.raises(ValueError, match=r"grain-voices 0\.9; this is grain-voices 1\.2"):
            load_model(saved, trusted=["grain.Sieve"])


def put(tree, name):
    """Let a node have another class."""
    tree["steps"][0][1]["steps"][0][1]["class"] = name
