"""Memory decisions of a launch before the engine is started: its prompt cache and its slots."""

from functools import partial
from pathlib import Path

import pytest

from gglib.core.errors import EngineBrokenError
from gglib.core.models import ModelLaunchSpec, ModelSettings
from gglib.runtime.engines import EmbeddedEngine
from gglib.runtime.engines.llama_cpp.launch_plan import LaunchPlan
from gglib.runtime.local.launch import launch_engine
from gglib.runtime.local.launch_config import LaunchConfig
from gglib.system import Ram, read_ram

GIB = 1024**3


class PlanReader(EmbeddedEngine):
    """An engine that records the requested plan, and cannot run."""

    def __init__(self) -> None:
        super().__init__(reason="test")
        self.plan: LaunchPlan | None = None

    def command(self, plan: LaunchPlan) -> list[str]:
        """Record the plan."""
        self.plan = plan
        raise EngineBrokenError(Path("nowhere"), "it is not started")


async def plan_of(
    home: Path, *engine_args: str, ram: Ram | None = None, root: Path | None = None, slots: int = 4
) -> LaunchPlan:
    """Return the plan of a launch on a machine with the given RAM, or with the virtual files below ``root``."""
    model = home / "model.gguf"
    model.write_bytes(b"GGUF")
    engines = home / "engines"
    engines.mkdir()
    engine = PlanReader()
    config = LaunchConfig(
        engine=engine,
        engines_dir=engines,
        log_dir=home / "logs",
        slots=slots,
        read_ram=(lambda: ram or Ram()) if root is None else partial(read_ram, "linux", root),
    )
    spec = ModelLaunchSpec(
        model_id=1, model_name="m", path=model, settings=ModelSettings(engine_args=engine_args)
    )
    with pytest.raises(EngineBrokenError):
        async with launch_engine(spec, context=4096, name="m", config=config):
            pass
    assert engine.plan is not None
    return engine.plan


async def test_prompt_cache_is_bounded_by_the_container_limit(tmp_path: Path) -> None:
    """An eighth of the control group's 4 GiB, not of the machine's 64."""
    root = tmp_path / "root"
    for name, text in {
        "proc/meminfo": f"MemTotal: {64 * GIB // 1024} kB\nMemAvailable: {32 * GIB // 1024} kB\n",
        "proc/self/cgroup": "0::/\n",
        "sys/fs/cgroup/memory.max": f"{4 * GIB}\n",
        "sys/fs/cgroup/memory.current": "0\n",
    }.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    assert (await plan_of(tmp_path, root=root)).cache_ram_mib == 512


async def test_slots_come_from_the_setting_or_the_model(tmp_path: Path) -> None:
    """The setting's number of slots is used, unless the model's arguments name another."""
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    assert (await plan_of(tmp_path / "one", slots=16)).slots == 16
    assert (await plan_of(tmp_path / "two", "--parallel", "2", slots=16)).slots == 2
