"""Nodes by address, on real sockets: what goes wrong with them, and what the front then knows."""

import asyncio
import logging
import socket
import ssl
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.support.certificates import write_certificate
from tests.support.foreign_server import foreign_server
from tests.support.gglib_node import GglibNode
from tests.support.waiting import until

from gglib.core.api_keys import ApiKey
from gglib.core.errors import NodeRefusedError, NodeUnreachableError, RepositoryNotFoundError
from gglib.core.hub.downloads import DownloadState
from gglib.core.models import GgufFacts, NewModel
from gglib.core.nodes import NodeDownload, NodeSnapshot, NodeState
from gglib.http.client.connection import UpstreamConnection
from gglib.nodes.peers import probing, watcher
from gglib.nodes.peers.adapter import PeerNodes
from gglib.nodes.peers.client import PeerClient
from gglib.nodes.peers.failures import PeerFailedError
from gglib.nodes.peers.peer import Peer
from gglib.testing import Script

from .raw_server import (
    EVENTS,
    FITS,
    MODELS,
    STATUS,
    RawServer,
    Reply,
    body_reply,
    endless_reply,
    gglib_replies,
    json_reply,
    raw_reply,
    raw_server,
)

READY, DOWN, REFUSED, DRAINING = NodeState.READY, NodeState.DOWN, NodeState.REFUSED, NodeState.DRAINING
ADMIN, USER = "an-admin-key", "a-key-without-rights"


def peer(url: str, name: str = "box", **fields: Any) -> Peer:
    """Return a node at an address."""
    return Peer(name=name, url=url, **fields)


def only(nodes: PeerNodes) -> NodeSnapshot:
    """Return what is known of the only node."""
    (snapshot,) = nodes.snapshots()
    return snapshot


async def until_state(nodes: PeerNodes, state: NodeState) -> NodeSnapshot:
    """Wait for a state of the only node."""
    await until(lambda: only(nodes).state is state)
    return only(nodes)


async def seconds_until(condition: Callable[[], object]) -> float:
    """Return how long it took until a condition held."""
    started_s = time.monotonic()
    await until(condition)
    return time.monotonic() - started_s


@asynccontextmanager
async def watching(server: GglibNode | RawServer, **fields: Any) -> AsyncIterator[PeerNodes]:
    """Watch one node that is ready."""
    async with PeerNodes([peer(server.url, **fields)]) as nodes:
        await until_state(nodes, READY)
        yield nodes


# -- nodes that die, hang and return ------------------------------------------------------------------------


@pytest.mark.quiet
async def test_a_dead_node_is_down_within_three_seconds_and_ready_two_seconds_after_its_return(
    tmp_path: Path,
) -> None:
    """Its connections are reset, and new ones are refused."""
    async with GglibNode(tmp_path, "m") as server, watching(server) as nodes:
        await server.stop()
        assert await seconds_until(lambda: only(nodes).state is DOWN) < 3
        assert only(nodes).failure == (
            f"Node 'box' at {server.url} cannot be reached: check that 'gglib serve' runs there for other machines."
        )
        await server.start()
        assert await seconds_until(lambda: only(nodes).state is READY) < 2


@pytest.mark.quiet
async def test_a_silent_node_is_down_within_three_seconds_and_ready_two_seconds_after_its_return(
    tmp_path: Path,
) -> None:
    """It accepts connections, and nothing else: also those that are open get nothing."""
    async with GglibNode(tmp_path, "m") as server, watching(server) as nodes:
        server.cable.freeze()
        assert await seconds_until(lambda: only(nodes).state is DOWN) < 3
        assert "did not answer within 0.9 s" in only(nodes).failure
        server.cable.thaw()
        assert await seconds_until(lambda: only(nodes).state is READY) < 2


