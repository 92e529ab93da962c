import re
import subprocess
import sys
import tomllib
import warnings
from pathlib import Path

import pytest

from skspeech import plugins
from skspeech.exceptions import PluginWarning
from skspeech.plugins import health, registry

EXAMPLE = Path(__file__).parents[1] / "examples" / "skspeech-plugin-example"

SIEVE = """
from sklearn.base import BaseEstimator, TransformerMixin

class Sieve(TransformerMixin, BaseEstimator):
    def fit(self, X, y=None):
        return self

    def transform(self, X):
        return X
"""

VOICES = """
from abc import ABC, abstractmethod

from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin

class Guess(ClassifierMixin, BaseEstimator):
    def predict(self, X):
        return X

    def transform(self, X):
        return X

class Line(RegressorMixin, BaseEstimator):
    def predict(self, X):
        return X

class Mute(ClassifierMixin, BaseEstimator):
    pass

class Bare:
    def predict(self, X):
        return X

class Plan(RegressorMixin, BaseEstimator, ABC):
    @abstractmethod
    def predict(self, X):
        pass

def function():
    pass
"""


@pytest.fixture
def add_plugin(tmp_path, monkeypatch):
    """Return a function that installs a distribution as pip leaves one, less what nobody reads."""
    before = set(sys.modules)

    def add(distribution, entries, *, version="1.0", folder="site", requires=(), **modules):
        site = tmp_path / folder
        info = site / f"{distribution.replace('-', '_')}-{version}.dist-info"
        info.mkdir(parents=True)
        fields = [f"Name: {distribution}", f"Version: {version}"]
        fields += [f"Requires-Dist: {requirement}" for requirement in requires]
        (info / "METADATA").write_text("\n".join(["Metadata-Version: 2.1", *fields, ""]))
        lines = [f"[skspeech.{kind}s]\n{line}\n" for kind, line in entries]
        (info / "entry_points.txt").write_text("\n".join(lines))
        for name, source in modules.items():
            (site / f"{name}.py").write_text(source)
        if str(site) not in sys.path:
            monkeypatch.syspath_prepend(str(site))
        return site

    # What pip may have installed beside these tests is none of their business.
    genuine = registry._discover
    monkeypatch.setattr(
        registry,
        "_discover",
        lambda: (pair for pair in genuine() if pair[0].distribution.startswith("fake-")),
    )
    yield add
    for name in set(sys.modules) - before:
        if name.startswith("fake_"):
            del sys.modules[name]


@pytest.fixture
def sieve(add_plugin):
    return add_plugin("fake-sieve", [("transformer", "Sieve = fake_sieve:Sieve")], fake_sieve=SIEVE)


def names(pairs):
    return [name for name, _ in pairs]


def listed(kind=None):
    return [entry.name for entry in plugins.list_estimators(kind)]


