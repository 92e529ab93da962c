"""scikit-learn's own steps: they come back as they were, and nothing else does."""

import io
import json
import os
import subprocess
import sys
import zipfile

import numpy as np
import pytest
import scipy.sparse
import sklearn
from numpy.testing import assert_array_equal
from sklearn import config_context
from sklearn.cluster import AgglomerativeClustering
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    VotingClassifier,
)
from sklearn.exceptions import InconsistentVersionWarning, NotFittedError
from sklearn.feature_selection import SelectKBest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import FeatureUnion, make_pipeline, make_union
from sklearn.preprocessing import FunctionTransformer, LabelEncoder, OneHotEncoder, StandardScaler
from sklearn.svm import SVC

from skspeech.exceptions import MissingExtraError
from skspeech.models import CNNLSTM2DClassifier
from skspeech.persistence import check_savable, load_model, save_model
from skspeech.preprocessing import FixedDuration
from skspeech.testing import make_labels, make_recordings

pytest.importorskip("skops", reason="scikit-learn's steps need the extra skops")

TREE = "sklearn.tree._tree.Tree"
LABELS = make_labels(16)
TABLE = np.abs(np.random.default_rng(0).normal(size=(16, 4))) + 1.0 * (LABELS == "even")[:, None]
SPECTROGRAMS = make_recordings("spectrogram", 16)


def network(**parameters):
    small = {"n_maps": (4,), "pool_sizes": (2,), "lstm_units": 4, "max_epochs": 1}
    return CNNLSTM2DClassifier(**{**small, "random_state": 0, **parameters})


def double(X):
    return 2 * X


@pytest.fixture
def saved(path):
    save_model(make_pipeline(StandardScaler(), SVC()).fit(TABLE, LABELS), path)
    return path


