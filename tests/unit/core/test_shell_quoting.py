"""Commands in messages, quoted for a shell."""

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gglib.core.shell_quoting import in_quotes, quoted_command, shell_command


@pytest.mark.parametrize(
    ("words", "typed"),
    [
        (("rm", "coder"), "gglib rm coder"),
        (("rm", "my coder"), "gglib rm 'my coder'"),
        (("rm", "--files", "-x"), "gglib rm --files -- -x"),
        (("run", "a;b"), "gglib run 'a;b'"),
        (("run", "a\x1bb"), "gglib run 'a\\x1bb'"),
    ],
)
def test_a_command_is_quoted(words: tuple[str, ...], typed: str) -> None:
    """A name with a space, a dash in front or what a shell reads otherwise comes through; an escape does not."""
    assert shell_command(*words) == typed
    assert quoted_command(*words).strip('"') == (typed if "'" in typed else f"'{typed}'")


@given(st.text(st.characters(exclude_categories=["C", "Zl", "Zp"]), min_size=1))
def test_a_shell_reads_the_name_that_was_meant(name: str) -> None:
    """Any printable name is one word, and no option."""
    *first, last = shlex.split(shell_command("rm", name))
    assert last == name
    assert first == (["gglib", "rm", "--"] if name.startswith("-") else ["gglib", "rm"])


@pytest.mark.parametrize(
    ("command", "quoted"), [("gglib list", "'gglib list'"), ("gglib rm 'a b'", "\"gglib rm 'a b'\"")]
)
def test_a_command_in_a_sentence_has_quotes_that_it_does_not_contain(command: str, quoted: str) -> None:
    """So that its end is clear."""
    assert in_quotes(command) == quoted
