"""The page of the OpenAPI document."""

import base64
import html
import re
from hashlib import sha256
from html.parser import HTMLParser
from typing import Any

import pytest

from gglib.proxy.docs.openapi import document
from gglib.proxy.docs.page import PAGE_HEADERS, render_page
from gglib.proxy.routes.operation_spec import OperationSpec
from gglib.proxy.routes.table import OPERATIONS

SPECS = [operation.spec for operation in OPERATIONS]
DOCUMENT = document(SPECS, version="1.2.3")


class Page(HTMLParser):
    """The tags, links and ids of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.ids: set[str] = set()
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Record a tag."""
        self.tags.append(tag)
        if tag != "meta":
            self.open.append(tag)
        for name, value in attrs:
            if name in {"href", "src"}:
                self.links.append(value or "")
            if name == "id":
                self.ids.add(value or "")
            assert not name.startswith("on")
            assert name != "style"

    def handle_endtag(self, tag: str) -> None:
        """Check that it closes the last open tag."""
        assert self.open.pop() == tag


def test_the_page_needs_nothing_from_elsewhere_and_runs_nothing() -> None:
    """It has no script, no image and one link to another page; each link inside it has a target."""
    read = Page(render_page(DOCUMENT))
    assert not read.open
    assert not {"script", "img", "iframe", "link", "form", "object"} & set(read.tags)
    assert {link for link in read.links if not link.startswith("#")} == {"/openapi.json"}
    assert {link[1:] for link in read.links if link.startswith("#")} <= read.ids
    policy = dict(PAGE_HEADERS)[b"content-security-policy"].decode()
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy


def test_the_page_shows_every_operation() -> None:
    """Method, path and summary of each."""
    text = render_page(DOCUMENT)
    read = Page(text)
    for spec in SPECS:
        assert spec.id in read.ids
        assert f"<code>{spec.path}</code>" in text
        assert f'<span class="soft">{html.escape(spec.summary)}</span>' in text


def test_the_page_shows_text_as_text() -> None:
    """Markup in a spec is escaped."""
    hostile = OperationSpec(
        id="x", method="GET", path="/x", group="<script>", summary="<b>", text="`</style><script>alert(1)`"
    )
    assert "<script>" not in render_page(document([hostile], version="<i>"))


def test_the_policy_of_the_page_allows_its_style() -> None:
    """Browsers apply it only if its hash is in the header."""
    (style,) = re.findall(r"<style>(.*?)</style>", render_page(DOCUMENT), re.DOTALL)
    allowed = base64.b64encode(sha256(style.encode()).digest()).decode()
    assert f"style-src 'sha256-{allowed}'" in dict(PAGE_HEADERS)[b"content-security-policy"].decode()


def page_of(
    *operations: dict[str, Any], schemas: dict[str, Any] | None = None, groups: tuple[str, ...] = ("g",)
) -> str:
    """Return the page of a document with these operations, from its first group on."""
    text = render_page(
        {
            "info": {"title": "T", "version": "1", "description": "The `x`."},
            "tags": [{"name": group} for group in groups],
            "paths": {f"/{number}": {"get": operation} for number, operation in enumerate(operations)},
            "components": {"schemas": schemas or {}},
        }
    )
    return text[text.index("<main>") :]


def an_operation(**fields: object) -> dict[str, Any]:
    """Return an operation that has one response and no content."""
    return {
        "operationId": "op",
        "tags": ["g"],
        "summary": "S",
        "description": "D",
        "responses": {"200": {"description": "R", "content": {}}},
        **fields,
    }