class TestRoundTrip:
    @pytest.mark.parametrize(
        ("model", "trusted"),
        [
            (make_pipeline(StandardScaler(), SVC()), []),
            (make_pipeline(FunctionTransformer(np.log1p), LogisticRegression()), []),
            (make_pipeline(make_union(StandardScaler(), "passthrough"), SVC()), []),
            (OneVsRestClassifier(SVC()), []),
            (
                make_pipeline(
                    ColumnTransformer([("a", StandardScaler(), [0, 1])], remainder="passthrough"),
                    LogisticRegression(),
                ),
                [],
            ),
            (
                GridSearchCV(SVC(), {"C": [0.1, 1.0]}, cv=2),
                [
                    "sklearn.metrics._scorer._PassthroughScorer",
                    "sklearn.model_selection._split.StratifiedKFold",
                ],
            ),
            (RandomForestClassifier(3, random_state=0), [TREE]),
            (
                HistGradientBoostingClassifier(max_iter=2, min_samples_leaf=2),
                ["sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor"],
            ),
            (
                make_pipeline(SelectKBest(k=2), KNeighborsClassifier()),
                [
                    "sklearn.feature_selection._univariate_selection.f_classif",
                    "sklearn.metrics._dist_metrics.EuclideanDistance64",
                    "sklearn.neighbors._kd_tree.KDTree",
                ],
            ),
        ],
        ids=lambda value: type(value).__name__,
    )
    def test_answers(self, model, trusted, path):
        model.fit(TABLE, LABELS)
        save_model(model, path)
        loaded = load_model(path, trusted=trusted)
        assert_array_equal(loaded.predict(TABLE), model.predict(TABLE))
        assert str(loaded) == str(model)
        if trusted:
            with pytest.raises(ValueError, match=r"neither skspeech nor skops") as caught:
                load_model(path)
            assert all(name in str(caught.value) for name in trusted)
        card = path.with_name("model.skspeech.md").read_text(encoding="utf-8")
        assert all(name in card for name in trusted)

    def test_embedding_then_classifier(self, path):
        model = make_pipeline(network(), LogisticRegression()).fit(SPECTROGRAMS, LABELS)
        save_model(model, path)
        loaded = load_model(path)
        assert_array_equal(loaded.predict_proba(SPECTROGRAMS), model.predict_proba(SPECTROGRAMS))

    def test_union_of_ours(self, path):
        union = FeatureUnion(
            [("a", network()), ("b", network(random_state=1)), ("c", "drop")],
            transformer_weights={"a": 0.5},
        )
        model = make_pipeline(union, StandardScaler(), SVC()).fit(SPECTROGRAMS, LABELS)
        save_model(model, path)
        loaded = load_model(path)
        assert_array_equal(
            loaded.decision_function(SPECTROGRAMS), model.decision_function(SPECTROGRAMS)
        )

    def test_sparse(self, path):
        model = make_pipeline(OneHotEncoder(), SVC()).fit(TABLE.round(), LABELS)
        save_model(model, path)
        loaded = load_model(path, trusted=["scipy.sparse._csr.csr_matrix"])
        assert scipy.sparse.issparse(loaded[-1].support_vectors_)
        assert_array_equal(loaded.predict(TABLE.round()), model.predict(TABLE.round()))

    def test_label_encoder_in_what_was_learned(self, path):
        step = FixedDuration()
        step.encoder_ = LabelEncoder().fit(LABELS)
        save_model(step, path)
        assert load_model(path).encoder_.classes_.tolist() == ["even", "odd"]

    def test_named_columns_out(self, path):
        pandas = pytest.importorskip("pandas", reason="named columns are pandas'")
        table = pandas.DataFrame(TABLE, columns=list("abcd"))
        model = make_pipeline(make_union(StandardScaler(), "passthrough"), StandardScaler())
        model.set_output(transform="pandas").fit(table)
        save_model(model, path)
        assert load_model(path).transform(table).equals(model.transform(table))

    def test_same_model_same_bytes(self, path, tmp_path):
        model = make_pipeline(network(), StandardScaler(), RandomForestClassifier(2))
        model.fit(SPECTROGRAMS, LABELS)
        save_model(model, path)
        first = path.read_bytes()
        save_model(model, path, overwrite=True)
        assert path.read_bytes() == first
        save_model(load_model(path, trusted=[TREE]), tmp_path / "again.skspeech")
        assert (tmp_path / "again.skspeech").stat().st_size == len(first)

    def test_metadata_requests_are_left_out(self, path):
        with config_context(enable_metadata_routing=True):
            model = SVC().set_fit_request(sample_weight=False)
        save_model(model.fit(TABLE, LABELS), path)
        assert_array_equal(load_model(path).predict(TABLE), model.predict(TABLE))
        assert hasattr(model, "_metadata_request")

    def test_new_process(self, path, tmp_path):
        model = make_pipeline(network(), StandardScaler(), SVC()).fit(SPECTROGRAMS, LABELS)
        save_model(model, path)
        code = (
            "import numpy as np\n"
            "from skspeech.persistence import load_model\n"
            "from skspeech.testing import make_recordings\n"
            f"loaded = load_model({str(path)!r})\n"
            "found = loaded.decision_function(make_recordings('spectrogram', 16))\n"
            f"np.save({str(tmp_path / 'found.npy')!r}, found)\n"
        )
        other = {**os.environ, "PYTHONHASHSEED": "7"}
        subprocess.run([sys.executable, "-c", code], check=True, env=other)
        expected = model.decision_function(SPECTROGRAMS)
        assert_array_equal(np.load(tmp_path / "found.npy"), expected)


class TestRefusedToSave:
    @pytest.mark.parametrize("function", [double, lambda X: X])
    def test_code(self, function, path):
        model = make_pipeline(FunctionTransformer(function), SVC()).fit(TABLE, LABELS)
        match = r"The step 'functiontransformer', a FunctionTransformer, holds .*(double|lambda)"
        with pytest.raises(TypeError, match=match):
            save_model(model, path)
        with pytest.raises(TypeError, match=match):
            check_savable(model)
        assert not list(path.parent.iterdir())

    def test_what_skops_cannot_write(self, path):
        model = SVC().fit(TABLE, LABELS)
        model.learned_ = (i for i in range(3))
        with pytest.raises(TypeError, match="The model, a SVC, holds what skops cannot write"):
            save_model(model, path)

    @pytest.mark.parametrize(
        ("model", "match"),
        [
            (GridSearchCV(network(), {"lr": [0.01]}, cv=2), "Save its best_estimator_"),
            (VotingClassifier([("a", network())]), "VotingClassifier that holds a CNNLSTM2D"),
        ],
    )
    def test_containers_of_ours(self, model, match, path):
        with pytest.raises(TypeError, match=match):
            save_model(model.fit(SPECTROGRAMS, LABELS), path)

    def test_cache(self, path):
        model = OneVsRestClassifier(make_pipeline(SVC(), memory="cache")).fit(TABLE, LABELS)
        with pytest.raises(TypeError, match="has a cache of this machine"):
            save_model(model, path)

    def test_not_fitted(self, path):
        with pytest.raises(NotFittedError):
            save_model(make_pipeline(FixedDuration(), SVC()), path)

    def test_before_fit(self):
        check_savable(make_pipeline(StandardScaler(), RandomForestClassifier()))


