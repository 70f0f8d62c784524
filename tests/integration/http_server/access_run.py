"""Sends requests with foreign host names and wrong keys over sockets, and collects the responses."""

import asyncio
import random
import string
from collections import Counter
from collections.abc import Iterable

from tests.integration.proxy.support import connect

from gglib.proxy.routes.table import ROUTES

KEY = "sk-the-right-one-0123456789"
HOSTILE_HOSTS = (
    "evil.example",
    "evil.example:8080",
    "localhost.evil.example",
    "127.0.0.1.evil.example",
    "127.0.0.1.nip.io",
    "evil-localhost",
    "xlocalhost",
    "localhostx",
    "localhost.",
    "localhost.localdomain",
    "LOCALHOST.EVIL.EXAMPLE",
    "sub.localhost.example",
    "127.1",
    "127.0.1",
    "127.0.0.1.",
    "127.000.000.001",
    "0127.0.0.1",
    "0x7f.0.0.1",
    "0x7f000001",
    "2130706433",
    "017700000001",
    "0.0.0.0",  # noqa: S104 - sent as a host name, not bound
    "0",
    "128.0.0.1",
    "126.255.255.255",
    "10.0.0.1",
    "192.168.1.7:8080",
    "169.254.169.254",
    "metadata.internal",
    "[::]",
    "[::2]",
    "[::ffff:127.0.0.1]",
    "[0:0:0:0:0:0:0:1]",
    "[fe80::1]",
    "[::1].evil.example",
    "user@localhost",
    "localhost@evil.example",
    "localhost:80@evil.example",
    "localhost:",
    "localhost:99999",
    "localhost:8080:8080",
    "localhost, evil.example",
    "localhost/evil",
    "localhost#evil",
    "loc%61lhost",
    "l\xf6calhost",
)
"""Host names of DNS rebinding, and of attempts at other spellings."""

_CODES_BY_STATUS = {400: "invalid_request", 401: "invalid_api_key", 403: "host_not_allowed"}
_CODES = {
    "permission_error": "host_not_allowed",
    "invalid_request_error": "invalid_request",
    "authentication_error": "invalid_api_key",
}

Refusal = tuple[int, str, str]
"""Status, code, and the parts of the response that must be the same in all refusals."""


def routes() -> list[tuple[str, str]]:
    """Return method and path of every route, and of unknown ones."""
    served = [(method, path) for path, methods in ROUTES.items() for method in methods]
    return [*served, ("GET", "/v1/models/tiny"), ("GET", "/no-such-path"), ("OPTIONS", "/v1/models")]


async def refusal(port: int, method: str, path: str, headers: Iterable[tuple[str, str]]) -> Refusal:
    """Send one request and return the response."""
    async with await connect(port) as client:
        await client.send(method, path, body=b"{}", headers=tuple(headers))
        reply = await client.read_reply()
    sorted_headers = sorted(
        (name, value) for name, value in reply.headers if name not in {"date", "x-request-id"}
    )
    if path.startswith("/v1/messages"):  # Anthropic's dialect has a type for each status, and no code
        content = reply.json()
        assert list(content) == ["type", "error", "request_id"]
        return reply.status, _CODES[content["error"]["type"]], f"{sorted_headers} {reply.body!r}"
    if path.startswith("/api/") and not path.startswith(
        ("/api/v0/", "/api/v1/")
    ):  # Ollama's has the text only
        content = reply.json()
        assert list(content) == ["error"]
        return reply.status, _CODES_BY_STATUS[reply.status], f"{sorted_headers} {reply.body!r}"
    return reply.status, str(reply.error["code"]), f"{sorted_headers} {reply.body!r}"


async def wrong_keys(port: int, count: int, *, seed: int, at_once: int = 8) -> Counter[Refusal]:
    """Send requests with nearly right and missing keys, and count the different refusals."""
    source = random.Random(seed)  # noqa: S311 - a test's choice
    seen: Counter[Refusal] = Counter()
    left = iter([wrong_key(source) for _ in range(count)])

    async def ask() -> None:
        for headers in left:
            seen[await refusal(port, "POST", "/v1/chat/completions", headers)] += 1

    await asyncio.gather(*(ask() for _ in range(at_once)))
    return seen


def wrong_key(source: random.Random) -> list[tuple[str, str]]:
    """Return headers without a right key, in one of several ways."""
    position = source.randrange(len(KEY))
    other = source.choice([c for c in string.ascii_letters + string.digits if c != KEY[position]])
    near = KEY[:position] + other + KEY[position + 1 :]
    anything = "".join(source.choices(string.ascii_letters + string.digits, k=source.randint(1, 64)))
    return source.choice(
        [
            [("Authorization", f"Bearer {near}")],
            [("Authorization", f"Bearer {anything}")],
            [("Authorization", f"Basic {KEY}")],
            [("Authorization", KEY)],
            [("Authorization", f"Bearer {KEY[:position]}")],
            [("Authorization", f"Bearer {KEY}{other}")],
            [("x-api-key", near)],
            [("x-api-key", KEY.swapcase())],
            [("x-api-key", "")],
            [("Authorization", f"Bearer {KEY}"), ("x-api-key", near)],
            [],
        ]
    )
