"""Fields that control the engine are refused, and so are grammars and schemas that would crash or block it."""

import json

import pytest

from gglib.proxy.errors import BadRequestError
from gglib.proxy.guards import engine_fields
from gglib.proxy.guards.engine_fields import (
    ENGINE_FIELDS,
    LLGUIDANCE,
    NEUTRAL_VALUES,
    SchemaLimits,
    refuse_costly_grammar,
    refuse_costly_schema,
    refuse_engine_field,
    refuse_high_count,
    refuse_unsafe_grammar,
)

NONE: frozenset[str] = frozenset()
LIMITS = SchemaLimits()
MAX_GRAMMAR_BYTES = 64 * 1024


def as_json(value: object) -> bytes:
    """Return ``value`` as it stands in a body."""
    return json.dumps(value).encode()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *((name, b'"x"') for name in sorted(ENGINE_FIELDS)),
        ("id_slot", b"0"),
        ("id_slot", b"false"),
        ("id_slot", b"-2"),
        ("id_slot", b'"-1"'),
        ("id_slot", b"[]"),
        ("lora", b"{}"),
        ("lora", b'""'),
        ("lora", b"[[]]"),
        ("lora", b'[{"id":0,"scale":0}]'),
        ("lora", b"[" + b" " * 15 + b"]"),
        ("n_discard", b"false"),
        ("n_discard", b"-1"),
        ("n_discard", b"1e-9"),
        ("grammar_triggers", b"[0]"),
        ("chat_parser", b'" "'),
        ("sse_ping_interval", b"-1"),
        ("sse_ping_interval", b"30"),
    ],
)
def test_a_field_that_controls_the_engine_is_refused(name: str, value: bytes) -> None:
    """The error names the field and the setting that allows it; to allow another field does not help."""
    for allowed in (NONE, frozenset(ENGINE_FIELDS) - {name}):
        with pytest.raises(BadRequestError, match="allowed_engine_fields") as caught:
            refuse_engine_field(name, value, allowed)
        assert caught.value.param == name
    refuse_engine_field(name, value, frozenset({name}))


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("id_slot", (b"-1", b"-1.0", b"null")),
        ("lora", (b"[]", b"[ ]", b"[\n]", b"[" + b" " * 14 + b"]", b"null")),
        ("n_discard", (b"0", b"-0", b"0.0", b"null")),
        ("grammar_triggers", (b"[]", b"null")),
        ("chat_parser", (b'""', b"null")),
        ("sse_ping_interval", (b"null",)),
    ],
)
def test_an_engine_field_with_the_default_of_the_engine_passes(name: str, values: tuple[bytes, ...]) -> None:
    """The default changes nothing, and some clients send every field."""
    for value in values:
        refuse_engine_field(name, value, NONE)


def test_every_engine_field_has_a_neutral_value_or_a_reason_to_have_none() -> None:
    """A field added later does not refuse its own default unnoticed."""
    assert set(NEUTRAL_VALUES) == set(ENGINE_FIELDS) - {"sse_ping_interval"}


@pytest.mark.parametrize("name", ["n_keep", "cache_prompt", "grammar_lazy", "seed"])
def test_a_field_without_effect_on_other_requests_passes(name: str) -> None:
    """Only the listed fields are refused."""
    refuse_engine_field(name, b"1", NONE)


DEEP = "(" * 257 + '"a"' + ")" * 257


@pytest.mark.parametrize(
    ("grammar", "is_accepted"),
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
    ],
)  # fmt: skip
def test_a_grammar_is_refused_by_the_depth_of_its_groups(grammar: str, is_accepted: bool) -> None:  # noqa: FBT001 - a row's value
    """256 nested groups pass; parentheses in literals, classes, comments and model tokens do not count."""
    if is_accepted:
        refuse_unsafe_grammar(as_json(grammar), NONE)
    else:
        with pytest.raises(BadRequestError, match="more than 256 deep") as caught:
            refuse_unsafe_grammar(as_json(grammar), NONE)
        assert caught.value.param == "grammar"


def test_a_grammar_is_refused_by_its_length() -> None:
    """64 KiB of JSON pass, one byte more does not; a value that was cut behind the limit is not parsed."""
    longest = as_json("a" * (MAX_GRAMMAR_BYTES - 2))
    refuse_unsafe_grammar(longest, NONE)
    for value in (as_json("a" * (MAX_GRAMMAR_BYTES - 1)), longest[:-1] + b"aa"):
        with pytest.raises(BadRequestError, match="longer than 65536 bytes") as caught:
            refuse_unsafe_grammar(value, NONE)
        assert caught.value.param == "grammar"


def test_a_grammar_for_llguidance_passes_only_if_the_setting_allows_it() -> None:
    """An engine with llguidance has a parser of its own, so neither depth nor cost is checked then."""
    value = as_json("%llguidance {}\nstart: " + "(" * 300 + '"a" | ' * 3_000 + '"a"' + ")" * 300)
    refuse_unsafe_grammar(value, frozenset({LLGUIDANCE}))
    refuse_costly_grammar(value, LIMITS)
    for allowed in (NONE, frozenset({"grammar"})):
        with pytest.raises(BadRequestError, match="allowed_engine_fields") as caught:
            refuse_unsafe_grammar(value, allowed)
        assert caught.value.param == "grammar"


