"""Which fields of a request body are read, and which bodies are refused."""

import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gglib.proxy import envelope
from gglib.proxy.envelope import MAX_MODEL_NAME_CHARS, Envelope, apply_edits, read_envelope
from gglib.proxy.errors import BadRequestError
from gglib.proxy.guards.engine_fields import ENGINE_FIELDS, LLGUIDANCE, SCHEMA_FIELDS, SchemaLimits
from gglib.proxy.guards.token_limits import TOKEN_LIMITS

from .test_json_scan import mutated, texts_of_json


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
        (rb'{"m\u006fdel":"m","num\u005fctx":7}', Envelope("m", is_stream=False, num_ctx=7)),
        (
            b'{"model":"' + rb"\ud83d\ude00" * 512 + b'"}',
            Envelope("\U0001f600" * 512, is_stream=False, num_ctx=None),
        ),
        (b'{"model":"m","x":' + b"[" * 63 + b"]" * 63 + b"}", Envelope("m", is_stream=False, num_ctx=None)),
        (
            b'{"model":"m","num_ctx":' + b"9" * 4300 + b"}",
            Envelope("m", is_stream=False, num_ctx=10**4300 - 1),
        ),
        (b'{"model":"' + b"m" * 512 + b'"}', Envelope("m" * 512, is_stream=False, num_ctx=None)),
        (b"{}", Envelope(None, is_stream=False, num_ctx=None)),
        (b'{"model":null,"stream":true}', Envelope(None, is_stream=True, num_ctx=None)),
        (b'{"model":"","num_ctx":7}', Envelope(None, is_stream=False, num_ctx=7)),
    ],
)
def test_reads_model_stream_and_num_ctx(body: bytes, expected: Envelope) -> None:
    """In any order; null is the same as absent, as is an empty model; other members may have any value."""
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
        (b'{"model":7}', "model", "string"),
        (b'{"model":["m"]}', "model", "string"),
        (b'{"model":"' + b"m" * 513 + b'"}', "model", str(MAX_MODEL_NAME_CHARS)),
        (b'{"model":"a\\ud800b"}', None, "Unicode"),
        (b'{"model":"\\udfff"}', None, "Unicode"),
        (b'{"model":"a","model":"a"}', "model", "twice"),
        (b'{"model":"a","stream":true,"stream":false}', "stream", "twice"),
        (b'{"model":"a","num_ctx":1,"num_ctx":2}', "num_ctx", "twice"),
        (rb'{"model":"a","mod\u0065l":"b"}', "model", "twice"),
        (rb'{"model":"a","str\u0065am":null,"stream":true}', "stream", "twice"),
        (b'{"model":"' + b"m" * 1_000_000 + b'"}', "model", str(MAX_MODEL_NAME_CHARS)),
        (b'{"model":"' + rb"\ud83d\ude00" * 513 + b'"}', "model", str(MAX_MODEL_NAME_CHARS)),
        (b'{"model":"m","x":"' + rb"\ud800" + b'"}', None, "surrogate"),
        (b'{"model":"m","x":' + b"[" * 64 + b"]" * 64 + b"}", None, "64 deep"),
        (b'{"model":"m","stream":1}', "stream", "true or false"),
        (b'{"model":"m","stream":"true"}', "stream", "true or false"),
        (b'{"model":"m","stream":[]}', "stream", "true or false"),
        (b'{"model":"m","num_ctx":0}', "num_ctx", "positive"),
        (b'{"model":"m","num_ctx":-1}', "num_ctx", "positive"),
        (b'{"model":"m","num_ctx":true}', "num_ctx", "positive"),
        (b'{"model":"m","num_ctx":4096.0}', "num_ctx", "positive"),
        (b'{"model":"m","num_ctx":"4096"}', "num_ctx", "positive"),
        (b'{"model":"m","num_ctx":{}}', "num_ctx", "positive"),
        (b'{"model":"m","num_ctx":1e3}', "num_ctx", "positive"),
        (b'{"model":"m","num_ctx":-0}', "num_ctx", "positive"),
        (b'{"model":"m","num_ctx":' + b"9" * 4301 + b"}", None, "too long"),
    ],
)
def test_refuses_and_names_the_field(body: bytes, param: str | None, part: str) -> None:
    """The error says why a body is refused, and which of its fields is invalid."""
    with pytest.raises(BadRequestError) as raised:
        read_envelope(body)
    assert raised.value.param == param
    assert part in str(raised.value)


