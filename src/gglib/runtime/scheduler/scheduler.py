"""The scheduler: which model is loaded, drained or evicted, and which request is granted. A pure state machine.

Events in, effects out. It has no clock, no process and no socket.

Theory of operation
-------------------
A *request* is identified by its ticket. It waits, holds a resident (is in flight on it), or has ended.
A *resident* is one launch of one model, identified by its generation. A generation is never reused: events of an older
generation are ignored. A resident moves through the states of the table in ``state`` and is dropped when its process
has exited and its memory is back (``Exited``), also after a crash. Only a READY resident takes new requests.

Every event, except on the fast path (``try_grant``, ``try_release``), ends in ``_reconcile``, which checks the whole
state and returns the effects that are due:

1. All waiters whose model is READY with enough context are granted together; batch requests only while there is a
   slot for them (``batch_limits``).
2. Requests that can never be served are refused at once, and no resident is evicted for them. Requests that lack
   memory because other programs use it are refused after ``MEMORY_WAIT_S``. ``placement`` has the decision tree.
3. While the residents exceed a reduced budget, idle ones that are not pinned stop.
4. A resident without requests for its idle time-to-live is stopped, unless it is pinned.
5. Models that waiters need and no resident serves follow, interactive requests first, then in the order of arrival
   (``planning.waiting_order``). If a model fits beside the residents, it is launched. Otherwise a minimal set of
   residents makes room, the one with the least expected loss (``victim_rule``). Loads without waiters, and idle
   residents, stop at once. A busy resident only drains, and only once the waiter has waited for ``swap_wait_s``, or at
   once for an interactive waiter if only batch requests use it. Until then requests for the running model pass the
   queue (no thrashing), after that it takes none (no starvation). If the waiters that caused the drain leave, or other
   residents make room, the resident takes requests again. An idle resident whose clients are likely to return soon is
   kept warm for a moment (``keep_warm``), but never beyond ``swap_wait_s``. A pinned resident is never evicted for
   another model.
6. Pending loads come after all waiters. A pending load has not started, and no request waits for it (see below). It
   uses free capacity or evicts an idle resident, never a resident that is in use or loading, and it expires. A launch
   for waiters of the same model serves it, too, if its size fits beside all others.

A resident stops only when no request holds it; the deadline of ``StopRequested`` is the exception. A resident takes no
new requests, and stops after its last one, if its engine stalled, the user stopped it, its model was removed, its file
was overwritten or its model has a newer version. A request for a newer version is treated like one for a larger
context: the launch of the older version has to stop first.

A resident that saves its prompts at its stop may make way (``MadeWay``), if there is memory for two: the load that it
was stopped for starts beside it. It still takes its memory, and its own model is not launched before it has exited.

A swap that has started is finished: if the last waiter leaves after a resident was stopped for its model, the load
stays pending. A request whose wait timed out (``WaitTimedOut``) or that does not wait (``Requested.waits``) leaves a
pending load, one for each model, renewed by the next such request. It ends when the model is ready, fails or is
removed, when the user stops it, when it can never fit, or when it expires.

An *abandoned load* is a resident that is still loading although no request waits for it any more. It may be evicted,
but a load that replaced an abandoned load is protected from this until a waiter is overdue. Otherwise clients with a
timeout shorter than the loads would cancel each other's loads for ever.

A model whose load failed, or whose process died too often, is refused at once for a growing time (``backoff``). A load
that ran out of memory is repeated once, after the idle residents on its devices have stopped, and those that had made
way there have exited; pinned ones stay.

*Priorities*: interactive requests come before batch requests, until these have waited for ``swap_wait_s``. A resident
processes a limited number of batch requests at a time, so that interactive ones find a free slot.
"""

from gglib.core.context import is_enough
from gglib.core.defaults import SWAP_WAIT_S
from gglib.core.memory import DeviceBytes
from gglib.core.models import ModelLaunchSpec
from gglib.core.priority import Priority
from gglib.runtime.scheduler.backoff import Failure
from gglib.runtime.scheduler.events import (
    BecameReady,
    Died,
    Effect,
    Event,
    Exited,
    FileChanged,
    Grant,
    LimitsChanged,
    LoadFailed,
    MadeWay,
    Measured,
    ModelRemoved,
    PinsChanged,
    Reconfigured,
    Requested,
    RequestEnded,
    RequestStalled,
    StopReason,
    StopRequested,
    Superseded,
    WaitTimedOut,
)
from gglib.runtime.scheduler.execution import (
    execute,
    reassign_final_drains,
    reopen_unneeded_drains,
)
from gglib.runtime.scheduler.keep_warm import KeepWarm
from gglib.runtime.scheduler.launches import become_ready, fail_load, finish_exit, measure, record_death
from gglib.runtime.scheduler.limits import change_limits
from gglib.runtime.scheduler.placement import Placement
from gglib.runtime.scheduler.planning import Plan
from gglib.runtime.scheduler.requests import (
    drop_finished_loads,
    end_request,
    enqueue,
    grant_ready,
    refuse_unplaceable,
    release,
    time_out,
    waiter_of,
)
from gglib.runtime.scheduler.scheduler_state import SchedulerState
from gglib.runtime.scheduler.state import PendingLoad, Resident, ResidentState, Waiter
from gglib.runtime.scheduler.unloading import (
    drain,
    make_way,
    remove_model,
    request_stop,
    stall,
    stop_drained,
    stop_excess,
    stop_expired,
)
from gglib.runtime.scheduler.victim_rule import LeastExpectedLoss, VictimRule
from gglib.runtime.scheduler.wake_ups import next_wake_up

