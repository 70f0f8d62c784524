"""What is read out of a request body, and what is refused."""

import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gglib.proxy import envelope
from gglib.proxy.envelope import MAX_MODEL_NAME_CHARS, Envelope, apply_edits, read_envelope
from gglib.proxy.errors import BadRequestError
from gglib.proxy.guards.engine_fields import (
    ENGINE_FIELDS,
    LLGUIDANCE,
    MAX_GRAMMAR_BYTES,
    NEUTRAL_VALUES,
    SchemaLimits,
)
from gglib.proxy.guards.token_limits import TOKEN_LIMITS

from .test_json_scan import mutated, texts_of_json

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


def both(body: bytes) -> tuple[Envelope | None, Envelope | None]:
    """Return what is read of a body as a short one, and as any; None where it is not."""
    try:
        return envelope._read_fast(body), envelope._read_scanned(body, frozenset())
    except BadRequestError:
        return envelope._read_fast(body), None


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
    """Return something like an object, of members that are near to what is read, right and wrong."""
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
def test_a_short_body_is_read_as_any_other(body: bytes) -> None:
    """Where the parser of short bodies answers at all, looking through the body answers the same."""
    short, any_ = both(body)
    assert short is None or short == any_


@pytest.mark.parametrize("content", ["hello", 'say \\"hi\\"\\n', "x" * 3_000])
def test_an_ordinary_short_body_is_read_as_one(content: str) -> None:
    """What clients send is read in the quick way, unless it is long."""
    body = b'{"model":"m","stream":true,"messages":[{"role":"user","content":"%b"}]}' % content.encode()
    assert both(body) == (Envelope("m", is_stream=True, num_ctx=None),) * 2
    assert both(body + b" " * 4096)[0] is None


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


def sent(body: bytes) -> bytes:
    """Return what goes to the engine."""
    return apply_edits(body, read_envelope(body).edits)


ODD_LIMITS = [
    ("2147483648", "2147483647"),
    ("4294967296", "2147483647"),
    ("4294967301", "2147483647"),
    ("1099511627776", "2147483647"),
    ("9223372036854775808", "2147483647"),
    ("18446744073709551615", "2147483647"),
    ("9" * 400, "2147483647"),
    ("1e12", "2147483647"),
    ("2.5e9", "2147483647"),
    ("1e400", "2147483647"),
    ("-2", "-1"),
    ("-1.5", "-1"),
    ("-4294967292", "-1"),
    ("-1e400", "-1"),
]


@pytest.mark.parametrize("field", sorted(TOKEN_LIMITS))
@pytest.mark.parametrize(("written", "meant"), ODD_LIMITS)
@pytest.mark.parametrize("more", ["", "x" * 5000])
def test_a_limit_that_the_engine_would_misread_is_corrected(
    field: str, written: str, meant: str, more: str
) -> None:
    """Only its digits change, in short bodies and in long ones."""
    body = f'{{ "a":"{more}", "{field}" : %s , "model":"m","n":4294967296, "x":{{"{field}":4294967296}}}}'
    assert sent((body % written).encode()) == (body % meant).encode()


@pytest.mark.parametrize("field", sorted(TOKEN_LIMITS))
@pytest.mark.parametrize(
    "value",
    ["-1", "-0", "0", "1", "5.7", "1e3", "2147483647", "null", "true", '"4294967296"', "[4294967296]"],
)
@pytest.mark.parametrize("more", ["", "x" * 5000])
def test_any_other_limit_is_sent_as_it_came(field: str, value: str, more: str) -> None:
    """What the engine understands, or refuses in words of its own."""
    body = f'{{"{field}":{value},"model":"m","a":"{more}"}}'.encode()
    assert read_envelope(body).edits == ()
    assert apply_edits(body, ()) == body


def test_each_of_several_limits_is_corrected() -> None:
    """Duplicates too, and those whose names are spelled with escapes: which of them counts is the engine's affair."""
    body = rb'{"model":"m","max_tokens":4294967296,"n_predict":-7,"max_tokens":5,"max_t\u006fkens":1e10}'
    assert (
        sent(body)
        == rb'{"model":"m","max_tokens":2147483647,"n_predict":-1,"max_tokens":5,"max_t\u006fkens":2147483647}'
    )


