"""``gglib show``: shows the details of a model, or of a repository on the hub."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from gglib.cli.context import Options

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from typing import Any

    from gglib.app.settings import Settings
    from gglib.core.addresses import Endpoint
    from gglib.core.hub.search_results import RepositoryResult
    from gglib.core.models import ModelSummary
    from gglib.core.ports.store import HomeStorePort
    from gglib.core.profiles import Profile
    from gglib.core.versions import Version

_LABEL_WIDTH = 14
_KEPT = {True: "yes, while it is not in memory", False: "no", None: None}
_WRAPPED = ("Description", "Aliases", "Alias lists", "Nodes", "Profiles", "Capabilities")


@dataclass(frozen=True, slots=True, kw_only=True)
class _ModelDetails:
    """A model of the catalogue with its context for display."""

    model: "ModelSummary"
    models: "Sequence[ModelSummary]"
    version: "Version | None"
    profiles: "Sequence[Profile]"
    alias_lists: tuple[str, ...]
    """The alias lists and patterns of the settings that name it."""


@click.command("show")
@click.argument("model")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def command(options: Options, model: str, *, as_json: bool) -> None:
    """Show the details of a model.

    MODEL is a model in the catalogue, or owner/name of a Hugging Face repository, whose files are listed.
    """
    from gglib.cli.sessions import with_catalog
    from gglib.core.errors import ModelNotFoundError

    if options.remote is not None:
        _show_remote(options.remote, model, as_json=as_json)
        return
    settings = options.tolerant_settings()
    try:
        found = with_catalog(settings, lambda store: _find_details(store, model, settings))
    except ModelNotFoundError:
        elsewhere = _shown_by_front(settings, model)
        if elsewhere is None:
            raise
        _show_listed(elsewhere, as_json=as_json)
        return
    if found is not None:
        _show_model(settings, found, as_json=as_json)
    elif (elsewhere := _shown_by_front(settings, model)) is not None:
        _show_listed(elsewhere, as_json=as_json)
    else:
        _show_repository(settings, model, as_json=as_json)


async def _find_details(store: "HomeStorePort", name: str, settings: "Settings") -> _ModelDetails | None:
    """Return the model of the catalogue; None for a name that can only be a repository."""
    from gglib.cli.models.typed_names import require_typed_model
    from gglib.core.profiles import profiles_of
    from gglib.proxy.names.alias_table import lists_by_model
    from gglib.proxy.names.aliases import AliasLists

    if "/" in name and await store.resolve_model(name) is None:
        return None
    model = await require_typed_model(store, name, settings.aliases)
    models, versions = await store.list_models(), await store.list_versions()
    return _ModelDetails(
        model=model,
        models=models,
        alias_lists=lists_by_model(models, AliasLists(settings.aliases)).get(model.id, ()),
        version=next((version for version in versions if version.id == model.version_id), None),
        profiles=profiles_of(model, await store.list_profiles()),
    )


def _show_remote(server: "Endpoint", name: str, *, as_json: bool) -> None:
    from gglib.cli.remote import commands, decode
    from gglib.cli.views import render
    from gglib.library.variants.pull_target import read_target

    model = commands.find_model(server, name)
    if model is not None:
        _show_listed(model, as_json=as_json)
    else:
        target = read_target(name)
        repository = commands.show_repository(server, target.repo or name, target.revision)
        if as_json:
            render.show_json(repository)
        else:
            _print_repository(decode.repository_of(repository, target.revision))


def _shown_by_front(settings: "Settings", name: str) -> "Mapping[str, Any] | None":
    """Return a model as the running server shows it; None if none runs with nodes, or no node has the model."""
    from contextlib import suppress

    from gglib.cli.server.models import show_model
    from gglib.cli.server.nodes import front_of
    from gglib.core.errors import GglibError

    with suppress(GglibError):
        server = front_of(settings)
        return None if server is None else show_model(server, name)
    return None


def _show_listed(model: "Mapping[str, Any]", *, as_json: bool) -> None:
    """Show a model as a server shows it."""
    from gglib.cli.remote.decode import model_of
    from gglib.cli.views import render
    from gglib.cli.views.model_list import shown_state

    if as_json:
        render.show_json(model)
        return
    _print_model(
        model_of(model),
        shown_state(model),
        None,
        alias_lists=tuple(model.get("alias_lists", ())),
        copies=model.get("nodes") or (),
    )
    _print_files(model_of(model))


def _show_repository(settings: "Settings", name: str, *, as_json: bool) -> None:
    from gglib.cli.sessions import with_finder
    from gglib.cli.views import render
    from gglib.library.variants.pull_target import read_target

    target = read_target(name)
    found = with_finder(settings, lambda finder: finder.show(target))
    if as_json:
        from gglib.proxy.routes.responses import ShownRepository

        render.show_json(ShownRepository.of(found))
        return
    _print_repository(found)


def _print_repository(found: "RepositoryResult") -> None:
    from gglib.cli.views import render, search_results

    render.show_styled(search_results.show_lines(found, width=render.terminal_width()))
    click.echo()
    render.show_table(
        search_results.FILE_COLUMNS,
        search_results.file_rows(found),
        droppable=search_results.DROPPABLE_COLUMNS,
        styles={"FIT": search_results.FIT_STYLES},
    )
    legend = search_results.show_legend(found)
    if legend:
        render.echo("".join(f"\n{line}" for line in legend))


def _show_model(settings: "Settings", shown: _ModelDetails, *, as_json: bool) -> None:
    from gglib.cli.server.instance import model_states
    from gglib.cli.views import render

    at_front = _shown_by_front(settings, shown.model.name)
    state = model_states(settings).get(shown.model.id)
    if as_json and at_front is not None:
        render.show_json(at_front)
        return
    if as_json:
        from gglib.proxy.routes.responses import Model

        render.show_json(Model.of(shown.model, state, alias_lists=shown.alias_lists))
        return
    _print_model(
        shown.model,
        state,
        shown.version,
        shown.profiles,
        alias_lists=shown.alias_lists,
        copies=() if at_front is None else at_front.get("nodes") or (),
    )
    _print_local_files(shown)


def _print_model(  # noqa: PLR0913 - what is known of a model, by its source
    found: "ModelSummary",
    state: str | None,
    version: "Version | None",
    profiles: "Sequence[Profile]" = (),
    *,
    alias_lists: "Sequence[str]",
    copies: "Sequence[Mapping[str, Any]]" = (),
) -> None:
    import time

    from gglib.cli.models import engine_words
    from gglib.cli.views import model_list, render
    from gglib.cli.views.backends import backend_fields
    from gglib.cli.views.nodes import copies_text
    from gglib.core.backends import UrlBackend
    from gglib.core.hub.shown_source import shown_url
    from gglib.library.backend_rules import describe_backend

    idle_ttl_s = found.settings.idle_ttl_s
    lines = {
        "Name": found.name,
        "Id": str(found.id) if found.id > 0 else None,
        "Aliases": ", ".join(found.aliases),
        "Alias lists": ", ".join(alias_lists),
        "Description": found.description,
        "Architecture": found.architecture,
        "Parameters": render.count(found.parameter_count),
        "Quantization": found.quantization,
        "Size": model_list.format_model_size(found),
        "Trained for": f"{found.trained_context} tokens" if found.trained_context else None,
        "Context": model_list.format_context(found) if found.settings.context else "the default",
        "Idle TTL": None if idle_ttl_s is None else render.exact_duration(idle_ttl_s),
        "Pinned": "yes" if found.settings.is_pinned else None,
        "Priority": None if found.settings.priority is None else found.settings.priority.name.lower(),
        "Kept prompts": _KEPT[found.settings.keep_conversations],
        "Served by": describe_backend(found),
        **backend_fields(found),
        **engine_words.shown_words(found.settings),
        "Profiles": ", ".join(f"{found.name}:{profile.name}" for profile in profiles),
        "Capabilities": model_list.format_kind(found),
        "State": "runs elsewhere" if isinstance(found.backend, UrlBackend) else state or "not in memory",
        "Nodes": copies_text(copies),
        "Last used": None if found.last_used_at is None else render.ago(time.time() - found.last_used_at),
        "Source": found.source.repo or shown_url(found.source) or found.source.origin,
        "Requested": found.source.asked_revision,
        "Revision": found.source.revision,
        "Version": model_list.format_version(version),
        "Template": found.chat_template_sha256,
    }
    render.show_fields(lines, width=_LABEL_WIDTH, wrapped=_WRAPPED)


def _print_local_files(shown: _ModelDetails) -> None:
    """Print the files with their state on the disk, and which other models use them."""
    from gglib.cli.views import local_models
    from gglib.library.disk_use import sharers_of
    from gglib.library.file_state import file_state

    suffixes = {}
    for path in shown.model.all_files:
        others = [name for name in sharers_of(path, shown.models) if name != shown.model.name]
        suffixes[path] = local_models.file_state_suffix(file_state(path)) + local_models.sharers_suffix(
            others
        )
    _print_files(shown.model, suffixes)


def _print_files(model: "ModelSummary", suffixes: "Mapping[Path, str] | None" = None) -> None:
    from gglib.cli.views import model_list
    from gglib.core.file_names import escaped

    for label, path, sha256 in model_list.labelled_files(model):
        suffix = (suffixes or {}).get(path, "")
        click.echo(f"{label + ':':<{_LABEL_WIDTH}}{escaped(str(path))}{suffix}")
        if sha256 is not None:
            click.echo(f"{'SHA-256:':<{_LABEL_WIDTH}}{sha256}")