def both(body: bytes) -> tuple[Envelope | None, Envelope | None]:
    """Return the results of the parser of short bodies and of the scanner; None where one has none."""
    try:
        return envelope._read_fast(body), envelope._read_scanned(body, frozenset())
    except BadRequestError:
        return envelope._read_fast(body), None


def ordinary(more: str = "") -> bytes:
    """Return a body as clients send it, with ``more`` as further members."""
    return f'{{"model":"m","stream":true,"messages":[{{"role":"user","content":"hi"}}]{more}}}'.encode()


@pytest.mark.parametrize(
    "more",
    [
        "",
        r',"x":"say \"hi\"\n"',
        ',"x":' + "[" * 61 + "]" * 61,
        ',"num_ctx":1',
        ',"num_ctx":null',
        ',"max_tokens":2147483647,"n_predict":-1',
        ',"top_logprobs":null,"logprobs":true',
        ',"top_logprobs":1000',
        ',"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object"}}}]',
        ',"response_format":null',
    ],
)
def test_an_ordinary_short_body_is_read_fast(more: str) -> None:
    """The parser of short bodies reads bodies up to 4 KiB, and longer ones are scanned, with the same result."""
    body = ordinary(more)
    fast, scanned = both(body)
    assert fast is not None
    assert fast == scanned


def test_a_long_body_is_scanned() -> None:
    """The parser of short bodies reads 4 KiB; one byte more is left to the scanner, with the same result."""
    longest = ordinary(f',"x":"{"y" * (4096 - len(ordinary()) - 7)}"')
    assert len(longest) == 4096
    assert both(longest) == (Envelope("m", is_stream=True, num_ctx=None),) * 2
    assert both(longest.replace(b"hi", b"hi!")) == (None, Envelope("m", is_stream=True, num_ctx=None))


def test_a_schema_of_the_allowed_cost_is_read_fast() -> None:
    """A schema that may be costly by its number of values is measured, not refused."""
    body = ordinary(',"tools":[{"enum":[1,2,3]}],"top_logprobs":5')
    for max_cost, is_fast in ((3, True), (2, False)):
        assert (envelope._read_fast(body, SchemaLimits(max_cost=max_cost)) is not None) is is_fast


def sent(body: bytes) -> bytes:
    """Return the body that goes to the engine."""
    return apply_edits(body, read_envelope(body).edits)


LENGTHS = pytest.mark.parametrize("more", ["", "x" * 5000], ids=["short", "long"])


@LENGTHS
@pytest.mark.parametrize("field", sorted(TOKEN_LIMITS))
@pytest.mark.parametrize(
    ("written", "clamped"), [("2147483648", "2147483647"), ("1e400", "2147483647"), ("-2", "-1")]
)
def test_a_limit_that_the_engine_would_misread_is_replaced(
    field: str, written: str, clamped: str, more: str
) -> None:
    """Only its digits change, and only in the root of the body."""
    body = f'{{ "a":"{more}", "{field}" : %s , "model":"m","n":4294967296, "x":{{"{field}":4294967296}}}}'
    assert sent((body % written).encode()) == (body % clamped).encode()


@LENGTHS
@pytest.mark.parametrize("field", sorted(TOKEN_LIMITS))
@pytest.mark.parametrize("value", ["-1", "5.7", "2147483647", "null", '"4294967296"'])
def test_any_other_limit_is_sent_unchanged(field: str, value: str, more: str) -> None:
    """The engine reads it correctly, or refuses it."""
    body = f'{{"{field}":{value},"model":"m","a":"{more}"}}'.encode()
    assert read_envelope(body).edits == ()
    assert apply_edits(body, ()) == body


def test_each_of_several_limits_is_replaced() -> None:
    """The engine decides which of two duplicates counts; escapes in a name do not hide it."""
    body = rb'{"model":"m","max_tokens":4294967296,"n_predict":-7,"max_tokens":5,"max_t\u006fkens":1e10}'
    assert (
        sent(body)
        == rb'{"model":"m","max_tokens":2147483647,"n_predict":-1,"max_tokens":5,"max_t\u006fkens":2147483647}'
    )


def enum_of(count: int) -> dict[str, object]:
    """Return a schema with a cost of ``count``."""
    return {"properties": {"a": {"enum": list(range(count))}}, "required": ["a"]}


