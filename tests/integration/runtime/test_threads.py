"""The planned threads, and the bound of their spinning, reach a real engine's process."""

import asyncio
import re
import sys
from pathlib import Path

import pytest
from tests.support.waiting import until

from gglib.core.models import ModelLaunchSpec, ModelSettings
from gglib.runtime import LaunchConfig
from gglib.runtime.engines import EmbeddedEngine
from gglib.runtime.local.launch import launch_engine
from gglib.runtime.local.spawned_engine import SpawnedEngine
from gglib.testing import write_tiny_gguf

pytestmark = pytest.mark.skipif(
    not EmbeddedEngine.is_installed() or sys.platform != "linux",
    reason="needs the embedded engine, and /proc",
)

THREADPOOL = "threadpool init, n_threads = "
"""What llama.cpp logs while it loads a model."""


async def launched(home: Path, *engine_args: str, engines: int = 1) -> tuple[SpawnedEngine, list[str], str]:
    """Launch a tiny model on a machine of four cores; return the engine, its environment and its log."""
    (home / "engines").mkdir()
    model = write_tiny_gguf(home / "tiny.gguf")
    config = LaunchConfig(
        engine=EmbeddedEngine(reason="it is tested"),
        engines_dir=home / "engines",
        log_dir=home / "logs",
        slots=1,
        read_cores=lambda: 4,
        concurrent_engines=engines,
    )
    spec = ModelLaunchSpec(
        model_id=1, model_name="tiny", path=model, settings=ModelSettings(engine_args=engine_args)
    )
    async with launch_engine(spec, context=256, name="tiny", config=config) as engine:
        await engine.wait_until_ready()
        # The engine answers before what it wrote while it loaded has been read.
        await until(lambda: any(THREADPOOL in line for line in engine.log.tail.lines))
        environment = await asyncio.to_thread(Path(f"/proc/{engine.process.pid}/environ").read_text)
        return engine, environment.split("\0"), "\n".join(engine.log.tail.lines)


@pytest.mark.parametrize(
    ("engine_args", "engines", "threads"), [((), 1, 4), ((), 6, 2), (("--threads", "3"), 6, 3)]
)
async def test_threads_reach_the_engine(
    tmp_path: Path, engine_args: tuple[str, ...], engines: int, threads: int
) -> None:
    """One engine has a thread for each core, six have fewer, and the model's own argument wins."""
    engine, _, log = await launched(tmp_path, *engine_args, engines=engines)
    assert re.findall(rf"{THREADPOOL}(\d+)", log) == [str(threads)]
    assert engine.launch.threads == threads


async def test_bound_of_spinning_reaches_the_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable that libgomp reads is set, unless the user has set it."""
    monkeypatch.delenv("GOMP_SPINCOUNT", raising=False)
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    _, environment, _ = await launched(tmp_path / "one", engines=2)
    assert any(re.fullmatch(r"GOMP_SPINCOUNT=[1-9]\d*", variable) for variable in environment)
    monkeypatch.setenv("OMP_WAIT_POLICY", "active")
    _, environment, _ = await launched(tmp_path / "two", engines=2)
    assert not any(variable.startswith("GOMP_SPINCOUNT") for variable in environment)
    assert "OMP_WAIT_POLICY=active" in environment
