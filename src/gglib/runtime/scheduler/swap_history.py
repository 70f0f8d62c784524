"""What became of each swap, for people: read off the scheduler's events and effects. Pure: ``now`` is an argument.

It decides nothing. A departure that makes room is told together with the launch that took the room; every other one
(idle for too long, silent, stopped by the user, dead) is told on its own. What was told is counted, and so are loads.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from gglib.core.errors import GglibError, ModelLoadFailedError
from gglib.core.ports import LoadCount, SwapCount, SwapStatus
from gglib.runtime.scheduler.events import (
    BecameReady,
    Died,
    Effect,
    Event,
    Exited,
    Grant,
    Launch,
    Leaving,
    Left,
    LoadFailed,
    Requested,
    Stop,
    StopReason,
    WaitEnded,
)


@dataclass(frozen=True, slots=True)
class _Asked:
    """A request, for as long as it is not over."""

    model_name: str
    request_id: str
    at: float


@dataclass(frozen=True, slots=True)
class _Departure:
    """A launch that was told to stop."""

    model_name: str
    leaving: Leaving
    asked: _Asked | None
    stopped_at: float
    gone_at: float = 0.0


@dataclass(frozen=True, slots=True)
class _Arrival:
    """A launch that is there, or on its way."""

    model_name: str
    at: float
    asked: _Asked | None
    after: _Departure | None
    is_told: bool = False


class SwapJournal:
    """Turns what happens into one ``SwapStatus`` for each swap that is over."""

    def __init__(self) -> None:
        self._asked: dict[int, _Asked] = {}
        self._kept: dict[str, int] = {}
        """By model: the newest request whose load goes on without it; it is named when that load is over."""
        self._arrivals: dict[int, _Arrival] = {}
        self._departures: dict[int, _Departure] = {}
        self._last: tuple[SwapStatus, float] | None = None
        self._swap_counts: dict[str, int] = {}
        self._load_counts: dict[tuple[str, str], tuple[int, float]] = {}

    @property
    def swap_counts(self) -> tuple[SwapCount, ...]:
        """How many swaps there were, by reason."""
        return tuple(SwapCount(reason=reason, count=count) for reason, count in self._swap_counts.items())

    @property
    def load_counts(self) -> tuple[LoadCount, ...]:
        """How many loads there were, by model and outcome."""
        return tuple(
            LoadCount(model_name=model_name, outcome=outcome, count=count, total_s=total_s)
            for (model_name, outcome), (count, total_s) in self._load_counts.items()
        )

    def last(self, now: float) -> SwapStatus | None:
        """Return the newest swap that is over."""
        if self._last is None:
            return None
        swap, ended_at = self._last
        return replace(swap, ago_s=now - ended_at)

    def note(self, event: Event, effects: Sequence[Effect], now: float) -> list[SwapStatus]:
        """Take in one step of the scheduler, and return the swaps that it completes."""
        if isinstance(event, Left) and not effects:
            self._forget(event.ticket)
            return []
        if isinstance(event, Requested):
            if len(effects) == 1 and isinstance(effects[0], Grant):
                return []  # it was served as it came: nothing happened for it
            self._asked[event.ticket] = _Asked(event.spec.model_name, event.request_id, now)
        if isinstance(event, WaitEnded) or (isinstance(event, Requested) and not event.waits):
            self._keep(event.ticket)
        swaps = self._take_in(event, effects, now)
        if isinstance(event, Left):
            self._forget(event.ticket)
        if swaps:
            self._last = swaps[-1], now
        return swaps

    def _take_in(self, event: Event, effects: Sequence[Effect], now: float) -> list[SwapStatus]:
        swaps = [*self._end_of_launch(event, now)]
        departed = self._departed(event, now)
        for effect in effects:
            if isinstance(effect, Stop) and effect.leaving is not None:
                self._depart(effect.generation, effect.leaving, now)
            elif isinstance(effect, Launch):
                self._arrive(effect, departed, now)
                departed = None
        if departed is not None:
            self._count_swap(reason_word(departed.leaving.reason))
            swaps.append(_only_left(departed))
        return swaps

    def _keep(self, ticket: int) -> None:
        """Remember a request that does not wait for its load, in place of the one before for the same model."""
        asked = self._asked.get(ticket)
        if asked is not None:
            former = self._kept.get(asked.model_name)
            self._kept[asked.model_name] = ticket
            if former is not None and former != ticket:
                self._asked.pop(former, None)

    def _forget(self, ticket: int) -> None:
        if ticket not in self._kept.values():
            self._asked.pop(ticket, None)

    def _arrive(self, launch: Launch, departed: _Departure | None, now: float) -> None:
        asked = self._asked.get(launch.ticket) if launch.ticket is not None else None
        self._arrivals[launch.generation] = _Arrival(launch.spec.model_name, now, asked, departed)

    def _depart(self, generation: int, leaving: Leaving, now: float) -> None:
        arrival = self._arrivals.pop(generation, None)
        if arrival is not None:
            if not arrival.is_told:
                self._count_load(arrival, "stopped", now)
            asked = self._asked.get(leaving.ticket) if leaving.ticket is not None else None
            self._departures[generation] = _Departure(arrival.model_name, leaving, asked, now)

    def _departed(self, event: Event, now: float) -> _Departure | None:
        if not isinstance(event, Exited):
            return None
        departure = self._departures.pop(event.generation, None)
        return None if departure is None else replace(departure, gone_at=now)

    def _end_of_launch(self, event: Event, now: float) -> Iterator[SwapStatus]:
        match event:
            case BecameReady(generation):
                arrival = self._arrivals.get(generation)
                if arrival is not None:
                    self._arrivals[generation] = replace(arrival, is_told=True)
                    self._count_arrival(arrival, "ready", now)
                    yield _arrived(arrival, now, None)
            case LoadFailed(generation, error):
                arrival = self._arrivals.pop(generation, None)
                if arrival is not None:
                    self._count_arrival(arrival, "failed", now)
                    yield _arrived(arrival, now, error)
            case Died(generation, reason):
                arrival = self._arrivals.pop(generation, None)
                if arrival is not None:
                    name = arrival.model_name
                    self._count_swap("died")
                    yield SwapStatus(from_model=name, to_model=None, why=f"'{name}' died: {reason}")

    def _count_arrival(self, arrival: _Arrival, outcome: str, now: float) -> None:
        self._count_load(arrival, outcome, now)
        self._count_swap("room" if arrival.after is None else reason_word(arrival.after.leaving.reason))

    def _count_load(self, arrival: _Arrival, outcome: str, now: float) -> None:
        key = (arrival.model_name, outcome)
        count, total_s = self._load_counts.get(key, (0, 0.0))
        self._load_counts[key] = count + 1, total_s + now - arrival.at

    def _count_swap(self, reason: str) -> None:
        self._swap_counts[reason] = self._swap_counts.get(reason, 0) + 1


def sentence(swap: SwapStatus) -> str:
    """Return a swap as one line of the log."""
    if swap.to_model is None:
        return f"'{swap.from_model}' left: {swap.why} (drain {swap.drain_s:.2f} s, stop {swap.stop_s:.2f} s)"
    asked_by = f", asked by request {swap.request_id}" if swap.request_id else ""
    failed = f", failed: {swap.error}" if swap.error else ""
    return (
        f"swap from {_quoted(swap.from_model)} to {_quoted(swap.to_model)}{asked_by}{failed}: "
        f"waited {swap.waited_s:.2f} s, drain {swap.drain_s:.2f} s, stop {swap.stop_s:.2f} s, "
        f"load {swap.load_s:.2f} s, total {swap.total_s:.2f} s ({swap.why})"
    )


def _quoted(model_name: str | None) -> str:
    return "nothing" if model_name is None else f"'{model_name}'"


def _arrived(arrival: _Arrival, now: float, error: GglibError | None) -> SwapStatus:
    after, asked = arrival.after, arrival.asked
    # Of two requests that had a part in it, the one that made room and the one that is launched for, the first counts.
    first = min((a for a in (asked, after and after.asked) if a), key=lambda a: a.at, default=None)
    turn_at = arrival.at if after is None else after.leaving.since
    began_at = first.at if first is not None else turn_at
    return SwapStatus(
        from_model=None if after is None else after.model_name,
        to_model=arrival.model_name,
        why=_why(after) if after is not None else "there was room for it",
        request_id=(first.request_id or None) if first is not None else None,
        waited_s=max(0.0, turn_at - began_at),
        drain_s=0.0 if after is None else after.stopped_at - after.leaving.since,
        stop_s=0.0 if after is None else after.gone_at - after.stopped_at,
        load_s=now - arrival.at,
        total_s=now - min(began_at, turn_at),
        error=None if error is None else reason_of(error),
    )


def _only_left(departure: _Departure) -> SwapStatus:
    return SwapStatus(
        from_model=departure.model_name,
        to_model=None,
        why=_why(departure),
        drain_s=departure.stopped_at - departure.leaving.since,
        stop_s=departure.gone_at - departure.stopped_at,
        total_s=departure.gone_at - departure.leaving.since,
    )


def _why(departure: _Departure) -> str:
    name, leaving, asked = departure.model_name, departure.leaving, departure.asked
    if leaving.reason is StopReason.OVERDUE and asked is not None:
        return f"'{asked.model_name}' had waited {leaving.since - asked.at:.1f} s while '{name}' was busy"
    return _WHY[leaving.reason].format(name=name)


_WHY = {
    StopReason.IDLE: "'{name}' was idle",
    StopReason.OVERDUE: "somebody had waited long enough while '{name}' was busy",
    StopReason.UNWANTED: "nobody waited any more for the load of '{name}'",
    StopReason.TOO_SMALL: "the context of '{name}' was too small for a request",
    StopReason.EXPIRED: "'{name}' was idle for its whole time-to-live",
    StopReason.SILENT: "'{name}' took a request and fell silent",
    StopReason.ASKED: "the user asked for it",
    StopReason.REMOVED: "'{name}' was removed from the catalogue",
    StopReason.CHANGED: "the file of '{name}' changed while it was loaded",
    StopReason.UPDATED: "'{name}' was updated to a newer version",
}


def reason_word(reason: StopReason) -> str:
    """Return a reason as counts and events name it."""
    return reason.value.replace(" ", "_")


def reason_of(error: GglibError) -> str:
    """Return why a load failed, without the name of the model."""
    return error.reason if isinstance(error, ModelLoadFailedError) else str(error)
