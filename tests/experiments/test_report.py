import base64
import io
import itertools
import re
import shutil
import subprocess
import sys
from xml.etree import ElementTree as ET

import matplotlib.image
import numpy as np
import pytest
import soundfile

from skspeech.exceptions import MissingExtraError
from skspeech.experiments._media import SECONDS_SHOWN
from skspeech.experiments.report import check_report, write_report
from skspeech.recordings import RecordingSequence

RATE = 8000
HOSTILE = "<script>alert('&amp;\"')</script>"
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "chrome"))), None)


def waveform(i, seconds=0.3):
    return 0.5 * np.sin(2 * np.pi * (200 + 50 * i) * np.arange(int(RATE * seconds)) / RATE)


RECORDINGS = [waveform(i).astype(np.float32) for i in range(8)]
SPEAKERS = ["ann", "ann", "ann", "ann", HOSTILE, HOSTILE, HOSTILE, HOSTILE]
FILENAMES = [f"{i} & <b>.wav" for i in range(8)]
CLASSES = ["anger", HOSTILE]


def history(n_epochs):
    return [
        {
            "epoch": i + 1,
            "train_loss": 1 / (i + 1),
            "valid_loss": 1.1 / (i + 1),
            "valid_score": i / n_epochs,
            "best": i < 2,
            "seconds": 0.1,
        }
        for i in range(n_epochs)
    ]


def fold(number, test, truth, predicted, confidence, **changes):
    """Return a row as cross_validate_speakers does, labels given by their place in CLASSES."""
    posteriors = [[0.0, 0.0] for _ in test]
    for posterior, answer, sure in zip(posteriors, predicted, confidence, strict=True):
        posterior[answer], posterior[1 - answer] = sure, 1 - sure
    confusion = np.zeros((2, 2), int)
    np.add.at(confusion, (truth, predicted), 1)
    recalls = np.diag(confusion) / confusion.sum(axis=1)
    return {
        "fold": number,
        "test_speakers": [SPEAKERS[test[0]]],
        "validation_speakers": [],
        "n_train": 4,
        "n_validation": 0,
        "n_test": len(test),
        "test": test,
        "truth": [CLASSES[i] for i in truth],
        "predicted": [CLASSES[i] for i in predicted],
        "posteriors": posteriors,
        "classes": CLASSES,
        "confusion": confusion.tolist(),
        "wa": float(np.diag(confusion).sum() / len(test)),
        "ua": float(recalls.mean()),
        "auc": 0.75,
        "n_epochs": 3,
        "history": history(3),
        "fit_seconds": 12.3,
        "score_seconds": 0.1,
        **changes,
    }


ROWS = [
    fold(0, [0, 1, 2, 3], [0, 0, 1, 1], [0, 1, 1, 0], [0.8, 0.7, 0.6, 0.9]),
    fold(1, [4, 5, 6, 7], [0, 0, 0, 1], [0, 0, 1, 1], [0.8, 0.6, 0.95, 0.9]),
]


def report(folder, **changes):
    given = {
        "title": f"Two classes {HOSTILE}",
        "rows": ROWS,
        "recordings": RECORDINGS,
        "sample_rate": RATE,
        "speakers": SPEAKERS,
        "filenames": FILENAMES,
        "settings": {"lr": 0.001, HOSTILE: HOSTILE},
        "seed": 7,
        "command": f"python evaluate.py {HOSTILE}",
        "notes": [HOSTILE],
        "descr": f"By Ann.\n{HOSTILE}",
    }
    return write_report(folder / "report.html", **{**given, **changes})


def parse(path):
    """Parse the page as XML, which no forgotten or crossed tag survives."""
    return ET.fromstring(path.read_text(encoding="utf-8"))


def text_of(element):
    return " ".join("".join(element.itertext()).split())


def section(page, name):
    return next(part for part in page.iter("section") if part.get("id") == name)


def cells(part):
    return [[text_of(cell) for cell in row] for row in part.iter("tr")]


def decode(uri, kind):
    head, _, data = uri.partition(",")
    assert head == f"data:{kind};base64"
    return io.BytesIO(base64.b64decode(data, validate=True))


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    return parse(report(tmp_path_factory.mktemp("report")))


def test_scores_are_pooled(page):
    shown = [text_of(part) for part in section(page, "scores").iter("dd")]
    # recalls: 3 of 5 and 2 of 3
    assert shown == ["62.5 %", "63.3 %", "5 of 8", "50.0 %", "2", "2"]


def test_confusion_is_pooled(page):
    rows = cells(section(page, "confusion"))
    assert rows[0] == ["", "anger", HOSTILE]
    assert rows[1:] == [["anger", "60 %3", "40 %2"], [HOSTILE, "33 %1", "67 %2"]]


def test_folds_and_their_mean(page):
    rows = cells(section(page, "folds"))
    assert rows[1] == [
        *("0", "ann", "50.0 %", "50.0 %", "0.750", "4 / 0 / 4", "3", "12.3", "–")  # noqa: RUF001
    ]
    assert rows[2][:4] == ["1", HOSTILE, "75.0 %", "83.3 %"]
    mean = "mean ± standard deviation over folds"
    assert rows[3][:4] == [mean, "62.5 % ± 12.5", "66.7 % ± 16.7", "0.750 ± 0.000"]


