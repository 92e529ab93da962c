"""The file that keeps a row a fold, so that an evaluation goes on where it was stopped."""

import csv
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from typing import Any

__all__ = ["FOLD_COLUMNS", "FRAME_COLUMNS", "ResultFile", "read_results"]

#: What is known of every fold; lists and numbers are written as JSON.
FOLD_COLUMNS = (
    "fold",
    "test_speakers",
    "validation_speakers",
    "n_train",
    "n_validation",
    "n_test",
    "wa",
    "ua",
    "auc",
    "train_wa",
    "n_epochs",
    "fit_seconds",
    "score_seconds",
    "classes",
    "confusion",
    "test",
    "truth",
    "predicted",
    "posteriors",
    "history",
    "search",
    "key",
)

#: What is known of a fold of a regressor that answers frames.
FRAME_COLUMNS = (
    "fold",
    "test_speakers",
    "validation_speakers",
    "n_train",
    "n_validation",
    "n_test",
    "n_frames",
    "validation_mse",
    "validation_r2",
    "mse",
    "r2",
    "mcd",
    "n_parameters",
    "n_epochs",
    "fit_seconds",
    "score_seconds",
    "test",
    "history",
    "key",
)


class ResultFile:
    """A CSV file with a row a fold, written as the folds end.

    Each row has a key, a hash of what it was computed from; a fold whose key is there is not
    computed again. A row that a kill cut short is passed over, and cut off before the next one
    is written. One evaluation at a time may write.

    Parameters
    ----------
    path : str or path-like
        Made with the first row; its folder must exist.
    columns : mapping of str to str, default={}
        Columns that stand before the others, with what this evaluation writes into them: the
        name of a protocol, a seed, versions. They take no part in the key.
    data : str or None, default=None
        What the recordings are, so that the keys know them by this and not by a hash: a corpus
        and its files' names stay the same where the folder is another.
    fields : sequence of str, default=FOLD_COLUMNS
        What is known of every fold: :data:`FOLD_COLUMNS` or :data:`FRAME_COLUMNS`.

    Raises
    ------
    ValueError
        If the file is there and holds something else.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from skspeech.model_selection import ResultFile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     ResultFile(Path(folder) / "rows.csv", columns={"seed": "0"}).rows()
    []
    """

    def __init__(
        self,
        path: Any,
        *,
        columns: Mapping[str, str] | None = None,
        data: str | None = None,
        fields: Sequence[str] = FOLD_COLUMNS,
    ):
        self.path = Path(path)
        self.fields = tuple(fields)
        self.data = data
        self.columns = dict(columns or {})
        for name, text in self.columns.items():
            if name in self.fields or not isinstance(text, str) or "\n" in text:
                raise ValueError(
                    f"columns hold {name}={text!r}: give one line of text, under a name other "
                    "than those of a fold."
                )
        if not self.path.parent.is_dir():
            raise ValueError(f"{self.path} is to lie in a folder that is not there. Make it first.")
        if self.path.exists():
            self._check_header()

    def rows(self) -> list[dict[str, Any]]:
        """Return the rows that are there; columns of a fold as they were, others as text."""
        return read_results(self.path) if self.path.exists() else []

    def find(self) -> dict[str, dict[str, Any]]:
        """Return the rows by their keys."""
        return {row["key"]: row for row in self.rows()}

    def append(self, row: Mapping[str, Any]) -> None:
        """Write one fold's row to the disk.

        Parameters
        ----------
        row : mapping
            With the columns of `fields`.
        """
        line = StringIO()
        writer = csv.writer(line, lineterminator="\n")
        with self.path.open("ab+") as file:
            _cut_off_half_a_row(file)
            if file.tell() == 0:
                writer.writerow([*self.columns, *self.fields])
            writer.writerow([*self.columns.values(), *(_cell(row[name]) for name in self.fields)])
            file.write(line.getvalue().encode())
            file.flush()
            os.fsync(file.fileno())

    def _check_header(self) -> None:
        """Refuse the file of another table."""
        header = ",".join([*self.columns, *self.fields])
        with self.path.open("rb") as file:
            first = file.readline()
            whole = first.endswith(b"\n")
        found = first.decode(errors="replace").rstrip("\r\n")
        if found != header and (whole or not header.startswith(found)):
            raise ValueError(
                f"{self.path} is no table of these results: it begins with {found[:60]!r}. "
                "Write into another file."
            )


def _cut_off_half_a_row(file: Any) -> None:
    """Cut off what a killed process left behind the last end of a line: no cell holds one."""
    file.seek(0)
    file.truncate(file.read().rfind(b"\n") + 1)
    file.seek(0, os.SEEK_END)


def read_results(path: Any) -> list[dict[str, Any]]:
    """Return the rows of a result file.

    Parameters
    ----------
    path : str or path-like

    Returns
    -------
    list of dict
        A row a fold: columns of a fold as they were, others as text.

    Raises
    ------
    ValueError
        If a line is no row of an evaluation; it is named. A last line without an end is passed
        over.
    """
    text = Path(path).read_text(encoding="utf-8")
    whole = StringIO(text[: text.rfind("\n") + 1])
    with _long_cells():
        reader = csv.DictReader(whole)
        return [_parse(cells, f"{path}, line {reader.line_num},") for cells in reader]


def _parse(cells: dict[str, Any], where: str) -> dict[str, Any]:
    try:
        fields = FRAME_COLUMNS if "mse" in cells else FOLD_COLUMNS
        fold = {name: json.loads(cells[name]) for name in fields if name != "key"}
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"{where} is no row of an evaluation ({error!r}). Remove the line, or write into "
            "another file."
        ) from error
    return {**cells, **fold}


def _cell(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, allow_nan=False)


@contextmanager
def _long_cells() -> Iterator[None]:
    """Let a cell be longer than csv's 131,072 characters: posteriors are."""
    before = csv.field_size_limit(2**31 - 1)
    try:
        yield
    finally:
        csv.field_size_limit(before)
