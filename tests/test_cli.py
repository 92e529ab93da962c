import json
import os
import subprocess
import sys
from importlib.metadata import version
from types import ModuleType

import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.svm import SVC

from skspeech import cli, plugins
from skspeech.exceptions import MissingExtraError
from skspeech.persistence import save_model
from skspeech.plugins import EstimatorEntry
from skspeech.preprocessing import AudioLoader, FixedDuration
from skspeech.testing import make_labels, make_recordings, small_instance

ENTRIES = [
    EstimatorEntry("Guess", "classifier", "fake-voices", "0.10", "voices:Guess"),
    EstimatorEntry("Sieve", "transformer", "a", "1.0", "a:Sieve", ("bee 2.0 (b:Sieve)",)),
    EstimatorEntry("Sieve", "transformer", "bee", "2.0", "b:Sieve", ("a 1.0 (a:Sieve)",)),
]


@pytest.fixture
def registry(monkeypatch):
    monkeypatch.setattr(
        plugins,
        "list_estimators",
        lambda kind=None: [entry for entry in ENTRIES if kind in (None, entry.kind)],
    )


@pytest.fixture
def demo(monkeypatch):
    """Put a stub in the place of the demo, with what it was called with."""
    calls = []

    def run_demo(**options):
        calls.append(options)

    stub = ModuleType("skspeech.experiments.demo")
    stub.run_demo = run_demo
    monkeypatch.setitem(sys.modules, "skspeech.experiments", ModuleType("skspeech.experiments"))
    monkeypatch.setitem(sys.modules, "skspeech.experiments.demo", stub)
    return stub, calls


def run_python(*arguments, **options):
    return subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, check=False, **options
    )


class TestList:
    def test_table(self, registry, capsys):
        assert cli.main(["list"]) == 0
        assert capsys.readouterr().out.splitlines() == [
            "name   kind         distribution  version",
            "Guess  classifier   fake-voices   0.10",
            "Sieve  transformer  a             1.0      ! same name: bee 2.0 (b:Sieve)",
            "Sieve  transformer  bee           2.0      ! same name: a 1.0 (a:Sieve)",
        ]

    def test_kind(self, registry, capsys):
        assert cli.main(["list", "--kind", "classifier"]) == 0
        assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == [
            "name",
            "Guess",
        ]

    def test_none(self, registry, capsys):
        assert cli.main(["list", "--kind", "regressor"]) == 0
        assert capsys.readouterr().out == "no regressors are installed\n"

    def test_unknown_kind(self, capsys):
        with pytest.raises(SystemExit) as stop:
            cli.main(["list", "--kind", "vocoder"])
        assert stop.value.code == 2
        assert "choose from" in capsys.readouterr().err

    @pytest.mark.parametrize(("problem", "status"), [("requires torch>=99", 1), (None, 0)])
    def test_check(self, monkeypatch, capsys, problem, status):
        checked = [(ENTRIES[0], None), (ENTRIES[1], problem)]
        monkeypatch.setattr(plugins, "check_plugins", lambda kind=None: checked)
        assert cli.main(["list", "--check"]) == status
        note = "      ! requires torch>=99" if problem else ""
        assert capsys.readouterr().out.splitlines() == [
            "name   kind         distribution  version",
            "Guess  classifier   fake-voices   0.10",
            f"Sieve  transformer  a             1.0{note}",
        ]

    def test_check_of_none(self, monkeypatch, capsys):
        monkeypatch.setattr(plugins, "check_plugins", lambda kind=None: [])
        assert cli.main(["list", "--check", "--kind", "regressor"]) == 0
        assert capsys.readouterr().out == "no regressors are installed\n"


class TestNewPlugin:
    def test_a_folder_is_written_once(self, tmp_path, monkeypatch, capsys):
        monkeypatch.chdir(tmp_path)
        assert cli.main(["new-plugin", "grain-voices"]) == 0
        assert "pip install -e 'grain-voices[test]'" in capsys.readouterr().out
        assert (tmp_path / "grain-voices" / "grain_voices" / "pitch.py").is_file()
        assert cli.main(["new-plugin", "grain-voices"]) == 2
        assert "grain-voices is there already" in capsys.readouterr().err