async def test_a_socket_that_never_accepts_is_down() -> None:
    """The kernel accepts for it, up to its backlog."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        async with PeerNodes([peer(f"http://127.0.0.1:{listener.getsockname()[1]}")]) as nodes:
            assert "did not answer" in (await until_state(nodes, DOWN)).failure
            with pytest.raises(NodeUnreachableError, match="did not answer"):
                await nodes.load("box", "m", None)


async def test_a_node_that_falls_silent_ends_the_load_there(tmp_path: Path) -> None:
    """Its connection stays open, and the load has no time limit of its own."""
    async with (
        GglibNode(tmp_path, "m", script=Script(load_s=60)) as server,
        watching(server) as nodes,
    ):
        load = asyncio.ensure_future(nodes.load("box", "m", None))
        await until(lambda: only(nodes).status.residents)
        server.cable.freeze()
        with pytest.raises(NodeUnreachableError, match="did not answer within"):
            async with asyncio.timeout(30):
                await load


async def test_a_slow_node_is_ready(tmp_path: Path) -> None:
    """As long as it answers within the limit."""
    async with GglibNode(tmp_path, "m") as server:
        server.cable.delay_s = 0.2
        async with watching(server) as nodes:
            seen_at_s = only(nodes).seen_at_s
            await until(lambda: only(nodes).seen_at_s != seen_at_s)
            assert only(nodes).state is READY


async def test_a_node_that_falls_again_and_again_is_damped(tmp_path: Path) -> None:
    """It says so."""
    async with GglibNode(tmp_path, "m") as server, watching(server) as nodes:
        for _ in range(probing.FREE_FALLS + 1):
            await until_state(nodes, READY)
            await server.stop()
            nodes.report_failure("box")
            await until_state(nodes, DOWN)
            await server.start()
        await until(lambda: "It failed 3 times within a minute" in only(nodes).failure)
        assert only(nodes).state is DOWN
        await until_state(nodes, READY)


# -- nodes that refuse this gglib, and servers that are none --------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, "requires a key: set an environment variable"),
        ({"key_env": "BOX_KEY"}, "BOX_KEY has none"),
        ({"key_env": "BOX_KEY", "key": "a-wrong-key"}, "does not accept the key in BOX_KEY"),
        ({"key_env": "BOX_KEY", "key": USER}, "The key in BOX_KEY has no admin rights"),
    ],
)
async def test_a_key_that_is_not_enough_is_explained(
    tmp_path: Path, fields: dict[str, str], words: str
) -> None:
    """With the name of the variable; a command says the same."""
    keys: dict[str, ApiKey | str] = {"front": ADMIN, "user": ApiKey(key=USER)}
    async with (
        GglibNode(tmp_path, "m", api_keys=keys) as server,
        PeerNodes([peer(server.url, **fields)]) as nodes,
    ):
        assert words in (await until_state(nodes, REFUSED)).failure
        with pytest.raises(NodeRefusedError, match=words.replace(".", r"\.")):
            await nodes.load("box", "m", None)


async def test_a_node_is_ready_once_its_key_is_right(tmp_path: Path) -> None:
    """After the settings changed."""
    async with GglibNode(tmp_path, "m", api_keys={"front": ADMIN}) as server:
        wrong = peer(server.url, key_env="BOX_KEY", key="a-wrong-key")
        async with PeerNodes([wrong]) as nodes:
            await until_state(nodes, REFUSED)
            await nodes.replace_peers([replace(wrong, key=ADMIN)])
            await until_state(nodes, READY)


async def test_another_http_server_is_refused() -> None:
    """It answers everything with a page."""
    with foreign_server() as server:
        async with PeerNodes([peer(server.url())]) as nodes:
            assert (await until_state(nodes, REFUSED)).failure == (
                f"No gglib answers at {server.url()}: set the address of a gglib server with 'gglib node add URL "
                "--name box'."
            )


@pytest.mark.parametrize(
    ("reply", "state", "words"),
    [
        (json_reply({}, "404 Not Found"), REFUSED, "No gglib answers at"),
        (body_reply(b"", "302 Found"), REFUSED, "No gglib answers at"),
        (json_reply({"error": {"code": 1}}, "400 Bad Request"), REFUSED, "No gglib answers at"),
        (json_reply({"error": {"code": "https_required"}}, "400 Bad Request"), REFUSED, "serves HTTPS"),
        (body_reply(b"\x00\xff{garbage"), REFUSED, "No gglib answers at"),
        (body_reply(b'{"x":' + b"[" * 1_000_000), REFUSED, "No gglib answers at"),
        (json_reply({"version": "9.9", "residents": 3}), REFUSED, "runs gglib 9.9, whose responses gglib"),
        (json_reply({}, "502 Bad Gateway"), DOWN, "answered with status 502"),
        (raw_reply(b"SSH-2.0-OpenSSH_9.6\r\n"), DOWN, "sent a response that is not HTTP"),
        (body_reply(b"{}", length=10**12), DOWN, "sent a response of more than 4 MB"),
        (
            endless_reply(b"HTTP/1.1 200 OK\r\n\r\n", b" " * 65_536),
            DOWN,
            "sent a response of more than 4 MB",
        ),
        (endless_reply(b"HTTP/1.1 200 OK\r\n\r\n", b" ", pause_s=0.05), DOWN, "did not answer within 0.9 s"),
        (endless_reply(b"HTTP/1.1 200 OK\r\nx: ", b"y", pause_s=0.05), DOWN, "did not answer within 0.9 s"),
    ],
    ids=lambda value: "" if callable(value) else None,
)
async def test_a_hostile_status_is_bounded_and_explained(reply: Reply, state: NodeState, words: str) -> None:
    """In size and in time."""
    async with raw_server({STATUS: reply}) as server, PeerNodes([peer(server.url)]) as nodes:
        assert words in (await until_state(nodes, state)).failure


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (body_reply(b"garbage"), "runs gglib 0.1.0, whose responses"),
        (body_reply(b"[]", length=10**12), "more than 16 MB"),
        (json_reply({}, "500 Internal Server Error"), "answered with status 500"),
    ],
    ids=["garbage", "large", "error"],
)
async def test_a_catalogue_that_cannot_be_read_leaves_the_node_without_models(
    reply: Reply, words: str
) -> None:
    """It is ready, because it answers, and the reason is known."""
    async with raw_server({**gglib_replies(), MODELS: reply}) as server, watching(server) as nodes:
        assert only(nodes).models == ()
        assert words in only(nodes).failure


async def test_a_node_of_another_version_works_if_the_fields_are_there() -> None:
    """Without an instance id, without events, and with fields that this version does not know."""
    replies = {
        STATUS: json_reply({"version": "9.9", "residents": [], "moons": 2}),
        MODELS: json_reply({"models": [{"id": 1, "name": "m", "colour": "red"}]}),
    }
    async with raw_server(replies) as server, watching(server) as nodes:
        assert only(nodes).version == "9.9"
        assert [model.name for model in only(nodes).models] == ["m"]


async def test_this_gglib_cannot_be_its_own_node(tmp_path: Path) -> None:
    """Requests would go round in circles."""
    async with (
        GglibNode(tmp_path, "m") as server,
        PeerNodes([peer(server.url)], own_instance=server.shared.instance) as nodes,
    ):
        assert (await until_state(nodes, REFUSED)).failure == (
            f"{server.url} is this gglib itself: remove the node with 'gglib node remove box'."
        )


async def test_one_gglib_cannot_be_two_nodes(tmp_path: Path) -> None:
    """Its memory would count twice. When the first is removed, the second takes its place."""
    async with GglibNode(tmp_path, "m") as server:
        direct = peer(f"http://127.0.0.1:{server.port}", "direct")
        async with PeerNodes([direct]) as nodes:
            await until_state(nodes, READY)
            second = peer(server.url, "second")
            await nodes.replace_peers([direct, second])
            await until(lambda: nodes.snapshots()[1].state is REFUSED)
            assert "is the same gglib as node 'direct'" in nodes.snapshots()[1].failure
            await nodes.replace_peers([second])
            await until_state(nodes, READY)


# -- what the front learns, and when -------------------------------------------------------------------------


async def test_a_node_that_starts_or_stops_gets_no_new_requests() -> None:
    """By what its status says."""
    replies = gglib_replies()
    async with raw_server(replies) as server, watching(server) as nodes:
        replies[STATUS] = json_reply(
            {"version": "1", "residents": [], "instance": "raw", "readiness": "draining"}
        )
        nodes.report_failure("box")
        assert not (await until_state(nodes, DRAINING)).takes_requests
        replies[STATUS] = json_reply(
            {"version": "1", "residents": [], "instance": "new", "readiness": "starting"}
        )
        nodes.report_failure("box")
        assert "is starting" in (await until_state(nodes, DOWN)).failure
        replies[STATUS] = gglib_replies()[STATUS]
        await until_state(nodes, READY)


@pytest.mark.parametrize("news", [b"event: ready\ndata: {}\n\n", b""], ids=["an event", "its end"])
async def test_news_on_the_event_stream_is_known_before_the_next_probe(
    monkeypatch: pytest.MonkeyPatch, news: bytes
) -> None:
    """Here the next probe would be in an hour. A heartbeat is no news."""
    monkeypatch.setattr(probing, "PROBE_INTERVAL_S", 3600.0)
    is_beating, has_news = asyncio.Event(), asyncio.Event()

    async def events(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
        await is_beating.wait()
        writer.write(watcher.HEARTBEAT)
        await has_news.wait()
        writer.write(news)
        await writer.drain()
        if not news:
            writer.close()
        await asyncio.Event().wait()

    replies = {**gglib_replies("0.1.0", "m"), EVENTS: events}
    async with raw_server(replies) as server, watching(server) as nodes:
        await until(lambda: EVENTS in server.requests)
        probes = server.requests.count(STATUS)
        is_beating.set()
        await asyncio.sleep(0.2)
        assert server.requests.count(STATUS) == probes
        resident = {"model_id": 1, "model_name": "m", "state": "ready", "effective_ctx": 1}
        replies[STATUS] = json_reply({"version": "1", "residents": [resident], "instance": "raw"})
        has_news.set()
        await until(lambda: only(nodes).status.residents)


async def test_an_event_stream_without_end_causes_a_bounded_number_of_probes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is read slowly, and the network slows the node down."""
    sent, reads = [0], [0]
    read_part = UpstreamConnection.__anext__

    async def counted(connection: UpstreamConnection) -> bytes:
        part = await read_part(connection)
        reads[0] += part.startswith(b"event:") or len(part) > 10_000
        return part

    monkeypatch.setattr(UpstreamConnection, "__anext__", counted)
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"

    async def flood(writer: asyncio.StreamWriter) -> None:
        writer.write(head)
        while True:
            writer.write(b"event: snapshot\ndata: {}\n\n" * 2000)
            await writer.drain()
            sent[0] += 52_000
            await asyncio.sleep(0)

    async with raw_server({**gglib_replies(), EVENTS: flood}) as server, watching(server) as nodes:
        await until(lambda: sent[0] > 0)
        probes, parts, started_s = server.requests.count(STATUS), reads[0], time.monotonic()
        await asyncio.sleep(1)
        took_s = time.monotonic() - started_s
        assert server.requests.count(STATUS) - probes <= took_s / probing.MIN_GAP_S + 2
        assert 0 < reads[0] - parts <= took_s / watcher.DOORBELL_GAP_S + 2
        assert only(nodes).state is READY


