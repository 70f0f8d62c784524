"""Converts the settings that limit the fields of requests and profiles into the proxy's options."""

from gglib.app.settings import Settings
from gglib.core.errors import InvalidSettingError
from gglib.proxy import GUARDED_FIELDS, SchemaLimits

KIB = 1024


def schema_limits(settings: Settings) -> SchemaLimits:
    """Return the limits on schemas and tools."""
    return SchemaLimits(settings.max_schema_kb * KIB, settings.max_schema_cost)


def allowed_engine_fields(settings: Settings) -> frozenset[str]:
    """Return the engine fields that requests may set. Raises ``InvalidSettingError`` for an unknown field."""
    allowed = frozenset(settings.allowed_engine_fields)
    if unknown := sorted(allowed - GUARDED_FIELDS):
        raise InvalidSettingError(
            f"allowed_engine_fields has '{unknown[0]}', which is not a protected field; the protected fields are "
            f"{', '.join(sorted(GUARDED_FIELDS))}."
        )
    return allowed
