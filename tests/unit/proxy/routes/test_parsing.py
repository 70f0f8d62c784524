"""What clients say in paths, queries and small bodies is read as strictly as it is described."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gglib.proxy.errors import BadRequestError
from gglib.proxy.routes.operation import (
    Description,
    Place,
    path_parameter,
    query_parameter,
)
from gglib.proxy.routes.parsing import read_body, read_path, read_query
from gglib.proxy.routes.schemas import FORWARDED, NEW_DOWNLOAD, NEW_MODEL
from gglib.proxy.routes.table import OPERATIONS

PARAMETERS = (
    query_parameter("q", "", is_required=True, type="string", minLength=1, maxLength=5),
    query_parameter("sort", "", type="string", enum=["a", "b"], default="a"),
    query_parameter("limit", "", type="integer", minimum=1, maximum=100, default=10),
    query_parameter("size", "", type="integer", minimum=1),
    query_parameter("files", "", type="boolean", default=False),
)


def test_a_query_is_read_with_its_defaults() -> None:
    """What is there has its type, what is not there its default or None."""
    values = read_query(PARAMETERS, b"q=a+%C3%A4%2B&limit=7&files=true")
    assert values == {"q": "a ä+", "sort": "a", "limit": 7, "size": None, "files": True}


@pytest.mark.parametrize(
    ("query", "param"),
    [
        (b"", "q"),
        (b"q=", "q"),
        (b"q=abcdef", "q"),
        (b"q=a&q=a", "q"),
        (b"q=a&x=1", "x"),
        (b"q=a&", ""),
        (b"Q=a", "Q"),
        (b"q=%ff", "query"),
        (b"q=%zz", "query"),
        (b"q=a&sort=c", "sort"),
        (b"q=a&limit=0", "limit"),
        (b"q=a&limit=101", "limit"),
        (b"q=a&limit=1.0", "limit"),
        (b"q=a&limit=01", "limit"),
        (b"q=a&limit=%D9%A1", "limit"),
        (b"q=a&limit=" + b"9" * 5000, "limit"),
        (b"q=a&files=1", "files"),
        (b"q=a&files=True", "files"),
        (b"q=a&files", "files"),
    ],
)
def test_a_query_that_is_not_as_described_is_refused(query: bytes, param: str) -> None:
    """The error names the parameter."""
    with pytest.raises(BadRequestError) as refused:
        read_query(PARAMETERS, query)
    assert refused.value.param == param


def test_a_path_is_read_after_it_was_taken_apart() -> None:
    """An escaped slash belongs to the value, one that stands as it is parts values, but in the rest."""
    two = Description(
        id="x",
        method="GET",
        path="/a/{owner}/{name}",
        group="",
        summary="",
        parameters=(path_parameter("owner", ""), path_parameter("name", "")),
    )
    assert read_path(two, "/a/o%2Fp/n%C3%A4+") == {"owner": "o/p", "name": "nä+"}
    assert two.pattern.fullmatch("/a/o/n/m") is None
    rest = Description(id="x", method="GET", path="/a/{name}", group="", summary="", takes_rest=True)
    assert read_path(rest, "/a/o/n%2Fm") == {"name": "o/n/m"}
    with pytest.raises(BadRequestError):
        read_path(rest, "/a/%ff")


def test_a_body_is_read() -> None:
    """What is left out, or null, is None; a byte order mark may stand before it."""
    body = b'\xef\xbb\xbf{"path": "/m/\\u00e4.gguf", "name": null}'
    assert read_body(NEW_MODEL, body) == {"path": "/m/ä.gguf", "name": None, "aliases": None}
    assert read_body(NEW_DOWNLOAD, b'{"target":"a/b"}') == {"target": "a/b"}


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (b"", None),
        (b"[]", None),
        (b'"/m.gguf"', None),
        (b"{}", "path"),
        (b'{"path":null}', "path"),
        (b'{"path":7}', "path"),
        (b'{"path":""}', "path"),
        (b'{"path":"m.gguf"}', "path"),
        (b'{"path":"~/m.gguf"}', "path"),
        (b'{"path":"/m\\u0000.gguf"}', "path"),
        (b'{"path":"/' + b"m" * 5000 + b'"}', "path"),
        (b'{"path":"/m","path":"/n"}', "path"),
        (b'{"path":"/m","p\\u0061th":"/n"}', "path"),
        (b'{"path":"/m","name":""}', "name"),
        (b'{"path":"/m","name":["a"]}', "name"),
        (b'{"path":"/m","aliases":"a"}', "aliases"),
        (b'{"path":"/m","aliases":[1]}', "aliases"),
        (b'{"path":"/m","aliases":[["a"]]}', "aliases"),
        (b'{"path":"/m","aliases":[' + b",".join([b'"a"'] * 21) + b"]}", "aliases"),
        (b'{"path":"/m","source":"x"}', "source"),
        (b'{"path":"/m","name":{"a":1,"a":2}}', "a"),
        (b'{"path":NaN}', None),
        (b'{"path":"/m"} x', None),
        (b'{"path":"\\ud800"}', None),
        (b'{"path":"/\xff"}', None),
        (b'{"path":' + b"[" * 70 + b"]" * 70 + b"}", None),
    ],
)
def test_a_body_that_is_not_as_described_is_refused(body: bytes, param: str | None) -> None:
    """The error names the field, where one is at fault."""
    with pytest.raises(BadRequestError) as refused:
        read_body(NEW_MODEL, body)
    assert refused.value.param == param


@given(st.binary(max_size=200))
def test_whatever_comes_is_read_or_refused(data: bytes) -> None:
    """No body ends in anything but its values or ``BadRequestError``."""
    try:
        values = read_body(NEW_DOWNLOAD, data)
    except BadRequestError:
        return
    assert isinstance(values["target"], str)


@given(st.dictionaries(st.text(max_size=8), st.none() | st.integers() | st.text() | st.lists(st.text())))
def test_only_what_is_described_is_taken(members: dict[str, Any]) -> None:
    """A body passes exactly when it has a target of the right type and length, and nothing else."""
    is_right = set(members) == {"target"} and isinstance(members["target"], str) and members["target"] != ""
    try:
        read_body(NEW_DOWNLOAD, json.dumps(members).encode())
    except BadRequestError:
        assert not is_right
    else:
        assert is_right


UNDERSTOOD = {
    "string": {"enum", "pattern", "x-rule", "minLength", "maxLength"},
    "integer": {"minimum", "maximum"},
    "boolean": set[str](),
    "array": {"items", "maxItems"},
}


def schemas_of_requests() -> Iterator[dict[str, Any]]:
    """Yield every schema that a request of ours is read by."""
    for one in OPERATIONS:
        described = one.description
        if described.body is not None and described.body is not FORWARDED:
            yield from described.body["properties"].values()
        yield from (dict(p.schema) for p in described.parameters if p.place is Place.QUERY)


def test_the_reader_understands_every_word_of_the_descriptions() -> None:
    """A rule that is written down, and not held, would be a lie in the document."""
    schemas = list(schemas_of_requests())
    assert len(schemas) >= 9
    for schema in schemas:
        types = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        (kind,) = set(types) - {"null"}
        assert set(schema) - {"type", "description", "default"} <= UNDERSTOOD[kind]
        assert kind != "integer" or "minimum" in schema
        assert kind != "array" or "maxItems" in schema