async def test_the_models_of_a_run_that_is_over_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also if those of the new run cannot be read in time: then the node is ready without models."""
    monkeypatch.setattr(watcher, "FIRST_CATALOGUE_S", 0.05)
    replies = gglib_replies("0.1.0", "old")
    async with raw_server(replies) as server, watching(server) as nodes:
        await until(lambda: only(nodes).models)
        replies[MODELS] = endless_reply(b"HTTP/1.1 200 OK\r\n\r\n", b" ", pause_s=0.05)
        replies[STATUS] = gglib_replies(instance="new")[STATUS]
        nodes.report_failure("box")
        await until(lambda: only(nodes).models == ())
        assert only(nodes).state is READY


async def test_a_changed_catalogue_is_known_after_its_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without an event. The memory of models is read again with them, and only then."""
    monkeypatch.setattr(watcher, "CATALOGUE_INTERVAL_S", 0.02)
    replies = {
        **gglib_replies("0.1.0", "first"),
        FITS: json_reply({"fits": [{"model_id": 1, "need": {"total_bytes": 7}}]}),
    }
    async with raw_server(replies) as server, watching(server) as nodes:
        await until(lambda: [dict(model.need) for model in only(nodes).models] == [{"ram": 7}])
        await until(lambda: server.requests.count(MODELS) > 5)
        assert server.requests.count(FITS) == 1
        changes = nodes.changes
        replies[MODELS] = json_reply({"models": [{"id": 2, "name": "second"}]})
        await until(lambda: [model.name for model in only(nodes).models] == ["second"])
        assert nodes.changes > changes


