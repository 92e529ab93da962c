import os
import subprocess
import sys
from importlib.metadata import version
from types import ModuleType

import pytest

from skspeech import cli, plugins
from skspeech.plugins import EstimatorEntry

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


class TestDemo:
    def test_defaults(self, demo):
        _, calls = demo
        assert cli.main(["demo"]) == 0
        assert calls == [{"seed": 0, "max_epochs": 60, "stream": sys.stdout}]

    def test_options(self, demo):
        _, calls = demo
        assert cli.main(["demo", "--seed", "7", "--max-epochs", "2"]) == 0
        assert (calls[0]["seed"], calls[0]["max_epochs"]) == (7, 2)

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

    def test_other_errors_are_not_hidden(self, demo, monkeypatch):
        stub, _ = demo

        def fail(**options):
            raise RuntimeError("a bug")

        monkeypatch.setattr(stub, "run_demo", fail)
        with pytest.raises(RuntimeError, match="a bug"):
            cli.main(["demo"])


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
