"""The command line: what the library does, from a shell.

A command is one function that adds its parser, its arguments and what runs them; ``_COMMANDS``
names them all. Whatever is slow to import is imported when the command runs, so that ``--help``
answers at once.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from typing import TYPE_CHECKING, Any

from skspeech.exceptions import MissingExtraError
from skspeech.experiments._names import EXPERIMENTS
from skspeech.plugins import ESTIMATOR_KINDS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Parameters
    ----------
    argv : sequence of str, default=None
        The arguments after the program's name. None takes those of the process.

    Returns
    -------
    int
        0 for success; 1 if a part could not be done, such as one of several files; 2 for a
        request that the library refuses (one line on stderr says why).

    Raises
    ------
    SystemExit
        From argparse: 0 after ``--help`` and ``--version``, 2 for arguments it cannot read.

    Examples
    --------
    >>> from skspeech.cli import main
    >>> main(["list"])  # doctest: +ELLIPSIS
    name ... kind ... distribution ... version...
    0
    """
    try:
        try:
            return _run(argv)
        finally:
            # Here and not at exit, where a broken pipe could no longer be caught.
            print(end="", flush=True)
    except BrokenPipeError:
        # The reader (head, grep -q) has seen enough. What is still buffered goes nowhere, or the
        # interpreter would complain at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _run(argv: Sequence[str] | None) -> int:
    parser = _parser()
    args = parser.parse_args(argv)
    try:
        return args.run(args) or 0
    except BrokenPipeError:  # for main: whoever read has seen enough
        raise
    except KeyboardInterrupt:
        print(f"{parser.prog}: stopped. What was written is there to go on with.", file=sys.stderr)
        return 130
    except (OSError, TypeError, ValueError, MissingExtraError) as error:
        print(f"{parser.prog}: error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="skspeech", description="Deep learning on recordings, as scikit-learn estimators."
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="show the version and exit")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for add in _COMMANDS:
        add(commands)
    return parser


class _Version(argparse.Action):
    """Look the version up when it is asked for, not at every start."""

    def __call__(self, parser, namespace, values, option_string=None):
        from importlib.metadata import version

        print(f"{parser.prog} {version('skspeech')}")
        parser.exit()


def _list(commands: argparse._SubParsersAction) -> None:
    def run(args: argparse.Namespace) -> int:
        from skspeech.plugins import check_plugins, list_estimators

        if args.check:
            checked = check_plugins(args.kind)
            notes = [f"! {problem}" if problem else "" for _, problem in checked]
            entries = [entry for entry, _ in checked]
        else:
            entries = list_estimators(args.kind)
            notes = [_note(entry.duplicates) for entry in entries]
        if entries:
            rows = [
                (entry.name, entry.kind, entry.distribution, entry.version, note)
                for entry, note in zip(entries, notes, strict=True)
            ]
            _print_table(("name", "kind", "distribution", "version", ""), rows)
        else:
            print(f"no {args.kind or 'estimator'}s are installed")
        return int(args.check and any(notes))

    parser = commands.add_parser(
        "list",
        help="list the installed estimators",
        description="List the installed estimators, ours and plugins', from metadata alone.",
        epilog="With --check the exit status is 1 if anything is wrong with one of them.",
    )
    parser.add_argument("--kind", choices=ESTIMATOR_KINDS, help="list one kind only")
    parser.add_argument(
        "--check", action="store_true", help="import each, and say what is wrong with it"
    )
    parser.set_defaults(run=run)


def _new_plugin(commands: argparse._SubParsersAction) -> None:
    def run(args: argparse.Namespace) -> None:
        from skspeech.plugins import write_plugin

        folder = write_plugin(args.name)
        print(f"Written: {folder}. Next: pip install -e '{folder}[test]', and pytest in there.")

    parser = commands.add_parser(
        "new-plugin",
        help="begin a package of your own estimators",
        description="Write an installable package with a small network, a pitch tracker and their "
        "tests into a new folder, to be edited. Nothing is overwritten.",
    )
    parser.add_argument(
        "name", metavar="NAME", help="of the distribution and of the folder: grain-voices"
    )
    parser.set_defaults(run=run)


def _demo(commands: argparse._SubParsersAction) -> None:
    def run(args: argparse.Namespace) -> None:
        from skspeech.experiments.demo import run_demo

        run_demo(seed=args.seed, max_epochs=args.max_epochs, report=args.report, stream=sys.stdout)

    parser = commands.add_parser(
        "demo",
        help="train a network on the bundled voices and test it",
        description="Train a network on the bundled voices and test it on prompts it never heard.",
    )
    _add_seed(parser)
    parser.add_argument(
        "--max-epochs",
        type=_positive,
        default=60,
        metavar="N",
        help="train no longer than this (default: %(default)s)",
    )
    parser.add_argument(
        "--report",
        metavar="PATH",
        help="write an HTML page with the results here (needs skspeech[report])",
    )
    parser.set_defaults(run=run)


