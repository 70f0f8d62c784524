"""Lists, shows, sets and removes profiles: the use case of the CLI and of the admin API."""

from collections.abc import Sequence
from dataclasses import dataclass

from gglib.core.errors import ModelNotFoundError, ProfileNotFoundError
from gglib.core.models import ModelSummary
from gglib.core.names import require_model
from gglib.core.ports import ModelCatalogPort
from gglib.core.ports.profiles import EditProfile, ProfileStorePort
from gglib.core.profile_rules import check_profile
from gglib.core.profiles import Profile, find_profile
from gglib.proxy.profiles.guards import FieldLimits, check_guards


@dataclass(frozen=True, slots=True)
class OwnedProfile:
    """A profile and its model; ``model`` is None for a profile of all models."""

    profile: Profile
    model: ModelSummary | None

    @property
    def model_name(self) -> str | None:
        """The name of its model; None for a profile of all models."""
        return None if self.model is None else self.model.name


@dataclass(frozen=True, slots=True)
class ProfileAdmin:
    """Administers the profiles of a catalogue.

    The argument ``model_name`` is any name of a model; None: the profile belongs to all models. All methods raise
    ``CatalogError`` if the catalogue fails, and ``ModelNotFoundError`` for an unknown model.
    """

    catalog: ModelCatalogPort
    store: ProfileStorePort
    limits: FieldLimits

    async def list(self) -> list[OwnedProfile]:
        """Return all profiles, in the order in which they were added."""
        models = {model.id: model for model in await self.catalog.list_models()}
        return [
            OwnedProfile(profile, models.get(profile.model_id or 0))
            for profile in await self.store.list_profiles()
            if profile.model_id is None or profile.model_id in models  # not of a model that was added since
        ]

    async def show(self, name: str, model_name: str | None) -> OwnedProfile:
        """Return a profile. Raises ``ProfileNotFoundError``."""
        model = await self._model(model_name)
        profiles = await self.store.list_profiles()
        profile = find_profile(name, _id_of(model), profiles)
        if profile is None:
            raise _not_found(name, model, profiles)
        return OwnedProfile(profile, model)

    async def set(self, name: str, model_name: str | None, edit: EditProfile) -> OwnedProfile:
        """Add or change a profile.

        Raises ``InvalidSettingError`` for invalid values and for fields that requests must not set.
        """
        model = await self._model(model_name)

        def checked(known: Profile | None) -> Profile:
            profile = edit(known)
            check_profile(profile)  # before the guards, which expect valid JSON
            check_guards(profile, self.limits)
            return profile

        changed = await self.store.edit_profile(name, _id_of(model), checked)
        if changed is None:  # the model was removed meanwhile
            raise ModelNotFoundError(model_name or "")
        return OwnedProfile(changed, model)

    async def remove(self, name: str, model_name: str | None) -> OwnedProfile:
        """Remove a profile and return it. Raises ``ProfileNotFoundError``."""
        model = await self._model(model_name)
        removed = await self.store.remove_profile(name, _id_of(model))
        if removed is None:
            raise _not_found(name, model, await self.store.list_profiles())
        return OwnedProfile(removed, model)

    async def _model(self, name: str | None) -> ModelSummary | None:
        return None if name is None else await require_model(self.catalog, name)


def _id_of(model: ModelSummary | None) -> int | None:
    return None if model is None else model.id


def _not_found(name: str, model: ModelSummary | None, profiles: Sequence[Profile]) -> ProfileNotFoundError:
    names = tuple(profile.name for profile in profiles if profile.model_id == _id_of(model))
    return ProfileNotFoundError(name, None if model is None else model.name, name, names)
