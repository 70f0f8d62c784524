"""What is read out of a request body, and what is refused."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gglib.proxy.envelope import MAX_MODEL_NAME_CHARS, Envelope, read_envelope
from gglib.proxy.errors import BadRequestError

NAMES = st.sampled_from(["a", "x\u00e9", "messages"])
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | NAMES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=5,
)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"model":"m"}', Envelope("m", is_stream=False, num_ctx=None)),
        (b'{"model":"m","stream":null,"num_ctx":null}', Envelope("m", is_stream=False, num_ctx=None)),
        (b'{"stream":true,"num_ctx":1,"model":"m"}', Envelope("m", is_stream=True, num_ctx=1)),
        (b'\xef\xbb\xbf {"model":"m","stream":false}', Envelope("m", is_stream=False, num_ctx=None)),
        (b'{"model":"\\u0041\\ud83d\\ude00"}', Envelope("A\U0001f600", is_stream=False, num_ctx=None)),
        (
            b'{"model":"m","num_ctx":9999999999999999}',
            Envelope("m", is_stream=False, num_ctx=9999999999999999),
        ),
        (b'{"x":{"model":1,"model":2},"model":"m"}', Envelope("m", is_stream=False, num_ctx=None)),
        (b'{"x":1,"x":2,"model":"m"}', Envelope("m", is_stream=False, num_ctx=None)),
        (b'{"model":"' + b"m" * 512 + b'"}', Envelope("m" * 512, is_stream=False, num_ctx=None)),
    ],
)
def test_reads_what_it_needs(body: bytes, expected: Envelope) -> None:
    """The three fields are read wherever they stand; null is absent; other members may be anything."""
    assert read_envelope(body) == expected


@pytest.mark.parametrize(
    ("body", "param", "part"),
    [
        (b"", None, "JSON"),
        (b"{", None, "line 1, column 2"),
        (b'{"model":"m"} x', None, "Extra data"),
        (b'["m"]', None, "object"),
        (b'"m"', None, "object"),
        (b"null", None, "object"),
        (b'{"model":"\xff"}', None, "UTF-8"),
        (b'{"model":"m","x":"\xed\xa0\x80"}', None, "UTF-8"),
        (b'{"model":"m","x":NaN}', None, "NaN"),
        (b'{"model":"m","x":[-Infinity]}', None, "-Infinity"),
        (b'{"model":"m","x":' + b"9" * 5000 + b"}", None, "too long"),
        (b'{"model":"m","x":' + b"[" * 50_000 + b"]" * 50_000 + b"}", None, "deep"),
        (b'{"a":' * 50_000, None, "deep"),
        (b"{}", "model", "name a 'model'"),
        (b'{"model":null}', "model", "name a 'model'"),
        (b'{"model":""}', "model", "string"),
        (b'{"model":7}', "model", "string"),
        (b'{"model":["m"]}', "model", "string"),
        (b'{"model":"' + b"m" * 513 + b'"}', "model", str(MAX_MODEL_NAME_CHARS)),
        (b'{"model":"a\\ud800b"}', None, "Unicode"),
        (b'{"model":"\\udfff"}', None, "Unicode"),
        (b'{"model":"a","model":"a"}', "model", "twice"),
        (b'{"model":"a","stream":true,"stream":false}', "stream", "twice"),
        (b'{"model":"a","num_ctx":1,"num_ctx":2}', "num_ctx", "twice"),
        (b'{"model":"m","stream":1}', "stream", "true or false"),
        (b'{"model":"m","stream":"true"}', "stream", "true or false"),
        (b'{"model":"m","stream":[]}', "stream", "true or false"),
        (b'{"model":"m","num_ctx":0}', "num_ctx", "positive"),
        (b'{"model":"m","num_ctx":-1}', "num_ctx", "positive"),
        (b'{"model":"m","num_ctx":true}', "num_ctx", "positive"),
        (b'{"model":"m","num_ctx":4096.0}', "num_ctx", "positive"),
        (b'{"model":"m","num_ctx":"4096"}', "num_ctx", "positive"),
        (b'{"model":"m","num_ctx":{}}', "num_ctx", "positive"),
    ],
)
def test_refuses_and_names_the_field(body: bytes, param: str | None, part: str) -> None:
    """What cannot be used is refused in a sentence, with the field that is at fault."""
    with pytest.raises(BadRequestError) as raised:
        read_envelope(body)
    assert raised.value.param == param
    assert part in str(raised.value)


@given(st.binary() | JSON_VALUES.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    """Whatever comes, there is an envelope or a refusal, and never another exception."""
    try:
        read_envelope(body)
    except BadRequestError:
        return


@given(
    st.dictionaries(NAMES, JSON_VALUES, max_size=3),
    st.text(st.characters(codec="utf-8"), min_size=1, max_size=40),
    st.booleans(),
    st.none() | st.integers(min_value=1),
)
def test_reads_back_what_was_written(
    others: dict[str, Any],
    model: str,
    is_stream: bool,  # noqa: FBT001 - a property's value
    num_ctx: int | None,
) -> None:
    """The fields come out as they went in, among any other members."""
    body = json.dumps({**others, "model": model, "stream": is_stream, "num_ctx": num_ctx}).encode()
    assert read_envelope(body) == Envelope(model, is_stream, num_ctx)
