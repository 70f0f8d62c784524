"""The headers of the page and its files as a browser sees them, and what it loads again."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, Response, expect
from tests.support.page_files import POLICY
from tests.support.page_server import PageServer, page_server

from gglib.proxy.web.reading import read_page

from .conftest import Problems

SECURITY = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
FILES = f"/web/{read_page().revision}/"
_SENT = """
() => performance.getEntriesByType('resource')
  .filter(({ name }) => new URL(name).pathname.startsWith('/web/'))
  .map(({ name, transferSize, decodedBodySize }) => [new URL(name).pathname, transferSize, decodedBodySize])
"""
"""The path of each file that the document loaded, its bytes on the network, and its size."""
_FETCH = """
async ([path, method, headers]) => {
  const response = await fetch(path, { method, headers, cache: 'no-store' });
  return [response.status, (await response.text()).length, response.headers.get('etag')];
}
"""


@pytest.fixture(scope="module")
def server() -> Iterator[PageServer]:
    """Yield a server without models."""
    with page_server(models=()) as running:
        yield running


def opened(page: Page, server: PageServer) -> dict[str, Response]:
    """Open the page; return the responses for it and its files by path."""
    responses: dict[str, Response] = {}

    def note(response: Response) -> None:
        responses.setdefault(response.url.removeprefix(server.url), response)

    page.on("response", note)
    page.goto(f"{server.url}/")
    expect(page.get_by_role("heading", level=1)).to_have_text("Now")
    return {path: response for path, response in responses.items() if path == "/" or path.startswith("/web/")}


def test_every_file_has_the_headers(page: Page, server: PageServer) -> None:
    """The document is revalidated, the files are kept for a year; all have the policy, and the type that they are."""
    responses = opened(page, server)
    assert f"{FILES}app.js" in responses
    for path, response in responses.items():
        assert response.status == 200
        assert {name: response.headers.get(name) for name in SECURITY} == SECURITY, path
        is_document = path == "/"
        expected = "no-cache" if is_document else "public, max-age=31536000, immutable"
        assert response.headers["cache-control"] == expected, path
        assert response.headers["etag"], path
        assert "set-cookie" not in response.headers
        media_type = {"": "text/html", "js": "text/javascript", "css": "text/css", "svg": "image/svg+xml"}
        assert response.headers["content-type"].startswith(
            media_type[path.rpartition("/")[2].rpartition(".")[2]]
        )
        if path.endswith((".js", ".css")) and int(response.headers["content-length"]) > 1000:
            assert response.headers["content-encoding"] == "gzip", path


def test_a_reload_takes_the_files_from_the_cache(page: Page, server: PageServer) -> None:
    """Only the document is revalidated: 304, without a body."""
    opened(page, server)
    sent = page.evaluate(_SENT)
    assert len(sent) > 10
    assert all(size > 0 for _, size, _ in sent)
    page.reload()
    expect(page.get_by_role("heading", level=1)).to_have_text("Now")
    sent = page.evaluate(_SENT)
    assert len(sent) > 10
    assert [path for path, size, _ in sent if size > 0] == []
    assert all(length > 0 for _, _, length in sent)
    document = page.evaluate("performance.getEntriesByType('navigation')[0].toJSON()")
    assert document["deliveryType"] == "cache"  # after a 304
    assert document["decodedBodySize"] > 0


@pytest.mark.parametrize("path", ["/", f"{FILES}app.js"])
def test_head_and_etags(page: Page, server: PageServer, problems: Problems, path: str) -> None:
    """HEAD has no body; a known ETag gets 304, another one the file; other methods are refused."""
    problems.expect("status of 405")
    opened(page, server)
    html = {"accept": "text/html"}
    status, length, etag = page.evaluate(_FETCH, [path, "GET", html])
    assert (status, length > 0) == (200, True)
    assert page.evaluate(_FETCH, [path, "HEAD", html]) == [200, 0, etag]
    for method in ("GET", "HEAD"):
        assert page.evaluate(_FETCH, [path, method, html | {"if-none-match": etag}]) == [304, 0, etag]
    assert page.evaluate(_FETCH, [path, "GET", html | {"if-none-match": 'W/"other"'}]) == [200, length, etag]
    assert page.evaluate(_FETCH, [path, "POST", html])[0] == 405


def test_files_that_are_opened_by_themselves(page: Page, server: PageServer, problems: Problems) -> None:
    """The icon is a document under the same policy; a file of another version is not found, and nothing is guessed."""
    problems.expect("status of 404|CSP: |Content Security Policy|violates the following|TrustedScript")
    page.goto(f"{server.url}{FILES}icon.svg")
    assert page.evaluate("document.documentElement.localName") == "svg"
    page.evaluate(
        """() => {
          const script = document.createElementNS('http://www.w3.org/2000/svg', 'script');
          script.textContent = 'window.__ran = 1';
          document.documentElement.append(script);
        }"""
    )
    assert page.evaluate("window.__ran") is None
    answer = page.goto(f"{server.url}/web/0000000000000000/app.js")
    assert answer is not None
    assert answer.status == 404
    assert answer.json()["error"]["code"] == "page_file_not_found"
