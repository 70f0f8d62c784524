"""Derives from a status why a request for a model has no response yet, as one sentence. Pure.

A status is the response of ``GET /gglib/status``; ``docs/api.md`` has its fields.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from gglib.cli.views import render
from gglib.cli.views.running import loading_line

Status = Mapping[str, Any]


def wait_text(status: Status, model_name: str, waited_s: float) -> str:
    """Return what a request for the model, sent ``waited_s`` seconds ago, waits for.

    ``model_name`` is the catalogue's name, not an alias, because residents are identified by it.
    """
    so_far = render.exact_duration(int(waited_s))
    own = next((r for r in status["residents"] if r["model_name"] == model_name), None)
    if own is not None and own["state"] == "loading":
        return loading_line(own)
    if own is not None and not _is_queued(status, model_name):
        return f"Waiting for a response from '{model_name}': {so_far}"
    blocker = _blocker(status["residents"])
    if blocker is None:
        return f"Queued for '{model_name}': {so_far}"
    again = "" if own is None else " again"
    return f"{blocker}, then loading '{model_name}'{again}: {so_far}"


def _is_queued(status: Status, model_name: str) -> bool:
    """Whether requests for the loaded model are queued: it is being unloaded, or its context is too small."""
    return any(waiting["model_name"] == model_name for waiting in status["waiting"])


def _blocker(residents: Sequence[Status]) -> str | None:
    """Return what has to finish before another model can be loaded: the step that is closest to its end."""
    by_state: dict[str, list[Status]] = {}
    for resident in residents:
        by_state.setdefault(resident["state"], []).append(resident)
    if stopping := by_state.get("stopping"):
        return f"Unloading {_names(stopping)}"
    if draining := by_state.get("draining"):
        return _waiting_for_answers(draining)
    if loading := by_state.get("loading"):
        return f"Waiting for {_names(loading)} to load"
    if busy := [resident for resident in by_state.get("ready", ()) if resident["in_flight"]]:
        return _waiting_for_answers(busy)
    return None


def _waiting_for_answers(residents: Sequence[Status]) -> str:
    in_flight = sum(resident["in_flight"] for resident in residents)
    answers = "its response" if in_flight == 1 else "its responses"
    return f"Waiting for {_names(residents)} to finish {answers} (in flight {in_flight})"


def _names(residents: Sequence[Status]) -> str:
    return " or ".join(f"'{resident['model_name']}'" for resident in residents)
