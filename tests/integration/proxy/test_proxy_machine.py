"""Logs, system, settings and clients of a server's machine, over real sockets."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from tests.support.waiting import until

from gglib.app.monitoring.log_reader import LogReader
from gglib.core.api_keys import ApiKey
from gglib.core.models import ModelCapabilities, ModelSummary
from gglib.core.profiles import Profile
from gglib.http.sse import SseReader
from gglib.proxy import LiveOptions, ProxyOptions
from gglib.proxy.routes.table import OPERATIONS, find_operation, route_of
from gglib.testing import FakeCatalog, FakeMachine, FakeRuntime

from .support import Client, Proxy, ask, connect, proxy_running

CHAT = ModelSummary(id=1, name="Org/chat", aliases=("chat",), capabilities=ModelCapabilities(chat=True))
EMBEDDER = ModelSummary(id=2, name="embedder", capabilities=ModelCapabilities(embedding=True))
OTHER = replace(CHAT, id=3, name="other", aliases=())
OURS = [
    operation.spec
    for operation in OPERATIONS
    if operation.spec.path.startswith(
        ("/gglib/logs", "/gglib/system", "/gglib/doctor", "/gglib/settings", "/gglib/clients")
    )
]
USER, ADMIN = "a-key-of-a-user", "a-key-of-an-admin"
KEYED = ProxyOptions(api_keys={"user": ApiKey(key=USER), "admin": ApiKey.admin(ADMIN)})


@asynccontextmanager
async def serving(
    machine: FakeMachine | None = None,
    *,
    log_dir: Path | None = None,
    models: tuple[ModelSummary, ...] = (CHAT, EMBEDDER),
    options: ProxyOptions | LiveOptions | None = None,
) -> AsyncIterator[Proxy]:
    """Serve a machine; with a ``log_dir``, its logs are the files there."""
    ports = (machine or FakeMachine()).ports
    catalog = FakeCatalog(models)
    if log_dir is not None:
        ports = replace(ports, logs=LogReader(log_dir, catalog, poll_interval_s=0.001))
    await catalog.edit_profile("precise", None, lambda _: Profile(name="precise"))
    async with proxy_running(
        FakeRuntime(), catalog, options=options, profiles=catalog, machine=ports
    ) as proxy:
        yield proxy


class Follower:
    """A client that follows a log."""

    def __init__(self, client: Client) -> None:
        self.chunks = client.chunks()
        self._reader = SseReader()
        self.comments = 0

    async def next(self) -> dict[str, Any]:
        """Return the data of the next event."""
        async with asyncio.timeout(30):
            async for chunk in self.chunks:
                self.comments += chunk == b":\n\n"
                for event in self._reader.receive(chunk):
                    assert event.name == "lines"
                    data: dict[str, Any] = json.loads(event.data)
                    return data
        raise AssertionError("the stream has ended")

    async def texts_until(self, last: str) -> list[str]:
        """Return the texts of new lines up to one."""
        seen: list[str] = []
        while last not in seen:
            seen += [line["text"] for line in (await self.next())["lines"]]
        return seen


@asynccontextmanager
async def following(port: int, name: str, query: str = "") -> AsyncIterator[Follower]:
    """Follow a log for a block."""
    async with await connect(port) as client:
        await client.send("GET", f"/gglib/logs/{quote(name, safe='')}/events{query}")
        head = await client.read_until(b"\r\n\r\n")
        assert b"200 OK" in head
        assert b"text/event-stream" in head
        yield Follower(client)


@pytest.fixture
def log_dir(tmp_path: Path) -> Path:
    """Return a directory with the logs of gglib and of an engine."""
    (tmp_path / "engines").mkdir()
    (tmp_path / "gglib.log").write_text("a\nb\nc\n", encoding="utf-8")
    (tmp_path / "engines" / "Org_chat.log").write_text("\x1b[2J<script>\n", encoding="utf-8")
    (tmp_path / "secret.log").write_text("secret\n", encoding="utf-8")
    return tmp_path


class TestLogs:
    async def test_logs_are_listed_and_read(self, log_dir: Path) -> None:
        """By the names of the list; a terminal executes nothing of what they contain."""
        async with serving(log_dir=log_dir) as proxy:
            listed = (await ask(proxy.port, "GET", "/gglib/logs")).json()["logs"]
            assert [log["name"] for log in listed] == ["gglib", "engine:Org/chat"]
            shown = (await ask(proxy.port, "GET", "/gglib/logs/gglib?lines=2")).json()
            assert ([line["text"] for line in shown["lines"]], shown["is_cut"]) == (["b", "c"], True)
            for path in ("engine%3AOrg%2Fchat", "engine:Org/chat"):
                (line,) = (await ask(proxy.port, "GET", f"/gglib/logs/{path}")).json()["lines"]
                assert line == {"text": "\\x1b[2J<script>", "time": None, "level": None, "source": None}

    @pytest.mark.parametrize(
        "name",
        [
            "secret",
            "secret.log",
            "..%2Fsecret",
            "engine%3A..%2Fsecret",
            "engine%3A..%2F..%2Fetc%2Fpasswd",
            "%2Fetc%2Fpasswd",
            "engines/Org_chat.log",
            "engine:",
            "gglib.log.1",
        ],
    )
    async def test_no_other_file_is_a_log(self, log_dir: Path, name: str) -> None:
        """404, also for followers."""
        async with serving(log_dir=log_dir) as proxy:
            for path in (name, f"{name}/events"):
                reply = await ask(proxy.port, "GET", f"/gglib/logs/{path}")
                assert (reply.status, reply.error["code"]) == (404, "log_not_found")

    @pytest.mark.parametrize(("lines", "status"), [("0", 200), ("5000", 200), ("5001", 400), ("-1", 400)])
    async def test_the_number_of_lines_is_limited(self, log_dir: Path, lines: str, status: int) -> None:
        """The error names the parameter."""
        async with serving(log_dir=log_dir) as proxy:
            reply = await ask(proxy.port, "GET", f"/gglib/logs/gglib?lines={lines}")
        assert reply.status == status
        assert status == 200 or reply.error["param"] == "lines"

    async def test_new_lines_arrive_also_after_a_rotation(self, log_dir: Path) -> None:
        """None is missing: neither the last ones of the old file nor the first ones of the new file."""
        path = log_dir / "gglib.log"
        async with serving(log_dir=log_dir) as proxy, following(proxy.port, "gglib", "?lines=1") as follower:
            assert await follower.texts_until("c") == ["c"]
            for number in range(4):
                with path.open("a") as file:
                    file.write(f"{number}\nold {number}\n")
                path.replace(log_dir / "gglib.log.1")
                path.write_text(f"new {number}\n")
                expected = [f"{number}", f"old {number}", f"new {number}"]
                assert await follower.texts_until(f"new {number}") == expected

    async def test_a_follower_begins_at_the_end(self, log_dir: Path) -> None:
        """The first event comes at once, so that a page knows that it is connected."""
        async with serving(log_dir=log_dir) as proxy, following(proxy.port, "engine:Org/chat") as follower:
            assert await follower.next() == {"lines": [], "skipped": 0}

    async def test_heartbeats_keep_an_idle_stream_alive(self) -> None:
        """Comments, between events as well."""
        machine = FakeMachine()
        options = ProxyOptions(heartbeat_s=0.01)
        async with serving(machine, options=options) as proxy, following(proxy.port, "gglib") as follower:
            await follower.next()
            async with asyncio.timeout(30):
                assert await anext(follower.chunks) == b":\n\n"
            await machine.write("gglib", "more")
            assert await follower.texts_until("more") == ["more"]

    async def test_a_client_that_leaves_is_not_followed_any_more(self) -> None:
        """Its file is closed."""
        machine = FakeMachine()
        async with serving(machine) as proxy:
            async with following(proxy.port, "gglib") as follower:
                await follower.next()
                assert machine.followers == 1
            await until(lambda: machine.followers == 0)

    async def test_head_ends(self) -> None:
        """It has no content, and no stream stays."""
        machine = FakeMachine()
        async with serving(machine) as proxy:
            reply = await ask(proxy.port, "HEAD", "/gglib/logs/gglib/events")
            assert (reply.status, reply.body) == (200, b"")
            await until(lambda: machine.followers == 0)

    async def test_a_revoked_key_ends_the_stream(self) -> None:
        """As for all event streams of admins."""
        options, machine = LiveOptions(KEYED), FakeMachine()
        async with serving(machine, options=options) as proxy, await connect(proxy.port) as client:
            headers = (("Authorization", f"Bearer {ADMIN}"),)
            await client.send("GET", "/gglib/logs/gglib/events", headers=headers)
            follower = Follower(client)
            await client.read_until(b"\r\n\r\n")
            await follower.next()
            options.replace(ProxyOptions(api_keys={"user": ApiKey(key=USER)}))
            await until(lambda: machine.followers == 0)


class TestClients:
    @pytest.mark.parametrize(
        ("model", "shown"),
        [
            ("chat", "Org/chat"),
            ("1", "Org/chat"),
            ("Org/chat:precise", "Org/chat:precise"),
            (None, "Org/chat"),
        ],
    )
    async def test_the_model_is_found_as_for_requests(self, model: str | None, shown: str) -> None:
        """By any name; without one it is the only model that chats."""
        query = "" if model is None else f"?model={quote(model, safe='')}"
        async with serving() as proxy:
            table = (await ask(proxy.port, "GET", f"/gglib/clients{query}")).json()
        assert (table["model"], table["context"], table["key"]) == (shown, 4096, None)

    @pytest.mark.parametrize(
        ("query", "status", "param"),
        [
            ("?model=none", 404, "model"),
            ("?model=embedder", 400, "model"),
            ("", 400, "model"),
            ("?model=chat&url=javascript:alert(1)", 400, "url"),
            ("?model=chat&url=http://ada:pw@box", 400, "url"),
            ("?model=chat&url=http://box/path", 400, "url"),
            ("?model=chat&url=http://box%0Ax", 400, "query"),
        ],
    )
    async def test_what_cannot_be_shown_is_refused(self, query: str, status: int, param: str) -> None:
        """The error names the parameter."""
        async with serving(models=(CHAT, OTHER, EMBEDDER)) as proxy:
            reply = await ask(proxy.port, "GET", f"/gglib/clients{query}")
        assert (reply.status, reply.error["param"]) == (status, param)

    @pytest.mark.parametrize(
        "url", ["http://192.168.1.2:8080", "https://box.example", "http://[::1]:80/", "http://box:1/"]
    )
    async def test_an_address_of_the_server_can_be_named(self, url: str) -> None:
        """That of the page, for example."""
        async with serving() as proxy:
            reply = await ask(proxy.port, "GET", f"/gglib/clients?url={quote(url, safe='')}")
        assert reply.json()["url"] == url


class TestAccess:
    @pytest.mark.parametrize("spec", OURS, ids=lambda spec: spec.id)
    async def test_a_key_without_admin_rights_is_refused(self, spec: Any) -> None:
        """Logs have paths; a key with them is accepted."""
        path = spec.path.replace("{name}", "gglib")
        async with serving(options=KEYED) as proxy:
            replies = [
                await ask(proxy.port, "HEAD", path, headers=(("Authorization", f"Bearer {key}"),))
                for key in (USER, ADMIN)
            ]
            assert [reply.status for reply in replies] == [403, 200]

    @pytest.mark.parametrize("spec", OURS, ids=lambda spec: spec.id)
    async def test_a_program_without_a_machine_shows_none(self, spec: Any) -> None:
        """501, as for the other ports that ``serve`` did not get."""
        async with proxy_running(FakeRuntime(), FakeCatalog([CHAT])) as proxy:
            reply = await ask(proxy.port, "GET", spec.path.replace("{name}", "gglib"))
        assert (reply.status, reply.error["code"]) == (501, "not_offered")
        assert reply.error["message"] == "The program that embeds gglib passed no `machine` to `serve`."


@pytest.mark.parametrize(
    ("path", "operation_id"),
    [
        ("/gglib/logs/gglib", "readLog"),
        ("/gglib/logs/gglib/events", "followLog"),
        ("/gglib/logs/engine:a/b", "readLog"),
        ("/gglib/logs/engine:a/b/events", "followLog"),
        ("/gglib/logs/engine%3Aa%2Fevents", "readLog"),
    ],
)
def test_the_longer_path_has_precedence(path: str, operation_id: str) -> None:
    """Dispatch and the labels of metrics agree on it."""
    operation, _ = find_operation("GET", path)
    assert (operation.spec.id, route_of(path)) == (operation_id, operation.spec.path)
