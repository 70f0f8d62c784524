"""Patterns of alias lists: which names they match."""

import fnmatch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gglib.proxy.names.patterns import NamePattern, is_pattern


@pytest.mark.parametrize(
    ("pattern", "name", "is_match"),
    [
        ("gpt-*", "gpt-4o", True),
        ("gpt-*", "gpt-", True),
        ("gpt-*", "gpt", False),
        ("gpt-*", "my-gpt-4o", False),
        ("GPT-*", "gpt-4O", True),
        ("gpt-*", "GPT-4o", True),
        ("*", "anything/at:all", True),
        ("*", "", True),
        ("**", "anything", True),
        ("*-mini", "gpt-4o-mini", True),
        ("*-mini", "gpt-4o-mini:latest", True),
        ("*-mini", "gpt-4o-mini:Latest", True),
        ("*-mini", "gpt-4o-mini:other", False),
        ("gpt-*:latest", "gpt-4o:latest", True),
        ("a*a", "a", False),
        ("a*a", "aa", True),
        ("ab*ba", "aba", False),
        ("a*b*c", "a-b-b-c", True),
        ("a*b*c", "a-c", False),
        ("a*bc*bc", "abc", False),
        ("a*bc*bc", "abcbc", True),
        ("*4*", "gpt-4o", True),
        ("*4*", "gpt", False),
        ("claude-*-4*", "claude-opus-4-8", True),
        ("claude-*-4*", "claude-4-opus", False),
        ("gpt-?*", "gpt-4", False),
        ("gpt-?*", "gpt-?4", True),
        ("[ab]*", "a", False),
        ("owner/*", "owner/name/file", True),
        ("stra\u00dfe-*", "STRASSE-1", True),
        ("caf\u00e9-*", "cafe\u0301-1", True),
        ("cafe\u0301-*", "CAF\u00c9-1", True),
        ("\u0939\u093f*", "\u0939\u093f\u0928\u094d\u0926\u0940", True),
    ],
)
def test_a_pattern_matches_whole_names(pattern: str, name: str, *, is_match: bool) -> None:
    """Ignoring case, Unicode form and the tag ``:latest``; only ``*`` is special."""
    assert NamePattern(pattern).matches(name) is is_match


@pytest.mark.parametrize(
    ("pattern", "literals"), [("*", 0), ("gpt-*", 4), ("*gpt-*4*", 5), ("caf\u00e9*", 4), ("cafe\u0301*", 4)]
)
def test_literal_characters_are_counted(pattern: str, literals: int) -> None:
    """In the form in which names are compared."""
    assert NamePattern(pattern).literals == literals


@pytest.mark.parametrize(
    ("name", "is_one"), [("*", True), ("gpt-*", True), ("gpt-4", False), ("a?[b]", False)]
)
def test_a_pattern_has_a_star(name: str, *, is_one: bool) -> None:
    """Other special characters of shells are parts of names."""
    assert is_pattern(name) is is_one


@given(st.text("ab*", min_size=1), st.text("ab"))
def test_matching_agrees_with_a_regular_expression(text: str, name: str) -> None:
    """``fnmatch`` backtracks, and has the same meaning of ``*``."""
    assert NamePattern(f"{text}*").matches(name) is fnmatch.fnmatchcase(name, f"{text}*")


@given(st.text(), st.text(), st.text())
def test_parts_around_any_text_match(first: str, middle: str, last: str) -> None:
    """Also if the parts have unusual characters, unless they change each other's form."""
    if "*" not in first + last and (first + middle + last).isascii():
        assert NamePattern(f"{first}*{last}").matches(first + middle + last)


def test_a_long_name_takes_linear_time() -> None:
    """A backtracking expression of this pattern would not end."""
    assert not NamePattern("*a" * 30 + "*b").matches("a" * 100_000)
