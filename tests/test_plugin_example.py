"""The example of a plugin, from its wheel to its uninstallation, in an environment of its own."""

import json
import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile

from skspeech.datasets import make_emotional_speech

ROOT = Path(__file__).parents[1]
EXAMPLE = ROOT / "examples" / "skspeech-plugin-example"

SPEECH = {"n_speakers": 3, "n_utterances": 1, "emotions": ("anger", "sadness"), "random_state": 0}

IN_PYTHON = f"""
import json

import joblib
import numpy as np
import skspeech
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, LeaveOneGroupOut, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from skspeech.cli import main
from skspeech.datasets import make_emotional_speech
from skspeech.plugins import load
from skspeech.preprocessing import LogMelSpectrogram

assert main(["list", "--check"]) == 0

speech = make_emotional_speech(**{SPEECH})
X, y, speakers = speech.data, speech.target, speech.speakers
network = load("ExampleClassifier")(n_maps=4, max_epochs=3, random_state=0)
system = make_pipeline(LogMelSpectrogram(n_mels=16), network)
leaving_one_out = {{"groups": speakers, "cv": LeaveOneGroupOut(), "scoring": "neg_log_loss"}}
search = GridSearchCV(system, {{"exampleclassifier__n_maps": [2, 4]}}, cv=2).fit(X, y)
by_pitch = make_pipeline(
    load("ExamplePitch")(),
    FunctionTransformer(lambda pitches: [[np.median(x[x > 0])] for x in pitches]),
    LogisticRegression(),
)
joblib.dump(system.fit(X, y), "model.joblib")
print(json.dumps({{
    "file": skspeech.__file__,
    "scores": [cross_val_score(system, X, y, n_jobs=n, **leaving_one_out).tolist() for n in (1, 2)],
    "searched": search.cv_results_["mean_test_score"].tolist(),
    "pitch": by_pitch.fit(X, y).score(X, y),
    "posteriors": system.predict_proba(X).tolist(),
}}))
"""

