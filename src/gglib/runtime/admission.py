"""The block for whose length a request holds its target."""

from types import TracebackType
from typing import NamedTuple, Protocol

from gglib.core.models import RunningTarget


class Wish(NamedTuple):
    """What a request asks of the runtime, as ``ModelRuntimePort.admit`` has it."""

    model_name: str
    num_ctx: int | None
    default_ctx: int
    wait_s: float | None
    request_id: str


class Admitter(Protocol):
    """Who lets requests in and out."""

    async def take_in(self, wish: Wish) -> tuple[int, RunningTarget]:
        """Wait for a target; return it with the ticket that holds it."""
        ...

    def let_go(self, ticket: int) -> None:
        """End a hold."""
        ...

    async def break_off(self, ticket: int, error: BaseException | None) -> None:
        """End a hold with what went wrong; raises what explains it better, where something does."""
        ...


class Admission:
    """Holds a target from ``async with`` to the end of its block.

    A class, because a generator costs several times as much, and every request has one.
    """

    __slots__ = ("_admitter", "_ticket", "_wish")

    def __init__(self, admitter: Admitter, wish: Wish) -> None:
        self._admitter = admitter
        self._wish = wish
        self._ticket = 0

    async def __aenter__(self) -> RunningTarget:
        self._ticket, target = await self._admitter.take_in(self._wish)
        return target

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self._admitter.let_go(self._ticket)
        else:
            await self._admitter.break_off(self._ticket, error)
