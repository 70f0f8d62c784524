"""Which first models are offered, by what the hub has."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

import gglib.app.models.first_models as asked
from gglib.app.models.first_models import (
    FirstModelOffers,
    Presence,
    first_model_list,
    first_model_offers,
    judged,
    presence_of,
)
from gglib.app.settings import Settings
from gglib.cli.views import first_models as views
from gglib.core.errors import HubUnreachableError
from gglib.core.hub.repository import HubRepository
from gglib.core.memory import MachineMemory
from gglib.library.starter.first_models import first_models, offers
from gglib.testing import FakeHub

PLENTY = MachineMemory(total_bytes=64 << 30, available_bytes=64 << 30)
OFFERS = offers(first_models().models, memory=PLENTY, default_ctx=8192, slots=4)
THERE, GONE, UNKNOWN = Presence.THERE, Presence.GONE, Presence.UNKNOWN


def left(*presences: Presence, best: int = 3) -> FirstModelOffers:
    """Return what is offered if the fourth model is the best one."""
    return judged(OFFERS, presences, OFFERS[best])


def test_all_are_offered_and_the_best_is_recommended() -> None:
    """Enter takes it: its number follows the starter's."""
    offered = left(*[THERE] * 5)
    assert offered.recommended is OFFERS[3]
    assert views.default_number(offered) == 5
    assert views.offer_of(5, offered) is OFFERS[3]
    assert views.offer_of(views.STARTER_NUMBER, offered) is None
    assert list(views.note_lines(offered)) == []


def test_model_that_is_gone_is_not_offered_and_a_smaller_one_recommended() -> None:
    """Not a larger one, which does not fit."""
    offered = left(THERE, THERE, THERE, GONE, THERE)
    assert [offer.model.title for offer in offered.offers] == [
        offer.model.title for offer in OFFERS if offer is not OFFERS[3]
    ]
    assert offered.recommended is OFFERS[2]


def test_without_the_hub_the_starter_is_the_default() -> None:
    """The others are shown, and a note says so; one response is enough for a hub that is slow."""
    offered = left(*[UNKNOWN] * 5)
    assert (len(offered.offers), offered.recommended, views.default_number(offered)) == (5, None, 1)
    assert list(views.note_lines(offered)) == ["The hub cannot be reached: only 1 can be fetched now."]
    assert left(UNKNOWN, THERE, UNKNOWN, UNKNOWN, UNKNOWN).recommended is OFFERS[3]


def test_nothing_fits() -> None:
    """The starter is the default."""
    assert judged(OFFERS, [THERE] * 5, None).recommended is None


def test_rows_are_numbered_and_name_licence_and_fit() -> None:
    """The starter first, none last; the list for programs and pipes has commands."""
    offered = left(*[THERE] * 5)
    rows = views.choice_rows(offered)
    assert [row[0] for row in rows] == ["1", "2", "3", "4", "5", "6", "0"]
    assert rows[4][1:] == ["Qwen3 8B", "5.0 GB", "Apache-2.0", "fits", "recommended"]
    assert views.list_rows(offered)[3][-1] == "gglib pull Qwen/Qwen3-8B-GGUF:Q4_K_M"


def test_too_large_model_has_a_note() -> None:
    """With what it needs."""
    small = MachineMemory(total_bytes=2 << 30, available_bytes=1 << 30)
    tight = offers(first_models().models, memory=small, default_ctx=8192, slots=4)
    assert "needs about 12.6 GB of memory" in (views.too_large_note(tight[4]) or "")
    assert views.too_large_note(OFFERS[0]) is None


class _Unreachable(FakeHub):
    async def repository(self, repo: str, revision: str | None = None) -> HubRepository:  # noqa: ARG002
        raise HubUnreachableError("no network")


@pytest.mark.parametrize(
    ("files", "presence"),
    [(("x-q4_k_m.gguf",), THERE), (("x-Q8_0.gguf", "README.md"), GONE), (None, GONE)],
)
async def test_quantization_is_looked_up(files: tuple[str, ...] | None, presence: Presence) -> None:
    """By its label; a repository that does not exist has nothing."""
    hub, model = FakeHub(), first_models().models[0]
    if files is not None:
        hub.add_repository(model.repo, dict.fromkeys(files, b"GGUF"))
    assert await presence_of(model, hub) is presence
    assert await presence_of(model, _Unreachable()) is UNKNOWN


async def test_import_of_the_client_is_not_part_of_the_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a busy machine it alone took longer than the wait, and a hub that responds at once counted as unreachable."""
    steps: list[str] = []

    class Hub(FakeHub):
        async def repository(self, repo: str, revision: str | None = None) -> HubRepository:
            steps.append("requested")
            return await super().repository(repo, revision)

    @asynccontextmanager
    async def open_hub() -> AsyncIterator[Hub]:
        hub = Hub()
        for model in first_models().models:
            hub.add_repository(model.repo, {f"x-{model.quantization}.gguf": b"GGUF"})
        yield hub

    async def load_client() -> None:
        steps.append("imported")

    monkeypatch.setattr(asked, "open_hub", open_hub)
    monkeypatch.setattr(asked, "load_client", load_client, raising=False)
    offered = await first_model_offers(Settings(home=tmp_path))
    assert (offered.is_hub_reachable, len(offered.offers)) == (True, 5)
    assert steps == ["imported", *["requested"] * 5]


async def test_list_for_programs_has_the_memory_and_the_targets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the models that the hub has no more."""

    async def memory(_: Settings) -> MachineMemory:
        return PLENTY

    monkeypatch.setattr(asked, "usable_memory", memory)
    hub = FakeHub()
    for model in first_models().models[1:]:
        hub.add_repository(model.repo, {f"x-{model.quantization}.gguf": b"GGUF"})
    found = await first_model_list(Settings(home=tmp_path), hub)
    assert [model.target for model in found.models] == [model.target for model in first_models().models[1:]]
    assert (found.memory, found.as_of, found.is_hub_reachable) == (PLENTY, first_models().as_of, True)
    assert found.recommended == found.models[-1].target
    assert all(model.need.total_bytes > model.size_bytes for model in found.models)