class TestListEstimators:
    def test_entry(self, sieve):
        assert plugins.list_estimators() == [
            plugins.EstimatorEntry("Sieve", "transformer", "fake-sieve", "1.0", "fake_sieve:Sieve")
        ]

    def test_imports_nothing(self, add_plugin):
        add_plugin("fake-a", [("classifier", "A = fake_a:A")], fake_a="raise SystemExit(3)")
        assert listed() == ["A"]
        assert "fake_a" not in sys.modules

    @pytest.mark.parametrize(
        ("kind", "expected"),
        [("classifier", ["B"]), ("regressor", []), ("transformer", ["A"]), (None, ["A", "B"])],
    )
    def test_kind(self, add_plugin, kind, expected):
        add_plugin("fake-a", [("classifier", "B = a:B"), ("transformer", "A = a:A")])
        assert listed(kind) == expected

    @pytest.mark.parametrize("function", [plugins.list_estimators, plugins.all_estimators])
    def test_unknown_kind(self, function):
        with pytest.raises(ValueError, match="kind must be one of classifier, regressor, transf"):
            function("vocoder")

    def test_duplicates(self, add_plugin):
        add_plugin("fake-a", [("classifier", "Same = a:Same")], version="1.5")
        add_plugin("fake-b", [("transformer", "Same = b:Same"), ("classifier", "Own = b:Own")])
        own, first, second = plugins.list_estimators()
        assert own.duplicates == ()
        assert first.duplicates == ("fake-b 1.0 (b:Same)",)
        assert second.duplicates == ("fake-a 1.5 (a:Same)",)

    def test_duplicate_of_another_kind_is_named(self, add_plugin):
        add_plugin("fake-a", [("classifier", "Same = a:Same")])
        add_plugin("fake-b", [("transformer", "Same = b:Same")])
        (entry,) = plugins.list_estimators("classifier")
        assert entry.duplicates == ("fake-b 1.0 (b:Same)",)

    def test_one_class_as_two_kinds_is_no_duplicate(self, add_plugin):
        add_plugin("fake-a", [("classifier", "A = a:A"), ("transformer", "A = a:A")])
        entries = plugins.list_estimators()
        assert [(entry.kind, entry.duplicates) for entry in entries] == [
            ("classifier", ()),
            ("transformer", ()),
        ]

    def test_folder_twice_on_the_path(self, sieve, monkeypatch, tmp_path):
        monkeypatch.syspath_prepend(str(sieve))
        link = tmp_path / "link"
        link.symlink_to(sieve, target_is_directory=True)
        monkeypatch.syspath_prepend(str(link))
        (entry,) = plugins.list_estimators()
        assert entry.duplicates == ()

    def test_two_versions_of_one_distribution(self, add_plugin):
        add_plugin("fake-a", [("classifier", "A = a:A")], version="1.0", folder="wheel")
        add_plugin("fake-a", [("classifier", "A = a:A")], version="1.1", folder="checkout")
        (entry,) = plugins.list_estimators()
        assert (entry.version, entry.duplicates) == ("1.1", ())

    def test_equal_offers_are_one(self, sieve, monkeypatch):
        pairs = list(registry._discover())
        monkeypatch.setattr(registry, "_discover", lambda: iter(pairs * 2))
        (entry,) = plugins.list_estimators()
        assert entry.duplicates == ()

    def test_distribution_without_metadata(self, sieve, monkeypatch):
        (sieve / "fake_sieve-1.0.dist-info" / "METADATA").unlink()
        monkeypatch.undo()
        monkeypatch.syspath_prepend(str(sieve))
        entries = [entry for entry in plugins.list_estimators() if entry.name == "Sieve"]
        assert [(entry.distribution, entry.version) for entry in entries] == [
            ("unknown", "unknown")
        ]


class TestAllEstimators:
    def test_sorted_pairs(self, add_plugin, sieve):
        add_plugin(
            "fake-voices",
            [("regressor", "Line = fake_voices:Line"), ("classifier", "Guess = fake_voices:Guess")],
            fake_voices=VOICES,
        )
        pairs = plugins.all_estimators()
        assert [(name, cls.__name__) for name, cls in pairs] == [
            ("Guess", "Guess"),
            ("Line", "Line"),
            ("Sieve", "Sieve"),
        ]
        assert names(plugins.all_estimators("regressor")) == ["Line"]

    def test_one_class_as_two_kinds_comes_once(self, add_plugin):
        value = "Guess = fake_voices:Guess"
        add_plugin(
            "fake-voices", [("classifier", value), ("transformer", value)], fake_voices=VOICES
        )
        assert names(plugins.all_estimators()) == ["Guess"]
        assert names(plugins.all_estimators("transformer")) == ["Guess"]

    @pytest.mark.parametrize(
        ("source", "reason"),
        [
            ("import module_that_is_not_there", "ModuleNotFoundError: No module named"),
            ("1 / 0", "ZeroDivisionError: division by zero"),
            ("raise SystemExit(3)", "SystemExit: 3"),
            ("def broken(:", "SyntaxError"),
            ("", "AttributeError: module 'fake_broken' has no attribute 'Broken'"),
            ("raise ValueError('two\\nlines')", "ValueError: two lines"),
        ],
    )
    def test_failing_import_harms_nobody_else(self, add_plugin, sieve, source, reason):
        add_plugin(
            "fake-broken",
            [("classifier", "Broken = fake_broken:Broken")],
            version="0.3",
            fake_broken=source,
        )
        with pytest.warns(PluginWarning, match="is left out") as caught:
            pairs = plugins.all_estimators()
        assert names(pairs) == ["Sieve"]
        (message,) = [str(warning.message) for warning in caught]
        assert message.startswith("Broken of fake-broken 0.3 (fake_broken:Broken) does not import:")
        assert reason in message

    def test_warning_points_at_the_caller(self, add_plugin):
        add_plugin("fake-a", [("classifier", "A = fake_missing:A")])
        with pytest.warns(PluginWarning) as caught:
            plugins.all_estimators()
        assert caught[0].filename == __file__

    def test_malformed_value(self, add_plugin, sieve):
        add_plugin("fake-broken", [("classifier", "Broken = not a module")])
        with pytest.warns(PluginWarning, match=r"Broken of fake-broken 1\.0"):
            assert names(plugins.all_estimators()) == ["Sieve"]

    def test_keyboard_interrupt_passes(self, add_plugin):
        add_plugin(
            "fake-a", [("classifier", "A = fake_stop:A")], fake_stop="raise KeyboardInterrupt"
        )
        with pytest.raises(KeyboardInterrupt):
            plugins.all_estimators()

    @pytest.mark.parametrize(
        ("kind", "attribute", "reason"),
        [
            ("classifier", "Line", "does not derive from ClassifierMixin"),
            ("regressor", "Guess", "does not derive from RegressorMixin"),
            ("transformer", "Line", "has no method transform"),
            ("classifier", "Mute", "has no method predict"),
            ("classifier", "Bare", "does not derive from BaseEstimator"),
            ("regressor", "Plan", "is abstract"),
            ("classifier", "function", "is not a class but of type function"),
        ],
    )
    def test_wrong_type_is_left_out(self, add_plugin, sieve, kind, attribute, reason):
        add_plugin("fake-voices", [(kind, f"Odd = fake_voices:{attribute}")], fake_voices=VOICES)
        with pytest.warns(PluginWarning) as caught:
            pairs = plugins.all_estimators()
        assert names(pairs) == ["Sieve"]
        assert [str(warning.message) for warning in caught] == [
            f"Odd of fake-voices 1.0 (fake_voices:{attribute}) is no {kind}: it {reason}. "
            "It is left out."
        ]

    def test_duplicates_are_kept_and_reported_once(self, add_plugin, sieve):
        add_plugin("fake-b", [("transformer", "Sieve = fake_b:Sieve")], fake_b=SIEVE)
        with pytest.warns(PluginWarning) as caught:
            pairs = plugins.all_estimators()
        assert [cls.__module__ for _, cls in pairs] == ["fake_b", "fake_sieve"]
        (message,) = [str(warning.message) for warning in caught]
        assert "fake-b 1.0 (fake_b:Sieve), fake-sieve 1.0 (fake_sieve:Sieve)" in message
        assert "load('Sieve', distribution=" in message


