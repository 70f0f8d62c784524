"""Splitting commands, and recognising llama-server."""

import pytest

from gglib.library.importers.configurations.llama_swap.command_lines import (
    CommandError,
    ServerCommand,
    server_command,
    words_of,
)


def test_comments_line_breaks_and_quotes() -> None:
    """Comment lines and backslashes at the end of lines disappear; a quoted text is one word."""
    command = "# first\nserve \\\n  --a 'b c' \\  \n  # --off\n  --d \"#e\"\n"
    assert words_of(command) == ("serve", "--a", "b c", "--d", "#e")


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        ("", "its command is empty"),
        ("# only a comment", "its command is empty"),
        ("serve 'x", "its command cannot be split into words (no closing quotation)"),
    ],
)
def test_a_command_that_cannot_be_split(command: str, reason: str) -> None:
    """The reason is a phrase."""
    with pytest.raises(CommandError) as caught:
        words_of(command)
    assert str(caught.value) == reason


@pytest.mark.parametrize(
    "program",
    [
        "llama-server",
        "/opt/llama.cpp/llama-server",
        "./llama-server-ec9e0301",
        r"C:\llama\llama-server.exe",
        "LLAMA-SERVER.EXE",
    ],
)
def test_llama_server_is_recognised_by_its_name(program: str) -> None:
    """Also with a path, a version, or the suffix of Windows."""
    assert server_command((program, "-m", "x")) == ServerCommand(program, ("-m", "x"), ())


def test_variables_before_llama_server() -> None:
    """``env`` sets them."""
    words = ("/usr/bin/env", "A=1", "B=x=y", "llama-server", "-m", "x")
    assert server_command(words) == ServerCommand("llama-server", ("-m", "x"), (("A", "1"), ("B", "x=y")))


@pytest.mark.parametrize(
    "words",
    [
        ("docker", "run", "image", "llama-server"),
        ("bash", "-c", "llama-server -m x"),
        ("python3", "-m", "llama_cpp.server"),
        ("env", "-i", "llama-server"),
        ("env",),
        ("llama-cli",),
    ],
)
def test_other_commands_are_kept_as_they_are(words: tuple[str, ...]) -> None:
    """In a container or a shell, the files are elsewhere, or need the shell."""
    assert server_command(words) is None
