"""The servers and models of ``bench.kept_prompts`` and ``bench.kept_swaps``: two models, one of them resident."""

import asyncio
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bench.kept.bare import server_path
from bench.kept.scenario import MODEL, OTHER
from bench.kept.turns import serving
from bench.swap import starter

from gglib.core.models import ModelSettings, NewModel
from gglib.db import SqliteCatalog
from gglib.gguf import read_gguf
from gglib.testing import write_tiny_gguf

CONTEXT = 8192
OFF, SHIPPED, KEPT = "nothing kept", "as shipped", "`keep_conversations`"
SIDES: dict[str, tuple[str, bool | None]] = {OFF: ("0", None), SHIPPED: ("8G", None), KEPT: ("8G", True)}
"""``kv_keep``, and the setting of the first model."""


@contextmanager
def small_model(*, is_quick: bool) -> Iterator[Path]:
    """Yield the file of the starter model; of a tiny one for a quick run."""
    with tempfile.TemporaryDirectory(prefix="kept-models-") as directory:
        if is_quick:
            yield write_tiny_gguf(Path(directory) / "tiny.gguf", context_length=CONTEXT)
        else:
            yield asyncio.run(starter())


@contextmanager
def serve_sides(
    kind: str, model: Path, other: Path, sides: Mapping[str, tuple[str, bool | None]]
) -> Iterator[dict[str, str]]:
    """Run a server for each side on this kind of engine; yield their addresses."""
    engine = server_path() if kind == "llama-server" else None
    with ExitStack() as stack:
        addresses = {}
        for name, (keep, keeps) in sides.items():
            home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="kept-")))
            asyncio.run(add(home, model, other, keeps=keeps))
            addresses[name] = stack.enter_context(serving(home, engine=engine, keep=keep))
        yield addresses


async def add(home: Path, model: Path, other: Path, *, keeps: bool | None) -> None:
    """Add the two models to a new catalogue."""
    async with SqliteCatalog(home / "gglib.db") as catalog:
        for name, path, own in ((MODEL, model, keeps), (OTHER, other, None)):
            link = home / f"{name}.gguf"
            link.symlink_to(path.resolve())
            threads = ("--threads", "1") if path.stem == "tiny" else ()
            settings = ModelSettings(context=CONTEXT, keep_conversations=own, engine_args=threads)
            await catalog.add_model(
                NewModel(
                    name=name,
                    paths=(link,),
                    size_bytes=path.stat().st_size,
                    facts=read_gguf(path),
                    settings=settings,
                )
            )
