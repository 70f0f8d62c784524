"""Watches one node: probes it, reads its catalogue, and follows its events.

Three tasks, each of which goes on after any error:

- The probe (``GET /gglib/status``) decides alone which state the node is in.
- The event stream is a doorbell: what it says is not read, but when it says something, or ends, the next probe is due
  at once. So a change is known within a tenth of a second, and a stream that is cut without an end does no harm.
- The catalogue is read when the node's server is another run than before, when a model is in memory that it does not
  have, and every ``CATALOGUE_INTERVAL_S``.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import replace
from time import monotonic
from typing import Any

from gglib.core.nodes import NodeSnapshot
from gglib.http.client.connection import UpstreamConnection
from gglib.http.errors import PlainHttpError, TransportError
from gglib.http.tasks import BackgroundTasks, run_until_first_ends
from gglib.nodes.peers import failures
from gglib.nodes.peers.catalogue import OK, PeerCatalogue
from gglib.nodes.peers.client import PeerClient
from gglib.nodes.peers.differences import has_changed
from gglib.nodes.peers.failures import PeerFailedError, PeerRefusedError
from gglib.nodes.peers.messages import (
    DRAINING,
    STARTING,
    PeerStatus,
    UnreadableError,
    read_error_code,
    read_status,
)
from gglib.nodes.peers.peer import Peer
from gglib.nodes.peers.probing import PROBE_TIMEOUT_S, PeerProbing

logger = logging.getLogger("gglib.nodes")

MAX_STATUS_BYTES = 4_000_000
CATALOGUE_INTERVAL_S = 10.0
FIRST_CATALOGUE_S = 1.0
"""How long a node that is new or was restarted is not ready because its catalogue has not been read."""
DOORBELL_GAP_S = 0.1
"""The event stream is read at most so often: a node that sends without end is slowed down by the network."""
FOLLOW_AGAIN_S = 2.0
AFTER_BUG_S = 1.0
HEARTBEAT = b":\n\n"
_SERVER_ERROR = 500

CheckInstance = Callable[[Peer, str], str | None]
"""Returns why a node with an instance id cannot be used, as a sentence; None if it can."""


class PeerWatcher:
    """What is known of one node, kept current until ``close``."""

    def __init__(
        self,
        peer: Peer,
        *,
        on_update: Callable[[bool], None],
        check_instance: CheckInstance,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        """Begin with ``start``. ``on_update`` is called for each new snapshot, with whether it differs in substance."""
        self.peer = peer
        self.client = PeerClient(peer)
        self.snapshot = NodeSnapshot(name=peer.name, url=peer.url)
        """The last known state."""
        self.instance: str | None = None
        """Random id of the run of the node's server; empty if the node sends none, None while the node is lost."""
        self._announced = self.snapshot
        self._on_update = on_update
        self._check_instance = check_instance
        self._clock = clock
        self._probing = PeerProbing(clock(), is_drained=peer.is_drained)
        self._catalogue = PeerCatalogue(self.client)
        self._status: PeerStatus | None = None
        self._seen_at_s: float | None = None
        self._tasks = BackgroundTasks()
        self._is_probe_hurried = asyncio.Event()
        self._is_catalogue_due = asyncio.Event()
        self._is_catalogue_read = asyncio.Event()
        self._is_answering = asyncio.Event()
        self._is_lost = asyncio.Event()
        """Set when a run of the node's server is over as far as this gglib can tell, until another one answers."""
        self._unknown_models: frozenset[str] = frozenset()
        """Models in memory that its catalogue did not have."""

    def start(self) -> None:
        """Start watching."""
        for step in (self._probe_once, self._read_catalogue_once, self._follow_once):
            self._tasks.start(self._repeat(step))

    async def close(self) -> None:
        """Stop watching, and close all connections."""
        await self._tasks.close()
        await self.client.close()

    def hurry(self) -> None:
        """Probe now."""
        self._probing.hurry(self._clock())
        self._is_probe_hurried.set()

    def read_models_now(self) -> None:
        """Read the catalogue now: the node has another model."""
        self._is_catalogue_due.set()

    def set_drained(self, peer: Peer) -> None:
        """Take the order to drain, or its end, from another ``Peer`` that differs in nothing else."""
        self.peer = peer
        self._probing.is_drained = peer.is_drained
        self._publish()

    async def wait_until_lost(self) -> None:
        """Return when the node is down, or refuses this gglib."""
        await self._is_lost.wait()

    # -- the tasks -----------------------------------------------------------------------------------------

    async def _repeat(self, step: Callable[[], Awaitable[None]]) -> None:
        """Repeat a step for ever. A bug in it is logged, and does not end the watch."""
        while True:
            try:
                await step()
            except Exception:
                logger.exception("node '%s': internal error", self.peer.name)
                await asyncio.sleep(AFTER_BUG_S)

    async def _probe_once(self) -> None:
        await self._wait_until_due()
        self._probing.begin(self._clock())
        try:
            await self._receive(await self._read_status())
        except PeerFailedError as error:
            self._probing.failed(self._clock(), str(error))
            self._lose_if_silent()
        except PeerRefusedError as error:
            self._probing.refused(self._clock(), str(error))
            self._lose_if_silent()
        except Exception:
            # Without an answer that is understood, the node must not stay ready for ever.
            self._probing.failed(self._clock(), failures.internal_error(self.peer))
            self._lose_if_silent()
            raise
        finally:
            self._publish()

    def _lose_if_silent(self) -> None:
        """After a failure: note that the run of the node's server is over, unless the node counts as answering."""
        if not self._probing.is_answering:
            self.instance = None
            self._is_lost.set()

    async def _wait_until_due(self) -> None:
        while (delay_s := self._probing.next_probe_s - self._clock()) > 0:
            self._is_probe_hurried.clear()
            await _wait(self._is_probe_hurried, delay_s)

    async def _read_status(self) -> PeerStatus:
        """Return the status of the node. Raises ``PeerFailedError`` and ``PeerRefusedError``."""
        response = await self.client.request(
            b"GET", "/gglib/status", limit_bytes=MAX_STATUS_BYTES, timeout_s=PROBE_TIMEOUT_S
        )
        if response.status in {failures.UNAUTHORIZED, failures.FORBIDDEN}:
            raise PeerRefusedError(failures.key_refused(self.peer, response.status))
        if response.status >= _SERVER_ERROR:
            raise PeerFailedError(failures.failing(self.peer, response.status))
        if response.status != OK:
            needs_https = read_error_code(response.body) == PlainHttpError.code
            refusal = failures.https_required if needs_https else failures.not_gglib
            raise PeerRefusedError(refusal(self.peer))
        try:
            return read_status(response.body)
        except UnreadableError as error:
            if error.version is None:
                raise PeerRefusedError(failures.not_gglib(self.peer)) from None
            raise PeerRefusedError(failures.other_version(self.peer, error.version)) from None

    async def _receive(self, status: PeerStatus) -> None:
        """Take a status over. Raises ``PeerRefusedError`` for a gglib that cannot be a node of this one."""
        objection = self._check_instance(self.peer, status.instance)
        if objection is not None:
            raise PeerRefusedError(objection)
        is_new_run = status.instance != self.instance
        self._status, self.instance, self._seen_at_s = status, status.instance, self._clock()
        self._is_lost.clear()
        if is_new_run:
            self._catalogue.clear()
            self._is_catalogue_read.clear()
        if self._has_new_models(status) or is_new_run:
            self._is_catalogue_due.set()
        if is_new_run:
            await _wait(self._is_catalogue_read, FIRST_CATALOGUE_S)
        if status.readiness == STARTING:
            self._probing.starting(failures.starting(self.peer))
        elif status.readiness == DRAINING:
            self._probing.draining()
        else:
            self._probing.ready(self._clock())

    def _has_new_models(self, status: PeerStatus) -> bool:
        """Whether models are in memory that the catalogue does not have, and that are not known to be missing there."""
        known = {model.name for model in self._catalogue.models}
        unknown = frozenset(resident.model_name for resident in status.runtime.residents) - known
        has_new = bool(unknown - self._unknown_models)
        self._unknown_models = unknown
        return has_new

    async def _read_catalogue_once(self) -> None:
        await _wait(self._is_catalogue_due, CATALOGUE_INTERVAL_S)
        self._is_catalogue_due.clear()
        if self._status is not None and not self._is_lost.is_set():
            await self._unless_lost(self._read_catalogue(self._status))

    async def _read_catalogue(self, status: PeerStatus) -> None:
        are_new = await self._catalogue.read_models(status.version)
        self._catalogue.apply(status.devices)
        self._is_catalogue_read.set()
        self._publish()
        if are_new:
            await self._catalogue.read_needs()
            self._catalogue.apply(status.devices)
            self._publish()

    async def _unless_lost(self, work: Coroutine[Any, Any, None]) -> None:
        """Run ``work`` until its end, or until the node is lost."""
        for ended in await run_until_first_ends(work, self._is_lost.wait()):
            ended.result()

    async def _follow_once(self) -> None:
        await self._is_answering.wait()
        await self._unless_lost(self._listen())
        await asyncio.sleep(FOLLOW_AGAIN_S)

    async def _listen(self) -> None:
        """Probe when the node's event stream says something, and when it ends; then return."""
        with contextlib.suppress(PeerFailedError):
            async with self.client.open_stream("/gglib/events") as stream:
                if stream.head.status == OK:  # else a server without events, where the probes are enough
                    await self._hear(stream)
                    self.hurry()

    async def _hear(self, stream: UpstreamConnection) -> None:
        with contextlib.suppress(TransportError):
            async for part in stream:
                if part != HEARTBEAT:
                    self.hurry()
                await asyncio.sleep(DOORBELL_GAP_S)

    # -- the result ----------------------------------------------------------------------------------------

    def _publish(self) -> None:
        """Make the snapshot anew."""
        status = self._status
        if self._probing.is_answering:
            self._is_answering.set()
        else:
            self._is_answering.clear()
        self.snapshot = NodeSnapshot(
            name=self.peer.name,
            url=self.peer.url,
            state=self._probing.state,
            failure=self._probing.failure or self._catalogue.failure,
            models=self._catalogue.models,
            seen_at_s=self._seen_at_s,
        )
        if status is not None:
            self.snapshot = replace(
                self.snapshot, status=status.runtime, devices=status.devices, version=status.version
            )
        is_change = has_changed(self._announced, self.snapshot)
        if is_change:
            self._announced = self.snapshot
        self._on_update(is_change)


async def _wait(event: asyncio.Event, limit_s: float) -> None:
    """Wait for an event, at most ``limit_s`` seconds."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(limit_s):
            await event.wait()
