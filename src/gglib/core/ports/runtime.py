"""What runs models: the one port that the proxy needs to turn a name into an address."""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from gglib.core.models import ModelLaunchSpec, RunningTarget
from gglib.core.runtime_events import EventSubscription
from gglib.core.runtime_status import ResidentStatus, RuntimeStatus


class ModelRuntimePort(ABC):
    """Runs models. The three abstract methods are enough to serve with."""

    @abstractmethod
    async def ensure_model_running(
        self, model_name: str, num_ctx: int | None, default_ctx: int
    ) -> RunningTarget:
        """Return a target that runs ``model_name``, launching it when needed; waits as long as that takes.

        ``num_ctx`` is what the request asked for, ``default_ctx`` what holds when neither it nor the model says.
        Raises a ``GglibError``.
        """

    @abstractmethod
    async def current_model(self) -> RunningTarget | None:
        """Return the model that is ready now, or None."""

    @abstractmethod
    async def stop_current(self) -> None:
        """Stop what runs and return when it is gone; no error when nothing runs."""

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

        A block that ends with ``UpstreamStalledError`` tells the runtime that the target took the request and fell
        silent; it may replace the target when nobody else uses it.

        ``wait_s`` bounds the wait, after which ``ModelLoadingError`` is raised while the load goes on; None waits for
        as long as the runtime thinks right. ``spec`` is what the catalogue has under ``model_name``, where the caller
        has asked already: a request's model is resolved once. The default holds nothing: it only calls
        ``ensure_model_running``.
        """
        return self._admit_without_hold(model_name, num_ctx, default_ctx)

    def is_wanted(self, target: RunningTarget) -> bool:  # noqa: ARG002 - for runtimes that swap
        """Whether requests for another model have waited beyond their bound, and only those on ``target`` keep it out.

        The proxy then has less patience with clients that do not read what ``target`` answers. Asked about once a
        second for each of those; the default says no.
        """
        return False

    async def status(self) -> RuntimeStatus:
        """Return what is resident and who waits. The default knows of the current model only."""
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
        """Return what happens from now on, for a ``with`` block; None, as the default, where nothing is told of it."""
        return None

    @asynccontextmanager
    async def _admit_without_hold(
        self, model_name: str, num_ctx: int | None, default_ctx: int
    ) -> AsyncIterator[RunningTarget]:
        yield await self.ensure_model_running(model_name, num_ctx, default_ctx)
