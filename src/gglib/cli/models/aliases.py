"""Lists, sets and removes aliases: of a model in the catalogue, lists and patterns in ``config.toml``.

A running server of this home reads both by itself.
"""

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from gglib.cli.models.alias_rules import (
    AliasChange,
    alias_owner,
    check_alias,
    is_for_config,
    own_spelling,
    pattern_note,
    unknown_alias,
    without_alias,
)
from gglib.core.errors import GglibError, InvalidSettingError

if TYPE_CHECKING:
    from gglib.app.settings import Settings
    from gglib.cli.context import Options
    from gglib.cli.models.typed_names import AliasTable
    from gglib.cli.sessions import CatalogSession
    from gglib.core.models import ModelEdit, ModelSummary
    from gglib.core.ports.store import HomeStorePort

VARIABLE = "GGLIB_ALIASES"
"""If it is set, it replaces the table in ``config.toml``."""


def source_of_setting(options: "Options") -> str:
    """Return what sets the lists and patterns: the variable of this machine, or the file."""
    return VARIABLE if options.remote is None and os.environ.get(VARIABLE) else "config.toml"


def list_aliases(options: "Options") -> list[dict[str, Any]]:
    """Return the aliases as ``GET /gglib/aliases`` does. Raises ``GglibError``."""
    if options.remote is not None:
        from gglib.cli.remote.aliases import list_aliases as list_remote

        return list_remote(options.remote)
    import msgspec

    from gglib.cli.sessions import with_catalog
    from gglib.proxy.names.alias_table import alias_table
    from gglib.proxy.names.aliases import AliasLists
    from gglib.proxy.routes.responses import Alias

    settings = options.tolerant_settings()
    models = with_catalog(settings, lambda store: store.list_models())
    rows: list[dict[str, Any]] = msgspec.to_builtins(
        [Alias.of(row) for row in alias_table(models, AliasLists(settings.aliases))]
    )
    return rows


def set_alias(options: "Options", name: str, models: Sequence[str]) -> AliasChange:
    """Set an alias, and replace the one of the same name. Raises ``GglibError``."""
    if options.remote is not None:
        from gglib.cli.remote.aliases import set_alias as set_remote

        return set_remote(options.remote, name, models)
    from gglib.cli.sessions import catalog_session

    settings = options.settings()
    with catalog_session(settings) as catalog:
        known, targets = catalog.run(lambda store: _targets(store, models, settings.aliases))
        check_alias(name, known)
        if is_for_config(name, targets):
            return _set_in_config(settings, catalog, name, targets, known)
        return _set_in_catalog(settings, catalog, name, targets[0], known)


def remove_alias(options: "Options", name: str) -> AliasChange:
    """Remove an alias. Raises ``GglibError``."""
    if options.remote is not None:
        from gglib.cli.remote.aliases import remove_alias as remove_remote

        return remove_remote(options.remote, name)
    from gglib.app.settings.config_writer import remove_alias as remove_entry
    from gglib.cli.sessions import catalog_session

    settings = options.settings()
    entry = own_spelling(name, settings.aliases)
    with catalog_session(settings) as catalog:
        known = catalog.run(lambda store: store.list_models())
        owner = alias_owner(name, known)
        if entry is None and owner is None:
            own = [alias for model in known for alias in model.aliases]
            raise unknown_alias(name, [*own, *settings.aliases], known)
        if entry is not None and owner is None:
            _refuse_variable(f"remove '{entry}' there")
        if entry is not None and not os.environ.get(VARIABLE):
            remove_entry(settings.config_path, entry)
        if owner is not None:
            _edit(catalog, owner, _without(name))
    models = settings.aliases[entry] if entry is not None else ()
    return AliasChange(
        name=entry or name,
        models=models if owner is None else (owner.name, *models),
        is_in_config=owner is None,
    )


def _set_in_catalog(
    settings: "Settings",
    catalog: "CatalogSession",
    name: str,
    target: "ModelSummary",
    known: "Sequence[ModelSummary]",
) -> AliasChange:
    from gglib.app.settings.config_writer import remove_alias as remove_entry

    owner = alias_owner(name, known)
    is_moved = owner is not None and owner.id != target.id
    if owner is not None and is_moved:
        _edit(catalog, owner, _without(name))
    try:
        _edit(catalog, target, _with(name))
    except GglibError:
        if owner is not None and is_moved:
            _edit(catalog, owner, _with(name))
        raise
    entry = own_spelling(name, settings.aliases)
    if entry is not None and not os.environ.get(VARIABLE):  # the alias of the model precedes it in any case
        remove_entry(settings.config_path, entry)
    replaced = () if entry is None else settings.aliases[entry]
    return AliasChange(
        name=name,
        models=(target.name,),
        is_in_config=False,
        previous=(owner.name,) if owner is not None and is_moved else replaced,
    )


def _set_in_config(
    settings: "Settings",
    catalog: "CatalogSession",
    name: str,
    targets: "Sequence[ModelSummary]",
    known: "Sequence[ModelSummary]",
) -> AliasChange:
    from gglib.app.settings.config_writer import set_alias as set_entry

    models = tuple(target.name for target in targets)
    _refuse_variable(f"add '{name}={','.join(models)}' to it")
    entry = own_spelling(name, settings.aliases) or name
    set_entry(settings.config_path, entry, models)
    owner = alias_owner(name, known)
    if owner is not None:  # last: until then the name resolves to the old model, never to none
        _edit(catalog, owner, _without(name))
    return AliasChange(
        name=entry,
        models=models,
        is_in_config=True,
        previous=settings.aliases.get(entry, ()) if owner is None else (owner.name,),
        note=pattern_note(entry, known),
    )


async def _targets(
    store: "HomeStorePort", names: Sequence[str], aliases: "AliasTable"
) -> "tuple[list[ModelSummary], list[ModelSummary]]":
    """Return all models, and those of the names without duplicates. Raises ``ModelNotFoundError``."""
    from gglib.cli.models.typed_names import require_typed_models

    targets = await require_typed_models(store, names, aliases)
    return await store.list_models(), targets


def _edit(
    catalog: "CatalogSession", model: "ModelSummary", edit: "Callable[[ModelSummary], ModelEdit]"
) -> None:
    from gglib.library.edit import edit_model

    # By id: the name may refer to another model by now.
    catalog.run(lambda store: edit_model(str(model.id), edit, store=store))


def _with(name: str) -> "Callable[[ModelSummary], ModelEdit]":
    from gglib.cli.models.alias_edits import edit_aliases
    from gglib.core.models import ModelEdit

    return lambda model: ModelEdit(aliases=edit_aliases(model, replacement=None, added=(name,), removed=()))


def _without(name: str) -> "Callable[[ModelSummary], ModelEdit]":
    from gglib.core.models import ModelEdit

    return lambda model: ModelEdit(aliases=without_alias(model.aliases, name))


def _refuse_variable(advice: str) -> None:
    """Raise ``InvalidSettingError`` if the variable hides the table of ``config.toml``."""
    if os.environ.get(VARIABLE):
        raise InvalidSettingError(f"{VARIABLE} is set and replaces the aliases of config.toml: {advice}.")
