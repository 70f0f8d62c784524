"""New limits: pins, the memory of other programs, and another configuration. Pure."""

from collections.abc import Mapping

from gglib.core.memory import DeviceBytes
from gglib.runtime.scheduler.events import LimitsChanged, PinsChanged, Reconfigured, SizesByLaunch
from gglib.runtime.scheduler.placement import largest
from gglib.runtime.scheduler.scheduler_state import SchedulerState
from gglib.runtime.scheduler.state import resized


def change_limits(state: SchedulerState, event: PinsChanged | LimitsChanged | Reconfigured) -> None:
    """Apply new pins or limits. ``stop_excess`` then stops what exceeds a reduced budget."""
    match event:
        case PinsChanged(model_ids):
            state.pinned = model_ids
        case LimitsChanged(limits):
            state.placement.set_limits(limits)
        case _:
            placement = state.placement
            former = {
                generation: placement.within_budget(size) for generation, size in event.measured.items()
            }
            placement.set_budget(capacity=event.capacity, budget=event.budget)
            measured = {
                generation: largest((former[generation], placement.within_budget(size)))
                for generation, size in event.measured.items()
            }
            state.swap_wait_s = event.swap_wait_s
            state.queue_limit = event.queue_limit
            _resize(state, event.sizes, measured)
            state.has_excess = True


def _resize(state: SchedulerState, sizes: SizesByLaunch, measured: Mapping[int, DeviceBytes]) -> None:
    """Apply the sizes under the new budget: those from before it are missing, or were cut to the former one.

    ``measured`` is cut to the larger of both budgets: a reduced one is exceeded, and an idle resident stops.
    """
    state.waiters.update({ticket: resized(waiter, sizes) for ticket, waiter in state.waiters.items()})
    state.pending_loads.resize(sizes)
    for resident in state.residents.values():
        if resident.generation in measured:
            resident.size = measured[resident.generation]
        elif not resident.size:
            resident.size = sizes.get((resident.spec, resident.context), {})
