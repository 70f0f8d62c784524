"""Lists, sets and removes profiles."""

from typing import Any

from gglib.core import errors
from gglib.core.models import ModelSummary
from gglib.core.names import require_model
from gglib.core.ports.profiles import ProfileStorePort
from gglib.core.profiles import Profile, find_profile
from gglib.proxy.errors import BadRequestError, NoProfilesError
from gglib.proxy.profiles import refuse_guarded_fields
from gglib.proxy.response import Response
from gglib.proxy.routes import responses
from gglib.proxy.routes.dispatch import Call, operation
from gglib.proxy.routes.operation_spec import OperationSpec
from gglib.proxy.routes.requests import NewProfile, ProfileQuery

PROFILES, PROFILE = "/gglib/profiles", "/gglib/profiles/{name}"
GROUP = "Profiles"
_NAME = {"name": "Name of the profile."}
_ERRORS = (errors.ModelNotFoundError, errors.ProfileNotFoundError, errors.CatalogError, NoProfilesError)


async def list_profiles(call: Call[None, None], response: Response) -> None:
    """Send all profiles."""
    profiles = await _store(call).list_profiles()
    names = {model.id: model.name for model in await call.services.catalog.list_models()}
    shown = tuple(responses.Profile.of(profile, names.get(profile.model_id or 0)) for profile in profiles)
    await response.send(responses.Profiles(profiles=shown))


async def show_profile(call: Call[ProfileQuery, None], response: Response) -> None:
    """Send one profile."""
    model = await _model(call)
    profiles = await _store(call).list_profiles()
    profile = find_profile(call.path["name"], _id_of(model), profiles)
    if profile is None:
        raise _not_found(call, model, profiles)
    await response.send(responses.Profile.of(profile, _name_of(model)))


async def set_profile(call: Call[ProfileQuery, NewProfile], response: Response) -> None:
    """Add a profile, or replace one."""
    body, model = call.body, await _model(call)
    profile = Profile(
        name=call.path["name"],
        description=body.description,
        system=body.system,
        defaults=body.defaults,
        template_kwargs=body.template_kwargs,
        strip=body.strip,
    )
    try:
        refuse_guarded_fields(profile, call.services.options.allowed_engine_fields)
        stored = await _store(call).edit_profile(profile.name, _id_of(model), lambda _: profile)
    except errors.InvalidSettingError as error:
        raise BadRequestError(str(error)) from error
    if stored is None:  # removed meanwhile
        raise errors.ModelNotFoundError(call.query.model or "")
    await response.send(responses.Profile.of(stored, _name_of(model)))


async def remove_profile(call: Call[ProfileQuery, None], response: Response) -> None:
    """Remove a profile and send it."""
    model, store = await _model(call), _store(call)
    removed = await store.remove_profile(call.path["name"], _id_of(model))
    if removed is None:
        raise _not_found(call, model, await store.list_profiles())
    await response.send(responses.Profile.of(removed, _name_of(model)))


def _store(call: Call[Any, Any]) -> ProfileStorePort:
    if call.services.profiles is None:
        raise NoProfilesError
    return call.services.profiles


async def _model(call: Call[ProfileQuery, Any]) -> ModelSummary | None:
    """Return the model of the query; None if it names none."""
    _store(call)
    return None if call.query.model is None else await require_model(call.services.catalog, call.query.model)


def _not_found(
    call: Call[ProfileQuery, Any], model: ModelSummary | None, profiles: list[Profile]
) -> errors.ProfileNotFoundError:
    names = tuple(profile.name for profile in profiles if profile.model_id == _id_of(model))
    return errors.ProfileNotFoundError(call.path["name"], _name_of(model), call.path["name"], names)


def _id_of(model: ModelSummary | None) -> int | None:
    return None if model is None else model.id


def _name_of(model: ModelSummary | None) -> str | None:
    return None if model is None else model.name


OPERATIONS = (
    operation(
        list_profiles,
        OperationSpec(
            id="listProfiles",
            method="GET",
            path=PROFILES,
            group=GROUP,
            summary="List the profiles",
            text="Like `gglib profile list --json`.",
            response=responses.Profiles,
            errors=(errors.CatalogError, NoProfilesError),
        ),
    ),
    operation(
        show_profile,
        OperationSpec(
            id="showProfile",
            method="GET",
            path=PROFILE,
            group=GROUP,
            summary="Show one profile",
            path_parameters=_NAME,
            query=ProfileQuery,
            response=responses.Profile,
            errors=_ERRORS,
        ),
    ),
    operation(
        set_profile,
        OperationSpec(
            id="setProfile",
            method="PUT",
            path=PROFILE,
            group=GROUP,
            summary="Add or replace a profile",
            text="Requests use it as `MODEL:PROFILE`. Unlike `gglib profile set`, it replaces the whole profile.",
            path_parameters=_NAME,
            query=ProfileQuery,
            body=NewProfile,
            response=responses.Profile,
            errors=(errors.ModelNotFoundError, errors.CatalogError, NoProfilesError),
        ),
    ),
    operation(
        remove_profile,
        OperationSpec(
            id="removeProfile",
            method="DELETE",
            path=PROFILE,
            group=GROUP,
            summary="Remove a profile",
            path_parameters=_NAME,
            query=ProfileQuery,
            response=responses.Profile,
            errors=_ERRORS,
        ),
    ),
)