IN_A_NEW_PROCESS = """
import json
import sys

import joblib
import numpy as np

model = joblib.load("model.joblib")
print(json.dumps(model.predict_proba(list(np.load("recordings.npz").values())).tolist()))
"""


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    """An environment with skspeech and the example from their wheels, and what both need."""
    folder = tmp_path_factory.mktemp("environment")
    home = folder / "home"
    home.mkdir()
    variables = {**os.environ, "HOME": str(home), "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    variables.pop("PYTHONPATH", None)
    venv.create(folder / "env", symlinks=os.name != "nt")
    scripts = Path(sysconfig.get_path("scripts", "venv", {"base": str(folder / "env")}))
    python = scripts / "python"

    def run(*command, status=0):
        result = subprocess.run(
            command, cwd=home, env=variables, capture_output=True, text=True, check=False
        )
        assert result.returncode == status, result.stdout + result.stderr
        return result.stdout

    def pip(*command):
        return run(sys.executable, "-m", "pip", *command)

    offline = ("--no-index", "--no-deps")
    wheels = folder / "wheels"
    pip("wheel", *offline, "--no-build-isolation", "-w", str(wheels), str(ROOT), str(EXAMPLE))
    pip("--python", str(python), "install", *offline, *map(str, sorted(wheels.glob("*.whl"))))
    # Everything else is the running interpreter's: nothing is downloaded. What its own .pth files
    # name, such as a checkout of skspeech, is not seen.
    site = Path(sysconfig.get_path("purelib", "venv", {"base": str(folder / "env")}))
    others = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    (site / "others.pth").write_text("\n".join(sorted(others)), encoding="utf-8")
    skspeech = str(scripts / "skspeech")
    return SimpleNamespace(
        folder=folder, home=home, python=str(python), skspeech=skspeech, run=run, pip=pip
    )


def test_by_name_in_scikit_learns_tools_and_after_joblib_in_a_new_process(environment):
    found = json.loads(environment.run(environment.python, "-c", IN_PYTHON).splitlines()[-1])
    assert Path(found["file"]).is_relative_to(environment.folder), (
        "not the wheel's but a checkout's"
    )
    alone, two_processes = found["scores"]
    assert len(alone) == SPEECH["n_speakers"]
    np.testing.assert_allclose(two_processes, alone, rtol=1e-6)
    assert np.isfinite(found["searched"]).all()
    assert found["pitch"] > 0.5
    np.savez(environment.home / "recordings.npz", *make_emotional_speech(**SPEECH).data)
    again = json.loads(environment.run(environment.python, "-c", IN_A_NEW_PROCESS))
    np.testing.assert_allclose(again, found["posteriors"], atol=1e-6)


def test_from_the_command_line(environment):
    command = "evaluate --dataset voice-prompts --model example --cv two-speakers --max-epochs 1"
    printed = environment.run(environment.skspeech, *command.split(), "--save", "model.skspeech")
    assert "answers together: WA" in printed
    card = (environment.home / "model.skspeech.md").read_text(encoding="utf-8")
    name = "skspeech_plugin_example.attention.ExampleClassifier"
    assert f"trusted=['{name}']" in card
    assert "`skspeech-plugin-example==0.1.0`" in card
    soundfile.write(environment.home / "voice.wav", make_emotional_speech(**SPEECH).data[0], 16000)
    command = ("predict", "model.skspeech", "voice.wav", "--trust", name)
    assert environment.run(environment.skspeech, *command).startswith("voice.wav\t")


def test_the_tests_of_a_new_plugin_pass(environment):
    environment.run(environment.skspeech, "new-plugin", "grain-voices")
    options = ("-q", "-p", "no:cacheprovider", "--rootdir=grain-voices", "grain-voices")
    text = environment.run(environment.python, "-m", "pytest", *options)
    assert " passed" in text


SIEVE = """
from pathlib import Path
from sklearn.base import BaseEstimator, TransformerMixin
Path("imported").touch()
class Sieve(TransformerMixin, BaseEstimator):
    def fit(self, X, y=None):
        return self
    def transform(self, X):
        return X
"""

# By distribution: the entry, the module, what is required, and what is wrong.
BROKEN = {
    "husk": ("Husk = husk:Sieve", "1 / 0", (), "does not import: ZeroDivisionError"),
    "bran": ("Bran = bran:Sieve", "import straw" + SIEVE, (), "No module named 'straw'"),
    "meal": ("Meal = meal:Path", SIEVE, (), "is no transformer: it does not derive from Base"),
    "mill": ("Mill = mill:Sieve", SIEVE, ("skspeech>=99",), "requires skspeech>=99, but 0.1.0"),
    "germ": ("Germ = germ:Sieve", SIEVE, ("straw>=2",), "requires straw>=2, which is not inst"),
    "trap": ("Trap = trap:Sieve", "import os; os._exit(3)", (), "ends the program when it is"),
    "pith": ("ExamplePitch = pith:Sieve", SIEVE, (), "shares its name with skspeech-plugin-ex"),
}


def make_wheel(folder, name):
    entry, source, requires, _ = BROKEN[name]
    metadata = ["Metadata-Version: 2.1", f"Name: {name}", "Version: 1.0"]
    files = {
        f"{name}.py": source,
        f"{name}-1.0.dist-info/METADATA": "\n".join(
            [*metadata, *(f"Requires-Dist: {line}" for line in requires), ""]
        ),
        f"{name}-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\n"
        "Tag: py3-none-any\n",
        f"{name}-1.0.dist-info/entry_points.txt": f"[skspeech.transformers]\n{entry}\n",
    }
    files[f"{name}-1.0.dist-info/RECORD"] = "".join(f"{file},,\n" for file in files)
    path = folder / f"{name}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        for file, text in files.items():
            wheel.writestr(file, text)
    return str(path)


def test_broken_plugins_are_told_of_and_break_nothing_else(environment):
    wheels = [make_wheel(environment.folder, name) for name in BROKEN]
    options = ("install", "--no-index", "--no-deps")
    environment.pip("--python", environment.python, *options, *wheels)
    try:
        listed = environment.run(environment.skspeech, "list")
        assert not (environment.home / "imported").exists()
        checked = environment.run(environment.skspeech, "list", "--check", status=1)
        command = "evaluate --dataset voice-prompts --model example --cv two-speakers"
        done = environment.run(environment.skspeech, *command.split(), "--max-epochs", "1")
    finally:
        environment.pip("--python", environment.python, "uninstall", "-y", *BROKEN)
    rows = {line.split()[2]: line for line in checked.splitlines()}
    for name, (entry, _, _, problem) in BROKEN.items():
        assert entry.split()[0] in listed
        assert problem in rows[name]
    assert "answers together: WA" in done


def test_an_uninstalled_plugin_disappears(environment):
    assert "ExamplePitch" in environment.run(environment.skspeech, "list")
    environment.pip("--python", environment.python, "uninstall", "-y", EXAMPLE.name)
    listed = environment.run(environment.skspeech, "list")
    assert "SaliencePitch" in listed
    assert "Example" not in listed
