"""The contract of every profile store: the same tests for SQLite and for the fake."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from gglib.core.errors import InvalidSettingError
from gglib.core.models import GgufFacts, NewModel
from gglib.core.ports.store import HomeStorePort
from gglib.core.profiles import Profile
from gglib.db import SqliteCatalog
from gglib.testing import FakeCatalog

FULL = Profile(
    name="Precise",
    description="Short and exact",
    system="Be brief.\nAnd kind: ä",
    defaults={"temperature": 0.2, "stop": ["END"], "logit_bias": [[1, False]]},
    template_kwargs={"enable_thinking": False},
    strip=("max_tokens", "system"),
)


@pytest.fixture(params=["sqlite", "fake"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[HomeStorePort]:
    """Return a catalogue with the models chat (1) and other (2)."""
    if request.param == "fake":
        yield await with_models(FakeCatalog())
        return
    async with SqliteCatalog(tmp_path / "gglib.db") as opened:
        yield await with_models(opened)


async def with_models(store: HomeStorePort) -> HomeStorePort:
    """Add two models."""
    for name in ("chat", "other"):
        facts = GgufFacts(architecture="llama")
        await store.add_model(
            NewModel(name=name, paths=(Path(f"/models/{name}.gguf"),), size_bytes=7, facts=facts)
        )
    return store


async def put(store: HomeStorePort, profile: Profile, model_id: int | None = None) -> Profile | None:
    """Store a profile, whatever was there before."""
    return await store.edit_profile(profile.name, model_id, lambda _: profile)


async def test_every_field_is_read_back(store: HomeStorePort) -> None:
    """A stored profile is listed with the same fields."""
    stored = await put(store, FULL, 1)
    assert stored == replace(FULL, model_id=1)
    assert await store.list_profiles() == [stored]


async def test_names_are_unique_per_model_ignoring_case(store: HomeStorePort) -> None:
    """Each model, and all models together, may have a profile of the same name."""
    await put(store, FULL)
    await put(store, FULL, 1)
    await put(store, FULL, 2)
    await put(store, replace(FULL, name="PRECISE", system="new"), 1)
    profiles = await store.list_profiles()
    assert [(found.name, found.model_id, found.system) for found in profiles] == [
        ("Precise", None, FULL.system),
        ("PRECISE", 1, "new"),
        ("Precise", 2, FULL.system),
    ]


async def test_an_edit_sees_the_stored_profile(store: HomeStorePort) -> None:
    """The first time there is none; name and model are those of the call."""
    seen: list[Profile | None] = []

    def edit(known: Profile | None) -> Profile:
        seen.append(known)
        return Profile(name="ignored", model_id=9, description="x")

    await store.edit_profile("a", 1, edit)
    await store.edit_profile("A", 1, edit)
    assert seen == [None, Profile(name="a", model_id=1, description="x")]


async def test_a_refused_edit_changes_nothing(store: HomeStorePort) -> None:
    """Neither an invalid profile nor an exception of the edit."""
    with pytest.raises(InvalidSettingError, match="'temperature'"):
        await put(store, Profile(name="a", defaults={"temperature": -1}))

    def failing(_: Profile | None) -> Profile:
        raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"):
        await store.edit_profile("a", None, failing)
    assert await store.list_profiles() == []


async def test_a_profile_needs_its_model(store: HomeStorePort) -> None:
    """For a model that does not exist, nothing is stored."""
    assert await put(store, FULL, 99) is None
    assert await store.list_profiles() == []


async def test_removes_exactly_one(store: HomeStorePort) -> None:
    """The profile of all models stays; a second removal finds none."""
    await put(store, FULL)
    await put(store, FULL, 1)
    assert await store.remove_profile("precise", 1) == replace(FULL, model_id=1)
    assert await store.remove_profile("precise", 1) is None
    assert await store.list_profiles() == [FULL]


async def test_a_removed_model_takes_its_profiles_along(store: HomeStorePort) -> None:
    """Those of other models and of all models stay."""
    for model_id in (None, 1, 2):
        await put(store, FULL, model_id)
    await store.remove_model("chat")
    assert [profile.model_id for profile in await store.list_profiles()] == [None, 2]


async def test_resolves_model_and_profile(store: HomeStorePort) -> None:
    """Repeatedly, and after a change; an unknown one is None."""
    await put(store, FULL)
    for _ in range(2):
        found = await store.resolve_profile("chat:Precise")
        assert found is not None
        assert (found.model.name, found.profile) == ("chat", FULL)
    assert await store.resolve_for_launch("chat:Precise") is None
    changed = replace(FULL, system="new")
    await put(store, changed, 1)
    found = await store.resolve_profile("chat:Precise")
    assert found is not None
    assert found.profile == replace(changed, model_id=1)
    assert await store.resolve_profile("chat:none") is None
    assert await store.resolve_profile("none:Precise") is None


async def test_a_model_may_take_the_name_later(store: HomeStorePort) -> None:
    """A model that is called like a profiled name wins from then on."""
    await put(store, FULL)
    assert await store.resolve_profile("chat:Precise") is not None
    facts = GgufFacts(architecture="llama")
    await store.add_model(
        NewModel(name="chat:Precise", paths=(Path("/models/new.gguf"),), size_bytes=7, facts=facts)
    )
    spec = await store.resolve_for_launch("chat:Precise")
    assert spec is not None
    assert spec.model_name == "chat:Precise"