def test_speakers(page):
    rows = cells(section(page, "groups"))
    assert rows[1:] == [
        [HOSTILE, "4", "3", "75.0 %", "83.3 %"],
        ["ann", "4", "2", "50.0 %", "50.0 %"],
    ]


def test_mistakes_come_surest_first(page):
    shown = [
        [text_of(part) for part in mistake.iter("dd")]
        for mistake in section(page, "mistakes").iter("li")
    ]
    assert [(one[0], one[1]) for one in shown] == [
        ("anger (posterior 0.050)", f"{HOSTILE} (posterior 0.950)"),
        (f"{HOSTILE} (posterior 0.100)", "anger (posterior 0.900)"),
        ("anger (posterior 0.300)", f"{HOSTILE} (posterior 0.700)"),
    ]
    assert shown[0][2:] == [f"{HOSTILE}, fold 1", "6 & <b>.wav, 0.30 s"]


def test_sounds_are_the_recordings(page):
    for audio, index in zip(page.iter("audio"), (6, 3, 1), strict=True):
        heard, rate = soundfile.read(decode(audio.get("src"), "audio/wav"))
        assert rate == RATE
        np.testing.assert_allclose(heard, RECORDINGS[index], atol=1 / 32768)


def test_pictures_can_be_read_and_are_described(page):
    pictures = list(page.iter("img"))
    assert len(pictures) == 1 + 3
    for picture in pictures:
        pixels = matplotlib.image.imread(decode(picture.get("src"), "image/png"))
        assert pixels.std() > 0.05, "an empty picture"
    assert pictures[0].get("alt").endswith("for 2 trainings. Best epochs: 2, 2.")
    assert pictures[1].get("alt") == "Log-mel spectrogram of 6 & <b>.wav, 0.30 s."


def test_how_it_was_made(page):
    rows = dict(cells(section(page, "made")))
    assert rows["Command"] == f"python evaluate.py {HOSTILE}"
    assert rows["Seed"] == "7"
    assert rows["numpy"] == np.__version__
    assert rows["Python"] == ".".join(map(str, sys.version_info[:3]))
    assert {"skspeech", "torch", "scikit-learn", "librosa"} <= set(rows)
    assert (rows["lr"], rows[HOSTILE]) == ("0.001", HOSTILE)
    assert section(page, "made").find("pre").text == f"By Ann.\n{HOSTILE}"


def test_accessible(page):
    assert page.get("lang") == "en"
    assert all(text_of(table.find("caption")) for table in page.iter("table"))
    assert all(head.get("scope") in ("row", "col") for head in page.iter("th"))
    assert all(audio.get("aria-label") for audio in page.iter("audio"))
    ids = [part.get("id") for part in page.iter() if part.get("id")]
    assert len(ids) == len(set(ids))
    for part in page.iter():
        for name in ("aria-labelledby", "href"):
            assert part.get(name, ids[0]).removeprefix("#") in ids
    headings = [int(part.tag[1]) for part in page.iter() if re.fullmatch(r"h\d", part.tag)]
    assert headings[0] == 1
    assert all(deeper <= higher + 1 for higher, deeper in itertools.pairwise(headings))


def outside(text):
    """Return what a page would fetch from elsewhere, or run."""
    addresses = re.findall(r"(?:src|href|action|srcset|poster|data)\s*=\s*[\"']([^\"']*)", text)
    addresses += re.findall(r"(?:url\(|@import)\s*([^;)]*)", text)
    scripts = re.findall(r"<\s*(?:script|iframe|object|embed|link)\b", text)
    return scripts + [a for a in addresses if not a.startswith(("data:", "#"))]


def test_it_needs_nothing_else_and_runs_nothing(tmp_path):
    text = report(tmp_path).read_text(encoding="utf-8")
    assert outside(text) == []
    assert "Content-Security-Policy" in text
    assert outside("<script>") == ["<script"]
    assert outside("<img src='http://x/'>") == ["http://x/"]


def test_the_same_evaluation_gives_the_same_file(tmp_path):
    first = report(tmp_path).read_bytes()
    assert report(tmp_path).read_bytes() == first


def test_one_fold_without_posteriors_history_or_names(tmp_path):
    row = {**ROWS[0], "posteriors": None, "history": None, "auc": None, "n_epochs": None}
    page = parse(report(tmp_path, rows=[row], filenames=None, seed=None, settings={}))
    assert "mean" not in text_of(section(page, "folds"))
    assert not [part for part in page.iter("section") if part.get("id") == "curves"]
    mistakes = section(page, "mistakes")
    assert "posterior" not in text_of(mistakes)
    assert "recording 1, 0.30 s" in text_of(mistakes)


def test_no_mistakes(tmp_path):
    row = fold(0, [0, 2], [0, 1], [0, 1], [0.8, 0.7])
    assert text_of(section(parse(report(tmp_path, rows=[row])), "mistakes")) == "Mistakes None."


