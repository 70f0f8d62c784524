"""The port to the nodes of a cluster, for nodes by address."""

import asyncio
import json
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from time import monotonic
from types import TracebackType
from typing import Self
from urllib.parse import quote

from gglib.core.addresses import Endpoint
from gglib.core.errors import NodeError, NodeRefusedError, NodeUnreachableError
from gglib.core.hub.downloads import DownloadState
from gglib.core.nodes import NodeDownload, NodeSnapshot, NodeState
from gglib.core.ports.nodes import NodesPort
from gglib.http.tasks import run_until_first_ends
from gglib.nodes.peers import failures
from gglib.nodes.peers.client import PeerResponse
from gglib.nodes.peers.failures import PeerFailedError
from gglib.nodes.peers.messages import (
    UnreadableError,
    read_download,
    read_error,
    read_was_stopped,
    read_was_withdrawn,
)
from gglib.nodes.peers.peer import Peer
from gglib.nodes.peers.watcher import PeerWatcher

MAX_ANSWER_BYTES = 1_000_000
"""The largest response to a command."""
QUEUED_TIMEOUT_S = 30.0
"""For a command that does not wait for a model."""
WITHDRAW_TIMEOUT_S = 2.0
"""For a withdrawal. Without a result the request stays, or comes back later: nothing is lost."""
_FIRST_ERROR_STATUS = 400


