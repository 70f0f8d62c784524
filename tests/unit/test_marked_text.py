"""Generated text between the markers of a document."""

import pytest
from scripts.marked_text import with_marked


def test_the_text_between_the_markers_is_replaced() -> None:
    """All other text stays, and a second replacement with the same text changes nothing."""
    document = with_marked("a\n<b>old</e>\nc <b>", "<b>", "</e>", "new")
    assert document == "a\n<b>\n\nnew\n\n</e>\nc <b>"
    assert with_marked(document, "<b>", "</e>", "new") == document


@pytest.mark.parametrize("document", ["text", "<b>", "</e>", "</e><b>"])
def test_a_document_without_markers_is_an_error(document: str) -> None:
    """Else the text would silently stay as it is."""
    with pytest.raises(ValueError, match="it has no markers"):
        with_marked(document, "<b>", "</e>", "new")
