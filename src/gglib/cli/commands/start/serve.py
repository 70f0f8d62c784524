"""``gglib serve``: the proxy in the foreground, nothing else."""

from typing import TYPE_CHECKING

import click

from gglib.cli.context import Options, server_options

if TYPE_CHECKING:
    from gglib.app.settings import Settings
    from gglib.cli.runner import Drain


@click.command("serve")
@server_options
@click.pass_obj
def command(options: Options, /, **overrides: str | bool | None) -> None:
    """Serve the models of the catalogue until Ctrl-C.

    The address comes first; then a line for each request, which $GGLIB_HOME/logs/gglib.log keeps, too.
    """
    import logging

    from gglib.app.file_limits import fit_to_machine
    from gglib.app.server import refuse_to_be_open
    from gglib.cli.log_files import start_logging
    from gglib.cli.runner import Drain, run_in_foreground

    settings = options.settings(**overrides)
    refuse_to_be_open(settings)
    start_logging(settings.log_dir, stderr_level=logging.INFO)
    drain = Drain(settings.drain_s)
    run_in_foreground(_serve(fit_to_machine(settings), drain), drain)


async def _serve(settings: "Settings", drain: "Drain") -> None:
    from gglib.app.server import claimed_home, running_server
    from gglib.cli.engine_choice import engine_chosen
    from gglib.cli.streams import output_is_optional
    from gglib.cli.terminal import warn_if_open
    from gglib.core.plain_text import escape_line
    from gglib.system.gc_tuning import settle_collector

    engine = await engine_chosen(settings)  # asks the binary, which may take seconds: not while requests wait
    async with (
        claimed_home(settings) as home,
        running_server(settings, home, engine, on_drain=drain) as server,
    ):
        with output_is_optional():  # it serves also where this cannot be printed
            click.echo(f"Listening on {server.url}")
            warn_if_open(settings)
            click.echo(f"Engine: {escape_line(engine.description)}")
        settle_collector()
        await server.supervisor.wait()
