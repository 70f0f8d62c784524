"""Strict parsing of paths, queries and small bodies."""

import json
import re
import time
from collections.abc import Iterator
from enum import Enum
from typing import Annotated, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET, Meta, Struct, ValidationError

from gglib.proxy.errors import BadRequestError, ForbiddenError
from gglib.proxy.routes.operation_spec import OperationSpec
from gglib.proxy.routes.parsing import (
    read_body,
    read_path,
    read_query,
    refuse_control_characters,
    requirement,
    schemas_of,
)
from gglib.proxy.routes.requests import (
    EngineQuery,
    Forwarded,
    ModelChanges,
    NewDownload,
    NewModel,
    RouterModel,
)
from gglib.proxy.routes.table import OPERATIONS


class Sort(Enum):
    """A sort order."""

    A = "a"
    B = "b"


class Query(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A query with a field of each type."""

    q: Annotated[str, Meta(min_length=1, max_length=5)]
    sort: Sort = Sort.A
    limit: Annotated[int, Meta(ge=1, le=100)] = 10
    size: Annotated[int, Meta(ge=1)] | None = None
    files: bool = False


def test_query_is_parsed_with_defaults() -> None:
    """Present parameters have their type, absent ones their default or None."""
    query = read_query(Query, b"q=a+%C3%A4%2B&limit=7&files=true")
    assert query == Query(q="a ä+", sort=Sort.A, limit=7, size=None, files=True)


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
        (b"q=a%00", "query"),
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
def test_invalid_query_is_refused(query: bytes, param: str) -> None:
    """The error names the parameter."""
    with pytest.raises(BadRequestError) as refused:
        read_query(Query, query)
    assert refused.value.param == param


class Odd(Struct):
    """A type whose own check fails without naming a field."""

    def __post_init__(self) -> None:
        raise ValueError("odd")


def test_validation_error_without_a_field_is_raised() -> None:
    """It is a bug in the type, not an error of the request."""
    with pytest.raises(ValidationError):
        read_query(Odd, b"")


def test_path_is_decoded_after_splitting() -> None:
    """An escaped slash belongs to the value; a literal slash separates values, except in the rest."""
    two = OperationSpec(
        id="x",
        method="GET",
        path="/a/{owner}/{name}",
        group="",
        summary="",
        path_parameters={"owner": "", "name": ""},
    )
    assert read_path(two.pattern, "/a/o%2Fp/n%C3%A4+") == {"owner": "o/p", "name": "nä+"}
    assert two.pattern.fullmatch("/a/o/n/m") is None
    rest = OperationSpec(id="x", method="GET", path="/a/{name}", group="", summary="", may_have_slashes=True)
    assert read_path(rest.pattern, "/a/o/n%2Fm") == {"name": "o/n/m"}
    with pytest.raises(BadRequestError):
        read_path(rest.pattern, "/a/%ff")


def test_body_is_parsed() -> None:
    """Omitted or null fields are None; a byte order mark may come first."""
    body = b'\xef\xbb\xbf{"path": "/m/\\u00e4.gguf", "name": null}'
    assert read_body(NewModel, body) == NewModel(path="/m/ä.gguf")
    assert read_body(NewDownload, b'{"target":"a/b"}') == NewDownload(target="a/b")


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
def test_invalid_body_is_refused(body: bytes, param: str | None) -> None:
    """The error names the field, if one is at fault."""
    with pytest.raises(BadRequestError) as refused:
        read_body(NewModel, body)
    assert refused.value.param == param


def test_null_resets_a_field_of_a_merge_patch() -> None:
    """Absent, null and set fields stay three different things."""
    changes = read_body(ModelChanges, b'{"context":null,"is_pinned":true}', keeps_null=True)
    assert (changes.context, changes.is_pinned, changes.idle_ttl_s) == (None, True, UNSET)
    reset = read_body(ModelChanges, b'{"aliases":null,"tags":null,"is_pinned":null}', keeps_null=True)
    assert (reset.aliases, reset.tags, reset.is_pinned) == (None, None, None)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (
            b'{"aliases":"x"}',
            "'aliases' must be an array of at most 20 items, each a string of 1 to 200 characters.",
        ),
        (b'{"is_pinned":1}', "'is_pinned' must be true or false."),
        (b'{"idle_ttl_s":-1}', "'idle_ttl_s' must be a number from 0 on."),
        (b'{"kind":"music"}', "'kind' must be one of chat, embedding, rerank."),
        (b'{"priority":"high"}', "'priority' must be one of batch, interactive."),
    ],
)
def test_an_invalid_change_is_refused_with_what_is_accepted(body: bytes, message: str) -> None:
    """Null is refused for fields that cannot be reset."""
    with pytest.raises(BadRequestError) as refused:
        read_body(ModelChanges, body, keeps_null=True)
    assert str(refused.value) == message


def test_duplicate_check_is_linear() -> None:
    """The time to find a duplicate name grows with the members, not with their square."""
    members = b",".join(b'"%x":1' % number for number in (*range(40_000), 39_999))
    begin_s = time.monotonic()
    with pytest.raises(BadRequestError) as refused:
        read_body(NewModel, b"{%b}" % members)
    assert refused.value.param == "9c3f"
    assert time.monotonic() - begin_s < 4


@given(st.binary(max_size=200))
def test_any_body_is_parsed_or_refused(data: bytes) -> None:
    """Any body gives its values or ``BadRequestError``."""
    try:
        download = read_body(NewDownload, data)
    except BadRequestError:
        return
    assert isinstance(download.target, str)


@given(st.dictionaries(st.text(max_size=8), st.none() | st.integers() | st.text() | st.lists(st.text())))
def test_only_valid_bodies_pass(members: dict[str, Any]) -> None:
    """A body passes exactly when it has a target of the right type and length, and nothing else."""
    is_right = set(members) == {"target"} and isinstance(members["target"], str) and members["target"] != ""
    try:
        read_body(NewDownload, json.dumps(members).encode())
    except (BadRequestError, ForbiddenError):  # the latter for names that are never set over HTTP
        assert not is_right
    else:
        assert is_right


LENIENT = (Forwarded, EngineQuery, RouterModel)
"""Types of requests whose other fields are for the engine, or ignored as by llama.cpp's router."""


def types_of_requests() -> Iterator[type[Struct]]:
    """Yield every type that a request of gglib's own API is parsed into."""
    for operation in OPERATIONS:
        spec = operation.spec
        if spec.is_strict:
            yield from (kind for kind in (spec.query, spec.body) if kind and kind not in LENIENT)


@pytest.mark.parametrize("kind", [*types_of_requests()], ids=lambda kind: kind.__name__)
def test_every_request_field_has_a_requirement_phrase(kind: type[Struct]) -> None:
    """A value of a wrong type is refused with a sentence that states the requirement; unknown fields are refused."""
    assert kind.__struct_config__.forbid_unknown_fields
    for schema in schemas_of(kind).values():
        assert re.match(r"(a|an|one of|true) ", requirement(schema))


@pytest.mark.parametrize("character", ["\0", "\x1f", "\x7f", "\x85", "\u2028"])
def test_control_characters_are_refused(character: str) -> None:
    """The error names the parameter and does not repeat the character."""
    with pytest.raises(BadRequestError, match="'name' contains a control character") as refused:
        refuse_control_characters(f"a{character}b", "name")
    assert refused.value.param == "name"
