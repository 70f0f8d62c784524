"""Strict JSON validation and the positions of the wanted members of the root object."""

import json
import tracemalloc
from collections.abc import Callable
from typing import Any, NoReturn

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gglib.proxy import json_scan
from gglib.proxy.json_scan import (
    MAX_COMMAS_AND_ESCAPES,
    MAX_DEPTH,
    MAX_LOCATED,
    MAX_NUMBER_CHARS,
    MAX_STEPS,
    JsonRefusedError,
    RootScanner,
    compile_expressions,
)

WANTED = ("model", "stream")
SCANNER = RootScanner(WANTED)

LONG = 5_000
"""Spaces after a body that make it long enough for the prescan."""

E_ACUTE = "é".encode()

Pairs = list[tuple[str, Any]]
Object = tuple[Pairs]
"""An object's members as they stand. JSON has no tuple, so what is one was an object."""


def found(body: bytes) -> Pairs:
    """Return the wanted members with their values, read at the positions of the scanner."""
    return [
        (name, json.loads(body[start:end], object_pairs_hook=_object))
        for name, start, end in SCANNER.scan(body)
    ]


def expected(body: bytes) -> Pairs | None:
    """Return what ``json.loads`` finds under the stricter rules; None if either refuses."""
    try:
        root = json.loads(body.decode("utf-8-sig"), object_pairs_hook=_object, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return None
    if not isinstance(root, tuple) or _depth(root) > MAX_DEPTH or _has_half_pair(root):
        return None
    return [(name, value) for name, value in root[0] if name in WANTED]


def agrees(body: bytes) -> None:
    """Check that the scanner and ``json.loads`` agree on ``body``, as it is and padded to a long one."""
    for text in (body, body + b" " * LONG):
        if expected(text) is None:
            with pytest.raises(JsonRefusedError):
                SCANNER.scan(text)
        else:
            assert found(text) == expected(text)


def _object(members: Pairs) -> Object:
    return (members,)


def _refuse(constant: str) -> NoReturn:
    raise ValueError(constant)


def _inside(value: object) -> list[Any]:
    if isinstance(value, tuple):
        return [part for member in value[0] for part in member]
    return value if isinstance(value, list) else []


def _depth(root: Object) -> int:
    level: list[Any] = [root]
    depth = 0
    while level:
        depth += any(isinstance(value, tuple | list) for value in level)
        level = [part for value in level for part in _inside(value)]
    return depth


def _has_half_pair(value: object) -> bool:
    if isinstance(value, str):
        return any("\ud800" <= char <= "\udfff" for char in value)
    return any(map(_has_half_pair, _inside(value)))


VALUES = {
    "words": b"[true,false,null]",
    "numbers": b"[0,-0,7,-12,0.5,-0.0e0,1e5,1E+5,1.25e-3,10,1234567890123456789]",
    "a number beyond every float": b"1e999",
    "a long fraction": b"0." + b"1" * 900,
    "a long integer": b"1" * 900,
    "a long exponent": b"1e" + b"0" * 900 + b"1",
    "the longest number": b"9" * MAX_NUMBER_CHARS,
    "empty things": b'[{},[],"",{"a":{}},[[]],[{}]]',
    "empty things with space": b'[ { } , [ ] , "" ]',
    "white space everywhere": b' \t\r\n{ \t"a" \n: \r[ 1 , 2 ] , "b" : { } }\n',
    "every escape": rb'"\"\\\/\b\f\n\r\t\u00e9\uABCD\uabcd\ud83d\ude00"',
    "an escaped backslash before the end": rb'["\\","\\\\","a\\\"","\\n"]',
    "escaped quotes": rb'["\"","\"\"","a\"b\"c"]',
    "delete and beyond": b'"\x7f\xc2\x80\xf4\x8f\xbf\xbf"',
    "nul as an escape": rb'"\u0000"',
    "brackets in strings": b'["]","}",",",":","[{"]',
    "the same key twice": b'{"a":1,"a":2}',
    "a key with escapes": rb'{"\u0061\n":1}',
    "a long key": b'{"' + b"k" * 20_000 + b'":1}',
    "a long string": b'"' + b"x" * 40_000 + b'"',
    "a long string with escapes": b'"' + (b"x" * 300 + rb"\n") * 200 + b'"',
    "a long string of escapes": b'"' + rb"\"\\\u00e9" * 3_000 + b'"',
    "a long string of quotes": b'"' + rb"\"" * 20_000 + b'"',
    "a long string of pairs": b'"' + rb"\ud83d\ude00" * 3_000 + b'"',
    "a long string that ends in a backslash": b'"' + b"x" * 40_000 + rb"\\" + b'"',
    "a long string in some language": b'"' + "漢é".encode() * 20_000 + b'"',
    "many items": b"[" + b",".join([b"1"] * 1_001) + b"]",
    "many items of items": b"[" + b",".join([b"[1]"] * 1_001) + b"]",
    "many members": b"{" + b",".join(b'"k%d":[]' % at for at in range(1_001)) + b"}",
    "as deep as can be": b"[" * (MAX_DEPTH - 1) + b"]" * (MAX_DEPTH - 1),
    "as deep as can be, in objects": b'{"a":' * (MAX_DEPTH - 1) + b"1" + b"}" * (MAX_DEPTH - 1),
    "items on each level": b"[1,[2]," * (MAX_DEPTH - 2) + b"[]" + b",3]" * (MAX_DEPTH - 2),
    "members on each level": b'{"a":1,"b":[{}],"c":' * (MAX_DEPTH - 3) + b"[]" + b',"d":0}' * (MAX_DEPTH - 3),
}
"""What is JSON: each is tried as a value of the root, among others."""


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
@pytest.mark.parametrize(
    "body",
    [
        b'{"x":%s}',
        b'{"x":%s,"model":"m"}',
        b'{"model":%s}',
        b'{"a":1, "model" : %s , "b":2}',
        b'{"x":{"y":%s}}',
    ],
    ids=lambda body: body.decode(),
)
def test_accepts_every_json_value(body: bytes, value: bytes) -> None:
    """Every JSON value is accepted, and found at its position if wanted."""
    text = body % value.strip()
    if body != b'{"x":{"y":%s}}' or _depth(json.loads(text, object_pairs_hook=_object)) <= MAX_DEPTH:
        assert expected(text) is not None
    agrees(text)


NOT_VALUES = {
    "nothing": (b"", "Expecting value"),
    "a word": (b"nul", "Expecting value"),
    "a capital": (b"True", "Expecting value"),
    "NaN": (b"NaN", "NaN is not"),
    "infinity": (b"Infinity", "Infinity is not"),
    "minus infinity": (b"[-Infinity]", "-Infinity is not"),
    "a minus": (b"-", "Expecting value"),
    "a plus": (b"+1", "Expecting value"),
    "a leading zero": (b"01", "Expecting ',' delimiter"),
    "a leading point": (b".5", "Expecting value"),
    "a trailing point": (b"1.", "Expecting ',' delimiter"),
    "an exponent of nothing": (b"1e", "Expecting ',' delimiter"),
    "an exponent of a sign": (b"1.5e+", "Expecting ',' delimiter"),
    "hexadecimal": (b"0x1", "Expecting ',' delimiter"),
    "underscores": (b"1_000", "Expecting ',' delimiter"),
    "a number too long": (b"1" * (MAX_NUMBER_CHARS + 1), "too long"),
    "a fraction too long": (b"0." + b"1" * MAX_NUMBER_CHARS, "too long"),
    "single quotes": (b"'a'", "Expecting value"),
    "an open string": (b'"a', "Unterminated string"),
    "an open long string": (b'"' + b"a" * 20_000, "Unterminated string"),
    "a string that ends escaped": (rb'"a\"', "Unterminated string"),
    "an unknown escape": (rb'"\a"', "Invalid \\escape"),
    "a capital escape": (rb'"\N"', "Invalid \\escape"),
    "an escape with a quote": (b'"\\\'"', "Invalid \\escape"),
    "a short code": (rb'"\u12"', "Invalid \\escape"),
    "a code that is none": (rb'"\u12G4"', "Invalid \\escape"),
    "an unknown escape, far": (b'"' + b"a" * 40_000 + rb"\x41" + b'"', "Invalid \\escape"),
    "a high half": (rb'"\ud800"', "surrogate"),
    "a high half before another": (rb'"\ud83d\ud83d\ude00"', "surrogate"),
    "a high half before a letter": (rb'"\uD83Da"', "surrogate"),
    "a low half": (rb'"\udc00"', "surrogate"),
    "a low half too many": (rb'"\ud83d\ude00\ude00"', "surrogate"),
    "half a pair in a key": (rb'{"\ud83d":1}', "surrogate"),
    "a tab in a string": (b'"\t"', "Invalid control character"),
    "a line end in a string": (b'"\n"', "Invalid control character"),
    "nul in a string": (b'"\x00"', "Invalid control character"),
    "the last control in a string": (b'"\x1f"', "Invalid control character"),
    "a control in a long string": (b'"' + b"a" * 20_000 + b"\x1f" + b"a" * 20_000 + b'"', "Invalid control"),
    "a control in a key": (b'{"\t":1}', "Invalid control character"),
    "a vertical tab": (b"[\x0b1]", "Expecting value"),
    "a space that is none": ("[\u00a01]".encode(), "Expecting value"),
    "a backslash": (b"\\n", "Expecting value"),
    "an open array": (b"[1", "Expecting ',' delimiter"),
    "a comma in nothing": (b"[,]", "Expecting value"),
    "a comma too many": (b"[1,]", "Expecting value"),
    "a comma too many, spaced": (b"[1 , ]", "Expecting value"),
    "a comma too many after many": (b"[" + b"1," * 500 + b"]", "Expecting value"),
    "two commas": (b"[1,,2]", "Expecting value"),
    "no comma": (b"[1 2]", "Expecting ',' delimiter"),
    "a colon in an array": (b'["a":1]', "Expecting ',' delimiter"),
    "the wrong closer": (b"[1}", "Expecting ',' delimiter"),
    "the wrong closer of an object": (b'{"a":1]', "Expecting ',' delimiter"),
    "the wrong closer of nothing": (b"[}", "Expecting value"),
    "the wrong closer of no members": (b"{]", "property name"),
    "a key without quotes": (b"{a:1}", "property name"),
    "a key that is a number": (b"{1:1}", "property name"),
    "a key alone": (b'{"a"}', "Expecting ':' delimiter"),
    "a key without a value": (b'{"a":}', "Expecting value"),
    "a member too few": (b'{"a":1,}', "property name"),
    "no comma between members": (b'{"a":1 "b":2}', "Expecting ',' delimiter"),
    "an array in the place of a key": (b"{[]:1}", "property name"),
    "a comment": (b"[1/**/]", "Expecting ',' delimiter"),
    "too deep": (b"[" * MAX_DEPTH + b"]" * MAX_DEPTH, "more than 64 deep"),
    "too deep in objects": (b'{"a":' * MAX_DEPTH + b"1" + b"}" * MAX_DEPTH, "more than 64 deep"),
    "too deep among others": (b"[1,[2]," * MAX_DEPTH + b"3" + b"]" * MAX_DEPTH, "more than 64 deep"),
    "too deep in the last item": (b"[" * 60 + b"1,[[[[]]]]" + b"]" * 60, "more than 64 deep"),
    "hardly begun": (b"[" * 1_000_000, "more than 64 deep"),
}
"""What is not JSON, or not ours: each is tried as a value of the root, among others."""


@pytest.mark.parametrize(("value", "part"), NOT_VALUES.values(), ids=NOT_VALUES)
@pytest.mark.parametrize(
    "body", [b'{"x":%s}', b'{"model":%s,"x":1}', b'{"x":[%s]}'], ids=lambda body: body.decode()
)
def test_refuses_other_values(body: bytes, value: bytes, part: str) -> None:
    """A value that JSON does not have, or that the rules exclude, is refused with the reason."""
    if body == b'{"x":[%s]}' and not value:
        return  # an empty array
    for text in (body % value, body % value + b" " * LONG):
        if expected(text) is not None:
            assert part == "too long", "a rule that json.loads does not have"
        with pytest.raises(JsonRefusedError) as raised:
            SCANNER.scan(text)
        if not value.startswith((b'"a', rb'"a\"', b"'")) and b"[%s]" not in body:
            assert part in str(raised.value)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "is not valid JSON: Expecting value at line 1, column 1."),
        (b"  \n ", "is not valid JSON: Expecting value at line 2, column 2."),
        (b"{", "is not valid JSON: Expecting property name enclosed in double quotes at line 1, column 2."),
        (b'{"a":1', "is not valid JSON: Expecting ',' delimiter at line 1, column 7."),
        (b'{"a":1,}', "is not valid JSON: Expecting property name enclosed in double quotes at line 1, column 8."),
        (b'{"a"', "is not valid JSON: Expecting ':' delimiter at line 1, column 5."),
        (b'{\n "\xc3\xa9": x}', "is not valid JSON: Expecting value at line 2, column 7."),
        (b'\xef\xbb\xbf{"a":x}', "is not valid JSON: Expecting value at line 1, column 6."),
        (
            b'{"a":"' + E_ACUTE * 40_000,
            "is not valid JSON: Unterminated string starting at line 1, column 6.",
        ),
        (
            b'{"a":"' + E_ACUTE * 40_000 + b'\n"}',
            "is not valid JSON: Invalid control character at line 1, column 40007.",
        ),
        (b"{} {}", "is not valid JSON: Extra data at line 1, column 4."),
        (b"{}\x00", "is not valid JSON: Extra data at line 1, column 3."),
        (b"\xef\xbb\xbf\xef\xbb\xbf{}", "is not valid JSON: Expecting value at line 1, column 1."),
        (b" \xef\xbb\xbf{}", "is not valid JSON: Expecting value at line 1, column 2."),
        (b"NaN", "is not valid JSON: NaN is not a JSON number."),
        (b"[1]", "must be a JSON object."),
        (b'"{}"', "must be a JSON object."),
        (b"12", "must be a JSON object."),
        (b"null", "must be a JSON object."),
        (b"nil", "is not valid JSON: Expecting value at line 1, column 1."),
        (b'{"a":"\xff"}', "is not valid UTF-8."),
        (b'{"a":"\xc0\x80"}', "is not valid UTF-8."),
        (b'{"a":"\xed\xa0\x80"}', "is not valid UTF-8."),
        (b'{"a":"\xf4\x90\x80\x80"}', "is not valid UTF-8."),
        (b'{"a":"' + b"\x80" * 100_000, "is not valid UTF-8."),
        (b'{"a":"\xe2\x82', "is not valid UTF-8."),
    ],
)  # fmt: skip
def test_error_has_reason_and_position(body: bytes, message: str) -> None:
    """The error has the reason, and line and column in characters, without the byte order mark."""
    with pytest.raises(JsonRefusedError) as raised:
        SCANNER.scan(body)
    assert str(raised.value) == message


