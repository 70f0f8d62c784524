"""The plot of a tuning."""

from xml.etree import ElementTree as ET

from tests.unit.cli.tuning.tuning_results import ROWS, measured

from gglib.app.tuning.rows import Outcome, Row
from gglib.cli.tuning.plot import tuning_plot

SVG = "{http://www.w3.org/2000/svg}"


def texts(document: str) -> list[str]:
    """Return the texts of a plot; raises ParseError if it is not well-formed."""
    return [element.text or "" for element in ET.fromstring(document).iter(f"{SVG}text")]  # noqa: S314 - our own


def test_each_measured_row_has_a_bar_and_its_time() -> None:
    """Others are in the table."""
    found = texts(tuning_plot(ROWS, "A <title> & more"))
    assert found[0] == "A <title> & more"
    assert found[-6:] == [
        "current settings",
        "1.60 s",
        "--threads 1",
        "3.20 s",
        "--ubatch-size 128",
        "1.28 s",
    ]


def test_a_long_title_is_wrapped() -> None:
    """The whole of it is the title of the document, too."""
    title = "many words " * 30
    document = tuning_plot(ROWS, title)
    lines = texts(document)
    assert " ".join(lines[:3]) == title.strip()
    assert max(map(len, lines[:3])) <= 120
    assert tuning_plot(ROWS, "").count("<text") == document.count("<text") - 3


def test_all_bars_are_within_the_picture() -> None:
    """With their noise."""
    noisy = Row(step=None, label="noisy", outcome=Outcome.SLOWER, measured=measured(0.4, noise=0.5))
    root = ET.fromstring(tuning_plot((*ROWS, noisy), "title"))  # noqa: S314 - our own
    width = float(root.attrib["width"])
    for bar in root.iter(f"{SVG}rect"):
        assert float(bar.attrib.get("x", 0)) + float(bar.attrib["width"]) <= width
        assert float(bar.attrib["width"]) >= 0
    assert all(float(line.attrib["x2"]) < width for line in root.iter(f"{SVG}line"))


def test_a_long_label_keeps_its_end() -> None:
    """There is the value."""
    long = Row(step=None, label="x" * 100 + " 4", outcome=Outcome.SLOWER, measured=measured())
    label = texts(tuning_plot((long,), "title"))[-2]
    assert label.startswith("…x")
    assert label.endswith("x 4")
    assert len(label) == 46
