"""Determines the server that a command uses: one that the user named, or the one of this home."""

import re
import socket
from collections.abc import Callable, Mapping
from contextlib import suppress
from urllib.parse import urlsplit

from gglib.app.settings.loading import PLAIN_HTTP_HOSTS_VARIABLE
from gglib.core.addresses import Endpoint, base_url, is_loopback
from gglib.core.errors import InvalidSettingError

CA_VARIABLE = "GGLIB_CA"
"""The default of ``--ca``."""
HOST_VARIABLE = "GGLIB_HOST"
"""Names a server for commands. For ``serve`` and ``up`` it is the address to listen on, as in Ollama."""
KEY_VARIABLE = "GGLIB_REMOTE_KEY"
"""The default of ``--key-env``. Not ``GGLIB_API_KEY``: it has the keys that a server on this machine accepts, and they
must not be sent to another machine."""
_KEY = re.compile(r"[!-~]+")
_ANY_ADDRESS = ("0.0.0.0", "::")  # noqa: S104 - compared, not bound


def find_remote(  # noqa: PLR0913 - the global options
    url: str | None,
    key_variable: str | None,
    environ: Mapping[str, str],
    *,
    listens: bool,
    ca_file: str | None = None,
    is_own_address: Callable[[str], bool] | None = None,
) -> Endpoint | None:
    """Return the server that the user named; None: the one of this home.

    ``url``, ``key_variable`` and ``ca_file`` are ``--url``, ``--key-env`` and ``--ca``. ``listens``: the command starts
    a server, so that ``GGLIB_HOST`` is its address. Raises ``InvalidSettingError``.
    """
    server = None
    if url is not None:
        server = server_url(url, source="--url")
    elif not listens and (host := environ.get(HOST_VARIABLE, "").strip()):
        server = _url_of_variable(host, is_own_address or is_address_of_this_machine)
    if server is None:
        for option, value in (("--key-env", key_variable), ("--ca", ca_file)):
            if value is not None:
                raise InvalidSettingError(
                    f"{option} is for a remote server: pass --url or set {HOST_VARIABLE}."
                )
        return None
    check_ca_address(server, ca_file)
    trusted = ca_file or environ.get(CA_VARIABLE) or None
    return Endpoint(server, _find_key(key_variable, environ), is_remote=True, ca_file=trusted)


def check_ca_address(url: str, ca_file: str | None) -> None:
    """Raise ``InvalidSettingError`` for certificates without TLS: the user believes that it is encrypted."""
    if ca_file is not None and url.startswith("http:"):
        raise InvalidSettingError(
            f"--ca is for an https:// address: write {url.replace('http:', 'https:', 1)}."
        )


def server_url(text: str, *, source: str) -> str:
    """Return the base URL of an address: ``box``, ``box:8080``, ``http://box:8080``, ``https://box``.

    Raises ``InvalidSettingError``, which names ``source`` and never shows a password.
    """
    try:
        return base_url(text)
    except ValueError as error:
        raise _address_error(source) from error


def plaintext_key_warning(server: Endpoint, environ: Mapping[str, str]) -> str | None:
    """Return the warning about a key that is sent over http to another machine; None if there is no reason.

    There is none for hosts that ``GGLIB_PLAIN_HTTP_HOSTS`` lists: their user trusts the network. ``environ`` has it.
    """
    parts = urlsplit(server.url)
    host = parts.hostname or ""
    if server.key is None or parts.scheme != "http" or is_loopback(host):
        return None
    listed = [
        name.strip().strip("[]").lower() for name in environ.get(PLAIN_HTTP_HOSTS_VARIABLE, "").split(",")
    ]
    if host in listed:
        return None
    return (
        f"Warning: the API key is sent to {server.url} without encryption: use an https:// address or an SSH tunnel, "
        f"or, if you trust the network, set {PLAIN_HTTP_HOSTS_VARIABLE}={','.join((*filter(None, listed), host))}."
    )


def is_address_of_this_machine(host: str) -> bool:
    """Whether a host name or address belongs to this machine. Resolves names."""
    with suppress(OSError, UnicodeError):
        family, _, _, _, address = socket.getaddrinfo(host, 0, type=socket.SOCK_DGRAM)[0]
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind(address)  # only own addresses can be bound; sends nothing
            return True
    return False


def _url_of_variable(host: str, is_own_address: Callable[[str], bool]) -> str | None:
    """Return the URL of ``GGLIB_HOST``; None for an address that a server of this machine listens on.

    An address to listen on has neither scheme nor port.
    """
    is_bare = "://" not in host and (":" not in host or _is_ipv6(host))
    if is_bare and (host in _ANY_ADDRESS or is_loopback(host) or is_own_address(host)):
        return None
    return server_url(host, source=HOST_VARIABLE)


def _is_ipv6(host: str) -> bool:
    return host.count(":") > 1 and not host.startswith("[")


def _find_key(variable: str | None, environ: Mapping[str, str]) -> str | None:
    key = environ.get(variable or KEY_VARIABLE, "")
    if not key:
        if variable is None:
            return None
        # The value is not shown: it may be the key itself.
        raise InvalidSettingError(
            "--key-env must be the name of an environment variable that has the key, not the key itself: no variable "
            "with this name is set."
        )
    if not _KEY.fullmatch(key):
        raise InvalidSettingError(
            f"The key in {variable or KEY_VARIABLE} must be visible ASCII characters without spaces."
        )
    return key


def _address_error(source: str) -> InvalidSettingError:
    return InvalidSettingError(
        f"{source} must be an address such as box, box:8080, http://box:8080 or https://box, "
        "with nothing after the port."
    )
