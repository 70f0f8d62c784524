"""huggingface_hub's HTTP, held to gglib's rules while gglib calls.

The library (2.4) has one client for the whole process, without a timeout; it tries five times with up to eight seconds
between, or for as long as ``Retry-After`` says; it writes warnings to the terminal, follows every redirect, and sends
the token to wherever a ``Link`` header points. Its documented ``set_client_factory`` takes another client. Ours
behaves as the library's own, except for calls inside ``calling``: those

- show a token to the endpoint's own origin only, whatever redirects and links say, and never go from https to http;
- end within ``TOTAL_S``, and take no more than ``LARGEST_ANSWER_BYTES``;
- end at once in ``FailedError``, which nothing of the library catches: what is tried again is decided in ``api``;
- say who they are, and nothing of the machine.

Importing this module imports the library, which takes a quarter of a second: not in the loop's thread.
"""

import os

# Read once, by the library's own import.
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
    STILL_WORK,
    Asked,
    refusal,
    retry_after_s,
)
from gglib.hf.transport.proxies import Proxy, proxy_for, unusable_proxy
from gglib.hf.transport.urls import read_address

__all__ = ["FailedError", "HFValidationError", "HfApi", "calling", "get_token"]

CONNECT_S = 10.0
SILENCE_S = 20.0
"""Between two pieces of an answer."""
TOTAL_S = 60.0
LARGEST_ANSWER_BYTES = 32 * 1024 * 1024
"""A listing of 100,000 files has about half of that."""
MOST_REDIRECTS = 5
USER_AGENT = "gglib"
_REDIRECTS = (301, 302, 303, 307, 308)
_KEPT_HEADERS = ("content-type", "link")
_DEFAULT_PORTS = {"http": 80, "https": 443}

_asked: ContextVar[Asked | None] = ContextVar("gglib_hub_asked", default=None)
_install_lock = threading.Lock()


class FailedError(Exception):
    """A call failed with ``error``; it may be tried again after ``wait_s``, at once where that is 0, never where None.

    No ``HubError`` itself, and none of the errors on which the library tries again.
    """

    def __init__(self, error: HubError, wait_s: float | None = None) -> None:
        super().__init__(str(error))
        self.error = error
        self.wait_s = wait_s


@contextmanager
def calling(asked: Asked) -> Iterator[None]:
    """Hold the library's calls in this thread to gglib's rules. What fails is a ``FailedError``."""
    try:
        proxy_for(read_address(asked.endpoint).origin)
    except HubError as error:
        raise FailedError(error) from error
    with _install_lock:
        try:
            _install()
        except (ValueError, ImportError) as error:  # of the client, which reads the environment's proxies
            text = "The proxies of the environment cannot be used: set https_proxy to http://HOST:PORT."
            raise FailedError(unusable_proxy() or HubError(text)) from error
    token = _asked.set(asked)
    try:
        yield
    finally:
        _asked.reset(token)


def _install() -> None:
    """Have the library use our client, unless it does: setting it anew would end calls that are under way."""
    if not isinstance(get_session(), _Client):
        huggingface_hub.set_client_factory(_Client)
        get_session()


class _Client(httpx2.Client):
    """The library's client for others, gglib's for gglib."""

    def __init__(self) -> None:
        super().__init__(event_hooks={"request": [_refuse_offline]}, follow_redirects=True, timeout=None)

    def send(self, request: httpx2.Request, **options: Any) -> httpx2.Response:  # noqa: ANN401 - the client's own
        """Send a request: as it is, or by gglib's rules."""
        asked = _asked.get()
        if asked is None:
            return super().send(request, **options)
        try:
            return self._send_by_the_rules(request, asked)
        except (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError, OSError, RuntimeError) as error:
            # RuntimeError: somebody else in the program closed the library's client meanwhile.
            raise _failed(error, asked, _proxy_for(request)) from error

    def _send_by_the_rules(self, request: httpx2.Request, asked: Asked) -> httpx2.Response:
        deadline = time.monotonic() + TOTAL_S
        for _ in range(MOST_REDIRECTS + 1):
            _prepare(request, asked)
            answer = super().send(request, stream=True, follow_redirects=False)
            try:
                body = _read(answer, deadline, asked)
            finally:
                answer.close()
            if answer.status_code not in _REDIRECTS:
                return _checked(answer, body, asked)
            request = _next(request, answer, asked)
        raise FailedError(HubError(f"The hub at {asked.host} leads in circles: check HF_ENDPOINT."))


def _refuse_offline(request: httpx2.Request) -> None:
    """Do what the library's own hook does."""
    if huggingface_hub.is_offline_mode():
        raise huggingface_hub.errors.OfflineModeIsEnabled(
            f"Cannot reach {request.url}: offline mode is enabled."
        )


def _prepare(request: httpx2.Request, asked: Asked) -> None:
    request.extensions["timeout"] = {
        "connect": CONNECT_S,
        "read": SILENCE_S,
        "write": SILENCE_S,
        "pool": SILENCE_S,
    }
    request.headers["User-Agent"] = USER_AGENT
    request.headers["Accept-Encoding"] = "gzip"
    if _origin(str(request.url)) != _origin(asked.endpoint):
        request.headers.pop("Authorization", None)
        request.headers.pop("Cookie", None)


