"""Seconds of singing synthesised in a second: `seconds_per_second` in the report."""

from skspeech.datasets import make_singing


def test_make_singing(benchmark):
    singing = benchmark(make_singing, 2, 1, random_state=0)
    seconds = sum(len(waveform) for waveform in singing.data) / singing.sample_rate
    benchmark.extra_info["seconds_of_audio"] = seconds
    # there are no statistics with --benchmark-disable
    if benchmark.stats is not None:
        benchmark.extra_info["seconds_per_second"] = seconds / benchmark.stats.stats.median
