"""Translates transport errors of the HTTP client, and what a backend refuses gglib itself, into domain errors. Pure."""

from gglib.core.errors import (
    BackendUnreachableError,
    EngineUnreachableError,
    NodeLostError,
    UpstreamError,
    UpstreamStalledError,
)
from gglib.core.models import RunningTarget
from gglib.core.shell_quoting import quoted_command
from gglib.http.errors import ConnectError, StallError, TransportError
from gglib.http.response_reader import ResponseHead
from gglib.proxy.cluster.node_errors import check_node_head


def upstream_error(error: TransportError, target: RunningTarget) -> UpstreamError:
    """Return the domain error for a failed exchange with the engine of a model, or its server elsewhere."""
    if target.node is not None:
        is_stalled = isinstance(error, StallError)
        lost = NodeLostError(target.node, error.reason)
        return UpstreamStalledError(str(lost)) if is_stalled else lost
    if target.is_remote:
        sentence = f"The server of model '{target.model_name}', {target.base_url}, {error.reason}."
        if isinstance(error, ConnectError):
            return BackendUnreachableError(sentence)
        return UpstreamStalledError(sentence) if isinstance(error, StallError) else UpstreamError(sentence)
    if isinstance(error, ConnectError):
        return EngineUnreachableError(f"The engine of model '{target.model_name}' {error.reason}.")
    if isinstance(error, StallError):
        return UpstreamStalledError(f"The engine of model '{target.model_name}' {error.reason}.")
    return UpstreamError(f"The engine {error.reason}.")


def check_backend_head(head: ResponseHead, target: RunningTarget) -> None:
    """Raise ``UpstreamError`` for a status of a backend that concerns gglib, and would mislead its clients.

    ``check_node_head`` has those of nodes. Backends are the targets with a ``served_name``; others are llama.cpp's
    servers, which ``engine_errors`` knows. 401 is about the key between gglib and the backend, whose message may have a
    part of that key. A client that follows a redirect would leave gglib.
    """
    if target.node is not None:
        check_node_head(head, target.node)
        return
    status = head.status
    is_redirect = 300 <= status < 400
    if target.served_name is None or not (is_redirect or status == 401):
        return
    name = target.model_name
    if target.is_remote:
        server = f"The server of model '{name}', {target.base_url},"
        key = "requires a key" if target.bearer_key is None else "does not accept gglib's key"
        key_command = quoted_command("set", name, "--key-env", "NAME")
        url_command = quoted_command("set", name, "--url", "URL")
        refused = f"{key} (status 401): name the variable that has its key with {key_command}"
        moved = f"redirects to another address (status {status}): set that one with {url_command}"
    else:
        server = f"The command of model '{name}'"
        refused = "requires a key (status 401): add {key} or {key_file} to it"
        moved = f"redirects to another address (status {status}), and gglib does not follow"
    raise UpstreamError(f"{server} {moved if is_redirect else refused}.")
