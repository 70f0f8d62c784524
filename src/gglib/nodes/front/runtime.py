"""The runtime of a front: runs models on this machine and on nodes.

A request goes to the node that ``placement`` chooses. On this machine it gets a lease of the own runtime; for another
node it gets that gglib's address, and the forwarded request is the lease: it waits in the node's own queue, under the
node's own promises, and ends with its connection.
"""

import asyncio
import logging
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import replace
from time import monotonic

from gglib.core.context import ContextRequest
from gglib.core.errors import NodeLostError, NoNodeError
from gglib.core.kinds import max_context
from gglib.core.memory import DeviceMemory
from gglib.core.models import ModelLaunchSpec, RunningTarget
from gglib.core.nodes import NodeState
from gglib.core.ports import EventSubscription, ModelRuntimePort, RuntimeStatus, SwapStatus
from gglib.core.priority import Priority
from gglib.nodes.estimates import Estimate, Step
from gglib.nodes.front.cluster import Cluster
from gglib.nodes.front.lease import Admission, NodeLease
from gglib.nodes.front.recent import Recent
from gglib.nodes.model_index import ClusterModel
from gglib.nodes.placement import Choice, NoNode, PlacementRequest

logger = logging.getLogger("gglib.nodes")

RETURN_WAIT_S = 10.0
"""How long a request waits for a node that is down or was never seen, if no other node can serve it: a restart."""
MAX_REQUESTS = 1024
"""Of how many requests the conversation, and the nodes that failed them, are kept."""
MAX_CONVERSATIONS = 4096
"""Of how many conversations the node is known."""
_AWAITED = (NodeState.UNKNOWN, NodeState.DOWN)


