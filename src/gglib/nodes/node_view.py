"""One node as the front sees it now: its last snapshot, and the front's own requests since then. Pure.

Requests change a node before its next snapshot shows it: a model that is not in memory is loaded for the first of them,
and others are evicted for it. Loads that must follow are counted here as if they had begun.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from gglib.core.backends import UrlBackend
from gglib.core.memory import DeviceBytes
from gglib.core.nodes import NodeModel, NodeSnapshot
from gglib.core.runtime.slots import DEFAULT_SLOTS
from gglib.core.runtime.status import ResidentStatus
from gglib.nodes.load_times import LoadTimes
from gglib.nodes.sent_requests import SentRequests

MODELS = "models"
"""The pseudo-device whose limit is the number of models."""
UNLIMITED_MODELS = 1
"""The number of models in memory at a node that reports neither a number nor a memory budget: gglib's default."""

_USABLE = ("loading", "ready")

Vector = dict[str, int]


@dataclass(frozen=True, slots=True)
class Room:
    """How a node makes room for a load."""

    victims: tuple[ResidentStatus, ...] = ()
    """The idle models that are evicted for it, longest idle first."""
    is_enough: bool = True
    """Whether there is room then; else it waits for responses of models in use."""


class NodeView:
    """A node at this moment. Reads the counts and times live; replaced with each snapshot."""

    def __init__(
        self, snapshot: NodeSnapshot, sent: SentRequests, loads: LoadTimes, *, order: int = 0
    ) -> None:
        """``order`` decides between equal nodes. Fronts with orders of their own do not all choose the same one."""
        self.snapshot = snapshot
        self.order = order
        self.name = snapshot.name
        self._sent, self._loads = sent.at(snapshot.name), loads
        status = snapshot.status
        self._residents = {resident.model_name: resident for resident in status.residents}
        self._remotes = {remote.model_name: remote for remote in status.remotes}
        self._seen = {resident.model_name: resident.in_flight for resident in status.residents}
        self._seen |= {remote.model_name: remote.in_flight for remote in status.remotes}
        self._waiting = {waiting.model_name: waiting.waiting for waiting in status.waiting}
        for name, number in self._waiting.items():
            self._seen[name] = self._seen.get(name, 0) + number
        self._usable = {name for name, resident in self._residents.items() if resident.state in _USABLE}
        self._failed = frozenset(name for name, _ in status.failed)

    def with_sent(self, sent: SentRequests) -> "NodeView":
        """Return the view with other counts, to try out choices in."""
        return NodeView(self.snapshot, sent, self._loads, order=self.order)

    # --- requests ---

    def requests(self, model_name: str) -> int:
        """Return the requests for a model that run or wait at the node, those of other clients among them."""
        sent = self._sent
        own = sent.now.get(model_name, 0)
        seen = self._seen.get(model_name, 0) + own - sent.at_snapshot.get(model_name, 0)
        return max(seen, own)

    def all_requests(self) -> int:
        """Return the requests that run or wait at the node, for all models."""
        return sum(map(self.requests, {*self._seen, *self._sent.now}))

    # --- models ---

    def resident(self, model_name: str) -> ResidentStatus | None:
        """Return the model if it is loading or ready; None if it is not in memory, or on its way out."""
        resident = self._residents.get(model_name)
        if resident is None or resident.state not in _USABLE:
            return None
        if not self.awaited():
            return resident
        return None if resident in self._after_awaited().evicted else resident

    def has_free_slot(self, model_name: str, context: int) -> bool:
        """Whether a request for a model with this context, in tokens, would run at once."""
        resident = self._residents.get(model_name)
        return (
            resident is not None
            and resident.state == "ready"
            and resident.effective_ctx >= context
            and self.requests(model_name) < self.slots(model_name)
        )

    def is_remote(self, model: NodeModel) -> bool:
        """Whether a server elsewhere serves the model: it is never loaded."""
        return model.name in self._remotes or isinstance(model.summary.backend, UrlBackend)

    def has_failed(self, model_name: str) -> bool:
        """Whether the last load of a model failed there, or the server of a remote model was not reached."""
        remote = self._remotes.get(model_name)
        return model_name in self._failed or (remote is not None and remote.is_reachable is False)

    def slots(self, model_name: str) -> int:
        """Return how many requests for a model run at a time; gglib's default if it is not known yet."""
        resident = self._residents.get(model_name)
        return DEFAULT_SLOTS if resident is None or resident.slots is None else max(1, resident.slots)

    def load_s(self, model: NodeModel) -> float:
        """Return the expected duration of a load."""
        return self._loads.expected_s(self.name, model)

    def reload_s(self, resident: ResidentStatus) -> float:
        """Return the expected duration of the next load of a model in memory."""
        if resident.load_time_s is not None:
            return resident.load_time_s
        model = self._models.get(resident.model_name)
        return 0.0 if model is None else self.load_s(model)

    @cached_property
    def _models(self) -> dict[str, NodeModel]:
        return {model.name: model for model in self.snapshot.models}

    # --- memory ---

    @cached_property
    def limits(self) -> DeviceBytes:
        """The budget of all models together, with the number of models as the device ``MODELS``."""
        limits, most = self.snapshot.status.limits, self.snapshot.max_models
        if most is None and not limits:
            most = UNLIMITED_MODELS
        return dict(limits) if most is None else {**limits, MODELS: most}

    def exceeded(self, model: NodeModel, *, beside_pinned: bool = False) -> tuple[str, ...]:
        """Return the devices whose limit a launch exceeds, alone or beside the pinned models in memory."""
        left = dict(self.limits)
        if beside_pinned:
            for resident in self._residents.values():
                if resident.is_pinned and resident.model_name != model.name:
                    _subtract(left, resident.size)
        need = _footprint(model)
        return tuple(device for device, limit in left.items() if need.get(device, 0) > limit)

    def free_bytes(self) -> int:
        """Return the free memory on all devices together, after the loads that requests wait for."""
        return _sum(self._after_awaited().free) if self.awaited() else self._free_bytes

    def room(self, model: NodeModel) -> Room:
        """Return how room is made for a load of a model that is not in memory, or with too small a context."""
        before = self._after_awaited(model.name)
        free, own = before.free, self._residents.get(model.name)
        if own is not None and own.state != "stopping":
            _add(free, _size(own))
        need = _footprint(model)
        _subtract(free, need)
        missing = {device: left for device, left in free.items() if need.get(device, 0) > 0}
        victims: list[ResidentStatus] = []
        for resident in before.idle:
            if _is_enough(missing):
                break
            _add(missing, _size(resident))
            victims.append(resident)
        is_used = own is not None and self.requests(model.name) > 0
        return Room(tuple(victims), is_enough=_is_enough(missing) and not is_used)

    def awaited(self, model_name: str = "") -> Sequence[NodeModel]:
        """Return the models that requests wait for and that are not in memory, without the given one."""
        if not self._waiting and self._sent.now.keys() <= self._usable:
            return []  # the usual case
        return [
            self._models[name]
            for name in sorted({*self._waiting, *self._sent.now})
            if name != model_name and name in self._models and self._is_awaited(name)
        ]

    def _is_awaited(self, model_name: str) -> bool:
        resident, requests = self._residents.get(model_name), self.requests(model_name)
        if resident is None:
            return requests > 0 and model_name not in self._remotes
        return resident.state not in _USABLE and requests > resident.in_flight

    def _after_awaited(self, model_name: str = "") -> "_Memory":
        """Return the memory after the loads that requests wait for, without that of the given model."""
        free = dict(self._free)
        evicted: list[ResidentStatus] = []
        awaited = self.awaited(model_name)
        for model in awaited:
            _subtract(free, _footprint(model))
        idle = self._idle(model_name)
        while awaited and idle and not _is_enough(free):
            _add(free, _size(idle[0]))
            evicted.append(idle.pop(0))
        return _Memory(free, evicted, idle)

    @cached_property
    def _free_bytes(self) -> int:
        return _sum(self._free)

    @cached_property
    def _free(self) -> Vector:
        """Return what the models in memory and other programs leave. A model that is being stopped takes nothing."""
        free = dict(self.limits)
        for resident in self._residents.values():
            if resident.state != "stopping":
                _subtract(free, _size(resident))
        for device, memory in self.snapshot.devices.items():
            if device in free and memory.available_bytes is not None:
                free[device] = min(free[device], memory.available_bytes)
        return free

    def _idle(self, model_name: str) -> list[ResidentStatus]:
        """Return the idle models that may be evicted for another one, longest idle first."""
        idle = [
            resident
            for resident in self._residents.values()
            if resident.state == "ready"
            and not resident.is_pinned
            and resident.model_name != model_name
            and not self.requests(resident.model_name)
        ]
        return sorted(idle, key=lambda resident: -(resident.idle_s or 0.0))


@dataclass(slots=True)
class _Memory:
    """The memory of a node, once the loads that requests wait for have begun."""

    free: Vector
    """Negative where responses of models in use must end first."""
    evicted: list[ResidentStatus]
    idle: list[ResidentStatus]
    """The idle models that stay, longest idle first."""


def _sum(free: Vector) -> int:
    """Return the bytes on all devices together."""
    return sum(left for device, left in free.items() if device != MODELS)


def _footprint(model: NodeModel) -> DeviceBytes:
    return {**model.need, MODELS: 1}


def _size(resident: ResidentStatus) -> DeviceBytes:
    return {**resident.size, MODELS: 1}


def _is_enough(free: Vector) -> bool:
    return all(left >= 0 for left in free.values())


def _add(vector: Vector, size: DeviceBytes) -> None:
    for device in vector:
        vector[device] += size.get(device, 0)


def _subtract(vector: Vector, size: DeviceBytes) -> None:
    for device in vector:
        vector[device] -= size.get(device, 0)
