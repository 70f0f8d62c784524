"""``gglib key limit`` and revoked keys with a running server."""

import http.client
import json
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from urllib.parse import urlsplit

import pytest
from tests.support.terminal import terminal
from tests.support.waiting import wait_until

from gglib.app.settings.source import POLL_INTERVAL_S

from .conftest import Home
from .test_key_commands import EVERYWHERE, status_of


@contextmanager
def chat(url: str, key: str, **fields: object) -> Iterator[http.client.HTTPResponse]:
    """Send a chat request and yield its response."""
    parts = urlsplit(url)
    content = {"model": "tiny", "messages": [{"role": "user", "content": "hi"}], **fields}
    with closing(http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)) as connection:
        headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        connection.request("POST", "/v1/chat/completions", json.dumps(content), headers)
        yield connection.getresponse()


def test_a_running_server_applies_limits_at_once(stocked: Home) -> None:
    """The command returns afterwards, and shows what is used."""
    alice = stocked.ok("key", "new", "alice", "--rpm", "1", "--tpm", "100,000").strip()
    with stocked.serving() as server:
        for status in (200, 429):
            with chat(server.url, alice) as response:
                assert response.status == status
        shown = json.loads(stocked.ok("key", "limit", "alice", "--json"))
        assert shown["use"]["requests"] == 1
        assert shown["use"]["tokens"] > 0
        assert "rpm:      1 (1 in the last minute)" in stocked.ok("key", "limit", "alice")
        done = stocked.run("key", "limit", "alice", "--rpm", "2", "--tpm", "none", "--priority", "batch")
        assert done.stdout == "Changed the key 'alice': rpm = 2, tpm removed, priority = \"batch\".\n"
        assert "The running server has applied it." in done.stderr
        for status in (200, 429):
            with chat(server.url, alice) as response:
                assert response.status == status
                assert response.getheader("x-ratelimit-limit-requests") == "2"
                assert response.getheader("x-ratelimit-limit-tokens") is None
    assert "(" not in stocked.ok("key", "limit", "alice")


@pytest.mark.parametrize("others", [0, 1])
def test_a_revoked_key_ends_with_its_requests(stocked: Home, others: int) -> None:
    """When the command returns; also the last key, although the watch on the file refuses to drop all keys."""
    alice = stocked.ok("key", "new", "alice").strip()
    for number in range(others):
        stocked.ok("key", "new", f"other{number}")
    with stocked.serving() as server:
        script = {"chunks": 2, "stall_after_chunks": 1}
        with chat(server.url, alice, stream=True, x_script=script) as response:
            assert response.status == 200
            response.readline()
            done = stocked.run("key", "revoke", "alice", "--yes")
            assert done.returncode == 0
            assert b"invalid_api_key" in response.read()
        assert status_of(server.url, alice) == (401 if others else 200)


def test_a_key_that_is_removed_by_hand_is_refused(stocked: Home) -> None:
    """After two looks at the file, so within a second."""
    assert 2 * POLL_INTERVAL_S <= 0.8
    alice, bob = (stocked.ok("key", "new", name).strip() for name in ("alice", "bob"))
    path = stocked.path / "config.toml"
    with stocked.serving() as server:
        assert status_of(server.url, alice) == 200
        path.write_text(path.read_text().replace(alice, f"{alice}-changed"))
        wait_until(lambda: status_of(server.url, alice) == 401)
        assert status_of(server.url, bob) == 200


def test_the_last_key_of_a_server_for_others_is_not_called_revoked(stocked: Home) -> None:
    """The server refuses to be open to other machines, and keeps the key: the command fails and says so."""
    alice = stocked.ok("key", "new", "alice").strip()
    with stocked.foreground("serve", "--host", EVERYWHERE, first_words="Listening on") as server:
        done = stocked.run("key", "revoke", "alice", "--yes")
        assert done.returncode == 1
        assert "the running server still accepts the key 'alice'" in done.stderr
        assert status_of(server.url, alice) == 200
        assert status_of(server.url) == 401


def test_a_key_of_the_environment_is_not_called_revoked(stocked: Home) -> None:
    """The server has it from elsewhere, too."""
    alice = stocked.ok("key", "new", "alice").strip()
    stocked.variables = {"GGLIB_API_KEY": f"alice={alice}"}
    with stocked.serving() as server:
        stocked.variables = {}
        done = stocked.run("key", "revoke", "alice", "--yes")
        assert done.returncode == 1
        assert "from its environment or its command line" in done.stderr
        assert status_of(server.url, alice) == 200


def test_limits_are_refused_with_what_is_valid(home: Home) -> None:
    """And nothing is written."""
    home.ok("key", "new", "alice")
    before = (home.path / "config.toml").read_text()
    assert "use a whole number from 1 to 1,000,000, or 'none'" in home.refused(
        "key", "limit", "alice", "--rpm", "0"
    )
    assert "did you mean alice?" in home.refused("key", "limit", "alic", "--rpm", "5")
    assert "did you mean alice?" in home.refused("key", "limit", "alic")
    assert (home.path / "config.toml").read_text() == before


@pytest.mark.parametrize("columns", [40, 80, 100, 140])
def test_columns_are_dropped_at_narrow_widths(home: Home, columns: int) -> None:
    """The limits first."""
    home.ok(
        "key", "new", "a-key-with-a-long-name", "--rpm", "1,000,000", "--tpm", "1,000,000", "--parallel", "9"
    )
    command = [sys.executable, "-m", "gglib", "key", "list"]
    with terminal(command, env=home.environment, columns=columns) as screen:
        assert screen.wait_for_exit() == 0
        text = screen.text
    assert "NAME" in text
    assert ("PARALLEL" in text) == (columns >= 80)
    assert "1,0" in text or columns < 80
