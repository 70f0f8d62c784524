"""The runtime of a front: runs models on this machine and on nodes.

A request goes to the node that ``placement`` chooses. On this machine it gets a lease of the own runtime; for another
node it gets that gglib's address, and the forwarded request is the lease: it waits in the node's own queue, under the
node's own promises, and ends with its connection.
"""

import asyncio
import logging
import math
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import replace
from time import monotonic

from gglib.core.context import ContextRequest
from gglib.core.errors import NodeLostError, NoNodeError, RequestWithdrawnError
from gglib.core.models import ModelLaunchSpec, RunningTarget
from gglib.core.nodes import NodeState
from gglib.core.ports import ModelRuntimePort
from gglib.core.priority import Priority
from gglib.nodes.estimates import Estimate, Step
from gglib.nodes.front.cluster import Cluster
from gglib.nodes.front.lease import CANNOT_RUN_HERE, Admission, NodeLease
from gglib.nodes.front.mover import Mover
from gglib.nodes.front.own_models import OwnModels
from gglib.nodes.front.pulls import Pulls
from gglib.nodes.front.recent import Recent
from gglib.nodes.front.rules import FrontRules
from gglib.nodes.front.waiting import EndWait, SentRequest
from gglib.nodes.model_index import ClusterModel
from gglib.nodes.placement import Choice, NoNode, PlacementRequest, is_allowed
from gglib.nodes.pull_sources import pull_source

logger = logging.getLogger("gglib.nodes")

RETURN_WAIT_S = 10.0
"""How long a request waits for a node that is down or was never seen, if no other node can serve it: a restart."""
MAX_REQUESTS = 1024
"""Of how many requests the conversation, and the nodes that failed them, are kept."""
MAX_CONVERSATIONS = 4096
"""Of how many conversations the node is known."""
_GOES_ON = (RequestWithdrawnError, *CANNOT_RUN_HERE)
"""Ends of a request at one node that are not its end, if another node can serve it."""
_AWAITED = (NodeState.UNKNOWN, NodeState.DOWN)