def schemas_of(schema: object) -> dict[str, object]:
    """Return every field that can hold a schema, by name, as the dialects write it."""
    return {
        "json_schema": schema,
        "response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}},
        "tools": [{"type": "function", "function": {"name": "x", "parameters": schema}}],
        "functions": [{"name": "x", "parameters": schema}],
        "text": {"format": {"type": "json_schema", "name": "x", "schema": schema}},
        "output_config": {"format": {"type": "json_schema", "schema": schema}},
        "output_format": {"type": "json_schema", "schema": schema},
    }


GUARDED: list[tuple[str, object, object]] = [
    *((name, None, "x") for name in sorted(ENGINE_FIELDS)),
    ("id_slot", -1, 0),
    ("lora", [], [{"id": 0, "scale": 1}]),
    ("grammar", 'root ::= "a"', "root ::= " + "(" * 257),
    ("grammar", 'root ::= "a"', "root ::= " + '"a"? ' * 80),
    ("grammar", None, "%llguidance {}"),
    ("n_probs", 1000, 1001),
    ("top_logprobs", 1e3, 1.001e3),
    ("top_logprobs", None, 1001),
    ("logprobs", True, 1001),
    ("dry_sequence_breakers", ["b"] * 64, ["b"] * 65),
    *(
        (name, schemas_of(enum_of(2000))[name], schemas_of(enum_of(2001))[name])
        for name in sorted(SCHEMA_FIELDS)
    ),
    ("json_schema", "auto", {"type": "string", "pattern": "^(.{0,40}){0,40}$"}),
    ("tools", [], [{"name": "x", "input_schema": enum_of(2001)}]),
]
"""Fields that are guarded, with a value that passes and one that is refused."""


@LENGTHS
@pytest.mark.parametrize(("field", "good", "bad"), GUARDED)
def test_a_guarded_field_is_refused_by_its_value(field: str, good: object, bad: object, more: str) -> None:
    """In short and in long bodies, with escapes in its name too; a good value beside it does not hide a bad one."""
    escaped = "".join(f"\\u{ord(char):04x}" for char in field)
    good_, bad_ = f'"{field}":{json.dumps(good)}', f'"{field}":{json.dumps(bad)}'
    bad_escaped = f'"{escaped}":{json.dumps(bad)}'
    for members in (bad_, f"{good_},{bad_}", f"{bad_},{good_}", bad_escaped, f"{good_},{bad_escaped}"):
        with pytest.raises(BadRequestError) as caught:
            read_envelope(f'{{"model":"m",{members},"a":"{more}"}}'.encode())
        assert caught.value.param == field
    for members in (good_, f"{good_},{good_}", f'"options":{{{bad_}}},"stop":["{field}"]'):
        body = f'{{"model":"m",{members},"a":"{more}"}}'
        read = read_envelope(body.encode())
        assert read._replace(tool_use=None) == Envelope("m", is_stream=False, num_ctx=None)


@pytest.mark.parametrize(
    ("field", "value", "name"),
    [
        *((field, "x", field) for field in sorted(ENGINE_FIELDS)),
        ("grammar", "%llguidance {}\nstart: " + "(" * 300 + '"a"', LLGUIDANCE),
        ("n_probs", 1001, "n_probs"),
        ("dry_sequence_breakers", ["b"] * 65, "dry_sequence_breakers"),
    ],
)
def test_a_guarded_field_can_be_allowed(field: str, value: object, name: str) -> None:
    """By its name, or by that of the grammar's language; another name does not allow it."""
    body = json.dumps({"model": "m", field: value}).encode()
    assert read_envelope(body, allowed_engine_fields=frozenset({name})).model == "m"
    with pytest.raises(BadRequestError):
        read_envelope(body, allowed_engine_fields=frozenset({"model", "grammar", *ENGINE_FIELDS} - {name}))


@pytest.mark.parametrize(("spaces", "is_accepted"), [(0, True), (1, False)])
def test_a_grammar_is_refused_by_its_length(spaces: int, is_accepted: bool) -> None:  # noqa: FBT001 - a row's value
    """64 KiB of JSON pass; a longer grammar is cut and refused, not parsed."""
    for length in (65_534 + spaces, 65_534 + 1_000_000 * spaces):
        body = b'{"model":"m","grammar":"%b"}' % (b" " * length)
        if is_accepted:
            assert read_envelope(body).model == "m"
        else:
            with pytest.raises(BadRequestError, match="longer than 65536 bytes"):
                read_envelope(body)


