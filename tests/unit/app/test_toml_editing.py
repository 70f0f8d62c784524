"""Values that gglib sets in, or removes from, the text of a TOML file."""

import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gglib.app.toml_editing import entry_line, remove_value, set_value

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
        ("[aliases]\n'gpt-*' = 'a'\nb = 'c'\n", "[aliases]\n'gpt-*' = \"chat\"\nb = 'c'\n"),
        ('[aliases]\n"gpt-*"="a"', '[aliases]\n"gpt-*"="chat"\n'),
        ("[aliases]\n  'gpt-*' = 'a' # why\n", "[aliases]\n  'gpt-*' = \"chat\" # why\n"),
        ("[aliases]\n'gpt-*' = 'a#b'\t#c#d\n", "[aliases]\n'gpt-*' = \"chat\"\t#c#d\n"),
        (
            "[aliases]\n'gpt-*' = [\n 'a', # x\n 'b'] # why\nc = 'd'\n",
            "[aliases]\n'gpt-*' = \"chat\" # why\nc = 'd'\n",
        ),
        (
            "[aliases]\r\n'gpt-*' = 'a' # b\r\nc = 'd'\r\n",
            "[aliases]\r\n'gpt-*' = \"chat\" # b\r\nc = 'd'\r\n",
        ),
        (
            "[api_keys]\n'gpt-*' = 'secret'\n[aliases]\n'gpt-*' = 'a'\n",
            "[api_keys]\n'gpt-*' = 'secret'\n[aliases]\n'gpt-*' = \"chat\"\n",
        ),
        # In an inline table.
        ("aliases = {}\n", 'aliases = {"gpt-*" = "chat"}\n'),
        (
            "aliases = {fast = ['a', 'b']} # ours\nport = 1\n",
            'aliases = {fast = ["a", "b"], "gpt-*" = "chat"} # ours\nport = 1\n',
        ),
        # As dotted keys.
        ("aliases.fast = 'a'\n", 'aliases.fast = \'a\'\naliases."gpt-*" = "chat"\n'),
        (
            "aliases.fast = 'a'\naliases.b = 'c'\n",
            "aliases.fast = 'a'\naliases.\"gpt-*\" = \"chat\"\naliases.b = 'c'\n",
        ),
        # With another spelling of the key.
        ('[aliases]\n"gpt-\\u002a" = "a"\n', '[aliases]\n"gpt-\\u002a" = "chat"\n'),
        ("aliases = {'gpt-*' = 'a', b = 'c'}\n", 'aliases = {"gpt-*" = "chat", b = "c"}\n'),
    ],
)
def test_an_entry_is_set(before: str, after: str) -> None:
    """Comments, order, indentation and line ends of everything else stay."""
    assert set_value(before, ("aliases", "gpt-*"), "chat") == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("[aliases]\nfast = 'a' # one\n# two\nb = 'c'\n", "[aliases]\n# two\nb = 'c'\n"),
        ("port = 1\n[aliases]\nfast = [\n 'a',\n 'b',\n]\n", "port = 1\n[aliases]\n"),
        ("[aliases]\r\nfast = 'a'\r\nb = 'c'\r\n", "[aliases]\r\nb = 'c'\r\n"),
        ("[aliases]\n'fast' = 'a'", "[aliases]\n"),
        ('[aliases]\n"f\\u0061st" = "a"\n', "[aliases]\n"),
        ("aliases.fast = 'a'\naliases.b = 'c'\n", "aliases.b = 'c'\n"),
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
    assert remove_value(before, ("aliases", "fast")) == after


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("aliases = = 1\n", "Invalid value"),
        ("aliases = 'fast=a'\n", "its 'aliases' is not a table"),
        ("aliases = [{a = 1}]\n", "its 'aliases' is not a table"),
        ("[[aliases]]\na = 1\n", "its 'aliases' is not a table"),
        ("x = " + "[" * 5000, "nested too deeply|Invalid"),
        ("x = nan\n", "its form is unusual"),
    ],
)
def test_text_that_cannot_be_changed_is_refused(text: str, reason: str) -> None:
    """A text whose meaning cannot be compared is left alone."""
    with pytest.raises(ValueError, match=reason):
        set_value(text, ("aliases", "gpt-*"), "chat")


KEYS = "[api_keys]\na = 'k'\n\n# jobs\n[api_keys.jobs]\nkey = 'x'\n\n# more\n[aliases]\n"