class TestDemo:
    def test_defaults(self, demo):
        _, calls = demo
        assert cli.main(["demo"]) == 0
        assert calls == [{"seed": 0, "max_epochs": 60, "report": None, "stream": sys.stdout}]

    def test_options(self, demo):
        _, calls = demo
        assert cli.main(["demo", "--seed", "7", "--max-epochs", "2", "--report", "a.html"]) == 0
        assert (calls[0]["seed"], calls[0]["max_epochs"], calls[0]["report"]) == (7, 2, "a.html")

    @pytest.mark.parametrize("text", ["0", "-1", "few"])
    def test_max_epochs_is_positive(self, demo, text):
        with pytest.raises(SystemExit) as stop:
            cli.main(["demo", "--max-epochs", text])
        assert stop.value.code == 2

    def test_value_error_is_one_line(self, demo, monkeypatch, capsys):
        stub, _ = demo

        def refuse(**options):
            raise ValueError("X[17] is empty.\n  Remove it.")

        monkeypatch.setattr(stub, "run_demo", refuse)
        assert cli.main(["demo"]) == 2
        output = capsys.readouterr()
        assert output.out == ""
        assert output.err == "skspeech: error: X[17] is empty. Remove it.\n"

    def test_missing_library_is_one_line(self, demo, monkeypatch, capsys):
        stub, _ = demo

        def refuse(**options):
            raise MissingExtraError("A report", "jinja2", "report")

        monkeypatch.setattr(stub, "run_demo", refuse)
        assert cli.main(["demo", "--report", "a.html"]) == 2
        assert capsys.readouterr().err == (
            "skspeech: error: A report needs jinja2. Install it: pip install 'skspeech[report]'\n"
        )

    def test_other_errors_are_not_hidden(self, demo, monkeypatch):
        stub, _ = demo

        def fail(**options):
            raise RuntimeError("a bug")

        monkeypatch.setattr(stub, "run_demo", fail)
        with pytest.raises(RuntimeError, match="a bug"):
            cli.main(["demo"])


@pytest.fixture(scope="module")
def files():
    return make_recordings("path", 8)


@pytest.fixture(scope="module")
def model(files):
    return make_pipeline(
        AudioLoader(sample_rate=800),
        FixedDuration(duration=0.1, sample_rate=800),
        small_instance("CNNLSTM1DClassifier").set_params(max_epochs=2),
    ).fit(files, make_labels(8))


