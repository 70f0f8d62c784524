"""Restricts huggingface_hub's HTTP client while gglib calls the library.

The library (2.4) has one client for the whole process, without a timeout; it makes five attempts with up to eight
seconds between, or waits as long as ``Retry-After`` says; it prints warnings to the terminal, follows every redirect,
and sends the token to any host that a ``Link`` header names. Its documented ``set_client_factory`` replaces the client.
Ours behaves like the library's own, except for calls inside ``guarded``, which:

- send a token to the endpoint's own origin only, whatever redirects and links say, and never go from https to http;
- end within ``TOTAL_TIMEOUT_S``, and read at most ``MAX_RESPONSE_BYTES``;
- fail at once with ``CallFailedError``, which the library does not catch: ``api`` decides about retries;
- identify themselves as gglib and send no data about the machine.

Importing this module imports the library, which takes a quarter of a second: not in the loop's thread.
"""

import os

# Read once, when the library is imported.
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")

import ssl
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any
from urllib.parse import urlsplit

import httpx2
import huggingface_hub
from huggingface_hub import HfApi, get_session, get_token
from huggingface_hub.errors import HFValidationError

from gglib.core.errors import HubError, HubUnreachableError
from gglib.hf.api_errors import (
    LOCAL_MODELS_HINT,
    HubRequest,
    error_for,
    retry_after_s,
)
from gglib.hf.transport.proxies import Proxy, proxy_for, unusable_proxy
from gglib.hf.transport.urls import parse_address

__all__ = ["CallFailedError", "HFValidationError", "HfApi", "get_token", "guarded"]

CONNECT_TIMEOUT_S = 10.0
READ_TIMEOUT_S = 20.0
"""Between two pieces of a response."""
TOTAL_TIMEOUT_S = 60.0
MAX_RESPONSE_BYTES = 32 * 1024 * 1024
"""A listing of 100,000 files takes about half of that."""
MAX_REDIRECTS = 5
USER_AGENT = "gglib"
_REDIRECTS = (301, 302, 303, 307, 308)
_KEPT_HEADERS = ("content-type", "link")
_DEFAULT_PORTS = {"http": 80, "https": 443}

_hub_request: ContextVar[HubRequest | None] = ContextVar("gglib_hub_hub_request", default=None)
_install_lock = threading.Lock()


class CallFailedError(Exception):
    """A call failed with ``error``. A retry is possible after ``wait_s`` seconds (0: at once; None: never).

    Neither a ``HubError`` nor any of the errors on which the library retries.
    """

    def __init__(self, error: HubError, wait_s: float | None = None) -> None:
        super().__init__(str(error))
        self.error = error
        self.wait_s = wait_s


@contextmanager
def guarded(hub_request: HubRequest) -> Iterator[None]:
    """Apply gglib's restrictions to the library's calls in this thread. Failures raise ``CallFailedError``."""
    try:
        proxy_for(parse_address(hub_request.endpoint).origin)
    except HubError as error:
        raise CallFailedError(error) from error
    with _install_lock:
        try:
            _install()
        except (
            ValueError,
            ImportError,
        ) as error:  # of the client, which reads the proxies of the environment
            text = "The proxies of the environment cannot be used: set https_proxy to http://HOST:PORT."
            raise CallFailedError(unusable_proxy() or HubError(text)) from error
    token = _hub_request.set(hub_request)
    try:
        yield
    finally:
        _hub_request.reset(token)


def _install() -> None:
    """Install our client in the library unless it is installed: replacing it would abort calls in flight."""
    if not isinstance(get_session(), _Client):
        huggingface_hub.set_client_factory(_Client)
        get_session()