TYPES = [
    ({"$ref": "#/components/schemas/A"}, '<a href="#A">A</a>'),
    ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, "integer or null"),
    ({"const": 3}, "<code>3</code>"),
    ({"enum": ["a", "<"]}, "<code>a</code> | <code>&lt;</code>"),
    ({"type": ["string", "null"]}, "string or null"),
    ({"type": "array", "items": {"$ref": "#/components/schemas/A"}}, 'array of <a href="#A">A</a>'),
    ({"type": "array", "items": {"type": "string"}, "maxItems": 4}, "array of string (at most 4)"),
    ({"type": "object"}, "object"),
    ({"properties": {"a": {}}}, ""),
    (
        {"type": "object", "properties": {"a": {"type": "integer"}, "b": {"const": "x"}}},
        "object {a: integer, b: <code>x</code>}",
    ),
    ({"type": "string", "minLength": 1, "maxLength": 9}, "string (characters from 1, to 9)"),
    ({"type": "integer", "minimum": 1, "maximum": 5, "default": 2}, "integer (from 1, to 5, default 2)"),
    ({}, ""),
]


@pytest.mark.parametrize(("schema", "text"), TYPES)
def test_a_type_is_shown_in_words(schema: dict[str, Any], text: str) -> None:
    """In a body, in a field and in a response alike."""
    body = an_operation(requestBody={"content": {"application/json": {"schema": schema}}})
    assert f"<h3>Body</h3><p>{text}</p>" in page_of(body)
    shape = {"required": ["f"], "properties": {"f": {"description": "The `f`.", **schema}}}
    row = f"<tr><td><code>f</code></td><td>The <code>f</code>. <small>{text}</small></td></tr>"
    assert row in page_of(schemas={"S": shape})
    response = {"description": "R", "content": {"text/x": {"schema": schema}}}
    shown = page_of(an_operation(responses={"200": response}))
    assert f"<tr><td><code>200</code></td><td>R <small>text/x {text}</small></td></tr>" in shown


def test_the_type_of_an_event_is_shown_instead_of_that_of_the_stream() -> None:
    """The schema of a stream is only a string."""
    content = {"schema": {"type": "string"}, "x-event-data": {"$ref": "#/components/schemas/E"}}
    response = {"description": "R", "content": {"text/event-stream": content, "text/plain": {}}}
    text = page_of(an_operation(responses={"200": response}))
    assert '<small>text/event-stream <a href="#E">E</a>, text/plain </small>' in text


def test_a_field_that_is_not_required_is_optional() -> None:
    """The schema lists those that are required; without a list none is."""
    fields = {"a": {"type": "string"}, "b": {"type": "string"}}
    text = page_of(schemas={"S": {"required": ["a"], "properties": fields}})
    assert "<code>a</code></td><td> <small>string</small>" in text
    assert "<code>b</code></td><td> <small>string, optional</small>" in text
    assert page_of(schemas={"S": {"properties": fields}}).count("optional") == 2


def test_an_operation_shows_only_what_it_has() -> None:
    """An operation without parameters and body has only its description and its responses."""
    text = page_of(an_operation())
    assert re.findall(r"<h3>(.*?)</h3>", text) == ["Responses"]
    assert '<span class="verb get">GET</span><code>/0</code><span class="soft">S</span>' in text
    parameter = {"name": "q", "in": "query", "description": "The `q`.", "schema": {"type": "string"}}
    for required, need in ((True, "required"), (False, "optional")):
        text = page_of(an_operation(parameters=[{**parameter, "required": required}]))
        row = (
            f"<td><code>q</code></td><td>The <code>q</code>. <small>string, in the query, {need}</small></td>"
        )
        assert f"<h3>Parameters</h3><table><tr>{row}</tr></table>" in text


def test_each_operation_stands_in_its_group() -> None:
    """Groups and operations keep the order of the document."""
    text = page_of(
        an_operation(operationId="one", tags=["b"]),
        an_operation(operationId="two", tags=["a"]),
        an_operation(operationId="three", tags=["b"]),
        groups=("b", "a"),
    )
    assert re.findall(r'<h2>(\w+)</h2>|<details id="(\w+)">', text) == [
        ("b", ""),
        ("", "one"),
        ("", "three"),
        ("a", ""),
        ("", "two"),
        ("Schemas", ""),
    ]
