"""What runs models: the one port that the proxy needs to turn a name into an address."""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from gglib.core.models import ModelLaunchSpec, RunningTarget
from gglib.core.runtime.events import EventSubscription
from gglib.core.runtime.status import ResidentStatus, RuntimeStatus


class ModelRuntimePort(ABC):
    """Runs models. The three abstract methods are enough to serve with.

    What a runtime cannot do it raises as a ``ModelRuntimeError`` or a subclass (``core.errors``): clients get its
    message, its code, and the status that belongs to it (``docs/api.md``). Several requests may call at the same
    time, in one event loop; a call is cancelled when its client leaves.
    """

    @abstractmethod
    async def ensure_model_running(
        self, model_name: str, num_ctx: int | None, default_ctx: int
    ) -> RunningTarget:
        """Return a target that runs ``model_name``, launching it when needed; waits as long as that takes.

        ``model_name`` is as the client wrote it, and in the catalogue. ``num_ctx`` is the context in tokens that the
        request asked for, or None; ``default_ctx`` is the one that holds when neither the request nor the model sets
        one. A target whose context is larger serves as well (``core.context`` has gglib's rule). Raises a
        ``ModelRuntimeError``.
        """

    @abstractmethod
    async def current_model(self) -> RunningTarget | None:
        """Return the target that is ready now, the one that was used last where there are several, or None."""

    @abstractmethod
    async def stop_current(self) -> None:
        """Stop every model and return when all are gone; no error when none runs. ``POST /gglib/stop`` calls it."""

    def admit(  # noqa: PLR0913 - what a request says of what it needs
        self,
        model_name: str,
        num_ctx: int | None,
        default_ctx: int,
        *,
        wait_s: float | None = None,  # noqa: ARG002 - for runtimes that can leave a load going on
        request_id: str = "",  # noqa: ARG002 - for runtimes that say who asked for a swap
        spec: ModelLaunchSpec | None = None,  # noqa: ARG002 - for runtimes that launch models of the catalogue
    ) -> AbstractAsyncContextManager[RunningTarget]:
        """Return the target, held for one request: it is not evicted before the block ends, however it ends.

        ``model_name``, ``num_ctx`` and ``default_ctx``, both in tokens, are those of ``ensure_model_running``, and so
        are the errors, which are raised on the way into the block. ``request_id`` is the ``x-request-id`` of the
        answer, for logs.

        A block that ends with ``UpstreamStalledError`` tells the runtime that the target took the request and fell
        silent; it may replace the target when nobody else uses it.

        ``wait_s`` bounds the wait, in seconds, after which ``ModelLoadingError`` is raised while the load goes on;
        None waits for as long as the runtime's own limit is (RFC 7240's ``Prefer: wait=N`` shortens it). ``spec`` is
        what the catalogue has under ``model_name``, where the caller has asked already: a request's model is resolved
        once. The default holds nothing: it only calls ``ensure_model_running``.
        """
        return self._admit_without_lease(model_name, num_ctx, default_ctx)

    def is_blocking_swap(self, target: RunningTarget) -> bool:  # noqa: ARG002 - for runtimes that swap
        """Whether requests for another model have waited beyond their bound, and only those on ``target`` keep it out.

        The proxy then has less patience with clients that do not read what ``target`` answers. Asked about once a
        second for each of those; the default says no.
        """
        return False

    async def status(self) -> RuntimeStatus:
        """Return which models are in memory and which requests wait, for ``/gglib/status`` and ``/metrics``.

        The default knows of the current model only.
        """
        target = await self.current_model()
        if target is None:
            return RuntimeStatus()
        return RuntimeStatus(
            residents=(
                ResidentStatus(
                    model_id=target.model_id,
                    model_name=target.model_name,
                    state="ready",
                    effective_ctx=target.effective_ctx,
                ),
            )
        )

    def subscribe(self) -> EventSubscription | None:
        """Return the events from now on, for a ``with`` block; None, as by default, where the runtime has no events."""
        return None

    @asynccontextmanager
    async def _admit_without_lease(
        self, model_name: str, num_ctx: int | None, default_ctx: int
    ) -> AsyncIterator[RunningTarget]:
        yield await self.ensure_model_running(model_name, num_ctx, default_ctx)
