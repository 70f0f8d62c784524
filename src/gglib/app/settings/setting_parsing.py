"""Parses the value of a setting; the error names its source. Pure."""

from gglib.app.settings.alias_lists import InvalidEntryError
from gglib.app.settings.spec import SettingSpec
from gglib.core.errors import InvalidSettingError


def parse_setting(spec: SettingSpec, raw: object, where: str) -> object:
    """Return the value of a setting. Raises ``InvalidSettingError``, whose message begins with ``where``.

    The message shows the invalid value, except for a secret.
    """
    try:
        return spec.parse(raw)
    except ValueError as error:
        if spec.is_secret:
            raise InvalidSettingError(f"{where} cannot be used: {error}.") from None
        if isinstance(error, InvalidEntryError):
            raise InvalidSettingError(f"{where} {error}") from None
        raise InvalidSettingError(f"{where} is {raw!r}, but it must be {spec.expected}.") from error
