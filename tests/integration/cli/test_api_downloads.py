"""Models searched, pulled, used and removed through the API of a running server, with a local hub."""

import http.client
import json
import signal
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from tests.support.waiting import wait_until

from gglib.hf.download.segment import BLOCK_BYTES
from gglib.library.search import HEADER_BYTES
from gglib.testing.local_hub import LocalHub

from .conftest import Home

REPO = "ada/tiny-GGUF"
LARGE = 8_000_000
PAUSE = 5_000_000


@pytest.fixture
def hub(home: Home) -> Iterator[LocalHub]:
    """Yield the hub of the server of ``home``, with a small repository and a large one."""
    content = home.model_file.read_bytes()
    with LocalHub() as hub:
        hub.add_repository(REPO, {"tiny-Q4_K_M.gguf": content})
        hub.add_repository("ada/large", {"large-Q4_K_M.gguf": content + bytes(LARGE - len(content))})
        home.variables = {
            "HF_ENDPOINT": hub.url,
            "NO_PROXY": "127.0.0.1,localhost",
            "HF_HOME": str(home.path),
        }
        yield hub


@contextmanager
def asking(url: str, method: str, path: str, content: object = None) -> Iterator[http.client.HTTPResponse]:
    """Send a request and yield the response."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30)
    with closing(connection):
        connection.request(method, path, None if content is None else json.dumps(content))
        with connection.getresponse() as response:
            yield response


def request_json(url: str, method: str, path: str, content: object = None, *, status: int = 200) -> Any:
    """Return the JSON body of a response with this status."""
    with asking(url, method, path, content) as response:
        body = json.loads(response.read())
        assert response.status == status, body
        return body


def events(url: str, download_id: str) -> list[dict[str, Any]]:
    """Return all events of a download up to its end."""
    with asking(url, "GET", f"/gglib/downloads/{download_id}/events") as response:
        lines = response.read().decode().splitlines()
    return [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: ")]


@pytest.mark.usefixtures("hub")
def test_from_an_idea_to_an_answer_and_back(home: Home) -> None:
    """A client searches, pulls, chats and removes through the API; the JSON has the shapes of the command line."""
    with home.serving() as server:
        found = request_json(server.url, "GET", "/gglib/hub/models?q=tiny")
        (repository,) = found["repositories"]
        assert repository["repo"] == REPO
        said = json.loads(home.ok("search", "tiny", "--json"))
        assert said["repositories"] == found["repositories"]
        shown = request_json(server.url, "GET", f"/gglib/hub/models/{REPO}")
        assert [file["name"] for file in shown["files"]] == ["tiny-Q4_K_M.gguf"]
        target = repository["variants"][0]["pull"]
        started = request_json(server.url, "POST", "/gglib/downloads", {"target": target}, status=202)
        last = events(server.url, started["id"])[-1]
        assert (last["state"], last["model_name"], last["error"]) == ("done", "tiny-Q4_K_M", None)
        assert last["done_bytes"] == last["total_bytes"] == home.model_file.stat().st_size
        assert request_json(server.url, "GET", "/gglib/models")["models"] == json.loads(
            home.ok("list", "--json")
        )
        chat = {"model": last["model_name"], "messages": [{"role": "user", "content": "Hi"}]}
        assert request_json(server.url, "POST", "/v1/chat/completions", chat)["choices"]
        removed = request_json(server.url, "DELETE", "/gglib/models/tiny-Q4_K_M?files=true")
        assert removed["freed_bytes"] == 0
        [kept] = removed["kept"]  # the engine still has it open
        path = Path(kept["path"])
        assert path.is_relative_to(home.path / "models/ada/tiny-GGUF")
    assert json.loads(home.ok("list", "--json")) == []
    wait_until(lambda: home.ok("list") == "" and not path.exists())


def test_what_was_cancelled_goes_on_where_it_ended(home: Home, hub: LocalHub) -> None:
    """After a cancellation the catalogue has no row; the same target fetches only the remaining bytes."""
    gate = hub.pause_after("large-Q4_K_M.gguf", PAUSE)
    with home.serving() as server:
        started = request_json(server.url, "POST", "/gglib/downloads", {"target": "ada/large"}, status=202)
        path = f"/gglib/downloads/{started['id']}"
        wait_until(lambda: request_json(server.url, "GET", path)["done_bytes"] >= PAUSE - 2 * BLOCK_BYTES)
        ended = request_json(server.url, "DELETE", path)
        assert ended["state"] == "cancelled"
        assert request_json(server.url, "GET", "/gglib/models")["models"] == []
        gate.release()
        before = hub.sent_bytes("large-Q4_K_M.gguf")
        again = request_json(server.url, "POST", "/gglib/downloads", {"target": "ada/large"}, status=202)
        assert again["id"] != started["id"]
        assert events(server.url, again["id"])[-1]["state"] == "done"
    fetched = hub.sent_bytes("large-Q4_K_M.gguf") - before - HEADER_BYTES
    assert fetched <= LARGE - ended["done_bytes"] + BLOCK_BYTES


def partial_files(home: Home) -> list[Path]:
    """Return the files of unfinished pulls."""
    return list((home.path / "models/.incoming").glob("*"))


def test_a_paused_download_resumes_from_its_files_or_is_discarded(home: Home, hub: LocalHub) -> None:
    """A pause keeps the bytes, also with a choice of quantizations; a discard deletes them and the record."""
    gate = hub.pause_after("large-Q4_K_M.gguf", PAUSE)
    with home.serving() as server:
        started = request_json(server.url, "POST", "/gglib/downloads", {"target": "ada/large"}, status=202)
        path = f"/gglib/downloads/{started['id']}"
        wait_until(lambda: request_json(server.url, "GET", path)["done_bytes"] >= PAUSE - 2 * BLOCK_BYTES)
        paused = request_json(server.url, "POST", f"{path}/pause")
        assert (paused["state"], paused["ended_at"]) == ("paused", None)
        assert [event["state"] for event in events(server.url, started["id"])] == ["paused"]
        assert partial_files(home)
        gate.release()
        before = hub.sent_bytes("large-Q4_K_M.gguf")
        resumed = request_json(server.url, "POST", f"{path}/resume")
        assert (resumed["id"], resumed["state"]) == (started["id"], "running")
        assert events(server.url, started["id"])[-1]["state"] == "done"
        fetched = hub.sent_bytes("large-Q4_K_M.gguf") - before - HEADER_BYTES
        assert fetched <= LARGE - paused["done_bytes"] + BLOCK_BYTES
        request_json(server.url, "POST", f"{path}/resume", status=409)
        preview = request_json(server.url, "GET", "/gglib/models/large-Q4_K_M/removal")
        removed = request_json(server.url, "DELETE", "/gglib/models/large-Q4_K_M?files=true")
        assert {**preview, "removed": removed["removed"]} == removed

        gate = hub.pause_after("large-Q4_K_M.gguf", hub.sent_bytes("large-Q4_K_M.gguf") + PAUSE)
        again = request_json(server.url, "POST", "/gglib/downloads", {"target": "ada/large"}, status=202)
        path = f"/gglib/downloads/{again['id']}"
        wait_until(lambda: request_json(server.url, "GET", path)["done_bytes"] >= BLOCK_BYTES)
        ended = request_json(server.url, "DELETE", f"{path}?files=true")
        gate.release()
        assert (ended["state"], ended["done_bytes"]) == ("cancelled", 0)
        assert partial_files(home) == []
    assert home.run("pull").stdout.startswith("No unfinished pulls.")


def test_a_command_says_how_to_resume_a_download_that_was_paused(home: Home, hub: LocalHub) -> None:
    """Its pull on the server was paused by another client."""
    gate = hub.pause_after("large-Q4_K_M.gguf", PAUSE)
    with home.serving() as server, home.watched("--url", server.url, "pull", "ada/large:Q4_K_M") as pulling:
        wait_until(lambda: hub.sent_bytes("large-Q4_K_M.gguf") >= PAUSE)
        [download] = request_json(server.url, "GET", "/gglib/downloads")["downloads"]
        request_json(server.url, "POST", f"/gglib/downloads/{download['id']}/pause")
        pulling.read_until("to resume it.")
        words = " ".join(pulling.seen.split())  # of a sentence that is broken at the edge of the terminal
        assert f"The download was paused on {server.url}: run the same command again to resume it." in words
        assert pulling.process.wait(timeout=30) == 1
        gate.release()
        assert "large-Q4_K_M" in home.ok("--url", server.url, "pull", "ada/large:Q4_K_M")


def test_files_that_a_command_is_pulling_are_not_discarded(home: Home, hub: LocalHub) -> None:
    """The discard of the server's download of the same model leaves the files of the other process."""
    gate = hub.pause_after("large-Q4_K_M.gguf", PAUSE)
    with home.serving() as server, home.watched("pull", "ada/large:Q4_K_M") as pulling:
        wait_until(lambda: hub.sent_bytes("large-Q4_K_M.gguf") >= PAUSE)
        started = request_json(
            server.url, "POST", "/gglib/downloads", {"target": "ada/large:Q4_K_M"}, status=202
        )
        path = f"/gglib/downloads/{started['id']}"
        assert request_json(server.url, "DELETE", f"{path}?files=true")["state"] == "cancelled"
        assert partial_files(home)
        gate.release()
        assert pulling.process.wait(timeout=30) == 0


