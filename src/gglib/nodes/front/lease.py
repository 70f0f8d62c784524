"""A request's lease of a model somewhere in the cluster, for the length of an ``async with`` block."""

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from time import monotonic
from types import TracebackType
from typing import Protocol

from gglib.core.errors import (
    InsufficientMemoryError,
    ModelFileNotFoundError,
    ModelLoadFailedError,
    ModelsPinnedError,
    ModelTooLargeError,
    NodeLostError,
    RequestWithdrawnError,
)
from gglib.core.models import ModelLaunchSpec, RunningTarget
from gglib.core.priority import Priority
from gglib.http.tasks import CancelScope
from gglib.nodes.front.waiting import EndWait, SentRequest
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
    """Chooses nodes, counts the requests that are sent to them, and knows which of them may still wait there."""

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

    def begin_wait(
        self, admission: Admission, choice: Choice, end_wait: EndWait | None = None
    ) -> SentRequest | None:
        """Note that the request may wait at its node from now on; ``end_wait`` ends that on this machine."""
        ...

    def end_wait(self, sent: SentRequest, error: BaseException | None) -> None:
        """Note that the request waits no more: it has ended, with ``error``, or runs on this machine."""
        ...


class NodeLease:
    """A request at the node that is chosen when the block begins. The request itself is the lease at the node.

    A block that ends with ``RequestWithdrawnError`` has moved: the request is admitted again. A wait on this machine
    that is withdrawn goes on at another node, in the same lease.
    """

    def __init__(self, chooser: NodeChooser, admission: Admission) -> None:
        self._chooser = chooser
        self._admission = admission
        self._choice: Choice | None = None
        self._sent: SentRequest | None = None
        self._own: AbstractAsyncContextManager[RunningTarget] | None = None

    async def __aenter__(self) -> RunningTarget:
        choice = await self._chooser.choose(self._admission)
        while True:
            began_s = monotonic()
            try:
                return await self._enter(choice)
            except RequestWithdrawnError:
                self._admission = _waited(self._admission, monotonic() - began_s)
                choice = await self._chooser.choose(self._admission)
            except CANNOT_RUN_HERE:
                other = self._chooser.choose_other(self._admission)
                if other is None:
                    raise
                choice = other

    async def _enter(self, choice: Choice) -> RunningTarget:
        self._chooser.started(choice)
        try:
            target = self._chooser.target(self._admission, choice)
            if target is None:
                target = await self._wait_here(choice)
            else:
                self._sent = self._chooser.begin_wait(self._admission, choice)
        except BaseException as error:
            self._chooser.ended(self._admission, choice, error)
            raise
        self._choice = choice
        return target

    async def _wait_here(self, choice: Choice) -> RunningTarget:
        """Wait for this machine's own runtime. Raises ``RequestWithdrawnError`` if the request moves meanwhile."""
        own = self._chooser.admit_here(self._admission, choice.model_name)
        scope = CancelScope()
        sent = self._chooser.begin_wait(
            self._admission, choice, lambda: scope.cancel_with(RequestWithdrawnError())
        )
        outcome: BaseException | None = None
        try:
            with scope:
                target = await own.__aenter__()
        except BaseException as error:
            outcome = error
            raise
        finally:
            if sent is not None:
                self._chooser.end_wait(sent, outcome)
        self._own = own
        return target

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        choice, sent, own = self._choice, self._sent, self._own
        assert choice is not None  # noqa: S101 - set when the block began
        if isinstance(error, RequestWithdrawnError) and (sent is None or not sent.is_asked):
            error = NodeLostError(choice.node, "gave back a request that was not asked for")
        if sent is not None:
            self._chooser.end_wait(sent, error)
        self._chooser.ended(self._admission, choice, error)
        if own is not None:
            await own.__aexit__(kind, error, trace)
        if isinstance(error, NodeLostError) and kind is RequestWithdrawnError:
            raise error


def _waited(admission: Admission, seconds: float) -> Admission:
    """Return the admission with the rest of its wait."""
    wait_s = admission.wait_s
    return admission if wait_s is None else replace(admission, wait_s=max(0.0, wait_s - seconds))