def skops_file(root, *, protocol=2, members=(), compressed=False):
    """Return the bytes of a skops file that somebody wrote by hand."""
    file = io.BytesIO()
    kind = zipfile.ZIP_DEFLATED if compressed else zipfile.ZIP_STORED
    with zipfile.ZipFile(file, "w", kind) as archive:
        for name, data in members:
            archive.writestr(name, data)
        archive.writestr("schema.json", json.dumps({**root, "protocol": protocol}))
    return file.getvalue()


def node(kind, name="", **more):
    module, _, cls = name.rpartition(".")
    return {"__class__": cls, "__module__": module, "__loader__": f"{kind}Node", **more}


def text(value):
    return node("Json", "builtins.str", content=json.dumps(value), is_json=True)


def items(kind, *values):
    return node(kind.title(), f"builtins.{kind}", content=list(values))


def named(**values):
    keys = items("list", *(node("Type", "builtins.str") for _ in values))
    return node("Dict", "builtins.dict", content=values, key_types=keys)


def step(name="sklearn.preprocessing._data.StandardScaler", **attributes):
    said = {"_sklearn_version": text(sklearn.__version__), **attributes}
    return node("Object", name, content=named(**said))


MARK = "made_by_a_file"
EVIL = {
    "os.system": node("Function", "os.system"),
    "a method of what is there (CVE-2025-54413)": node(
        "Method",
        "builtins.str",
        content={"obj": text("x"), "func": "format_map"},
    ),
    "a method called by operator": node(
        "OperatorFunc",
        "operator.methodcaller",
        attrs=items("tuple", text("mkdir")),
    ),
    "an operator under another module's name (CVE-2025-54412)": node(
        "OperatorFunc",
        "builtins.call",
        attrs=items("tuple", node("Function", "os.mkdir"), text(MARK)),
    ),
    "partial": node(
        "Partial",
        "functools.partial",
        content={
            "func": node("Function", "os.mkdir"),
            "args": items("tuple", text(MARK)),
            "kwds": named(),
            "namespace": text(None),
        },
    ),
    "a constructor": node(
        "ConstructorFromReduce", "subprocess.Popen", content=items("tuple", text(["mkdir", MARK]))
    ),
    "a constructor of a loss": node(
        "Loss",
        "os.mkdir",
        content=named(),
        __reduce__={"args": items("tuple", text(MARK))},
    ),
    "a bit generator that is none": node(
        "RandomGenerator",
        "numpy.random._generator.Generator",
        content={"bit_generator": named(bit_generator=text("seed")), "seed_seq": named()},
    ),
    "an object of ours": node("Object", "skspeech.preprocessing.FixedDuration", content=named()),
    "an object": node("Object", "pathlib.Path", content=named()),
}