@pytest.mark.parametrize("shift", range(5))
def test_characters_may_span_slices(shift: int) -> None:
    """UTF-8 is checked in slices, none of which splits a character."""
    body = b'{"model":"' + b"x" * shift + "😀".encode() * 30_000 + b'"}'
    agrees(body)
    agrees(body[:-4] + b'"}')


@pytest.mark.parametrize("shift", range(14))
@pytest.mark.parametrize("escape", [rb"\ud83d\ude00", rb"\"", rb"\\", rb"\n", rb"\ud83d", rb"\x"])
def test_escapes_may_span_slices(escape: bytes, shift: int) -> None:
    """Unusual escapes are searched in slices, and none at a boundary is missed."""
    start = b'{"x":"'
    agrees(start + b"a" * (32_768 - len(start) - shift) + escape + b'bc","model":1}')


@pytest.mark.parametrize("count", [248, 249, 250, 251, 252, 499, 500, 501])
@pytest.mark.parametrize("end", [b"", b","])
@pytest.mark.parametrize("item", [b"1", rb'"a\n"', rb'"\u00e9\n"', b"[]", b"[[[[[[[[1]]]]]]]]", b'{"a":{}}'])
def test_counts_around_the_repeat_limit(count: int, end: bytes, item: bytes) -> None:
    """The regular expressions repeat up to a limit: around it items, members and escapes are parsed as elsewhere."""
    agrees(b'{"x":[' + b",".join([item] * count) + end + b"]}")
    agrees(b'{"x":{' + b",".join([b'"k":' + item] * count) + end + b"}}")
    agrees(b"{" + b",".join([b'"k":' + item] * count) + end + b"}")
    agrees(b'{"x":' + b",".join([rb'"\"' + rb"\"" * count + b'"']) + b"}")
    agrees(b'{"x":"' + rb"\u00e9\"" * count + b'"}')