class FrontRuntime(OwnModels):
    """Runs a model here or on a node. Everything but requests is the own runtime's."""

    def __init__(self, own: ModelRuntimePort, cluster: Cluster) -> None:
        super().__init__(own)
        self.rules = FrontRules()
        """What the user has set; replaced by a reload."""
        self._cluster = cluster
        self._pulls = Pulls(cluster)
        self.mover = Mover(cluster)
        self._failed = Recent[dict[str, float]](MAX_REQUESTS)
        """The nodes that failed a request, with the time: others come first. By ``_failed_key``."""
        self._conversations = Recent[str](MAX_CONVERSATIONS)
        """The node of the last answer, by conversation."""
        self._conversation_of = Recent[tuple[str, int]](MAX_REQUESTS)
        """The conversation of a request and the size of its body, by its id."""

    def note_conversation(self, request_id: str, conversation: str, size_bytes: int) -> None:
        """Note the conversation of a request before its admission: it prefers the node of its last answer.

        ``size_bytes`` is the size of its body, from which the duration of its prompt is estimated.
        """
        if self._cluster.nodes.snapshots():
            self._conversation_of.set(request_id, (conversation, size_bytes))

    async def close(self) -> None:
        """Stop following downloads, which go on. Requests that wait for one end with ``ModelDownloadingError``."""
        await self._pulls.close()

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
        if model is None or self._stays_here(model):
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
        """Return the node of a request; waits a moment for a node that may return, or for a download."""
        started_s = monotonic()
        deadline_s = started_s + min(RETURN_WAIT_S, admission.wait_s or 0.0)
        model = admission.model
        planned = None if model is None else self.mover.planned(admission.request_id, model.name)
        if planned is not None:
            return planned
        while True:
            seen = self._cluster.nodes.changes
            found = self._choice(admission, model)
            if isinstance(found, Choice):
                if logger.isEnabledFor(logging.DEBUG):
                    logger.debug("%s: %s: %s", admission.request_id, found.node, found.reason)
                return found
            is_soon = monotonic() - started_s < RETURN_WAIT_S and self._may_be_restarted(found, admission)
            pull = None if is_soon else self._pull_choice(admission, model)
            if isinstance(pull, Choice) and model is not None:
                until_s = math.inf if admission.wait_s is None else started_s + admission.wait_s
                await self._pulls.wait(model, pull.node, seen=seen, until_s=until_s)
                model = self._cluster.model(admission.model_name)
                continue
            if self._is_for_own_error(found, admission):
                return Choice(
                    node=self._cluster.own.name,
                    model_name=admission.model_name,
                    estimate=Estimate(step=Step.LOAD, wait_s=0.0),
                )
            left_s = deadline_s - monotonic()
            if left_s <= 0 or not (is_soon or self._may_return(found, admission)):
                raise NoNodeError(admission.model_name, str(pull or found))
            with suppress(TimeoutError):
                async with asyncio.timeout(left_s):
                    await self._cluster.nodes.wait_for_change(seen)
            model = self._cluster.model(admission.model_name)

    def choose_other(self, admission: Admission) -> Choice | None:
        """Return a node beside this machine, which cannot run the model; None if there is none."""
        self._note_failure(admission, self._cluster.own.name)
        found = self._choice(admission, self._cluster.model(admission.model_name))
        if isinstance(found, Choice) and found.node != self._cluster.own.name:
            return found
        self._failed.pop(_failed_key(admission))  # the request ends: the client may use its id again
        return None

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

    def begin_wait(
        self, admission: Admission, choice: Choice, end_wait: EndWait | None = None
    ) -> SentRequest | None:
        """Note that the request may wait at its node from now on; None for a model that no node has any more."""
        model = self._cluster.model(admission.model_name)
        if model is None:
            return None
        request = self._request(admission, model)
        failed = self._failed_nodes(admission)
        if failed:
            request = replace(request, excluded=failed)
        return self.mover.begin(admission.request_id, request, choice, end_wait)

    def end_wait(self, sent: SentRequest, error: BaseException | None) -> None:
        """Note that the request waits no more: it has ended, with ``error``, or runs on this machine."""
        self.mover.end(sent, error)

    def ended(self, admission: Admission, choice: Choice, error: BaseException | None) -> None:
        """Note that a request has ended, or that its node failed it."""
        self._cluster.sent.ended(choice.node, choice.model_name)
        if isinstance(error, _GOES_ON):
            return
        if not isinstance(error, NodeLostError):
            self._failed.pop(_failed_key(admission))
            conversation = self._conversation_of.pop(admission.request_id)
            if conversation is not None and error is None:
                self._conversations.set(conversation[0], choice.node)
            return
        logger.warning("%s: %s", admission.request_id, error)
        self._cluster.lost[choice.node] = self._cluster.lost.get(choice.node, 0) + 1
        self._cluster.nodes.report_failure(choice.node)
        self._note_failure(admission, choice.node)

    def _note_failure(self, admission: Admission, node: str) -> None:
        key = _failed_key(admission)
        self._failed.set(key, (self._failed.get(key) or {}) | {node: monotonic()})

    def _failed_nodes(self, admission: Admission) -> frozenset[str]:
        """Return the nodes that failed the request and have not been seen since."""
        failed = self._failed.get(_failed_key(admission))
        if failed is None:
            return frozenset()
        return frozenset(node for node, failed_at_s in failed.items() if not self._is_back(node, failed_at_s))

    def _is_back(self, node: str, failed_at_s: float) -> bool:
        snapshot = self._cluster.snapshot(node)
        if snapshot is None or snapshot.seen_at_s is None or node == self._cluster.own.name:
            return False
        return snapshot.seen_at_s > failed_at_s

    def _stays_here(self, model: ClusterModel) -> bool:
        """Whether a model is this machine's alone: it may run here, and is downloaded to no node."""
        own = self._cluster.own.name
        return (
            model.copies.keys() == {own}
            and not (self.rules.pulls_models and pull_source(model))
            and self._may_run(own, model)
        )

    def _may_run(self, node: str, model: ClusterModel) -> bool:
        nodes = self.rules.nodes_of(model.name)
        return not nodes or is_allowed(node, nodes)

    def _pull_choice(self, admission: Admission, model: ClusterModel | None) -> Choice | NoNode | None:
        """Return the node that a model is downloaded to, or why there is none; None if it is not downloaded."""
        if model is None or not self.rules.pulls_models:
            return None
        request = replace(self._request(admission, model), excluded=self._failed_nodes(admission))
        return self._pulls.choose(model, request)

    def _request(self, admission: Admission, model: ClusterModel) -> PlacementRequest:
        conversation, size_bytes = self._conversation_of.get(admission.request_id) or (None, 0)
        return PlacementRequest(
            model=model.name,
            copies=model.copies,
            context=admission.context,
            conversation_node=self._conversations.get(conversation),
            prompt_s=self._cluster.prompt_times.expected_s(model.name, size_bytes),
            nodes=self.rules.nodes_of(model.name),
        )

    def _choice(self, admission: Admission, model: ClusterModel | None) -> Choice | NoNode:
        if model is None:
            return NoNode(model=admission.model_name, reasons=(), with_files=())
        request = self._request(admission, model)
        failed = self._failed.get(_failed_key(admission))
        if failed is None:
            return self._cluster.choose(request)
        found = self._cluster.choose(replace(request, excluded=frozenset(failed)))
        if isinstance(found, Choice):
            return found
        return self._cluster.choose(replace(request, excluded=self._failed_nodes(admission)))

    def _is_for_own_error(self, found: NoNode, admission: Admission) -> bool:
        """Whether this machine has the files: its own runtime knows best why it cannot run the model."""
        own, model = self._cluster.own.name, admission.model
        if own not in found.with_files or self._failed_nodes(admission):
            return False
        return model is None or self._may_run(own, model)

    def _may_be_restarted(self, found: NoNode, admission: Admission) -> bool:
        """Whether a node with the model's files was there a moment ago: its restart must not cause a download."""
        if not self.rules.pulls_models:
            return False
        others = set(found.with_files) - {self._cluster.own.name}
        if others & self._failed_nodes(admission):
            return True
        return any(self._cluster.was_ready(node, RETURN_WAIT_S) for node in others)

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


def _failed_key(admission: Admission) -> str:
    """Return what identifies a request: with one id it may try several models, those of an alias list."""
    return f"{admission.request_id} {admission.model_name}"


def _context(model: ClusterModel | None, num_ctx: int | None, default_ctx: int) -> int:
    """Return the context that a request needs, in tokens."""
    spec = None if model is None else model.launch_spec
    return ContextRequest(
        requested=num_ctx,
        model_setting=None if spec is None else spec.settings.context,
        default=default_ctx,
        trained=None if spec is None else spec.trained_context,
    ).needed
