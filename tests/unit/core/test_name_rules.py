"""Rules for the names of models."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gglib.core.errors import InvalidSettingError, ModelExistsError
from gglib.core.models import ModelEdit, ModelSummary
from gglib.core.name_rules import (
    MAX_NAME_LENGTH,
    check_aliases,
    check_name,
    check_text,
    is_name,
    names_not_in,
    normalized_name,
    renamed,
    slugify,
    truncate_name,
)

HINDI = "\u0939\u093f\u0928\u094d\u0926\u0940"
"""Three letters, each with a mark, and a mark that joins two of them."""


@pytest.mark.parametrize(
    ("name", "stored"), [("Qwen2.5", "Qwen2.5"), ("Me\u0301lodie", "M\u00e9lodie"), ("M\u00e9", "M\u00e9")]
)
def test_a_name_is_normalized_to_nfc(name: str, stored: str) -> None:
    """Keyboards type NFC, macOS names files in NFD."""
    assert normalized_name(name) == stored


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Qwen 2.5 (Instruct)", "Qwen-2.5-Instruct"),
        ("a_b.c+d:e-f", "a_b.c+d:e-f"),
        ("  a // b  ", "a-b"),
        ("a--b-", "a-b"),
        ("-a", "a"),
        ("!?", ""),
        ("-", ""),
        ("", ""),
        (HINDI, HINDI),
        (f"a {HINDI}!", f"a-{HINDI}"),
        ("\u0301a", "a"),
        ("a-\u0308b", "a-b"),
        ("e\u0301", "\u00e9"),
        ("a\u200db", "ab"),
        ("a\u200b b", "a-b"),
        ("\u65e5\u672c 4B", "\u65e5\u672c-4B"),
    ],
)
def test_a_text_becomes_a_name(text: str, name: str) -> None:
    """Runs of other characters become one ``-``; marks stay with their letters, joiners go."""
    assert slugify(text) == name


@given(st.text())
def test_a_slug_is_its_own_slug(text: str) -> None:
    """It contains no whitespace, and no ``-`` at its ends or twice in a row."""
    name = slugify(text)
    assert slugify(name) == name
    assert name == name.strip("-")
    assert "--" not in name
    assert not any(character.isspace() for character in name)


@pytest.mark.parametrize(
    ("name", "length", "kept"),
    [
        ("abc", 2, "ab"),
        ("abc", 3, "abc"),
        ("abc", 4, "abc"),
        ("abc", 0, ""),
        ("ab\u0308c", 2, "a"),
        ("ab\u0308c", 3, "ab\u0308"),
        ("ab\u0308\u0323c", 3, "a"),
        ("b\u0308c", 1, ""),
        ("\u0308\u0308", 1, ""),
    ],
)
def test_a_name_is_cut_between_letters(name: str, length: int, kept: str) -> None:
    """A letter is not left without the marks that follow it."""
    assert truncate_name(name, length) == kept


@pytest.mark.parametrize(
    "text",
    [
        "",
        " a",
        "a ",
        "a\u00a0",
        "a\nb",
        "a\x1b[2J",
        "a\u202eb",
        "a" * (MAX_NAME_LENGTH + 1),
    ],
)
def test_a_text_that_cannot_be_shown_in_one_line_is_refused(text: str) -> None:
    """The error names the kind of the text, and is printable itself."""
    with pytest.raises(InvalidSettingError, match=r"\btag\b") as caught:
        check_text(text, "tag")
    assert str(caught.value).isprintable()
    assert not is_name(text)


@pytest.mark.parametrize(
    "text", ["a", "a b", "1a", "M\u00e9lodie", HINDI, "x" * MAX_NAME_LENGTH, "\u00bd", "-"]
)
def test_any_printable_line_is_a_valid_name(text: str) -> None:
    """Up to the maximum length; a name need not be a slug."""
    check_name(text)
    assert is_name(text)


@pytest.mark.parametrize("text", ["1", "007", "\u0663"])
def test_a_number_is_not_a_valid_name(text: str) -> None:
    """It would be mistaken for an id; other texts may be numbers."""
    with pytest.raises(InvalidSettingError, match=text):
        check_name(text)
    assert not is_name(text)
    check_text(text, "tag")


@pytest.mark.parametrize("text", [".", ".."])
def test_a_relative_path_is_not_a_valid_name(text: str) -> None:
    """No URL could contain it: clients would request the folder instead."""
    with pytest.raises(InvalidSettingError, match="URL"):
        check_name(text)
    check_name("...")


@pytest.mark.parametrize("aliases", [("M",), ("x", "X"), ("x", "y", "x"), ("stra\u00dfe", "STRASSE")])
def test_an_alias_given_twice_is_refused(aliases: tuple[str, ...]) -> None:
    """Names that differ in case only are the same, and the model's own name is one of them."""
    with pytest.raises(ModelExistsError, match=aliases[-1]):
        check_aliases(aliases, name="m")


def test_an_invalid_alias_is_refused() -> None:
    """Aliases follow the rules of model names."""
    check_aliases(("x", "y"), name="m")
    with pytest.raises(InvalidSettingError):
        check_aliases(("x", "7"), name="m")


@pytest.mark.parametrize(
    ("own", "wanted", "kept"),
    [
        (("a",), ("A", "b"), ("b",)),
        ((), ("b", "B", "a", "b"), ("b", "a")),
        (("a", "b"), (), ()),
    ],
)
def test_names_are_added_once(own: tuple[str, ...], wanted: tuple[str, ...], kept: tuple[str, ...]) -> None:
    """In the order and spelling of their first occurrence, without the names in ``own``."""
    assert names_not_in(own, wanted) == kept


@pytest.mark.parametrize(
    ("edit", "name", "aliases"),
    [
        (ModelEdit(), "old", ("Fast", "b")),
        (ModelEdit(name="fast"), "fast", ("b",)),
        (ModelEdit(name="new"), "new", ("Fast", "b")),
        (ModelEdit(name="new", aliases=("old",)), "new", ("old",)),
    ],
)
def test_a_new_name_is_no_alias_any_more(edit: ModelEdit, name: str, aliases: tuple[str, ...]) -> None:
    """Aliases that are set with the name are taken as they are."""
    model = ModelSummary(id=1, name="old", aliases=("Fast", "b"))
    assert renamed(model, edit) == (name, aliases)
