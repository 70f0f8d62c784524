"""``gglib launch``: starts a program that uses gglib."""

from typing import TYPE_CHECKING

import click

from gglib.cli.context import Options

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gglib.app.clients.client import Client, Program
    from gglib.cli.clients.target import Target


@click.command(
    "launch",
    # Short options are the client's, also clusters of them: without '-h' none is gglib's.
    context_settings={"ignore_unknown_options": True, "help_option_names": ["--help"]},
)
@click.option("--model", metavar="M", help="Model for the client. Default: as for a request without one.")
@click.option("--key-env", metavar="NAME", help="Variable with the access key, if the server requires one.")
@click.option("--dry-run", is_flag=True, help="Print the command, and start nothing.")
@click.argument("client", metavar="CLIENT", required=False)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@click.pass_obj
def command(  # noqa: PLR0913 - click passes each option
    options: Options,
    client: str | None,
    arguments: tuple[str, ...],
    *,
    model: str | None,
    key_env: str | None,
    dry_run: bool,
) -> None:
    """Start a program that uses gglib.

    CLIENT is claude, codex, opencode, qwen, pi, cline, aider, continue or llm. It gets the address, a model, its
    context and the key for this run only; its own settings stay as they are. ARGUMENTS are the program's; those that
    are options of gglib as well follow '--'.
    """
    import os

    from gglib.app.clients.table import LAUNCHED_NAMES, find_client
    from gglib.cli.clients.keys import require_variable
    from gglib.cli.clients.target import NO_SERVER, find_running_target
    from gglib.core.errors import GglibError

    if client is None:
        raise click.UsageError(f"Name a program: {', '.join(LAUNCHED_NAMES)}.")
    found = find_client(client, is_launched=True)
    assert found.program is not None  # noqa: S101 - of a client that is launched
    require_variable(key_env, os.environ)
    target = find_running_target(options, model, key_env)
    if target is None:
        raise GglibError(NO_SERVER)
    _warn(found, found.program, target)
    _launch(options, found, target, arguments, is_dry=dry_run)


def _warn(client: "Client", program: "Program", target: "Target") -> None:
    from gglib.cli.clients.model_choice import context_warning
    from gglib.cli.views import render

    connection = target.connection
    warning = context_warning(
        client.title, program.prompt_tokens, connection.model, connection.context, target.trained
    )
    if warning is not None:
        render.warn(warning)


def _launch(
    options: Options, client: "Client", target: "Target", arguments: "Sequence[str]", *, is_dry: bool
) -> None:
    import os

    from gglib.cli.clients import launching
    from gglib.cli.views import render

    program = client.program
    assert program is not None  # noqa: S101 - of a client that is launched
    launch = program.launch(target.connection, launching.files_directory(options.settings().home))
    if is_dry:
        for file in launch.files:
            render.show_verbatim(f"# {file.path}:")
            for line in file.content.splitlines():
                render.show_verbatim(f"#   {line}")
        reference = target.connection.key_as("$%s")
        render.show_verbatim(launching.command_line(launch, program, arguments, reference))
        return
    path = launching.find_executable(client, program)
    launching.write_files(launch.files)
    environment = launching.environment_of(launch, os.environ, target.key_value)
    launching.execute(path, (program.executable, *launch.arguments, *arguments), environment)
