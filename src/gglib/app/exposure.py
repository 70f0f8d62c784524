"""Who can reach a server, and whether it may start so. Pure: one rule for every command that serves."""

from enum import Enum

from gglib.core.addresses import is_loopback
from gglib.core.errors import InvalidSettingError


class Exposure(Enum):
    """How open a server is."""

    LOOPBACK = "only this machine reaches it"
    KEY_REQUIRED = "other machines reach it, and need a key"
    INSECURE = "other machines reach it and need no key, as its user insisted"
    UNPROTECTED = "other machines would reach it and need no key, and nobody said that they should"


def exposure_of(host: str, *, has_keys: bool, is_insecure: bool) -> Exposure:
    """Return how open a server is that listens on ``host``, a name or an address.

    A name other than ``localhost`` counts as one that others reach, whatever it may resolve to today.
    """
    if is_loopback(host):
        return Exposure.LOOPBACK
    if has_keys:
        return Exposure.KEY_REQUIRED
    return Exposure.INSECURE if is_insecure else Exposure.UNPROTECTED


def check_exposure(host: str, *, has_keys: bool, is_insecure: bool) -> None:
    """Raise ``InvalidSettingError``, which says what to do, for a server that must not start."""
    if exposure_of(host, has_keys=has_keys, is_insecure=is_insecure) is Exposure.UNPROTECTED:
        raise InvalidSettingError(
            f"{host} is reachable from other machines and no access key is set: set GGLIB_API_KEY or [api_keys] "
            "in config.toml, or pass --insecure to accept requests without a key."
        )
