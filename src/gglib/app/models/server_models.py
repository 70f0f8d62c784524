"""Asks a server elsewhere which models it has, as ``GET /v1/models`` lists them."""

import asyncio
import os
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from gglib.core.backends import UrlBackend, key_of
from gglib.http.client.connect import ServerAddress
from gglib.http.client.one_shot import OneShotRequest, request_once
from gglib.http.client.tls import CaFileError, context_for
from gglib.http.errors import TooManyConnectionsError, TransportError
from gglib.system.files.small_files import parse_json

TIMEOUT_S = 10.0
MAX_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class ServerModels:
    """The models of a server, or why they are unknown."""

    names: tuple[str, ...] = ()
    problem: str | None = None
    """Why the server could not be asked, completing "The server ..."; None if it answered."""
    has_responded: bool = False
    """Whether it responded, with a list or with something else."""


async def list_server_models(backend: UrlBackend) -> ServerModels:
    """Return the models of a server. It is asked with its key, if the variable is set in this process."""
    parts = urlsplit(backend.base_url)
    try:
        key = key_of(backend, os.environ)
    except ValueError:
        return ServerModels(problem=f"was not asked: {backend.key_env} has a value that cannot be a key")
    address = ServerAddress(f"{parts.scheme}://{parts.netloc}", bearer_key=key, ca_file=backend.ca_file)
    request = OneShotRequest(b"GET", f"{parts.path}/models".encode(), b"accept: application/json\r\n")
    try:
        async with asyncio.timeout(TIMEOUT_S):
            names = await _ask(address, request)
    except _UnusableListError as error:
        return ServerModels(problem=str(error), has_responded=True)
    except (TransportError, CaFileError) as error:
        reason = error.reason if isinstance(error, TransportError) else f"cannot be verified: {error}"
        return ServerModels(problem=reason)
    except TooManyConnectionsError as error:
        return ServerModels(problem=f"was not asked: {error}")
    except TimeoutError:
        return ServerModels(problem=f"does not respond within {TIMEOUT_S:.0f} s")
    return ServerModels(names, has_responded=True)


class _UnusableListError(Exception):
    """The response is not a list of models; the message completes "The server ..."."""


async def _ask(address: ServerAddress, request: OneShotRequest) -> tuple[str, ...]:
    path = request.path.decode()
    is_tls = address.base_url.startswith("https:")
    tls = await asyncio.to_thread(context_for, address.ca_file) if is_tls else None
    async with request_once(address, request, connect_timeout_s=TIMEOUT_S, tls=tls) as upstream:
        if upstream.head.status != 200:
            raise _UnusableListError(f"responds to {path} with status {upstream.head.status}")
        body = b""
        async for part in upstream:
            body += part
            if len(body) > MAX_BYTES:
                raise _UnusableListError("lists more models than gglib reads")
    names = _names(body)
    if names is None:
        raise _UnusableListError(f"has no list of models at {path}")
    return names


def _names(body: bytes) -> tuple[str, ...] | None:
    """Return the ids of a list in OpenAI's form; None for anything else."""
    try:
        listed: Any = parse_json(body)["data"]
        return tuple(name for item in listed if isinstance(name := item["id"], str) and name)
    except (ValueError, LookupError, TypeError):
        return None
