"""Seconds of audio synthesised in a second: `seconds_per_second` in the report."""

from skspeech.datasets import make_emotional_speech


def test_make_emotional_speech(benchmark):
    speech = benchmark(make_emotional_speech, 4, 2, random_state=0)
    seconds = sum(len(waveform) for waveform in speech.data) / speech.sample_rate
    benchmark.extra_info["seconds_of_audio"] = seconds
    # there are no statistics with --benchmark-disable
    if benchmark.stats is not None:
        benchmark.extra_info["seconds_per_second"] = seconds / benchmark.stats.stats.median
