"""The web page over real sockets: ``/`` and its files."""

import gzip
import re
from typing import Any

import pytest

from gglib.proxy import LiveOptions, ProxyOptions
from gglib.proxy.web.reading import read_page
from gglib.testing import FakeRuntime

from .support import Reply, ask, connect, proxy_running

BROWSER = ("Accept", "text/html,application/xhtml+xml,*/*;q=0.8")
GZIP = ("Accept-Encoding", "gzip, deflate, br")
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; "
    "trusted-types 'none'"
)
SECURITY = {
    "x-content-type-options": ["nosniff"],
    "referrer-policy": ["no-referrer"],
    "cross-origin-opener-policy": ["same-origin"],
    "cross-origin-resource-policy": ["same-origin"],
    "content-security-policy": [POLICY],
}
ADMIN = "/gglib/status"


def url_of(path: str) -> str:
    """Return the URL of a file of the page."""
    return f"/web/{read_page().revision}/{path}"


def running(**options: Any) -> Any:
    """Return a proxy with the abstract methods of the ports alone: no library and no history."""
    return proxy_running(FakeRuntime(), options=ProxyOptions(**options))


def security_of(reply: Reply) -> dict[str, list[str]]:
    """Return the security headers of a response."""
    return {name: reply.values(name) for name in SECURITY}


async def test_the_page_and_its_files_are_served_to_browsers() -> None:
    """Everything that the index loads exists, with the headers of the page."""
    async with running() as proxy:
        page = await ask(proxy.port, "GET", "/", headers=(BROWSER,))
        urls = re.findall(r'(?:src|href)="(/web/[^"]+)"', page.body.decode())
        files = {url: await ask(proxy.port, "GET", url) for url in urls}
    assert (page.status, page.values("content-type")) == (200, ["text/html; charset=utf-8"])
    assert page.values("cache-control") == ["no-cache"]
    assert page.values("vary") == ["accept, accept-encoding"]
    assert security_of(page) == SECURITY
    assert url_of("app.js") in files
    for url, reply in files.items():
        assert (reply.status, security_of(reply)) == (200, SECURITY), url
        assert reply.values("cache-control") == ["public, max-age=31536000, immutable"]
        assert reply.body == read_page().files[url.removeprefix(url_of(""))].content


async def test_other_clients_get_the_text_of_ollama() -> None:
    """At the same path, so caches must know what it depends on."""
    async with running() as proxy:
        text = await ask(proxy.port, "GET", "/", headers=(("Accept", "*/*"), GZIP))
    assert (text.body, text.values("content-type")) == (b"Ollama is running", ["text/plain"])
    assert text.values("vary") == ["accept, accept-encoding"]


@pytest.mark.parametrize(
    ("accept_encoding", "is_gzipped"),
    [("gzip, br", True), ("*", True), ("gzip;q=0, br", False), (None, False)],
)
async def test_gzip_is_negotiated(accept_encoding: str | None, *, is_gzipped: bool) -> None:
    """Both forms have the same ETag and length headers of their own."""
    headers = (BROWSER,) if accept_encoding is None else (BROWSER, ("Accept-Encoding", accept_encoding))
    async with running() as proxy:
        reply = await ask(proxy.port, "GET", "/", headers=headers)
    assert (reply.values("content-encoding") == ["gzip"]) is is_gzipped
    content = gzip.decompress(reply.body) if is_gzipped else reply.body
    assert content == read_page().index.content
    assert reply.values("etag") == [read_page().index.etag.decode()]


@pytest.mark.parametrize("path", ["/", "app.js"])
async def test_a_known_file_is_not_sent_again(path: str) -> None:
    """304 without a body, on a connection that stays open; another ETag gets the file."""
    url = path if path == "/" else url_of(path)
    async with running() as proxy, await connect(proxy.port) as client:
        await client.send("GET", url, headers=(BROWSER,), is_last=False)
        etag = (await client.read_reply()).values("etag")[0]
        await client.send("GET", url, headers=(BROWSER, ("If-None-Match", etag)), is_last=False)
        known = await client.read_reply()
        await client.send("GET", url, headers=(BROWSER, ("If-None-Match", 'W/"other"')))
        changed = await client.read_reply()
    assert (known.status, known.body, known.values("etag")) == (304, b"", [etag])
    assert known.values("content-length") == known.values("content-type") == []
    assert known.values("cache-control") == changed.values("cache-control")
    assert changed.status == 200