class TestLoad:
    def test_class(self, sieve):
        cls = plugins.load("Sieve")
        assert cls is plugins.load("Sieve", kind="transformer", distribution="Fake_Sieve")
        assert (cls.__module__, cls.__name__) == ("fake_sieve", "Sieve")

    def test_imports_no_other(self, add_plugin, sieve):
        add_plugin("fake-a", [("classifier", "A = fake_a:A")], fake_a="raise SystemExit(3)")
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            plugins.load("Sieve")
        assert "fake_a" not in sys.modules

    def test_near_match(self, sieve):
        with pytest.raises(ValueError, match=r"named 'sieves'\. Did you mean Sieve\?"):
            plugins.load("sieves")

    def test_nothing_near(self, sieve):
        with pytest.raises(ValueError, match=r"is named 'Zzz'\. `skspeech list` shows"):
            plugins.load("Zzz")

    def test_other_kind(self, sieve):
        message = r"No classifier is named 'Sieve'\. There is a transformer of fake-sieve 1\.0"
        with pytest.raises(ValueError, match=message):
            plugins.load("Sieve", kind="classifier")

    def test_other_distribution(self, sieve):
        with pytest.raises(ValueError, match=r"in distribution 'fake-b'\. There is a"):
            plugins.load("Sieve", distribution="fake-b")

    def test_duplicate_is_refused_until_one_is_chosen(self, add_plugin, sieve):
        add_plugin("fake-b", [("transformer", "Sieve = fake_b:Sieve")], fake_b=SIEVE)
        with pytest.raises(ValueError, match=r"fake-b 1\.0 .*, fake-sieve 1\.0 .*distribution="):
            plugins.load("Sieve")
        assert plugins.load("Sieve", distribution="fake-b").__module__ == "fake_b"

    def test_duplicate_of_another_kind(self, add_plugin, sieve):
        add_plugin("fake-voices", [("classifier", "Sieve = fake_voices:Guess")], fake_voices=VOICES)
        with pytest.raises(ValueError, match="stands for several classes"):
            plugins.load("Sieve")
        assert plugins.load("Sieve", kind="classifier").__name__ == "Guess"

    def test_both_kinds_are_checked(self, add_plugin):
        value = "Line = fake_voices:Line"
        add_plugin("fake-v", [("regressor", value), ("transformer", value)], fake_voices=VOICES)
        with pytest.raises(TypeError, match="is no transformer: it has no method transform"):
            plugins.load("Line")
        assert plugins.load("Line", kind="regressor").__name__ == "Line"

    @pytest.mark.parametrize("source", ["1 / 0", "raise SystemExit(3)", "x = 1"])
    def test_failing_import(self, add_plugin, source):
        add_plugin("fake-a", [("classifier", "A = fake_fails:A")], fake_fails=source)
        with pytest.raises(ImportError, match=r"A of fake-a 1\.0 \(fake_fails:A\) does not import"):
            plugins.load("A")


