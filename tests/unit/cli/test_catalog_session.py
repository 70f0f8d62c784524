"""A command's catalogue: opened once for several calls, and always closed."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gglib.app.models import catalog as app_catalog
from gglib.app.settings import Settings
from gglib.cli.sessions import catalog_session, with_catalog
from gglib.core.ports.store import HomeStorePort
from gglib.testing import FakeCatalog

SETTINGS = Settings(home=Path("/nowhere"))


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the steps of the catalogue, in order."""
    steps: list[str] = []

    @asynccontextmanager
    async def open_catalog(_: Settings) -> AsyncIterator[FakeCatalog]:
        steps.append("opened")
        try:
            yield FakeCatalog()
        finally:
            steps.append("closed")

    monkeypatch.setattr(app_catalog, "open_catalog", open_catalog)
    return steps


async def _no_models(store: HomeStorePort) -> bool:
    return not await store.list_models()


def test_one_call_opens_and_closes(steps: list[str]) -> None:
    """The call's result is returned."""
    assert with_catalog(SETTINGS, _no_models)
    assert steps == ["opened", "closed"]


def test_a_result_is_not_formatted(steps: list[str]) -> None:
    """``asyncio.Runner`` formats the task of a call twice: with its result, which may be 10,000 models."""

    class Models:
        def __repr__(self) -> str:
            steps.append("formatted")
            return "models"

    async def models(_: HomeStorePort) -> Models:
        return Models()

    assert isinstance(with_catalog(SETTINGS, models), Models)
    assert steps == ["opened", "closed"]


def test_several_calls_open_once(steps: list[str]) -> None:
    """Between them no loop runs, so that Ctrl-C interrupts a prompt."""
    with catalog_session(SETTINGS) as catalog:
        catalog.run(_no_models)
        with pytest.raises(RuntimeError, match="no running event loop"):
            asyncio.get_running_loop()
        steps.append("asked")
        catalog.run(_no_models)
    assert steps == ["opened", "asked", "closed"]


@pytest.mark.parametrize("kind", [KeyboardInterrupt, ValueError])
def test_failure_between_the_calls_closes(steps: list[str], kind: type[BaseException]) -> None:
    """The error is passed on."""
    with pytest.raises(kind), catalog_session(SETTINGS):
        raise kind
    assert steps == ["opened", "closed"]


def test_interrupted_call_cleans_up_before_the_catalogue_is_closed(steps: list[str]) -> None:
    """A second Ctrl-C leaves the loop with the call still in it; its cleanup may need the catalogue."""

    def interrupt() -> None:
        raise KeyboardInterrupt

    async def wait(_: HomeStorePort) -> None:
        asyncio.get_running_loop().call_soon(interrupt)
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            steps.append("cleaned up")

    with pytest.raises(KeyboardInterrupt), catalog_session(SETTINGS) as catalog:
        catalog.run(wait)
    assert steps == ["opened", "cleaned up", "closed"]
