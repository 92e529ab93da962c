"""The result file: what was computed is not lost, and nothing else is taken for it."""

import pytest

from skspeech.model_selection import ResultFile, read_results
from skspeech.model_selection.results import FOLD_COLUMNS

ROW = dict.fromkeys(FOLD_COLUMNS) | {
    "fold": 3,
    "key": "k3",
    "wa": 0.1 + 0.2,
    "classes": ["joie, éclat", 'with "quotes"', "two\nlines"],
    "history": [{"epoch": 1, "best": True}],
    "posteriors": [[0.25] * 7] * 9000,  # longer than csv reads by itself
}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "rows.csv"


def test_rows_come_back_as_they_were(path):
    file = ResultFile(path, columns={"protocol": "a, b", "seed": "0"})
    file.append(ROW)
    file.append({**ROW, "key": "k4"})
    assert read_results(path) == file.rows()
    assert file.find()["k3"] == {**ROW, "protocol": "a, b", "seed": "0"}
    assert list(file.find()) == ["k3", "k4"]
    assert path.read_text(encoding="utf-8").count("\n") == 3


def test_nothing_is_written_before_the_first_row(path):
    assert ResultFile(path).rows() == []
    assert not path.exists()


@pytest.mark.parametrize("kept", [0, 1, 40, "header", "row", -1])
def test_a_row_cut_short_is_dropped(path, kept):
    file = ResultFile(path, columns={"seed": "0"})
    file.append(ROW)
    file.append({**ROW, "key": "k4"})
    content = path.read_bytes()
    ends = [i + 1 for i, byte in enumerate(content) if byte == ord("\n")]
    cut = {"header": ends[0], "row": ends[1]}.get(kept, kept)
    path.write_bytes(content[:cut])
    file = ResultFile(path, columns={"seed": "0"})
    whole = {-1: ["k3"], "row": ["k3"]}.get(kept, [])
    assert list(file.find()) == whole
    file.append({**ROW, "key": "k5"})
    assert list(file.find()) == [*whole, "k5"]


def test_another_file_is_left_alone(path):
    path.write_text("what I must not forget", encoding="utf-8")
    with pytest.raises(ValueError, match="is no table of these results"):
        ResultFile(path)
    assert path.read_text(encoding="utf-8") == "what I must not forget"


def test_a_table_of_other_columns_is_left_alone(path):
    ResultFile(path, columns={"seed": "0"}).append(ROW)
    with pytest.raises(ValueError, match="is no table of these results"):
        ResultFile(path, columns={"protocol": "a"})


def test_a_line_that_is_no_row_is_named(path):
    file = ResultFile(path)
    file.append(ROW)
    with path.open("a", encoding="utf-8") as stream:
        stream.write("not,a,row\n")
    with pytest.raises(ValueError, match=r"rows\.csv, line 3, is no row of an evaluation"):
        file.rows()


@pytest.mark.parametrize("columns", [{"wa": "0"}, {"seed": 0}, {"seed": "a\nb"}])
def test_columns_are_text_under_free_names(path, columns):
    with pytest.raises(ValueError, match="give one line of text"):
        ResultFile(path, columns=columns)


def test_the_folder_must_be_there(path):
    with pytest.raises(ValueError, match="folder that is not there"):
        ResultFile(path / "deeper" / "rows.csv")
