"""Records swaps for the log, the status and the metrics, from the scheduler's events and effects.

Pure: the times are arguments. An unload that makes room is recorded together with the launch that takes the room; any
other unload (idle time-to-live, stall, stop by the user, death, or the launch was stopped before it was ready) is
recorded alone. Swaps and loads are counted.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from gglib.core.errors import GglibError, ModelLoadFailedError
from gglib.core.ports import LoadCount, SwapCount, SwapStatus
from gglib.core.ports.runtime import MAX_SWAPS
from gglib.core.runtime.kept_prompts import NO_TRANSFER, KeptTransfer, transfer_texts
from gglib.runtime.scheduler.events import (
    BecameReady,
    Died,
    Effect,
    Event,
    Eviction,
    Exited,
    Grant,
    Launch,
    LoadFailed,
    MadeWay,
    Requested,
    RequestEnded,
    Stop,
    StopReason,
    WaitTimedOut,
)
from gglib.runtime.scheduler.kept_events import KeptEvent, PromptsSaved


@dataclass(frozen=True, slots=True)
class _QueuedRequest:
    """A request that has not ended."""

    model_name: str
    request_id: str
    requested_at: float


@dataclass(frozen=True, slots=True)
class _Unload:
    """A launch that was stopped."""

    generation: int
    model_name: str
    eviction: Eviction
    request: _QueuedRequest | None
    stopped_at: float
    saved: KeptTransfer | None
    has_made_way: bool = False
    """Whether it has made way, and the load that it was stopped for has not begun yet."""
    exited_at: float = 0.0
    """Or when the next load began beside it."""


@dataclass(frozen=True, slots=True)
class _Load:
    """A launch that is loading or ready."""

    model_name: str
    started_at: float
    request: _QueuedRequest | None
    evicted: _Unload | None
    is_finished: bool = False
    restored: KeptTransfer | None = None
    saved: KeptTransfer | None = None
    """Saved before it was stopped."""


MAX_SWAPS_BY_REQUEST = 512
"""How many of the last swaps are kept for the records of the requests that caused them."""


class SwapHistory:
    """Builds one ``SwapStatus`` for each finished swap."""

    def __init__(self) -> None:
        self._requests: dict[int, _QueuedRequest] = {}
        self._detached: dict[str, int] = {}
        """By model: ticket of the newest request that did not wait for its load, or timed out. Its swap names it."""
        self._loads: dict[int, _Load] = {}
        self._unloads: dict[int, _Unload] = {}
        self._swaps: deque[tuple[SwapStatus, float]] = deque(maxlen=MAX_SWAPS)
        """The last swaps with the loop's time of their end, newest first."""
        self._by_request: dict[str, SwapStatus] = {}
        self._swap_counts: dict[str, int] = {}
        self._load_counts: dict[tuple[str, str], tuple[int, float]] = {}

    @property
    def swap_counts(self) -> tuple[SwapCount, ...]:
        """Finished swaps by reason."""
        return tuple(SwapCount(reason=reason, count=count) for reason, count in self._swap_counts.items())

    @property
    def load_counts(self) -> tuple[LoadCount, ...]:
        """Finished loads by model and outcome."""
        return tuple(
            LoadCount(model_name=model_name, outcome=outcome, count=count, total_s=total_s)
            for (model_name, outcome), (count, total_s) in self._load_counts.items()
        )

    def last(self, now: float) -> SwapStatus | None:
        """Return the last finished swap."""
        return next(iter(self.newest(1, now)), None)

    def newest(self, limit: int, now: float) -> tuple[SwapStatus, ...]:
        """Return the last finished swaps, newest first: at most ``limit`` of the last ``MAX_SWAPS``."""
        return tuple(replace(swap, ago_s=now - ended) for swap, ended in islice(self._swaps, limit))

    def of_request(self, request_id: str) -> SwapStatus | None:
        """Return the last swap that a request with this id caused, of the last ``MAX_SWAPS_BY_REQUEST``."""
        return self._by_request.get(request_id)

    def record(
        self, event: Event, effects: Sequence[Effect], now: float, *, unix_now: float | None = None
    ) -> list[SwapStatus]:
        """Record one step of the scheduler and return the swaps that it finishes.

        ``now`` is the scheduler's time, ``unix_now`` the same moment in Unix seconds.
        """
        if isinstance(event, RequestEnded) and not effects:
            self._forget(event.ticket)
            return []
        if isinstance(event, Requested):
            if len(effects) == 1 and isinstance(effects[0], Grant):
                return []  # served at once: no swap
            self._requests[event.ticket] = _QueuedRequest(event.spec.model_name, event.request_id, now)
        if isinstance(event, WaitTimedOut) or (isinstance(event, Requested) and not event.waits):
            self._detach(event.ticket)
        swaps = [replace(swap, ended_at=unix_now) for swap in self._apply(event, effects, now)]
        if isinstance(event, RequestEnded):
            self._forget(event.ticket)
        if swaps:
            self._swaps.extendleft((swap, now) for swap in swaps)
            self._keep_by_request(swaps)
        return swaps

    def record_kept(self, event: KeptEvent) -> None:
        """Add saved or restored prompts to the current unload or load of their launch; ignored for another launch."""
        generation, transfer = event.generation, event.transfer
        is_saved = isinstance(event, PromptsSaved)
        if (load := self._loads.get(generation)) is not None:
            self._loads[generation] = (
                replace(load, saved=_sum(load.saved, transfer))
                if is_saved
                else replace(load, restored=_sum(load.restored, transfer))
            )
        elif is_saved and (unload := self._unloads.get(generation)) is not None:
            self._unloads[generation] = replace(unload, saved=_sum(unload.saved, transfer))
        elif is_saved:
            self._add_saved_beside(generation, transfer)

    def _add_saved_beside(self, generation: int, transfer: KeptTransfer) -> None:
        """Add prompts that were saved beside the next load to its swap, which may be finished."""
        for number, load in self._loads.items():
            if load.evicted is None or load.evicted.generation != generation:
                continue
            evicted = replace(load.evicted, saved=_sum(load.evicted.saved, transfer))
            self._loads[number] = replace(load, evicted=evicted)
            if load.is_finished:
                self._replace_saved(evicted.model_name, load.model_name, evicted.saved)
            return

    def _replace_saved(self, from_model: str, to_model: str, saved: KeptTransfer | None) -> None:
        for index, (swap, ended_at) in enumerate(self._swaps):
            if (swap.from_model, swap.to_model) == (from_model, to_model):
                self._swaps[index] = replace(swap, saved=saved), ended_at
                if swap.request_id is not None and self._by_request.get(swap.request_id) is swap:
                    self._by_request[swap.request_id] = self._swaps[index][0]
                return

    def _keep_by_request(self, swaps: Sequence[SwapStatus]) -> None:
        for swap in swaps:
            if swap.request_id is not None:
                self._by_request.pop(swap.request_id, None)
                self._by_request[swap.request_id] = swap
        while len(self._by_request) > MAX_SWAPS_BY_REQUEST:
            del self._by_request[next(iter(self._by_request))]

    def _apply(self, event: Event, effects: Sequence[Effect], now: float) -> list[SwapStatus]:
        swaps = [*self._end_load(event, now)]
        unloaded = self._finish_unload(event, effects, now)
        for effect in effects:
            if isinstance(effect, Stop) and effect.eviction is not None:
                swaps += self._begin_unload(effect.generation, effect.eviction, now)
            elif isinstance(effect, Launch):
                self._begin_load(effect, unloaded or self._take_made_way_for(effect, now), now)
                unloaded = None
        if unloaded is not None:
            swaps.append(self._end_unload(unloaded))
        return swaps

    def _detach(self, ticket: int) -> None:
        """Keep a request beyond its end, for the swap of its load; replaces the previous one of the same model."""
        request = self._requests.get(ticket)
        if request is not None:
            former = self._detached.get(request.model_name)
            self._detached[request.model_name] = ticket
            if former is not None and former != ticket:
                self._requests.pop(former, None)

    def _forget(self, ticket: int) -> None:
        if ticket not in self._detached.values():
            self._requests.pop(ticket, None)

    def _begin_load(self, launch: Launch, unloaded: _Unload | None, now: float) -> None:
        request = self._requests.get(launch.ticket) if launch.ticket is not None else None
        self._loads[launch.generation] = _Load(launch.spec.model_name, now, request, unloaded)

    def _begin_unload(self, generation: int, eviction: Eviction, now: float) -> Iterator[SwapStatus]:
        """Note that a model is unloaded; yield the unload that made room for it, if its own load was not finished."""
        load = self._loads.pop(generation, None)
        if load is not None:
            request = self._requests.get(eviction.ticket) if eviction.ticket is not None else None
            self._unloads[generation] = _Unload(
                generation, load.model_name, eviction, request, now, load.saved
            )
            if not load.is_finished:
                self._count_load(load, "stopped", now)
                if load.evicted is not None:
                    yield self._end_unload(load.evicted)

    def _end_unload(self, unload: _Unload) -> SwapStatus:
        """Count an unload that no finished load took the room of, and return it."""
        self._count_swap(reason_code(unload.eviction.reason))
        return _unload_swap(unload)

    def _finish_unload(self, event: Event, effects: Sequence[Effect], now: float) -> _Unload | None:
        """Return the unload that ends with this event: its process has exited, or the next load begins beside it."""
        if not isinstance(event, Exited | MadeWay) or event.generation not in self._unloads:
            return None
        unload = self._unloads.pop(event.generation)
        if isinstance(event, MadeWay) and not any(isinstance(effect, Launch) for effect in effects):
            self._unloads[event.generation] = replace(unload, has_made_way=True)
            return None
        return replace(unload, exited_at=now)

    def _take_made_way_for(self, launch: Launch, now: float) -> _Unload | None:
        """Return the unload that has made way for a load, if this waited for something else: its own former launch."""
        for generation, unload in self._unloads.items():
            request = unload.request
            if unload.has_made_way and request is not None and request.model_name == launch.spec.model_name:
                return replace(self._unloads.pop(generation), exited_at=now)
        return None

    def _end_load(self, event: Event, now: float) -> Iterator[SwapStatus]:
        match event:
            case BecameReady(generation):
                load = self._loads.get(generation)
                if load is not None:
                    self._loads[generation] = replace(load, is_finished=True)
                    self._count_finished_load(load, "ready", now)
                    yield _load_swap(load, now, None)
            case LoadFailed(generation, error):
                load = self._loads.pop(generation, None)
                if load is not None:
                    self._count_finished_load(load, "failed", now)
                    yield _load_swap(load, now, error)
            case Died(generation, reason):
                load = self._loads.pop(generation, None)
                if load is not None:
                    name = load.model_name
                    self._count_swap("died")
                    yield SwapStatus(from_model=name, to_model=None, why=f"'{name}' died: {reason}")

    def _count_finished_load(self, load: _Load, outcome: str, now: float) -> None:
        self._count_load(load, outcome, now)
        self._count_swap("room" if load.evicted is None else reason_code(load.evicted.eviction.reason))

    def _count_load(self, load: _Load, outcome: str, now: float) -> None:
        key = (load.model_name, outcome)
        count, total_s = self._load_counts.get(key, (0, 0.0))
        self._load_counts[key] = count + 1, total_s + now - load.started_at

    def _count_swap(self, reason: str) -> None:
        self._swap_counts[reason] = self._swap_counts.get(reason, 0) + 1


