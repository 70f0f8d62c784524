"""The runtime port: runs models. The proxy uses it to turn a model name into an address."""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from gglib.core.memory import DeviceMemory
from gglib.core.models import ModelLaunchSpec, RunningTarget
from gglib.core.priority import Priority
from gglib.core.runtime.events import EventSubscription
from gglib.core.runtime.slots import SlotCopy
from gglib.core.runtime.status import ResidentStatus, RuntimeStatus, SwapStatus

MAX_SWAPS = 200
"""How many of the last swaps a runtime keeps, and a client can ask for."""


class ModelRuntimePort(ABC):
    """Runs models. The three abstract methods are enough for a server.

    A runtime reports failures as ``ModelRuntimeError`` or a subclass (``core.errors``): clients get its message, code
    and HTTP status (``docs/api.md``). Requests call it concurrently in one event loop; a call is cancelled when its
    client disconnects.
    """

    @abstractmethod
    async def ensure_model_running(
        self, model_name: str, num_ctx: int | None, default_ctx: int
    ) -> RunningTarget:
        """Return a target that runs ``model_name``, launching it if needed; waits as long as that takes.

        ``model_name`` is as the client wrote it, and in the catalogue. ``num_ctx`` is the requested context in tokens,
        or None; ``default_ctx`` is used when neither the request nor the model sets one. A target with a larger
        context serves too (``core.context`` has gglib's rule). Raises ``ModelRuntimeError``.
        """

    @abstractmethod
    async def current_model(self) -> RunningTarget | None:
        """Return the ready target, the most recently used of several, or None."""

    @abstractmethod
    async def stop_current(self) -> None:
        """Stop all models and return when their processes have exited; no error if none runs. ``POST /gglib/stop``."""

    def admit(  # noqa: PLR0913 - the parameters of a request
        self,
        model_name: str,
        num_ctx: int | None,
        default_ctx: int,
        *,
        wait_s: float | None = None,  # noqa: ARG002 - for runtimes whose loads continue without a request
        request_id: str = "",  # noqa: ARG002 - for runtimes that log swaps
        spec: ModelLaunchSpec | None = None,  # noqa: ARG002 - for runtimes that launch from the catalogue
        priority: Priority = Priority.INTERACTIVE,  # noqa: ARG002 - for runtimes with a queue
    ) -> AbstractAsyncContextManager[RunningTarget]:
        """Lease the target to one request: it is not evicted before the block ends.

        ``model_name``, ``num_ctx`` and ``default_ctx`` are those of ``ensure_model_running``. The same errors are
        raised on entering the block. ``request_id`` is the ``x-request-id`` of the response, for logs.

        A block that ends with ``UpstreamStalledError`` reports that the target took the request and sent nothing; the
        runtime may replace the target once no other request uses it.

        ``wait_s`` limits the wait, in seconds: ``ModelLoadingError`` is raised after it, and the load continues. None
        waits up to the runtime's own limit (RFC 7240's ``Prefer: wait=N`` shortens it). ``spec`` is the catalogue's
        spec of ``model_name`` if the caller has resolved it already: a request's model is resolved once.
        ``priority`` orders requests that wait. The default implementation holds nothing: it only calls
        ``ensure_model_running``.
        """
        return self._admit_without_lease(model_name, num_ctx, default_ctx)

    async def loaded_target(self, model_name: str) -> RunningTarget | None:
        """Return the ready target of one model, None if it has none. It is not leased: it may stop at any time.

        ``model_name`` is its name in the catalogue. The default knows the current model only.
        """
        target = await self.current_model()
        return target if target is not None and target.model_name == model_name else None

    async def load(self, model_name: str, num_ctx: int | None, default_ctx: int) -> RunningTarget:
        """Load a model without a request and return its target when it is ready.

        ``model_name``, ``num_ctx`` and ``default_ctx`` are those of ``ensure_model_running``, as are the errors. The
        default calls it.
        """
        return await self.ensure_model_running(model_name, num_ctx, default_ctx)

    async def unload(self, model_name: str) -> bool:
        """Stop one model and return when its process has exited; False if it is not in memory.

        ``model_name`` is its name in the catalogue. The default stops all models if it is the current one.
        """
        target = await self.current_model()
        if target is None or target.model_name != model_name:
            return False
        await self.stop_current()
        return True

    async def apply_pins(self) -> None:
        """Apply the pins of the catalogue (``ModelSettings.is_pinned``) now. The default does nothing."""
        return

    async def copy_slot(self, target: RunningTarget, copy: SlotCopy) -> bool:  # noqa: ARG002 - for runtimes that can
        """Copy the prompt in one slot of ``target`` to another one without a request; False if that is not done.

        Called before a request is sent to the destination, if ``target.slots`` is set and the request begins like the
        source's prompt. The implementation decides whether the copy takes less time than computing that beginning, and
        returns within about a second; a call may be cancelled. It does not raise for an engine that cannot. The default
        returns False.
        """
        return False

    def is_blocking_swap(self, target: RunningTarget) -> bool:  # noqa: ARG002 - for runtimes that swap
        """Whether ``target``'s requests in flight delay a swap: requests for another model have waited for their limit.

        The proxy then uses a shorter write timeout for clients that do not read their response. Called about once a
        second for each such client; the default returns False.
        """
        return False

    async def status(self) -> RuntimeStatus:
        """Return models in memory and waiting requests, for ``/gglib/status`` and ``/metrics``.

        The default reports only the current model.
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

    def swap_of(self, request_id: str) -> SwapStatus | None:  # noqa: ARG002 - for runtimes that swap
        """Return the finished swap that a request caused, for the record of the request; None if it caused none.

        ``request_id`` is that of ``admit``. Called after the request has ended; the default returns None.
        """
        return None

    def note_cached(self, model_name: str, cached_tokens: int, ended_at_s: float) -> None:  # noqa: ARG002 - for runtimes that keep prompts
        """Note how many tokens of its prompt a finished response of this machine has reused: ``cached_tokens``.

        Not called for requests that are known to continue no restored prompt. ``ended_at_s`` is the time of its end in
        Unix seconds; calls come in batches, shortly after it. The default does nothing.
        """
        return

    def swaps(self, limit: int) -> tuple[SwapStatus, ...]:  # noqa: ARG002 - for runtimes that swap
        """Return the last finished swaps, newest first; the default has none.

        At most ``limit``, which is at most ``MAX_SWAPS``.
        """
        return ()

    async def devices(self) -> Mapping[str, DeviceMemory]:
        """Return the memory of each device of the machine: ``ram``, ``gpu0`` and so on; empty if unknown (the default).

        Called about once a second for each follower of the events: return a recent reading instead of a slow one.
        """
        return {}

    def subscribe(self) -> EventSubscription | None:
        """Return the events from now on, for a ``with`` block; None (the default) if the runtime has none."""
        return None

    @asynccontextmanager
    async def _admit_without_lease(
        self, model_name: str, num_ctx: int | None, default_ctx: int
    ) -> AsyncIterator[RunningTarget]:
        yield await self.ensure_model_running(model_name, num_ctx, default_ctx)
