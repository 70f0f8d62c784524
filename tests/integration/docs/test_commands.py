"""Every command on the documentation's pages runs, in order, each page in a home of its own.

The engine is scripted and the models are tiny; addresses and keys are those of the test. A command that cannot be run
here has a marker with the reason (``tests/support/doc_pages.py``), and the number of these is bounded.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.doc_pages import Block, blocks_of, commands_of, foreign_programs

from .doc_machine import CommandError, Machine, User, require, shared_machine

ROOT = Path(__file__).resolve().parents[3]
PAGES = ("README.md", *sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").rglob("*.md")))
SHELL = "sh"
BEFORE = {
    "docs/access.md": ("gglib key new alice",),
    "docs/engines.md": ("export BOX_KEY=sk-…",),
    "docs/settings.md": ("gglib key new jobs",),
}
"""What a page assumes, as commands."""
NEWCOMER = ("README.md", "docs/index.md", "docs/tutorial/", "docs/how-to/")
"""Pages whose reader has one model."""


def blocks(page: str) -> list[Block]:
    """Return the blocks of a page."""
    return blocks_of(page, (ROOT / page).read_text(encoding="utf-8"))


def commands(page: str) -> list[tuple[int, str]]:
    """Return the commands of a page that are run, with the line of their block."""
    return [
        (block.line, command)
        for block in blocks(page)
        if block.language == SHELL
        for command in commands_of(block.text)
        if block.is_run(command)
    ]


WITH_COMMANDS = [page for page in PAGES if commands(page)]


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    """Yield the machine of all pages."""
    require("bash", "curl", "git")
    with shared_machine() as made:
        yield made


@pytest.mark.parametrize("page", WITH_COMMANDS)
def test_the_commands_of_a_page_run(machine: Machine, page: str) -> None:
    """All of them; what fails is listed with its line."""
    assert not [command for _, command in commands(page) if foreign_programs(command)], (
        "mark it, or it is really run"
    )
    user = User.new(machine, is_newcomer=page.startswith(NEWCOMER))
    failures = []
    try:
        for command in BEFORE.get(page, ()):
            user.run(command)
        user.serve("gglib serve")
        for line, command in commands(page):
            try:
                user.run(command)
            except CommandError as failure:
                failures.append(f"{page}:{line}: {failure.command}\n{failure.output}")
    finally:
        user.leave()
    assert not failures, "\n".join(failures)


def test_the_program_of_the_tutorial_runs(machine: Machine) -> None:
    """With OpenAI's own package, against a server."""
    page = "docs/tutorial/clients.md"
    (program,) = [block for block in blocks(page) if block.language == "python"]
    user = User.new(machine, is_newcomer=True)
    user.serve("gglib serve")
    try:
        (user.directory / "count.py").write_text(user.here(program.text))
        assert user.run("python count.py") == "t0 t1 t2 \n"
    finally:
        user.leave()


def test_a_command_that_fails_is_noticed(machine: Machine) -> None:
    """Also the first one of a pipe, and an error status of HTTP."""
    user = User.new(machine, is_newcomer=True)
    user.serve("gglib serve")
    try:
        for command in (
            "gglib show missing",
            "gglib show missing | cat",
            "curl http://127.0.0.1:8080/v1/models/missing",
            "missing-program",
        ):
            with pytest.raises(CommandError):
                user.run(command)
    finally:
        user.leave()
