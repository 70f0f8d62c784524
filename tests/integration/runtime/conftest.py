"""Fixtures: a manager over the scripted llama-server, in a temporary home."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from tests.support.waiting import is_alive

from gglib.core.models import ModelSettings, ModelSummary
from gglib.runtime import EngineManager, LaunchConfig, LocalLauncher, RuntimeConfig
from gglib.runtime.engines import Engine, find_engine
from gglib.runtime.memory import MemoryAccounts
from gglib.testing import FakeCatalog, Script, install_scripted_server, read_record

MODELS = ("a", "b", "broken")
_OF_THE_MANAGER = {field.name for field in fields(RuntimeConfig)}


class World:
    """A home with a scripted engine, and the engine's records."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.record = home / "record.jsonl"
        self.engine: Engine | None = None
        """The manager's engine, once a manager runs."""
        self.launcher: LocalLauncher | None = None
        self.launch_config: LaunchConfig | None = None
        """Those of the last manager."""
        self._script: Script | None = None
        self.catalog = FakeCatalog([self._model(number, name) for number, name in enumerate(MODELS, 1)])

    def set_idle_ttl(self, name: str, seconds: float) -> None:
        """Give a model an idle time-to-live."""
        self._set(name, ModelSettings(idle_ttl_s=seconds))

    def set_engine_args(self, name: str, *engine_args: str) -> None:
        """Set a model's engine arguments."""
        self._set(name, ModelSettings(engine_args=engine_args))

    def _set(self, name: str, settings: ModelSettings) -> None:
        self.catalog = FakeCatalog(
            [self._model(n, m, settings) if m == name else self._model(n, m) for n, m in enumerate(MODELS, 1)]
        )

    def _model(self, number: int, name: str, settings: ModelSettings | None = None) -> ModelSummary:
        path = self.home / f"{name}.gguf"
        if not path.exists():  # writing it again would make it another file
            path.write_bytes(b"GGUF")
        return ModelSummary(
            id=number,
            name=name,
            paths=(path,),
            trained_context=32768,
            settings=settings or ModelSettings(),
        )

    @asynccontextmanager
    async def manager(
        self, script: Script | None = None, *, memory: MemoryAccounts | None = None, **config: Any
    ) -> AsyncIterator[EngineManager]:
        """Run a manager whose engine follows the script; ``config`` sets fields of either configuration."""
        scripted = replace(script or Script(), record=str(self.record))
        if scripted != self._script:  # a program that is written again is another build
            self._script = scripted
            self.engine = find_engine(install_scripted_server(self.home / "bin", scripted))
        assert self.engine is not None
        runtime_config = RuntimeConfig(**{name: config.pop(name) for name in _OF_THE_MANAGER & config.keys()})
        launch_config = LaunchConfig(
            engine=self.engine,
            engines_dir=self.home / "run" / "engines",
            log_dir=self.home / "logs",
            resolve=self.catalog.resolve_for_launch,
            **config,
        )
        launcher = self.launcher = LocalLauncher(launch_config)
        self.launch_config = launch_config
        async with EngineManager(self.catalog, launcher, runtime_config, memory=memory) as manager:
            yield manager
        await launcher.close()

    def events(self, kind: str) -> list[dict[str, Any]]:
        """Return the engine's records of this kind, oldest first."""
        return (
            [event for event in read_record(self.record) if event["event"] == kind]
            if self.record.exists()
            else []
        )

    def living(self) -> list[int]:
        """Return the pids of engines that are still alive."""
        return [event["pid"] for event in self.events("start") if is_alive(event["pid"])]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Yield a home; at the end none of its engines may be left."""
    world = World(tmp_path)
    yield world
    assert world.living() == []


@pytest.fixture
def open_descriptors() -> Callable[[], int]:
    """Return a function that counts this process's open descriptors."""
    return lambda: len(list(Path("/proc/self/fd").iterdir()))