async def test_a_model_in_memory_that_the_catalogue_lacks_makes_it_be_read_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Once: a model that was removed while it is in memory stays unknown."""
    monkeypatch.setattr(watcher, "CATALOGUE_INTERVAL_S", 3600.0)
    replies = gglib_replies("0.1.0", "first")
    async with raw_server(replies) as server, watching(server) as nodes:
        reads = server.requests.count(MODELS)
        resident = {"model_id": 2, "model_name": "second", "state": "ready", "effective_ctx": 1}
        replies[STATUS] = json_reply({"version": "1", "residents": [resident], "instance": "raw"})
        nodes.report_failure("box")
        await until(lambda: server.requests.count(MODELS) == reads + 1)
        probes = server.requests.count(STATUS)
        await until(lambda: server.requests.count(STATUS) > probes + 1)
        assert server.requests.count(MODELS) == reads + 1


async def test_an_idle_node_announces_no_change(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its times change with each probe."""
    monkeypatch.setattr(probing, "PROBE_INTERVAL_S", 0.02)
    async with raw_server(gglib_replies("0.1.0", "m")) as server, watching(server) as nodes:
        await until(lambda: server.requests.count(FITS) == 1)
        changes, probes = nodes.changes, server.requests.count(STATUS)
        await until(lambda: server.requests.count(STATUS) > probes + 10)
        assert nodes.changes == changes


