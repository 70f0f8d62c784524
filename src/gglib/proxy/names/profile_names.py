"""Resolves names of requests to a model and a profile, where the catalogue has no model of that name."""

from gglib.core.errors import ProfileNotFoundError
from gglib.core.names import not_found
from gglib.core.profiles import ProfiledModel, profile_not_found
from gglib.proxy.options import Services


async def require_profiled(name: str, services: Services) -> ProfiledModel:
    """Return what ``model:profile`` resolves to among the models that the caller may use.

    Raises ``ModelNotFoundError`` for any other name.
    """
    found = None if services.profiles is None else await services.profiles.resolve_profile(name)
    if found is not None and await services.catalog.resolve_model(found.model.name) is not None:
        return found
    models = await services.catalog.list_models()
    profiles = [] if services.profiles is None else await services.profiles.list_profiles()
    error = profile_not_found(name, models, profiles)
    if isinstance(error, ProfileNotFoundError):
        raise error
    raise not_found(name, services.aliases.suggested(models))
