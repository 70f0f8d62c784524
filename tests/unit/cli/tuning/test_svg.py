"""Elements of plots."""

from xml.etree import ElementTree as ET

from gglib.cli.tuning.svg import document, line, rectangle, text_at


def test_a_document_is_well_formed_whatever_its_texts() -> None:
    """Names of models and messages of engines are texts."""
    hostile = "</svg><script>&\"'"
    elements = [text_at(1, 2, hostile, is_bold=True), rectangle(0, 0, 3, 4, colour="#fff")]
    elements.append(line(0, 0, 5, 5, colour="#000"))
    root = ET.fromstring(document(10, 20, elements, title=hostile))  # noqa: S314 - our own
    assert [element.tag.rpartition("}")[2] for element in root] == ["title", "rect", "text", "rect", "line"]
    assert root[0].text == root[2].text == hostile
    assert root.attrib["viewBox"] == "0 0 10 20"
