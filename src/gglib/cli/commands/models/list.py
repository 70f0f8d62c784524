"""``gglib list``: lists the models in the catalogue."""

from typing import TYPE_CHECKING

import click

from gglib.cli.context import Options

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gglib.core.addresses import Endpoint
    from gglib.core.models import ModelSummary
    from gglib.core.ports.store import HomeStorePort
    from gglib.core.versions import Version

COLUMNS = (
    *("ID", "NAME", "ALIASES", "ARCHITECTURE", "PARAMS", "QUANT", "SIZE", "CONTEXT"),
    *("SOURCE", "USED", "STATE"),
)
DROPPABLE = (
    *("ARCHITECTURE", "SOURCE", "ALIASES", "PARAMS", "CONTEXT", "ID", "USED", "QUANT"),
    *("STATE", "SIZE"),
)
"""Omitted in this order where the names leave no room for them."""


@click.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def command(options: Options, *, as_json: bool) -> None:
    """List the models of the catalogue.

    The last line shows the disk space in use, and the share of files that gglib downloaded. A narrow
    terminal hides columns, never parts of a name; '--json' prints all fields.
    """
    from gglib.cli.server.instance import model_states
    from gglib.cli.sessions import with_catalog
    from gglib.cli.views import local_models, render
    from gglib.library.disk_use import disk_use
    from gglib.proxy.names.alias_table import lists_by_model
    from gglib.proxy.names.aliases import AliasLists

    if options.remote is not None:
        _list_remote(options.remote, as_json=as_json)
        return
    settings = options.tolerant_settings()
    models, versions = with_catalog(settings, _models_and_versions)
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
        render.show_note(local_models.format_disk_use(disk_use(models, versions)))


def _list_remote(server: "Endpoint", *, as_json: bool) -> None:
    from gglib.cli.remote.decode import model_of
    from gglib.cli.server.models import list_models
    from gglib.cli.views import render

    models = list_models(server)
    if as_json:
        render.show_json(models)
        return
    states = {model["id"]: model["state"] for model in models if model["state"] is not None}
    lists = {model["id"]: tuple(model.get("alias_lists", ())) for model in models}
    _show_models([model_of(model) for model in models], states, lists)


def _show_models(
    models: "Sequence[ModelSummary]",
    states: "Mapping[int, str]",
    alias_lists: "Mapping[int, tuple[str, ...]]",
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
        render.show_table(
            COLUMNS,
            [
                (
                    str(model.id),
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
                )
                for model in models
            ],
            droppable=DROPPABLE,
            spilled="NAME",
            styles={"STATE": render.STATE_STYLES},
        )


async def _models_and_versions(store: "HomeStorePort") -> "tuple[list[ModelSummary], list[Version]]":
    return await store.list_models(), await store.list_versions()
