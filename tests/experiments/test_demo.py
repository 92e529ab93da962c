import io

import numpy as np

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
