"""Whether a launch fits beside the residents, and which residents make room for it. Pure.

Limits and sizes are vectors: bytes by device, and the number of models as the pseudo-device ``models``. A fixed number
of models (``max_models = 2``) is a limit of that device alone; ``max_models = "auto"`` limits the memory.

The decision for a launch, in this order:

1. It exceeds the budget, alone or beside the pinned residents: it is refused at once, and nothing is evicted.
2. It fits into the room that is free now: it starts.
3. It fits once the residents that are stopping have exited: it waits for them, and nothing else is evicted.
4. It exceeds what is free now plus what evictions would give back, because other programs use the memory: it waits for
   a short time, is then refused, and nothing is evicted.
5. A set of residents makes room for it (``choose_victims``). Without such a set it waits.

The value of keeping a resident is that of GreedyDual-Size (Cao and Irani 1997): H = L + cost / size. The cost is what
an eviction loses, in seconds: its load, and the prompts that its cache holds. The size is its largest share of a limit.
L grows to the H of each evicted resident, so a resident that is not used loses its value relative to newer ones.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from gglib.core.memory import DeviceBytes

MODELS = "models"
"""The pseudo-device whose limit is the number of models."""
_MIN_SHARE = 1e-6
"""The share of a resident whose size is unknown."""

Vector = dict[str, int]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A resident that may be evicted for a launch. Lower ranks go first, then lower values."""

    generation: int
    size: Mapping[str, int]
    rank: int
    value: float


@dataclass(slots=True)
class Room:
    """What is left of the limits, by device; negative where launches wait for more than there is."""

    now: Vector
    soon: Vector = field(default_factory=dict)
    """``now``, and what the residents that are stopping give back."""

    def fits_now(self, size: Mapping[str, int]) -> bool:
        """Whether a launch of this size can start."""
        return all(not size.get(device) or size[device] <= left for device, left in self.now.items())

    def shortage(self, size: Mapping[str, int]) -> Vector:
        """Return what a launch of this size lacks after the present stops, by device; empty if nothing."""
        return {
            device: size[device] - left
            for device, left in self.soon.items()
            if size.get(device) and size[device] > left
        }

    def take(self, size: Mapping[str, int]) -> None:
        """Take room for a launch that starts."""
        _subtract(self.now, size)
        _subtract(self.soon, size)

    def reserve(self, size: Mapping[str, int]) -> None:
        """Take room for a launch that waits for stops: first what they give back, then what is free now."""
        for device in self.now:
            from_stops = self.soon[device] - self.now[device]
            self.now[device] -= max(0, size.get(device, 0) - max(0, from_stops))
        _subtract(self.soon, size)

    def give_back(self, size: Mapping[str, int]) -> None:
        """Add what an eviction will give back."""
        for device in self.soon:
            self.soon[device] += size.get(device, 0)


