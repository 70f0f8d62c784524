"""The same short response of a real engine, directly and through each proxy.

Two single-threaded engine processes with the same model and the same parameters: one launched by gglib, and a bare one
that is used directly, through nginx and through Caddy.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

from bench.proxies import sides
from bench.proxies.machine import Cores, pinned
from bench.proxies.scenarios import Figures, ask_engine
from bench.proxies.sides import Side
from bench.swap import CONTEXT, ENGINE_ARGS, SLOTS, Bare, BareModel, add, starter

from gglib.db import SqliteCatalog

THREADS = ("--threads", "1", "--threads-batch", "1")
"""One thread: engine and load share a core, and several threads would wait for each other."""


async def measure(
    names: Sequence[str], home: Path, cores: Cores, *, rounds: int, on_progress: Callable[[str], None]
) -> dict[str, list[Figures]]:
    """Return the rounds of each side, after an uncounted warm-up round."""
    file = await starter()
    async with SqliteCatalog(home / "gglib.db") as catalog:
        spec = await add(catalog, "bench", file, home)
    settings = replace(spec.settings, engine_args=(*ENGINE_ARGS, *THREADS))
    model = BareModel(replace(spec, settings=settings), home / "bare", is_fitting=False)
    found: dict[str, list[Figures]] = {name: [] for name in names}
    with _started(names, home, cores, model, file) as running:
        for number in range(rounds + 1):
            on_progress(f"engine, round {number} of {rounds}")
            for turn in range(len(running)):
                side = running[(turn + number) % len(running)]
                figures = ask_engine(side)
                if number:
                    found[side.name].append(figures)
    return found


@contextmanager
def _started(
    names: Sequence[str], home: Path, cores: Cores, model: BareModel, file: Path
) -> Iterator[list[Side]]:
    bare = Bare([model])
    with ExitStack() as stack:
        stack.callback(bare.stop)
        with pinned(cores.load):
            bare.start(0)
        running = []
        for name in names:
            own = home / f"proxy-{name}"
            own.mkdir(mode=0o700)
            running.append(stack.enter_context(_side(name, own, cores, model, file)))
        yield running


@contextmanager
def _side(name: str, directory: Path, cores: Cores, model: BareModel, file: Path) -> Iterator[Side]:
    backend = (0, model.socket_path)
    if name == "direct":
        yield Side("direct", 0, (), *backend)
    elif name == "gglib":
        with sides.serving(
            directory,
            cores,
            file,
            add=("--ctx", str(CONTEXT), "--engine-args", " ".join((*ENGINE_ARGS, *THREADS))),
            # A PATH without llama-server: the comparison uses the embedded engine.
            variables={"PATH": "/nonexistent", "GGLIB_SLOTS": str(SLOTS)},
        ) as side:
            yield replace(side, pids=(), upstream_pid=0)
    else:
        start = {"nginx": sides.nginx, "caddy": sides.caddy}[name]
        with start(directory, cores, backend) as side:
            yield replace(side, pids=(), upstream_pid=0)
