"""Aliases of a remote server: its list, and those of its models. Lists and patterns are in a file of its machine."""

from collections.abc import Sequence
from typing import Any

from gglib.cli.models.alias_rules import (
    AliasChange,
    alias_owner,
    check_alias,
    is_for_config,
    unknown_alias,
    without_alias,
)
from gglib.cli.models.typed_names import find_by_prefix
from gglib.cli.server.client import get_json
from gglib.cli.server.models import change, served_models
from gglib.core.addresses import Endpoint
from gglib.core.errors import InvalidSettingError
from gglib.core.models import ModelSummary
from gglib.core.names import find_model, not_found
from gglib.core.shell_quoting import quoted_command
from gglib.proxy.names.patterns import is_pattern

ALIASES_PATH = "/gglib/aliases"


def list_aliases(server: Endpoint) -> list[dict[str, Any]]:
    """Return all aliases of the server."""
    rows: list[dict[str, Any]] = get_json(server, ALIASES_PATH, "Aliases")["aliases"]
    return rows


def set_alias(server: Endpoint, name: str, models: Sequence[str]) -> AliasChange:
    """Set the alias of a model. Raises ``InvalidSettingError`` for a list or a pattern."""
    if is_for_config(name, models):
        raise _local_only(("alias", name, *models))
    known = served_models(server)
    check_alias(name, known)
    target = find_model(models[0], known) or find_by_prefix(models[0], known)
    if target is None:
        raise not_found(models[0], known)
    owner = alias_owner(name, known)
    is_moved = owner is not None and owner.id != target.id
    if owner is not None and is_moved:
        _replace(server, owner, without_alias(owner.aliases, name))
    if owner is None or is_moved:
        _replace(server, target, (*target.aliases, name))
    return AliasChange(
        name=name,
        models=(target.name,),
        is_in_config=False,
        previous=(owner.name,) if owner is not None and is_moved else (),
    )


def remove_alias(server: Endpoint, name: str) -> AliasChange:
    """Remove the alias of a model. Raises ``InvalidSettingError`` for a list or a pattern."""
    if is_pattern(name):
        raise _local_only(("alias", "--rm", name))
    known = served_models(server)
    owner = alias_owner(name, known)
    if owner is None:
        raise unknown_alias(name, [alias for model in known for alias in model.aliases], known)
    _replace(server, owner, without_alias(owner.aliases, name))
    return AliasChange(name=name, models=(owner.name,), is_in_config=False)


def _replace(server: Endpoint, model: ModelSummary, aliases: tuple[str, ...]) -> None:
    change(server, str(model.id), {"aliases": aliases})  # by id: the name may refer to another model by now


def _local_only(words: tuple[str, ...]) -> InvalidSettingError:
    return InvalidSettingError(
        f"Lists and patterns are in the config.toml of the server's machine: run {quoted_command(*words)} there."
    )