class Placement:
    """The limits of all residents together, and the value of each."""

    def __init__(self, *, capacity: int, budget: DeviceBytes | None = None) -> None:
        """``capacity`` is the maximum number of residents, ``budget`` limits their memory; None: no limit."""
        self._budget: Vector = {}
        self._limits: Vector = {}
        self._free: DeviceBytes = {}
        self._inflation = 0.0
        self.set_budget(capacity=capacity, budget=budget)

    @property
    def limits_memory(self) -> bool:
        """Whether the memory is limited, not only the number of models."""
        return len(self._budget) > 1

    @property
    def capacity(self) -> int:
        """The maximum number of residents."""
        return self._budget[MODELS]

    @property
    def inflation(self) -> float:
        """L of GreedyDual-Size: the credit of a resident that is used now."""
        return self._inflation

    @property
    def memory_budget(self) -> DeviceBytes:
        """The budget, by device."""
        return {device: limit for device, limit in self._budget.items() if device != MODELS}

    @property
    def memory_limits(self) -> DeviceBytes:
        """The budget, or less where other programs use the memory, by device."""
        return {device: limit for device, limit in self._limits.items() if device != MODELS}

    def set_budget(self, *, capacity: int, budget: DeviceBytes | None) -> None:
        """Replace the budget."""
        self._budget = {MODELS: capacity, **(budget or {})}
        self.set_limits(self._free)

    def set_limits(self, memory: DeviceBytes) -> None:
        """Limit the memory to less than the budget, because other programs use it. A missing device: the budget."""
        self._free = memory
        self._limits = {
            device: min(limit, memory.get(device, limit)) for device, limit in self._budget.items()
        }

    def footprint(self, size: DeviceBytes) -> Vector:
        """Return the vector of a launch: one model, and its memory on the limited devices."""
        return {MODELS: 1, **{device: size.get(device, 0) for device in self._budget if device != MODELS}}

    def exceeds_budget(self, size: DeviceBytes, *, besides: Iterable[DeviceBytes] = ()) -> bool:
        """Whether a launch of this size does not fit beside residents of these sizes, whatever is evicted."""
        return self._exceeds(self._budget, size, besides)

    def exceeds_limits(self, size: DeviceBytes, *, besides: Iterable[DeviceBytes] = ()) -> bool:
        """Like ``exceeds_budget``, within what other programs leave."""
        return self._exceeds(self._limits, size, besides)

    def room(self, staying: Collection[DeviceBytes], stopping: Collection[DeviceBytes]) -> Room:
        """Return what these residents leave."""
        now = dict(self._limits)
        for size in (*staying, *stopping):
            _subtract(now, self.footprint(size))
        room = Room(now, dict(now))
        for size in stopping:
            room.give_back(self.footprint(size))
        return room

    def excess(self, sizes: Collection[DeviceBytes]) -> Vector:
        """Return by how much residents of these sizes exceed the budget, by device; empty if they do not."""
        left = dict(self._budget)
        for size in sizes:
            _subtract(left, self.footprint(size))
        return {device: -amount for device, amount in left.items() if amount < 0}

    def value(self, size: DeviceBytes, *, credit: float, cost_s: float) -> float:
        """Return H of a resident. ``credit`` is ``inflation`` at its last use."""
        return credit + cost_s / max(self._share(size), _MIN_SHARE)

    def record_eviction(self, value: float) -> None:
        """Raise L to the value of an evicted resident."""
        self._inflation = max(self._inflation, value)

    def _share(self, size: DeviceBytes) -> float:
        """Return the largest share of a limit that a resident takes."""
        footprint = self.footprint(size)
        devices = [device for device in self._budget if device != MODELS] or [MODELS]
        return max(footprint[device] / max(1, self._budget[device]) for device in devices)

    def _exceeds(self, limits: Vector, size: DeviceBytes, besides: Iterable[DeviceBytes]) -> bool:
        footprint, left = self.footprint(size), dict(limits)
        for other in (footprint, *map(self.footprint, besides)):
            _subtract(left, other)
        return any(left[device] < 0 for device, taken in footprint.items() if taken)


def largest(sizes: Iterable[DeviceBytes]) -> DeviceBytes:
    """Return the largest of the sizes on each device."""
    result: Vector = {}
    for size in sizes:
        for device, taken in size.items():
            result[device] = max(taken, result.get(device, 0))
    return result


def choose_victims(
    candidates: Iterable[Candidate], shortage: Mapping[str, int]
) -> tuple[Candidate, ...] | None:
    """Return a set of residents that gives back at least ``shortage``; None if all of them do not.

    Greedy in the order of rank and value. The set is minimal: without any of its members it would not be enough.
    """
    chosen: list[Candidate] = []
    missing = dict(shortage)
    for candidate in sorted(candidates, key=lambda c: (c.rank, c.value)):
        if _is_covered(missing):
            break
        if any(amount > 0 and candidate.size.get(device, 0) > 0 for device, amount in missing.items()):
            chosen.append(candidate)
            _subtract(missing, candidate.size)
    if not _is_covered(missing):
        return None
    return _without_surplus(chosen, shortage)


def _without_surplus(chosen: Sequence[Candidate], shortage: Mapping[str, int]) -> tuple[Candidate, ...]:
    """Drop members that the others make unnecessary, the most valuable first."""
    kept = list(chosen)
    for candidate in reversed(chosen):
        others = [other for other in kept if other is not candidate]
        missing = dict(shortage)
        for other in others:
            _subtract(missing, other.size)
        if _is_covered(missing):
            kept = others
    return tuple(kept)


def _is_covered(missing: Mapping[str, int]) -> bool:
    return all(amount <= 0 for amount in missing.values())


def _subtract(vector: Vector, size: Mapping[str, int]) -> None:
    for device in vector:
        vector[device] -= size.get(device, 0)
