"""Which proxy the environment names for an address: ``https_proxy``, ``all_proxy``, ``no_proxy`` and their like."""

import base64
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

from gglib.core.errors import HubError
from gglib.hf.addresses import Origin


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy that speaks plain HTTP to us; what goes through a CONNECT is encrypted inside."""

    host: str
    port: int
    authorization: str | None = field(default=None, repr=False)


def proxy_for(origin: Origin) -> Proxy | None:
    """Return the proxy for an address, None to go there directly."""
    proxies = getproxies()
    url = proxies.get(origin.scheme) or proxies.get("all")
    if not url or proxy_bypass(f"{origin.host}:{origin.port}") or proxy_bypass(origin.host):
        return None
    return read_proxy(url)


def read_proxy(url: str) -> Proxy:
    """Return the proxy that a variable's value names. Raises ``HubError``, which never shows the password."""
    parts = urlsplit(url if "://" in url else f"http://{url}")
    try:
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if parts.scheme.lower() != "http" or not host:
        raise HubError(
            f"The environment names a proxy that gglib cannot use ({parts.scheme}://…): "
            "set https_proxy to an address that begins with http://, or unset it."
        )
    authorization = None
    if parts.username is not None:
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        authorization = "Basic " + base64.b64encode(pair.encode()).decode()
    return Proxy(host, port or 80, authorization)
