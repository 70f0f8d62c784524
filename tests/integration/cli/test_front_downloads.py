"""A front whose requests make a node download a model: real servers, and a local hub."""

import json
import shutil
import signal
import tempfile
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import pytest
from tests.support.waiting import LIMIT_S, wait_until

from gglib.testing.local_hub import LocalHub

from .conftest import Home, Running

REPO = "ada/tiny-GGUF"
MODEL = "tiny-Q4_K_M"
FILE = f"{MODEL}.gguf"


@pytest.fixture
def homes() -> Iterator[dict[str, Home]]:
    """Yield the homes of a front and of two nodes."""
    paths = {name: Path(tempfile.mkdtemp(prefix=f"gg-{name}-")) for name in ("front", "old", "new")}
    yield {name: Home(path) for name, path in paths.items()}
    for path in paths.values():
        shutil.rmtree(path)


@pytest.fixture
def hub(homes: dict[str, Home]) -> Iterator[LocalHub]:
    """Yield the hub of both nodes."""
    with LocalHub() as hub:
        hub.add_repository(REPO, {FILE: homes["old"].model_file.read_bytes()})
        for name in ("old", "new"):
            homes[name].variables = {
                "HF_ENDPOINT": hub.url,
                "NO_PROXY": "127.0.0.1,localhost",
                "HF_HOME": str(homes[name].path),
            }
        yield hub


def serve(stack: ExitStack, home: Home) -> Running:
    """Start the server of a home."""
    return stack.enter_context(home.serving())


def chat(url: str, **headers: str) -> tuple[int, str | None, Any]:
    """Send a chat for the model; return the status, the node and the JSON of the response."""
    body = {"model": MODEL, "messages": [{"role": "user", "content": "Hi"}]}
    request = urllib.request.Request(  # noqa: S310 - the address of the server
        f"{url}/v1/chat/completions",
        json.dumps(body).encode(),
        {"content-type": "application/json", **headers},
    )
    try:
        with urllib.request.urlopen(request, timeout=LIMIT_S) as response:  # noqa: S310 - as above
            return response.status, response.headers["x-gglib-node"], json.load(response)
    except HTTPError as error:
        return error.code, error.headers["x-gglib-node"], json.load(error)


def test_two_requests_wait_for_one_download(homes: dict[str, Home], hub: LocalHub) -> None:
    """The only node with the model is gone; the other one downloads exactly the same file from the hub."""
    front, old, new = homes["front"], homes["old"], homes["new"]
    old.ok("pull", REPO, "--yes")
    with ExitStack() as stack:
        gone, node = serve(stack, old), serve(stack, new)
        front.set(f'pull_to_nodes = true\n[nodes]\nold = "{gone.url}"\nnew = "{node.url}"')
        url = serve(stack, front).url
        assert chat(url)[:2] == (200, "old")
        hub.commit(REPO, {FILE: b"another file"})  # the newest revision is not the model any more
        gone.end(signal.SIGTERM)
        gate = hub.pause_after(FILE, 100)
        with ThreadPoolExecutor(2) as pool:
            asked = [pool.submit(chat, url) for _ in range(2)]

            def is_downloading() -> bool:
                status, _, answer = chat(url, prefer="wait=1")  # the node may be restarting at first
                return status == 503 and answer["error"]["code"] == "model_downloading"

            wait_until(is_downloading)
            assert new.ok("list") == ""
            gate.release()
            answers = [future.result(LIMIT_S) for future in asked]
        assert [(status, node_name) for status, node_name, _ in answers] == [(200, "new")] * 2
        with urllib.request.urlopen(f"{node.url}/gglib/downloads", timeout=LIMIT_S) as response:  # noqa: S310
            (download,) = json.load(response)["downloads"]
        assert (download["state"], download["model_name"]) == ("done", MODEL)
        (listed,) = json.loads(new.ok("list", "--json"))
        assert listed["name"] == MODEL


def test_a_download_that_fails_is_one_clear_error(homes: dict[str, Home], hub: LocalHub) -> None:
    """The repository is gone."""
    front, old, new = homes["front"], homes["old"], homes["new"]
    old.ok("pull", REPO, "--yes")
    with ExitStack() as stack:
        gone, node = serve(stack, old), serve(stack, new)
        front.set(f'pull_to_nodes = true\n[nodes]\nold = "{gone.url}"\nnew = "{node.url}"')
        url = serve(stack, front).url
        assert chat(url)[:2] == (200, "old")
        hub.remove_repository(REPO)
        gone.end(signal.SIGTERM)

        def failed() -> bool:
            _, _, answer = chat(url, prefer="wait=1")
            return (
                answer["error"]["code"] == "no_node"
                and "new failed to download it" in answer["error"]["message"]
            )

        wait_until(failed)