@pytest.mark.parametrize(
    ("body", "names"),
    [
        (rb'{"mod\u0065l":1}', ["model"]),
        (rb'{"\u006d\u006F\u0064\u0065\u006C":1,"model":2,"stream":3}', ["model", "model", "stream"]),
        (rb'{"\u0073\u0074\u0072\u0065\u0061\u006d":1}', ["stream"]),
        (rb'{"mod\\u0065l":1,"model ":1,"Model":1,"models":1,"mode":1,"":1,"\u00e9":1}', []),
        (rb'{"\u006d\u006f\u0064\u0065\u006c\u006c\u006c\u006c\u006c\u006c":1}', []),
        (b'{"model\\u0000":1,"' + b"model" * 5_000 + b'":1}', []),
        (b'{"x":{"model":1},"y":[{"model":1}],"stream":0}', ["stream"]),
        (b'{ "model" : [1, {"a":[]}] , "stream":{}}', ["model", "stream"]),
    ],
)  # fmt: skip
def test_keys_are_compared_unescaped(body: bytes, names: list[str]) -> None:
    """Keys are compared with their escapes resolved, at the root only; every duplicate is found."""
    assert [name for name, _, _ in SCANNER.scan(body)] == names
    agrees(body)


@pytest.mark.parametrize(
    ("body", "part"),
    [
        (b"{" + b'"model":1,' * (MAX_LOCATED + 1) + b'"a":1}', "same member too often"),
        (b"{" + rb'"\u0061":1,' * (MAX_STEPS + 1) + b'"a":1}', "too many small parts"),
        (b'{"a":[' + b"[[[[[[[[[1]]]]]]]]]," * (MAX_STEPS // 3) + b"1]}", "too many small parts"),
    ],
    ids=["duplicates", "escaped keys", "crumbs"],
)
def test_expensive_bodies_are_refused(body: bytes, part: str) -> None:
    """A body that needs a step per character is refused before it blocks the event loop."""
    assert expected(body) is not None
    with pytest.raises(JsonRefusedError, match=part):
        SCANNER.scan(body)


@pytest.mark.parametrize(
    "hostile",
    [
        lambda size: b"[" * size,
        lambda size: b'{"a":' * (size // 5),
        lambda size: b'{"a":"' + b"\\" * size,
        lambda size: b'{"a":"' + b'\\"' * (size // 2),
        lambda size: b'{"a":[' + b"1e" * (size // 2),
        lambda size: b'{"a":' + b"1" * size + b"}",
        lambda size: b'{"' + b"k" * size + b'":1}',
        lambda size: b'{"' + b"k" * size,
        lambda size: b'{"a":[' + b"," * size,
        lambda size: b" " * size,
        lambda size: b'{"a":"' + b"\x80" * size,
        lambda size: b"{" + b",".join(b'"k%d":1' % at for at in range(size // 10)),
    ],
    ids=range(12),
)
def test_hostile_bodies_are_refused_or_read(hostile: Callable[[int], bytes]) -> None:
    """A large hostile body is accepted or refused like any other, without another exception."""
    agrees(hostile(1_000_000))


def test_bodies_of_tiny_items_are_refused_early() -> None:
    """Millions of items or escapes would block the event loop; the limit itself is accepted."""
    crumbs = b'{"x":[' + b"0," * (MAX_COMMAS_AND_ESCAPES + 1) + b"0]}"
    for body in (crumbs, b'{"x":"' + b"\\n" * (MAX_COMMAS_AND_ESCAPES + 1) + b'"}'):
        with pytest.raises(JsonRefusedError, match="too many small parts"):
            SCANNER.scan(body)
    SCANNER.scan(b'{"x":"' + b"," * MAX_COMMAS_AND_ESCAPES + b'"}')  # the count does not parse strings


def test_memory_does_not_grow_with_the_body() -> None:
    """A body of 8 MB with one long string is checked in less than 1 MiB, also when it is full of escapes."""
    plain = b'{"model":"m","x":[{"url":"' + b"A" * 8_000_000 + b'"}]}'
    odd = b'{"model":"m","x":[\n{"url":"' + "ééé\\\\".encode() * 900_000 + b'"}]}'
    for body in (plain, odd):
        SCANNER.scan(body)
        tracemalloc.start()
        SCANNER.scan(body)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 1024 * 1024


KEYS = st.sampled_from(["model", "stream", "a", "\u00e9", 'quote"', "back\\", "line\n", "\U0001f600", ""])
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12) | st.sampled_from(
    ["\\", '"', "\\\\n", "\x7f"]
)
NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=25,
)
ROOTS = st.dictionaries(KEYS, JSON_VALUES, max_size=5)
FRAGMENTS = st.sampled_from(
    [bytes([byte]) for byte in b'"\\{}[]:,0.eE-+tu\x01\n \x80\xc3'] + [rb"\u0", rb"\ud83d", rb"\\", b'"model":', b"NaN"]
)  # fmt: skip


@st.composite
def texts_of_json(draw: st.DrawFn) -> bytes:
    """Return a root object as JSON text, in varying notation, with some keys escaped."""
    text = json.dumps(
        draw(ROOTS), ensure_ascii=draw(st.booleans()), indent=draw(st.sampled_from([None, None, 0, 2]))
    )
    if draw(st.booleans()):
        text = text.replace("model", "mod\\u0065l", 1)
    if draw(st.booleans()):
        text = text.replace("}", ', "model": {} }', 1)
    return text.encode()


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """Return a JSON text after one to three mutations."""
    body = draw(texts_of_json())
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(body)))
        until = draw(st.integers(at, min(len(body), at + 8)))
        accident = draw(st.sampled_from(["flip", "cut", "drop", "double", "insert", "replace"]))
        if accident == "flip":
            body = (
                body[:at]
                + bytes(byte ^ 1 << draw(st.integers(0, 7)) for byte in body[at : at + 1])
                + body[at + 1 :]
            )
        elif accident == "cut":
            body = body[:at]
        elif accident == "drop":
            body = body[:at] + body[until:]
        elif accident == "double":
            body = body[:until] + body[at:]
        else:
            body = body[:at] + draw(FRAGMENTS) + body[at if accident == "insert" else until :]
    return body


@given(texts_of_json())
@example(b'{"a":[{"model":1}],"model":"\\\\"}')
def test_finds_what_json_finds(body: bytes) -> None:
    """In any JSON text the wanted members are those of ``json.loads``, with the same values."""
    agrees(body)


@given(st.lists(st.sampled_from([b"[", b'{"a":', b"[0,", b'{"b":[],"a":']), min_size=60, max_size=66))
@example([b"["] * 58 + [b"[0,"] + [b"["] * 3 + [b'{"a":', b"["])
@example([b"["] * 58 + [b'{"b":[],"a":'] + [b"["] * 2 + [b'{"a":'] * 1 + [b"["])
def test_depth_limit(openings: list[bytes]) -> None:
    """Around the limit the nesting depth of objects and arrays decides, in any order."""
    closers = b"".join(b"]" if opening.startswith(b"[") else b"}" for opening in reversed(openings))
    agrees(b'{"x":' + b"".join(openings) + b"1" + closers + b"}")


@given(mutated() | st.binary(max_size=40).map(lambda end: b'{"model":1' + end))
@example(b'{"a":"\\ud83d\\ud83d\\ude00"}')
@example(b'{"a":[1,]}')
def test_accepts_exactly_what_json_accepts(body: bytes) -> None:
    """Mutated texts are accepted if ``json.loads`` accepts them and the stricter rules allow them."""
    agrees(body)


def test_expressions_can_be_compiled_in_advance() -> None:
    """After ``compile_expressions`` a scan compiles none."""
    compile_expressions()
    compiled = json_scan._items_run.cache_info().misses
    SCANNER.scan(b'{"model": "m", "x": [1, {"y": ["\\u00e9", 2]}], "z": {"a": 1, "b": [2]}}')
    assert json_scan._items_run.cache_info().misses == compiled
