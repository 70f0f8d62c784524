"""``gglib requests`` and ``gglib usage``: with a real server, and on the file that it leaves."""

import asyncio
import json
import signal
import sys
from typing import Any

import pytest
from tests.support.terminal import CTRL_C, terminal
from tests.support.waiting import wait_until

from gglib.core.history.records import RecordedBodies, RequestRecord
from gglib.db import SqliteHistory
from gglib.testing import Script

from .conftest import Home
from .test_server_commands import chat_status, open_stream

REQUESTS = [sys.executable, "-m", "gglib", "requests"]
USAGE = [sys.executable, "-m", "gglib", "usage", "--since", "all"]
ENDED_AT_S = 1_700_000_000.0
LONG = "qwen2.5-coder-7b-q4"


def record(number: int, **fields: Any) -> RequestRecord:
    """Return a request of another year."""
    return RequestRecord(
        **{
            "method": "POST",
            "path": "/v1/chat/completions",
            "route": "/v1/chat/completions",
            "model": LONG,
            "status": 200,
            "request_id": f"req_a1b2c3d4e5f6{number:08x}",
            "waited_s": 0.0,
            "first_byte_s": 0.25,
            "duration_s": 4.5,
            "chunks": 100,
            "is_streamed": True,
            "error_code": None,
            "key_name": "alice",
            "program": "claude-code",
            "prompt_tokens": 12_000,
            "completion_tokens": 100,
            "cached_tokens": 6_000,
            "tokens_per_s": 23.5,
            "ended_at_s": ENDED_AT_S + number,
            **fields,
        }
    )


@pytest.fixture
def past(home: Home) -> Home:
    """Return a home with recorded requests, without a server."""

    async def fill() -> None:
        async with SqliteHistory(home.path / "history.db", max_bytes=10**8, max_age_s=10**10) as history:
            history.record(
                [
                    record(1, bodies=RecordedBodies(b'{"prompt": "Hi"}', b"caf\xe9", is_response_cut=True)),
                    record(2, model=None, requested_model="gpt-9", status=404, error_code="model_not_found"),
                    record(
                        3,
                        status=503,
                        error_code="model_load_failed",
                        error_message="It exited.",
                        key_name=None,
                    ),
                ]
            )

    asyncio.run(fill())
    return home


def on_terminal(home: Home, command: list[str], columns: int, **variables: str) -> tuple[list[str], bytes]:
    """Run a command to its end; return the lines and the bytes that it wrote."""
    with terminal(command, env={**home.environment, **variables}, columns=columns) as screen:
        assert screen.wait_for_exit() == 0, screen.text
        return screen.text.splitlines(), screen.raw


@pytest.mark.parametrize(
    ("columns", "names"),
    [
        (80, "ID TIME MODEL STATUS TOTAL ERROR"),
        (100, "ID TIME MODEL KEY CLIENT STATUS TOTAL ERROR"),
        (140, "ID TIME MODEL KEY CLIENT STATUS WAITED FIRST TOTAL IN OUT TOK/S ERROR"),
    ],
)
def test_list_fits_the_terminal(past: Home, columns: int, names: str) -> None:
    """No row is wrapped, no name is cut; the status has a colour."""
    (heading, *rows), raw = on_terminal(past, REQUESTS, columns)
    assert heading.split() == names.split()
    assert [row.split()[0] for row in rows] == ["1", "2", "3"]
    assert LONG in rows[0]
    assert "model_not_found" in rows[1]
    assert b"\x1b[32m200" in raw
    assert b"\x1b[33m404" in raw
    assert b"\x1b[31m503" in raw


def test_usage_has_bars_where_the_terminal_has_the_characters(past: Home) -> None:
    """And room for them."""
    words = [*USAGE, "--by", "model,key"]
    (heading, *rows), _ = on_terminal(past, words, 120)
    assert heading.split()[:3] == ["MODEL", "KEY", "REQUESTS"]
    assert "█" in rows[0]
    assert [row.split()[0] for row in rows] == ["-", LONG, LONG, "Total", "All"]
    narrow, _ = on_terminal(past, words, 80)
    assert not any("█" in line for line in narrow)
    # "env" starts a new interpreter, which reads the variable.
    ascii_only, _ = on_terminal(past, ["env", *words], 120, PYTHONIOENCODING="ascii")
    assert not any("█" in line or "\\u" in line for line in ascii_only)


def test_history_of_a_home_without_a_server_is_searched(past: Home) -> None:
    """Also by the end of an id."""
    assert past.ok("requests", "--failed", "--key", "-").splitlines()[1].split()[0] == "3"
    shown = past.ok("requests", "00000003")
    assert "model_load_failed: It exited." in shown
    bodies = past.ok("requests", "--body", "1").partition("\nRequest body:\n")[2]
    assert bodies == '{"prompt": "Hi"}\n\nResponse body, incomplete:\ncaf\\xe9\n'
    assert "were not recorded" in past.refused("requests", "--body", "2")
    assert json.loads(past.ok("usage", "--since", "all", "--json"))["total"]["cached_tokens"] == 18_000
    assert (
        past.ok("usage", "--since", "2023-11-01", "--by", "client", "--csv")
        .splitlines()[1]
        .startswith("claude-code,3,2,36000,300,18000,")
    )


