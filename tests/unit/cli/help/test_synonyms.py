"""Synonyms of commands, and suggestions for other words."""

import re

import click
import pytest
from click.testing import CliRunner

from gglib import __version__
from gglib.cli.app import cli
from gglib.cli.command_names import COMMANDS, HIDDEN_COMMANDS
from gglib.cli.help.synonyms import INSTEAD, INSTEAD_IN, SYNONYMS, did_you_mean, unknown_command

ALL = (*COMMANDS, *HIDDEN_COMMANDS, *SYNONYMS)


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("lst", "Unknown command 'lst'. Did you mean 'list'?"),
        ("serv", "Unknown command 'serv'. Did you mean 'serve' or 'service'?"),
        ("outd", "Unknown command 'outd'. Did you mean 'outdated'?"),
        ("Pull", "Unknown command 'Pull'. Did you mean 'pull'?"),
        ("remov", "Unknown command 'remov'. Did you mean 'rm'?"),
        ("install", "Unknown command 'install'. Did you mean 'pull'?"),
        ("RENAME", "Unknown command 'RENAME'. 'gglib set MODEL --name NEW' renames a model."),
        ("LS", "Unknown command 'LS'. Did you mean 'list'?"),
        ("xyzzy", "Unknown command 'xyzzy'."),
    ],
)
def test_an_unknown_word_suggests_commands(word: str, message: str) -> None:
    """Similar commands, or what to type instead of another program's command."""
    assert unknown_command(word, ALL) == message


def test_several_suggestions_are_a_question() -> None:
    """With the best first."""
    assert did_you_mean(["a", "b", "c"]) == "Did you mean 'a', 'b' or 'c'?"


def test_every_suggested_command_of_a_group_exists() -> None:
    """And no word of its table is one of its commands."""
    context = click.Context(cli)
    for name, table in INSTEAD_IN.items():
        group = cli.get_command(context, name)
        assert isinstance(group, click.Group)
        assert not set(table) & set(group.commands)
        for text in table.values():
            word = re.search(r"mean '(\w+)'", text)
            assert word is None or word[1] in group.commands, text


def test_every_suggested_command_exists() -> None:
    """And no word of the tables is a command."""
    assert set(SYNONYMS.values()) <= set(COMMANDS)
    assert not {*INSTEAD, *SYNONYMS} & {*COMMANDS, *HIDDEN_COMMANDS}
    for text in INSTEAD.values():
        for name in re.findall(r"'gglib (\w+)|'(\w+)'", text):
            assert "".join(name) in COMMANDS, text


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("lst",), "Unknown command 'lst'. Did you mean 'list'?"),
        (("profile", "lst"), "Unknown command 'lst'. Did you mean 'list'?"),
        (("profile", "start"), "Unknown command 'start'."),
        (("profile", "delete"), "Unknown command 'delete'. Did you mean 'rm'?"),
        (("key", "rm"), "Unknown command 'rm'. Did you mean 'revoke'?"),
        (("key", "add", "bob"), "Unknown command 'add'. Did you mean 'new'?"),
        (("config", "list"), "Unknown command 'list'. 'gglib config' shows all settings."),
        (("config", "rm", "port"), "Unknown command 'rm'. Did you mean 'unset'?"),
        (("help", "lst"), "Unknown command 'lst'. Did you mean 'list'?"),
        (("help", "list", "x"), "'gglib list' has no commands of its own."),
        (("list", "--jsn"), "--json"),
        (("list", "--url", "box"), "--url precedes the command: gglib --url URL list …"),
        (("profile", "list", "--home", "h"), "--home precedes the command: gglib --home DIR profile list …"),
        (("list", "--debug"), "--debug precedes the command: gglib --debug list …"),
    ],
)
def test_a_misspelt_word_or_option_is_a_usage_error(words: tuple[str, ...], sentence: str) -> None:
    """Exit code 2, and what to type."""
    result = CliRunner().invoke(cli, list(words), prog_name="gglib")
    assert result.exit_code == 2
    assert sentence in result.stderr.splitlines()[-1]


@pytest.mark.parametrize(("word", "name"), SYNONYMS.items())
def test_a_synonym_is_the_command(word: str, name: str) -> None:
    """Its page is that of the command, and names the synonym."""
    shown = CliRunner().invoke(cli, [word, "--help"], prog_name="gglib").stdout
    assert shown == CliRunner().invoke(cli, [name, "--help"], prog_name="gglib").stdout
    assert f"gglib {word}" in shown


def test_a_synonym_works_where_its_command_does() -> None:
    """'rm' works on a remote server, so 'delete' does."""
    done = CliRunner().invoke(cli, ["--url", "http://127.0.0.1:9", "delete", "m"], prog_name="gglib")
    assert "works only on the server's own machine" not in done.stderr
    assert "cannot be reached" in done.stderr


@pytest.mark.parametrize(
    "words", [(), ("list",), ("ls",), ("profile",), ("profile", "set"), ("help",), ("version",)], ids=" ".join
)
def test_help_is_the_page_of_the_command(words: tuple[str, ...]) -> None:
    """Also in an environment that names a remote server."""
    page = CliRunner().invoke(cli, ["help", *words], prog_name="gglib", env={"GGLIB_HOST": "http://box"})
    assert page.stdout == CliRunner().invoke(cli, [*words, "--help"], prog_name="gglib").stdout


def test_version_is_that_of_the_package() -> None:
    """As a word, and for programs."""
    assert CliRunner().invoke(cli, ["version"], env={"GGLIB_HOST": "box"}).stdout == f"gglib {__version__}\n"
    assert f'"version": "{__version__}"' in CliRunner().invoke(cli, ["version", "--json"]).stdout


@pytest.mark.parametrize("name", HIDDEN_COMMANDS)
def test_a_hidden_command_has_help(name: str) -> None:
    """A sentence, as the others."""
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    assert (command.help or "").endswith(".")
