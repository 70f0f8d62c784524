"""Performs the actions of ``gglib top`` on the server, without blocking the view."""

from urllib.parse import quote

from gglib.cli.history.query import request_path
from gglib.cli.server.client import STREAM_TIMEOUT_S, request_json_async
from gglib.cli.server.models import MODELS_PATH
from gglib.cli.top.ui import Action, Cancel, Load, Note, SetPin, Unload
from gglib.core.addresses import Endpoint
from gglib.core.errors import GglibError


def progress_text(action: Action) -> str:
    """Return what is shown until the action is done."""
    match action:
        case Unload(model):
            return f"Unloading {model} ..."
        case Load(model):
            return f"Loading {model} ..."
        case SetPin(model, is_pinned):
            return f"{'Pinning' if is_pinned else 'Unpinning'} {model} ..."
        case Cancel(request_id):
            return f"Cancelling {request_id} ..."
        case _:
            return ""


async def perform(server: Endpoint, action: Action, *, unload_timeout_s: float) -> Note:
    """Perform an action, and return its result or its error."""
    try:
        return Note(await _perform(server, action, unload_timeout_s))
    except GglibError as error:
        return Note(str(error).partition("\n")[0], is_error=True)


async def _perform(server: Endpoint, action: Action, unload_timeout_s: float) -> str:
    match action:
        case Unload(model):
            path = f"{_path(model)}/unload"
            reply = await request_json_async(server, b"POST", path, "Unloaded", timeout_s=unload_timeout_s)
            return f"Unloaded {model}." if reply["stopped"] else f"{model} was not loaded."
        case Load(model):
            path = f"{_path(model)}/load"
            await request_json_async(
                server, b"POST", path, "LoadedModel", body={}, timeout_s=STREAM_TIMEOUT_S
            )
            return f"Loaded {model}."
        case SetPin(model, is_pinned):
            path = f"{_path(model)}/{'pin' if is_pinned else 'unpin'}"
            await request_json_async(server, b"POST", path, "Model")
            effect = ": models that do not fit beside it are refused" if is_pinned else ""
            return f"{'Pinned' if is_pinned else 'Unpinned'} {model}{effect}."
        case Cancel(request_id):
            await request_json_async(server, b"DELETE", request_path(request_id))
            return f"Cancelled {request_id}."
        case _:
            raise AssertionError(action)


def _path(model: str) -> str:
    return f"{MODELS_PATH}/{quote(model, safe='')}"
