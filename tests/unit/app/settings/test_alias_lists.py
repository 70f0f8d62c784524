"""The setting ``aliases``: valid values, and errors that name the entry."""

import pytest

from gglib.app.settings.alias_lists import TABLE_FORM, TEXT_FORM, InvalidEntryError, parse_aliases
from gglib.app.settings.parsers import InvalidValueError


@pytest.mark.parametrize(
    ("value", "parsed"),
    [
        ({}, {}),
        ({"fast": ["a", "b", "a"], "gpt-*": "c"}, {"fast": ("a", "b"), "gpt-*": ("c",)}),
        ({"fast": "a, b"}, {"fast": ("a", "b")}),
        (" fast = a , b ;*=c", {"fast": ("a", "b"), "*": ("c",)}),
        ("Org/x:Q4=a=b", {"Org/x:Q4": ("a=b",)}),
    ],
)
def test_a_table_and_a_text_mean_the_same(value: object, parsed: dict[str, tuple[str, ...]]) -> None:
    """In order, without duplicates; a name may have any character that does not separate."""
    assert parse_aliases(value) == parsed


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("fast", "has the entry 'fast', which has no '='"),
        ("fast=a;", "has the entry '', which has no '='"),
        ("fast=", "has the alias 'fast' without a model"),
        ("fast= ", "has the alias 'fast' without a model"),
        ("=tiny", "has '' as an alias (a model name must not be empty or begin or end with whitespace)"),
        ("fast=a; fast=b", "has 'fast' twice"),
        (
            "fast=a,,b",
            "has the alias 'fast' with '' as a model (a model name must not be empty or begin or end with whitespace)",
        ),
        ("fast=7", "has the alias 'fast' with the number '7' instead of a model's name"),
        ("7=a", "has '7' as an alias (the model name '7' looks like an id: add a letter to it)"),
    ],
)
def test_a_wrong_entry_of_a_text_is_named(text: str, reason: str) -> None:
    """With a valid form of the variable."""
    with pytest.raises(InvalidEntryError) as error:
        parse_aliases(text)
    assert str(error.value) == f"{reason}: write it like {TEXT_FORM}."


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        ({"a": "b", "fast": 1}, "has the alias 'fast' with 1, which is neither a name nor a list"),
        ({"fast": {}}, "has the alias 'fast' with {}, which is neither a name nor a list"),
        ({"fast": ["a", 1]}, "has the alias 'fast' with ['a', 1], which is neither a name nor a list"),
        ({"fast": []}, "has the alias 'fast' without a model"),
        (
            {"fast": [""]},
            "has the alias 'fast' with '' as a model (a model name must not be empty or begin or end with whitespace)",
        ),
        ({"7": "a"}, "has '7' as an alias (the model name '7' looks like an id: add a letter to it)"),
        (
            {"a\x1b": "a"},
            r"has 'a\x1b' as an alias (the model name 'a\x1b' has characters that cannot be printed: leave them out)",
        ),
    ],
)
def test_a_wrong_entry_of_a_table_is_named(table: dict[str, object], reason: str) -> None:
    """With a valid form of the file."""
    with pytest.raises(InvalidEntryError) as error:
        parse_aliases(table)
    assert str(error.value) == f"{reason}: write it like {TABLE_FORM}."


@pytest.mark.parametrize("value", [["a"], 1, None])
def test_another_type_is_refused(value: object) -> None:
    """The setting is a table."""
    with pytest.raises(InvalidValueError):
        parse_aliases(value)


def test_the_forms_are_valid() -> None:
    """As a user would copy them."""
    assert parse_aliases(TEXT_FORM) == {"fast": ("qwen-4b", "smollm2"), "gpt-*": ("coder",)}