@pytest.mark.parametrize("field", sorted({*ENGINE_FIELDS, "id_slot", "lora"}))
@pytest.mark.parametrize("spelled", ["plainly", "with escapes"])
@pytest.mark.parametrize("value", [b"0", b"-1", b'[{"id":0,"scale":1}]', b'"x"', b"false", b"{}"])
def test_refuses_what_controls_the_engine(field: str, spelled: str, value: bytes) -> None:
    """A field that is not about this answer is refused by its name, and the setting that lets it through is named."""
    if (field, value) in {("id_slot", b"-1"), ("n_discard", b"0")}:
        return  # these ask for nothing
    key = field if spelled == "plainly" else "".join(f"\\u{ord(char):04x}" for char in field)
    body = b'{"model":"m","%s":null,"%s":%s}' % (key.encode(), key.encode(), value)
    with pytest.raises(BadRequestError, match="allowed_engine_fields") as raised:
        read_envelope(body)
    assert raised.value.param == field
    with pytest.raises(BadRequestError):
        read_envelope(body, allowed_engine_fields=frozenset({"model", *ENGINE_FIELDS} - {field}))
    assert read_envelope(body, allowed_engine_fields=frozenset({field})).model == "m"


@pytest.mark.parametrize(
    "body",
    [
        b'{"model":"m","lora":null,"id_slot":null}',
        b'{"model":"m","options":{"id_slot":1,"lora":[]},"messages":[{"id_slot":1}]}',
        b'{"model":"m","seed":1,"top_k":40,"n":1,"logit_bias":{"1":2},"cache_prompt":true,"n_keep":8,"stop":["id_slot"]}',
        b'{"model":"m","response_format":{"type":"json_object"},"tools":[],"user":"u","grammar_lazy":true}',
        b'{"model":"m","grammar":null}',
        b'{"model":"m","grammar":""}',
        b'{"model":"m","grammar":{"type":"json_object"}}',
    ],
)
def test_lets_through_what_is_about_the_answer(body: bytes) -> None:
    """What clients send is none of the proxy's business, and neither is an engine's field where it has no meaning."""
    assert read_envelope(body).model == "m"


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("id_slot", (b"-1", b"-1.0", b"null")),
        ("lora", (b"[]", b"[ ]", b"[\n]", b"null")),
        ("n_discard", (b"0", b"-0", b"0.0", b"null")),
        ("grammar_triggers", (b"[]", b"null")),
        ("chat_parser", (b'""', b"null")),
        ("sse_ping_interval", (b"null",)),
    ],
)
def test_lets_through_an_engine_field_that_asks_for_nothing(field: str, values: tuple[bytes, ...]) -> None:
    """A field with the engine's own default changes nothing, so a client that fills in every field is served."""
    for value in values:
        assert read_envelope(b'{"model":"m","%s":%s}' % (field.encode(), value)) == Envelope("m", False, None)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("id_slot", b"false"),
        ("id_slot", b"-2"),
        ("id_slot", b'"-1"'),
        ("id_slot", b"[]"),
        ("lora", b"{}"),
        ("lora", b'""'),
        ("lora", b"[[]]"),
        ("lora", b'[{"id":0,"scale":0}]'),
        ("n_discard", b"false"),
        ("n_discard", b"-1"),
        ("n_discard", b"1e-9"),
        ("grammar_triggers", b"[0]"),
        ("chat_parser", b'" "'),
        ("sse_ping_interval", b"-1"),
        ("sse_ping_interval", b"30"),
    ],
)
def test_refuses_what_only_resembles_a_default(field: str, value: bytes) -> None:
    """Only the default itself asks for nothing; beside it a second value of the same field is refused, too."""
    neutral = b"null" if field == "sse_ping_interval" else json.dumps(NEUTRAL_VALUES[field]).encode()
    name = field.encode()
    for body in (
        b'{"model":"m","%s":%s}' % (name, value),
        b'{"model":"m","%s":%s,"%s":%s}' % (name, neutral, name, value),
        b'{"model":"m","%s":%s,"%s":%s}' % (name, value, name, neutral),
    ):
        with pytest.raises(BadRequestError) as raised:
            read_envelope(body)
        assert raised.value.param == field


def test_every_guarded_field_has_a_default_or_a_reason_to_have_none() -> None:
    """A field that is guarded later does not silently refuse its own default."""
    assert set(NEUTRAL_VALUES) == set(ENGINE_FIELDS) - {"sse_ping_interval"}


def _with_grammar(grammar: str, *more: str) -> bytes:
    grammars = ",".join(f'"grammar":{json.dumps(text)}' for text in (grammar, *more))
    return f'{{"model":"m",{grammars}}}'.encode()


DEEP = "(" * 257 + '"a"' + ")" * 257


