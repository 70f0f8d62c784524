"""The picture of the first run shows existing commands, and nothing of the machine that drew it."""

import html
import re
import shlex
import shutil
from pathlib import Path

import click
import pytest
from scripts.first_run_picture import Screen, draw, install_program, prompt

from gglib.cli.app import cli
from gglib.cli.command_names import COMMANDS
from gglib.cli.commands.start import up

PICTURE = (Path(__file__).parents[2] / "docs" / "first-run.svg").read_text(encoding="utf-8")
SHOWN = html.unescape(" ".join(re.findall(r">([^<>]+)</text>", PICTURE))).replace("\xa0", " ")


def commands_in_picture() -> list[str]:
    """Return the commands after the prompts of the picture."""
    words = re.findall(r"(?:>\$&#160;</text>)<text[^>]*>([^<]+)</text>", PICTURE)
    return [html.unescape(command).replace("\xa0", " ") for command in words]


def test_picture_begins_with_gglib_up() -> None:
    """A newcomer sees the command of the README first."""
    assert commands_in_picture()[0] == "gglib up"
    assert len(commands_in_picture()) > 1


def test_picture_has_all_questions() -> None:
    """Of ``gglib up``, by its source: a further question needs a new picture (``make first-run-picture``)."""
    source = Path(up.__file__).read_text(encoding="utf-8")
    questions = source.count("click.confirm(")
    assert questions == 1
    assert SHOWN.count("[Y/n]") == questions
    assert SHOWN.count("Number [") == 1


@pytest.mark.parametrize("command", commands_in_picture())
def test_every_command_in_the_picture_exists(command: str) -> None:
    """Each is a command with these arguments."""
    program, name, *arguments = shlex.split(command)
    assert program == "gglib"
    assert name in COMMANDS
    found = cli.get_command(click.Context(cli), name)
    assert found is not None
    found.make_context(name, arguments)


def test_picture_has_no_trace_of_the_machine_and_loads_nothing() -> None:
    """No path, and no address but the local server's and the SVG namespace."""
    assert not re.search(r"/(tmp|home|root|Users|work)/", SHOWN)
    addresses = {found.rstrip(".,;") for found in re.findall(r"https?://[^\s<&\"/]+", PICTURE)}
    assert addresses == {"http://127.0.0.1:8080", "http://www.w3.org"}
    assert "@font-face" not in PICTURE


def test_commands_in_the_picture_can_be_typed() -> None:
    """The program is found as ``gglib``, so that its messages name it so, and not a path of the machine."""
    assert "gglib run smollm2-135m" in SHOWN
    assert "-m gglib" not in SHOWN


def test_program_of_the_picture_is_found_by_its_name(tmp_path: Path) -> None:
    """As a user's after the installation."""
    install_program(tmp_path)
    assert shutil.which("gglib", path=str(tmp_path)) == str(tmp_path / "gglib")


def test_terminal_emulation_shows_the_final_lines() -> None:
    """Lines that are rewritten, moved over or erased appear once, in their last form."""
    screen = Screen()
    screen.feed("one\r\ntwo\x1b[?25l\r\x1b[2K\x1b[1A\x1b[32mONE\x1b[0m!\r\nthree")
    assert [line.plain for line in screen.lines()] == ["ONE!", "three"]


def test_unknown_sequence_is_an_error() -> None:
    """An unsupported sequence is not drawn wrongly."""
    with pytest.raises(ValueError, match="2 J"):
        Screen().feed("\x1b[2J")


def test_drawing_is_reproducible() -> None:
    """Only a change of the output changes the file."""
    lines = [prompt("gglib up")]
    assert draw(lines) == draw(lines)