async def test_two_fronts_watch_the_same_nodes(tmp_path: Path) -> None:
    """Each sees what the other causes; the end of one does not concern the other."""
    async with GglibNode(tmp_path, "m") as server, watching(server) as one:
        async with watching(server) as other:
            await one.load("box", "m", None)
            await until(lambda: only(other).status.residents)
        seen_at_s = only(one).seen_at_s
        await until(lambda: only(one).seen_at_s != seen_at_s)
        assert only(one).state is READY
        assert await one.unload("box", "m")


async def test_a_drained_node_is_not_interrupted(tmp_path: Path) -> None:
    """Its watch goes on, and it is ready again after the end of the order."""
    async with GglibNode(tmp_path, "m") as server, watching(server) as nodes:
        seen_at_s = only(nodes).seen_at_s
        await nodes.replace_peers([peer(server.url, is_drained=True)])
        assert (only(nodes).state, only(nodes).seen_at_s) == (DRAINING, seen_at_s)
        await nodes.load("box", "m", None)
        await nodes.replace_peers([peer(server.url)])
        assert only(nodes).state is READY
        await nodes.replace_peers([])
        assert nodes.snapshots() == ()
        assert nodes.endpoint("box") is None


async def test_an_error_in_a_watch_is_logged_and_does_not_end_it(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A bug must not freeze what is known of a node."""
    monkeypatch.setattr(watcher, "AFTER_BUG_S", 0.01)
    async with raw_server(gglib_replies()) as server, watching(server) as nodes:
        with monkeypatch.context() as patch, caplog.at_level(logging.ERROR, "gglib.nodes"):
            patch.setattr(watcher, "read_status", lambda _: 1 / 0)
            nodes.report_failure("box")
            await until(lambda: "node 'box': internal error" in caplog.text)
        seen_at_s = only(nodes).seen_at_s
        await until(lambda: only(nodes).seen_at_s != seen_at_s)
        assert only(nodes).state is READY


@pytest.mark.parametrize("answer", [b"garbage", b"{}"])
async def test_an_unload_whose_answer_cannot_be_read_has_happened(answer: bytes) -> None:
    """The node accepted it."""
    replies = {**gglib_replies(), "/gglib/models/a%2Fb/unload": body_reply(answer)}
    async with raw_server(replies) as server, watching(server) as nodes:
        assert await nodes.unload("box", "a/b")


async def test_closing_does_not_wait_for_a_hanging_node(tmp_path: Path) -> None:
    """No task or connection is left."""
    before = asyncio.all_tasks()
    async with GglibNode(tmp_path, "m") as server:
        nodes = PeerNodes([peer(server.url)])
        nodes.start()
        await until_state(nodes, READY)
        server.cable.freeze()
        load = asyncio.ensure_future(nodes.load("box", "m", None))
        await asyncio.sleep(0.05)
        async with asyncio.timeout(2):
            await nodes.close()
        load.cancel()
        await asyncio.gather(load, return_exceptions=True)
        left = [task for task in asyncio.all_tasks() - before if "gglib/nodes" in _file_of(task)]
        assert left == []


def _file_of(task: asyncio.Task[Any]) -> str:
    code = getattr(task.get_coro(), "cr_code", None)
    return "" if code is None else code.co_filename


# -- names and certificates ------------------------------------------------------------------------------------


async def test_a_name_that_cannot_be_resolved_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    """By its name servers, which answer that there is none."""

    async def fail(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", fail)
    async with PeerNodes([peer("http://box.example:8080")]) as nodes:
        assert "because the name 'box.example' cannot be resolved" in (await until_state(nodes, DOWN)).failure


async def test_at_most_one_lookup_of_a_node_is_in_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    """A lookup occupies a thread until its name servers answer, however often the node is probed meanwhile."""
    lookups: list[object] = []

    async def hang(*arguments: object, **_: object) -> None:
        lookups.append(arguments)
        await asyncio.Event().wait()

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", hang)
    client = PeerClient(peer("http://box.example:8080"))
    for _ in range(3):
        with pytest.raises(PeerFailedError, match="did not answer within"):
            await client.request(b"GET", STATUS, limit_bytes=1, timeout_s=0.01)
    assert len(lookups) == 1
    await client.close()


async def test_a_certificate_is_verified_with_the_ca_of_the_node(tmp_path: Path) -> None:
    """Without it the node is not trusted, and the message names the option."""
    public = write_certificate(tmp_path / "node.pem", name="IP:127.0.0.1")
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(tmp_path / "node.pem")
    async with (
        raw_server(gglib_replies("0.1.0", "m"), tls=tls) as server,
        PeerNodes([peer(server.url)]) as nodes,
    ):
        failure = (await until_state(nodes, DOWN)).failure
        assert "has a certificate that is not trusted" in failure
        assert "--ca FILE" in failure
        missing = tmp_path / "missing.pem"
        await nodes.replace_peers([peer(server.url, ca_file=missing)])
        await until(lambda: f"{missing} cannot be read" in only(nodes).failure)
        await nodes.replace_peers([peer(server.url, ca_file=public)])
        await until_state(nodes, READY)


async def test_a_download_is_followed(tmp_path: Path) -> None:
    """Its progress, its failure, and at its end the model that the node has then."""
    async with GglibNode(tmp_path / "box", "small") as node, watching(node) as nodes:
        assert await nodes.download("box", "ada/tiny") is None
        await nodes.pull("box", "ada/tiny")
        (download,) = await node.library.list_downloads()
        node.library.update(download.id, done_bytes=1, total_bytes=4, bytes_per_s=2)
        assert await nodes.download("box", "ada/tiny") == NodeDownload(
            state=DownloadState.RUNNING, done_bytes=1, total_bytes=4, bytes_per_s=2
        )
        await node.library.store.add_model(
            NewModel(name="tiny", paths=(), size_bytes=1, facts=GgufFacts(architecture="llama"))
        )
        node.library.finish(download.id, "tiny")
        found = await nodes.download("box", "ada/tiny")
        assert found is not None
        assert found.state is DownloadState.DONE
        await until(lambda: [model.name for model in only(nodes).models] == ["small", "tiny"])
        await nodes.pull("box", "ada/none")
        failing = (await node.library.list_downloads())[-1]
        node.library.fail(failing.id, RepositoryNotFoundError("There is no repository\n'ada/none'."))
        lost = await nodes.download("box", "ada/none")
        assert lost == NodeDownload(state=DownloadState.FAILED, error="There is no repository\\n'ada/none'.")
        nodes._download_ids["gone", "ada/tiny"] = "x"
        with pytest.raises(NodeUnreachableError):
            await nodes.download("gone", "ada/tiny")


async def test_what_is_no_download_is_unknown() -> None:
    """Another version, or another server."""
    replies = gglib_replies() | {
        "/gglib/downloads": json_reply({"id": "d1", "state": "queued"}),
        "/gglib/downloads/d1": json_reply({"id": "d1", "state": "teleporting"}),
    }
    async with raw_server(replies) as server, watching(server) as nodes:
        await nodes.pull("box", "ada/tiny")
        assert await nodes.download("box", "ada/tiny") is None


async def test_a_download_without_an_id_is_not_followed() -> None:
    """It goes on; nothing is known of it."""
    replies = gglib_replies() | {"/gglib/downloads": json_reply({"state": "queued"})}
    async with raw_server(replies) as server, watching(server) as nodes:
        await nodes.pull("box", "ada/tiny")
        assert await nodes.download("box", "ada/tiny") is None
