"""Rerank requests in forms that the engine does not know."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gglib.proxy.dialects.rerank import ENGINE_PATH, is_foreign, translate_rerank
from gglib.proxy.errors import BadRequestError

RANKING = {
    "model": "m",
    "object": "list",
    "usage": {"prompt_tokens": 6, "total_tokens": 6},
    "results": [{"index": 1, "relevance_score": 0.5}, {"index": 0, "relevance_score": -1.25}],
}
NESTED = ["a", {"text": "b"}]


def encoded(content: object) -> bytes:
    """Return JSON."""
    return json.dumps(content).encode()


def body(**fields: object) -> bytes:
    """Return the body of a request for two documents."""
    return encoded({"model": "m", "query": "q", "documents": ["a", "b"], **fields})


@pytest.mark.parametrize(
    "content",
    [
        body(),
        body(top_n=1),
        body(return_documents=False),
        body(return_documents=None),
        body(documents=[]),
        encoded({"query": "q", "texts": ["a", "b"], "return_text": True, "raw_scores": False}),
        body(query='"documents": [{"x": 1}], "return_documents": true, "top_n": -1'),
        b"[]",
        b"not JSON",
    ],
)
def test_forms_of_the_engine_are_not_translated(content: bytes) -> None:
    """Jina's and Cohere's plain form, TEI's, and what the engine refuses itself."""
    assert not is_foreign(content)


@given(st.text(), st.lists(st.text(), max_size=4), st.booleans())
def test_no_text_looks_like_another_form(query: str, documents: list[str], is_ascii: bool) -> None:  # noqa: FBT001 - drawn
    """Whatever query and documents say, the body is forwarded as it is."""
    content = {"query": query, "documents": documents}
    assert not is_foreign(json.dumps(content, ensure_ascii=is_ascii).encode("utf-8", "surrogatepass"))


@pytest.mark.parametrize(
    ("fields", "sent"),
    [
        ({"documents": [{"text": "a"}, {"text": "b", "id": 1}]}, {"documents": ["a", "b"]}),
        ({"documents": [{"text": "a"}, "b"]}, {"documents": ["a", "b"]}),
        ({"query": {"text": "q"}}, {"query": "q"}),
        ({"return_documents": True, "top_n": 1}, {"top_n": 1}),
        ({"return_documents": True, "stream": True}, {}),
    ],
)
def test_the_engine_gets_plain_texts(fields: dict[str, Any], sent: dict[str, Any]) -> None:
    """All other fields stay."""
    content = body(**fields)
    assert is_foreign(content)
    exchange = translate_rerank(content)
    assert exchange.path == ENGINE_PATH
    assert json.loads(exchange.body) == {"model": "m", "query": "q", "documents": ["a", "b"], **sent}


def test_documents_are_returned_on_request() -> None:
    """Each result has the text of its index, in Jina's and Cohere's form."""
    exchange = translate_rerank(body(documents=[{"text": "a"}, {"text": "ü"}], return_documents=True))
    translated = json.loads(exchange.translate_body(encoded(RANKING)))
    assert [result["document"] for result in translated["results"]] == [{"text": "ü"}, {"text": "a"}]
    for result in translated["results"]:
        del result["document"]
    assert translated == RANKING


def test_without_return_documents_the_response_is_relayed_as_it_is() -> None:
    """Byte for byte."""
    exchange = translate_rerank(body(documents=[{"text": "a"}]))
    assert exchange.translate_body(b' {"any": 1} ') == b' {"any": 1} '


@pytest.mark.parametrize(
    ("content", "param"),
    [
        (body(documents=[{"text": "a"}, {"title": "b"}]), "documents[1]"),
        (body(documents=[{"text": 1}]), "documents[0]"),
        (body(documents=[{"text": "a"}, 7]), "documents[1]"),
        (body(query={"image": "x"}), "query"),
        (body(top_n=-1), "top_n"),
        (b'{"documents": [{]', None),
        (b'[{"documents": [{"text": "a"}]}]', None),
        (b'{"documents":' * 10_000, None),
    ],
)
def test_invalid_bodies_name_the_field(content: bytes, param: str | None) -> None:
    """Also JSON that is nested too deep for the parser."""
    with pytest.raises(BadRequestError) as refused:
        translate_rerank(content)
    assert refused.value.param == param


@pytest.mark.parametrize(
    "content", [b"x", b"[]", b"{}", b'{"results":[{}]}', b'{"results":[{"index":9}]}', b'{"results":1}']
)
def test_an_unknown_response_is_a_value_error(content: bytes) -> None:
    """Nothing is invented for it."""
    exchange = translate_rerank(body(return_documents=True))
    with pytest.raises(ValueError, match=r".*"):
        exchange.translate_body(content)


def test_a_ranking_is_not_a_stream() -> None:
    """The engine never streams one."""
    with pytest.raises(ValueError, match="not a stream"):
        translate_rerank(body(return_documents=True)).open_stream()
