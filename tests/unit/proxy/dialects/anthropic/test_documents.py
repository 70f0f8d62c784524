"""Content blocks that the engine would drop."""

import json
from typing import Any

import msgspec
import pytest

from gglib.proxy.dialects.anthropic.documents import converted

TEXT = {"type": "text", "text": "document"}
PDF = {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "AA=="}}


def blocks_of(block: object) -> list[Any]:
    """Return the blocks that replace ``block``."""
    return [json.loads(bytes(new)) for new in converted(json.dumps(block).encode())]


def text_of(block: object) -> str:
    """Return the text that replaces ``block``."""
    (new,) = blocks_of(block)
    assert set(new) == {"type", "text"}
    assert new["type"] == "text"
    return str(new["text"])


def test_the_text_of_a_document_becomes_text() -> None:
    """With its title and context; quotes and line feeds survive."""
    source = {"type": "text", "media_type": "text/plain", "data": 'one\n"two" é'}
    assert text_of({"type": "document", "source": source}) == '<document>\none\n"two" é\n</document>'
    titled = {
        "type": "document",
        "source": source,
        "title": "T",
        "context": "C",
        "citations": {"enabled": True},
    }
    assert text_of(titled) == '<document>\nTitle: T\nContext: C\none\n"two" é\n</document>'


def test_the_content_of_a_document_becomes_its_blocks() -> None:
    """A string or blocks, which may be images."""
    source: dict[str, Any] = {"type": "content", "content": "one"}
    assert text_of({"type": "document", "source": source}) == "<document>\none\n</document>"
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AA=="}}
    source = {"type": "content", "content": [TEXT, image]}
    found = blocks_of({"type": "document", "source": source, "title": "T"})
    assert found[1:3] == [TEXT, image]
    assert [found[0]["text"], found[3]["text"]] == ["<document>\nTitle: T\n", "</document>"]


@pytest.mark.parametrize(
    "source",
    [
        PDF["source"],
        {"type": "url", "url": "https://example.com/a.pdf"},
        {"type": "file", "file_id": "file_1"},
    ],
)
def test_a_file_without_a_reader_becomes_a_note(source: object) -> None:
    """An error would end the session, because the block is in each later request."""
    text = text_of({"type": "document", "source": source, "title": "report.pdf"})
    assert text.startswith("[The document 'report.pdf' is missing here: ")


def test_an_uploaded_image_becomes_a_note() -> None:
    """The engine skips it; images with data or a URL stay."""
    assert text_of({"type": "image", "source": {"type": "file", "file_id": "f"}}).startswith(
        "[The image is missing"
    )
    for source in (
        {"type": "base64", "media_type": "image/png", "data": "AA=="},
        {"type": "url", "url": "https://x"},
    ):
        image = {"type": "image", "source": source, "note": {"document": "document"}}
        assert blocks_of(image) == [image]


def test_a_search_result_becomes_text() -> None:
    """With its source and title."""
    result = {
        "type": "search_result",
        "source": "https://x",
        "title": "X",
        "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}],
    }
    assert text_of(result) == "<search_result>\nTitle: X\nSource: https://x\n\na\n\nb\n</search_result>"


def test_documents_in_a_tool_result_are_converted() -> None:
    """The other members stay."""
    result = {"type": "tool_result", "tool_use_id": "t", "content": [TEXT, PDF], "is_error": False}
    (new,) = blocks_of(result)
    assert {**new, "content": None} == {**result, "content": None}
    assert new["content"][0] == TEXT
    assert new["content"][1]["text"].startswith("[The document is missing")


@pytest.mark.parametrize(
    "block",
    [
        TEXT,
        {"type": "text", "text": 'a "document" and a "file_id"'},
        {"type": "tool_use", "id": "t", "name": "read", "input": {"document": "search_result"}},
        {"type": "tool_result", "tool_use_id": "t", "content": "document"},
        {"type": "tool_result", "tool_use_id": "document"},
    ],
)
def test_other_blocks_are_the_same_objects(block: object) -> None:
    """They are copied as bytes."""
    raw = json.dumps(block).encode()
    (new,) = converted(raw)
    assert new is raw


def test_an_invalid_block_raises() -> None:
    """The request is then left to the engine."""
    for block in ({"type": "document"}, {"type": "document", "source": "x"}, ["document"]):
        with pytest.raises(msgspec.DecodeError):
            blocks_of(block)
