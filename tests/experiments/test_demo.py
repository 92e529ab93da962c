import io

import numpy as np
import pytest

from skspeech.datasets import load_voice_prompts
from skspeech.experiments.demo import run_demo


def test_it_prints_what_it_measured_on_prompts_held_out():
    stream = io.StringIO()
    result = run_demo(seed=3, max_epochs=2, stream=stream)
    printed = stream.getvalue()
    voices = load_voice_prompts()

    assert len(result.test_prompts) == 6
    assert result.confusion.sum() == 6 * len(voices.target_names)
    assert result.n_epochs == 2
    assert result.accuracy == np.trace(result.confusion) / result.confusion.sum()
    recalls = np.diag(result.confusion) / result.confusion.sum(axis=1)
    assert result.unweighted_recall == np.mean(recalls)
    assert f"accuracy           {result.accuracy:.3f}" in printed
    assert f"unweighted recall  {result.unweighted_recall:.3f}" in printed
    for name, row in zip(voices.target_names, result.confusion, strict=True):
        line = next(line for line in printed.splitlines() if line.strip().startswith(name))
        assert line.split()[1:] == [str(count) for count in row]


def test_the_same_seed_gives_the_same_answer_and_another_one_another_split():
    first, second, third = (
        run_demo(seed=seed, max_epochs=1, stream=io.StringIO()) for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(first.confusion, second.confusion)
    assert set(first.test_prompts) != set(third.test_prompts)


def test_it_writes_a_report_where_it_is_asked_to(tmp_path):
    stream, path = io.StringIO(), tmp_path / "voices.html"
    result = run_demo(seed=3, max_epochs=2, report=path, stream=stream)
    page = path.read_text(encoding="utf-8")
    assert stream.getvalue().endswith(f"Mistakes to look at and listen to: {path}\n")
    assert f"{np.trace(result.confusion)} of {result.confusion.sum()}" in page
    assert "skspeech demo --seed 3 --max-epochs 2 --report voices.html" in page
    assert "https://creativecommons.org/licenses/by/3.0/" in page, "the licences ask for it"
    assert set(tmp_path.iterdir()) == {path}


def test_it_does_not_train_for_a_report_that_cannot_be_written(tmp_path):
    stream = io.StringIO()
    with pytest.raises(ValueError, match=r"There is no folder"):
        run_demo(seed=0, report=tmp_path / "nowhere" / "voices.html", stream=stream)
    assert stream.getvalue() == ""
