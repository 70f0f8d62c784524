"""Forms are parsed strictly: what another parser could read differently is refused."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gglib.http.errors import MalformedFormError
from gglib.http.multipart import MAX_PARTS, read_boundary, read_form

B = b"xYz"


def part(disposition: bytes, content: bytes = b"v", more: bytes = b"") -> bytes:
    """Return a part with its boundary."""
    return (
        b"--xYz\r\nContent-Disposition: form-data; "
        + disposition
        + b"\r\n"
        + more
        + b"\r\n"
        + content
        + b"\r\n"
    )


END = b"--xYz--\r\n"


@pytest.mark.parametrize(
    ("content_type", "boundary"),
    [
        (b"multipart/form-data; boundary=xYz", b"xYz"),
        (b'Multipart/Form-Data;boundary="a b=/c"', b"a b=/c"),
        (b"multipart/form-data; boundary=----formdata-undici-0123", b"----formdata-undici-0123"),
    ],
)
def test_boundaries(content_type: bytes, boundary: bytes) -> None:
    """Quoted and plain, of any client."""
    assert read_boundary(content_type) == boundary


@pytest.mark.parametrize(
    "content_type",
    [
        b"",
        b"application/json",
        b"multipart/form-data",
        b"multipart/mixed; boundary=a",
        b"multipart/form-data; boundary=",
        b'multipart/form-data; boundary="a',
        b"multipart/form-data; boundary=a; boundary=b",
        b"multipart/form-data; boundary=" + b"a" * 71,
        b'multipart/form-data; boundary="a "',
    ],
)
def test_other_types(content_type: bytes) -> None:
    """They have no usable boundary."""
    with pytest.raises(MalformedFormError):
        read_boundary(content_type)


def test_a_form() -> None:
    """Fields and files in their order; a file may contain anything but the boundary."""
    content = b"\r\n--xY\r\n\r\n--\x00\xff"
    body = (
        part(b'name="file"; filename="\xc3\xa9 a=b.wav"', content, b"Content-Type: audio/wav\r\n")
        + part(b"name=model", b"m")
        + part(b"name=\"include[]\"; filename*=UTF-8''a", b"")
    )
    assert [(found.name, found.is_file, bytes(found.content)) for found in read_form(body + END, B)] == [
        ("file", True, content),
        ("model", False, b"m"),
        ("include[]", False, b""),
    ]
    assert [body[found.start :][: len(found.content)] for found in read_form(body + END, B)] == [
        content,
        b"m",
        b"",
    ]
    assert read_form(b"--xYz--", B) == []
    assert len(read_form(b"\r\n" + body + b"--xYz--", B)) == 3


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"preamble" + part(b"name=a") + END,
        part(b"name=a"),
        part(b"name=a") + END + b"more",
        part(b"name=a") + b"--xYz junk" + END,
        b"--xYz\r\n\r\nv\r\n" + END,
        part(b"") + END,
        part(b'name="a\\"b"') + END,
        part(b'name="a"; name="b"') + END,
        part(b'name="a"; filename="x; name=\\"b\\""') + END,
        part(b'name="a"; filename="x;y"') + END,
        part(b"name=a", more=b"Content-Transfer-Encoding: base64\r\n") + END,
        part(b"name=a", more=b"Content-Disposition: form-data; name=b\r\n") + END,
        part(b"name=a", more=b" folded\r\n") + END,
        part(b"name=a", more=b"X: y\n\r\n") + END,
        part(b"name=" + b"a" * 101) + END,
        part(b"name=a", more=b"Content-Type: " + b"x" * 5000 + b"\r\n") + END,
        part(b"name=a").replace(b"\r\n", b"\n") + END,
        part(b"name=a") * (MAX_PARTS + 1) + END,
    ],
)
def test_what_is_refused(body: bytes) -> None:
    """Each could be read differently, or costs too much."""
    with pytest.raises(MalformedFormError):
        read_form(body, B)


@given(
    fields=st.lists(
        st.tuples(st.from_regex(r"[A-Za-z0-9_.\[\]-]{1,20}", fullmatch=True), st.binary()), max_size=5
    )
)
def test_every_content_comes_back(fields: list[tuple[str, bytes]]) -> None:
    """Whatever does not contain the boundary."""
    fields = [(name, content) for name, content in fields if b"\r\n--xYz" not in b"\r\n" + content + b"\r\n"]
    body = b"".join(part(b'name="%b"' % name.encode(), content) for name, content in fields) + END
    assert [(found.name, bytes(found.content)) for found in read_form(body, B)] == fields


@given(body=st.binary(), prefix=st.booleans())
def test_any_bytes_are_a_form_or_refused(body: bytes, *, prefix: bool) -> None:
    """Nothing else happens."""
    with contextlib.suppress(MalformedFormError):
        read_form(b"--xYz\r\n" + body if prefix else body, B)