def _predict(commands: argparse._SubParsersAction) -> None:
    def run(args: argparse.Namespace) -> int:
        from skspeech.persistence.cards import one_line

        model, read = _reading_model(args.model, args.trust)
        classes = [str(label) for label in model.classes_]
        has_posteriors = hasattr(model, "predict_proba")
        if args.proba and not has_posteriors:
            raise ValueError(f"{args.model} has no posteriors. Leave --proba out.")
        if args.proba and not args.json:
            print("file", "answer", *map(one_line, classes), sep="\t")
        failed = False
        for path in args.files:
            try:
                recording = read(path)
                if has_posteriors:
                    (posterior,) = model.predict_proba(recording).tolist()
                    answer = classes[posterior.index(max(posterior))]
                else:
                    posterior, answer = [], str(model.predict(recording)[0])
            except (OSError, ValueError) as error:
                failed = True
                print(f"skspeech: error: {path}: {_reason(error)}", file=sys.stderr)
                continue
            if args.json:
                said = {"file": path, "answer": answer}
                if has_posteriors:
                    said["posterior"] = dict(zip(classes, posterior, strict=True))
                print(json.dumps(said))
            else:
                shown = posterior if args.proba else sorted(posterior)[-1:]
                print(path, one_line(answer), *(f"{value:.4f}" for value in shown), sep="\t")
        return int(failed)

    parser = commands.add_parser(
        "predict",
        help="let a saved model answer for audio files",
        description="Let a model that skspeech.persistence.save_model wrote answer for audio files:"
        " a line a file, with the answer and its posterior, separated by tabs. A model that has"
        " no posteriors gives the answer alone.",
        epilog="The exit status is 1 if a file could not be answered for; the others are.",
    )
    parser.add_argument("model", metavar="MODEL", help="the file of the model")
    parser.add_argument("files", metavar="FILE", nargs="+", help="an audio file")
    parser.add_argument(
        "--trust",
        action="append",
        default=[],
        metavar="NAME",
        help="let the model use this class of a package, package.module.Class; repeatable",
    )
    parser.add_argument(
        "--proba",
        action="store_true",
        help="give the posterior of every class, under a line that names the columns",
    )
    parser.add_argument(
        "--json", action="store_true", help="give a JSON object a line, with every posterior"
    )
    parser.set_defaults(run=run)


def _reading_model(path: str, trusted: Sequence[str]) -> tuple[Any, Callable[[str], Any]]:
    """Load a classifier, and return it with what turns a path into what it reads."""
    from skspeech.persistence import load_model
    from skspeech.preprocessing import AudioLoader
    from skspeech.tags import get_speech_tags

    try:
        model = load_model(path, trusted=trusted)
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}.") from error
    if not hasattr(model, "classes_"):
        raise ValueError(f"{path} holds no classifier.")
    kind = get_speech_tags(model).input_kind
    if kind == "path":
        return model, lambda file: [file]
    rates = [getattr(step, "sample_rate", None) for _, step in getattr(model, "steps", [])]
    rate = next((rate for rate in rates if rate is not None), None)
    if kind != "waveform" or rate is None:
        raise ValueError(
            f"{path} reads one {kind} a recording at no sample rate that it says. Save a pipeline "
            "that begins with an AudioLoader."
        )
    loader = AudioLoader(sample_rate=rate)
    return model, lambda file: loader.transform([file])


def _reason(error: Exception) -> str:
    """Say what is wrong with a file, without the place it has in a collection of one."""
    from skspeech.exceptions import RecordingError

    while isinstance(error.__context__, RecordingError):
        error = error.__context__
    told = f"{error.problem}. {error.mend}" if isinstance(error, RecordingError) else str(error)
    return " ".join(told.split())


# The figures of a fold on the screen: of labels, and of answers to every frame.
_SHOWN = {False: ("WA", "UA"), True: ("MSE", "R2")}


