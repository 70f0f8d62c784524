"""The root command: global options, and lazily imported commands."""

import importlib
import keyword
from typing import Any

import click

from gglib.cli.context import Options
from gglib.cli.errors import error_boundary
from gglib.core.version import __version__

GROUPS = {
    "start": ("up", "serve", "run"),
    "hub": ("search", "pull"),
    "models": (
        *(
            "add",
            "import",
            "list",
            "show",
            "set",
            "profile",
            "rm",
            "prune",
            "verify",
            "outdated",
            "backup",
            "restore",
        ),
    ),
    "running": ("ps", "load", "unload", "pin", "unpin", "stop", "logs", "doctor"),
}
"""Commands by subpackage of ``gglib.cli.commands``, in the order in which a newcomer needs them."""
COMMANDS = tuple(name for names in GROUPS.values() for name in names)
HEADINGS = {
    "start": "Start",
    "hub": "Find and download models",
    "models": "Manage local models",
    "running": "Load, inspect and stop",
}


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
@click.option("--debug", is_flag=True, help="Print the traceback of an error.")
@click.pass_context
def cli(ctx: click.Context, home: str | None, *, debug: bool) -> None:
    """Serve every GGUF model on this machine at one OpenAI-compatible address.

    Start with 'gglib up'.
    """
    ctx.obj = Options(home=home, is_debug=debug)
