"""The contract of every runtime: the same tests for the manager and for the fake."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from gglib.core.errors import ModelLoadingError, ModelNotFoundError
from gglib.core.models import ModelSummary, RunningTarget
from gglib.core.ports import ModelRuntimePort
from gglib.runtime import EngineManager, LaunchConfig, LocalLauncher, RuntimeConfig
from gglib.runtime.engines import find_engine
from gglib.testing import FakeCatalog, FakeRuntime, Script, install_scripted_server


@dataclass(frozen=True, slots=True)
class Case:
    """A runtime that can run ``a`` and ``b``, and a slow one."""

    runtime: ModelRuntimePort
    slow: ModelRuntimePort


@pytest.fixture(params=["fake", "manager"])
async def case(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Case]:
    """Give each runtime in turn."""
    if request.param == "fake":
        targets = {name: RunningTarget.local(1, number, name, 8192) for number, name in enumerate("ab", 1)}
        yield Case(FakeRuntime(targets), FakeRuntime(targets, gate=asyncio.Event()))
        return
    for name in "ab":
        (tmp_path / f"{name}.gguf").touch()
    catalog = FakeCatalog(
        [ModelSummary(id=n, name=name, paths=(tmp_path / f"{name}.gguf",)) for n, name in enumerate("ab", 1)]
    )

    def launcher(name: str, script: Script | None = None) -> LocalLauncher:
        engine = find_engine(install_scripted_server(tmp_path / name, script))
        return LocalLauncher(
            LaunchConfig(engine=engine, engines_dir=tmp_path / f"{name}-engines", log_dir=tmp_path / "logs")
        )

    async with (
        EngineManager(catalog, launcher("quick"), RuntimeConfig()) as runtime,
        EngineManager(catalog, launcher("slow", Script(load_s=30)), RuntimeConfig()) as slow_runtime,
    ):
        yield Case(runtime, slow_runtime)


class TestModelRuntimePort:
    async def test_nothing_runs_at_first(self, case: Case) -> None:
        """No current model, nothing resident, and a stop is harmless."""
        assert await case.runtime.current_model() is None
        assert (await case.runtime.status()).residents == ()
        await case.runtime.stop_current()

    async def test_ensure_gives_the_requested_model(self, case: Case) -> None:
        """The target names its model, and is the current one afterwards."""
        for name in ("a", "b", "a"):
            target = await case.runtime.ensure_model_running(name, None, 8192)
            assert target.model_name == name
            current = await case.runtime.current_model()
            assert current is not None
            assert current.model_name == name

    async def test_an_unknown_model_raises(self, case: Case) -> None:
        """It is an error of the domain, from ``ensure`` and from ``admit``."""
        with pytest.raises(ModelNotFoundError):
            await case.runtime.ensure_model_running("nope", None, 8192)
        with pytest.raises(ModelNotFoundError):
            async with case.runtime.admit("nope", None, 8192):
                pass

    async def test_admit_releases_its_hold_at_any_end_of_the_block(self, case: Case) -> None:
        """The hold is counted inside the block and gone after it, also after an error and a cancellation."""

        async def in_flight() -> int:
            return sum(resident.in_flight for resident in (await case.runtime.status()).residents)

        async with case.runtime.admit("a", None, 8192) as target:
            assert target.model_name == "a"
            assert await in_flight() == 1
        with pytest.raises(ZeroDivisionError):
            async with case.runtime.admit("a", None, 8192):
                raise ZeroDivisionError
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05), case.runtime.admit("a", None, 8192):
                await asyncio.Event().wait()
        assert await in_flight() == 0

    async def test_expired_wait_is_model_loading(self, case: Case) -> None:
        """With a retry hint."""
        with pytest.raises(ModelLoadingError) as caught:
            async with case.slow.admit("a", None, 8192, wait_s=0.05):
                pass
        assert caught.value.retry_after_s > 0

    async def test_a_cancelled_wait_ends_at_once(self, case: Case) -> None:
        """A client that disconnects is not waited for."""
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05), case.slow.admit("a", None, 8192):
                pass

    async def test_load_gives_the_target_without_holding_it(self, case: Case) -> None:
        """The model is ready and current, and no request is in flight; an unknown model raises."""
        assert (await case.runtime.load("a", None, 8192)).model_name == "a"
        current = await case.runtime.current_model()
        assert current is not None
        assert current.model_name == "a"
        assert [resident.in_flight for resident in (await case.runtime.status()).residents] == [0]
        with pytest.raises(ModelNotFoundError):
            await case.runtime.load("nope", None, 8192)

    async def test_the_target_of_a_loaded_model_is_known_without_a_lease(self, case: Case) -> None:
        """Of the named model only, as long as it is ready."""
        assert await case.runtime.loaded_target("a") is None
        target = await case.runtime.load("a", None, 8192)
        assert await case.runtime.loaded_target("a") == target
        assert await case.runtime.loaded_target("b") is None
        assert [resident.in_flight for resident in (await case.runtime.status()).residents] == [0]
        await case.runtime.stop_current()
        assert await case.runtime.loaded_target("a") is None

    async def test_unload_stops_the_named_model_only(self, case: Case) -> None:
        """It returns whether the model was in memory; the next load starts a new launch."""
        await case.runtime.load("a", None, 8192)
        assert not await case.runtime.unload("b")
        assert await case.runtime.current_model() is not None
        assert await case.runtime.unload("a")
        assert await case.runtime.current_model() is None
        assert not await case.runtime.unload("a")
        assert (await case.runtime.load("a", None, 8192)).model_name == "a"

    async def test_pins_of_the_catalogue_can_be_applied_at_any_time(self, case: Case) -> None:
        """Applying them changes nothing that runs."""
        await case.runtime.apply_pins()
        await case.runtime.load("a", None, 8192)
        await case.runtime.apply_pins()
        assert await case.runtime.current_model() is not None

    async def test_stop_leaves_nothing(self, case: Case) -> None:
        """Afterwards no model is current, and the next request starts a new launch."""
        await case.runtime.ensure_model_running("a", None, 8192)
        await case.runtime.stop_current()
        assert await case.runtime.current_model() is None
        assert (await case.runtime.ensure_model_running("a", None, 8192)).model_name == "a"
