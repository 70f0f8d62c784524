"""The whole of gglib except the model, in this process: the proxy on a free port, the manager, scripted engines.

The census counts the resources of this process, to detect leaks. Linux only: it reads ``/proc``.
"""

import asyncio
import os
import random
import signal
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gglib.core.models import ModelSummary
from gglib.proxy import ProxyOptions, serve
from gglib.runtime import EngineManager, LaunchConfig, LocalLauncher, RuntimeConfig
from gglib.runtime.engines import find_engine
from gglib.testing import FakeCatalog, Script, install_scripted_server

QUICK, SLOW, SLOWER, BROKEN = "quick", "slow", "slower", "broken"
GOOD_MODELS = (QUICK, SLOW, SLOWER)
DEATHS_EACH = 2
"""A model may die this often within a minute without a backoff."""
SCRIPTS: Mapping[str, Mapping[str, Any]] = {
    SLOW: {"load_s": 0.05},
    SLOWER: {"load_s": 0.2},
    BROKEN: {"load_s": 0.05, "load_fails_with": "0.00.01 E scripted: invalid magic characters"},
}
HEARTBEAT_S = 0.25
"""Short, so that many streams start with a heartbeat before their outcome is known."""
SETTLED_WITHIN_S = 5.0


class Stack:
    """A running proxy and its manager."""

    def __init__(self, home: Path, port: int, manager: EngineManager, catalog: FakeCatalog) -> None:
        self.home = home
        self.port = port
        self.manager = manager
        self.catalog = catalog
        self.cancel = asyncio.Event()
        self._killed: frozenset[int] = frozenset()

    @property
    def record(self) -> Path:
        """The file of the engines' records."""
        return self.home / "record.jsonl"

    async def engine_pids(self) -> frozenset[int]:
        """Return the pids of the manager's engines, loading or ready."""
        return frozenset(r.pid for r in (await self.manager.status()).residents if r.pid is not None)

    async def settle_after_kills(self) -> str:
        """Return once no killed engine is resident; a complaint if one still is."""
        return await self.still_resident(frozenset(self._killed))

    async def kill_engine(self) -> bool:
        """Send SIGKILL to the engine; False if there is none."""
        pids = await self.engine_pids() & child_pids()  # a child of this process cannot be a foreign process
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        self._killed = pids
        return bool(pids)

    async def admitted(self) -> int:
        """Return the number of requests in flight or waiting."""
        status = await self.manager.status()
        return sum(r.in_flight for r in status.residents) + sum(w.waiting for w in status.waiting)

    async def still_resident(self, pids: frozenset[int]) -> str:
        """Return which of these engines are still resident after a while; empty: none."""

        async def known() -> str:
            kept = pids & await self.engine_pids()
            return f"dead, and resident still: {set(kept)}" if kept else ""

        return await settled(known)

    async def unfinished(self) -> str:
        """Return what is still in flight or waiting after a while; empty: nothing."""

        async def counted() -> str:
            status = await self.manager.status()
            held = [resident for resident in status.residents if resident.in_flight]
            return f"still held or waited for: {held} {status.waiting}" if held or status.waiting else ""

        return await settled(counted)


@asynccontextmanager
async def stack_running(
    home: Path,
    *,
    script: Script | None = None,
    swap_wait_s: float = 0.3,
    models: Sequence[str] = (*GOOD_MODELS, BROKEN),
) -> AsyncIterator[Stack]:
    """Serve for a block; at its end shut down the proxy and the manager, like the program."""
    engine = install_scripted_server(home / "bin", script or Script(scripts=SCRIPTS, lifetime_s=600))
    catalog = FakeCatalog([_model(home, number, name) for number, name in enumerate(models, 1)])
    launch_config = LaunchConfig(
        engine=find_engine(engine),
        engines_dir=home / "run" / "engines",
        log_dir=home / "logs",
        resolve=catalog.resolve_for_launch,
    )
    config = RuntimeConfig(swap_wait_s=swap_wait_s)
    listener = socket.create_server(("127.0.0.1", 0), backlog=128)
    port: int = listener.getsockname()[1]
    async with EngineManager(catalog, LocalLauncher(launch_config), config) as manager:
        stack = Stack(home, port, manager, catalog)
        options = ProxyOptions(heartbeat_s=HEARTBEAT_S)
        serving = asyncio.create_task(serve(listener, 4096, manager, catalog, stack.cancel, options=options))
        try:
            yield stack
        finally:
            stack.cancel.set()
            await serving


def _model(home: Path, number: int, name: str) -> ModelSummary:
    path = home / f"{name}.gguf"
    path.write_bytes(b"GGUF")
    return ModelSummary(id=number, name=name, paths=(path,), trained_context=32768)


@dataclass(frozen=True, slots=True)
class Census:
    """The resources of this process besides memory."""

    descriptors: frozenset[tuple[str, str]]
    """Number and target of each descriptor; sockets and pipes have unique ids."""
    tasks: frozenset[asyncio.Task[Any]]
    children: frozenset[int]

    @classmethod
    def take(cls) -> "Census":
        """Count the resources."""
        return cls(
            descriptors=frozenset(_descriptors()),
            tasks=frozenset(asyncio.all_tasks()),
            children=frozenset(child_pids()),
        )

    async def left(self, home: Path) -> str:
        """Return the resources leaked since then, after a while; empty: none."""

        async def found() -> str:
            now, engines = Census.take(), home / "run" / "engines"
            kept = {
                "descriptors": now.descriptors - self.descriptors,
                "tasks": now.tasks - self.tasks,
                "children": now.children - self.children,
                "workspaces": [path.name for path in engines.iterdir()] if engines.exists() else [],
            }
            return ", ".join(f"{name} left: {what}" for name, what in kept.items() if what)

        return await settled(found)


async def settled(complaint: Callable[[], Any], *, within_s: float = SETTLED_WITHIN_S) -> str:
    """Return the remaining complaint, or nothing as soon as there is none."""
    loop = asyncio.get_running_loop()
    deadline_s = loop.time() + within_s
    while (said := await complaint()) and loop.time() < deadline_s:  # noqa: ASYNC110 - there is no event
        await asyncio.sleep(0.01)
    return str(said)


def child_pids() -> set[int]:
    """Return the pids of this process's children, including zombies."""
    found = set()
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            # The name in parentheses may contain spaces; after it: state, then the parent.
            if int(path.read_text().rpartition(")")[2].split()[1]) == os.getpid():
                found.add(int(path.parent.name))
    return found


def _descriptors() -> Iterator[tuple[str, str]]:
    for path in Path("/proc/self/fd").iterdir():
        with suppress(OSError):  # the descriptor of this loop
            target = str(path.readlink())
            if target != "/dev/null":  # a reserve that libuv opens with a loop's first socket
                yield path.name, target


def dice(seed: int) -> random.Random:
    """Return a random generator, reproducible by its seed."""
    return random.Random(seed)  # noqa: S311 - not for secrets