DEFAULT_QUEUE_LIMIT = 1_000
_READY = ResidentState.READY
"""A module constant because an enum member lookup takes as long as a call (CPython 3.11)."""


class Scheduler:
    """Decides which models are resident."""

    def __init__(  # noqa: PLR0913 - the limits, and what tests and simulations replace
        self,
        *,
        capacity: int = 1,
        budget: DeviceBytes | None = None,
        swap_wait_s: float = SWAP_WAIT_S,
        queue_limit: int = DEFAULT_QUEUE_LIMIT,
        keep_warm: KeepWarm | None = None,
        victim_rule: VictimRule | None = None,
    ) -> None:
        """Start without residents.

        ``capacity`` limits their number and ``budget`` their memory by device (None: no limit), including those that
        load, drain or stop; only the memory of those that have made way. ``keep_warm`` has the records of earlier loads
        and returns (None: none); ``victim_rule`` chooses the residents that make room (None: ``LeastExpectedLoss``).
        """
        self._state = SchedulerState(
            placement=Placement(capacity=capacity, budget=budget),
            swap_wait_s=swap_wait_s,
            queue_limit=queue_limit,
            keep_warm=keep_warm or KeepWarm(),
            victim_rule=victim_rule or LeastExpectedLoss(),
        )
        # Parts of the state for the fast path: an attribute less for each request.
        self._residents = self._state.residents
        self._keep_warm = self._state.keep_warm
        self._backoff = self._state.backoff
        self._has_interactive_waiters = False
        self._is_end_awaited = False
        """Whether a request, a pending load or the budget may wait for the end of a request in flight."""

    @property
    def placement(self) -> Placement:
        """The limits of memory and of the number of residents."""
        return self._state.placement

    @property
    def pinned(self) -> frozenset[int]:
        """The ids of the pinned models."""
        return self._state.pinned

    @property
    def residents(self) -> tuple[Resident, ...]:
        """Every launch that takes memory, oldest first."""
        return tuple(self._state.residents.values())

    @property
    def waiters(self) -> tuple[Waiter, ...]:
        """Every waiting request, oldest first."""
        return tuple(self._state.waiters.values())

    @property
    def pending_loads(self) -> tuple[PendingLoad, ...]:
        """Every load without waiters that has not started, oldest first."""
        return self._state.pending_loads.all

    @property
    def failures(self) -> tuple[Failure, ...]:
        """Every model whose last load failed, or whose process died too often."""
        return self._state.backoff.failures

    def handle(self, event: Event, now: float) -> list[Effect]:
        """Apply an event at ``now`` (seconds, monotonic) and return its effects in order."""
        match event:
            case Requested(ticket, spec, needed_ctx) if event.priority is Priority.INTERACTIVE:
                generation = self.try_grant(ticket, spec, needed_ctx, now)
                # CPython 3.11.2 traces the jump from here to another line.
                if generation is not None:  # pragma: no branch
                    return [Grant(ticket, generation)]
            case RequestEnded(ticket) if self.try_release(ticket, now):
                return []
        return [*self._apply(event, now), *self._reconcile(now)]

    def grants_at_once(self, request: Requested, now: float) -> bool:
        """Whether a ready resident certainly serves the request now, so that its size does not matter."""
        if request.priority is Priority.BATCH and self._state.waiters:
            return False  # an older batch request may take the slot
        return self._state.is_ready_for(waiter_of(request, now), now)

    # --- the fast path: nearly every event ---
    #
    # A request for a ready model, and its end, if no decision depends on it: ``_reconcile`` takes as long as the rest
    # of a short request. There are no effects, so the caller may call these methods first, and ``handle`` only if they
    # return None or False.
    #
    # A grant changes nothing for batch requests that wait, except that a slot stays free (``interactive_at``): it ends
    # no drain, and ``_reconcile`` would grant it before it plans anything. Timers only become too early.

    def try_grant(self, ticket: int, spec: ModelLaunchSpec, needed_ctx: int, now: float) -> int | None:
        """Grant an interactive request to a ready resident; return its generation, None if ``handle`` has to decide."""
        if self._has_interactive_waiters:
            return None
        model_id = spec.model_id
        for resident in self._residents.values():
            if (
                resident.spec.model_id == model_id
                and resident.state is _READY
                and is_enough(running=resident.context, needed=needed_ctx)
                and (resident.matched_spec is spec or resident.has_version_of(spec))
                and self._backoff.refusal(spec, now) is None
            ):
                self._keep_warm.record_request(model_id, now)
                resident.holders.add(ticket)
                resident.interactive_at = now
                # Inline for nearly all requests: the property would cost another call.
                resident.idle_ttl_s = (
                    spec.settings.idle_ttl_s if spec.keep_alive_s is None else spec.idle_ttl_s
                )
                return resident.generation
        return None

    def try_release(self, ticket: int, now: float) -> bool:
        """End a request in flight if nothing waits for its end; False if ``handle`` has to."""
        for resident in self._residents.values():
            if ticket in resident.holders:
                if (
                    resident.state is not _READY
                    or resident.idle_ttl_s is not None
                    or (self._is_end_awaited and self._frees_something(resident, ticket))
                ):
                    return False
                release(resident, ticket, self._keep_warm, now)
                return True
        return not self._is_end_awaited

    def _frees_something(self, resident: Resident, ticket: int) -> bool:
        """Whether the end of a request makes the resident idle, frees a batch slot, or leaves only batch requests."""
        return self._has_interactive_waiters or len(resident.holders) == 1 or ticket in resident.batch_holders

    def _update_fast_path(self) -> None:
        state = self._state
        self._has_interactive_waiters = any(
            waiter.priority is Priority.INTERACTIVE for waiter in state.waiters.values()
        )
        self._is_end_awaited = bool(state.waiters or state.pending_loads or state.has_excess)

    # --- all other events ---

    def _apply(self, event: Event, now: float) -> list[Effect]:
        state = self._state
        match event:
            case Requested():
                return list(enqueue(state, event, now))
            case RequestEnded(ticket):
                end_request(state, ticket, now)
            case WaitTimedOut(ticket):
                time_out(state, ticket, now)
            case RequestStalled(ticket):
                stall(state, ticket, now)
            case StopRequested():
                return list(request_stop(state, event, now))
            case PinsChanged() | LimitsChanged() | Reconfigured():
                change_limits(state, event)
            case ModelRemoved(model_id):
                return list(remove_model(state, model_id, now))
            case _:
                return self._apply_launch_event(event, now)
        return []

    def _apply_launch_event(self, event: Event, now: float) -> list[Effect]:
        state, effects = self._state, list[Effect]()
        match event:
            case BecameReady():
                become_ready(state, event, now)
            case Measured():
                measure(state, event)
            case LoadFailed():
                effects += fail_load(state, event, now)
            case Died():
                effects += record_death(state, event, now)
            case Exited(generation):
                finish_exit(state, generation, now)
            case MadeWay(generation):
                make_way(state, generation)
            case FileChanged(generation):
                effects += drain(state.residents.get(generation), StopReason.CHANGED, now)
            case Superseded(generation):
                effects += drain(state.residents.get(generation), StopReason.UPDATED, now)
            case _:  # Tick: only time has passed
                pass
        return effects

    def _reconcile(self, now: float) -> list[Effect]:
        state = self._state
        effects: list[Effect] = [*stop_drained(state, now), *grant_ready(state, now)]
        drop_finished_loads(state, now)
        effects += refuse_unplaceable(state, now)
        effects += stop_excess(state, now)  # before the plan: a drain may become unneeded
        effects += stop_expired(state, now)
        plan, planned = self._execute_plan(now)
        effects += planned
        if reopen_unneeded_drains(state, plan, now):
            effects += grant_ready(state, now)
            drop_finished_loads(state, now)
            effects += self._execute_plan(now)[1]  # a reopened resident may have to drain for another waiter
        if plan.launches or plan.evictions:  # a pinned launch, or a drain, may leave no room for others
            effects += refuse_unplaceable(state, now)
        reassign_final_drains(state)
        self._update_fast_path()
        return [*effects, *next_wake_up(state, now)]

    def _execute_plan(self, now: float) -> tuple[Plan, list[Effect]]:
        state = self._state
        planner = state.planner(now)
        plan = planner.plan([*state.next_waiters(now), *state.next_pending_loads()])
        return plan, list(execute(state, plan, planner))
