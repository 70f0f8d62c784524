"""Entries of a table that gglib sets in, or removes from, the text of ``config.toml``."""

import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gglib.app.settings.config_tables import Value, entry_line, remove_entry, set_entry

NEW = '"gpt-*" = "chat"\n'


@pytest.mark.parametrize(
    ("before", "after"),
    [
        # A new table at the end.
        ("", "[aliases]\n" + NEW),
        ("port = 1\n", "port = 1\n\n[aliases]\n" + NEW),
        ("port = 1", "port = 1\n\n[aliases]\n" + NEW),
        ("\ufeffport = 1\n", "\ufeffport = 1\n\n[aliases]\n" + NEW),
        ("port = 1\r\n", 'port = 1\r\n\r\n[aliases]\r\n"gpt-*" = "chat"\r\n'),
        ("[api_keys]\na = 'key'\n", "[api_keys]\na = 'key'\n\n[aliases]\n" + NEW),
        ("# [aliases]\n", "# [aliases]\n\n[aliases]\n" + NEW),
        ("x = '''\n[aliases]\n'''\n", "x = '''\n[aliases]\n'''\n\n[aliases]\n" + NEW),
        # A new entry at the end of the table.
        ("[aliases]\n", "[aliases]\n" + NEW),
        ("[aliases]", "[aliases]\n" + NEW),
        ("[aliases] # ours\nfast = 'a'\n", "[aliases] # ours\nfast = 'a'\n" + NEW),
        ("['aliases']\nfast = 'a' # one\n\n", "['aliases']\nfast = 'a' # one\n" + NEW + "\n"),
        ("[aliases]\nfast = [\n  'a',\n]\n", "[aliases]\nfast = [\n  'a',\n]\n" + NEW),
        (
            "[aliases]\nfast = 'a'\n\n# keys\n[api_keys]\nb = 'c'\n",
            "[aliases]\nfast = 'a'\n" + NEW + "\n# keys\n[api_keys]\nb = 'c'\n",
        ),
        ("[aliases]\n[api_keys]\n", "[aliases]\n" + NEW + "\n[api_keys]\n"),
        ("[aliases]\r\nfast = 'a'\r\n", '[aliases]\r\nfast = \'a\'\r\n"gpt-*" = "chat"\r\n'),
        # In place of the old entry.
        ("[aliases]\n'gpt-*' = 'a'\nb = 'c'\n", "[aliases]\n" + NEW + "b = 'c'\n"),
        ('[aliases]\n"gpt-*"="a"', '[aliases]\n"gpt-*" = "chat"'),
        ("[aliases]\n  'gpt-*' = 'a' # why\n", '[aliases]\n  "gpt-*" = "chat" # why\n'),
        ("[aliases]\n'gpt-*' = 'a#b'\t#c#d\n", '[aliases]\n"gpt-*" = "chat"\t#c#d\n'),
        (
            "[aliases]\n'gpt-*' = [\n 'a', # x\n 'b'] # why\nc = 'd'\n",
            '[aliases]\n"gpt-*" = "chat" # why\nc = \'d\'\n',
        ),
        (
            "[aliases]\r\n'gpt-*' = 'a' # b\r\nc = 'd'\r\n",
            '[aliases]\r\n"gpt-*" = "chat" # b\r\nc = \'d\'\r\n',
        ),
        (
            "[api_keys]\n'gpt-*' = 'secret'\n[aliases]\n'gpt-*' = 'a'\n",
            "[api_keys]\n'gpt-*' = 'secret'\n[aliases]\n" + NEW,
        ),
        # In an inline table.
        ("aliases = {}\n", 'aliases = {"gpt-*" = "chat"}\n'),
        (
            "aliases = {fast = ['a', 'b']} # ours\nport = 1\n",
            'aliases = {fast = ["a", "b"], "gpt-*" = "chat"} # ours\nport = 1\n',
        ),
        ("aliases.fast = 'a'\n", 'aliases = {fast = "a", "gpt-*" = "chat"}\n'),
        ("aliases = {'gpt-*' = 'a', b = 'c'}\n", 'aliases = {"gpt-*" = "chat", b = "c"}\n'),
    ],
)
def test_an_entry_is_set(before: str, after: str) -> None:
    """Comments, order, indentation and line ends of everything else stay."""
    assert set_entry(before, "aliases", "gpt-*", "chat") == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("[aliases]\nfast = 'a' # one\n# two\nb = 'c'\n", "[aliases]\n# two\nb = 'c'\n"),
        ("port = 1\n[aliases]\nfast = [\n 'a',\n 'b',\n]\n", "port = 1\n[aliases]\n"),
        ("[aliases]\r\nfast = 'a'\r\nb = 'c'\r\n", "[aliases]\r\nb = 'c'\r\n"),
        ("[aliases]\n'fast' = 'a'", "[aliases]"),
        ("[aliases]\nfaster = 'a'\nfast = 'a'\n", "[aliases]\nfaster = 'a'\n"),
        ('x = """\nfast = [\n"""\n[aliases]\nfast = \'a\'\n', 'x = """\nfast = [\n"""\n[aliases]\n'),
        ("aliases = {fast = 'a', b = 'c'}\n", 'aliases = {b = "c"}\n'),
        (
            "[x]\nfast = 'a'\n[aliases]\nfast = 'a'\n[y]\nfast = 'a'\n",
            "[x]\nfast = 'a'\n[aliases]\n[y]\nfast = 'a'\n",
        ),
    ],
)
def test_an_entry_is_removed(before: str, after: str) -> None:
    """With the comment on its line."""
    assert remove_entry(before, "aliases", "fast") == after


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("aliases = = 1\n", "Invalid value"),
        ("aliases = 'fast=a'\n", "its 'aliases' is not a table"),
        ("aliases.fast = 'a'\naliases.b = 'c'\n", "its form is unusual"),
        ("x = nan\n", "its form is unusual"),
    ],
)
def test_text_that_cannot_be_changed_is_refused(text: str, reason: str) -> None:
    """A text whose meaning cannot be compared is left alone."""
    with pytest.raises(ValueError, match=reason):
        set_entry(text, "aliases", "gpt-*", "chat")