def test_no_more_mistakes_than_asked_for(tmp_path):
    page = parse(report(tmp_path, n_mistakes=1))
    assert len(list(page.iter("audio"))) == 1
    assert "1 of 3 wrong answers" in text_of(section(page, "mistakes"))


def test_numbers_as_labels_and_groups_that_are_no_speakers(tmp_path):
    rows = [
        {**row, **{name: [CLASSES.index(label) for label in row[name]] for name in
         ("truth", "predicted", "classes")}}
        for row in ROWS
    ]  # fmt: skip
    speakers = np.arange(8) // 4
    page = parse(report(tmp_path, rows=rows, speakers=speakers, group="session"))
    assert cells(section(page, "confusion"))[1] == ["0", "60 %3", "40 %2"]
    assert cells(section(page, "groups"))[1][0] == "0"
    assert text_of(section(page, "groups")).startswith("By session")


def test_only_what_is_shown_is_read(tmp_path):
    read = []
    recordings = RecordingSequence(list(range(8)), lambda i: read.append(i) or RECORDINGS[i])
    report(tmp_path, recordings=recordings, n_mistakes=2)
    assert sorted(set(read)) == [3, 6]


def test_long_and_loud_recordings(tmp_path):
    recordings = [3 * waveform(i, SECONDS_SHOWN + 2) for i in range(8)]
    page = parse(report(tmp_path, recordings=recordings, n_mistakes=1))
    heard, _ = soundfile.read(decode(next(page.iter("audio")).get("src"), "audio/wav"))
    assert len(heard) == SECONDS_SHOWN * RATE
    assert np.abs(heard).max() == pytest.approx(1, abs=1e-3)
    assert "32.00 s, of which the first 30 s are here" in text_of(section(page, "mistakes"))


def test_file_names_that_are_no_text(tmp_path):
    report(tmp_path, filenames=["\udcff.wav"] * 8)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rows": []}, r"rows is empty"),
        ({"rows": [{**ROWS[0], "test": []}]}, r"No fold tested anything"),
        ({"speakers": SPEAKERS[:3]}, r"8 recordings, but 3 speakers"),
        ({"filenames": FILENAMES[:3]}, r"8 recordings, but 3 filenames"),
        (
            {"recordings": RECORDINGS[:4], "speakers": SPEAKERS[:4], "filenames": None},
            r"tested recording 7, but there are 4",
        ),
        ({"recordings": [np.zeros((2, 9))] * 8}, r"Recording 6 has shape \(2, 9\)"),
    ],
)
def test_refused_and_nothing_left(tmp_path, changes, message):
    with pytest.raises(ValueError, match=message):
        report(tmp_path, **changes)
    assert list(tmp_path.iterdir()) == []


def test_a_failure_leaves_the_old_report(tmp_path, monkeypatch):
    path = report(tmp_path)
    before = path.read_bytes()

    def fail(self, target):
        raise OSError("the disk is full")

    monkeypatch.setattr("pathlib.Path.replace", fail)
    with pytest.raises(OSError, match=r"the disk is full"):
        report(tmp_path, title="another")
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_where_it_cannot_be_written(tmp_path):
    with pytest.raises(ValueError, match=r"no folder .*nowhere"):
        check_report(tmp_path / "nowhere" / "report.html")
    with pytest.raises(ValueError, match=r"is a folder"):
        check_report(tmp_path)


@pytest.mark.parametrize("module", ["jinja2", "matplotlib"])
def test_without_its_libraries(tmp_path, monkeypatch, module):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtraError, match=rf"A report needs {module}"):
        check_report(tmp_path / "report.html")


def browse(path, profile, *options):
    return subprocess.run(
        [
            CHROMIUM,
            *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
            *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
            *("--enable-logging=stderr", f"--user-data-dir={profile}", *options, path.as_uri()),
        ],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium to open the report in")
class TestInBrowser:
    def test_it_is_read_as_meant(self, tmp_path):
        path = report(tmp_path)
        result = browse(path, tmp_path / "profile", "--dump-dom")
        assert "CONSOLE" not in result.stderr
        assert outside(result.stdout) == []
        found = re.findall(r'<section id="(\w+)"', result.stdout)
        expected = ["scores", "confusion", "folds", "groups", "curves", "mistakes", "made"]
        assert found == expected
        assert result.stdout.count("<audio") == 3
        assert "<script" not in result.stdout
        assert f"<title>Two classes {HOSTILE.replace('<', '&lt;')[:8]}" in result.stdout

    def test_the_console_would_be_seen(self, tmp_path):
        path = tmp_path / "bad.html"
        path.write_text("<!DOCTYPE html><script>console.error('oh')</script>", encoding="utf-8")
        assert "CONSOLE" in browse(path, tmp_path / "profile", "--dump-dom").stderr

    def test_it_can_be_seen(self, tmp_path):
        picture = tmp_path / "seen.png"
        options = ("--window-size=1000,1400", f"--screenshot={picture}")
        browse(report(tmp_path), tmp_path / "profile", *options)
        pixels = matplotlib.image.imread(picture)
        assert pixels.shape[:2] == (1400, 1000)
        assert pixels.std() > 0.05