def test_damaged_history_is_one_sentence(past: Home) -> None:
    """It says what to do."""
    for path in past.path.glob("history.db*"):
        path.write_bytes(b"nonsense" * 1000)
    assert "history.db" in past.refused("requests")
    assert "history.db" in past.refused("usage")


def test_requests_of_a_server_are_listed_cancelled_and_kept(stocked: Home) -> None:
    """What is in progress, what has ended, and after the server's end the same from the file."""
    stocked.script(Script(chunks=2000, chunk_interval_s=0.05))
    with stocked.serving() as server, open_stream(server.url) as response:
        (running,) = json.loads(stocked.ok("requests", "--running", "--json"))["running"]
        tail = running["request_id"][-8:]
        assert f"{tail}  " in stocked.ok("requests", "--model", "tin")
        assert stocked.ok("requests", "--cancel", tail) == f"Cancelled {running['request_id']}.\n"
        assert b"request_cancelled" in response.read()
        assert "is in progress" in stocked.refused("requests", "--cancel", tail)
        shown = stocked.ok("requests", tail)
        assert "request_cancelled" in shown
        listed = json.loads(stocked.ok("requests", "--json", "--model", "tiny"))
        assert stocked.ok("--url", server.url, "requests", "--model", "tiny") == stocked.ok(
            "requests", "--model", "tiny"
        )
        usage = stocked.ok("usage", "--by", "model,client", "--json")
        assert server.end(signal.SIGTERM) == 0
    assert json.loads(stocked.ok("requests", "--json", "--model", "tiny")) == listed
    assert stocked.ok("requests", tail) == shown
    assert stocked.ok("usage", "--by", "model,client", "--json") == usage


def test_follower_survives_a_restart_of_the_server(stocked: Home) -> None:
    """Under one heading, with a note; Ctrl-C ends it."""
    with terminal([*REQUESTS, "-f", "--model", "tiny"], env=stocked.environment, columns=100) as screen:
        assert screen.wait_for_exit() == 1
        assert "start one with" in screen.text
    with stocked.serving() as server:
        assert chat_status(server.url) == 200
        with terminal([*REQUESTS, "-f", "--model", "tiny"], env=stocked.environment, columns=100) as screen:
            screen.wait_for("tiny")
            assert chat_status(server.url) == 200
            screen.wait_for("tiny", count=2)
            assert server.end(signal.SIGTERM) == 0
            screen.wait_for("waiting for its next start")
            with stocked.serving() as again:
                screen.wait_for("responds again")
                assert chat_status(again.url) == 200
                screen.wait_for("tiny", count=3)
            screen.send(CTRL_C)
            assert screen.wait_for_exit() == 130
            lines = screen.lines
    requests = [line for line in lines if "tiny" in line]
    assert len({line.index("tiny") for line in requests}) == 1
    assert sum(line.lstrip().startswith("ID") for line in lines) == 1


def test_history_that_is_off_says_so(stocked: Home) -> None:
    """Requests in progress are listed nevertheless."""
    stocked.set("history = false")
    with stocked.serving() as server:
        assert chat_status(server.url) == 200
        assert "config set history true" in stocked.run("requests").stderr
        assert "config set history true" in stocked.run("usage").stderr
        wait_until(lambda: not json.loads(stocked.ok("requests", "--json"))["running"])


def test_what_is_stored_is_shown_while_nothing_more_is(past: Home) -> None:
    """By a server whose history was switched off."""
    past.set("history = false")
    with past.serving():
        assert [line.split()[0] for line in past.ok("requests").splitlines()] == ["ID", "1", "2", "3"]
        assert past.ok("requests", "1").startswith("Request:")
        assert json.loads(past.ok("usage", "--since", "all", "--json"))["total"]["requests"] == 3
        assert "config set history true" in past.run("usage", "--since", "all").stderr


def test_key_on_another_machine_sees_its_own_usage(stocked: Home) -> None:
    """Requests are for admins; the error says whose key is needed."""
    keys = {
        name: new_key(stocked, name, *options) for name, options in (("alice", ()), ("root", ("--admin",)))
    }
    with stocked.serving() as server:
        for key in (*keys.values(), keys["alice"]):
            assert chat_status(server.url, key) == 200
        stocked.variables["GGLIB_REMOTE_KEY"] = keys["alice"]
        by_key = ("--url", server.url, "usage", "--by", "key", "--json")
        assert usage_by_key(stocked.ok(*by_key)) == {"alice": 2}
        assert "admin" in stocked.refused("--url", server.url, "requests")
        stocked.variables["GGLIB_REMOTE_KEY"] = keys["root"]
        assert usage_by_key(stocked.ok(*by_key)) == {"alice": 2, "root": 1}
        assert (
            stocked.ok("--url", server.url, "requests", "--key", "root").splitlines()[1].split()[3] == "root"
        )


def new_key(home: Home, name: str, *options: str) -> str:
    """Make a key and return it."""
    return str(json.loads(home.ok("key", "new", name, *options, "--json"))["key"])


def usage_by_key(report: str) -> dict[str, int]:
    """Return the successful requests of each key, of a report."""
    rows = json.loads(report)["usage"]
    return {row["key"]: row["requests"] - row["failed"] for row in rows if row["key"]}
