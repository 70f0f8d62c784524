"""Encodes runtime events as those of llama.cpp's router (``GET /models/sse``). Pure.

Each is ``data: {"model", "event", "data"}`` without an event name: ``model_status`` when a load starts,
``status_change`` when the model is loaded or unloaded (``notify_sse`` in ``server-models.cpp``, b11434). llama.cpp's
web page treats both alike, and an ``exit_code`` other than 0 as a failed load.
"""

from gglib.core.runtime.events import (
    EventsLost,
    ModelLoadFailed,
    ModelLoading,
    ModelReady,
    ModelUnloaded,
    RuntimeEvent,
)
from gglib.proxy.errors import to_json

RELOAD_EVENT = b'data: {"model":"*","event":"models_reload"}\n\n'
"""Makes clients read the list of models again."""

_FAILED = 1
"""The exit code of a process that failed or was killed; its real code is not known here."""


def router_event(event: RuntimeEvent) -> bytes | None:
    """Return the router's event, or None for an event that the router does not have."""
    match event:
        case ModelLoading():
            return _encoded("model_status", event.model_name, {"status": "loading"})
        case ModelReady():
            return _encoded("status_change", event.model_name, {"status": "loaded"})
        case ModelLoadFailed():
            return _unloaded(event.model_name, _FAILED)
        case ModelUnloaded():
            return _unloaded(event.model_name, 0 if event.died is None else _FAILED)
        case EventsLost():
            return RELOAD_EVENT
        case _:
            return None


def _unloaded(name: str, exit_code: int) -> bytes:
    return _encoded("status_change", name, {"status": "unloaded", "exit_code": exit_code})


def _encoded(event: str, model_name: str, data: dict[str, object]) -> bytes:
    return b"data: %b\n\n" % to_json({"model": model_name, "event": event, "data": data})