@pytest.mark.parametrize("value", [b"null", b'""', b"1", b'{"type":"json_object"}', b"[" + b"0," * 50_000])
def test_a_grammar_that_is_no_text_is_left_to_the_engine(value: bytes) -> None:
    """Only a text can crash or block the engine; the engine refuses other types."""
    refuse_unsafe_grammar(value, NONE)
    refuse_costly_grammar(value, LIMITS)


def test_a_grammar_is_refused_by_its_cost() -> None:
    """The allowed cost itself passes; a row of quantifiers costs as much as many alternatives."""
    alternatives = ['"a"'] * 2_001
    refuse_costly_grammar(as_json("root ::= " + " | ".join(alternatives)), LIMITS)
    for grammar in ("root ::= " + " | ".join([*alternatives, '"a"']), "root ::= " + '"a"? ' * 80):
        with pytest.raises(BadRequestError, match="'grammar' would block other requests") as caught:
            refuse_costly_grammar(as_json(grammar), LIMITS)
        assert caught.value.param == "grammar"


def enum_of(count: int) -> bytes:
    """Return a schema with a cost of ``count``."""
    return as_json({"type": "object", "properties": {"a": {"enum": list(range(count))}}, "required": ["a"]})


@pytest.mark.parametrize("wrap", [b"%b", b"[%b]"])
def test_a_schema_is_refused_by_its_cost(wrap: bytes) -> None:
    """The allowed cost itself passes, and the setting named in the error raises it."""
    refuse_costly_schema("tools", wrap % enum_of(2_000), LIMITS)
    costly = wrap % enum_of(2_001)
    for _ in ("measured", "known"):
        with pytest.raises(
            BadRequestError, match=r"cost 2001, and the limit is 2000.*max_schema_cost"
        ) as caught:
            refuse_costly_schema("tools", costly, LIMITS)
        assert caught.value.param == "tools"
    refuse_costly_schema("tools", costly, SchemaLimits(max_cost=2_001))


def test_a_schema_of_too_many_parts_is_refused_without_its_cost() -> None:
    """It is not parsed, so the error has no number."""
    with pytest.raises(BadRequestError, match="cost far more, and the limit is 2000"):
        refuse_costly_schema("json_schema", b'{"enum":[%b0]}' % (b"0," * 100_000), LIMITS)


def test_a_schema_is_refused_by_its_size() -> None:
    """The allowed size itself passes; a larger value was cut, so it is not parsed."""
    limits = SchemaLimits(max_bytes=2048)
    value = b'{"description":"%b"}' % (b"x" * (2048 - 18))
    refuse_costly_schema("tools", value, limits)
    with pytest.raises(BadRequestError, match=r"'tools' is larger than 2 KiB: .* max_schema_kb") as caught:
        refuse_costly_schema("tools", value[:-1] + b"xx", limits)
    assert caught.value.param == "tools"


@pytest.mark.parametrize("value", [b"null", b'"auto"', b'"{', b"1", b"true", b"[]", b"{}"])
def test_a_value_without_a_schema_passes(value: bytes) -> None:
    """The engine refuses wrong types itself."""
    refuse_costly_schema("tools", value, LIMITS)


def test_the_known_costs_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ever new schemas do not fill the memory."""
    known: dict[int, int] = {}
    monkeypatch.setattr(engine_fields, "_COST_CACHE", known)
    sizes = set()
    for number in range(1_500):
        refuse_costly_schema("tools", b"[%d]" % number, LIMITS)
        sizes.add(len(known))
    assert max(sizes) == 1_000


@pytest.mark.parametrize(
    ("name", "most", "more"),
    [
        ("n_probs", b"1000", b"1001"),
        ("top_logprobs", b"1e3", b"1.001e3"),
        ("logprobs", b"1000", b"100000"),
        ("dry_sequence_breakers", as_json(["b"] * 64), as_json(["b"] * 65)),
    ],
)
def test_a_count_that_would_block_the_engine_is_refused(name: str, most: bytes, more: bytes) -> None:
    """The limit itself passes, and the setting named in the error allows more."""
    refuse_high_count(name, most, NONE)
    with pytest.raises(BadRequestError, match="allowed_engine_fields") as caught:
        refuse_high_count(name, more, frozenset({"model"}))
    assert caught.value.param == name
    refuse_high_count(name, more, frozenset({name}))


@pytest.mark.parametrize("name", ["n_probs", "top_logprobs", "logprobs", "dry_sequence_breakers"])
@pytest.mark.parametrize(
    "value", [b"true", b"false", b"null", b"-1", b'"many"', b'"%b"' % (b"," * 99), as_json([","] * 40), b"{}"]
)
def test_a_value_without_a_high_count_passes(name: str, value: bytes) -> None:
    """``logprobs`` is a switch for chats, and the engine refuses wrong types itself."""
    refuse_high_count(name, value, NONE)


def test_commas_in_the_items_of_a_list_do_not_count() -> None:
    """A list with more than 64 commas is parsed to count its items, up to the size of a grammar."""
    refuse_high_count("dry_sequence_breakers", as_json([",", *"b" * 63]), NONE)
    longest = b'["%b%b"]' % (b"," * 64, b"x" * (MAX_GRAMMAR_BYTES - 68))
    refuse_high_count("dry_sequence_breakers", longest, NONE)
    with pytest.raises(BadRequestError, match="more than 64 items"):
        refuse_high_count("dry_sequence_breakers", longest[:-2] + b'x"]', NONE)
