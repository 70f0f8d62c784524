"""Anthropic's model objects, and the pages of their list."""

from typing import Any

import pytest

from gglib.core.models import ModelCapabilities, ModelSummary
from gglib.proxy.dialects.anthropic.models import PageQuery, as_model_object, as_page, read_page_query
from gglib.proxy.errors import BadRequestError

MODELS: list[dict[str, Any]] = [{"id": name} for name in "abcde"]


def test_a_model_object() -> None:
    """The fields of the official client's ``ModelInfo``."""
    model = ModelSummary(
        id=1, name="tiny", added_at=1_700_000_000, capabilities=ModelCapabilities(chat=True, vision=True)
    )
    found = as_model_object(model, context=4096)
    capabilities = found.pop("capabilities")
    assert found == {
        "type": "model",
        "id": "tiny",
        "display_name": "tiny",
        "created_at": "2023-11-14T22:13:20Z",
        "max_input_tokens": 4096,
        "max_tokens": 4096,
        "lifecycle": "active",
    }
    supported = {name for name, value in capabilities.items() if value["supported"]}
    assert supported == {"image_input", "structured_outputs"}
    assert not capabilities["thinking"]["types"]["enabled"]["supported"]
    assert capabilities["thinking"]["types"]["disabled"]["supported"]


def test_an_embedding_model_has_no_capability() -> None:
    """It is no part of the list, but can be asked for."""
    model = ModelSummary(id=1, name="e", capabilities=ModelCapabilities(embedding=True))
    capabilities = as_model_object(model, context=1)["capabilities"]
    assert not any(value["supported"] for value in capabilities.values())


def test_a_thinking_model_under_another_name() -> None:
    """As ``model:profile``."""
    model = ModelSummary(id=1, name="tiny", capabilities=ModelCapabilities(chat=True, reasoning=True))
    found = as_model_object(model, context=1, name="tiny:fast")
    assert (found["id"], found["display_name"]) == ("tiny:fast", "tiny:fast")
    assert found["capabilities"]["thinking"]["types"]["enabled"]["supported"]
    assert found["capabilities"]["effort"]["low"]["supported"]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (b"", PageQuery()),
        (b"limit=1000&beta=true", PageQuery(1000)),
        (b"limit=1&after_id=a%2Fb%20c", PageQuery(1, "a/b c")),
        (b"before_id=x&after_id=", PageQuery(20, None, "x")),
    ],
)
def test_queries(query: bytes, expected: PageQuery) -> None:
    """Twenty models by default; other parameters are ignored."""
    assert read_page_query(query) == expected


@pytest.mark.parametrize(
    ("query", "param"),
    [
        (b"limit=0", "limit"),
        (b"limit=1001", "limit"),
        (b"limit=-1", "limit"),
        (b"limit=x", "limit"),
        (b"limit=1.5", "limit"),
        ("limit=²".encode(), "limit"),
        (b"limit=" + b"9" * 9999, "limit"),
        (b"after_id=a&before_id=b", "before_id"),
    ],
)
def test_invalid_queries(query: bytes, param: str) -> None:
    """The error names the parameter."""
    with pytest.raises(BadRequestError) as caught:
        read_page_query(query)
    assert caught.value.param == param


@pytest.mark.parametrize(
    ("query", "ids", "has_more"),
    [
        (PageQuery(), "abcde", False),
        (PageQuery(5), "abcde", False),
        (PageQuery(2), "ab", True),
        (PageQuery(2, after_id="b"), "cd", True),
        (PageQuery(2, after_id="c"), "de", False),
        (PageQuery(2, after_id="e"), "", False),
        (PageQuery(2, before_id="d"), "bc", True),
        (PageQuery(2, before_id="c"), "ab", False),
        (PageQuery(2, before_id="a"), "", False),
    ],
)
def test_pages(query: PageQuery, ids: str, has_more: bool) -> None:  # noqa: FBT001
    """``has_more`` is about the direction of the query."""
    page = as_page(MODELS, query)
    assert "".join(model["id"] for model in page["data"]) == ids
    assert page["has_more"] is has_more
    assert (page["first_id"], page["last_id"]) == ((ids[0], ids[-1]) if ids else (None, None))


@pytest.mark.parametrize("query", [PageQuery(after_id="x"), PageQuery(before_id="x")])
def test_an_unknown_id(query: PageQuery) -> None:
    """The model may have been removed in between."""
    with pytest.raises(BadRequestError, match="is not the id of a listed model"):
        as_page(MODELS, query)
