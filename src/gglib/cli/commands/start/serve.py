"""``gglib serve``: runs the server in the foreground."""

from typing import TYPE_CHECKING

import click

from gglib.cli.context import Options, server_options

if TYPE_CHECKING:
    from gglib.app.serving.listeners import Listeners
    from gglib.app.serving.server import Server
    from gglib.app.serving.service_notices import ServiceNotices
    from gglib.app.settings import Settings
    from gglib.app.settings.source import SettingsSource
    from gglib.cli.serving.foreground import DrainReporter


@click.command("serve")
@server_options
@click.pass_obj
def command(options: Options, /, **overrides: str | bool | None) -> None:
    """Serve the models in the catalogue until Ctrl-C.

    Prints the address, then one line per request; $GGLIB_HOME/logs/gglib.log has the same lines.
    Changes of config.toml take effect while it runs, where they can; SIGHUP and 'gglib reload' apply them at once.
    """
    import os
    from functools import partial

    from gglib.app.service.plan import DEFAULT_DRAIN_S
    from gglib.app.serving.busy_port import require_free_ports
    from gglib.app.serving.file_limits import fit_to_machine
    from gglib.app.serving.listeners import take_over
    from gglib.app.serving.live_parts import check_server_certificate, check_server_exposure
    from gglib.app.serving.service_notices import ServiceNotices
    from gglib.app.serving.stop_requests import take_announced_stop
    from gglib.app.settings import with_defaults
    from gglib.app.settings.source import SettingsSource
    from gglib.cli.server.instance import find_instance
    from gglib.cli.serving.announcements import server_announcer
    from gglib.cli.serving.foreground import DrainReporter, run_in_foreground
    from gglib.cli.serving.log_files import start_logging

    notifier, listeners = take_over(os.environ, os.getpid())
    defaults = {} if notifier.address is None else {"drain_s": DEFAULT_DRAIN_S}

    def load() -> "Settings":
        return listeners.applied_to(with_defaults(options.load(**overrides), defaults))

    settings = load()  # its warnings are in the format of the log
    if find_instance(settings) is None:  # else the lock of the home names the other server
        # First: a key would not help with the address of another machine.
        require_free_ports(
            settings, "serve", has_main=listeners.has_main_address, has_ollama=bool(listeners.ollama)
        )
    check_server_exposure(settings, listeners.hosts)
    check_server_certificate(settings)
    start_logging(settings.log_dir, level=settings.log_level, log_format=settings.log_format)
    announce = server_announcer(settings.log_format)
    source = SettingsSource(lambda: fit_to_machine(load()), settings)
    drain = DrainReporter(lambda: source.latest.drain_s, announce)
    run_in_foreground(
        _serve(fit_to_machine(settings), source, drain, listeners, ServiceNotices(notifier)),
        drain,
        request_reload=source.reload_requested.set,
        was_requested=partial(take_announced_stop, settings.run_dir, os.getpid()),
        announce=announce,
    )
    announce("Stopped.")


async def _serve(
    settings: "Settings",
    source: "SettingsSource",
    drain: "DrainReporter",
    listeners: "Listeners",
    notices: "ServiceNotices",
) -> None:
    from gglib.app.serving.open_home import open_home
    from gglib.app.serving.server import running_server
    from gglib.cli.serving.engine_choice import choose_engine_async
    from gglib.system.gc_tuning import tuned_gc

    # Before the server listens: running the binary may take seconds.
    engine = await choose_engine_async(settings, prints_warning=False)  # the log goes to stderr, too
    async with (
        notices.watchdog(),
        open_home(settings) as home,
        running_server(
            settings, home, engine, on_drain=drain, source=source, listeners=listeners, notices=notices
        ) as server,
    ):
        _announce_start(settings, server, engine.description)
        if not await home.catalog.list_models():
            _announce_empty_catalog(settings)
        async with tuned_gc():
            await server.wait()


def _announce_start(settings: "Settings", server: "Server", engine: str) -> None:
    """Print the addresses and the engine to stdout, and warnings to stderr; with JSON, all of it to the log."""
    import logging

    from gglib.cli.serving.announcements import result_announcer
    from gglib.cli.serving.exposure import exposure_warnings, warn_if_exposed
    from gglib.cli.serving.network import network_address_lines
    from gglib.cli.views import render
    from gglib.core.log_lines import JSON

    announce = result_announcer(settings.log_format)
    announce(f"Listening on {server.url}")
    announce(f"Page: {server.url}/")
    if server.ollama_url is not None:
        announce(f"For clients of Ollama: {server.ollama_url}")
    for url in server.other_urls:
        announce(f"Also: {url}")
    if settings.log_format == JSON:
        for warning in (*exposure_warnings(settings), *settings.warnings):
            logging.getLogger("gglib").warning("%s", warning)
    else:
        warn_if_exposed(settings)
        for warning in settings.warnings:
            render.warn(warning)
    for line in network_address_lines(settings, server):
        announce(line)
    announce(f"Engine: {engine}")


def _announce_empty_catalog(settings: "Settings") -> None:
    """Print what to type where no request can be served yet."""
    from gglib.cli.serving.announcements import result_announcer

    result_announcer(settings.log_format)(
        "No models yet: 'gglib pull' lists first models, 'gglib add FILE' adds a local file, also while gglib runs."
    )
