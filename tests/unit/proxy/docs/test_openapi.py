"""The OpenAPI document and its page: what they say is what is served."""

import re
from html.parser import HTMLParser
from typing import Any

import pytest

from gglib.proxy.docs.openapi import document
from gglib.proxy.docs.page import PAGE_HEADERS, render_page
from gglib.proxy.errors import status_of
from gglib.proxy.routes.operation import Access, OperationSpec
from gglib.proxy.routes.table import OPERATIONS, ROUTES, TEMPLATES

DESCRIPTIONS = [one.spec for one in OPERATIONS]
DOCUMENT = document(DESCRIPTIONS, version="1.2.3")


def operations() -> list[tuple[str, str, dict[str, Any]]]:
    """Return method, path and operation of the document."""
    return [
        (method.upper(), path, told)
        for path, methods in DOCUMENT["paths"].items()
        for method, told in methods.items()
    ]


def references(value: object) -> list[str]:
    """Return every reference in a value."""
    if isinstance(value, dict):
        own = [value["$ref"]] if "$ref" in value else []
        return own + [one for item in value.values() for one in references(item)]
    return [one for item in value for one in references(item)] if isinstance(value, list) else []


def test_it_says_exactly_what_is_served() -> None:
    """Every method of every path, once, and no other."""
    told = [(method, path) for method, path, _ in operations()]
    served = [(method, path) for path, methods in (ROUTES | TEMPLATES).items() for method in methods]
    assert sorted(told) == sorted(served) == sorted((one.method, one.path) for one in DESCRIPTIONS)


def test_its_operations_have_names_of_their_own() -> None:
    """Generated clients name their methods by them."""
    names = [told["operationId"] for _, _, told in operations()]
    assert len(set(names)) == len(names)


def test_every_reference_leads_somewhere_and_every_shape_is_used() -> None:
    """No shape is missing, and none is left over."""
    named = {one.removeprefix("#/components/schemas/") for one in references(DOCUMENT)}
    assert named == set(DOCUMENT["components"]["schemas"])


@pytest.mark.parametrize("one", DESCRIPTIONS, ids=lambda one: one.id)
def test_parameters_of_a_path_are_those_of_its_template(one: OperationSpec) -> None:
    """OpenAPI wants each of them described, and required."""
    told = DOCUMENT["paths"][one.path][one.method.lower()].get("parameters", [])
    path_parameters = [parameter for parameter in told if parameter["in"] == "path"]
    assert [parameter["name"] for parameter in path_parameters] == re.findall(r"{(\w+)}", one.path)
    assert all(parameter["required"] for parameter in path_parameters)


@pytest.mark.parametrize("one", DESCRIPTIONS, ids=lambda one: one.id)
def test_every_error_that_is_declared_is_told_with_its_status(one: OperationSpec) -> None:
    """Each code stands at its status; who needs trust may be refused it, who needs a key may lack it."""
    responses = DOCUMENT["paths"][one.path][one.method.lower()]["responses"]
    for kind in one.all_errors():
        assert f"`{kind.code}`" in responses[str(status_of(kind))]["description"]
    assert ("`forbidden`" in responses["403"]["description"]) is (one.access is Access.AUTHORIZED)
    assert ("401" in responses) is (one.path != "/health")


def test_forwarded_operations_declare_the_errors_of_engines_bodies_and_models() -> None:
    """What only a request for a model meets stands beside what every operation has."""
    responses = DOCUMENT["paths"]["/v1/chat/completions"]["post"]["responses"]
    declared = {code for status, told in responses.items() if status >= "400" for code in codes_in(told)}
    health = DOCUMENT["paths"]["/health"]["get"]["responses"]
    everywhere = {code for status, told in health.items() if status >= "400" for code in codes_in(told)}
    assert {"host_not_allowed", "shutting_down"} <= everywhere & declared
    assert {"body_too_large", "model_not_found", "model_loading", "upstream_timeout"} <= declared - everywhere


def codes_in(response: dict[str, str]) -> list[str]:
    """Return the error codes that the description of a response names."""
    return re.findall(r"`(\w+)`", response["description"])


class Page(HTMLParser):
    """Reads a page and keeps what is asked about it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.ids: set[str] = set()
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take in a tag."""
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
        """Take in an end."""
        assert self.open.pop() == tag


def test_the_page_needs_nothing_from_elsewhere_and_runs_nothing() -> None:
    """No script, no picture, no address but its own; every link inside it leads somewhere."""
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
    for one in DESCRIPTIONS:
        assert one.id in read.ids
        assert f"<code>{one.path}</code>" in text


def test_the_page_shows_text_as_text() -> None:
    """Whatever a description holds, it is no markup."""
    hostile = OperationSpec(
        id="x", method="GET", path="/x", group="<script>", summary="<b>", text="`</style><script>alert(1)`"
    )
    assert "<script>" not in render_page(document([hostile], version="<i>"))
