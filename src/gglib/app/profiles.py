"""Sets and removes profiles, with the checks of the settings in use."""

from gglib.app.settings import Settings
from gglib.core.errors import ProfileNotFoundError
from gglib.core.models import ModelSummary
from gglib.core.names import not_found, require_model
from gglib.core.ports.profiles import EditProfile
from gglib.core.ports.store import HomeStorePort
from gglib.core.profiles import Profile, find_profile
from gglib.proxy.profiles import refuse_guarded_fields


async def set_profile(
    name: str, model_name: str | None, edit: EditProfile, store: HomeStorePort, settings: Settings
) -> Profile:
    """Add or change a profile of a model, or of all models (None), and return it.

    Raises ``ModelNotFoundError``, and ``InvalidSettingError`` for invalid values and for fields that requests must not
    set (``allowed_engine_fields``).
    """
    model = None if model_name is None else await require_model(store, model_name)
    allowed = frozenset(settings.allowed_engine_fields)

    def checked(known: Profile | None) -> Profile:
        profile = edit(known)
        refuse_guarded_fields(profile, allowed)
        return profile

    changed = await store.edit_profile(name, _id_of(model), checked)
    if changed is None:  # the model was removed meanwhile
        raise not_found(model_name or "", await store.list_models())
    return changed


async def show_profile(
    name: str, model_name: str | None, store: HomeStorePort
) -> tuple[Profile, ModelSummary | None]:
    """Return a profile and its model. Raises ``ModelNotFoundError`` and ``ProfileNotFoundError``."""
    model = None if model_name is None else await require_model(store, model_name)
    profiles = await store.list_profiles()
    profile = find_profile(name, _id_of(model), profiles)
    if profile is None:
        raise _not_found(name, model, profiles)
    return profile, model


async def remove_profile(name: str, model_name: str | None, store: HomeStorePort) -> Profile:
    """Remove a profile and return it. Raises ``ModelNotFoundError`` and ``ProfileNotFoundError``."""
    model = None if model_name is None else await require_model(store, model_name)
    removed = await store.remove_profile(name, _id_of(model))
    if removed is None:
        raise _not_found(name, model, await store.list_profiles())
    return removed


def _id_of(model: ModelSummary | None) -> int | None:
    return None if model is None else model.id


def _not_found(name: str, model: ModelSummary | None, profiles: list[Profile]) -> ProfileNotFoundError:
    names = tuple(profile.name for profile in profiles if profile.model_id == _id_of(model))
    return ProfileNotFoundError(name, None if model is None else model.name, name, names)
