"""A request's lease of a model somewhere in the cluster, for the length of an ``async with`` block."""

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol

from gglib.core.errors import (
    InsufficientMemoryError,
    ModelFileNotFoundError,
    ModelLoadFailedError,
    ModelsPinnedError,
    ModelTooLargeError,
)
from gglib.core.models import ModelLaunchSpec, RunningTarget
from gglib.core.priority import Priority
from gglib.nodes.model_index import ClusterModel
from gglib.nodes.placement import Choice

CANNOT_RUN_HERE = (
    InsufficientMemoryError,
    ModelFileNotFoundError,
    ModelLoadFailedError,
    ModelsPinnedError,
    ModelTooLargeError,
)
"""Errors of this machine's own runtime: it cannot run the model now, another node may."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """The parameters of a request, as in ``ModelRuntimePort.admit``, and what follows from them."""

    model: ClusterModel | None
    """The model in the cluster; None if no node has it."""
    context: int
    """The needed context in tokens."""
    model_name: str
    num_ctx: int | None
    default_ctx: int
    wait_s: float | None
    request_id: str
    spec: ModelLaunchSpec | None
    priority: Priority


class NodeChooser(Protocol):
    """Chooses nodes, and counts the requests that are sent to them."""

    async def choose(self, admission: Admission) -> Choice:
        """Return the node of a request; waits a moment for a node that may return. Raises ``NoNodeError``."""
        ...

    def choose_other(self, admission: Admission) -> Choice | None:
        """Return another node for a request that its node cannot run; None if there is none."""
        ...

    def target(self, admission: Admission, choice: Choice) -> RunningTarget | None:
        """Return the address of the model at a node; None for this machine. Raises ``NodeLostError``."""
        ...

    def admit_here(self, admission: Admission, model_name: str) -> AbstractAsyncContextManager[RunningTarget]:
        """Return a lease of this machine's own runtime, for a model by its name here."""
        ...

    def started(self, choice: Choice) -> None:
        """Count a request that is sent to a node."""
        ...

    def ended(self, admission: Admission, choice: Choice, error: BaseException | None) -> None:
        """Note that the request has ended, or has failed with ``error``."""
        ...


class NodeLease:
    """A request at the node that is chosen when the block begins. The request itself is the lease at the node."""

    def __init__(self, chooser: NodeChooser, admission: Admission) -> None:
        self._chooser = chooser
        self._admission = admission
        self._choice: Choice | None = None
        self._own: AbstractAsyncContextManager[RunningTarget] | None = None

    async def __aenter__(self) -> RunningTarget:
        choice = await self._chooser.choose(self._admission)
        try:
            return await self._enter(choice)
        except CANNOT_RUN_HERE:
            other = self._chooser.choose_other(self._admission)
            if other is None:
                raise
            return await self._enter(other)

    async def _enter(self, choice: Choice) -> RunningTarget:
        self._chooser.started(choice)
        try:
            target = self._chooser.target(self._admission, choice)
            if target is None:
                own = self._chooser.admit_here(self._admission, choice.model_name)
                target = await own.__aenter__()
                self._own = own
        except BaseException as error:
            self._chooser.ended(self._admission, choice, error)
            raise
        self._choice = choice
        return target

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        choice, own = self._choice, self._own
        assert choice is not None  # noqa: S101 - set when the block began
        self._chooser.ended(self._admission, choice, error)
        if own is not None:
            await own.__aexit__(kind, error, trace)
