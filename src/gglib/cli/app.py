"""The root command: global options, and commands that are imported when they are named."""

import importlib
import keyword
from typing import Any

import click

from gglib.cli.context import Options
from gglib.cli.errors import shown_errors
from gglib.core.version import __version__

COMMANDS = (
    *("up", "serve", "run"),
    *("search", "pull"),
    *("add", "import", "list", "show", "set", "rm", "prune", "verify", "outdated", "backup", "restore"),
    *("ps", "stop", "logs", "doctor"),
)
"""In the order in which a newcomer needs them."""


class LazyGroup(click.Group):
    """A group whose commands are the modules of ``gglib.cli.commands``; errors leave it as one sentence."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return the names in our order, not the alphabet's."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import the command's module and return its ``command``."""
        if cmd_name not in COMMANDS:
            return None
        module = f"{cmd_name}_" if keyword.iskeyword(cmd_name) else cmd_name
        command: click.Command = importlib.import_module(f"gglib.cli.commands.{module}").command
        return command

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - click's signature
        """Run the command behind the border where errors become sentences."""
        with shown_errors(ctx):
            return super().invoke(ctx)


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="gglib %(version)s")
@click.option("--home", metavar="DIR", help="Where gglib keeps everything. Default: $GGLIB_HOME.")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
@click.pass_context
def cli(ctx: click.Context, home: str | None, *, debug: bool) -> None:
    """One OpenAI-compatible address in front of every GGUF model on this machine.

    Start with 'gglib up'.
    """
    ctx.obj = Options(home=home, is_debug=debug)