def problems():
    return {entry.name: problem for entry, problem in plugins.check_plugins()}


class TestCheckPlugins:
    def test_nothing_is_wrong(self, sieve):
        ((entry, problem),) = plugins.check_plugins()
        assert (entry.name, problem) == ("Sieve", None)

    def test_kind(self, sieve):
        assert plugins.check_plugins("classifier") == []

    @pytest.mark.parametrize(
        ("requirement", "problem"),
        [
            ("skspeech>=0.1", None),
            ("Skspeech", None),
            ("numpy>=1; python_version > '3'", None),
            ("nobody-has-this; python_version < '3'", None),
            ("nobody-has-this; extra == 'test'", None),
            ("skspeech>=99", r"requires skspeech>=99, but \d\S* is installed$"),
            ("skspeech<0.1,>=0.0.1", r"requires skspeech<0.1,>=0.0.1, but \d\S* is installed$"),
            ("numpy<1", r"requires numpy<1, but \d\S* is installed$"),
            ("nobody-has-this>=2", r"requires nobody-has-this>=2, which is not installed$"),
            ("n o n s e n s e", r"has a requirement that cannot be read: "),
        ],
    )
    def test_requirements(self, add_plugin, requirement, problem):
        add_plugin(
            "fake-needs",
            [("transformer", "Needs = fake_needs:Sieve")],
            requires=["skspeech>=0.1", requirement],
            fake_needs=SIEVE,
        )
        found = problems()["Needs"]
        assert found is None if problem is None else re.match(problem, found)
        assert "fake_needs" not in sys.modules

    @pytest.mark.parametrize(
        ("source", "problem"),
        [
            ("import no_such", "does not import: ModuleNotFoundError: No module named 'no_such'"),
            ("raise SystemExit(3)", "does not import: SystemExit: 3"),
            ("Broken = 3", "is no classifier: it is not a class but of type int"),
            (SIEVE.replace("Sieve", "Broken"), "is no classifier: it does not derive from Class"),
        ],
    )
    def test_imports_and_types(self, add_plugin, sieve, source, problem):
        add_plugin(
            "fake-broken", [("classifier", "Broken = fake_broken:Broken")], fake_broken=source
        )
        found = problems()
        assert found["Sieve"] is None
        assert found["Broken"].startswith(problem)

    def test_duplicates(self, add_plugin, sieve):
        add_plugin("fake-b", [("transformer", "Sieve = fake_b:Sieve")], fake_b="1 / 0")
        assert [(entry.distribution, problem) for entry, problem in plugins.check_plugins()] == [
            (
                "fake-b",
                "does not import: ZeroDivisionError: division by zero; "
                "shares its name with fake-sieve 1.0 (fake_sieve:Sieve)",
            ),
            ("fake-sieve", "shares its name with fake-b 1.0 (fake_b:Sieve)"),
        ]

    @pytest.mark.parametrize(
        ("source", "problem"),
        [
            (
                "import os; os._exit(7)",
                "ends the program when it is imported (exit status 7)",
            ),
            (
                "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
                "ends the program when it is imported (exit status -9)",
            ),
        ],
    )
    def test_what_ends_the_program(self, add_plugin, sieve, source, problem):
        entries = [("transformer", f"{name} = fake_{name.lower()}:Sieve") for name in "ABC"]
        add_plugin("fake-ends", entries, fake_a=SIEVE, fake_b=source, fake_c=SIEVE)
        assert problems() == {"A": None, "B": problem, "C": None, "Sieve": None}

    def test_what_comes_to_no_end(self, add_plugin, monkeypatch):
        source = "import time; time.sleep(1000)"
        add_plugin("fake-waits", [("transformer", "A = fake_waits:A")], fake_waits=source)
        monkeypatch.setattr(health, "_PATIENCE", 1)
        assert problems() == {"A": "has not been imported after 1 s"}

    def test_threads_that_go_on(self, add_plugin):
        source = "import threading, time; threading.Thread(target=time.sleep, args=(999,)).start()"
        add_plugin("fake-goes-on", [("transformer", "A = fake_on:Sieve")], fake_on=source + SIEVE)
        assert problems() == {"A": None}

    def test_what_a_plugin_prints_is_not_in_the_table(self, add_plugin, capfd):
        add_plugin(
            "fake-loud",
            [("transformer", "Sieve = fake_loud:Sieve")],
            fake_loud=f"print('hello'){SIEVE}",
        )
        assert problems() == {"Sieve": None}
        output = capfd.readouterr()
        assert (output.out, output.err) == ("", "hello\n")

    def test_a_distribution_without_metadata_is_checked(self, sieve, monkeypatch):
        (sieve / "fake_sieve-1.0.dist-info" / "METADATA").unlink()
        monkeypatch.undo()
        monkeypatch.syspath_prepend(str(sieve))
        genuine = registry._discover
        monkeypatch.setattr(
            registry, "_discover", lambda: (pair for pair in genuine() if pair[0].name == "Sieve")
        )
        assert problems() == {"Sieve": None}