class TestRefusedToLoad:
    @pytest.fixture(autouse=True)
    def nothing_is_made(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        yield
        assert not (tmp_path / MARK).exists()

    @pytest.fixture
    def put(self, path, rewrite):
        """Put a hand-made skops file into a model, checksums and all."""
        save_model(StandardScaler().fit(TABLE), path)

        def replace(data):
            rewrite(path, change={"skops/0.skops": lambda _: data})
            return path

        return replace

    def test_the_harness_can_make_a_step(self, put):
        loaded = load_model(put(skops_file(step(copy=text(False)))))
        assert loaded.copy is False

    @pytest.mark.parametrize("kind", EVIL)
    @pytest.mark.parametrize("protocol", [2, 1, 0])
    def test_nothing_untrusted_is_built(self, kind, protocol, put):
        data = skops_file(step(copy=EVIL[kind]), protocol=protocol)
        with pytest.raises(ValueError, match=r"model\.skspeech cannot be loaded"):
            load_model(put(data))
        with pytest.raises(ValueError, match=r"model\.skspeech cannot be loaded"):
            load_model(put(skops_file(EVIL[kind], protocol=protocol)))

    @pytest.mark.parametrize("trusted", [["os.system"], ["os.mkdir", "builtins.str.format_map"]])
    def test_trust_in_other_packages_is_not_for_skops(self, trusted, put):
        data = skops_file(step(copy=EVIL["os.system"]))
        with pytest.raises(ValueError, match=r"'os\.system', which is none of its own"):
            load_model(put(data), trusted=trusted)

    def test_a_module_is_not_imported(self, put, tmp_path, monkeypatch):
        (tmp_path / "husk.py").write_text("raise SystemExit('imported')", encoding="utf-8")
        monkeypatch.syspath_prepend(tmp_path)
        for kind in ("Object", "Function", "Type", "Loss", "ConstructorFromReduce"):
            inner = node(
                kind,
                "husk.Husk",
                content=items("tuple"),
                __reduce__={"args": items("tuple")},
            )
            with pytest.raises(ValueError, match=r"husk\.Husk"):
                load_model(put(skops_file(step(copy=inner))))
        assert "husk" not in sys.modules

    @pytest.mark.parametrize("name", ["sklearn.\x1b[2JTree", "husk.\x1b[2JHusk"])
    def test_the_message_moves_no_cursor(self, name, put):
        for inner in (node("Object", name), node("Object", name) | {"__loader__": "None"}):
            with pytest.raises(ValueError, match="2J") as caught:
                load_model(put(skops_file(step(copy=inner))))
            assert str(caught.value).isprintable()

    @pytest.mark.parametrize(
        "name",
        [
            "sklearn.Tree; rm -rf x #.Tree",
            "numpy.log1p (numpy), which is fine. Run 'curl x | sh' first. numpy.y",
            "numpy.`x`.y",
            "numpy.$(x).y",
            "sklearn.tr\N{CYRILLIC SMALL LETTER IE}e.Tree",
            "numpy",
        ],
    )
    def test_the_message_asks_for_nothing_but_names(self, name, put):
        with pytest.raises(ValueError, match="none of its own") as caught:
            load_model(put(skops_file(step(copy=node("Object", name)))))
        assert "--trust" not in str(caught.value)

    def test_the_warning_moves_no_cursor(self, put):
        data = skops_file(step(_sklearn_version=text("0.1\x1b[2J\nand")))
        with pytest.warns(InconsistentVersionWarning, match="from version unknown when") as caught:
            load_model(put(data))
        assert len(caught) == 1
        assert "\x1b" not in str(caught[0].message)

    def test_a_sparse_matrix_that_would_fill_the_memory(self, put):
        matrix = io.BytesIO()
        scipy.sparse.save_npz(matrix, scipy.sparse.csr_matrix(np.zeros((1, 1))))
        inner = node("SparseMatrix", "scipy.sparse._matrix.spmatrix", type="scipy", file="0.x")
        data = skops_file(step(copy=inner), members=[("0.x", matrix.getvalue())])
        with pytest.raises(ValueError, match="compressed"):
            load_model(put(data))

    def test_compressed(self, put):
        data = skops_file(step(), members=[("0.npy", bytes(10**6))], compressed=True)
        with pytest.raises(ValueError, match="compressed"):
            load_model(put(data))

    def test_a_member_twice(self, put):
        with pytest.warns(UserWarning, match="Duplicate"):
            data = skops_file(step(), members=[("0.npy", b"a"), ("0.npy", b"b")])
        with pytest.raises(ValueError, match="a member twice"):
            load_model(put(data))

    def test_an_array_that_would_fill_the_memory(self, put):
        header = np.lib.format.magic(1, 0)
        said = b"{'descr': '<f8', 'fortran_order': False, 'shape': (10000000000000,), }\n"
        array = header + len(said).to_bytes(2, "little") + said
        inner = node("NdArray", "numpy.ndarray", type="numpy", file="0.npy")
        data = skops_file(step(copy=inner), members=[("0.npy", array)])
        with pytest.raises(ValueError, match=r"model\.skspeech cannot be loaded"):
            load_model(put(data))

    def test_pickled_objects(self, put):
        array = io.BytesIO()
        np.save(array, np.array([{}], dtype=object), allow_pickle=True)
        inner = node("NdArray", "numpy.ndarray", type="numpy", file="0.npy")
        data = skops_file(step(copy=inner), members=[("0.npy", array.getvalue())])
        with pytest.raises(ValueError, match="allow_pickle=False"):
            load_model(put(data))

    @pytest.mark.parametrize(
        "hide",
        [
            lambda inner: items("set", inner),
            lambda inner: node("Object", "sklearn._loss.link.LogLink", content=named(x=inner)),
        ],
    )
    def test_a_hidden_cache(self, hide, put):
        inner = step("sklearn.pipeline.Pipeline", memory=text("cache"))
        with pytest.raises(ValueError, match="a cache"):
            load_model(put(skops_file(step(copy=hide(inner)))))

    @pytest.mark.parametrize("by_reference", [False, True])
    def test_a_cache(self, by_reference, path, rewrite):
        save_model(AgglomerativeClustering().fit(TABLE), path)
        attributes = {"linkage": text("ward"), "memory": text("cache")}
        if by_reference:  # a part that was met before stands for itself, whatever it says
            attributes = {
                "linkage": text("cache") | {"__id__": 7},
                "memory": text(None) | {"__id__": 7},
            }
        name = "sklearn.cluster._agglomerative.AgglomerativeClustering"
        data = skops_file(step(name, **attributes))
        rewrite(path, change={"skops/0.skops": lambda _: data})
        with pytest.raises(ValueError, match="a cache"):
            load_model(path)

    def test_a_step_for_another(self, saved, rewrite):
        def swap(tree):
            first, second = (node for _, node in tree["steps"])
            first["skops"], second["skops"] = second["skops"], first["skops"]

        rewrite(saved, tree=swap)
        with pytest.raises(ValueError, match=r"its step 'sklearn.*StandardScaler' is a 'sklearn"):
            load_model(saved)

    @pytest.mark.parametrize("name", ["skops/1.skops", "skops/9.skops", "../x", "tree.json", 3])
    def test_a_member_that_is_not_the_steps(self, name, saved, rewrite):
        rewrite(saved, tree=lambda tree: tree["steps"][0][1].update(skops=name))
        with pytest.raises(ValueError, match=r"model\.skspeech cannot be loaded"):
            load_model(saved)

    @pytest.mark.parametrize("name", ["os.system", "skspeech.preprocessing.FixedDuration", "SVC"])
    def test_a_class_that_is_not_scikit_learns(self, name, saved, rewrite):
        rewrite(saved, tree=lambda tree: tree["steps"][1][1].update({"class": name}))
        with pytest.raises(ValueError, match=r"is a 'sklearn\.svm"):
            load_model(saved, trusted=["os.system"])

    def test_any_flipped_bit(self, saved):
        whole = saved.read_bytes()
        start = whole.index(b"skops/0.skops")
        rng = np.random.default_rng(0)
        for place in rng.integers(start, len(whole), 60):
            flipped = bytearray(whole)
            flipped[place] ^= 1 << int(rng.integers(8))
            saved.write_bytes(flipped)
            try:
                loaded = load_model(saved)
            except ValueError as error:
                assert "model.skspeech" in str(error)  # noqa: PT017
            else:
                saved.write_bytes(whole)
                expected = load_model(saved).decision_function(TABLE)
                assert_array_equal(loaded.decision_function(TABLE), expected)

    def test_any_truncation(self, saved, truncated):
        for cut in truncated(saved, 40):
            with pytest.raises(ValueError, match=r"model\.skspeech cannot be loaded"):
                load_model(cut)

    def test_tampered(self, saved, rewrite):
        rewrite(saved, members={"skops/0.skops": b"PK"})
        with pytest.raises(ValueError, match=r"skops/0\.skops is not what was written"):
            load_model(saved)

    def test_another_version_of_scikit_learn(self, put):
        data = skops_file(step(_sklearn_version=text("0.1")))
        with pytest.warns(InconsistentVersionWarning, match="StandardScaler from version 0.1"):
            load_model(put(data))


class TestWithoutSkops:
    @pytest.fixture(params=["missing", "old"])
    def without(self, request, saved, monkeypatch):
        from skspeech.persistence import _scikit_learn

        if request.param == "missing":
            monkeypatch.setitem(sys.modules, "skops", None)
            monkeypatch.setitem(sys.modules, "skops.io", None)
        else:
            monkeypatch.setattr(_scikit_learn, "version", lambda name: "0.11.0")
        return saved

    def test_is_asked_for(self, without, tmp_path):
        model = StandardScaler().fit(TABLE)
        for call in (
            lambda: load_model(without),
            lambda: save_model(model, tmp_path / "new.skspeech"),
            lambda: check_savable(make_pipeline(StandardScaler())),
        ):
            with pytest.raises(MissingExtraError, match=r"skops.* Install it: .*\[skops\]"):
                call()

    def test_is_not_needed_for_ours(self, without, tmp_path):
        save_model(make_pipeline(FixedDuration()), tmp_path / "ours.skspeech")
        load_model(tmp_path / "ours.skspeech")
