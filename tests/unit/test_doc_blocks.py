"""The blocks of the documentation's pages: data can be parsed, commands exist, and few of them are left out."""

import configparser
import json
import shlex
import tomllib
import xml.etree.ElementTree as ET
from collections.abc import Callable
from copy import copy
from pathlib import Path

import click
import pytest
import yaml
from tests.support.doc_pages import Block, blocks_of, commands_of, foreign_programs, typed_lines

from gglib.cli.app import cli
from gglib.cli.command_names import COMMANDS, HIDDEN_COMMANDS

ROOT = Path(__file__).resolve().parents[2]
PAGES = ("README.md", *sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").rglob("*.md")))
MOST_LEFT_OUT = 60
"""Commands of all pages that are not run, at most: a new one needs a good reason, and a larger number here."""


def blocks() -> list[Block]:
    """Return the blocks of all pages."""
    return [block for page in PAGES for block in blocks_of(page, (ROOT / page).read_text(encoding="utf-8"))]


def _read_ini(text: str) -> None:
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign] # as its documentation has it
    parser.read_string(text)


PARSERS: dict[str, Callable[[str], object]] = {
    "json": json.loads,
    "toml": tomllib.loads,
    "yaml": yaml.safe_load,
    "xml": lambda text: ET.fromstring(text.strip().encode()),  # noqa: S314 - our own page
    "ini": _read_ini,
}
OTHERS = frozenset(("", "sh", "python", "mermaid", "text", "markdown"))


@pytest.mark.parametrize(
    "block", [pytest.param(b, id=f"{b.page}:{b.line}") for b in blocks() if b.language in PARSERS]
)
def test_data_can_be_parsed(block: Block) -> None:
    """In the language that the block states; TOML whose keys occur twice shows alternatives, each in a line."""
    parse = PARSERS[block.language]
    if any("alternatives" in marker.reason for marker in block.markers):
        for line in block.text.splitlines():
            parse(line)
    else:
        parse(block.text)


def test_every_language_is_known() -> None:
    """A block in another language would not be checked."""
    assert {block.language for block in blocks()} <= OTHERS | set(PARSERS)


def test_commands_that_were_typed_exist() -> None:
    """In the records of terminals: command and options are those of today.

    Pages that a script writes from a real terminal also show mistakes.
    """
    pages = {page for page in PAGES if "Written by `make" not in (ROOT / page).read_text(encoding="utf-8")}
    records = [block for block in blocks() if block.page in pages and not block.language]
    lines = [line for block in records for line in typed_lines(block.text) if line.startswith("gglib ")]
    assert len(lines) > 3
    root = copy(cli).make_parser(click.Context(cli))  # click would keep this context's help option
    for line in lines:
        _, (name, *arguments), _ = root.parse_args(shlex.split(line.split("|")[0], comments=True)[1:])
        assert name in (*COMMANDS, *HIDDEN_COMMANDS), line
        command = cli.get_command(click.Context(cli), name)
        assert command is not None
        command.make_context(name, arguments)


def test_commands_that_run_change_nothing_outside() -> None:
    """One that installs packages, or needs rights, has a marker: tests would really do so."""
    foreign = [
        (f"{block.page}:{block.line}", command, programs)
        for block in blocks()
        if block.language == "sh"
        for command in commands_of(block.text)
        if block.is_run(command) and (programs := foreign_programs(command))
    ]
    assert not foreign


@pytest.mark.parametrize(
    ("command", "programs"),
    [
        ("pip install gglib # now", ["pip"]),
        ("echo y | sudo docker run x", ["sudo"]),
        ("A=1 B=2 uv tool install .", ["uv"]),
        ("gglib-env/bin/pip install .", ["gglib-env/bin/pip"]),
        ("gglib ps && systemctl restart gglib", ["systemctl"]),
        ("export KEY=$(tool make)", ["tool"]),
        ("gglib service stop", ["gglib service"]),
        ("gglib service install --print", []),
        ("git diff | gglib run m 'a; b | c'", []),
        ('while read -r line; do gglib run m "$line" </dev/null; done < lines.txt', []),
    ],
)
def test_a_foreign_program_is_noticed(command: str, programs: list[str]) -> None:
    """Anywhere in a command, but not in its arguments."""
    assert foreign_programs(command) == programs


def test_few_commands_are_left_out() -> None:
    """Each with a reason; and each marker of one command fits one."""
    left_out = []
    for block in blocks():
        commands = commands_of(block.text)
        left_out += [command for command in commands if block.language == "sh" and not block.is_run(command)]
        for marker in block.markers:
            assert len(marker.reason) > 10, block
            assert any(command.startswith(marker.beginning) for command in commands), (block, marker)
    assert 0 < len(left_out) <= MOST_LEFT_OUT, left_out


def test_blocks_have_their_markers() -> None:
    """A marker belongs to the next block; continued lines are one command."""
    page = (
        "<!-- not run (b): why -->\n```sh\na \\\n  x\n# no\nb c\n```\n\n  ```\n  $ gglib ps\n  out\n  ```\n"
    )
    first, second = blocks_of("p.md", page)
    assert (first.language, first.line) == ("sh", 3)
    assert commands_of(first.text) == ["a    x", "b c"]
    assert [first.is_run(command) for command in commands_of(first.text)] == [True, False]
    assert typed_lines(second.text) == ["gglib ps"]
    assert second.is_run("anything")


@pytest.mark.parametrize("page", ["<!-- not run: why -->\ntext\n", "```sh\na\n", "<!-- not run: why -->\n"])
def test_a_marker_without_a_block_is_refused(page: str) -> None:
    """And a block without an end."""
    with pytest.raises(ValueError, match=r"p\.md"):
        blocks_of("p.md", page)