class _Client(httpx2.Client):
    """The library's own behaviour for other callers, the restricted behaviour for gglib."""

    def __init__(self) -> None:
        super().__init__(event_hooks={"request": [_refuse_offline]}, follow_redirects=True, timeout=None)

    def send(self, request: httpx2.Request, **options: Any) -> httpx2.Response:  # noqa: ANN401 - the client's own
        """Send a request: restricted inside ``guarded``, else as the library does."""
        hub_request = _hub_request.get()
        if hub_request is None:
            return super().send(request, **options)
        try:
            return self._send_guarded(request, hub_request)
        except (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError, OSError, RuntimeError) as error:
            # RuntimeError: other code in the program closed the library's client meanwhile.
            raise _call_error(error, hub_request, _proxy_for(request)) from error

    def _send_guarded(self, request: httpx2.Request, hub_request: HubRequest) -> httpx2.Response:
        deadline = time.monotonic() + TOTAL_TIMEOUT_S
        for _ in range(MAX_REDIRECTS + 1):
            _prepare(request, hub_request)
            response = super().send(request, stream=True, follow_redirects=False)
            try:
                body = _read(response, deadline, hub_request)
            finally:
                response.close()
            if response.status_code not in _REDIRECTS:
                return _validated(response, body, hub_request)
            request = _redirected(request, response, hub_request)
        raise CallFailedError(
            HubError(f"The hub at {hub_request.host} redirects in a loop: check HF_ENDPOINT.")
        )


def _refuse_offline(request: httpx2.Request) -> None:
    """Do what the library's own hook does."""
    if huggingface_hub.is_offline_mode():
        raise huggingface_hub.errors.OfflineModeIsEnabled(
            f"Cannot reach {request.url}: offline mode is enabled."
        )


def _prepare(request: httpx2.Request, hub_request: HubRequest) -> None:
    request.extensions["timeout"] = {
        "connect": CONNECT_TIMEOUT_S,
        "read": READ_TIMEOUT_S,
        "write": READ_TIMEOUT_S,
        "pool": READ_TIMEOUT_S,
    }
    request.headers["User-Agent"] = USER_AGENT
    request.headers["Accept-Encoding"] = "gzip"
    if _origin(str(request.url)) != _origin(hub_request.endpoint):
        request.headers.pop("Authorization", None)
        request.headers.pop("Cookie", None)


def _origin(url: str) -> tuple[str, str, int]:
    parts = urlsplit(url)
    return parts.scheme, (parts.hostname or "").lower(), parts.port or _DEFAULT_PORTS.get(parts.scheme, 0)


def _read(response: httpx2.Response, deadline: float, hub_request: HubRequest) -> bytes:
    """Return the decoded body: no piece may decompress to more than the rest of the limit."""
    unpack = _decoder(response.headers.get("content-encoding", ""), hub_request)
    body = bytearray()
    for piece in response.iter_raw():
        body += unpack(piece, MAX_RESPONSE_BYTES + 1 - len(body))
        if len(body) > MAX_RESPONSE_BYTES:
            raise CallFailedError(
                HubError(
                    f"The hub at {hub_request.host} sent a response that is too large: check HF_ENDPOINT."
                )
            )
        if time.monotonic() > deadline:
            raise CallFailedError(
                HubUnreachableError(_unreachable_text(hub_request, f"took more than {TOTAL_TIMEOUT_S:.0f} s"))
            )
    return bytes(body)


def _decoder(encoding: str, hub_request: HubRequest) -> Callable[[bytes, int], bytes]:
    """Return a function that decodes a piece to at most the given number of bytes."""
    named = encoding.strip().lower()
    if named in {"", "identity"}:
        return lambda piece, _: piece
    unreadable = CallFailedError(
        HubError(f"The hub at {hub_request.host} answers what cannot be read: check HF_ENDPOINT.")
    )
    if named not in {"gzip", "x-gzip"}:
        raise unreadable
    gzip = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)

    def unpack(piece: bytes, most_bytes: int) -> bytes:
        try:
            return gzip.decompress(piece, most_bytes)
        except zlib.error as error:
            raise unreadable from error

    return unpack


