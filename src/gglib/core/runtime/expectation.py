"""When the waiting requests of a model are expected to run, and what they wait for. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from gglib.core.runtime.status import LoadCount, ResidentStatus, RuntimeStatus, WaitingStatus


class QueueState(Protocol):
    """What the expectations follow from: a ``RuntimeStatus``, or a response with its fields."""

    @property
    def residents(self) -> Sequence[ResidentStatus]:
        """The models in memory."""
        ...

    @property
    def waiting(self) -> Sequence[WaitingStatus]:
        """The waiting requests, by model."""
        ...

    @property
    def loads(self) -> Sequence[LoadCount]:
        """The finished loads, by model and outcome."""
        ...


@dataclass(frozen=True, slots=True)
class Expectation:
    """What is known of the time until a model serves its waiting requests."""

    seconds: float | None
    """Expected seconds; None if unknown."""
    is_minimum: bool
    """Whether something of unknown duration comes before, such as the response of another model."""
    cause: str
    """What the requests wait for."""


def with_expectations(status: RuntimeStatus) -> RuntimeStatus:
    """Return a status that was just taken with the expectation of each waiting model."""
    if not status.waiting:
        return status
    waiting = []
    for queued in status.waiting:
        expected = expectation(status, queued.model_name)
        waiting.append(
            replace(
                queued,
                runs_in_s=expected.seconds,
                is_minimum=expected.is_minimum,
                waits_for=expected.cause,
            )
        )
    return replace(status, waiting=tuple(waiting))


def expectation(status: QueueState, model: str, since_s: float = 0.0) -> Expectation:
    """Return the expectation for the waiting requests of a model; ``since_s`` is the age of the status in seconds.

    The status has no order of the queue, so other waiting models are not counted: the seconds are a minimum then.
    """
    own = next((resident for resident in status.residents if resident.model_name == model), None)
    if own is not None and own.state == "loading":
        return Expectation(_left_s(own, since_s), is_minimum=False, cause="its load")
    if own is not None and own.state == "ready":
        return Expectation(None, is_minimum=True, cause=_busy_text(own))
    load_s = _mean_load_s(status.loads, model)
    first = _first_to_end(status.residents)
    if first is None:
        return Expectation(load_s, is_minimum=len(status.waiting) > 1, cause="its turn")
    if first.state == "loading":
        left_s = _left_s(first, since_s)
        seconds = None if load_s is None or left_s is None else left_s + load_s
        return Expectation(seconds, is_minimum=True, cause=f"the load of {first.model_name}")
    if first.state == "stopping":
        return Expectation(load_s, is_minimum=False, cause=f"the unload of {first.model_name}")
    return Expectation(load_s, is_minimum=True, cause=_busy_text(first))


def _left_s(resident: ResidentStatus, since_s: float) -> float | None:
    if resident.expected_load_s is None or resident.loading_for_s is None:
        return None
    return max(0.0, resident.expected_load_s - resident.loading_for_s - since_s)


def _mean_load_s(loads: Sequence[LoadCount], model: str) -> float | None:
    """Return the mean duration of the model's successful loads since the start."""
    for load in loads:
        if load.model_name == model and load.outcome == "ready" and load.count:
            return load.total_s / load.count
    return None


def _first_to_end(residents: Sequence[ResidentStatus]) -> ResidentStatus | None:
    """Return the model in memory whose step is closest to its end; a pinned one that is ready does not make room."""
    for state in ("stopping", "draining", "loading", "ready"):
        for resident in residents:
            if resident.state == state and (
                state != "ready" or (resident.in_flight and not resident.is_pinned)
            ):
                return resident
    return None


def _busy_text(resident: ResidentStatus) -> str:
    number = resident.in_flight
    return f"{number} {'response' if number == 1 else 'responses'} of {resident.model_name}"