@pytest.mark.parametrize(
    ("grammar", "is_taken"),
    [
        ('root ::= "yes" | "no"', True),
        ("root ::= " + "(" * 256 + '"a"' + ")" * 256, True),
        ("root ::= " + DEEP, False),
        ("root ::= " + "(" * 257, False),
        ("root ::= " + "(" * 30_000, False),
        ("root ::= " + '( "a" )' * 1_000, True),
        ("root ::= " + '"((((" ' * 1_000, True),
        ("root ::= " + "[((((] " * 1_000, True),
        ("root ::= " + r'"\\" "\"(((" [\](((] ' * 1_000, True),
        ("# " + "(" * 1_000 + '\nroot ::= "a"', True),
        ("# a\nroot ::= " + DEEP, False),
        ("root ::= " + '( ")" ' * 257, False),
        ("root ::= " + "( [)] " * 257, False),
        ("root ::= " + "( # )\n" * 257, False),
        ("root ::= " + ") " * 300 + DEEP, False),
        ('root ::= "' + "(" * 300, True),
        ("root ::= [" + "(" * 300, True),
        ("root ::= " + "<|im_start|> <[12]> " * 300, True),
        ("root ::= " + "( <|end|> ) " * 300, True),
        ("root ::= " + "( <)> " * 257, False),
        ("root ::= " + '<"> ' + "( " * 257 + '<"> ', False),
        ("root ::= " + "<[> " + "( " * 257, False),
        ("root ::= " + "( " * 200 + "<(> " + ") ( " * 60, False),
        ("root ::= " + "a" * (MAX_GRAMMAR_BYTES - 11), True),
        ("root ::= " + "a" * (MAX_GRAMMAR_BYTES - 10), False),
        ("x" * 1_000_000, False),
        ('%llguidance {}\nstart: "a"', False),
    ],
)  # fmt: skip
def test_refuses_a_grammar_that_ends_the_engine(grammar: str, is_taken: bool) -> None:  # noqa: FBT001 - a row's value
    """A grammar is refused by its length and by how deep its groups are nested, whatever stands in its literals."""
    body = _with_grammar(grammar)
    if is_taken:
        assert read_envelope(body).model == "m"
    else:
        with pytest.raises(BadRequestError) as raised:
            read_envelope(body)
        assert raised.value.param == "grammar"


def test_a_good_grammar_hides_no_bad_one() -> None:
    """Each grammar that a body has is looked at, since it is the engine that decides which one counts."""
    good, bad = 'root ::= "a"', "root ::= " + DEEP
    for body in (_with_grammar(good, bad), _with_grammar(bad, good), _with_grammar(good, bad, good)):
        with pytest.raises(BadRequestError, match="256 deep"):
            read_envelope(body)
    escaped = _with_grammar(bad).replace(b"(", rb"\u0028").replace(b"grammar", rb"gr\u0061mmar")
    with pytest.raises(BadRequestError, match="256 deep"):
        read_envelope(escaped)
    assert read_envelope(_with_grammar(good, good)).model == "m"


def test_another_language_of_grammars_can_be_allowed() -> None:
    """An engine that has llguidance takes its grammars, which are not read as GBNF, when the setting says so."""
    body = _with_grammar("%llguidance {}\nstart: " + "(" * 300 + '"a"' + ")" * 300)
    assert read_envelope(body, allowed_engine_fields=frozenset({LLGUIDANCE})).model == "m"
    with pytest.raises(BadRequestError, match="allowed_engine_fields"):
        read_envelope(body, allowed_engine_fields=frozenset({"grammar"}))


DEAR = {
    "type": "object",
    "properties": {"a": {"enum": [f"v{number}" for number in range(2001)]}},
    "required": ["a"],
}
FAIR = {
    "type": "object",
    "properties": {"a": {"enum": [f"v{number}" for number in range(2000)]}},
    "required": ["a"],
}


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


@pytest.mark.parametrize("field", schemas_of(DEAR))
def test_schema_that_would_hold_up_the_engine_is_refused(field: str) -> None:
    """In whichever field it stands; the error names the field and the setting that lets it through."""
    with pytest.raises(BadRequestError) as caught:
        read_envelope(json.dumps({"model": "m", field: schemas_of(DEAR)[field]}).encode())
    assert caught.value.param == field
    assert f"'{field}' would block other requests for the model: its alternatives cost 2001" in str(
        caught.value
    )
    assert "max_schema_cost" in str(caught.value)


