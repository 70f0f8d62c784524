"""Decides whether a server is reachable from other machines, and whether it may start without a key. Pure."""

from enum import Enum

from gglib.core.addresses import is_loopback
from gglib.core.errors import InvalidSettingError


class Exposure(Enum):
    """How a server can be reached."""

    LOOPBACK = "reachable from this machine only"
    KEY_REQUIRED = "reachable from other machines with a key"
    INSECURE = "reachable from other machines without a key, as set by the user"
    UNPROTECTED = "reachable from other machines without a key, not allowed by the user"


def exposure_of(host: str, *, has_keys: bool, is_insecure: bool) -> Exposure:
    """Return the exposure of a server that listens on ``host``, a name or an address.

    A name other than ``localhost`` counts as reachable from other machines, regardless of what it resolves to.
    """
    if is_loopback(host):
        return Exposure.LOOPBACK
    if has_keys:
        return Exposure.KEY_REQUIRED
    return Exposure.INSECURE if is_insecure else Exposure.UNPROTECTED


def check_exposure(host: str, *, has_keys: bool, is_insecure: bool) -> None:
    """Raise ``InvalidSettingError`` for a server that must not start; the message says what to do."""
    problem = problem_of(host, has_keys=has_keys, is_insecure=is_insecure)
    if problem is not None:
        raise InvalidSettingError(problem)


def plaintext_warning(host: str, *, has_tls: bool) -> str | None:
    """Return a sentence for a server that other machines reach over plain HTTP; None for others."""
    if has_tls or is_loopback(host):
        return None
    return (
        f"PLAIN HTTP: everyone on the network between {host} and its clients can read prompts, answers and keys: set "
        "tls_cert and tls_key (docs/tls.md), or use a VPN."
    )


def problem_of(host: str, *, has_keys: bool, is_insecure: bool) -> str | None:
    """Return why a server must not start, and what to do; None if it may."""
    if exposure_of(host, has_keys=has_keys, is_insecure=is_insecure) is not Exposure.UNPROTECTED:
        return None
    return (
        f"{host} is reachable from other machines and no access key is set: 'gglib key new NAME' makes one, or "
        "pass --insecure to accept requests without a key."
    )