class TestPredict:
    """On files at 800 Hz; those of odd number sound otherwise."""

    @pytest.fixture
    def saved(self, model, tmp_path):
        save_model(model, tmp_path / "all.skspeech")
        return str(tmp_path / "all.skspeech")

    def test_table(self, saved, model, files, capsys):
        assert cli.main(["predict", saved, *files]) == 0
        rows = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
        assert [row[0] for row in rows] == list(files)
        assert [row[1] for row in rows] == model.predict(files).tolist()
        best = model.predict_proba(files).max(axis=1)
        assert [float(row[2]) for row in rows] == pytest.approx(best, abs=1e-4)

    def test_posteriors(self, saved, model, files, capsys):
        assert cli.main(["predict", "--proba", saved, *files[:2]]) == 0
        rows = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
        assert rows[0] == ["file", "answer", "even", "odd"]
        found = [[float(value) for value in row[2:]] for row in rows[1:]]
        assert found == pytest.approx(model.predict_proba(files[:2]), abs=1e-4)

    def test_json(self, saved, model, files, capsys):
        assert cli.main(["predict", "--json", saved, files[1]]) == 0
        said = json.loads(capsys.readouterr().out)
        assert (said["file"], said["answer"]) == (files[1], model.predict(files[1:2])[0])
        assert list(said["posterior"]) == ["even", "odd"]
        expected = model.predict_proba(files[1:2])[0]
        assert list(said["posterior"].values()) == pytest.approx(expected, abs=1e-6)

    def test_files_are_read_at_the_rate_of_the_model(self, model, files, saved, tmp_path, capsys):
        save_model(make_pipeline(*model[1:]), tmp_path / "waveforms.skspeech")
        cli.main(["predict", saved, *files])
        expected = capsys.readouterr().out
        assert cli.main(["predict", str(tmp_path / "waveforms.skspeech"), *files]) == 0
        assert capsys.readouterr().out == expected

    @pytest.mark.parametrize("which", ["all", "waveforms"])
    def test_bad_files_are_named_and_the_others_answered(
        self, which, model, saved, files, tmp_path, capsys
    ):
        save_model(make_pipeline(*model[1:]), tmp_path / "waveforms.skspeech")
        bad = tmp_path / "bad.wav"
        bad.write_text("no sound")
        missing = str(tmp_path / "missing.wav")
        code = cli.main(
            ["predict", str(tmp_path / f"{which}.skspeech"), str(bad), files[0], missing, files[1]]
        )
        output = capsys.readouterr()
        assert code == 1
        assert [line.split("\t")[0] for line in output.out.splitlines()] == list(files[:2])
        errors = output.err.splitlines()
        assert len(errors) == 2
        assert errors[0].startswith(f"skspeech: error: {bad}: ")
        assert errors[1].startswith(f"skspeech: error: {missing}: ")
        assert "X[" not in output.err

    def test_unusable_models(self, model, files, tmp_path, capsys):
        damaged = tmp_path / "damaged.skspeech"
        damaged.write_bytes(b"PK")
        save_model(FixedDuration(), tmp_path / "front.skspeech")
        save_model(model[-1], tmp_path / "network.skspeech")
        for name, reason in {
            "damaged": "damaged.skspeech cannot be loaded: BadZipFile",
            "missing": "missing.skspeech cannot be read: No such file",
            "front": "holds no classifier",
            "network": "reads one waveform a recording at no sample rate",
        }.items():
            assert cli.main(["predict", str(tmp_path / f"{name}.skspeech"), files[0]]) == 2
            output = capsys.readouterr()
            assert output.out == ""
            assert len(output.err.splitlines()) == 1
            assert reason in output.err

    def test_classes_are_trusted_by_name(self, model, files, tmp_path, capsys):
        pytest.importorskip("skops", reason="scikit-learn's steps need the extra skops")
        forest = RandomForestClassifier(2, random_state=0)
        whole = make_pipeline(*model, forest).fit(files, make_labels(8))
        save_model(whole, tmp_path / "forest.skspeech")
        path = str(tmp_path / "forest.skspeech")
        assert cli.main(["predict", path, *files]) == 2
        error = capsys.readouterr().err
        assert len(error.splitlines()) == 1
        assert "skspeech predict --trust sklearn.tree._tree.Tree" in error
        command = ["predict", path, *files, "--trust", "os.system"]
        assert cli.main([*command, "--trust", "sklearn.tree._tree.Tree"]) == 0
        rows = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
        assert [row[1] for row in rows] == whole.predict(files).tolist()

    def test_a_model_without_posteriors(self, model, files, tmp_path, capsys):
        pytest.importorskip("skops", reason="scikit-learn's steps need the extra skops")
        whole = make_pipeline(*model, SVC()).fit(files, make_labels(8))
        save_model(whole, tmp_path / "svc.skspeech")
        path = str(tmp_path / "svc.skspeech")
        assert cli.main(["predict", path, *files]) == 0
        rows = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
        answers = whole.predict(files).tolist()
        assert rows == [[file, answer] for file, answer in zip(files, answers, strict=True)]
        assert cli.main(["predict", "--json", path, files[0]]) == 0
        assert json.loads(capsys.readouterr().out) == {"file": files[0], "answer": answers[0]}
        assert cli.main(["predict", "--proba", path, *files]) == 2
        assert "has no posteriors. Leave --proba out" in capsys.readouterr().err

    def test_labels_move_no_cursor(self, model, files, tmp_path, capsys):
        labels = [f"{label}\x1b[2J\t\n" for label in make_labels(8)]
        network = small_instance("CNNLSTM1DClassifier").set_params(max_epochs=1)
        whole = make_pipeline(*model[:-1], network).fit(files, labels)
        save_model(whole, tmp_path / "nasty.skspeech")
        assert cli.main(["predict", "--proba", str(tmp_path / "nasty.skspeech"), files[0]]) == 0
        header, row = capsys.readouterr().out.splitlines()
        assert "\x1b" not in header + row
        assert len(header.split("\t")) == len(row.split("\t")) == 4

    def test_no_files(self, saved):
        with pytest.raises(SystemExit) as stop:
            cli.main(["predict", saved])
        assert stop.value.code == 2


