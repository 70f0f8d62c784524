"""Describes the addresses under which other machines reach the server (``serve``, ``up``). Pure."""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass

from gglib.app.certificates.facts import is_for, whole_names
from gglib.core.addresses import http_url, is_loopback

ALL_IPV4, ALL_IPV6 = "0.0.0.0", "::"  # noqa: S104 - compared, not bound
LABEL = "Network"


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """How other machines may name this one."""

    addresses: Sequence[str] = ()
    name: str | None = None
    """Without a domain; None: it has none."""


def address_lines(  # noqa: PLR0913 - two facts of the settings, one of the machine, one of the certificate
    host: str,
    port: int,
    machine: Machine,
    *,
    allowed_hosts: Sequence[str],
    has_keys: bool,
    certificate_names: Sequence[str] | None = None,
) -> list[str]:
    """Return the URLs for other machines, and what their clients need; nothing for a server on loopback.

    ``host`` is the setting. A request with a valid key may use any name; others, such as that of a browser for the
    page, only names in ``allowed_hosts``. ``certificate_names`` are those of a server with HTTPS, which clients have to
    use; None: HTTP.
    """
    if is_loopback(host):
        return []
    names = [name for name in allowed_hosts if not _is_address(name)]
    hosts = [*_hosts(host, machine.addresses), *names]
    scheme = "http"
    if certificate_names is not None:
        names, scheme = whole_names(certificate_names), "https"
        hosts = [*(name for name in hosts if is_for(certificate_names, name)), *names]
    urls = [http_url(name, port, scheme=scheme) for name in dict.fromkeys(hosts)]
    lines = [f"{LABEL if index == 0 else '':<9}{url}" for index, url in enumerate(urls)]
    if not urls and certificate_names is not None:
        lines = [f"{LABEL:<9}none: the certificate is for {', '.join(certificate_names) or 'no name'}"]
    elif not urls:
        lines = [f"{LABEL:<9}no address for other machines was found: is the network up?"]
    if has_keys:
        lines.append(
            f"{'':<9}Clients need a key: 'gglib key list' shows their names, 'gglib key new NAME' makes another."
        )
    listens_everywhere = host in {ALL_IPV4, ALL_IPV6} and certificate_names is None
    if machine.name is not None and listens_everywhere and not _covers(names, machine.name):
        lines.append(f"{'':<9}{_name_hint(machine.name, allowed_hosts, has_keys=has_keys)}")
    return lines


def _hosts(host: str, addresses: Sequence[str]) -> list[str]:
    """Return the addresses that the server listens on; those of IPv4 for all of IPv4, both kinds for ``::``."""
    if host == ALL_IPV4:
        return [address for address in addresses if ":" not in address]
    return list(addresses) if host == ALL_IPV6 else [host]


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _covers(names: Sequence[str], machine: str) -> bool:
    return any(name.lower() in {machine, f"{machine}.local"} for name in names)


def _name_hint(machine: str, allowed_hosts: Sequence[str], *, has_keys: bool) -> str:
    allowed = ",".join((*allowed_hosts, machine, f"{machine}.local"))
    clients = "browsers" if has_keys else "clients"
    return f"To let {clients} use the name '{machine}': 'gglib config set allowed_hosts {allowed}'."