@pytest.mark.parametrize(
    ("before", "path", "value", "after"),
    [
        (KEYS, ("api_keys", "b"), "kk", KEYS.replace("'k'\n", "'k'\nb = \"kk\"\n")),
        (KEYS, ("api_keys", "jobs", "admin"), True, KEYS.replace("'x'\n", "'x'\nadmin = true\n")),
        (KEYS, ("api_keys", "b", "key"), "kk", KEYS + '\n[api_keys.b]\nkey = "kk"\n'),
        (KEYS, ("api_keys", "jobs"), None, "[api_keys]\na = 'k'\n\n# jobs\n\n# more\n[aliases]\n"),
        (KEYS, ("api_keys",), None, "\n# more\n[aliases]\n"),
        ("[api_keys.a]\nkey = 'x'\n", ("api_keys", "a"), None, ""),
        (
            "api_keys.a.key = 'x'\n",
            ("api_keys", "b", "key"),
            "y",
            "api_keys.a.key = 'x'\napi_keys.b = {key = \"y\"}\n",
        ),
        # Tables without a header of their own, in several places.
        (
            "[api_keys.a]\nkey = 'x'\n# z\n[aliases]\n# b\n[api_keys.b]\n",
            ("api_keys", "a"),
            None,
            "# z\n[aliases]\n# b\n[api_keys.b]\n",
        ),
        (
            "# a\n[api_keys.a]\n# b\n[api_keys.b]\n# z\n",
            ("api_keys", "b"),
            None,
            "# a\n[api_keys.a]\n# b\n# z\n",
        ),
        (
            "[api_keys.a]\n# b\n[api_keys.b]\n# z\n",
            ("api_keys", "a"),
            None,
            "# b\n[api_keys.b]\n# z\n",
        ),
        ("# a\n[api_keys.a]\n", ("api_keys", "b"), "k", '# a\n[api_keys.a]\n\n[api_keys]\nb = "k"\n'),
        ("port = 1 # mine\nctx = 2\n", ("port",), None, "ctx = 2\n"),
        ("port = 1 # mine\n", ("port",), 2, "port = 2 # mine\n"),
        ("slots = 1\n[x]\n", ("memory",), {"ram": "1G"}, 'slots = 1\nmemory = {ram = "1G"}\n\n[x]\n'),
        ("[memory]\nram = '1G'\n# x\n[x]\n", ("memory",), "2G", 'memory = "2G"\n\n# x\n[x]\n'),
        ("x = '''a\r\nb'''\n", ("port",), 1, "x = '''a\r\nb'''\nport = 1\n"),
    ],
)
def test_values_at_any_depth_are_set_and_removed(
    before: str, path: tuple[str, ...], value: Any, after: str
) -> None:
    """Comments above a table stay with it, also if the table before it goes."""
    changed = remove_value(before, path) if value is None else set_value(before, path, value)
    assert changed == after


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
def test_an_entry_is_valid_toml(key: str, value: Any, line: str) -> None:
    """Keys and texts are quoted where needed, and not escaped where TOML knows no escape."""
    assert entry_line(key, value) == line
    assert tomllib.loads(line) == {key: value}


NAMES = st.text(
    st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp", "Cn", "Co")), min_size=1, max_size=12
)
VALUES = st.one_of(NAMES, st.lists(NAMES, min_size=1, max_size=3))


@given(st.dictionaries(NAMES, VALUES, max_size=4), NAMES, VALUES, st.sampled_from(["\n", "\r\n"]))
def test_any_entry_can_be_set_and_removed(
    entries: dict[str, Any], key: str, value: Any, line_end: str
) -> None:
    """Removing a new entry restores the others."""
    lines = ["port = 1", "[aliases]", *(entry_line(name, entry) for name, entry in entries.items()), ""]
    text = line_end.join(lines)
    changed = set_value(text, ("aliases", key), value)
    assert tomllib.loads(changed)["aliases"] == {**entries, key: value}
    without = {name: entry for name, entry in entries.items() if name != key}
    assert tomllib.loads(remove_value(changed, ("aliases", key)))["aliases"] == without
    again = set_value(remove_value(changed, ("aliases", key)), ("aliases", key), value)
    assert again.count(line_end) == changed.count(line_end)


TABLES = st.lists(
    st.sampled_from(["[aliases]", "[api_keys]", "[api_keys.a]", "[api_keys.b]", "[memory]"]),
    unique=True,
    max_size=5,
)
PATHS = st.sampled_from(
    [
        ("port",),
        ("memory",),
        ("aliases", "fast"),
        ("api_keys", "a"),
        ("api_keys", "a", "models"),
        ("api_keys", "c", "key"),
        ("memory", "ram"),
    ]
)


@given(
    tables=TABLES,
    choices=st.lists(st.booleans(), min_size=12, max_size=12),
    path=PATHS,
    is_removal=st.booleans(),
)
def test_comments_above_other_lines_stay(
    tables: list[str], choices: list[bool], path: tuple[str, ...], *, is_removal: bool
) -> None:
    """Whatever the order of the tables, with and without blank lines; a form that cannot be edited is refused."""
    choice = iter(choices * 2)
    lines = ["# first", "port = 1"]
    for table in tables:
        lines += [""] * next(choice)
        lines += [f"# above {table}", table]
        lines += ["key = 'x'"] * next(choice)
    lines += ["# last"] * next(choice)
    text = "\n".join((*lines, ""))
    try:
        changed = remove_value(text, path) if is_removal else set_value(text, path, "new")
    except ValueError:
        return
    kept = changed.splitlines()
    assert [line for line in lines if line.startswith("#") and line not in kept] == []
    for table in tables:
        if table in kept:
            assert kept[kept.index(table) - 1] == f"# above {table}"


def test_comments_above_the_next_table_stay_without_blank_lines_before_them() -> None:
    """They belong to it; the blank line above the removed table is enough."""
    text = "port = 1\n\n[k.a]\nkey = 'x'\n\n# about b\n[b]\nx = 1\n"
    assert remove_value(text, ("k", "a")) == "port = 1\n\n# about b\n[b]\nx = 1\n"
    text = "[k]\nkey = 'x'\n\n[k.a]\nkey = 'x'\n\n# about b\n[b]\nx = 1\n"
    assert remove_value(text, ("k", "a")) == "[k]\nkey = 'x'\n\n# about b\n[b]\nx = 1\n"
