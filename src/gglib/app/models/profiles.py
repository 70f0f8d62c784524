"""Composes the administration of profiles from a catalogue and the settings."""

from gglib.app.serving.request_limits import allowed_engine_fields, schema_limits
from gglib.app.settings import Settings
from gglib.core.ports.store import HomeStorePort
from gglib.proxy.profiles.admin import ProfileAdmin
from gglib.proxy.profiles.guards import FieldLimits


def profile_admin(store: HomeStorePort, settings: Settings) -> ProfileAdmin:
    """Return the administration of the profiles in ``store``.

    Raises ``InvalidSettingError`` for an invalid ``allowed_engine_fields``.
    """
    limits = FieldLimits(allowed_engine_fields(settings), schema_limits(settings))
    return ProfileAdmin(store, store, limits)