def _origin(url: str) -> tuple[str, str, int]:
    parts = urlsplit(url)
    return parts.scheme, (parts.hostname or "").lower(), parts.port or _DEFAULT_PORTS.get(parts.scheme, 0)


def _read(answer: httpx2.Response, deadline: float, asked: Asked) -> bytes:
    """Return the body, unpacked: no piece of it may become larger than the rest of what is taken in."""
    unpack = _unpacking(answer.headers.get("content-encoding", ""), asked)
    body = bytearray()
    for piece in answer.iter_raw():
        body += unpack(piece, LARGEST_ANSWER_BYTES + 1 - len(body))
        if len(body) > LARGEST_ANSWER_BYTES:
            raise FailedError(HubError(f"The hub at {asked.host} answers without end: check HF_ENDPOINT."))
        if time.monotonic() > deadline:
            raise FailedError(
                HubUnreachableError(_unreachable_text(asked, f"took more than {TOTAL_S:.0f} s"))
            )
    return bytes(body)


def _unpacking(encoding: str, asked: Asked) -> Callable[[bytes, int], bytes]:
    """Return what unpacks a piece to at most so many bytes."""
    named = encoding.strip().lower()
    if named in {"", "identity"}:
        return lambda piece, _: piece
    unreadable = FailedError(
        HubError(f"The hub at {asked.host} answers what cannot be read: check HF_ENDPOINT.")
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


def _checked(answer: httpx2.Response, body: bytes, asked: Asked) -> httpx2.Response:
    """Return a good answer with what the library needs of it (and no warning of the hub's, which it would print)."""
    status = answer.status_code
    if status >= 300:  # noqa: PLR2004,RUF100 - neither good nor a redirect
        headers = {name.lower(): value for name, value in answer.headers.items()}
        error = refusal(status, headers, asked)
        raise FailedError(error, (retry_after_s(headers) or 0.0) if error.is_retryable else None)
    kept = {name: answer.headers[name] for name in _KEPT_HEADERS if name in answer.headers}
    return httpx2.Response(status, headers=kept, content=body, request=answer.request)


def _next(request: httpx2.Request, answer: httpx2.Response, asked: Asked) -> httpx2.Request:
    target = answer.next_request
    if target is None or target.url.scheme not in _DEFAULT_PORTS:
        raise FailedError(
            HubError(f"The hub at {asked.host} leads to no address of the web: check HF_ENDPOINT.")
        )
    if request.url.scheme == "https" and target.url.scheme == "http":
        raise FailedError(
            HubError(
                f"The hub at {asked.host} leads from https to http, where anybody may listen: check HF_ENDPOINT."
            )
        )
    return target


def _proxy_for(request: httpx2.Request) -> Proxy | None:
    """Return the proxy that the client asked; it reads the same variables."""
    try:
        return proxy_for(read_address(str(request.url)).origin)
    except HubError:
        return None


def _failed(error: Exception, asked: Asked, proxy: Proxy | None) -> FailedError:
    """Return what a failure of the network means for a person; only what broke off in the middle is tried again."""
    host = asked.host
    way = f"proxy {proxy.authority}" if proxy is not None else "proxy"
    if isinstance(error, huggingface_hub.errors.OfflineModeIsEnabled):
        text = (
            f"HF_HUB_OFFLINE or TRANSFORMERS_OFFLINE is set, so the hub at {host} is not asked: unset both; "
            f"{STILL_WORK}."
        )
    elif isinstance(error, httpx2.ProxyError):
        text = f"The {way} on the way to {host} fails ({_reason(error)}): check https_proxy; {STILL_WORK}."
    elif _is_about_trust(error):
        text = (
            f"No safe connection to the hub at {host} ({_reason(error)}): check the clock and HF_ENDPOINT, or set "
            "SSL_CERT_FILE to your organisation's certificates."
        )
    elif proxy is not None and isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout):
        what = "does not answer" if isinstance(error, httpx2.ConnectTimeout) else _reason(error)
        text = f"The {way} on the way to {host} cannot be reached ({what}): check https_proxy; {STILL_WORK}."
    elif isinstance(error, httpx2.TimeoutException):
        text = _unreachable_text(asked, "does not answer")
    elif isinstance(error, httpx2.ConnectError):
        text = _unreachable_text(asked, f"cannot be reached ({_reason(error)})")
    elif isinstance(error, httpx2.NetworkError | httpx2.RemoteProtocolError | RuntimeError):
        return FailedError(HubUnreachableError(_unreachable_text(asked, "broke off its answer")), 0.0)
    else:
        return FailedError(HubError(f"The hub at {host} answers what cannot be read: check HF_ENDPOINT."))
    return FailedError(HubUnreachableError(text))


def _unreachable_text(asked: Asked, what: str) -> str:
    return f"The hub at {asked.host} {what}: check the network; {STILL_WORK}."


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _is_about_trust(error: Exception) -> bool:
    return any(isinstance(one, ssl.SSLError) for one in _causes(error))


def _reason(error: Exception) -> str:
    """Return the system's own words, from as deep as they are."""
    texts = [one.strerror for one in _causes(error) if isinstance(one, OSError) and one.strerror]
    return str(texts[-1] if texts else error).strip(" .")