@pytest.mark.parametrize("field", schemas_of(FAIR))
def test_schema_of_the_allowed_cost_passes(field: str) -> None:
    """The limit itself is allowed, and a raised one lets more through."""
    assert read_envelope(json.dumps({"model": "m", field: schemas_of(FAIR)[field]}).encode()).model == "m"
    body = json.dumps({"model": "m", field: schemas_of(DEAR)[field]}).encode()
    assert read_envelope(body, schema_limits=SchemaLimits(max_cost=2001)).model == "m"


def test_anthropic_tools_are_looked_at() -> None:
    """Their schemas have another name."""
    body = json.dumps({"model": "m", "tools": [{"name": "x", "input_schema": DEAR}]}).encode()
    with pytest.raises(BadRequestError, match="'tools' would block other requests"):
        read_envelope(body)


@pytest.mark.parametrize("times", [1, 2])
def test_short_schema_that_would_hold_up_the_engine_is_refused(times: int) -> None:
    """A few bytes of a pattern are enough; what was found out once is known the next time."""
    for _ in range(times):
        with pytest.raises(BadRequestError, match="max_schema_cost"):
            read_envelope(b'{"model":"m","json_schema":{"type":"string","pattern":"^(.{0,40}){0,40}$"}}')


def test_each_of_several_schemas_is_looked_at() -> None:
    """Whichever of two members the engine takes."""
    dear = json.dumps(DEAR).encode()
    for members in (b'"json_schema":{},"json_schema":%b' % dear, b'"json_schema":%b,"json_schema":{}' % dear):
        with pytest.raises(BadRequestError, match="'json_schema' would block other requests"):
            read_envelope(b'{"model":"m",%b}' % members)


def test_schema_that_is_too_large_is_refused() -> None:
    """What is larger is not looked through; the error names the setting."""
    body = json.dumps({"model": "m", "tools": [{"description": "x" * 2048}]}).encode()
    with pytest.raises(BadRequestError, match=r"'tools' is larger than 2 KiB: .* max_schema_kb") as caught:
        read_envelope(body, schema_limits=SchemaLimits(max_bytes=2048))
    assert caught.value.param == "tools"
    assert read_envelope(body).model == "m"


def test_schema_of_too_many_parts_is_refused() -> None:
    """It is not built to find out what it costs."""
    body = b'{"model":"m","json_schema":{"enum":[%b0]}}' % (b"0," * 100_000)
    with pytest.raises(BadRequestError, match="cost far more, and the limit is 2000"):
        read_envelope(body)


@pytest.mark.parametrize("value", [b"null", b'"auto"', b"1", b"[]", b"{}", b"true"])
def test_what_is_no_schema_is_not_looked_at(value: bytes) -> None:
    """It is the engine's to refuse."""
    for field in schemas_of({}):
        assert read_envelope(b'{"model":"m","%b":%b}' % (field.encode(), value)).model == "m"


def test_grammar_that_would_hold_up_the_engine_is_refused() -> None:
    """Of many alternatives, or of many quantifiers in a row."""
    for grammar in ("root ::= " + " | ".join(['"a"'] * 2002), "root ::= " + '"a"? ' * 80):
        with pytest.raises(BadRequestError, match="'grammar' would block other requests"):
            read_envelope(json.dumps({"model": "m", "grammar": grammar}).encode())


@pytest.mark.parametrize(
    ("field", "most", "more"),
    [
        ("n_probs", "1000", "1001"),
        ("top_logprobs", "1e3", "1.001e3"),
        ("logprobs", "1000", "100000"),
        ("dry_sequence_breakers", json.dumps(["b"] * 64), json.dumps(["b"] * 65)),
    ],
)
def test_count_that_would_hold_up_the_engine_is_refused(field: str, most: str, more: str) -> None:
    """The limit itself is allowed, and the setting lets more through."""
    body = '{"model":"m","%s":%s}'
    assert read_envelope((body % (field, most)).encode()).model == "m"
    with pytest.raises(BadRequestError, match="allowed_engine_fields") as caught:
        read_envelope((body % (field, more)).encode())
    assert caught.value.param == field
    allowed = frozenset((field,))
    assert read_envelope((body % (field, more)).encode(), allowed_engine_fields=allowed).model == "m"


@pytest.mark.parametrize("value", ["true", "false", "null", "-1", '"many"', json.dumps([","] * 40)])
def test_what_is_no_high_count_passes(value: str) -> None:
    """``logprobs`` is a switch for chats; what is of another type is the engine's to refuse."""
    for field in ("n_probs", "top_logprobs", "logprobs", "dry_sequence_breakers"):
        assert read_envelope(f'{{"model":"m","{field}":{value}}}'.encode()).model == "m"
