"""The model of a request to one engine: in the query or in a small body."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gglib.proxy.errors import BadRequestError
from gglib.proxy.names.named_model import NamedModel, read_named_model


@pytest.mark.parametrize(
    ("query", "body", "named"),
    [
        (b"", b"", NamedModel(None)),
        (b"model=", b"", NamedModel(None)),
        (b"model=a", b"", NamedModel("a")),
        (b"model=a%2Fb%3AQ4&x=1", b"", NamedModel("a/b:Q4")),
        (b"model=a+b", b"", NamedModel("a b")),
        (b"model=a&model=a", b"", NamedModel("a")),
        (b"autoload=false", b"", NamedModel(None, may_load=False)),
        (b"model=a&autoload=0", b"", NamedModel("a", may_load=False)),
        (b"model=a&autoload=true", b"", NamedModel("a")),
        (b"model=a&autoload=1", b"", NamedModel("a")),
        (b"model=a&autoload=", b"", NamedModel("a")),
        (b"model=a&autoload=true&autoload=false", b"", NamedModel("a", may_load=False)),
        (b"", b'{"model": "a"}', NamedModel("a")),
        (b"model=a", b'{"model": "a"}', NamedModel("a")),
        (b"model=a", b'[{"id": 0, "scale": 0.5}]', NamedModel("a")),
        (b"", b'{"model": null}', NamedModel(None)),
        (b"", b'{"model": ""}', NamedModel(None)),
        (b"", b" \n", NamedModel(None)),
        (b"", b'"model"', NamedModel(None)),
    ],
)
def test_the_query_or_the_body_names_the_model(query: bytes, body: bytes, named: NamedModel) -> None:
    """As in llama.cpp's router, ``autoload`` is true, 1 or empty, or means no."""
    assert read_named_model(query, body) == named


@pytest.mark.parametrize(
    ("query", "body"),
    [
        (b"model=a&model=b", b""),
        (b"model=a", b'{"model": "b"}'),
        (b"model=%ff", b""),
        (b"model=%00", b""),
        (b"model=a%0Ab", b""),
        (b"model=" + b"a" * 513, b""),
        (b"&".join(b"x%d=1" % n for n in range(40)), b""),
        (b"", b"{"),
        (b"", b"\xff"),
        (b"", b'{"model": 1}'),
        (b"", b"[" * 100_000),
    ],
)
def test_other_requests_are_refused(query: bytes, body: bytes) -> None:
    """Two models, no name, or no JSON."""
    with pytest.raises(BadRequestError):
        read_named_model(query, body)


@given(st.binary(max_size=60), st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(query: bytes, body: bytes) -> None:
    """A request line has only visible ASCII; no other error is raised for it, nor for any body."""
    ascii_query = bytes(0x21 + byte % 0x5E for byte in query)
    try:
        name, _ = read_named_model(ascii_query, body)
    except BadRequestError:
        return
    assert name is None or name.isprintable()
