"""The frame of the command line: help, lazy imports, errors and exit codes."""

import errno
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from gglib import __version__
from gglib.app.settings import SETTINGS
from gglib.cli.app import cli
from gglib.cli.command_names import COMMANDS
from gglib.cli.context import Options
from gglib.cli.errors import error_boundary
from gglib.core.errors import GglibError


def test_help_lists_every_command_with_a_sentence_that_fits() -> None:
    """The overview names all commands, and no first line is cut."""
    result = CliRunner().invoke(cli, ["--help"])
    assert result.exit_code == 0
    for name in COMMANDS:
        assert f"\n  {name} " in result.stdout
    assert "..." not in result.stdout.partition("Commands:")[2]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(name: str) -> None:
    """Each command has help that starts with a sentence, and each of its options is described."""
    result = CliRunner().invoke(cli, [name, "--help"])
    assert result.exit_code == 0
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    assert command.name == name
    assert (command.help or "").split("\n")[0].endswith(".")
    assert all(option.help for option in command.params if isinstance(option, click.Option))


def test_options_of_a_server_are_settings() -> None:
    """The options of serve are those of config.toml and the environment, under the same names."""
    command = cli.get_command(click.Context(cli), "serve")
    assert command is not None
    options = {parameter.name for parameter in command.params}
    assert options <= {spec.key for spec in SETTINGS}
    assert {"host", "port", "ctx"} <= options


def test_help_imports_no_slow_module() -> None:
    """An overview needs no event loop, no database, no HTTP and no tables, which keeps it quick."""
    code = (
        "import sys; from gglib.cli.app import cli; cli.main(['--help'], standalone_mode=False);"
        "slow = ('asyncio', 'sqlite3', 'rich', 'gglib.proxy', 'http.client', 'logging');"
        "print([m for m in slow if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_version_is_that_of_the_package() -> None:
    """``--version`` prints the installed version."""
    assert CliRunner().invoke(cli, ["--version"]).stdout == f"gglib {__version__}\n"


def test_unknown_command_is_a_usage_error() -> None:
    """A misspelt command exits with 2, as shells expect."""
    result = CliRunner().invoke(cli, ["serv"])
    assert result.exit_code == 2
    assert "Unknown command 'serv'. Did you mean 'serve' or 'service'?" in result.stderr


def failing(error: BaseException, home: Path, *, is_debug: bool = False) -> click.testing.Result:
    """Run a command that raises ``error`` inside the error handler."""

    @click.command()
    @click.pass_context
    def command(ctx: click.Context) -> None:
        with error_boundary(ctx):
            raise error

    return CliRunner().invoke(command, obj=Options(home=str(home), is_debug=is_debug))


def test_expected_error_is_one_sentence(tmp_path: Path) -> None:
    """One line on stderr, exit code 1, no traceback, unless requested."""
    result = failing(GglibError("It is so."), tmp_path)
    assert (result.exit_code, result.stderr, result.stdout) == (1, "Error: It is so.\n", "")
    assert "Traceback" in failing(GglibError("It is so."), tmp_path, is_debug=True).stderr


def test_unexpected_error_names_the_file_of_its_traceback(tmp_path: Path) -> None:
    """A bug is one line too, and its traceback is kept for a report."""
    result = failing(ZeroDivisionError("oops"), tmp_path)
    path = tmp_path / "logs" / "last-crash.log"
    assert result.exit_code == 1
    assert len(result.stderr.splitlines()) == 1
    assert "ZeroDivisionError: oops" in result.stderr
    assert str(path) in result.stderr
    assert "Traceback" in path.read_text()


def test_traceback_that_does_not_fit_on_the_disk_leaves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a full disk the file is created, but not its content: then there is no report."""

    def fill_up(path: Path, *_: object, **__: object) -> None:
        path.touch()
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_text", fill_up)
    assert "gglib --debug" in failing(ZeroDivisionError("oops"), tmp_path).stderr
    assert not (tmp_path / "logs" / "last-crash.log").exists()


def test_interruption_exits_with_130(tmp_path: Path) -> None:
    """Ctrl-C is no error: no sentence, exit code 130."""
    result = failing(KeyboardInterrupt(), tmp_path)
    assert result.exit_code == 130
    assert "Error" not in result.stderr
