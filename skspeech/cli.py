"""The command line: what the library does, from a shell.

A command is one function that adds its parser, its arguments and what runs them; ``_COMMANDS``
names them all. Whatever is slow to import is imported when the command runs, so that ``--help``
answers at once.
"""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING

from skspeech.plugins import ESTIMATOR_KINDS

if TYPE_CHECKING:
    from collections.abc import Sequence

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
        0 for success; 2 for a request that the library refuses (one line on stderr says why).

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
        args.run(args)
    except ValueError as error:
        print(f"{parser.prog}: error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    return 0


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
    def run(args: argparse.Namespace) -> None:
        from skspeech.plugins import list_estimators

        rows = [
            (entry.name, entry.kind, entry.distribution, entry.version, _note(entry.duplicates))
            for entry in list_estimators(args.kind)
        ]
        if rows:
            _print_table(("name", "kind", "distribution", "version", ""), rows)
        else:
            print(f"no {args.kind or 'estimator'}s are installed")

    parser = commands.add_parser(
        "list",
        help="list the installed estimators",
        description="List the installed estimators, ours and plugins', from metadata alone.",
    )
    parser.add_argument("--kind", choices=ESTIMATOR_KINDS, help="list one kind only")
    parser.set_defaults(run=run)


def _demo(commands: argparse._SubParsersAction) -> None:
    def run(args: argparse.Namespace) -> None:
        from skspeech.experiments.demo import run_demo

        run_demo(seed=args.seed, max_epochs=args.max_epochs, stream=sys.stdout)

    parser = commands.add_parser(
        "demo",
        help="train a network on the bundled voices and test it",
        description="Train a network on the bundled voices and test it on prompts it never heard.",
    )
    parser.add_argument(
        "--seed", type=int, default=0, metavar="S", help="random seed (default: %(default)s)"
    )
    parser.add_argument(
        "--max-epochs",
        type=_positive,
        default=60,
        metavar="N",
        help="train no longer than this (default: %(default)s)",
    )
    parser.set_defaults(run=run)


_COMMANDS = (_list, _demo)


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
