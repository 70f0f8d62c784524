"""``gglib serve``: runs the server in the foreground."""

from typing import TYPE_CHECKING

import click

from gglib.cli.context import Options, server_options

if TYPE_CHECKING:
    from gglib.app.settings import Settings
    from gglib.app.settings.source import SettingsSource
    from gglib.cli.runner import DrainReporter


@click.command("serve")
@server_options
@click.pass_obj
def command(options: Options, /, **overrides: str | bool | None) -> None:
    """Serve the models in the catalogue until Ctrl-C.

    Prints the address, then one line per request; $GGLIB_HOME/logs/gglib.log has the same lines.
    Changes of config.toml take effect while it runs, where they can; SIGHUP and 'gglib reload' apply them at once.
    """
    import logging

    from gglib.app.file_limits import fit_to_machine
    from gglib.app.server import check_server_exposure
    from gglib.app.settings.source import SettingsSource
    from gglib.cli.log_files import start_logging
    from gglib.cli.runner import DrainReporter, run_in_foreground

    settings = options.settings(**overrides)
    check_server_exposure(settings)
    start_logging(settings.log_dir, stderr_level=logging.INFO)
    source = SettingsSource(lambda: fit_to_machine(options.settings(**overrides)), settings)
    drain = DrainReporter(lambda: source.latest.drain_s)
    run_in_foreground(
        _serve(fit_to_machine(settings), source, drain), drain, request_reload=source.reload_requested.set
    )


async def _serve(settings: "Settings", source: "SettingsSource", drain: "DrainReporter") -> None:
    from gglib.app.server import open_home, running_server
    from gglib.cli.engine_choice import choose_engine_async
    from gglib.cli.streams import ignore_output_errors
    from gglib.cli.terminal import warn_if_exposed
    from gglib.core.plain_text import escape_line
    from gglib.system.gc_tuning import tune_gc

    # Before the server listens: running the binary may take seconds.
    engine = await choose_engine_async(settings)
    async with (
        open_home(settings) as home,
        running_server(settings, home, engine, on_drain=drain, source=source) as server,
    ):
        with ignore_output_errors():  # a failed write to stdout does not stop the server
            click.echo(f"Listening on {server.url}")
            if server.ollama_url is not None:
                click.echo(f"For clients of Ollama: {server.ollama_url}")
            warn_if_exposed(settings)
            click.echo(f"Engine: {escape_line(engine.description)}")
        tune_gc()
        await server.wait()