def _experiment(commands: argparse._SubParsersAction) -> None:
    def run(args: argparse.Namespace) -> None:
        from textwrap import shorten

        from skspeech.experiments.protocol import run_experiment

        rows = run_experiment(
            args.name,
            data_home=args.data_home,
            seed=args.seed,
            output=args.output,
            resume=args.resume,
            protocols=args.protocol,
            models=args.model,
            max_epochs=args.max_epochs,
            checkpoint_dir=args.checkpoint_dir,
            n_jobs=args.n_jobs,
            verbose=1,
        )
        _print_table(
            ("protocol", "model", "test speakers", "recordings", *_SHOWN["mse" in rows[0]]),
            [
                (
                    row["protocol"],
                    row["model"],
                    shorten(" ".join(map(str, row["test_speakers"])), 40, placeholder=" ..."),
                    str(row["n_test"]),
                    *(f"{row[name.lower()]:.3f}" for name in _SHOWN["mse" in row]),
                )
                for row in rows
            ],
        )

    parser = commands.add_parser(
        "experiment",
        help="run a paper's protocol, and an honest one beside it",
        description="Run a paper's protocol, and an honest one beside it; append a row a fold to "
        "a CSV file. What is in the file is not computed again.",
    )
    parser.add_argument("name", metavar="NAME", help=f"one of {', '.join(EXPERIMENTS)}")
    _add_data_home(parser)
    _add_seed(parser)
    parser.add_argument("--output", metavar="FILE", help="the CSV file (default: NAME.csv)")
    parser.add_argument("--resume", action="store_true", help="go on with a file that is there")
    parser.add_argument("--protocol", action="append", metavar="P", help="only this; repeatable")
    parser.add_argument("--model", action="append", metavar="M", help="only this; repeatable")
    _add_work(parser)
    parser.set_defaults(run=run)


def _evaluate(commands: argparse._SubParsersAction) -> None:
    def run(args: argparse.Namespace) -> None:
        import shlex

        from skspeech.experiments.evaluate import DATASETS, SPLITS, evaluate

        for option, value, known in (
            ("--dataset", args.dataset, DATASETS),
            ("--cv", args.cv, SPLITS),
        ):
            if value not in known:
                raise ValueError(f"{option} is {value!r}; choose one of {', '.join(known)}.")
        words = ["skspeech", "evaluate", "--dataset", args.dataset, "--model", args.model]
        words += ["--cv", args.cv, "--seed", str(args.seed)]
        words += [] if args.max_epochs is None else ["--max-epochs", str(args.max_epochs)]
        evaluate(
            args.dataset,
            args.model,
            cv=args.cv,
            data_home=args.data_home,
            seed=args.seed,
            max_epochs=args.max_epochs,
            checkpoint_dir=args.checkpoint_dir,
            n_jobs=args.n_jobs,
            results=args.results,
            report=args.report,
            save=args.save,
            command=shlex.join(words),
            stream=sys.stdout,
            verbose=1,
        )

    parser = commands.add_parser(
        "evaluate",
        help="evaluate a model on a corpus",
        description="Evaluate a model on a corpus, by default on one unheard speaker after the "
        "other.",
    )
    parser.add_argument(
        "--dataset",
        required=True,
        metavar="D",
        help="emodb, fsdd, ravdess, iemocap or voice-prompts",
    )
    parser.add_argument(
        "--model",
        required=True,
        metavar="M",
        help="a registered classifier, such as cnn-lstm-2d, or mfcc-svc",
    )
    parser.add_argument(
        "--cv",
        default="speaker",
        metavar="SPLITS",
        help="speaker, speaker-1-validation, session, two-speakers or random "
        "(default: %(default)s)",
    )
    _add_data_home(parser)
    _add_seed(parser)
    _add_work(parser)
    parser.add_argument("--results", metavar="FILE", help="a CSV file to keep a row a fold in")
    parser.add_argument("--report", metavar="FILE", help="write an HTML page with the results here")
    parser.add_argument(
        "--save",
        metavar="FILE",
        help="fit on all recordings in the end, and save the model here, its card beside it",
    )
    parser.set_defaults(run=run)


_COMMANDS = (_list, _demo, _predict, _evaluate, _experiment, _new_plugin)


def _add_data_home(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--data-home",
        metavar="DIR",
        help="the folder of the corpora (default: $SKSPEECH_DATA, else ~/skspeech_data)",
    )


def _add_seed(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--seed", type=int, default=0, metavar="S", help="random seed (default: %(default)s)"
    )


def _add_work(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--max-epochs", type=_positive, metavar="N", help="train no longer than this"
    )
    parser.add_argument(
        "--checkpoint-dir",
        metavar="DIR",
        help="write each epoch here, so that a training that is killed goes on from its last one",
    )
    parser.add_argument(
        "--n-jobs", type=int, metavar="J", help="folds computed at once (-1: one a core)"
    )


def _positive(text: str) -> int:
    """Read a whole number above zero."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, got {number}")
    return number


def _note(duplicates: Sequence[str]) -> str:
    return f"! same name: {', '.join(duplicates)}" if duplicates else ""


def _print_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows under a header, each column as wide as its widest cell."""
    table = [header, *rows]
    widths = [max(len(cell) for cell in column) for column in zip(*table, strict=True)]
    for row in table:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        print("  ".join(cells).rstrip())
