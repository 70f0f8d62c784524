"""Which proxy the environment sets for an address: ``https_proxy``, ``all_proxy``, ``no_proxy`` and so on."""

import base64
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

from gglib.core.errors import HubError
from gglib.core.file_names import shown
from gglib.hf.transport.urls import Origin


@dataclass(frozen=True, slots=True)
class Proxy:
    """An HTTP proxy that is reached without TLS; https requests go through an encrypted CONNECT tunnel."""

    host: str
    port: int
    authorization: str | None = field(default=None, repr=False)

    @property
    def authority(self) -> str:
        """Host and port, for messages."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def proxy_for(origin: Origin) -> Proxy | None:
    """Return the proxy for an address, None for a direct connection."""
    proxies = getproxies()
    url = proxies.get(origin.scheme) or proxies.get("all")
    if not url or proxy_bypass(f"{origin.host}:{origin.port}") or proxy_bypass(origin.host):
        return None
    return parse_proxy(url)


def parse_proxy(url: str) -> Proxy:
    """Return the proxy that a variable names. Raises ``HubError``, which never contains the password."""
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        host, port = parts.hostname, parts.port
        is_usable = parts.scheme.lower() == "http" and bool(host)
    except ValueError:
        is_usable = False
    if not is_usable or not host:
        raise HubError(
            f"The environment sets a proxy that gglib cannot use ({_harmless(url)}): "
            "set https_proxy to an address that begins with http://, or unset it."
        )
    authorization = None
    if parts.username is not None:
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        authorization = "Basic " + base64.b64encode(pair.encode()).decode()
    return Proxy(host, port or 80, authorization)


def unusable_proxy() -> HubError | None:
    """Return the error of the first invalid proxy in the environment, whatever its scheme; None if there is none."""
    proxies = getproxies()
    for name in ("https", "http", "all"):
        try:
            if proxies.get(name):
                parse_proxy(proxies[name])
        except HubError as error:
            return error
    return None


def _harmless(url: str) -> str:
    """Return a proxy's address without user name and password."""
    scheme, mark, rest = url.rpartition("://")
    return shown(f"{scheme}{mark}{rest.rpartition('@')[2]}")
