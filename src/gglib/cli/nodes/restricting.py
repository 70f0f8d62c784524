"""Limits a model to nodes: an entry of the table ``model_nodes`` in ``config.toml``.

The catalogue is not the place: a model may be that of nodes alone, and the names of the nodes are in the same file.
"""

import asyncio
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from gglib.app.nodes import look_at, own_name, peers_of
from gglib.app.settings.config_reader import read_content
from gglib.app.settings.config_writer import set_setting, unset_setting
from gglib.app.settings.entries import MODEL_NODES, find_entry
from gglib.app.settings.home import prepare_home
from gglib.app.settings.model_nodes import parse_patterns
from gglib.cli.config_changes import effect_on_server, warn_of_overrides
from gglib.cli.models.typed_names import require_one
from gglib.cli.server.nodes import front_of, get_nodes
from gglib.cli.sessions import with_catalog
from gglib.cli.views import nodes as node_views
from gglib.cli.views import render
from gglib.core.errors import GglibError
from gglib.core.names import find_model

if TYPE_CHECKING:
    from gglib.app.settings import Settings
    from gglib.core.models import ModelSummary


def restrict(settings: "Settings", typed: str, texts: Sequence[str], *, as_json: bool) -> None:
    """Serve a model on the nodes of ``texts`` only, which are patterns; on all nodes if they are empty.

    Prints what is in the file then. Raises ``InvalidSettingError`` and ``ModelNotFoundError``.
    """
    patterns = parse_patterns(texts)
    name = _cluster_name(settings, typed)
    table = read_content(settings.config_path).get(MODEL_NODES)
    known = list(table) if isinstance(table, Mapping) else []
    key = next((other for other in known if other.casefold() == name.casefold()), name)
    if patterns:
        prepare_home(settings)
        set_setting(settings.config_path, (MODEL_NODES, key), list(patterns))
    elif key in known:
        unset_setting(settings.config_path, (MODEL_NODES, key))
    if as_json:
        render.show_json({"model": name, "nodes": list(patterns)})
    else:
        render.echo(node_views.restriction_line(name, patterns))
    spec = find_entry(MODEL_NODES).spec
    warning = node_views.no_match_warning(patterns, _names_of_nodes(settings))
    if warning is not None:
        render.warn(warning)
    warn_of_overrides(settings, spec)
    effect = effect_on_server(settings, spec)
    if effect is not None:
        render.echo(effect, is_error=True)


def _cluster_name(settings: "Settings", typed: str) -> str:
    """Return the name of a model of this machine, else of the nodes. Raises ``ModelNotFoundError``.

    The whole name of a node's model precedes the beginning of a name of this machine's.
    """
    own = with_catalog(settings, lambda store: store.list_models())
    found = find_model(typed, own)
    if found is not None:
        return found.name
    known = {model.name.casefold() for model in own}
    others = [model for model in _models_of_nodes(settings) if model.name.casefold() not in known]
    return require_one(typed, [*own, *others], settings.aliases).name


def _models_of_nodes(settings: "Settings") -> "list[ModelSummary]":
    """Return the models of the nodes, once for each name, with ids that no model of this home has.

    They are those that the running server knows; without one, those of the nodes by address that answer now.
    """
    with suppress(GglibError):
        server = front_of(settings)
        if server is not None:
            from gglib.cli.remote.decode import model_of
            from gglib.cli.server.models import list_models

            return [model for fields in list_models(server) if (model := model_of(fields)).id < 0]
    snapshots = asyncio.run(look_at(peers_of(settings.nodes, os.environ))) if settings.nodes else []
    by_name = {model.name: model.summary for snapshot in snapshots for model in snapshot.models}
    return [replace(summary, id=-number) for number, summary in enumerate(by_name.values(), 1)]


def _names_of_nodes(settings: "Settings") -> Sequence[str]:
    """Return the names of the nodes; empty if they are not known, because no server follows the cluster."""
    server = front_of(settings)
    found = [] if server is None else [str(node["name"]) for node in get_nodes(server)["nodes"]]
    if found or settings.cluster_address is not None:
        return found
    return (*settings.nodes, own_name(settings))
