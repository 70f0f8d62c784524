"""Web addresses, and the rules for following them. Pure.

An address that a user types, or that a server redirects to, is not trusted: only http and https, no credentials, and
never from https back to http.
"""

import re
from dataclasses import dataclass
from urllib.parse import quote, unquote, urljoin, urlsplit

from gglib.core.errors import HubError
from gglib.core.file_names import shown

_PORTS = {"http": 80, "https": 443}
_UNFIT = re.compile(r"[\x00-\x20\x7f]")
"""Would break a request line. A space must be percent-encoded already."""


@dataclass(frozen=True, slots=True)
class Origin:
    """The server of an address: scheme, host and port."""

    scheme: str
    host: str
    port: int

    @property
    def authority(self) -> str:
        """Host and, unless it is the scheme's own, port: the value of a Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Address:
    """An http or https address, parsed."""

    origin: Origin
    target: str
    """Path and query, as they stand in a request line."""

    def __str__(self) -> str:
        """Return the address without its query, which may be a signature: safe in a message."""
        return f"{self.origin.scheme}://{self.origin.authority}{self.path}"

    @property
    def url(self) -> str:
        """The whole address, with its query."""
        return f"{self.origin.scheme}://{self.origin.authority}{self.target}"

    @property
    def path(self) -> str:
        """The path alone, still percent-encoded."""
        return self.target.split("?", 1)[0]


@dataclass(frozen=True, slots=True)
class HubLocation:
    """The file that an address of the hub names: a repository at a branch, tag or commit."""

    repo: str
    revision: str
    name: str


def parse_address(url: str) -> Address:
    """Parse an address. Raises ``HubError``, whose message never contains credentials."""
    if _UNFIT.search(url):
        raise HubError("An address must not contain blanks or control characters: write a blank as %20.")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise HubError("This is not an address: it should look like https://host/path/FILE.gguf.") from None
    scheme = parts.scheme.lower()
    if scheme not in _PORTS:
        raise HubError(f"Only http and https addresses can be fetched, not '{scheme[:20]}'.")
    if parts.username is not None or parts.password is not None:
        raise HubError(f"The address for {parts.hostname} contains a user name or password: remove it.")
    if not parts.hostname:
        raise HubError("The address names no host: it should look like https://host/path/FILE.gguf.")
    origin = Origin(scheme, parts.hostname.lower(), _PORTS[scheme] if port is None else port)
    path = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~-._")
    query = quote(parts.query, safe="/%:@!$&'()*+,;=~-._?")
    return Address(origin, f"{path}?{query}" if query else path)


def parse_endpoint(text: str) -> Address:
    """Parse the address of a hub. Raises ``HubError``, which names the variable to correct."""
    try:
        address = parse_address(text)
    except HubError:
        address = None
    if address is not None and address.origin.port and "?" not in address.target:
        return address
    # Before an @ there may be a password.
    problem = "contains a user name or password, or" if "@" in text else f"is '{shown(text)}', which"
    raise HubError(
        f"HF_ENDPOINT {problem} is not a hub address: set it to one like https://huggingface.co, or unset it."
    )


def resolve_redirect(current: Address, location: str) -> Address:
    """Return the target of a redirect. Raises ``HubError`` for one that must not be followed."""
    try:
        following = parse_address(urljoin(current.url, location))
    except ValueError:
        raise HubError(f"{current.origin.authority} redirects to an invalid address.") from None
    if current.origin.scheme == "https" and following.origin.scheme == "http":
        raise HubError(
            f"{current.origin.authority} redirects from https to plain http, which gglib refuses: "
            "the file could be changed on its way."
        )
    return following


def file_address(endpoint: str, repo: str, revision: str, name: str) -> Address:
    """Return the hub's address of a file; source: ``HUGGINGFACE_CO_URL_TEMPLATE`` of huggingface_hub."""
    path = f"{quote(repo, safe='/')}/resolve/{quote(revision, safe='')}/{quote(name, safe='/')}"
    return parse_address(f"{endpoint.rstrip('/')}/{path}")


def hub_location(address: Address, endpoint: Address) -> HubLocation | None:
    """Return the repository file that an address names, None if it is not a file of this hub.

    The forms are ``{endpoint}/{owner}/{name}/(resolve|blob)/{revision}/{path}``; a slash in a branch is written %2F.
    """
    base = endpoint.path.rstrip("/")
    if address.origin != endpoint.origin or not address.path.startswith(base + "/"):
        return None
    match address.path.removeprefix(base + "/").split("/"):
        case [owner, name, "resolve" | "blob", revision, *path] if (
            all((owner, name, revision, *path)) and path
        ):
            file = "/".join(unquote(part) for part in path)
            return HubLocation(f"{unquote(owner)}/{unquote(name)}", unquote(revision), file)
    return None


def file_name(address: Address) -> str:
    """Return the decoded last part of the path; empty if the path ends with a slash."""
    return unquote(address.path.rsplit("/", 1)[-1])