class TestExperiment:
    def test_options_are_handed_on_and_a_table_is_printed(self, monkeypatch, capsys):
        from skspeech.experiments import protocol

        calls = []
        row = {
            "protocol": "honest",
            "model": "net",
            "test_speakers": ["Ann", "Bob"],
            "n_test": 7,
            "wa": 0.5,
            "ua": 0.25,
        }

        def run_experiment(name, **options):
            calls.append((name, options))
            return [row]

        monkeypatch.setattr(protocol, "run_experiment", run_experiment)
        options = "--data-home here --seed 3 --resume --output rows.csv --n-jobs 2 --max-epochs 4"
        runs = "--protocol a --protocol b --model net --checkpoint-dir epochs"
        assert cli.main(["experiment", "zhao2019-emodb", *options.split(), *runs.split()]) == 0
        assert calls == [
            (
                "zhao2019-emodb",
                {
                    "data_home": "here",
                    "seed": 3,
                    "output": "rows.csv",
                    "resume": True,
                    "protocols": ["a", "b"],
                    "models": ["net"],
                    "max_epochs": 4,
                    "checkpoint_dir": "epochs",
                    "n_jobs": 2,
                    "verbose": 1,
                },
            )
        ]
        assert capsys.readouterr().out.splitlines() == [
            "protocol  model  test speakers  recordings  WA     UA",
            "honest    net    Ann Bob        7           0.500  0.250",
        ]

    def test_ctrl_c_is_one_line(self, monkeypatch, capsys):
        from skspeech.experiments import protocol

        def run_experiment(name, **options):
            raise KeyboardInterrupt

        monkeypatch.setattr(protocol, "run_experiment", run_experiment)
        assert cli.main(["experiment", "zhao2019-emodb"]) == 130
        assert capsys.readouterr().err.startswith("skspeech: stopped.")

    def test_unknown_name_is_one_line(self, capsys):
        assert cli.main(["experiment", "zhao"]) == 2
        assert "there are zhao2019-emodb, zhao2019-iemocap" in capsys.readouterr().err

    def test_absent_corpus_is_one_line(self, tmp_path, monkeypatch, capsys):
        monkeypatch.chdir(tmp_path)
        assert cli.main(["experiment", "zhao2019-iemocap", "--data-home", str(tmp_path)]) == 2
        error = capsys.readouterr().err
        assert "IEMOCAP_full_release" in error
        assert error.count("\n") == 1
        assert not list(tmp_path.iterdir())


class TestEvaluate:
    def test_the_bundled_voices(self, tmp_path, monkeypatch, capsys):
        monkeypatch.chdir(tmp_path)
        command = "evaluate --dataset voice-prompts --model mfcc-svc --cv two-speakers --seed 1"
        assert cli.main([*command.split(), "--report", "report.html"]) == 0
        out = capsys.readouterr().out
        assert "All 12 answers together: WA" in out
        assert "Report: report.html" in out
        page = (tmp_path / "report.html").read_text(encoding="utf-8")
        assert f"skspeech {command}"[:40] in page
        assert [path.name for path in tmp_path.iterdir()] == ["report.html"]

    @pytest.mark.parametrize(
        ("command", "problem"),
        [
            ("--dataset emo --model mfcc-svc", "--dataset is 'emo'; choose one of emodb"),
            ("--dataset emodb --model mfcc-svc --cv all", "--cv is 'all'; choose one of speaker"),
            ("--dataset voice-prompts --model cnn", "no classifier 'cnn'"),
        ],
    )
    def test_unknown_names_are_one_line(self, capsys, command, problem):
        assert cli.main(["evaluate", *command.split()]) == 2
        error = capsys.readouterr().err
        assert problem in error
        assert error.count("\n") == 1


class TestProgram:
    @pytest.mark.parametrize("arguments", [["list"], ["--version"], ["--help"]])
    def test_answers_without_torch(self, arguments):
        code = (
            "import sys\n"
            "from skspeech.cli import main\n"
            "try:\n"
            f"    code = main({arguments!r})\n"
            "except SystemExit as stop:\n"
            "    code = stop.code\n"
            "print(*sys.modules, file=sys.stderr)\n"
            "sys.exit(code)\n"
        )
        result = run_python("-c", code)
        assert result.returncode == 0
        assert not {"torch", "librosa", "sklearn"} & set(result.stderr.split())

    def test_module(self):
        result = run_python("-m", "skspeech", "--version")
        assert (result.returncode, result.stdout) == (0, f"skspeech {version('skspeech')}\n")

    def test_no_command(self):
        result = run_python("-m", "skspeech")
        assert result.returncode == 2
        assert "COMMAND" in result.stderr

    @pytest.mark.parametrize("argument", ["list", "--help"])
    def test_reader_that_has_gone(self, argument):
        reading, writing = os.pipe()
        os.close(reading)
        with os.fdopen(writing, "w") as pipe:
            result = subprocess.run(
                [sys.executable, "-m", "skspeech", argument],
                stdout=pipe,
                stderr=subprocess.PIPE,
                text=True,
                check=False,
            )
        assert (result.returncode, result.stderr) == (0, "")
