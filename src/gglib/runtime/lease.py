"""A request's lease of a target, for the length of an ``async with`` block."""

from collections.abc import Coroutine
from types import TracebackType
from typing import Any, Protocol

from gglib.core.models import ModelLaunchSpec, RunningTarget
from gglib.core.priority import Priority


class LeaseProvider(Protocol):
    """Grants leases and ends them."""

    async def acquire(self, lease: "Lease") -> RunningTarget:
        """Wait for a target and set ``lease.ticket``, which identifies the request."""
        ...

    def release(self, ticket: int) -> None:
        """End the lease."""
        ...

    async def abort(self, ticket: int, error: BaseException | None) -> None:
        """End the lease after an error. Raises a more specific error if the cause is known."""
        ...


class Lease:
    """A request's parameters, as in ``ModelRuntimePort.admit``, and its lease of a target.

    A class, because a generator-based context manager takes several times as long and every request needs one.
    """

    __slots__ = (
        "_provider",
        "default_ctx",
        "model_name",
        "num_ctx",
        "priority",
        "request_id",
        "spec",
        "ticket",
        "wait_s",
    )

    def __init__(  # noqa: PLR0913, PLR0917 - the port has as many, and keywords cost time in each request
        self,
        provider: LeaseProvider,
        model_name: str,
        num_ctx: int | None,
        default_ctx: int,
        wait_s: float | None,
        request_id: str,
        spec: ModelLaunchSpec | None,
        priority: Priority,
    ) -> None:
        self._provider = provider
        self.model_name = model_name
        self.num_ctx = num_ctx
        self.default_ctx = default_ctx
        self.wait_s = wait_s
        self.request_id = request_id
        self.spec = spec
        self.priority = priority
        self.ticket = 0
        """Identifies the request to the scheduler; 0 before ``acquire``."""

    def __aenter__(self) -> Coroutine[Any, Any, RunningTarget]:
        return self._provider.acquire(self)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self._provider.release(self.ticket)
        else:
            await self._provider.abort(self.ticket, error)
