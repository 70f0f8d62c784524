"""Requests to servers that are not llama.cpp's: their path, and the model's name in their bodies."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gglib.core.models import RunningTarget
from gglib.http.client.pool import UpstreamRequest
from gglib.http.multipart import read_boundary, read_form
from gglib.proxy.relay.backend_request import adapted_request

TYPE = b"multipart/form-data; boundary=b"


def target(name: str | None = "there", prefix: str = "/v1") -> RunningTarget:
    """Return a server that knows the model as ``name``."""
    return RunningTarget(
        base_url="http://box:8000",
        model_id=1,
        model_name="here",
        effective_ctx=1,
        path_prefix=prefix,
        served_name=name,
    )


def adapted(body: bytes, name: str = "there", content_type: bytes = b"application/json") -> bytes:
    """Return a body as the server gets it."""
    request = UpstreamRequest(b"/v1/chat/completions", b"", "id", body)
    return adapted_request(request, target(name), content_type).body


@pytest.mark.parametrize(
    ("path", "prefix", "expected"),
    [
        (b"/v1/chat/completions", "/v1", b"/v1/chat/completions"),
        (b"/v1/chat/completions?a=/v1/b", "/openai/v1", b"/openai/v1/chat/completions?a=/v1/b"),
        (b"/v1/embeddings", "", b"/embeddings"),
        (b"/v1beta/x", "/p", b"/v1beta/x"),
        (b"/rerank", "/p", b"/rerank"),
    ],
)
def test_the_path_is_below_the_base_url(path: bytes, prefix: str, expected: bytes) -> None:
    """The prefix stands for ``/v1`` at the start of the path, and nowhere else."""
    found = adapted_request(UpstreamRequest(path, b"", "id", b"{}"), target(None, prefix), b"")
    assert (found.path, found.body) == (expected, b"{}")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"model":"here","a":1}', b'{"model":"there","a":1}'),
        (b' { "a" : [1] , "model" : "h\\u0065re" } ', b' { "a" : [1] , "model" : "there" } '),
        (b'{"m\\u006fdel":null}', b'{"m\\u006fdel":"there"}'),
        (b'{"a":{"model":"x"}}', b'{"model":"there","a":{"model":"x"}}'),
        (b"{ }", b'{"model":"there" }'),
        (b' {"messages":[{"model":"x"}]}', b' {"model":"there","messages":[{"model":"x"}]}'),
    ],
)
def test_only_the_name_at_the_root_changes(body: bytes, expected: bytes) -> None:
    """All other bytes stay as they are; a missing name is added."""
    assert adapted(body) == expected
    assert json.loads(expected)["model"] == "there"


@given(
    st.dictionaries(st.text(max_size=8), st.one_of(st.none(), st.text(), st.lists(st.integers()))),
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1),
)
def test_any_body_keeps_its_other_members(body: dict[str, object], name: str) -> None:
    """Names of any characters arrive as they are; members keep their values."""
    found = json.loads(adapted(json.dumps(body).encode(), name))
    assert found == body | {"model": name}


@pytest.mark.parametrize(
    ("lines", "content_type", "expected"),
    [
        (
            b"accept: */*\r\n",
            b"",
            b"accept: */*\r\naccept-encoding: identity\r\ncontent-type: application/json\r\n",
        ),
        (
            b"content-type: application/x-www-form-urlencoded\r\nx-a: content-type: b\r\naccept-encoding: gzip, br\r\n",
            b"application/x-www-form-urlencoded",
            b"x-a: content-type: b\r\naccept-encoding: identity\r\ncontent-type: application/json\r\n",
        ),
        (
            b"content-type: %b\r\naccept-encoding: gzip\r\n" % TYPE,
            TYPE,
            b"content-type: %b\r\naccept-encoding: identity\r\n" % TYPE,
        ),
    ],
)
def test_the_server_reads_json_and_compresses_nothing(
    lines: bytes, content_type: bytes, expected: bytes
) -> None:
    """``curl -d`` declares a form, which other servers than llama.cpp's refuse; a form keeps its boundary."""
    body = (
        b"{}"
        if content_type != TYPE
        else b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n\r\n--b--\r\n'
    )
    request = UpstreamRequest(b"/v1/chat/completions", lines, "id", body)
    assert adapted_request(request, target(), content_type).header_lines == expected


@pytest.mark.parametrize("place", [0, 1, None])
def test_a_form_names_the_model_of_the_server(place: int | None) -> None:
    """The part of the model is replaced, or added if it is missing; a file's bytes stay as they are."""
    parts = [
        b'Content-Disposition: form-data; name="file"; filename="a"\r\n\r\nmodel\r\n--c\r\n\xff',
        b'Content-Disposition: form-data; name="prompt"\r\n\r\nhere',
    ]
    if place is not None:
        parts.insert(place, b'Content-Disposition: form-data; name="model"\r\n\r\nhere')
    body = b"".join(b"--b\r\n%b\r\n" % part for part in parts) + b"--b--\r\n"
    found = adapted(body, "ä b", TYPE)
    fields = {part.name: bytes(part.content) for part in read_form(found, read_boundary(TYPE))}
    assert fields == {"model": "ä b".encode(), "prompt": b"here", "file": b"model\r\n--c\r\n\xff"}
