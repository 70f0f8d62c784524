"""Explains failures of requests to a remote gglib, one sentence each. Pure."""

import json

from gglib.cli.chat.response import error_message
from gglib.core.addresses import Endpoint
from gglib.core.errors import GglibError, UpstreamError
from gglib.http.client.one_shot import OneShotRequest
from gglib.http.errors import ConnectError, TlsError, TlsFault

UNAUTHORIZED, FORBIDDEN, NOT_FOUND = 401, 403, 404
_GATEWAY_ERRORS = {502, 503, 504}
"""Statuses of a reverse proxy that does not reach its server."""
_NO_SUCH_ROUTE = {(NOT_FOUND, "not_found"), (405, "method_not_allowed")}
"""Status and code of the errors of a gglib without the route."""


def unreachable(server: Endpoint, error: ConnectError) -> UpstreamError:
    """Return the error for a server to which no connection could be opened."""
    cause = error.__cause__
    if isinstance(error, TlsError):
        return UpstreamError(f"{server.url} {error.reason}: {_TLS_ADVICE[error.fault]}.")
    why = cause.strerror if isinstance(cause, OSError) and cause.strerror else "no connection"
    return UpstreamError(
        f"{server.url} cannot be reached ({why}): check the address, and that gglib listens there for other machines."
    )


_TLS_ADVICE = {
    TlsFault.UNTRUSTED: "--ca FILE trusts the certificate in FILE, that of the server or of its authority",
    TlsFault.EXPIRED: "renew it on that machine",
    TlsFault.NOT_YET_VALID: "check the clocks of both machines",
    TlsFault.WRONG_NAME: "use a name or an address that it is for",
    TlsFault.NOT_TLS: "try an http:// address",
    TlsFault.OTHER: "'gglib logs' on that machine has the reason with log_level = \"debug\"",
}


def remote_refusal(
    server: Endpoint, request: OneShotRequest, status: int, body: bytes, location: bytes | None
) -> GglibError:
    """Return the error for a response that is no success, or no JSON."""
    message = error_message(body)
    if message is not None:
        message = next(iter(message.splitlines()), "")  # the engine's last log lines may follow
    operation = describe(request)
    if status == UNAUTHORIZED:
        if server.key is None:
            advice = "requires an API key: set GGLIB_REMOTE_KEY, or name another variable with --key-env"
        else:
            advice = (
                "refused the API key: check GGLIB_REMOTE_KEY, or name another variable with --key-env; on that machine "
                "'gglib key new NAME' makes a key"
            )
        text = f"{server.url} {advice}."
    elif status == FORBIDDEN:
        text = f"{server.url} refused {operation}: {message or 'the key may not do this'}"
    elif location is not None and 300 <= status < 400:
        text = (
            f"{server.url} redirects to {location.decode('latin-1')}: use the address of the server itself."
        )
    elif is_missing_route(status, body):
        text = f"gglib at {server.url} has no {operation}: update it to use this command."
    elif message is None or _code(body) is None:
        behind = ", and that gglib runs behind it" if status in _GATEWAY_ERRORS else ""
        text = (
            f"{server.url} is not a gglib server ({operation} returned status {status} without gglib's JSON): check "
            f"the address{behind}."
        )
    else:
        text = message or f"{server.url} returned status {status} without a message."
    return GglibError(text)


def is_missing_route(status: int, body: bytes) -> bool:
    """Whether the response is that of a gglib without the route: an older one."""
    return (status, _code(body)) in _NO_SUCH_ROUTE


def local_refusal(server: Endpoint, request: OneShotRequest, status: int, body: bytes) -> GglibError | None:
    """Return the error of the server of this home if it is older than this command; None for other responses."""
    if not is_missing_route(status, body):
        return None
    return GglibError(
        f"gglib at {server.url} is an older version without {describe(request)}: restart it with 'gglib stop --server' "
        "and 'gglib serve'."
    )


def describe(request: OneShotRequest) -> str:
    """Return the method and the path of a request, without its query."""
    return f"{request.method.decode()} {request.path.decode().partition('?')[0]}"


def _code(body: bytes) -> str | None:
    """Return the code of a gglib error; None for other bodies. llama-server has numbers there."""
    try:
        code = json.loads(body)["error"]["code"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return code if isinstance(code, str) else None
