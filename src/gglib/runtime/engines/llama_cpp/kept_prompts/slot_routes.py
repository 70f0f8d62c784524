"""llama.cpp's routes that read, save and restore slots, as of b11549 and b10068. Pure.

``GET /slots`` has ``id_task`` and ``n_prompt_tokens`` only for slots that a request has used since the start: a slot
that was restored and not used is as it was in its file. ``n_prompt_tokens`` are the tokens that a save writes.
"""

import json
from typing import Any

from gglib.runtime.engines.kept_prompts.policy import SlotPrompt
from gglib.runtime.engines.llama_cpp.prompt_cost import prompt_totals
from gglib.runtime.engines.slot_files import SlotRequest, SlotState, SlotTransfer

_NOT_SUPPORTED = "not_supported_error"


def read_state(slots: bytes, metrics: bytes) -> SlotState | None:
    """Return the prompts of the idle slots that were used since the start, the last used first, and their rate.

    None if the engine does not say.
    """
    found = _parsed(slots)
    processed, seconds = prompt_totals(metrics) or (0.0, 0.0)
    if not isinstance(found, list) or seconds <= 0:
        return None
    used = sorted(filter(None, map(_used, found)), reverse=True)
    prompts = (
        # The tasks have no times: their order stands for it.
        SlotPrompt(slot=slot, tokens=tokens, idle_s=float(rank))
        for rank, (_, slot, tokens) in enumerate(used)
    )
    return SlotState(tuple(prompts), processed / seconds, processed)


def _used(slot: Any) -> tuple[int, int, int] | None:  # noqa: ANN401 - JSON
    """Return task, number and tokens of an idle slot that a request has used."""
    if not isinstance(slot, dict) or slot.get("is_processing"):
        return None
    values = slot.get("id_task"), slot.get("id"), slot.get("n_prompt_tokens")
    task, number, tokens = (value if isinstance(value, int) else -1 for value in values)
    return (task, number, tokens) if task >= 0 and number >= 0 and tokens > 0 else None


def save_request(slot: int, name: str) -> SlotRequest:
    """Return the request that saves a slot to a file of the launch's directory."""
    return _request(slot, "save", name)


def restore_request(slot: int, name: str) -> SlotRequest:
    """Return the request that restores a slot from a file of the launch's directory."""
    return _request(slot, "restore", name)


def _request(slot: int, action: str, name: str) -> SlotRequest:
    return SlotRequest(f"/slots/{slot}?action={action}".encode(), json.dumps({"filename": name}).encode())


def read_transfer(body: bytes) -> SlotTransfer | None:
    """Return what a save or restore reports; None if the engine does not say."""
    found = _parsed(body)
    if not isinstance(found, dict):
        return None
    tokens = found.get("n_saved", found.get("n_restored"))
    size_bytes = found.get("n_written", found.get("n_read"))
    if not isinstance(tokens, int) or not isinstance(size_bytes, int):
        return None
    return SlotTransfer(tokens, size_bytes, _seconds(found.get("timings")))


def _seconds(timings: Any) -> float:  # noqa: ANN401 - JSON
    found = timings.get("save_ms", timings.get("restore_ms")) if isinstance(timings, dict) else None
    return found / 1000 if isinstance(found, int | float) else 0.0


def read_refusal(status: int, body: bytes) -> str | None:
    """Return why the engine can never save this model's slots, as a clause; None if it does not say so."""
    found = _parsed(body)
    error = found.get("error") if isinstance(found, dict) else None
    if status < 400 or not isinstance(error, dict) or error.get("type") != _NOT_SUPPORTED:
        return None
    if "multimodal" in str(error.get("message", "")):
        return "a model with a projector cannot save its slots"
    return "its engine cannot save slots"


def _parsed(body: bytes) -> Any:  # noqa: ANN401 - JSON
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None
