"""The root command: global options, and lazily imported commands."""

import importlib
import keyword
import os
from typing import TYPE_CHECKING, Any

import click

from gglib.cli.context import Options
from gglib.cli.errors import error_boundary
from gglib.core.version import __version__

if TYPE_CHECKING:
    from gglib.core.addresses import Endpoint

GROUPS = {
    "start": ("up", "serve", "run"),
    "clients": ("connect", "launch"),
    "hub": ("search", "pull"),
    "models": (
        *(
            "add",
            "import",
            "list",
            "show",
            "set",
            "alias",
            "profile",
            "rm",
            "prune",
            "verify",
            "outdated",
            "backup",
            "restore",
        ),
    ),
    "running": ("ps", "load", "unload", "pin", "unpin", "stop", "reload", "logs", "doctor"),
}
"""Commands by subpackage of ``gglib.cli.commands``, in the order in which a newcomer needs them."""
COMMANDS = tuple(name for names in GROUPS.values() for name in names)
HEADINGS = {
    "start": "Start",
    "clients": "Connect other programs",
    "hub": "Find and download models",
    "models": "Manage local models",
    "running": "Load, inspect and stop",
}


SERVING_COMMANDS = frozenset(("up", "serve"))
"""For these, ``GGLIB_HOST`` is the address to listen on."""
REMOTE_COMMANDS = frozenset(
    (
        *("run", "connect", "launch", "search", "pull", "add", "list", "show", "set", "alias", "rm"),
        *("ps", "load", "unload", "pin", "unpin", "stop", "reload", "doctor"),
    )
)
"""The commands that work on a remote server. The others use the files and processes of this machine."""


class LazyGroup(click.Group):
    """A group whose commands are the modules of ``gglib.cli.commands``; shows errors as one sentence."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return the names in the order of ``COMMANDS``, not alphabetically."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import the command's module and return its ``command``."""
        package = next((package for package, names in GROUPS.items() if cmd_name in names), None)
        if package is None:
            return None
        module = f"{cmd_name}_" if keyword.iskeyword(cmd_name) else cmd_name
        command: click.Command = importlib.import_module(f"gglib.cli.commands.{package}.{module}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands in their groups."""
        for package, names in GROUPS.items():
            commands = [(name, self.get_command(ctx, name)) for name in names]
            width = formatter.width - max(map(len, COMMANDS)) - 6  # as click does
            rows = [(name, command.get_short_help_str(width)) for name, command in commands if command]
            with formatter.section(HEADINGS[package]):
                formatter.write_dl(rows)

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - click's signature
        """Run the command inside ``error_boundary``."""
        with error_boundary(ctx):
            return super().invoke(ctx)


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="gglib %(version)s")
@click.option("--home", metavar="DIR", help="Data directory of gglib. Default: $GGLIB_HOME.")
@click.option("--url", metavar="URL", help="Use the gglib of another machine. Default: $GGLIB_HOST.")
@click.option(
    "--key-env", metavar="NAME", help="Environment variable with its API key. Default: GGLIB_REMOTE_KEY."
)
@click.option("--debug", is_flag=True, help="Print the traceback of an error.")
@click.pass_context
def cli(ctx: click.Context, home: str | None, url: str | None, key_env: str | None, *, debug: bool) -> None:
    """Serve every GGUF model on this machine at one OpenAI-compatible address.

    Start with 'gglib up'.
    """
    remote = None
    if url is not None or key_env is not None or os.environ.get("GGLIB_HOST"):
        remote = _remote_server(ctx.invoked_subcommand or "", url, key_env)
    ctx.obj = Options(home=home, is_debug=debug, remote=remote, key_variable=key_env)


def _remote_server(command: str, url: str | None, key_env: str | None) -> "Endpoint | None":
    """Return the remote server, if one is named; warn of a key that others in the network can read.

    Raises ``InvalidSettingError`` for a command that has to be local.
    """
    from gglib.cli.remote.address import find_remote, plaintext_key_warning
    from gglib.core.errors import InvalidSettingError

    remote = find_remote(url, key_env, os.environ, listens=command in SERVING_COMMANDS)
    if remote is not None and command not in REMOTE_COMMANDS:
        raise InvalidSettingError(
            f"'gglib {command}' works only on the server's own machine: run it there, or leave out --url and "
            "GGLIB_HOST for this machine."
        )
    if remote is not None and (warning := plaintext_key_warning(remote)) is not None:
        click.echo(warning, err=True)
    return remote