class TestWritePlugin:
    def test_the_example_is_what_it_writes(self, tmp_path):
        written = plugins.write_plugin("skspeech-plugin-example", tmp_path)
        assert contents(written) == contents(EXAMPLE), "examples/ is write_plugin's, name for name"

    def test_the_example_is_small(self):
        modules = [text for name, text in contents(EXAMPLE).items() if name.endswith(".py")]
        assert sum(text.count("\n") for text in modules) < 150

    @pytest.mark.parametrize(
        ("name", "package", "classifier"),
        [
            ("grain-voices", "grain_voices", "GrainVoicesClassifier"),
            ("skspeech-WORLD", "skspeech_world", "WORLDClassifier"),
            ("a.b_c", "a_b_c", "ABCClassifier"),
            ("skspeech-plugin", "skspeech_plugin", "SkspeechPluginClassifier"),
            ("skspeech-2021", "skspeech_2021", "Plugin2021Classifier"),
        ],
    )
    def test_names(self, tmp_path, name, package, classifier):
        written = plugins.write_plugin(name, tmp_path)
        assert written == tmp_path / name
        project = tomllib.loads((written / "pyproject.toml").read_text(encoding="utf-8"))
        assert project["project"]["name"] == name
        assert project["project"]["entry-points"]["skspeech.classifiers"] == {
            classifier: f"{package}.attention:{classifier}"
        }
        texts = contents(written)
        assert f"class {classifier}(" in texts[f"{package}/attention.py"]
        assert not [file for file, text in texts.items() if "$" in text]

    @pytest.mark.parametrize(
        "name", ["", "a b", "../up", "a/b", "2021", "-a", "a-", "a--b", "grün", "a\n", "."]
    )
    def test_no_name_of_a_distribution(self, tmp_path, name):
        with pytest.raises(ValueError, match=r"is no name of a distribution\. Begin with"):
            plugins.write_plugin(name, tmp_path)
        assert not list(tmp_path.iterdir())

    @pytest.mark.parametrize("name", ["numpy", "class", "skspeech", "JSON"])
    def test_a_package_that_is_there(self, tmp_path, name):
        with pytest.raises(ValueError, match="would hide what Python has by this name"):
            plugins.write_plugin(name, tmp_path)
        assert not list(tmp_path.iterdir())

    @pytest.mark.parametrize("kind", ["file", "folder", "link"])
    def test_nothing_is_overwritten(self, tmp_path, kind):
        place = tmp_path / "grain-voices"
        if kind == "file":
            place.write_text("mine")
        elif kind == "folder":
            place.mkdir()
        else:
            place.symlink_to(tmp_path / "elsewhere")
        with pytest.raises(FileExistsError, match="grain-voices is there already"):
            plugins.write_plugin("grain-voices", tmp_path)
        assert list(tmp_path.rglob("*")) == [place]

    def test_no_folder_to_write_into(self, tmp_path):
        with pytest.raises(FileNotFoundError, match="Make it first"):
            plugins.write_plugin("grain-voices", tmp_path / "absent")


def contents(folder):
    """Return the text of every file in a folder, by its path in there."""
    return {
        path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8")
        for path in folder.rglob("*")
        if path.suffix in {".md", ".py", ".toml"}
    }


def test_import_is_light():
    code = "import sys, skspeech.plugins; print(*sys.modules)"
    result = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    )
    heavy = {"torch", "sklearn", "skorch", "librosa", "numpy", "importlib.metadata"}
    assert not heavy & set(result.stdout.split())