@pytest.mark.parametrize("headers", [(BROWSER,), (BROWSER, GZIP)])
@pytest.mark.parametrize("path", ["/", "style.css"])
async def test_head_has_the_headers_of_get(path: str, headers: tuple[tuple[str, str], ...]) -> None:
    """And no body."""
    url = path if path == "/" else url_of(path)
    async with running() as proxy:
        replies = [await ask(proxy.port, method, url, headers=headers) for method in ("GET", "HEAD")]
        refused = await ask(proxy.port, "POST", url, body=b"{}")
    ours = [
        [(name, value) for name, value in reply.headers if name not in {"date", "x-request-id"}]
        for reply in replies
    ]
    assert ours[0] == ours[1]
    assert (replies[1].status, replies[1].body, refused.status) == (200, b"", 405)


@pytest.mark.parametrize(
    "path",
    ["/web/0000000000000000/app.js", "no-such.js", "index.html", "", "../index.html", "app.js/", "%61pp.jsx"],
)
async def test_unknown_files_are_404(path: str) -> None:
    """In JSON, also for a page of another version that is still open."""
    async with running() as proxy:
        reply = await ask(
            proxy.port, "GET", path if path.startswith("/web/") else url_of(path), headers=(BROWSER,)
        )
    assert reply.status == 404
    assert reply.error["code"] in {"page_file_not_found", "not_found"}


async def test_a_server_without_a_page_has_no_files_either() -> None:
    """The second port, and programs that have their own page; the option can change while it serves."""
    live = LiveOptions(ProxyOptions(has_page=False))
    async with proxy_running(FakeRuntime(), options=live) as proxy:
        text = await ask(proxy.port, "GET", "/", headers=(BROWSER,))
        file = await ask(proxy.port, "GET", url_of("app.js"))
        live.replace(ProxyOptions())
        later = await ask(proxy.port, "GET", url_of("app.js"))
    assert text.body == b"Ollama is running"
    assert (file.status, file.error["code"]) == (404, "not_found")
    assert later.status == 200


async def test_the_page_needs_no_key_and_the_data_does() -> None:
    """The files have no data. Paths that only look like them stay closed."""
    async with running(api_keys={"laptop": "secret"}) as proxy:
        for path in ("/", url_of("app.js"), url_of("style.css")):
            assert (await ask(proxy.port, "GET", path, headers=(BROWSER,))).status == 200
        for path in (ADMIN, "/v1/models", "/docs", "/web", "/websocket", "//web/a/b", "/%77eb/a/b"):
            assert (await ask(proxy.port, "GET", path, headers=(BROWSER,))).status == 401, path
        for path in ("/web//gglib/status", "/web/../gglib/status", "/web/a/../../gglib/status", "/web//"):
            assert (await ask(proxy.port, "GET", path, headers=(BROWSER,))).status == 404, path


@pytest.mark.parametrize("keys", [{}, {"laptop": "secret"}])
async def test_foreign_hosts_and_origins_are_refused(keys: dict[str, str]) -> None:
    """For the page and its files as for every other path; with keys, too, because these requests have none."""
    hosts = (
        (("Host", "evil.example"),),
        (("Host", "evil.example:8080"), ("Origin", "http://evil.example:8080")),
    )
    origin = (("Host", "localhost"), ("Origin", "https://evil.example"))
    async with running(api_keys=keys) as proxy:
        for path in ("/", url_of("app.js"), ADMIN):
            for method in ("GET", "HEAD"):
                for headers in hosts:
                    reply = await ask(proxy.port, method, path, headers=(BROWSER, *headers))
                    assert reply.status == 403, (path, headers)
                assert (await ask(proxy.port, method, path, headers=(BROWSER, *origin))).status == 403, path
            code = (await ask(proxy.port, "GET", path, headers=(BROWSER, *hosts[0]))).error["code"]
            assert code == "host_not_allowed"
            code = (await ask(proxy.port, "GET", path, headers=(BROWSER, *origin))).error["code"]
            assert code == "origin_not_allowed"


async def test_only_the_page_of_this_server_uses_the_admin_api() -> None:
    """Pages of other ports may use models, and load the files, but change nothing."""
    async with running() as proxy:
        host = ("Host", f"127.0.0.1:{proxy.port}")
        own = (host, ("Sec-Fetch-Site", "same-origin"))
        other = (host, ("Sec-Fetch-Site", "same-site"), ("Origin", "http://127.0.0.1:1"))
        embedded = (host, ("Sec-Fetch-Site", "cross-site"))
        statuses = [
            (await ask(proxy.port, "GET", ADMIN, headers=headers)).status
            for headers in (own, other, embedded)
        ]
    assert statuses == [200, 403, 403]
