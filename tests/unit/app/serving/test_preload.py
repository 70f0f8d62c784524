"""Loads at the start of a server."""

import asyncio
from pathlib import Path
from typing import Any

from tests.support.waiting import until

from gglib.app.serving.preload import preloading
from gglib.app.settings import Settings
from gglib.core.errors import ModelLoadFailedError, ShuttingDownError
from gglib.core.models import ModelSummary, RunningTarget
from gglib.testing import FakeCatalog, FakeRuntime

MODELS = [ModelSummary(id=number, name=name) for number, name in enumerate(("a", "b", "c"), 1)]


class Runtime(FakeRuntime):
    """A runtime that records its loads, and fails some of them."""

    def __init__(self, **failures: Exception) -> None:
        super().__init__({model.name: RunningTarget.local(1, model.id, model.name, 512) for model in MODELS})
        self.failures = failures
        self.loads: list[str] = []

    async def load(self, model_name: str, num_ctx: int | None, default_ctx: int) -> RunningTarget:
        """Record the load after the gate."""
        target = await super().load(model_name, num_ctx, default_ctx)
        self.loads.append(model_name)
        if model_name in self.failures:
            raise self.failures[model_name]
        return target


async def loads_of(runtime: Runtime, expected: int, **settings: Any) -> list[str]:
    """Return the warnings, once the models were loaded."""
    warnings: list[str] = []
    own = Settings(home=Path("/"), **settings)
    async with preloading(own, FakeCatalog(MODELS), runtime, warnings.append):
        await until(lambda: len(runtime.loads) + len(warnings) >= expected)
    return warnings


async def test_models_are_loaded_in_order() -> None:
    """One after the other."""
    runtime = Runtime()
    assert await loads_of(runtime, 3, preload=("c", "a", "b")) == []
    assert runtime.loads == ["c", "a", "b"]


async def test_a_failure_is_a_warning_and_the_next_model_is_loaded() -> None:
    """Unknown names, failed loads and bugs do not end the server."""
    runtime = Runtime(a=ModelLoadFailedError("a", "out of memory"), b=ZeroDivisionError())
    warnings = await loads_of(runtime, 5, preload=("gone", "a", "b", "c"))
    assert runtime.loads == ["a", "b", "c"]
    assert [warning.partition(":")[0] for warning in warnings] == [
        "'gone' cannot be preloaded",
        "'a' cannot be preloaded",
    ]
    assert "out of memory" in warnings[1]


async def test_of_an_alias_list_the_first_model_that_can_run_is_loaded() -> None:
    """A name of the catalogue is not an alias."""
    runtime = Runtime(a=ModelLoadFailedError("a", "out of memory"))
    assert await loads_of(runtime, 3, preload=("fast", "c"), aliases={"fast": ("a", "b"), "c": ("a",)}) == []
    assert runtime.loads == ["a", "b", "c"]


async def test_the_end_of_the_block_ends_the_loads() -> None:
    """Also a wait for a model."""
    runtime = Runtime()
    runtime.gate = asyncio.Event()
    async with preloading(Settings(home=Path("/"), preload=("a", "b")), FakeCatalog(MODELS), runtime, print):
        await until(lambda: runtime.waiting == 1)
    assert (runtime.waiting, runtime.loads) == (0, [])


async def test_the_server_is_ready_once_each_model_is_loaded_or_has_failed() -> None:
    """Not before the last one; an unknown name does not prevent it."""
    runtime = Runtime(a=ModelLoadFailedError("a", "out of memory"))
    runtime.gate = asyncio.Event()
    done: list[bool] = []
    own = Settings(home=Path("/"), preload=("gone", "a", "b"))
    async with preloading(own, FakeCatalog(MODELS), runtime, lambda _: None, lambda: done.append(True)):
        await until(lambda: runtime.waiting == 1)
        assert done == []
        runtime.gate.set()
        await until(lambda: done == [True])
    assert runtime.loads == ["a", "b"]


async def test_a_server_that_stops_while_it_loads_was_never_ready() -> None:
    """The end of the block is no end of the loads."""
    runtime = Runtime()
    runtime.gate = asyncio.Event()
    done: list[bool] = []
    own = Settings(home=Path("/"), preload=("a",))
    async with preloading(own, FakeCatalog(MODELS), runtime, lambda _: None, lambda: done.append(True)):
        await until(lambda: runtime.waiting == 1)
    assert done == []


async def test_a_shutdown_is_no_failure() -> None:
    """Later models are not tried."""
    runtime = Runtime(a=ShuttingDownError())
    assert await loads_of(runtime, 1, preload=("a", "b")) == []
    assert runtime.loads == ["a"]
