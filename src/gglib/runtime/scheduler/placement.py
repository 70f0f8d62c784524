"""Whether a launch fits beside the residents, and which residents make room for it. Pure.

Limits and sizes are vectors: bytes by device, and the number of models as the pseudo-device ``models``. A fixed number
of models (``max_models = 2``) is a limit of that device alone; ``max_models = "auto"`` limits the memory.

The decision for a request, with the numbers of the decision tree in ``docs/memory.md``:

1. A ready resident serves it: it is granted (``requests.grant_ready``).
2. A loading resident will serve it: it waits for that load (``SchedulerState.unserved``).
3. Its launch exceeds the budget: it is refused at once, and nothing is evicted (``Planner.refusal``).
4. Its launch does not fit beside the pinned residents: it is refused at once, and nothing is evicted.
5. Its launch exceeds the limits, because other programs use the memory: it waits for ``MEMORY_WAIT_S``, is then
   refused, and nothing is evicted (``requests.refuse_unplaceable``).
6. Its launch fits into the room that is free now: it starts (``Room.fits_now``).
7. It fits once the residents that are stopping have exited: it waits for them, and nothing else is evicted.
8. A set of residents makes room for it (``choose_victims``). Without such a set it waits.
9. The victims have exited and their memory is free (``Exited``): the launch starts. If a victim has made way for it
   (``MadeWay``), it starts before, beside the victim's memory (``Room.fits_beside_stop``).
10. The load runs out of memory: it is repeated once, after idle residents have stopped (``launches.fail_load``).

The victims are the set with the least expected loss (``expected_loss``) among the sets that are large enough. The loss
is not divided by the size, as GreedyDual-Size does (Cao and Irani 1997): that rule is made for caches of many small
objects. Of a few large models it evicts one of 9 GB for a launch that lacks 0.4 GB, although a small one would do, and
a model on a GPU for a little RAM. ``bench/policies/memory`` compares the rules (``bench/results/memory.md``).
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

from gglib.core.memory import DeviceBytes

MODELS = "models"
"""The pseudo-device whose limit is the number of models."""
MIN_RETURN_S = 0.5
"""The least expected time until the next request: the loss per second stays finite."""
EXACT_CANDIDATES = 10
"""With more candidates than this, the set is chosen greedily: there are too many sets to compare."""

Vector = dict[str, int]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A resident that may be evicted for a launch. A higher rank is evicted only if lower ones are not enough."""

    generation: int
    size: Mapping[str, int]
    rank: int
    value: float
    """What its eviction is expected to lose; not negative."""


@dataclass(slots=True)
class Room:
    """What is left of the limits, by device; negative where launches wait for more than there is."""

    now: Vector
    soon: Vector = field(default_factory=dict)
    """``now``, and what the residents that are stopping give back."""

    def fits_now(self, size: Mapping[str, int]) -> bool:
        """Whether a launch of this size can start."""
        return all(not size.get(device) or size[device] <= left for device, left in self.now.items())

    def fits_beside_stop(self, size: Mapping[str, int]) -> bool:
        """Whether a launch can start now in the place of a model that is stopping, beside its memory."""
        return self.fits_now({**size, MODELS: 0}) and not self.shortage(size)

    def take_beside_stop(self, size: Mapping[str, int]) -> None:
        """Take room for such a launch."""
        _subtract(self.now, {**size, MODELS: 0})
        _subtract(self.soon, size)

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
            self.now[device] -= max(0, size.get(device, 0) - from_stops)
        _subtract(self.soon, size)

    def give_back(self, size: Mapping[str, int]) -> None:
        """Add what an eviction will give back."""
        for device in self.soon:
            self.soon[device] += size.get(device, 0)

    def keep(self, size: Mapping[str, int]) -> None:
        """Take back what an eviction would have given back."""
        _subtract(self.soon, size)


class Placement:
    """The limits of all residents together."""

    def __init__(self, *, capacity: int, budget: DeviceBytes | None = None) -> None:
        """``capacity`` is the maximum number of residents, ``budget`` limits their memory; None: no limit."""
        self._budget: Vector = {}
        self._limits: Vector = {}
        self._free: DeviceBytes = {}
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

    def footprint(self, size: DeviceBytes, *, models: int = 1) -> Vector:
        """Return the vector of a launch: one model, and its memory on the limited devices.

        ``models`` is 0 for one that stops beside the launch that it has made way for.
        """
        return {
            MODELS: models,
            **{device: size.get(device, 0) for device in self._budget if device != MODELS},
        }

    def difference(self, larger: DeviceBytes, smaller: DeviceBytes) -> Vector:
        """Return what the larger of two sizes of one launch takes in addition on the limited devices."""
        other = self.footprint(smaller)
        return {device: taken - other[device] for device, taken in self.footprint(larger).items()}

    def devices_of(self, size: DeviceBytes) -> set[str]:
        """Return the limited devices that a launch of this size uses, ``MODELS`` among them."""
        return {device for device, taken in self.footprint(size).items() if taken}

    def within_budget(self, size: DeviceBytes) -> DeviceBytes:
        """Return a measured size, at most the budget: a launch that ran alone is not refused the next time."""
        return {device: min(taken, self._budget.get(device, taken)) for device, taken in size.items()}

    def exceeds_budget(self, size: DeviceBytes, *, besides: Iterable[DeviceBytes] = ()) -> bool:
        """Whether a launch of this size does not fit beside residents of these sizes, whatever is evicted."""
        return bool(self.exceeded_by(size, besides))

    def exceeded_by(self, size: DeviceBytes, besides: Iterable[DeviceBytes]) -> set[str]:
        """Return the devices whose budget a launch of this size exceeds beside residents of these sizes."""
        return self._exceeded(self._budget, size, besides)

    def exceeds_limits(self, size: DeviceBytes, *, besides: Iterable[DeviceBytes] = ()) -> bool:
        """Like ``exceeds_budget``, within what other programs leave."""
        return bool(self._exceeded(self._limits, size, besides))

    def memory_beside(self, sizes: Iterable[DeviceBytes]) -> DeviceBytes:
        """Return what residents of these sizes leave of the limits, by device."""
        left = dict(self._limits)
        for size in sizes:
            _subtract(left, self.footprint(size))
        return {device: max(0, amount) for device, amount in left.items() if device != MODELS}

    def room(self, staying: Iterable[Vector], stopping: Collection[Vector]) -> Room:
        """Return what residents with these footprints leave."""
        now = dict(self._limits)
        for footprint in (*staying, *stopping):
            _subtract(now, footprint)
        room = Room(now, dict(now))
        for footprint in stopping:
            room.give_back(footprint)
        return room

    def excess(self, sizes: Collection[DeviceBytes]) -> Vector:
        """Return by how much residents of these sizes exceed the budget, by device; empty if they do not."""
        left = dict(self._budget)
        for size in sizes:
            _subtract(left, self.footprint(size))
        return {device: -amount for device, amount in left.items() if amount < 0}

    def _exceeded(self, limits: Vector, size: DeviceBytes, besides: Iterable[DeviceBytes]) -> set[str]:
        footprint, left = self.footprint(size), dict(limits)
        for other in (footprint, *map(self.footprint, besides)):
            _subtract(left, other)
        return {device for device, taken in footprint.items() if taken and left[device] < 0}


