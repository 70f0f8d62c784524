"""Loads, unloads, pins and changes models of a running gglib."""

from typing import Any
from urllib.parse import quote

from gglib.cli.context import Options
from gglib.cli.server.client import STREAM_TIMEOUT_S, get_json, patch_json, post_json
from gglib.core.addresses import Endpoint

STOP_TIMEOUT_S = 20.0
"""After the drain, the server closes its streams and stops its engines within about 12 s at worst."""
REMOTE_STOP_TIMEOUT_S = 900.0
"""The 'drain_s' of a remote server is unknown."""


def stop_timeout_s(options: Options) -> float:
    """Return the timeout of a request that unloads models."""
    return REMOTE_STOP_TIMEOUT_S if options.remote else options.tolerant_settings().drain_s + STOP_TIMEOUT_S


def find_name(server: Endpoint, model: str) -> str:
    """Return the catalogue's name of a model. Raises ``GglibError`` with similar names."""
    name: str = get_json(server, _path(model), "Model")["name"]
    return name


def load(server: Endpoint, model: str, *, num_ctx: int | None) -> dict[str, Any]:
    """Load a model and return ``responses.LoadedModel`` when it is ready. Raises ``GglibError``."""
    body = {} if num_ctx is None else {"num_ctx": num_ctx}
    loaded: dict[str, Any] = post_json(
        server, f"{_path(model)}/load", body, "LoadedModel", timeout_s=STREAM_TIMEOUT_S
    )
    return loaded


def unload(server: Endpoint, model: str, *, timeout_s: float) -> list[str]:
    """Unload a model and return its name; empty if it was not in memory. Raises ``GglibError``."""
    reply = post_json(server, f"{_path(model)}/unload", None, "Stopped", timeout_s=timeout_s)
    names: list[str] = reply["stopped"]
    return names


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
    return f"/gglib/models/{quote(model, safe='')}"
