"""The root command: global options, and lazily imported commands."""

import importlib
import keyword
import os
from typing import TYPE_CHECKING, Any

import click

from gglib.cli.command_names import (
    COMMANDS,
    GROUPS,
    HEADINGS,
    HIDDEN_COMMANDS,
    REMOTE_COMMANDS,
    SERVING_COMMANDS,
)
from gglib.cli.context import Options
from gglib.cli.errors import error_boundary, exit_on_click_errors
from gglib.cli.help.hints import use_options
from gglib.cli.help.pages import EXAMPLES, START_PAGE, HelpGroup, with_help_style
from gglib.cli.help.synonyms import SYNONYMS, synonyms_of, unknown_command
from gglib.core.version import __version__

if TYPE_CHECKING:
    from gglib.core.addresses import Endpoint


class LazyGroup(HelpGroup):
    """A group whose commands are the modules of ``gglib.cli.commands``; shows errors as one sentence."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return the names in the order of ``COMMANDS``, not alphabetically."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import the module of the command, or of the one that has this synonym, and return its ``command``."""
        name = SYNONYMS.get(cmd_name, cmd_name)
        package = next((f".{package}" for package, names in GROUPS.items() if name in names), None)
        if package is None and name not in HIDDEN_COMMANDS:
            return None
        module = f"{name}_" if keyword.iskeyword(name) else name
        command: click.Command = importlib.import_module(
            f"gglib.cli.commands{package or ''}.{module}"
        ).command
        return with_help_style(command, EXAMPLES.get(name, ()), synonyms_of(name))

    def unknown_command_message(self, ctx: click.Context, word: str) -> str:  # noqa: ARG002 - the base's signature
        """Return the message for an unknown word, which may be a command of another program."""
        return unknown_command(word, (*COMMANDS, *HIDDEN_COMMANDS, *SYNONYMS))

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands in their groups."""
        for package, names in GROUPS.items():
            self.write_commands(HEADINGS[package], names, ctx, formatter)

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,  # noqa: ANN401 - click's signature
    ) -> click.Context:
        """Parse the global options; a mistake in them is shown as those of commands are."""
        with exit_on_click_errors():
            return super().make_context(info_name, args, parent, **extra)

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - click's signature
        """Run the command inside ``error_boundary``."""
        with error_boundary(ctx):
            try:
                return super().invoke(ctx)
            except click.NoSuchOption as error:
                raise self._misplaced(ctx, error) or error from None

    def _misplaced(self, ctx: click.Context, error: click.NoSuchOption) -> click.UsageError | None:
        """Return the error for an option of gglib that follows the command; None for other options."""
        for option in self.get_params(ctx):
            if error.option_name in option.opts and error.ctx is not None:
                command = error.ctx.command_path.removeprefix(ctx.command_path)
                words = ("gglib", error.option_name, option.metavar, command.strip(), "…")
                text = f"{error.option_name} precedes the command: {' '.join(filter(None, words))}"
                return click.UsageError(text, error.ctx)
        return None


@click.group(
    cls=LazyGroup, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]}
)
@click.version_option(__version__, message="gglib %(version)s")
@click.option("--home", metavar="DIR", help="Data directory of gglib. Default: $GGLIB_HOME.")
@click.option("--url", metavar="URL", help="Use the gglib of another machine. Default: $GGLIB_HOST.")
@click.option(
    "--key-env", metavar="NAME", help="Environment variable with its API key. Default: GGLIB_REMOTE_KEY."
)
@click.option(
    "--ca",
    metavar="FILE",
    help="Certificates that are trusted for its https URL, in PEM. Default: $GGLIB_CA.",
)
@click.option("--debug", is_flag=True, help="Print the traceback of an error.")
@click.pass_context
def cli(  # noqa: PLR0913 - the global options
    ctx: click.Context, home: str | None, url: str | None, key_env: str | None, ca: str | None, *, debug: bool
) -> None:
    """Serve every GGUF model on this machine at one OpenAI-compatible address.

    Start with 'gglib up'.
    """
    use_options(home=home, url=url, key_env=key_env, ca=ca)
    if ctx.invoked_subcommand is None:
        click.echo(START_PAGE, nl=False)
        return
    remote = None
    is_remote = any(given is not None for given in (url, key_env, ca)) or os.environ.get("GGLIB_HOST")
    if is_remote and ctx.invoked_subcommand not in HIDDEN_COMMANDS:
        remote = _remote_server(ctx.invoked_subcommand or "", url, key_env, ca)
    ctx.obj = Options(home=home, is_debug=debug, remote=remote, key_variable=key_env)


def _remote_server(command: str, url: str | None, key_env: str | None, ca: str | None) -> "Endpoint | None":
    """Return the remote server, if one is named; warn of a key that others in the network can read.

    Raises ``InvalidSettingError`` for a command that has to be local.
    """
    from gglib.app.settings.loading import unknown_variables
    from gglib.cli.remote.address import find_remote, plaintext_key_warning
    from gglib.cli.views import render
    from gglib.core.errors import InvalidSettingError

    remote = find_remote(url, key_env, os.environ, listens=command in SERVING_COMMANDS, ca_file=ca)
    if remote is not None and command not in REMOTE_COMMANDS:
        raise InvalidSettingError(
            f"'gglib {command}' works only on the server's own machine: run it there, or leave out --url and "
            "GGLIB_HOST for this machine."
        )
    if remote is None:
        return None
    if (warning := plaintext_key_warning(remote, os.environ)) is not None:
        render.echo(warning, is_error=True)
    for warning in unknown_variables(os.environ):  # commands on a remote server load no settings
        render.warn(warning)
    return remote
