"""How a client is started: its environment, its files, and the command of a dry run."""

import shlex
import stat
from pathlib import Path

import pytest

from gglib.app.clients.client import Launch, LaunchFile, Program
from gglib.app.clients.table import find_client
from gglib.cli.clients.launching import command_line, environment_of, execute, find_executable, write_files
from gglib.cli.clients.places import places, shown_path
from gglib.core.errors import GglibError

LAUNCH = Launch(
    environment={"URL": "http://h/v1", "MODEL": "it's"},
    key_variables=("TOKEN",),
    removed=("SECRET", "OTHER"),
    arguments=("--model", "a b"),
)
PROGRAM = Program(executable="agent", install="", launch=lambda *_: LAUNCH)


def test_the_environment_is_the_users_with_the_launch_over_it() -> None:
    """Without the variables of other services; a server without keys gets a dummy."""
    environ = {"PATH": "/bin", "MODEL": "mine", "SECRET": "s"}
    assert environment_of(LAUNCH, environ, "k") == {
        "PATH": "/bin",
        "MODEL": "it's",
        "URL": "http://h/v1",
        "TOKEN": "k",
    }
    assert environment_of(LAUNCH, environ, None)["TOKEN"] == "gglib"


def test_the_command_of_a_dry_run_is_one_for_a_shell() -> None:
    """With a reference to the key, which the shell expands."""
    line = command_line(LAUNCH, PROGRAM, ("-p", 'say "hi"'), "$KEY")
    words = shlex.split(line.replace("\\\n", " "))
    assert words == [
        *("env", "-u", "SECRET", "-u", "OTHER", "URL=http://h/v1", "MODEL=it's", "TOKEN=$KEY"),
        *("agent", "--model", "a b", "-p", 'say "hi"'),
    ]
    assert 'TOKEN="$KEY"' in line
    assert command_line(Launch(), PROGRAM, (), "").split() == ["env", "\\", "agent"]


def test_files_are_for_the_owner_and_replaced(tmp_path: Path) -> None:
    """In directories of their own."""
    path = tmp_path / "clients" / "llm" / "m.yaml"
    for content in ("1", "2"):
        write_files([LaunchFile(path=path, content=content)])
        assert path.read_text() == content
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_missing_program_names_the_command_that_installs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One sentence; a program on the PATH is found."""
    client = find_client("continue")
    assert client.program is not None
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(
        GglibError, match=r"'cn' is not on the PATH\. 'npm install -g @continuedev/cli' installs"
    ):
        find_executable(client, client.program)
    (tmp_path / "cn").touch(mode=0o700)
    assert find_executable(client, client.program) == str(tmp_path / "cn")


def test_a_program_that_cannot_be_run_is_an_error(tmp_path: Path) -> None:
    """The file is no program, or a value has a NUL."""
    program = tmp_path / "cn"
    program.write_text("no program")
    program.chmod(0o700)
    with pytest.raises(GglibError, match=f"{program} cannot be started"):
        execute(str(program), ["cn"], {})
    with pytest.raises(GglibError, match="cannot be started"):
        execute(str(program), ["c\0n"], {})


def test_paths_are_shown_as_users_write_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """With ``~`` for the home; other places and dialogs stay."""
    monkeypatch.setenv("HOME", "/home/ada")
    assert places().home == Path("/home/ada")
    assert shown_path("/home/ada/.codex/x") == "~/.codex/x"
    assert shown_path("/home/adam/x") == "/home/adam/x"
    assert shown_path("Settings > Models") == "Settings > Models"
