"""The commands of a chat."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gglib.cli.chat.slash_commands import (
    COMMANDS,
    Prompt,
    SlashCommand,
    UnknownCommand,
    help_lines,
    is_open,
    read_input,
)


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("/?", SlashCommand("?")),
        ("/help", SlashCommand("?")),
        ("/BYE", SlashCommand("bye")),
        ("/exit", SlashCommand("bye")),
        ("/quit ", SlashCommand("bye")),
        ("/set temperature 0.2", SlashCommand("set", "temperature 0.2")),
        ("/image  ~/a picture.png ", SlashCommand("image", "~/a picture.png")),
        ("/set system You are\na pirate.", SlashCommand("set", "system You are\na pirate.")),
        ("/again", SlashCommand("retry")),
    ],
)
def test_a_line_with_a_slash_is_a_command(text: str, command: SlashCommand) -> None:
    """Commands have further spellings, and ignore case; what follows is the argument."""
    assert read_input(text) == command


@pytest.mark.parametrize(
    ("text", "prompt"),
    [
        ("Hello", "Hello"),
        ("//bye", "/bye"),
        ("/etc/hosts has what?", "/etc/hosts has what?"),
        ("/usr/bin", "/usr/bin"),
        ("/* a comment */", "/* a comment */"),
        ("/bye\nis a command", "/bye\nis a command"),
        ("/wrong\nof several lines", "/wrong\nof several lines"),
        ('"""one\ntwo"""', "one\ntwo"),
        ('"""\n/bye\n"""', "/bye"),
        ('"""\n  indented\n"""', "  indented"),
        ("/", "/"),
        ("/1", "/1"),
    ],
)
def test_other_texts_are_prompts(text: str, prompt: str) -> None:
    """Paths, comments, pasted texts and quoted lines are sent; two slashes send one."""
    assert read_input(text) == Prompt(prompt)


@pytest.mark.parametrize(("text", "nearest"), [("/sve x", "save"), ("/loads", "load"), ("/xyzzyx", None)])
def test_an_unknown_word_is_not_sent(text: str, nearest: str | None) -> None:
    """The message names a similar command, and how to send the line."""
    unknown = read_input(text)
    assert isinstance(unknown, UnknownCommand)
    assert unknown.nearest == nearest
    assert (f"/{nearest}" if nearest else "/?") in unknown.message
    assert f"//{unknown.spelling}" in unknown.message


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('"""', True),
        ('"""one\ntwo', True),
        ('"""one\ntwo"""', False),
        ('"""one"""', False),
        ('""""""', False),
        ('say """', False),
        ("one", False),
        ('/set system """', True),
        ('/set system """one\ntwo"""', False),
        ("/set system", False),
        ("/set", False),
        ("/bye", False),
    ],
)
def test_three_quotes_open_a_prompt_of_several_lines(text: str, expected: bool) -> None:  # noqa: FBT001
    """The prompt stays open until three more; also that of a setting."""
    assert is_open(text) is expected


@given(st.text())
def test_every_input_means_something(text: str) -> None:
    """No text raises, and a prompt of plain text is sent as it is, without white space around it."""
    found = read_input(text)
    if not text.strip().startswith(("/", '"""')):
        assert found == Prompt(text.strip())


def test_the_help_fits_a_terminal_of_80_columns() -> None:
    """Each command has one line."""
    lines = help_lines()
    assert all(len(line) <= 80 for line in lines)
    assert all(any(line.startswith(f"/{command.name}") for line in lines) for command in COMMANDS)