def describe_swap(swap: SwapStatus) -> str:
    """Return a swap as one log line."""
    kept = "".join(f"; {text}" for text in transfer_texts(swap.saved, swap.restored))
    if swap.to_model is None:
        return (
            f"'{swap.from_model}' unloaded: {swap.why} "
            f"(drain {swap.drain_s:.2f} s, stop {swap.stop_s:.2f} s{kept})"
        )
    requested_by = f", requested by {swap.request_id}" if swap.request_id else ""
    failed = f", failed: {swap.error}" if swap.error else ""
    return (
        f"swap from {_quoted(swap.from_model)} to {_quoted(swap.to_model)}{requested_by}{failed}: "
        f"waited {swap.waited_s:.2f} s, drain {swap.drain_s:.2f} s, stop {swap.stop_s:.2f} s, "
        f"load {swap.load_s:.2f} s, total {swap.total_s:.2f} s ({swap.why}){kept}"
    )


def _sum(former: KeptTransfer | None, transfer: KeptTransfer) -> KeptTransfer:
    return (former or NO_TRANSFER) + transfer


def _quoted(model_name: str | None) -> str:
    return "nothing" if model_name is None else f"'{model_name}'"


def _load_swap(load: _Load, now: float, error: GglibError | None) -> SwapStatus:
    evicted, request = load.evicted, load.request
    # The eviction and the launch may have different requests: the swap is measured from the earlier one.
    first = min(
        (r for r in (request, evicted and evicted.request) if r), key=lambda r: r.requested_at, default=None
    )
    turn_at = load.started_at if evicted is None else evicted.eviction.since
    began_at = first.requested_at if first is not None else turn_at
    return SwapStatus(
        from_model=None if evicted is None else evicted.model_name,
        to_model=load.model_name,
        why=_why(evicted) if evicted is not None else "there was room for it",
        request_id=(first.request_id or None) if first is not None else None,
        waited_s=max(0.0, turn_at - began_at),
        drain_s=0.0 if evicted is None else evicted.stopped_at - evicted.eviction.since,
        stop_s=0.0 if evicted is None else evicted.exited_at - evicted.stopped_at,
        load_s=now - load.started_at,
        total_s=now - min(began_at, turn_at),
        error=None if error is None else failure_reason(error),
        saved=None if evicted is None else evicted.saved,
        restored=load.restored,
    )


