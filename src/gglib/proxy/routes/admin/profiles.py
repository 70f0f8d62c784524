"""Lists, sets and removes profiles."""

from typing import Any

from gglib.core import errors
from gglib.core.profiles import Profile
from gglib.proxy.errors import BadRequestError, NoProfilesError
from gglib.proxy.profiles.admin import OwnedProfile, ProfileAdmin
from gglib.proxy.response import Response
from gglib.proxy.routes import responses
from gglib.proxy.routes.admin.groups import PROFILES_GROUP
from gglib.proxy.routes.dispatch import Call, operation
from gglib.proxy.routes.operation_spec import OperationSpec
from gglib.proxy.routes.requests import NewProfile, ProfileQuery

PROFILES, PROFILE = "/gglib/profiles", "/gglib/profiles/{name}"
_NAME = {"name": "Name of the profile."}
_ERRORS = (errors.ModelNotFoundError, errors.ProfileNotFoundError, errors.CatalogError, NoProfilesError)


async def list_profiles(call: Call[None, None], response: Response) -> None:
    """Send all profiles."""
    await response.send(responses.Profiles(profiles=tuple(map(_shown, await _admin(call).list()))))


async def show_profile(call: Call[ProfileQuery, None], response: Response) -> None:
    """Send one profile."""
    await response.send(_shown(await _admin(call).show(call.path["name"], call.query.model)))


async def set_profile(call: Call[ProfileQuery, NewProfile], response: Response) -> None:
    """Add a profile, or replace one."""
    body, admin = call.body, _admin(call)
    profile = Profile(
        name=call.path["name"],
        description=body.description,
        system=body.system,
        defaults=body.defaults,
        template_kwargs=body.template_kwargs,
        strip=body.strip,
    )
    try:
        stored = await admin.set(profile.name, call.query.model, lambda _: profile)
    except errors.InvalidSettingError as error:
        raise BadRequestError(str(error)) from error
    await response.send(_shown(stored))


async def remove_profile(call: Call[ProfileQuery, None], response: Response) -> None:
    """Remove a profile and send it."""
    await response.send(_shown(await _admin(call).remove(call.path["name"], call.query.model)))


def _admin(call: Call[Any, Any]) -> ProfileAdmin:
    services = call.services
    if services.profiles is None:
        raise NoProfilesError
    return ProfileAdmin(services.catalog, services.profiles, services.options.field_limits)


def _shown(owned: OwnedProfile) -> responses.Profile:
    return responses.Profile.of(owned.profile, owned.model_name)


OPERATIONS = (
    operation(
        list_profiles,
        OperationSpec(
            id="listProfiles",
            method="GET",
            path=PROFILES,
            group=PROFILES_GROUP,
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
            group=PROFILES_GROUP,
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
            group=PROFILES_GROUP,
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
            group=PROFILES_GROUP,
            summary="Remove a profile",
            path_parameters=_NAME,
            query=ProfileQuery,
            response=responses.Profile,
            errors=_ERRORS,
        ),
    ),
)
