"""The size of a launch covers what the real engine takes, for each kind of model.

``python -m pytest tests/e2e/test_memory_sizes.py -s`` prints the table.
"""

import asyncio
import http.client
import json
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.conftest import Gglib
from tests.support.engines import EMBEDDED

from gglib.app.memory.accounts import LocalMemoryAccounts, open_accounts
from gglib.core.kinds import launch_spec
from gglib.core.memory import RAM
from gglib.core.models import ModelLaunchSpec, ModelSettings, NewModel, RunningTarget
from gglib.gguf import read_model
from gglib.runtime.engines import EmbeddedEngine, Engine, LlamaServerEngine
from gglib.runtime.local.launch import launch_engine
from gglib.runtime.local.launch_config import LaunchConfig
from gglib.runtime.memory import LaunchedEngine
from gglib.system.process_memory import read_groups
from gglib.testing import FakeCatalog, write_tiny_encoder, write_tiny_gguf

pytestmark = pytest.mark.e2e

MIB = 1024**2
SLOTS = 4
LONGEST = 32_768
REQUESTS = {"chat": SLOTS + 2}
"""More than slots: prompts also move to the prompt cache. An encoder's buffer is filled by one request."""
PROMPT_TOKENS = {"chat": 600}
"""More than a batch. The cache itself is touched when the engine clears it; an encoder's input fills its context."""

Write = Callable[[Path], object]
WRITERS: dict[str, Write] = {
    "chat": lambda path: write_tiny_gguf(path, context_length=LONGEST),
    "embedder": lambda path: write_tiny_encoder(path, context_length=LONGEST),
    "reranker": lambda path: write_tiny_encoder(
        path, context_length=LONGEST, pooling_type=4, has_classifier=True
    ),
}


def selected_engine() -> Engine:
    """Return the engine that the tests run on."""
    if Gglib.engine == EMBEDDED:
        return EmbeddedEngine(reason="test")
    return LlamaServerEngine(Path(Gglib.engine), reason="test")


async def spec_of(kind: str, path: Path, catalog: FakeCatalog) -> ModelLaunchSpec:
    """Add a model to the catalogue, and return its launch spec."""
    read = read_model(path)
    model = await catalog.add_model(
        NewModel(
            name=kind,
            paths=(path,),
            size_bytes=read.size_bytes,
            facts=read.facts,
            settings=ModelSettings(engine_args=("--threads", "1")),
        )
    )
    return launch_spec(model, path)


def body_of(kind: str, tokens: int, number: int) -> tuple[str, dict[str, Any]]:
    """Return the path and the body of a request with a prompt of its own; a character is a token."""
    text = chr(ord("a") + number) * tokens
    if kind == "chat":
        return "/completion", {"prompt": text, "n_predict": 4}
    if kind == "embedder":
        return "/v1/embeddings", {"input": text}
    return "/v1/rerank", {"query": "a", "documents": [text, text]}


def ask(target: RunningTarget, path: str, body: dict[str, Any]) -> None:
    """Send a request to an engine."""
    assert target.unix_socket
    connection = http.client.HTTPConnection("localhost", timeout=120)
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.settimeout(120)
    connection.sock.connect(target.unix_socket)
    headers = {"Authorization": f"Bearer {target.bearer_key}", "Content-Type": "application/json"}
    connection.request("POST", path, json.dumps(body), headers)
    answer = connection.getresponse()
    payload = answer.read()
    connection.close()
    assert answer.status == 200, payload


def pss(pid: int) -> int:
    """Return the proportional memory of an engine's process group."""
    return read_groups([pid], is_proportional=True)[pid].total_bytes


@pytest.mark.parametrize("context", [1024, 4096])
@pytest.mark.parametrize("kind", WRITERS)
async def test_a_size_covers_the_engine(tmp_path: Path, kind: str, context: int) -> None:
    """All slots are in use with prompts as long as the context; the engine stays within the expected size and 5 %."""
    path = tmp_path / f"{kind}.gguf"
    WRITERS[kind](path)
    catalog = FakeCatalog()
    spec = await spec_of(kind, path, catalog)
    engine_to_launch = selected_engine()
    accounts: LocalMemoryAccounts = await open_accounts(engine_to_launch, catalog, slots=SLOTS, memory={})
    expected = (await accounts.size_of(spec, context))[RAM]
    (tmp_path / "engines").mkdir()
    config = LaunchConfig(
        engine=engine_to_launch,
        engines_dir=tmp_path / "engines",
        log_dir=tmp_path / "logs",
        slots=SLOTS,
        fit_slots=accounts.fit_slots,
        prompt_cache=accounts.prompt_cache_mib,
    )
    async with launch_engine(spec, context=context, name="sizes", config=config) as engine:
        target = await engine.wait_until_ready()
        pid = engine.process.pid
        at_start = await asyncio.to_thread(pss, pid)
        launched = LaunchedEngine(
            spec=spec,
            context=context,
            slots=engine.launch.slots,
            prompt_cache_mib=engine.launch.prompt_cache_mib,
        )
        early = await accounts.measure(launched, pid)
        with ThreadPoolExecutor(SLOTS) as pool:
            tokens = PROMPT_TOKENS.get(kind, context - 64)
            bodies = [body_of(kind, tokens, number) for number in range(REQUESTS.get(kind, 1))]
            list(pool.map(lambda request: ask(target, *request), bodies))
        in_use = await asyncio.to_thread(pss, pid)
        late = await accounts.measure(launched, pid)
    assert early is not None
    assert late is not None
    row = (expected, at_start, early.size[RAM], in_use, late.size[RAM])
    print(f"| {kind} | {context} | " + " | ".join(f"{size / MIB:.1f}" for size in row) + " |")
    assert in_use <= expected * 1.05
    assert in_use <= early.size[RAM] * 1.05
    assert in_use <= late.size[RAM]
    assert expected <= in_use * 1.2 + 32 * MIB  # pages of libraries are shared with the test's own processes