def _unload_swap(unload: _Unload) -> SwapStatus:
    return SwapStatus(
        from_model=unload.model_name,
        to_model=None,
        why=_why(unload),
        drain_s=unload.stopped_at - unload.eviction.since,
        stop_s=unload.exited_at - unload.stopped_at,
        total_s=unload.exited_at - unload.eviction.since,
        saved=unload.saved,
    )


def _why(unload: _Unload) -> str:
    name, eviction, request = unload.model_name, unload.eviction, unload.request
    if eviction.reason is StopReason.OVERDUE and request is not None:
        waited_s = eviction.since - request.requested_at
        return f"'{request.model_name}' had waited {waited_s:.1f} s while '{name}' was busy"
    return _WHY[eviction.reason].format(name=name)


_WHY = {
    StopReason.IDLE: "'{name}' was idle",
    StopReason.OVERDUE: "a request for another model had waited for the limit while '{name}' was busy",
    StopReason.PRIORITY: "only batch requests used '{name}', and an interactive request waited",
    StopReason.UNWANTED: "no request waited for the load of '{name}' any more",
    StopReason.TOO_SMALL: "the context of '{name}' was too small for a request",
    StopReason.EXPIRED: "'{name}' was idle for its time-to-live",
    StopReason.SILENT: "'{name}' stalled: it took a request and sent nothing",
    StopReason.ASKED: "the user requested it",
    StopReason.SHUTDOWN: "gglib is stopping",
    StopReason.REMOVED: "'{name}' was removed from the catalogue",
    StopReason.CHANGED: "the file of '{name}' changed while it was loaded",
    StopReason.UPDATED: "'{name}' was updated, or its options were changed",
    StopReason.OUT_OF_MEMORY: "'{name}' was idle, and a load of another model ran out of memory",
    StopReason.EXCESS: "'{name}' was idle, and the models exceeded max_models or the memory budget",
}


def reason_code(reason: StopReason) -> str:
    """Return the reason's code in counts and events."""
    return reason.value.replace(" ", "_")


def failure_reason(error: GglibError) -> str:
    """Return why a load failed, without the model's name."""
    return error.reason if isinstance(error, ModelLoadFailedError) else str(error)