def largest(sizes: Iterable[DeviceBytes]) -> DeviceBytes:
    """Return the largest of the sizes on each device."""
    result: Vector = {}
    for size in sizes:
        for device, taken in size.items():
            result[device] = max(taken, result.get(device, 0))
    return result


def is_within(size: DeviceBytes, other: DeviceBytes) -> bool:
    """Whether a size is at most another one on each device."""
    return all(taken <= other.get(device, 0) for device, taken in size.items())


def expected_loss(cost_s: float, *, idle_s: float, typical_return_s: float) -> float:
    """Return what the eviction of a resident is expected to lose, in seconds of work for each second.

    ``cost_s`` is the work that an eviction causes: the next load, and the prompts that the cache holds. The next
    request is expected after the usual pause between requests, or, if it is already longer, after as long again.
    """
    return cost_s / max(idle_s, typical_return_s, MIN_RETURN_S)


def choose_victims(
    candidates: Iterable[Candidate], shortage: Mapping[str, int]
) -> tuple[Candidate, ...] | None:
    """Return the cheapest set of residents that gives back at least ``shortage``; None if all of them do not.

    It has as little as possible of the highest rank, then of the next one. Within a rank the sum of the values is the
    least, then the number. The set is minimal: without any of its members it would not be enough. Lower ranks come
    first.
    """
    ordered = _in_order(candidates)
    chosen: list[Candidate] = []
    missing = dict(shortage)
    for rank in sorted({candidate.rank for candidate in ordered}, reverse=True):
        needed = dict(missing)
        for candidate in ordered:
            if candidate.rank < rank:
                _subtract(needed, candidate.size)
        victims = _cheapest([candidate for candidate in ordered if candidate.rank == rank], needed)
        if victims is None:
            return None
        for victim in victims:
            _subtract(missing, victim.size)
        chosen = [*victims, *chosen]
    return tuple(chosen) if _is_covered(missing) else None


def _cheapest(candidates: Sequence[Candidate], needed: Mapping[str, int]) -> Sequence[Candidate] | None:
    """Return the cheapest set of candidates of one rank, which are ordered by value; None if all are not enough."""
    if _is_covered(needed):
        return ()
    helpful = [c for c in candidates if any(a > 0 and c.size.get(d, 0) > 0 for d, a in needed.items())]
    greedy = choose_greedily(helpful, needed)
    if greedy is None or len(helpful) > EXACT_CANDIDATES:
        return greedy
    best, best_cost = greedy, _cost(greedy)
    for count in range(1, len(helpful)):
        if _cost(helpful[:count]) >= best_cost:
            break  # no set of this number, or a larger one, is cheaper
        for members in combinations(helpful, count):
            if _cost(members) < best_cost and _is_covered(_without(needed, members)):
                best, best_cost = members, _cost(members)
    return best


def choose_greedily(
    candidates: Iterable[Candidate], shortage: Mapping[str, int]
) -> tuple[Candidate, ...] | None:
    """Return a minimal set in the order of rank and value; None if all candidates together are not enough."""
    chosen: list[Candidate] = []
    missing = dict(shortage)
    for candidate in _in_order(candidates):
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
        if _is_covered(_without(shortage, others)):
            kept = others
    return tuple(kept)


def _in_order(candidates: Iterable[Candidate]) -> list[Candidate]:
    return sorted(candidates, key=lambda c: (c.rank, c.value))


def _cost(members: Sequence[Candidate]) -> tuple[float, int]:
    return (sum(member.value for member in members), len(members))


def _without(shortage: Mapping[str, int], members: Iterable[Candidate]) -> Vector:
    missing = dict(shortage)
    for member in members:
        _subtract(missing, member.size)
    return missing


def _is_covered(missing: Mapping[str, int]) -> bool:
    return all(amount <= 0 for amount in missing.values())


def _subtract(vector: Vector, size: Mapping[str, int]) -> None:
    for device in vector:
        vector[device] -= size.get(device, 0)