def _validated(response: httpx2.Response, body: bytes, hub_request: HubRequest) -> httpx2.Response:
    """Return a successful response with only the headers that the library needs.

    Warnings of the hub are dropped: the library would print them.
    """
    status = response.status_code
    if status >= 300:  # noqa: PLR2004,RUF100 - neither good nor a redirect
        headers = {name.lower(): value for name, value in response.headers.items()}
        error = error_for(status, headers, hub_request)
        raise CallFailedError(error, (retry_after_s(headers) or 0.0) if error.is_retryable else None)
    kept = {name: response.headers[name] for name in _KEPT_HEADERS if name in response.headers}
    return httpx2.Response(status, headers=kept, content=body, request=response.request)


def _redirected(
    request: httpx2.Request, response: httpx2.Response, hub_request: HubRequest
) -> httpx2.Request:
    target = response.next_request
    if target is None or target.url.scheme not in _DEFAULT_PORTS:
        raise CallFailedError(
            HubError(f"The hub at {hub_request.host} redirects to an invalid address: check HF_ENDPOINT.")
        )
    if request.url.scheme == "https" and target.url.scheme == "http":
        raise CallFailedError(
            HubError(f"The hub at {hub_request.host} redirects from https to plain http: check HF_ENDPOINT.")
        )
    return target


def _proxy_for(request: httpx2.Request) -> Proxy | None:
    """Return the proxy that the client used; it reads the same variables."""
    try:
        return proxy_for(parse_address(str(request.url)).origin)
    except HubError:
        return None


def _call_error(error: Exception, hub_request: HubRequest, proxy: Proxy | None) -> CallFailedError:
    """Return the error of a network failure, in words for the user; only an aborted response is retried."""
    host = hub_request.host
    name = f"proxy {proxy.authority}" if proxy is not None else "proxy"
    if isinstance(error, huggingface_hub.errors.OfflineModeIsEnabled):
        text = (
            f"HF_HUB_OFFLINE or TRANSFORMERS_OFFLINE is set, so the hub at {host} is not hub_request: unset both; "
            f"{LOCAL_MODELS_HINT}."
        )
    elif isinstance(error, httpx2.ProxyError):
        text = f"The {name} to {host} failed ({_reason(error)}): check https_proxy; {LOCAL_MODELS_HINT}."
    elif _is_certificate_error(error):
        text = (
            f"No secure connection to the hub at {host} ({_reason(error)}): check the clock and HF_ENDPOINT, or set "
            "SSL_CERT_FILE to your organisation's certificates."
        )
    elif proxy is not None and isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout):
        what = "does not answer" if isinstance(error, httpx2.ConnectTimeout) else _reason(error)
        text = f"The {name} to {host} cannot be reached ({what}): check https_proxy; {LOCAL_MODELS_HINT}."
    elif isinstance(error, httpx2.TimeoutException):
        text = _unreachable_text(hub_request, "does not answer")
    elif isinstance(error, httpx2.ConnectError):
        text = _unreachable_text(hub_request, f"cannot be reached ({_reason(error)})")
    elif isinstance(error, httpx2.NetworkError | httpx2.RemoteProtocolError | RuntimeError):
        return CallFailedError(
            HubUnreachableError(_unreachable_text(hub_request, "closed the connection during its response")),
            0.0,
        )
    else:
        return CallFailedError(HubError(f"The hub at {host} answers what cannot be read: check HF_ENDPOINT."))
    return CallFailedError(HubUnreachableError(text))


def _unreachable_text(hub_request: HubRequest, what: str) -> str:
    return f"The hub at {hub_request.host} {what}: check the network; {LOCAL_MODELS_HINT}."


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _is_certificate_error(error: Exception) -> bool:
    return any(isinstance(cause, ssl.SSLError) for cause in _causes(error))


def _reason(error: Exception) -> str:
    """Return the operating system's message, from the innermost cause."""
    texts = [cause.strerror for cause in _causes(error) if isinstance(cause, OSError) and cause.strerror]
    return str(texts[-1] if texts else error).strip(" .")
