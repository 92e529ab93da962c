import subprocess
import sys

import pytest

import skspeech.datasets


def test_names_are_the_public_functions():
    assert dir(skspeech.datasets) == sorted(skspeech.datasets.__all__)
    assert all(callable(getattr(skspeech.datasets, name)) for name in skspeech.datasets.__all__)


def test_unknown_name_raises():
    with pytest.raises(AttributeError, match="load_nothing"):
        _ = skspeech.datasets.load_nothing


@pytest.mark.parametrize(
    ("code", "unwanted"),
    [
        ("import skspeech.datasets", {"librosa", "scipy", "sklearn", "soundfile", "torch"}),
        ("from skspeech.datasets import load_japanese_vowels", {"librosa", "soundfile", "torch"}),
        ("from skspeech.datasets import load_voice_prompts", {"librosa", "soundfile", "torch"}),
        ("from skspeech.datasets import fetch_emodb", {"librosa", "pooch", "soundfile", "torch"}),
        ("from skspeech.datasets import load_flamenco_motifs", {"librosa", "soundfile", "torch"}),
        ("from skspeech.datasets import load_iemocap", {"librosa", "soundfile", "torch"}),
        ("from skspeech.datasets import make_emotional_speech", {"librosa", "soundfile", "torch"}),
        ("from skspeech.datasets import make_singing", {"librosa", "soundfile", "torch"}),
        ("from skspeech.datasets import make_tongue_ultrasound", {"librosa", "soundfile", "torch"}),
        ("from skspeech.datasets import load_aaa_recordings", {"librosa", "soundfile", "torch"}),
    ],
)
def test_import_loads_no_more_than_it_needs(code, unwanted):
    report = f"import sys; {code}; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", report], capture_output=True, text=True, check=True)
    assert not unwanted & set(run.stdout.split())


@pytest.mark.parametrize("name", skspeech.datasets.__all__)
def test_functions_have_runnable_examples(name):
    import doctest

    function = getattr(skspeech.datasets, name)
    (example,) = doctest.DocTestFinder(recurse=False).find(function, name, globs={})
    assert example.examples
    assert doctest.DocTestRunner().run(example).failed == 0


@pytest.mark.parametrize(
    "name",
    [
        "aaa",
        "emodb",
        "emotional_speech",
        "flamenco",
        "fsdd",
        "iemocap",
        "japanese_vowels",
        "ravdess",
        "singing",
        "tongue_ultrasound",
        "voice_prompts",
    ],
)
def test_descriptions_name_their_licence(name):
    from skspeech.datasets._files import read_descr

    assert ":Licence:" in read_descr(name)
