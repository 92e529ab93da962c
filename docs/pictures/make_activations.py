"""Draw activations.png: what the recurrent units of two networks answer over time.

Run ``python docs/pictures/make_activations.py DIR`` in an environment that has skspeech[report];
DIR holds the fetched corpora. Both networks of ``skspeech experiment ma2018-emodb-small`` are
trained as in its first fold (seed 0, speaker 03 left out, the epoch chosen on 08), some minutes on
one core. The utterances are 03's.
"""

import sys
from io import BytesIO
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from PIL import Image
from sklearn.model_selection import PredefinedSplit

from skspeech.experiments.protocol import load_experiment
from skspeech.inspection import plot_recurrent_activations

TEST, VALIDATION = "03", "08"
LONG = 3.2  # seconds, so that there are two pieces


def main(data_home: str) -> None:
    """Write activations.png beside this file."""
    experiment = load_experiment("ma2018-emodb-small")
    corpus = experiment.load(data_home)
    systems = {
        run.model: fitted(run.estimator(corpus.sample_rate, 0), corpus)
        for run in experiment.runs
        if run.model in ("fixed-length", "variable-length")
    }
    plt.rcParams.update({"font.family": "DejaVu Sans", "font.size": 8, "axes.titlesize": 8})
    figure = plt.figure(figsize=(9, 6.4), dpi=160, layout="constrained")
    upper, lower = figure.subfigures(2, 1)
    index = first(corpus, "neutral", least=LONG)
    for axis, (name, system) in zip(upper.subplots(1, 2), systems.items(), strict=True):
        draw(axis, system, corpus, index, name)
    emotions = ("anger", "happiness", "sadness")
    for axis, emotion in zip(lower.subplots(1, 3), emotions, strict=True):
        system = systems["variable-length"]
        draw(axis, system, corpus, first(corpus, emotion), "variable-length")
    drawn = BytesIO()
    figure.savefig(drawn, format="png")
    picture = Image.open(drawn).convert("RGB").quantize(64)
    picture.save(Path(__file__).with_name("activations.png"), optimize=True)


def fitted(system: Any, corpus: Any) -> Any:
    """Return a system trained on all speakers but one, its epoch chosen on another."""
    chosen = np.flatnonzero(corpus.speakers != TEST)
    judges = PredefinedSplit(np.where(corpus.speakers[chosen] == VALIDATION, 0, -1))
    network = system.steps[-1][0]
    system.set_params(**{f"{network}__validation": judges, f"{network}__verbose": 1})
    emotions = np.asarray(corpus.target_names)[corpus.target]
    return system.fit(corpus.data[chosen], emotions[chosen])


def first(corpus: Any, emotion: str, least: float = 0) -> int:
    """Return the test speaker's first utterance of an emotion of at least so many seconds."""
    emotions = np.asarray(corpus.target_names)[corpus.target]
    mine = np.flatnonzero((corpus.speakers == TEST) & (emotions == emotion))
    return next(i for i in mine if len(corpus.data[i]) >= least * corpus.sample_rate)


def draw(axis: Any, system: Any, corpus: Any, index: int, name: str) -> None:
    """Draw one utterance as one system hears it, with its answer."""
    plot_recurrent_activations(system, corpus.data[index], ax=axis)
    spoken = corpus.target_names[corpus.target[index]]
    answer = system.predict([corpus.data[index]])[0]
    axis.set_title(f"{name}: {spoken}, answered {answer}", loc="left")


if __name__ == "__main__":
    main(sys.argv[1])
