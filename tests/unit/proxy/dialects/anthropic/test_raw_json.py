"""JSON as raw values."""

import msgspec
import pytest

from gglib.proxy.dialects.anthropic import raw_json
from gglib.proxy.dialects.anthropic.raw_json import ABSENT


@pytest.mark.parametrize(
    ("value", "is_string", "is_array", "is_set"),
    [
        (b'""', True, False, True),
        (b'"null"', True, False, True),
        (b"[]", False, True, True),
        (b"null", False, False, False),
        (b"0", False, False, True),
        (msgspec.Raw(b"null"), False, False, False),
        (ABSENT, False, False, False),
    ],
)
def test_kinds(value: raw_json.RawJson, is_string: bool, is_array: bool, is_set: bool) -> None:  # noqa: FBT001
    """By the first bytes."""
    found = raw_json.is_string(value), raw_json.is_array(value), raw_json.is_set(value)
    assert found == (is_string, is_array, is_set)


def test_what_is_taken_apart_is_put_together_again() -> None:
    """Without the white space between the values; of equal names the last one stays."""
    object_ = b' { "a" : [ 1 , "x y" ] , "\\u00e9" : { } , "b" : 1 , "b" : 2 } '
    members = raw_json.members_of(object_)
    assert raw_json.object_of(members) == '{"a":[ 1 , "x y" ],"é":{ },"b":2}'.encode()
    assert raw_json.array_of(raw_json.items_of(members["a"])) == b'[1,"x y"]'
    assert (raw_json.object_of({}), raw_json.array_of([])) == (b"{}", b"[]")


def test_texts() -> None:
    """As they are escaped."""
    assert raw_json.characters_of(rb'"a \" b"') == rb"a \" b"
    assert raw_json.text_block(rb"a \" b") == rb'{"type":"text","text":"a \" b"}'