def test_an_entry_with_an_escaped_key_is_refused() -> None:
    """The text has another spelling of the key, which a second entry would duplicate."""
    with pytest.raises(ValueError, match="its form is unusual"):
        set_entry('[aliases]\n"f\\u0061st" = "a"\n', "aliases", "fast", "b")
    with pytest.raises(ValueError, match="its form is unusual"):
        remove_entry('[aliases]\n"f\\u0061st" = "a"\n', "aliases", "fast")


@pytest.mark.parametrize(
    ("key", "value", "line"),
    [
        ("fast", "a", 'fast = "a"'),
        ("gpt-*", ["a", "b"], '"gpt-*" = ["a", "b"]'),
        ('say "hi"', "a\\b", '"say \\"hi\\"" = "a\\\\b"'),
        ("\u00e9\U0001f600", "\u0939\u093f", '"\u00e9\U0001f600" = "\u0939\u093f"'),
        ("n", 1, "n = 1"),
    ],
)
def test_an_entry_is_valid_toml(key: str, value: Value, line: str) -> None:
    """Keys and texts are quoted where needed, and not escaped where TOML knows no escape."""
    assert entry_line(key, value) == line
    assert tomllib.loads(line) == {key: value}


NAMES = st.text(
    st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp", "Cn", "Co")), min_size=1, max_size=12
)
VALUES = st.one_of(NAMES, st.lists(NAMES, min_size=1, max_size=3))


@given(st.dictionaries(NAMES, VALUES, max_size=4), NAMES, VALUES, st.sampled_from(["\n", "\r\n"]))
def test_any_entry_can_be_set_and_removed(
    entries: dict[str, Any], key: str, value: Value, line_end: str
) -> None:
    """Removing a new entry restores the others."""
    lines = ["port = 1", "[aliases]", *(entry_line(name, entry) for name, entry in entries.items()), ""]
    text = line_end.join(lines)
    changed = set_entry(text, "aliases", key, value)
    assert tomllib.loads(changed)["aliases"] == {**entries, key: value}
    without = {name: entry for name, entry in entries.items() if name != key}
    assert tomllib.loads(remove_entry(changed, "aliases", key))["aliases"] == without
    assert set_entry(remove_entry(changed, "aliases", key), "aliases", key, value).count(
        line_end
    ) == changed.count(line_end)