@pytest.mark.parametrize("max_bytes", [2048, 8192])
def test_a_schema_is_refused_by_its_size(max_bytes: int) -> None:
    """The allowed size passes, one byte more does not, in short bodies and in long ones."""
    limits = SchemaLimits(max_bytes=max_bytes)
    for size, is_accepted in ((max_bytes, True), (max_bytes + 1, False), (3 * max_bytes, False)):
        body = b'{"model":"m","num_ctx":3,"tools":["%b"]}' % (b"x" * (size - 4))
        assert read_envelope(body).num_ctx == 3
        if is_accepted:
            assert read_envelope(body, schema_limits=limits).num_ctx == 3
        else:
            with pytest.raises(BadRequestError, match=r"'tools' is larger than [28] KiB: .* max_schema_kb"):
                read_envelope(body, schema_limits=limits)


@pytest.mark.parametrize(
    "more",
    [
        '"seed":1,"top_k":40,"n":1,"logit_bias":{"1":2},"cache_prompt":true,"n_keep":8,"stop":["id_slot"]',
        '"response_format":{"type":"json_object"},"tools":[],"user":"u","grammar_lazy":true',
        '"grammar":{"type":"json_object"}',
    ],
)
def test_fields_that_affect_only_the_response_pass(more: str) -> None:
    """The proxy does not check them."""
    assert read_envelope(f'{{"model":"m",{more}}}'.encode()) == Envelope("m", is_stream=False, num_ctx=None)


NAMES = st.sampled_from(["a", "x\u00e9", "messages"])


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | NAMES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=5,
)


@given(st.binary() | JSON_VALUES.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    """No body raises another exception than ``BadRequestError``."""
    try:
        read_envelope(body)
    except BadRequestError:
        return


MEMBERS = st.tuples(
    st.sampled_from(
        ["model", "stream", "num_ctx", "mod\\/el", "n", "é", *ENGINE_FIELDS, "grammar", "max_tokens"]
    ),
    st.sampled_from(
        [
            *('"m"', '""', '"\\n"', '"\\u0041"', '"\\ud83d"', '"é"', '"' + "m" * 513 + '"', '"\t"', '"\\x"'),
            *(
                "true",
                "false",
                "null",
                "True",
                "NaN",
                "-Infinity",
                "1e400",
                "1E5",
                "1.5",
                "01",
                "-0",
                "-",
                ".5",
                "1.",
            ),
            *(
                "0",
                "1",
                "-1",
                "8192",
                "1.0",
                "-2",
                "1e400",
                "2147483647",
                "2147483648",
                "9" * 40,
                "[]",
                "{}",
                "[1,]",
                "[[" * 20 + "]]" * 20,
                '{"model":1,"model":2}',
            ),
            *("[" * 70 + "]" * 70, "", "\x7f", '"\x7f"', "'m'", "/**/1"),
        ]
    ),
)


SPACES = st.sampled_from(["", "", "", " ", "\n\t\r ", "\x0b", "\u00a0"])


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    """Return objects, some invalid, whose members are close to those that are read."""
    members = [
        f'"{name}"{draw(SPACES)}:{draw(SPACES)}{value}' for name, value in draw(st.lists(MEMBERS, max_size=4))
    ]
    if draw(st.booleans()):
        members.insert(draw(st.integers(0, len(members))), '"model":"m"')
    comma = draw(SPACES) + draw(st.sampled_from([",", ",", ",", ",,", ""])) + draw(SPACES)
    text = draw(SPACES) + "{" + draw(SPACES) + comma.join(members) + draw(SPACES) + "}" + draw(SPACES)
    return (text + draw(st.sampled_from(["", "", "", "x", "}", "\0"]))).encode()


@settings(max_examples=5 * settings().max_examples)
@given(bodies() | texts_of_json() | mutated())
@example(b'{"model":"m","stream":1}')
@example(b'{"model":"m","num_ctx":true}')
@example(b'{"model":"m","a":NaN}')
@example(b'{"model":"m","model":"m"}')
@example(b'{"model":"m","id_slot":1}')
@example(b'{"model":"m","a":"\\ud83d"}')
@example(b'{"model":"m","a":' + b"[" * 64 + b"]" * 64 + b"}")
@example(b'[["model","m"]]')
def test_the_parser_of_short_bodies_agrees_with_the_scanner(body: bytes) -> None:
    """If the parser of short bodies has a result, the scanner has the same."""
    short, any_ = both(body)
    assert short is None or short == any_


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
    """The fields are read as they were written, among any other members."""
    body = json.dumps({**others, "model": model, "stream": is_stream, "num_ctx": num_ctx}).encode()
    assert read_envelope(body) == Envelope(model, is_stream, num_ctx)
