"""``gglib list``: lists the models in the catalogue."""

from typing import TYPE_CHECKING

import click

from gglib.cli.context import Options

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from gglib.app.settings import Settings
    from gglib.core.models import ModelSummary
    from gglib.core.ports.store import HomeStorePort
    from gglib.core.versions import Version

NODES = "NODES"
"""Only if the server has nodes."""
COLUMNS = (
    *("ID", "NAME", "ALIASES", "ARCHITECTURE", "PARAMS", "QUANT", "SIZE", "CONTEXT"),
    *("SOURCE", "USED", "STATE", NODES),
)
DROPPABLE = (
    *("ARCHITECTURE", "SOURCE", "ALIASES", "PARAMS", "CONTEXT", "ID", "USED", "QUANT"),
    *(NODES, "STATE", "SIZE"),
)
"""Omitted in this order where the names leave no room for them."""


@click.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def command(options: Options, *, as_json: bool) -> None:
    """List the models of the catalogue, and those that only nodes have.

    The last line shows the disk space in use, and the share of files that gglib downloaded. A narrow
    terminal hides columns, never parts of a name; '--json' prints all fields.
    """
    from gglib.cli.server.instance import model_states
    from gglib.cli.server.models import list_models
    from gglib.cli.sessions import with_catalog
    from gglib.cli.views import render
    from gglib.proxy.names.alias_table import lists_by_model
    from gglib.proxy.names.aliases import AliasLists

    if options.remote is not None:
        _show_listed(list_models(options.remote), as_json=as_json)
        return
    settings = options.tolerant_settings()
    models, versions = with_catalog(settings, _models_and_versions)
    listed = _listed_by_front(settings)
    if listed is not None:
        _show_listed(listed, as_json=as_json)
        if models and not as_json:
            _show_disk_use(models, versions)
        return
    states = model_states(settings)
    lists = lists_by_model(models, AliasLists(settings.aliases))
    if as_json:
        from gglib.proxy.routes.responses import Model

        render.show_json(
            [Model.of(model, states.get(model.id), alias_lists=lists[model.id]) for model in models]
        )
        return
    _show_models(models, states, lists)
    if models:
        _show_disk_use(models, versions)


def _show_disk_use(models: "Sequence[ModelSummary]", versions: "Sequence[Version]") -> None:
    """Show below the list what the models take on the disk, and which of them have lost files."""
    from gglib.cli.views import local_models, render
    from gglib.library.disk_use import disk_use
    from gglib.library.file_state import FileState, file_state

    render.show_note(local_models.format_disk_use(disk_use(models, versions)))
    lost = [
        model.name for model in models if any(file_state(path) is FileState.GONE for path in model.all_files)
    ]
    if lost:
        render.show_note(local_models.format_missing(lost))


def _listed_by_front(settings: "Settings") -> "list[dict[str, Any]] | None":
    """Return the models of the running server and of its nodes; None if none runs with nodes."""
    from contextlib import suppress

    from gglib.cli.server.models import list_models
    from gglib.cli.server.nodes import front_of
    from gglib.core.errors import GglibError

    with suppress(GglibError):
        server = front_of(settings)
        return None if server is None else list_models(server)
    return None


def _show_listed(models: "Sequence[Mapping[str, Any]]", *, as_json: bool) -> None:
    """Show models as a server lists them."""
    from gglib.cli.remote.decode import model_of
    from gglib.cli.views import model_list, render
    from gglib.cli.views.nodes import copies_text

    if as_json:
        render.show_json(models)
        return
    states = {model["id"]: state for model in models if (state := model_list.shown_state(model)) is not None}
    lists = {model["id"]: tuple(model.get("alias_lists", ())) for model in models}
    nodes = {model["id"]: copies_text(model["nodes"]) for model in models if model.get("nodes")}
    _show_models([model_of(model) for model in models], states, lists, nodes)


def _show_models(
    models: "Sequence[ModelSummary]",
    states: "Mapping[int, str]",
    alias_lists: "Mapping[int, tuple[str, ...]]",
    nodes: "Mapping[int, str] | None" = None,
) -> None:
    import time

    from gglib.cli.views import model_list, render

    if not models:
        render.show_note(
            "No models yet. 'gglib up' downloads a starter model, 'gglib search' finds others, "
            "'gglib add FILE' adds a local file."
        )
    else:
        now = time.time()
        columns = COLUMNS if nodes else COLUMNS[:-1]
        render.show_table(
            columns,
            [
                (
                    str(model.id) if model.id > 0 else "-",
                    model.name,
                    ", ".join((*model.aliases, *alias_lists[model.id])) or "-",
                    render.text(model.architecture),
                    render.count(model.parameter_count),
                    render.text(model.quantization),
                    model_list.format_model_size(model),
                    model_list.format_context(model),
                    render.text(model_list.format_source(model)),
                    render.ago(None if model.last_used_at is None else now - model.last_used_at),
                    states.get(model.id, "-"),
                    (nodes or {}).get(model.id, "-"),
                )[: len(columns)]
                for model in models
            ],
            droppable=DROPPABLE,
            spilled="NAME",
            styles={"STATE": render.STATE_STYLES},
        )


async def _models_and_versions(store: "HomeStorePort") -> "tuple[list[ModelSummary], list[Version]]":
    return await store.list_models(), await store.list_versions()
