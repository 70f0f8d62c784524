"""What a certificate says, and what follows from it: whether it is valid, and which URL it fits. Pure."""

import hashlib
import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from gglib.core.addresses import Endpoint, PinnedAddress, http_url, is_loopback

WARN_BEFORE_S = 14 * 24 * 3600
"""Certificates for 90 days are renewed 30 days before their end: with 14 left, the renewal has failed for weeks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateFiles:
    """Two PEM files; they may be one."""

    certificate: Path
    key: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateFacts:
    """The facts of one certificate. Times are Unix times in seconds."""

    names: tuple[str, ...]
    """The DNS names and addresses that it is for."""
    not_before_s: float
    not_after_s: float
    fingerprint: str
    """The beginning of its SHA-256."""
    pem: str = field(repr=False)

    @property
    def text(self) -> str:
        """The names, the end and the fingerprint in one line."""
        names = ", ".join(self.names) or "no name"
        return f"{names}; until {_day(self.not_after_s)}; SHA-256 {self.fingerprint}"


def facts_of(
    decoded: Mapping[str, Any], times_s: tuple[float, float], der: bytes, pem: str
) -> CertificateFacts:
    """Return the facts of a certificate in the form of ``ssl.SSLObject.getpeercert``; ``times_s``: begin and end."""
    names = (_normalized(value) for kind, value in decoded.get("subjectAltName", ()) if kind in _NAME_KINDS)
    return CertificateFacts(
        names=tuple(dict.fromkeys(names)),
        not_before_s=times_s[0],
        not_after_s=times_s[1],
        fingerprint=hashlib.sha256(der).hexdigest()[:16],
        pem=pem,
    )


def validity_problem(facts: CertificateFacts, now_s: float) -> str | None:
    """Return why no client accepts the certificate, and what to do, as the end of a sentence; None if it is valid."""
    if now_s < facts.not_before_s:
        return f"is not valid before {_minute(facts.not_before_s)}: check the clock of this machine"
    if now_s >= facts.not_after_s:
        return (
            f"expired on {_minute(facts.not_after_s)}: renew it, or serve HTTP without tls_cert and tls_key"
        )
    return None


def expiry_warning(facts: CertificateFacts, now_s: float) -> str | None:
    """Return a sentence if the certificate expires within 14 days, or has expired; None otherwise."""
    if now_s < facts.not_after_s - WARN_BEFORE_S:
        return None
    ends = "expires" if now_s < facts.not_after_s else "expired"
    return (
        f"The certificate of tls_cert {ends} on {_minute(facts.not_after_s)}: renew its file, which gglib then loads "
        "by itself."
    )


def is_for(names: Sequence[str], host: str) -> bool:
    """Whether a certificate with these names is for a host name or an address (RFC 9525 section 6)."""
    host = _normalized(host)
    _, _, parent = host.partition(".")
    return host in names or (not _is_address(host) and f"*.{parent}" in names)


def whole_names(names: Sequence[str]) -> list[str]:
    """Return the names of a certificate that another machine may use, without addresses and wildcards."""
    return [name for name in names if not (_is_address(name) or is_loopback(name) or name.startswith("*"))]


def client_url(local_url: str, names: Sequence[str] | None) -> str:
    """Return the URL that clients on this machine use, whose host has to be a name of the certificate.

    ``local_url`` is the address of the server on this machine; ``names`` are those of the certificate, None for HTTP.
    A certificate for other names gives a URL with the first of them, which has to lead to this machine
    (``whole_names``).
    """
    parts = urlsplit(local_url)
    host = parts.hostname or ""
    if names is None:
        return local_url
    candidates = [host, *(["localhost"] if is_loopback(host) else [])]
    fitting = [candidate for candidate in candidates if is_for(names, candidate)]
    fitting += whole_names(names)
    return http_url(fitting[0] if fitting else host, parts.port, scheme="https")


def pinned_endpoint(
    url: str, key: str | None, local_url: str, certificate: CertificateFacts | None
) -> Endpoint:
    """Return the URL and the key for gglib's own commands, which accept this certificate alone; None: HTTP."""
    pinned = None if certificate is None else PinnedAddress(local_url, certificate.pem)
    return Endpoint(url, key, pinned=pinned)


_NAME_KINDS = frozenset(("DNS", "IP Address"))


def _normalized(name: str) -> str:
    """Return a name in lower case, or an address in canonical form: OpenSSL writes ``0:0:0:0:0:0:0:1``."""
    try:
        return str(ipaddress.ip_address(name.strip()))
    except ValueError:
        return name.lower()


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _day(time_s: float) -> str:
    return f"{datetime.fromtimestamp(time_s, UTC):%Y-%m-%d}"


def _minute(time_s: float) -> str:
    return f"{datetime.fromtimestamp(time_s, UTC):%Y-%m-%d %H:%M} UTC"
