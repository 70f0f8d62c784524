"""Tables, colours and help pages in real terminals of 80, 100 and 140 columns, and in pipes."""

import asyncio
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from tests.support.terminal import terminal

from gglib.core.models import GgufFacts, ModelSource, NewModel
from gglib.db.catalog import SqliteCatalog

GGLIB = [sys.executable, "-m", "gglib"]
ESCAPE = "\x1b["
LONG = "DeepSeek-R1-Distill-Qwen-32B-Uncensored-Abliterated-i1-GGUF-of-a-very-long-name-UD-Q4_K_XL"
NAMES = ("smollm2-135m-instruct", "Qwen2.5-Coder-7B-Instruct-Q4_K_M", "7b")


async def _fill(home: Path, names: tuple[str, ...]) -> None:
    async with SqliteCatalog(home / "gglib.db") as catalog:
        for index, name in enumerate(names):
            await catalog.add_model(
                NewModel(
                    name=name,
                    paths=(home / f"{index}.gguf",),
                    size_bytes=4_683_000_000,
                    aliases=("coder", "gpt-4o-mini") if index == 1 else (),
                    source=ModelSource(repo="bartowski/Qwen2.5-Coder-7B-Instruct-GGUF", revision="a" * 40),
                    facts=GgufFacts(
                        architecture="qwen2",
                        parameter_count=7_615_616_512,
                        quantization="Q4_K_M",
                        trained_context=131_072,
                    ),
                )
            )


def environment(home: Path) -> dict[str, str]:
    """Return the environment of a command."""
    dropped = ("GGLIB_", "NO_COLOR", "FORCE_COLOR", "CLICOLOR", "COLUMNS", "LINES")
    kept = {key: value for key, value in os.environ.items() if not key.startswith(dropped)}
    return {**kept, "GGLIB_HOME": str(home)}


@pytest.fixture(scope="module")
def env(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """Return the environment of a home with three models."""
    home = tmp_path_factory.mktemp("home")
    asyncio.run(_fill(home, NAMES))
    return environment(home)


def shown(env: Mapping[str, str], columns: int, *words: str) -> list[str]:
    """Return the lines of a command in a terminal."""
    with terminal([*GGLIB, *words], env=env, columns=columns) as screen:
        assert screen.wait_for_exit() == 0
        return screen.text.splitlines()


@pytest.mark.parametrize(
    ("columns", "heading"),
    [
        (50, "NAME SIZE STATE"),
        (60, "ID NAME QUANT SIZE STATE"),
        (80, "ID NAME QUANT SIZE CONTEXT USED STATE"),
        (100, "ID NAME ARCHITECTURE PARAMS QUANT SIZE CONTEXT USED STATE"),
        (140, "ID NAME ALIASES ARCHITECTURE PARAMS QUANT SIZE CONTEXT USED STATE"),
    ],
)
def test_list_has_whole_names_and_the_columns_that_fit(
    env: Mapping[str, str], columns: int, heading: str
) -> None:
    """One line per model, which the terminal does not wrap."""
    first, *lines = shown(env, columns, "list")
    assert first.split() == heading.split()
    column = heading.split().index("NAME")
    assert [line.split()[column] for line in lines[: len(NAMES)]] == list(NAMES)
    assert "4.7 GB" in lines[0]


def test_name_that_is_wider_than_the_terminal_runs_on(tmp_path: Path) -> None:
    """Last in its line, without a break of gglib's, so that the terminal copies it as one word; its size is below."""
    asyncio.run(_fill(tmp_path, (LONG,)))
    with terminal([*GGLIB, "list"], env=environment(tmp_path), columns=80) as screen:
        screen.wait_for_exit()
    lines = screen.raw.decode().split("\r\n")
    assert f" 1  {LONG}" in lines
    assert "4.7 GB" in lines[lines.index(f" 1  {LONG}") + 1]


def test_pipe_has_all_columns_and_names_for_awk(env: Mapping[str, str]) -> None:
    """Each model in one line of any length, without colours."""
    done = subprocess.run([*GGLIB, "list"], env=env, capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    assert "ARCHITECTURE" in lines[0]
    assert [line.split()[1] for line in lines[1:]] == list(NAMES)
    assert ESCAPE not in done.stdout


@pytest.mark.parametrize(
    ("setting", "has_colours"),
    [
        ("X=1", True),
        ("NO_COLOR=1", False),
        ("TERM=dumb", False),
        ("CLICOLOR=0", False),
    ],
)
@pytest.mark.parametrize("words", [("list",), ("--help",), ("doctor",), ("load",)])
def test_terminal_has_colours_unless_they_are_refused(
    env: Mapping[str, str],
    words: tuple[str, ...],
    setting: str,
    has_colours: bool,  # noqa: FBT001
) -> None:
    """Tables, help, marks and errors obey the same variables."""
    with terminal(["env", setting, *GGLIB, *words], env=env) as screen:
        screen.wait_for_exit()
    assert (ESCAPE in screen.raw.decode()) is has_colours


def test_pipe_has_colours_on_demand(env: Mapping[str, str]) -> None:
    """For ``gglib list | less -R``; stderr has its own terminal, or none."""
    forced = {**env, "FORCE_COLOR": "1"}
    done = subprocess.run([*GGLIB, "list"], env=forced, capture_output=True, text=True, check=True)
    assert f"{ESCAPE}1mNAME" in done.stdout
    failed = subprocess.run(
        [*GGLIB, "show", "nothing"], env=forced, capture_output=True, text=True, check=False
    )
    assert failed.stderr.startswith(f"{ESCAPE}31m{ESCAPE}1mError:{ESCAPE}0m ")


@pytest.mark.parametrize("columns", [80, 100, 140])
def test_overview_fits_the_terminal(env: Mapping[str, str], columns: int) -> None:
    """Each command in one line, none cut; at most 80 columns wide, because long lines read badly."""
    lines = shown(env, columns, "--help")
    assert any(line.endswith("and those that only nodes have.") for line in lines)
    assert not [line for line in lines if line.endswith("...") and "Usage" not in line]
    assert max(map(len, lines)) <= 80


def test_gglib_alone_shows_how_to_begin(env: Mapping[str, str]) -> None:
    """Not an error, and short."""
    lines = shown(env, 80)
    assert len(lines) < 15
    assert "  gglib up                 set up, start, and test that a model answers" in lines


def test_errors_and_fields_are_wrapped_between_words(env: Mapping[str, str]) -> None:
    """Of every command: a terminal would break a word at its edge, and commands could not be copied."""
    misspelt = {**env, "GGLIB_MAX_MODLES": "3"}
    for words in (("list",), ("show", "nothing"), ("doctor",)):
        with terminal([*GGLIB, *words], env=misspelt, columns=60) as screen:
            screen.wait_for_exit()
        printed = screen.raw.decode().split("\r\n")
        plain = [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in printed]
        long = [line for line in plain if len(line) > 60]
        assert not [line for line in long if " " in line.strip() and "gglib " not in line], words
