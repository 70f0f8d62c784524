"""What a request may expect at a node: the step of the decision tree, and seconds. Pure.

The numbers of the steps are those of the tree in ``docs/cluster.md``.
"""

from dataclasses import dataclass
from enum import IntEnum

from gglib.core.nodes import NodeModel
from gglib.core.runtime.status import ResidentStatus
from gglib.nodes.node_view import NodeView

SWAP_S = 15.0
"""How long a node keeps a model in use while another one is requested: the default of its setting ``swap_wait_s``."""
OVERDUE_SHARE = 0.1
"""A load that takes longer than expected is expected to need this share of it, again and again."""
RETURN_S = 60.0
"""A model that was idle for as long is expected to be needed again within as long: half of its reload counts."""


class Step(IntEnum):
    """What a node has to do before the request runs. A lower number is better if all else is equal."""

    READY = 1
    """The model is ready, and a slot is free."""
    LOADING = 2
    """The model is loading, or requests already wait for its load."""
    SLOTS_BUSY = 3
    """The model is ready, and all slots are in use."""
    LOAD = 4
    """The files are there, and memory is free."""
    EVICT = 5
    """The files are there, and idle models are evicted for it."""
    DRAIN = 6
    """The files are there, and responses of other models, or with a smaller context, must end first."""
    FAILED = 7
    """The last load of the model failed there."""
    PULL = 8
    """The files can be downloaded there."""


@dataclass(slots=True, kw_only=True)
class Estimate:
    """What a request may expect at one node. Immutable by convention: creating a frozen dataclass takes longer."""

    step: Step
    wait_s: float
    """Expected time until the request runs."""
    requests: int = 0
    """The requests for the model that run or wait there."""
    slots: int = 1
    load_s: float = 0.0
    """Duration of the load that the request causes; 0 if it causes none."""
    lost_s: float = 0.0
    """What its evictions are expected to cost other requests, in seconds."""


def estimate(view: NodeView, model: NodeModel, *, context: int, response_s: float, now: float) -> Estimate:
    """Return what a request for a model that the node has may expect there.

    ``context`` is the needed context in tokens, ``response_s`` the expected duration of a response there.
    """
    requests, slots = view.requests(model.name), view.slots(model.name)
    if view.is_remote(model):
        step = Step.FAILED if view.has_failed(model.name) else Step.READY
        return Estimate(step=step, wait_s=0.0, requests=requests, slots=max(slots, requests + 1))
    in_queue_s = max(0, requests - slots + 1) * response_s / slots
    resident = view.resident(model.name)
    if resident is not None and resident.effective_ctx >= context:
        if resident.state == "loading":
            step, begins_s = Step.LOADING, _loads_for_s(view, resident, now)
        else:
            step, begins_s = Step.READY if requests < slots else Step.SLOTS_BUSY, 0.0
        return Estimate(step=step, wait_s=begins_s + in_queue_s, requests=requests, slots=slots)
    return _of_load(view, model, response_s=response_s, requests=requests, slots=slots)


def _of_load(view: NodeView, model: NodeModel, *, response_s: float, requests: int, slots: int) -> Estimate:
    """Return the estimate for a model that has to be loaded, or is about to be."""
    room, load_s = view.room(model), view.load_s(model)
    turns_s = sum(view.load_s(other) + response_s for other in view.awaited(model.name))
    wait_s = load_s if room.is_enough else SWAP_S + response_s + turns_s + load_s
    in_queue_s = max(0, requests - slots + 1) * response_s / slots
    if requests and room.is_enough:  # requests wait for its load already: this one causes none
        return Estimate(step=Step.LOADING, wait_s=wait_s + in_queue_s, requests=requests, slots=slots)
    lost_s = sum(_lost_s(view, victim) for victim in room.victims)
    if view.has_failed(model.name):
        step = Step.FAILED
    elif not room.is_enough:
        step, lost_s = Step.DRAIN, lost_s + load_s
    else:
        step = Step.EVICT if room.victims else Step.LOAD
    return Estimate(
        step=step,
        wait_s=wait_s + in_queue_s,
        requests=requests,
        slots=slots,
        load_s=0.0 if requests else load_s,
        lost_s=lost_s,
    )


def _loads_for_s(view: NodeView, resident: ResidentStatus, now: float) -> float:
    """Return the expected rest of a load that has begun."""
    expected_s = resident.expected_load_s or 0.0
    seen_at = view.snapshot.seen_at_s
    age_s = 0.0 if seen_at is None else now - seen_at
    return max(expected_s * OVERDUE_SHARE, expected_s - (resident.loading_for_s or 0.0) - age_s)


def _lost_s(view: NodeView, victim: ResidentStatus) -> float:
    """Return what the eviction of an idle model is expected to cost: less, the longer it has been idle."""
    return view.reload_s(victim) * RETURN_S / (RETURN_S + max(0.0, victim.idle_s or 0.0))
