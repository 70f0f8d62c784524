"""Loads, unloads and pins models of a running gglib."""

from typing import Any
from urllib.parse import quote

from gglib.cli.server.client import STREAM_TIMEOUT_S, get_json, post_json
from gglib.core.addresses import Endpoint

STOP_TIMEOUT_S = 20.0
"""After the drain, the server closes its streams and stops its engines within about 12 s at worst."""


def find_name(server: Endpoint, model: str) -> str:
    """Return the catalogue's name of a model. Raises ``GglibError`` with similar names."""
    name: str = get_json(server, _path(model))["name"]
    return name


def load(server: Endpoint, model: str, *, num_ctx: int | None) -> dict[str, Any]:
    """Load a model and return ``responses.LoadedModel`` when it is ready. Raises ``GglibError``."""
    body = {} if num_ctx is None else {"num_ctx": num_ctx}
    loaded: dict[str, Any] = post_json(server, f"{_path(model)}/load", body, timeout_s=STREAM_TIMEOUT_S)
    return loaded


def unload(server: Endpoint, model: str, *, drain_s: float) -> list[str]:
    """Unload a model and return its name; empty if it was not in memory. Raises ``GglibError``.

    ``drain_s`` is how long the server waits for responses in flight.
    """
    reply = post_json(server, f"{_path(model)}/unload", timeout_s=drain_s + STOP_TIMEOUT_S)
    names: list[str] = reply["stopped"]
    return names


def unload_all(server: Endpoint, *, drain_s: float) -> list[str]:
    """Unload all models and return their names. Raises ``GglibError``."""
    reply = post_json(server, "/gglib/stop", timeout_s=drain_s + STOP_TIMEOUT_S)
    names: list[str] = reply["stopped"]
    return names


def set_pin(server: Endpoint, model: str, *, is_pinned: bool) -> dict[str, Any]:
    """Pin or unpin a model and return ``responses.Model``. Raises ``GglibError``."""
    action = "pin" if is_pinned else "unpin"
    changed: dict[str, Any] = post_json(server, f"{_path(model)}/{action}")
    return changed


def _path(model: str) -> str:
    return f"/gglib/models/{quote(model, safe='')}"
