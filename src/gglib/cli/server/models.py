"""Lists, loads, unloads, pins and changes models of a running gglib."""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any
from urllib.parse import quote

from gglib.cli.context import Options
from gglib.cli.server.client import STREAM_TIMEOUT_S, get_json, patch_json, post_json
from gglib.core.addresses import Endpoint
from gglib.core.errors import GglibError
from gglib.core.models import ModelSummary
from gglib.core.names import find_model

MODELS_PATH = "/gglib/models"
STOP_TIMEOUT_S = 20.0
"""After the drain, the server closes its streams and stops its engines within about 12 s at worst."""
REMOTE_STOP_TIMEOUT_S = 900.0
"""The 'drain_s' of a remote server is unknown."""


def stop_timeout_s(options: Options) -> float:
    """Return the timeout of a request that unloads models."""
    return REMOTE_STOP_TIMEOUT_S if options.remote else options.tolerant_settings().drain_s + STOP_TIMEOUT_S


def list_models(server: Endpoint) -> list[dict[str, Any]]:
    """Return the models of the catalogue, each as ``responses.Model``. Raises ``GglibError``."""
    models: list[dict[str, Any]] = get_json(server, MODELS_PATH, "Models")["models"]
    return models


def show_model(server: Endpoint, name: str) -> dict[str, Any]:
    """Return one model as ``responses.Model``. Raises ``GglibError`` with similar names."""
    model: dict[str, Any] = get_json(server, _path(name), "Model")
    return model


def find_name(server: Endpoint, model: str) -> str:
    """Return the catalogue's name of a model. Raises ``GglibError`` with similar names."""
    return str(show_model(server, model)["name"])


def require_models(server: Endpoint, typed: Sequence[str]) -> list[ModelSummary]:
    """Return the models of typed names, each once, for an operation on models: aliases of several are refused.

    Raises ``ModelNotFoundError`` with similar names, ``GglibError`` for a model that only nodes have, and the errors of
    ``get_json``.
    """
    from gglib.cli.models.typed_names import require_one

    models, aliases = _models_and_aliases(server)
    if any(find_model(name, models) is None for name in typed):
        # Unlike the models' own lists, these have the models in the order of preference.
        rows = get_json(server, "/gglib/aliases", "Aliases")["aliases"]
        aliases = {row["name"]: row["models"] for row in rows if row["source"] == "config"}
    found = [require_one(name, models, aliases) for name in typed]
    for model in found:
        if model.id < 0:  # the server's own catalogue lacks it
            raise GglibError(
                f"Model '{model.name}' is only in the catalogues of nodes: run this command on one of them "
                "('gglib list' shows which)."
            )
    return list({model.id: model for model in found}.values())


def served_models(server: Endpoint) -> list[ModelSummary]:
    """Return the models of the server. Raises ``GglibError``."""
    return _models_and_aliases(server)[0]


def complete_for_request(server: Endpoint, typed: str) -> str:
    """Return the name for requests that ``typed`` means; ``typed`` if the server knows it, or no model begins so.

    Alias lists, patterns and ``MODEL:PROFILE`` precede a prefix, as they do on the server. Raises
    ``ModelNotFoundError`` for an ambiguous prefix, and the errors of ``get_json``.
    """
    from gglib.cli.models.typed_names import find_typed

    with suppress(GglibError):
        find_name(server, typed)
        return typed
    found = find_typed(typed, *_models_and_aliases(server))
    return typed if found is None else found.name


def _models_and_aliases(server: Endpoint) -> tuple[list[ModelSummary], dict[str, list[str]]]:
    """Return the models of the server, and the alias lists and patterns that name them."""
    from gglib.cli.remote.decode import model_of

    models, aliases = [], dict[str, list[str]]()
    for fields in list_models(server):
        models.append(model_of(fields))
        for alias in fields.get("alias_lists", ()):
            aliases.setdefault(alias, []).append(fields["name"])
    return models, aliases


def load(server: Endpoint, model: str, *, num_ctx: int | None, node: str | None = None) -> dict[str, Any]:
    """Load a model and return ``responses.LoadedModel`` when it is ready. Raises ``GglibError``."""
    body: dict[str, Any] = {} if num_ctx is None else {"num_ctx": num_ctx}
    if node is not None:
        body["node"] = node
    loaded: dict[str, Any] = post_json(
        server, f"{_path(model)}/load", body, "LoadedModel", timeout_s=STREAM_TIMEOUT_S
    )
    return loaded


def unload(server: Endpoint, model: str, *, timeout_s: float, node: str | None = None) -> dict[str, Any]:
    """Unload a model and return ``responses.Unloaded``; without names it was not in memory. Raises ``GglibError``."""
    body = None if node is None else {"node": node}
    reply: dict[str, Any] = post_json(server, f"{_path(model)}/unload", body, "Unloaded", timeout_s=timeout_s)
    return reply


def unload_all(server: Endpoint, *, timeout_s: float) -> list[str]:
    """Unload all models and return their names. Raises ``GglibError``."""
    reply = post_json(server, "/gglib/stop", None, "Stopped", timeout_s=timeout_s)
    names: list[str] = reply["stopped"]
    return names


def set_pin(server: Endpoint, model: str, *, is_pinned: bool) -> dict[str, Any]:
    """Pin or unpin a model and return ``responses.Model``. Raises ``GglibError``."""
    action = "pin" if is_pinned else "unpin"
    changed: dict[str, Any] = post_json(server, f"{_path(model)}/{action}", None, "Model")
    return changed


def change(server: Endpoint, model: str, changes: dict[str, Any]) -> dict[str, Any]:
    """Change names and settings of a model and return ``responses.Model``. Raises ``GglibError``.

    ``changes`` has the fields of ``requests.ModelChanges``.
    """
    changed: dict[str, Any] = patch_json(server, _path(model), changes, "Model")
    return changed


def _path(model: str) -> str:
    return f"{MODELS_PATH}/{quote(model, safe='')}"
