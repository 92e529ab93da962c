"""The pages say what the rows beside them say."""

import subprocess
import sys
from pathlib import Path

import pytest

from skspeech.model_selection import read_results

DOCS = Path(__file__).parents[1] / "docs"
ROWS = sorted((DOCS / "results").glob("*.csv"))


def test_tables_are_made_from_the_rows():
    result = subprocess.run([sys.executable, DOCS / "make_results.py", "--check"], check=False)
    assert ROWS, "an empty folder would make any page true"
    assert result.returncode == 0, "run `python docs/make_results.py`"


@pytest.mark.parametrize("path", ROWS, ids=lambda path: path.name)
def test_every_file_of_rows_is_on_the_page(path):
    page = (DOCS / "results.md").read_text(encoding="utf-8")
    assert f"<!-- rows: results/{path.name} -->" in page
    assert read_results(path)
