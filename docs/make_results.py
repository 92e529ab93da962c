"""Write the tables of the experiments into results.md, from the rows beside it.

Run from the project root: ``python docs/make_results.py``. A test runs it with ``--check``, which
writes nothing and fails where the page does not say what the rows say.
"""

import re
import sys
from pathlib import Path

from skspeech.experiments.tables import experiment_tables
from skspeech.model_selection import read_results

DOCS = Path(__file__).parent
PAGE = DOCS / "results.md"
SECTION = re.compile(
    r"(<!-- rows: (results/[\w-]+\.csv) -->\n).*?(<!-- end of rows -->)", re.DOTALL
)


def with_tables(page: str) -> str:
    """Return a page whose marked sections hold the tables of the rows that they name."""

    def fill(section: re.Match[str]) -> str:
        rows = read_results(DOCS / section[2])
        return f"{section[1]}\n{experiment_tables(rows)}\n{section[3]}"

    return SECTION.sub(fill, page)


def main() -> int:
    """Write the page, or with ``--check`` return 1 where it is not what it would be."""
    page = PAGE.read_text(encoding="utf-8")
    made = with_tables(page)
    if sys.argv[1:] == ["--check"]:
        return int(made != page)
    PAGE.write_text(made, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
