"""The user's editor."""

import stat
from pathlib import Path

import pytest

from gglib.cli.terminal.editor import edit_file, editor_command
from gglib.core.errors import GglibError


@pytest.mark.parametrize(
    ("environ", "words"),
    [
        ({"VISUAL": "code --wait", "EDITOR": "vim"}, ["code", "--wait"]),
        ({"VISUAL": " ", "EDITOR": "'/my editor' -f"}, ["/my editor", "-f"]),
        ({}, ["vi"]),
    ],
)
def test_the_editor_is_that_of_the_environment(environ: dict[str, str], words: list[str]) -> None:
    """With its arguments; ``VISUAL`` precedes ``EDITOR``."""
    assert editor_command(environ) == words


def test_an_editor_that_cannot_be_parsed_is_one_sentence() -> None:
    """It says which variable to set."""
    with pytest.raises(GglibError, match="set EDITOR"):
        editor_command({"EDITOR": "'vim"})


def editor_that(runs: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Set an editor that runs a line of shell with the file as ``$1``."""
    program = tmp_path / "editor"
    program.write_text(f"#!/bin/sh\n{runs}\n")
    program.chmod(0o755)
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.setenv("EDITOR", str(program))


def test_a_new_file_is_for_its_owner_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An editor that writes nothing leaves none."""
    path = tmp_path / "config.toml"
    editor_that("true", tmp_path, monkeypatch)
    assert not edit_file(path)
    assert not path.exists()
    editor_that('echo "port = 1" > "$1"', tmp_path, monkeypatch)
    assert edit_file(path)
    assert (path.read_text(), stat.S_IMODE(path.stat().st_mode)) == ("port = 1\n", 0o600)
    editor_that("true", tmp_path, monkeypatch)
    assert not edit_file(path)


def test_an_editor_that_fails_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also one that does not exist."""
    editor_that("exit 3", tmp_path, monkeypatch)
    with pytest.raises(GglibError, match="exit code 3"):
        edit_file(tmp_path / "config.toml")
    monkeypatch.setenv("EDITOR", str(tmp_path / "none"))
    with pytest.raises(GglibError, match="cannot be started"):
        edit_file(tmp_path / "config.toml")
    assert not (tmp_path / "config.toml").exists()
