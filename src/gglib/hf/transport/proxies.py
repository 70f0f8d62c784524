"""Which proxy the environment names for an address: ``https_proxy``, ``all_proxy``, ``no_proxy`` and their like."""

import base64
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

from gglib.core.errors import HubError
from gglib.core.file_names import shown
from gglib.hf.transport.urls import Origin


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy that speaks plain HTTP to us; what goes through a CONNECT is encrypted inside."""

    host: str
    port: int
    authorization: str | None = field(default=None, repr=False)

    @property
    def authority(self) -> str:
        """Host and port, fit for a message."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def proxy_for(origin: Origin) -> Proxy | None:
    """Return the proxy for an address, None to go there directly."""
    proxies = getproxies()
    url = proxies.get(origin.scheme) or proxies.get("all")
    if not url or proxy_bypass(f"{origin.host}:{origin.port}") or proxy_bypass(origin.host):
        return None
    return read_proxy(url)


def read_proxy(url: str) -> Proxy:
    """Return the proxy that a variable's value names. Raises ``HubError``, which never shows the password."""
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        host, port = parts.hostname, parts.port
        is_usable = parts.scheme.lower() == "http" and bool(host)
    except ValueError:
        is_usable = False
    if not is_usable or not host:
        raise HubError(
            f"The environment names a proxy that gglib cannot use ({_harmless(url)}): "
            "set https_proxy to an address that begins with http://, or unset it."
        )
    authorization = None
    if parts.username is not None:
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        authorization = "Basic " + base64.b64encode(pair.encode()).decode()
    return Proxy(host, port or 80, authorization)


def unusable_proxy() -> HubError | None:
    """Return what is wrong with the environment's proxies, whatever they are for; None where nothing is."""
    proxies = getproxies()
    for name in ("https", "http", "all"):
        try:
            if proxies.get(name):
                read_proxy(proxies[name])
        except HubError as error:
            return error
    return None


def _harmless(url: str) -> str:
    """Return a proxy's address without a name and a password."""
    scheme, mark, rest = url.rpartition("://")
    return shown(f"{scheme}{mark}{rest.rpartition('@')[2]}")
