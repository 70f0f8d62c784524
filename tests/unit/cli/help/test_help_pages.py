"""The whole ``--help`` page of each command, so that a review shows every change of a user's documentation."""

import re
import shlex
from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner
from tests.support.golden import Golden

from gglib.cli.app import cli
from gglib.cli.command_names import COMMANDS
from gglib.cli.help.pages import EXAMPLES, first_sentence


@pytest.mark.parametrize(
    "words", [(), *((name,) for name in COMMANDS)], ids=lambda words: "-".join(words) or "gglib"
)
def test_help_page_is_the_recorded_one(words: tuple[str, ...], golden: Golden) -> None:
    """``--help`` prints the recorded page at 80 columns."""
    result = CliRunner().invoke(cli, [*words, "--help"], prog_name="gglib", terminal_width=80)
    assert result.exit_code == 0
    assert result.stdout.startswith(" ".join(("Usage: gglib", *words)))
    assert golden(result.stdout)


def pages(
    command: click.Command, words: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Yield every command with its words, also those below other commands."""
    yield words, command
    if isinstance(command, click.Group):
        ctx = click.Context(command)
        for name in command.list_commands(ctx):
            found = command.get_command(ctx, name)
            assert found is not None
            yield from pages(found, (*words, name))


PAGES = dict(pages(cli))


@pytest.mark.parametrize("words", PAGES, ids=lambda words: "-".join(words) or "gglib")
def test_help_page_is_whole_at_80_columns(words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    """No line is wider than the terminal, and no sentence is cut: a terminal of 80 columns has pages of 78."""
    monkeypatch.setenv("COLUMNS", "80")
    result = CliRunner().invoke(cli, [*words, "--help"], prog_name="gglib")
    assert result.exit_code == 0
    usage, _, rest = result.stdout.partition("\n\n")
    assert max(map(len, result.stdout.splitlines())) <= 80, usage
    assert not [line for line in rest.splitlines() if line.endswith("...")]


def test_list_of_commands_has_whole_first_sentences() -> None:
    """At any width, also below other commands."""
    for words, command in PAGES.items():
        if isinstance(command, click.Group):
            page = CliRunner().invoke(cli, [*words, "--help"], terminal_width=40).stdout
            text = " ".join(page.split())
            for name in command.list_commands(click.Context(command)):
                assert f" {name} {first_sentence(PAGES[(*words, name)])}" in text


@pytest.mark.parametrize(
    ("name", "example"), [(name, example) for name, examples in EXAMPLES.items() for example in examples]
)
def test_example_can_be_typed(name: str, example: str) -> None:
    """It is a command line that the parser accepts, at the end of its page."""
    words = shlex.split(re.split("[<>]", example)[0])
    path = tuple(name.split())
    assert tuple(words[: len(path)]) == path
    command = PAGES[path]
    command.make_context(path[-1], words[len(path) :], parent=click.Context(cli))
    page = CliRunner().invoke(cli, [*path, "--help"], terminal_width=80).stdout
    assert page.rstrip().endswith(f"gglib {EXAMPLES[name][-1]}")
    assert f"\n    gglib {example}\n" in page


def test_a_command_below_another_one_has_no_examples_of_its_namesake() -> None:
    """``gglib profile set`` is not ``gglib set``."""
    for words in PAGES:
        page = CliRunner().invoke(cli, [*words, "--help"], terminal_width=80).stdout
        if len(words) > 1 and "Examples:" in page:
            examples = page.partition("Examples:")[2].split("\n")
            assert all(line.startswith(f"    gglib {' '.join(words)} ") for line in examples if line), words


def test_gglib_alone_shows_the_first_commands() -> None:
    """Each of its lines names a command."""
    result = CliRunner().invoke(cli, [])
    assert (result.exit_code, result.stderr) == (0, "")
    shown = [line.split()[1] for line in result.stdout.splitlines() if line.startswith("  gglib ")]
    assert set(shown) < set(COMMANDS)
    assert shown[0] == "up"
