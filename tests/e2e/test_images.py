"""Images on the real engine, with a tiny vision model."""

import base64
import struct
import threading
import zlib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import httpx2
import pytest

from gglib.testing import write_tiny_gguf, write_tiny_projector

if TYPE_CHECKING:
    from tests.e2e.conftest import Gglib
else:
    Gglib = object

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def seeing(gglib: Gglib) -> Gglib:
    """Add a model with a projector to the shared server's home."""
    directory = gglib.home / "files"
    model, projector = directory / "seeing.gguf", directory / "mmproj-seeing.gguf"
    write_tiny_gguf(model)
    write_tiny_projector(projector)
    gglib.command("add", str(model), "--mmproj", str(projector), "--engine-args", "--threads 1")
    return gglib


@pytest.fixture
def page() -> Iterator[tuple[str, list[str]]]:
    """Return the URL of an image on this machine, and the paths of the requests for it."""
    requested: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            requested.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(image())

        def log_message(self, *_: object) -> None:
            """Log nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/secret.png", requested
        server.shutdown()
        thread.join()


def image() -> bytes:
    """Return a red PNG of 4 x 4 pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 4, 4, 8, 2, 0, 0, 0)
    pixels = zlib.compress((b"\0" + b"\xff\0\0" * 4) * 4)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def ask(gglib: Gglib, path: str, *parts: dict[str, Any]) -> httpx2.Response:
    """Send a chat with content parts."""
    messages = [{"role": "user", "content": [{"type": "text", "text": "What is it?"}, *parts]}]
    body = {"model": "seeing", "messages": messages, "max_tokens": 4}
    return httpx2.post(f"{gglib.url}{path}", json=body, timeout=60)


def test_image_as_a_data_url_is_read(seeing: Gglib) -> None:
    """The prompt has more tokens than the same one without the image."""
    address = f"data:image/png;base64,{base64.b64encode(image()).decode()}"
    seen = ask(seeing, "/v1/chat/completions", {"type": "image_url", "image_url": {"url": address}})
    unseen = ask(seeing, "/v1/chat/completions")
    assert (seen.status_code, unseen.status_code) == (200, 200), seen.text
    assert seen.json()["usage"]["prompt_tokens"] > unseen.json()["usage"]["prompt_tokens"]


def test_image_at_a_url_is_not_fetched(seeing: Gglib, page: tuple[str, list[str]]) -> None:
    """In the dialects of OpenAI and Anthropic: otherwise any client could send requests from this machine."""
    url, requested = page
    parts = {
        "/v1/chat/completions": {"type": "image_url", "image_url": {"url": url}},
        "/v1/messages": {"type": "image", "source": {"type": "url", "url": url}},
    }
    for path, part in parts.items():
        answer = ask(seeing, path, part)
        assert answer.status_code == 400, answer.text
        assert "data URL" in answer.json()["error"]["message"]
    assert requested == []
