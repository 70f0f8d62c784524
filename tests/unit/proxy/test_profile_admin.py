"""The administration of profiles, for the CLI and the admin API."""

import pytest

from gglib.core.errors import InvalidSettingError, ModelNotFoundError, ProfileNotFoundError
from gglib.core.models import ModelSummary
from gglib.core.ports.profiles import EditProfile
from gglib.core.profiles import Profile
from gglib.proxy.profiles.admin import ProfileAdmin
from gglib.proxy.profiles.guards import FieldLimits
from gglib.testing import FakeCatalog

TINY = ModelSummary(id=1, name="tiny", aliases=("small",))


class RemovedMeanwhile(FakeCatalog):
    """A catalogue whose models are removed before a profile is stored."""

    async def edit_profile(self, name: str, model_id: int | None, edit: EditProfile) -> Profile | None:
        """Return None: there is no such model."""
        del name, model_id, edit
        return None


def admin_of(catalog: FakeCatalog) -> ProfileAdmin:
    """Return the administration of a catalogue."""
    return ProfileAdmin(catalog, catalog, FieldLimits(frozenset(("lora",))))


@pytest.fixture
def admin() -> ProfileAdmin:
    """Return the administration of a catalogue with one model."""
    return admin_of(FakeCatalog([TINY]))


async def test_sets_shows_lists_and_removes(admin: ProfileAdmin) -> None:
    """A profile of a model and one of all models have the same name."""
    own = await admin.set("p", "small", lambda _: Profile(name="p", system="own"))
    shared = await admin.set("p", None, lambda _: Profile(name="p", system="shared"))
    assert (own.model_name, shared.model_name) == ("tiny", None)
    assert await admin.show("p", "1") == own
    assert await admin.show("P", None) == shared
    assert await admin.list() == [own, shared]
    assert await admin.remove("p", "tiny") == own
    assert await admin.list() == [shared]


async def test_an_edit_gets_the_stored_profile(admin: ProfileAdmin) -> None:
    """None for a new one."""
    known: list[Profile | None] = []

    def edit(profile: Profile | None) -> Profile:
        known.append(profile)
        return Profile(name="p", system="new")

    stored = (await admin.set("p", None, edit)).profile
    await admin.set("p", None, edit)
    assert known == [None, stored]


@pytest.mark.parametrize(
    "defaults", [{"id_slot": 0}, {"temperature": "hot"}, {"x": float("nan")}, {"top_logprobs": 2_000}]
)
async def test_invalid_profiles_are_not_stored(admin: ProfileAdmin, defaults: dict[str, object]) -> None:
    """Neither invalid values nor fields that requests must not set, except allowed ones."""
    with pytest.raises(InvalidSettingError):
        await admin.set("p", None, lambda _: Profile(name="p", defaults=defaults))
    assert await admin.list() == []
    await admin.set("p", None, lambda _: Profile(name="p", defaults={"lora": [{"id": 0}]}))


async def test_unknown_names_are_errors(admin: ProfileAdmin) -> None:
    """Of the profile, with those that exist, and of the model."""
    await admin.set("p", "tiny", lambda _: Profile(name="p"))
    with pytest.raises(ProfileNotFoundError) as caught:
        await admin.show("q", "tiny")
    assert caught.value.profiles == ("p",)
    with pytest.raises(ProfileNotFoundError):
        await admin.remove("p", None)
    with pytest.raises(ModelNotFoundError):
        await admin.set("p", "none", lambda _: Profile(name="p"))


async def test_a_model_that_is_removed_meanwhile_is_not_found() -> None:
    """Nothing is stored."""
    with pytest.raises(ModelNotFoundError):
        await admin_of(RemovedMeanwhile([TINY])).set("p", "tiny", lambda _: Profile(name="p"))