class PeerNodes(NodesPort):
    """Nodes by address. Watches them from the beginning of its block, or from ``start``, to ``close``.

    ``own_instance`` is the id of this gglib's own server (``instance`` of ``GET /gglib/status``), which cannot be a
    node of itself.
    """

    def __init__(
        self, peers: Iterable[Peer], *, own_instance: str = "", clock: Callable[[], float] = monotonic
    ) -> None:
        self._peers = tuple(peers)
        self._own_instance = own_instance
        self._clock = clock
        self._watchers: dict[str, PeerWatcher] = {}
        self._changes = 0
        self._has_changed = asyncio.Event()
        """Set at the next change, which replaces it."""
        self._snapshots: tuple[NodeSnapshot, ...] = ()
        self._download_ids: dict[tuple[str, str], str] = {}
        """The id of the last download at a node, by node and source."""

    async def __aenter__(self) -> Self:
        self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def start(self) -> None:
        """Start watching, in the running loop."""
        self._watchers = {peer.name: self._watcher(peer) for peer in self._peers}
        self._update(is_change=True)

    async def replace_peers(self, peers: Iterable[Peer]) -> None:
        """Watch other nodes from now on. A node that stays the same, or is only drained, is not interrupted."""
        before, self._watchers = self._watchers, {}
        for peer in peers:
            watcher = before.pop(peer.name, None)
            if watcher is not None and _differ_in_drain_only(watcher.peer, peer):
                self._watchers[peer.name] = watcher
                watcher.set_drained(peer)
            else:
                if watcher is not None:
                    before[peer.name] = watcher
                self._watchers[peer.name] = self._watcher(peer)
        self._update(is_change=True)
        await asyncio.gather(*(watcher.close() for watcher in before.values()))

    def snapshots(self) -> Sequence[NodeSnapshot]:
        """Return the last known state of each node, in the order of the settings."""
        return self._snapshots

    @property
    def changes(self) -> int:
        """Grows with each change of the snapshots, except of times and of a little free memory."""
        return self._changes

    async def wait_for_change(self, since: int) -> int:
        """Return ``changes`` as soon as it differs from ``since``."""
        while self._changes == since:
            await self._has_changed.wait()
        return self._changes

    def endpoint(self, node: str) -> Endpoint | None:
        """Return the address and key of a node; None if there is no such node (any more)."""
        watcher = self._watchers.get(node)
        if watcher is None:
            return None
        peer = watcher.peer
        trusted = None if peer.ca_file is None else str(peer.ca_file)
        return Endpoint(peer.url, peer.key, is_remote=True, ca_file=trusted)

    def report_failure(self, node: str) -> None:
        """Note that an exchange with the node failed: it is probed now."""
        if node in self._watchers:
            self._watchers[node].hurry()

    async def load(self, node: str, model_name: str, num_ctx: int | None) -> None:
        """Load a model there, and return when it is ready."""
        body = {} if num_ctx is None else {"num_ctx": num_ctx}
        await self._command(node, f"/gglib/models/{quote(model_name, safe='')}/load", body)

    async def unload(self, node: str, model_name: str) -> bool:
        """Unload a model there; False if it was not in memory."""
        response = await self._command(node, f"/gglib/models/{quote(model_name, safe='')}/unload", None)
        try:
            return read_was_stopped(response.body)
        except UnreadableError:
            return True

    async def pull(self, node: str, source: str) -> None:
        """Have the node download a model; return when the download is queued."""
        response = await self._command(
            node, "/gglib/downloads", {"target": source}, timeout_s=QUEUED_TIMEOUT_S
        )
        with suppress(UnreadableError):
            self._download_ids[node, source] = read_download(response.body)[0]

    async def download(self, node: str, source: str) -> NodeDownload | None:
        """Return the state of a download of ``pull``; its models are read at once when it is done."""
        number = self._download_ids.get((node, source))
        if number is None:
            return None
        path = f"/gglib/downloads/{quote(number, safe='')}"
        response = await self._command(node, path, None, method=b"GET", timeout_s=QUEUED_TIMEOUT_S)
        try:
            _, found = read_download(response.body)
        except UnreadableError:
            return None
        if found.state is DownloadState.DONE and node in self._watchers:
            self._watchers[node].read_models_now()
        return found

    async def withdraw(self, node: str, request_id: str) -> bool:
        """Have a request given back that waits there; False if it was not."""
        front = quote(self._own_instance, safe="")
        path = f"/gglib/requests/{quote(request_id, safe='')}/withdraw?front={front}"
        try:
            response = await self._command(node, path, None, timeout_s=WITHDRAW_TIMEOUT_S)
            return read_was_withdrawn(response.body)
        except (NodeError, UnreadableError):
            return False

    async def close(self) -> None:
        """Stop watching the nodes. They keep running, with their requests."""
        watchers, self._watchers = self._watchers, {}
        await asyncio.gather(*(watcher.close() for watcher in watchers.values()))

    async def _command(
        self, node: str, path: str, body: object, *, method: bytes = b"POST", timeout_s: float | None = None
    ) -> PeerResponse:
        """Send a command, and return its response. A node that is lost meanwhile ends the wait."""
        watcher = self._watchers.get(node)
        if watcher is None:
            raise NodeUnreachableError(f"There is no node '{node}': list the nodes with 'gglib node list'.")
        content = b"" if body is None else json.dumps(body).encode()
        exchange = watcher.client.request(
            method, path, content, limit_bytes=MAX_ANSWER_BYTES, timeout_s=timeout_s
        )
        response: PeerResponse | None = None
        try:
            for ended in await run_until_first_ends(exchange, watcher.wait_until_lost()):
                result = ended.result()
                response = result if isinstance(result, PeerResponse) else response
        except PeerFailedError as error:
            raise NodeUnreachableError(str(error)) from error
        finally:
            watcher.hurry()
        if response is None:
            raise _lost(watcher.snapshot)
        if response.status >= _FIRST_ERROR_STATUS:
            message = failures.refused_command(watcher.peer, response.status, read_error(response.body))
            raise NodeRefusedError(message)
        return response

    def _watcher(self, peer: Peer) -> PeerWatcher:
        watcher = PeerWatcher(
            peer,
            on_update=lambda is_change: self._update(is_change=is_change),
            check_instance=self._objection,
            clock=self._clock,
        )
        watcher.start()
        return watcher

    def _update(self, *, is_change: bool) -> None:
        self._snapshots = tuple(watcher.snapshot for watcher in self._watchers.values())
        if is_change:
            self._changes += 1
            self._has_changed.set()
            self._has_changed = asyncio.Event()

    def _objection(self, peer: Peer, instance: str) -> str | None:
        """Return why a gglib cannot be a node: it is this one, or one that is known already; None if it can."""
        if not instance:
            return None
        if instance == self._own_instance:
            return failures.itself(peer)
        others = (
            name
            for name, watcher in self._watchers.items()
            if watcher.instance == instance and name != peer.name
        )
        other = next(others, None)
        return None if other is None else failures.same_as(peer, other)


def _lost(snapshot: NodeSnapshot) -> NodeRefusedError | NodeUnreachableError:
    error = NodeRefusedError if snapshot.state is NodeState.REFUSED else NodeUnreachableError
    return error(snapshot.failure)


def _differ_in_drain_only(one: Peer, other: Peer) -> bool:
    return replace(one, is_drained=other.is_drained) == other