@pytest.mark.usefixtures("hub")
def test_what_the_page_asks_about_models(home: Home) -> None:
    """Fits, updates, first models and verification of a pulled model, by a real server."""
    with home.serving() as server:
        started = request_json(server.url, "POST", "/gglib/downloads", {"target": REPO}, status=202)
        name = events(server.url, started["id"])[-1]["model_name"]
        [fit] = request_json(server.url, "GET", "/gglib/fits")["fits"]
        assert (fit["model_name"], fit["fit"], fit["need"]["is_exact"]) == (name, "fits", True)
        [update] = request_json(server.url, "GET", "/gglib/hub/updates")["updates"]
        assert (update["repo"], update["state"]) == (REPO, "current")
        first = request_json(server.url, "GET", "/gglib/hub/first-models")
        assert (first["models"], first["recommended"], first["is_hub_reachable"]) == ([], None, True)
        with asking(server.url, "POST", f"/gglib/models/{name}/verify") as response:
            *_, result, _ = response.read().decode().split("\n\n")
        event, data = result.splitlines()
        assert event == "event: result"
        assert [check["verdict"] for check in json.loads(data.removeprefix("data: "))["checks"]] == ["good"]


def test_a_server_that_stops_ends_its_downloads_in_order(home: Home, hub: LocalHub) -> None:
    """SIGTERM during a download: exit code 0, its event stream ends with an event, and ``gglib pull`` resumes it."""
    gate = hub.pause_after("large-Q4_K_M.gguf", PAUSE)
    with home.serving() as server:
        started = request_json(server.url, "POST", "/gglib/downloads", {"target": "ada/large"}, status=202)
        path = f"/gglib/downloads/{started['id']}"
        wait_until(lambda: request_json(server.url, "GET", path)["done_bytes"] >= PAUSE - 2 * BLOCK_BYTES)
        with asking(server.url, "GET", f"{path}/events") as response:
            assert response.readline().startswith(b"data: ")
            assert server.end(signal.SIGTERM) == 0
            last = [line for line in response.read().splitlines() if line.startswith(b"data: ")][-1]
        assert json.loads(last.removeprefix(b"data: "))["error"]["code"] == "shutting_down"
    gate.release()
    before = hub.sent_bytes("large-Q4_K_M.gguf")
    home.ok("pull", "ada/large:Q4_K_M")
    assert hub.sent_bytes("large-Q4_K_M.gguf") - before - HEADER_BYTES <= LARGE - PAUSE + 3 * BLOCK_BYTES


@pytest.mark.usefixtures("hub")
def test_a_pull_that_fails_says_why(home: Home) -> None:
    """The download reports the code and message that ``gglib pull`` prints."""
    with home.serving() as server:
        started = request_json(
            server.url, "POST", "/gglib/downloads", {"target": "ada/none:Q4_K_M"}, status=202
        )
        (*_, last) = events(server.url, started["id"])
    assert (last["state"], last["error"]["code"]) == ("failed", "repository_not_found")
    assert last["error"]["message"] == home.refused("pull", "ada/none:Q4_K_M", "--yes")


def test_an_unreachable_hub_is_an_error_with_a_status(home: Home, hub: LocalHub) -> None:
    """The status is 503, with Retry-After."""
    home.variables["HF_ENDPOINT"] = "http://127.0.0.1:9"
    with home.serving() as server, asking(server.url, "GET", "/gglib/hub/models?q=tiny") as response:
        assert (response.status, response.headers["retry-after"]) == (503, "10")
        assert json.loads(response.read())["error"]["code"] == "hub_unreachable"