class FrontRuntime(ModelRuntimePort):
    """Runs a model here or on a node. Everything but requests is the own runtime's."""

    def __init__(self, own: ModelRuntimePort, cluster: Cluster) -> None:
        self._own = own
        self._cluster = cluster
        self._failed = Recent[dict[str, float]](MAX_REQUESTS)
        """The nodes that failed a request, by its id, with the time: others come first."""
        self._conversations = Recent[str](MAX_CONVERSATIONS)
        """The node of the last answer, by conversation."""
        self._conversation_of = Recent[str](MAX_REQUESTS)
        """The conversation of a request, by its id."""

    def note_conversation(self, request_id: str, conversation: str) -> None:
        """Note the conversation of a request before its admission: it prefers the node of its last answer."""
        if self._cluster.nodes.snapshots():
            self._conversation_of.set(request_id, conversation)

    # --- requests ---

    def admit(  # noqa: PLR0913 - the parameters of a request
        self,
        model_name: str,
        num_ctx: int | None,
        default_ctx: int,
        *,
        wait_s: float | None = None,
        request_id: str = "",
        spec: ModelLaunchSpec | None = None,
        priority: Priority = Priority.INTERACTIVE,
    ) -> AbstractAsyncContextManager[RunningTarget]:
        """Lease the target to one request, at the node that serves it best."""
        if not self._cluster.nodes.snapshots():
            return self._own.admit(
                model_name,
                num_ctx,
                default_ctx,
                wait_s=wait_s,
                request_id=request_id,
                spec=spec,
                priority=priority,
            )
        model = self._cluster.model(model_name)
        admission = Admission(
            model=model,
            context=_context(model, num_ctx, default_ctx),
            model_name=model_name,
            num_ctx=num_ctx,
            default_ctx=default_ctx,
            wait_s=wait_s,
            request_id=request_id,
            spec=spec,
            priority=priority,
        )
        if model is None or model.copies.keys() == {self._cluster.own.name}:
            return self.admit_here(admission, model_name)
        return NodeLease(self, admission)

    def admit_here(self, admission: Admission, model_name: str) -> AbstractAsyncContextManager[RunningTarget]:
        """Return a lease of this machine's own runtime, for a model by its name here."""
        spec = admission.spec
        return self._own.admit(
            model_name,
            admission.num_ctx,
            admission.default_ctx,
            wait_s=admission.wait_s,
            request_id=admission.request_id,
            spec=spec if spec is not None and spec.model_name == model_name else None,
            priority=admission.priority,
        )

    async def choose(self, admission: Admission) -> Choice:
        """Return the node of a request; waits a moment for a node that may return."""
        deadline_s = monotonic() + min(RETURN_WAIT_S, admission.wait_s or 0.0)
        model = admission.model
        while True:
            seen = self._cluster.nodes.changes
            found = self._choice(admission, model)
            if isinstance(found, Choice):
                if logger.isEnabledFor(logging.DEBUG):
                    logger.debug("%s: %s: %s", admission.request_id, found.node, found.reason)
                return found
            if self._is_for_own_error(found, admission):
                return Choice(
                    node=self._cluster.own.name,
                    model_name=admission.model_name,
                    estimate=Estimate(step=Step.LOAD, wait_s=0.0),
                )
            left_s = deadline_s - monotonic()
            if left_s <= 0 or not self._may_return(found, admission):
                raise NoNodeError(admission.model_name, str(found))
            with suppress(TimeoutError):
                async with asyncio.timeout(left_s):
                    await self._cluster.nodes.wait_for_change(seen)
            model = self._cluster.model(admission.model_name)

    def choose_other(self, admission: Admission) -> Choice | None:
        """Return a node beside this machine, which cannot run the model; None if there is none."""
        self._note_failure(admission, self._cluster.own.name)
        found = self._choice(admission, self._cluster.model(admission.model_name))
        is_other = isinstance(found, Choice) and found.node != self._cluster.own.name
        return found if is_other and isinstance(found, Choice) else None

    def target(self, admission: Admission, choice: Choice) -> RunningTarget | None:
        """Return the address of the model at a node; None for this machine. Raises ``NodeLostError``."""
        if choice.node == self._cluster.own.name:
            return None
        endpoint = self._cluster.nodes.endpoint(choice.node)
        if endpoint is None:
            raise NodeLostError(choice.node, "was removed")
        return RunningTarget(
            base_url=endpoint.url,
            model_id=0 if admission.spec is None else admission.spec.model_id,
            model_name=admission.model_name,
            effective_ctx=admission.context,
            bearer_key=endpoint.key,
            served_name=choice.model_name,
            is_remote=True,
            node=choice.node,
            ca_file=endpoint.ca_file,
        )

    def started(self, choice: Choice) -> None:
        """Count a request that is sent to a node."""
        self._cluster.sent.started(choice.node, choice.model_name)

    def ended(self, admission: Admission, choice: Choice, error: BaseException | None) -> None:
        """Note that a request has ended, or that its node failed it."""
        self._cluster.sent.ended(choice.node, choice.model_name)
        if not isinstance(error, NodeLostError):
            self._failed.pop(admission.request_id)
            conversation = self._conversation_of.pop(admission.request_id)
            if conversation is not None and error is None:
                self._conversations.set(conversation, choice.node)
            return
        logger.warning("%s: %s", admission.request_id, error)
        self._cluster.nodes.report_failure(choice.node)
        self._note_failure(admission, choice.node)

    def _note_failure(self, admission: Admission, node: str) -> None:
        failed = self._failed.get(admission.request_id) or {}
        self._failed.set(admission.request_id, failed | {node: monotonic()})

    def _failed_nodes(self, admission: Admission) -> frozenset[str]:
        """Return the nodes that failed the request and have not been seen since."""
        failed = self._failed.get(admission.request_id)
        if failed is None:
            return frozenset()
        return frozenset(node for node, failed_at_s in failed.items() if not self._is_back(node, failed_at_s))

    def _is_back(self, node: str, failed_at_s: float) -> bool:
        snapshot = self._cluster.snapshot(node)
        if snapshot is None or snapshot.seen_at_s is None or node == self._cluster.own.name:
            return False
        return snapshot.seen_at_s > failed_at_s

    def _choice(self, admission: Admission, model: ClusterModel | None) -> Choice | NoNode:
        if model is None:
            return NoNode(model=admission.model_name, reasons=(), with_files=())
        request = PlacementRequest(
            model=model.name,
            copies=model.copies,
            context=admission.context,
            conversation_node=self._conversations.get(self._conversation_of.get(admission.request_id)),
        )
        failed = self._failed.get(admission.request_id)
        if failed is None:
            return self._cluster.choose(request)
        found = self._cluster.choose(replace(request, excluded=frozenset(failed)))
        if isinstance(found, Choice):
            return found
        return self._cluster.choose(replace(request, excluded=self._failed_nodes(admission)))

    def _is_for_own_error(self, found: NoNode, admission: Admission) -> bool:
        """Whether this machine has the files: its own runtime knows best why it cannot run the model."""
        return self._cluster.own.name in found.with_files and not self._failed_nodes(admission)

    def _may_return(self, found: NoNode, admission: Admission) -> bool:
        """Whether a node with the model's files may be back in a moment."""
        failed = self._failed_nodes(admission)
        others = (node for node in found.with_files if node != self._cluster.own.name)
        snapshots = filter(None, map(self._cluster.snapshot, others))
        return any(snapshot.state in _AWAITED or snapshot.name in failed for snapshot in snapshots)

    async def ensure_model_running(
        self, model_name: str, num_ctx: int | None, default_ctx: int
    ) -> RunningTarget:
        """Return a target that runs the model, without a lease."""
        async with self.admit(model_name, num_ctx, default_ctx) as target:
            return target

    # --- this machine's models ---

    async def current_model(self) -> RunningTarget | None:
        """Return the most recently used ready model of this machine, or None."""
        return await self._own.current_model()

    async def loaded_target(self, model_name: str) -> RunningTarget | None:
        """Return the target of a ready model of this machine, or None."""
        return await self._own.loaded_target(model_name)

    async def load(self, model_name: str, num_ctx: int | None, default_ctx: int) -> RunningTarget:
        """Load a model on this machine."""
        return await self._own.load(model_name, num_ctx, default_ctx)

    async def unload(self, model_name: str) -> bool:
        """Unload a model of this machine."""
        return await self._own.unload(model_name)

    async def stop_current(self) -> None:
        """Unload all models of this machine."""
        await self._own.stop_current()

    async def apply_pins(self) -> None:
        """Apply the pins of this machine's catalogue."""
        await self._own.apply_pins()

    def is_blocking_swap(self, target: RunningTarget) -> bool:
        """Whether ``target`` drains while other requests wait, on this machine."""
        return target.node is None and self._own.is_blocking_swap(target)

    async def status(self) -> RuntimeStatus:
        """Return the status of this machine."""
        return await self._own.status()

    def swap_of(self, request_id: str) -> SwapStatus | None:
        """Return the finished swap that a request caused on this machine."""
        return self._own.swap_of(request_id)

    def swaps(self, limit: int) -> tuple[SwapStatus, ...]:
        """Return the last finished swaps of this machine."""
        return self._own.swaps(limit)

    async def devices(self) -> Mapping[str, DeviceMemory]:
        """Return the memory of this machine."""
        return await self._own.devices()

    def subscribe(self) -> EventSubscription | None:
        """Return the events of this machine."""
        return self._own.subscribe()


def _context(model: ClusterModel | None, num_ctx: int | None, default_ctx: int) -> int:
    """Return the context that a request needs, in tokens."""
    summary = None if model is None else model.summary
    return ContextRequest(
        requested=num_ctx,
        model_setting=None if summary is None else summary.settings.context,
        default=default_ctx,
        trained=None if summary is None else max_context(summary),
    ).needed
