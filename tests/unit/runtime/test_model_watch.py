"""The poll for changes of loaded models: what it compares, and when."""

import asyncio
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from gglib.core.backends import CommandBackend
from gglib.core.models import ModelEdit, ModelLaunchSpec, ModelSettings, ModelSummary
from gglib.runtime.model_watch import ModelWatch
from gglib.runtime.scheduler.events import (
    BecameReady,
    Event,
    ModelRemoved,
    PinsChanged,
    Requested,
    Superseded,
)
from gglib.runtime.scheduler.scheduler import Scheduler
from gglib.testing import FakeCatalog
from gglib.testing.fake_catalog import NO_FILE

OLDER = ModelLaunchSpec(model_id=1, model_name="a", path=Path("/v1/a.gguf"))
NEWER = replace(OLDER, path=Path("/v2/a.gguf"))


class SlowCatalog:
    """A catalogue that returns its state at the time of the call, after ``meanwhile``."""

    def __init__(self, spec: ModelLaunchSpec, meanwhile: Any = None) -> None:
        self._spec = spec
        self._meanwhile = meanwhile

    async def list_models(self) -> list[ModelSummary]:
        """Return the only model, which is not pinned."""
        return [ModelSummary(id=self._spec.model_id, name=self._spec.model_name)]

    async def resolve_for_launch(self, name: str) -> ModelLaunchSpec | None:
        """Return the only model."""
        del name
        if self._meanwhile is not None:
            self._meanwhile()
        return self._spec


class World:
    """A scheduler whose model loads, and the run of that load."""

    def __init__(self, spec: ModelLaunchSpec) -> None:
        self.scheduler = Scheduler()
        self.scheduler.handle(Requested(1, spec, 8192, 8192, "r1"), 0)
        self.run: Any = SimpleNamespace(
            ready_at=None, unavailable=asyncio.Event(), launch=SimpleNamespace(generation=1), spec=spec
        )
        self.run.is_file_overwritten = self._is_file_overwritten
        self.dispatched: list[Event] = []

    def become_ready(self, spec: ModelLaunchSpec) -> None:
        """Finish the load, with the version at that time."""
        self.scheduler.handle(BecameReady(1, spec), 1)
        self.run.ready_at, self.run.spec = 1.0, spec

    async def poll(self, catalog: Any) -> list[Event]:
        """Poll once, and return the events for the scheduler."""
        watch = ModelWatch(catalog, self.scheduler, {1: self.run}, self.dispatched.append)
        await watch.poll()
        return self.dispatched

    @staticmethod
    async def _is_file_overwritten() -> bool:
        return False


async def test_a_model_with_a_newer_version_is_superseded() -> None:
    """The catalogue has other files for it than the launch."""
    world = World(OLDER)
    world.become_ready(OLDER)
    assert await world.poll(SlowCatalog(NEWER)) == [Superseded(1)]


async def test_a_renamed_model_is_unloaded_after_its_requests() -> None:
    """It is not removed: its waiting requests get it under its new name. Another model may have the old one."""
    catalog = FakeCatalog([ModelSummary(id=1, name="new"), ModelSummary(id=2, name="a")])
    spec = replace(OLDER, path=NO_FILE)
    world = World(spec)
    world.become_ready(spec)
    assert await world.poll(catalog) == [Superseded(1)]


async def test_a_removed_model_is_not_one_that_has_its_name_now() -> None:
    """Models are compared by their ids."""
    world = World(OLDER)
    world.become_ready(OLDER)
    assert await world.poll(FakeCatalog([ModelSummary(id=2, name="a")])) == [ModelRemoved(1)]


async def test_version_that_becomes_ready_during_the_poll_is_not_compared() -> None:
    """The catalogue was read before: the launch may have taken a newer version."""
    world = World(OLDER)
    assert await world.poll(SlowCatalog(OLDER, lambda: world.become_ready(NEWER))) == []
    assert await world.poll(SlowCatalog(NEWER)) == []


async def test_pins_are_dispatched_when_they_change_and_only_then() -> None:
    """The first poll finds the pins of an earlier server, a later one the pin that was removed."""
    catalog = FakeCatalog([ModelSummary(id=n, name=name) for n, name in enumerate("ab", 1)])
    dispatched: list[Event] = []
    watch = ModelWatch(catalog, Scheduler(), {}, dispatched.append)
    await watch.poll()
    await catalog.edit_model("b", lambda _: ModelEdit(settings=ModelSettings(is_pinned=True)))
    await watch.poll()
    await watch.poll()
    await catalog.edit_model("b", lambda _: ModelEdit(settings=ModelSettings()))
    await watch.apply_pins()
    assert dispatched == [PinsChanged(frozenset((2,))), PinsChanged(frozenset())]


async def test_a_run_gets_the_setting_that_is_read_at_its_stop() -> None:
    """Without another launch."""
    catalog = FakeCatalog([ModelSummary(id=1, name="a")])
    run: Any = SimpleNamespace(spec=replace(OLDER, path=NO_FILE), keep_conversations=None)
    other: Any = SimpleNamespace(spec=replace(OLDER, model_id=9), keep_conversations=True)
    watch = ModelWatch(catalog, Scheduler(), {1: run, 2: other}, lambda _: None)
    for is_kept in (True, False, None):
        settings = ModelSettings(keep_conversations=is_kept)
        await catalog.edit_model("a", lambda _, settings=settings: ModelEdit(settings=settings))  # type: ignore[misc]
        await watch.apply_pins()
        assert run.keep_conversations is is_kept
    assert other.keep_conversations, "a model that is removed"


async def test_an_older_list_of_pins_does_not_replace_a_newer_one() -> None:
    """A poll that read the catalogue before a pin ends after it."""
    older, newer = asyncio.Event(), ModelSummary(id=1, name="a", settings=ModelSettings(is_pinned=True))
    reads = iter([(older, []), (None, [newer])])

    class Catalog(FakeCatalog):
        async def list_models(self) -> list[ModelSummary]:
            gate, models = next(reads)
            if gate is not None:
                await gate.wait()
            return models

    dispatched: list[Event] = []
    watch = ModelWatch(Catalog(), Scheduler(), {}, dispatched.append)
    poll = asyncio.create_task(watch.apply_pins())
    await asyncio.sleep(0)
    await watch.apply_pins()
    older.set()
    await poll
    assert dispatched == [PinsChanged(frozenset((1,)))]


@pytest.mark.parametrize(
    "changed",
    [
        {"settings": ModelSettings(context=2048)},
        {"settings": ModelSettings(engine_args=("--parallel", "2"))},
        {"settings": ModelSettings(kind="embedding")},
        {"settings": ModelSettings(environment=(("A", "b"),))},
        {"settings": ModelSettings(extra_args=("--new",))},
        {"projector": Path("/models/mmproj.gguf")},
        {"backend": CommandBackend(argv=("serve", "{port}"))},
    ],
    ids=["context", "engine_args", "kind", "environment", "extra_args", "projector", "backend"],
)
async def test_a_model_with_other_launch_options_is_superseded(changed: dict[str, Any]) -> None:
    """Its engine has the former ones until it is launched again."""
    world = World(OLDER)
    world.become_ready(OLDER)
    assert await world.poll(SlowCatalog(replace(OLDER, **changed))) == [Superseded(1)]


async def test_settings_that_are_read_per_request_supersede_nothing() -> None:
    """The time-to-live, and facts of the header, do not change the launch."""
    world = World(OLDER)
    world.become_ready(OLDER)
    now = replace(OLDER, settings=ModelSettings(idle_ttl_s=5), trained_context=9)
    assert await world.poll(SlowCatalog(now)) == []
