"""Downloads of models to nodes, each once for all requests that wait for it.

A download is the node's own: it goes on whatever happens here. It is followed until the node has the model, so that its
end, and its failure, are known at once.
"""

import asyncio
import logging
import math
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from time import monotonic

from gglib.core.errors import ModelDownloadingError, NodeError, NodeUnreachableError
from gglib.core.hub.downloads import DownloadState
from gglib.core.nodes import NodeDownload
from gglib.nodes.estimates import Estimate, Step
from gglib.nodes.front.cluster import Cluster
from gglib.nodes.model_index import ClusterModel
from gglib.nodes.placement import Choice, NoNode, PlacementRequest
from gglib.nodes.pull_sources import PullFailures, pull_bytes, pull_source

logger = logging.getLogger("gglib.nodes")

POLL_S = 1.0
"""How often the state of a download is read."""
LOST_S = 60.0
"""How long the node of a download may be unreachable before the download counts as failed: a restart, or a network."""
UNKNOWN_S = 1800.0
"""How long a download counts as running whose state is not known from the beginning."""
INDEXED_S = 30.0
"""How long a node may take to list a model that it has downloaded."""
RETRY_AFTER_S = 30.0
"""The ``Retry-After`` of a request for a download whose speed is unknown."""


class PullFailedError(Exception):
    """A download failed; the message is a sentence."""


@dataclass(slots=True, kw_only=True)
class _Pull:
    """A download in progress."""

    model_name: str
    node: str
    source: str
    last: NodeDownload | None = None
    """Its last known state."""
    task: "asyncio.Task[None]" = field(init=False)


class Pulls:
    """The downloads that requests wait for. Used in one event loop."""

    def __init__(self, cluster: Cluster, *, clock: Callable[[], float] = monotonic) -> None:
        self._cluster = cluster
        self._nodes = cluster.nodes
        self._clock = clock
        self._pulls: dict[str, _Pull] = {}
        """By source."""
        self._failures = PullFailures()

    def choose(self, model: ClusterModel, request: PlacementRequest) -> Choice | NoNode | None:
        """Return the node that a model is downloaded to, or why there is none; None if it has no source.

        Never this machine: a front may have little space. Nor a node that has just failed to download it. A download in
        progress stays where it is.
        """
        source = pull_source(model)
        if source is None:
            return None
        if source in self._pulls:
            running = self._pulls[source]
            return Choice(
                node=running.node, model_name=model.name, estimate=Estimate(step=Step.PULL, wait_s=0.0)
            )
        failures = self._failures.reasons(source, self._clock())
        no_pull = failures | {self._cluster.own.name: "does not have its files"}
        return self._cluster.choose(replace(request, pull_bytes=pull_bytes(model), no_pull=no_pull))

    async def wait(self, model: ClusterModel, node: str, *, seen: int, until_s: float) -> None:
        """Return when the download of a model has ended, well or not; begin it at ``node`` if it is not in progress.

        Returns also when the nodes' ``changes`` differ from ``seen``: one that has the model may be back.

        Raises ``ModelDownloadingError`` at ``until_s`` (by the clock), and after ``close``; the download goes on.
        """
        source, model_name = pull_source(model), model.name
        if source is None:
            raise ValueError(f"'{model_name}' has no source.")
        pull = self._pulls.get(source)
        if pull is None:
            pull = self._pulls[source] = _Pull(model_name=model_name, node=node, source=source)
            pull.task = asyncio.create_task(self._run(pull), name=f"pull-{model_name}")
        left_s = until_s - self._clock()
        if left_s > 0:
            change = asyncio.ensure_future(self._nodes.wait_for_change(seen))
            try:
                await asyncio.wait(
                    (pull.task, change),
                    timeout=None if left_s == math.inf else left_s,
                    return_when=asyncio.FIRST_COMPLETED,
                )
            finally:
                change.cancel()
        if pull.task.cancelled() or (not pull.task.done() and self._clock() >= until_s):
            raise _downloading_error(model_name, pull.last)

    async def close(self) -> None:
        """Stop following the downloads, which go on."""
        tasks = [pull.task for pull in self._pulls.values()]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def _run(self, pull: _Pull) -> None:
        logger.info("'%s' is downloaded to node '%s'", pull.model_name, pull.node)
        try:
            await self._download(pull)
        except (NodeError, PullFailedError) as error:
            self._failures.note(pull.source, pull.node, str(error), self._clock())
            logger.warning("'%s' was not downloaded to node '%s': %s", pull.model_name, pull.node, error)
        except Exception:
            self._failures.note(pull.source, pull.node, "internal error", self._clock())
            logger.exception("'%s' was not downloaded to node '%s'", pull.model_name, pull.node)
        else:
            self._failures.succeeded(pull.source)
            logger.info("node '%s' has downloaded '%s'", pull.node, pull.model_name)
        finally:
            del self._pulls[pull.source]

    async def _download(self, pull: _Pull) -> None:
        """Return when the node has the model. Raises ``NodeError`` and ``PullFailedError``."""
        await self._nodes.pull(pull.node, pull.source)
        next_poll_s = answered_s = known_s = self._clock()
        done_s: float | None = None
        while True:
            seen = self._nodes.changes
            if self._cluster.has_model(pull.node, pull.model_name):
                return
            now_s = self._clock()
            if now_s >= next_poll_s:
                next_poll_s = now_s + POLL_S
                if await self._poll(pull, is_lost=now_s - answered_s > LOST_S):
                    answered_s = now_s
            known_s = known_s if pull.last is None else now_s
            if now_s - known_s > UNKNOWN_S:
                raise PullFailedError("nothing is known of its progress")
            if pull.last is not None and pull.last.state is DownloadState.DONE:
                done_s = done_s or now_s
                if now_s - done_s > INDEXED_S:
                    raise PullFailedError("the downloaded files are not those of the model")
            with suppress(TimeoutError):
                async with asyncio.timeout(POLL_S):
                    await self._nodes.wait_for_change(seen)

    async def _poll(self, pull: _Pull, *, is_lost: bool) -> bool:
        """Read the state of a download, and return whether its node has answered.

        Raises ``NodeError``, of an unreachable node only if it ``is_lost``, and ``PullFailedError``.
        """
        try:
            found = await self._nodes.download(pull.node, pull.source)
        except NodeUnreachableError:
            if is_lost:
                raise
            return False
        pull.last = found or pull.last
        if found is not None and not found.state.is_active and found.state is not DownloadState.DONE:
            raise PullFailedError(found.error or f"the download is {found.state.value} there")
        return True


def _downloading_error(model_name: str, download: NodeDownload | None) -> ModelDownloadingError:
    if download is None:
        return ModelDownloadingError(model_name, RETRY_AFTER_S)
    left_s = None
    if download.bytes_per_s and download.total_bytes is not None:
        left_s = max(0, download.total_bytes - download.done_bytes) / download.bytes_per_s
    return ModelDownloadingError(
        model_name,
        RETRY_AFTER_S if left_s is None else left_s,
        done_bytes=download.done_bytes,
        total_bytes=download.total_bytes,
    )
