"""Chooses the node of a request. Pure.

The decision, with the numbers of the tree in ``docs/cluster.md``:

1. Nodes that cannot serve the request are left out, each with its reason (``_exclusion``).
2. What the request may expect at each of the others is estimated: a step and seconds (``estimates``).
3. Nodes where the last load of the model failed, and then nodes that would have to download it, count only if there is
   no other (``_serious``).
4. The cost of a node is what the request costs all requests there (``_candidate``).
5. Nodes whose cost is nearly the least are equal. Among them: the node of the conversation's last answer, the lower
   step, the least share of slots in use, the fewest requests, the most free memory, the order of the front.

The steps alone do not decide: a queue of a minute at a node with the model is worse than a load of four seconds at
another one. ``bench/nodes`` compares the rules (``bench/results/nodes-placement.md``).
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from gglib.core.memory import describe_device_bytes
from gglib.core.nodes import NodeModel, NodeState
from gglib.core.runtime.load_progress import estimated_load_s
from gglib.nodes.estimates import Estimate, Step, estimate
from gglib.nodes.node_view import MODELS, NodeView
from gglib.nodes.response_times import ResponseTimes

LOAD_WEIGHT = -0.75
"""Weight of a load beside the seconds that the request itself waits for it. It counts less than these, because the new
copy serves later requests, too: they would wait behind this one elsewhere."""
LOST_WEIGHT = 3.0
"""Weight of an expected next load of an evicted model: it makes more than one request wait."""
PROMPT_WEIGHT = 0.5
"""Weight of a prompt that is computed again: it is paid once, and the later requests of the conversation gain, too."""
CROWDING_SHARE = 0.2
"""Each request in the slots of an engine makes responses take about a tenth longer: its own, and those of others."""
EQUAL_S = 0.25
EQUAL_SHARE = 0.1
"""Costs that differ by less than one of these are equal: expectations are no better than that."""
PULL_BYTES_S = 50e6
"""Expected speed of a download, in bytes for each second."""


@dataclass(slots=True, kw_only=True)
class PlacementRequest:
    """What the choice depends on, of a request. Immutable by convention: creating a frozen dataclass takes longer."""

    model: str
    """The name of the model in the cluster."""
    copies: Mapping[str, NodeModel]
    """The model at each node that has it (``model_index.ClusterModel.copies``)."""
    context: int
    """The needed context in tokens."""
    conversation_node: str | None = None
    """The node of the conversation's last answer, whose engine may still have the conversation in its cache."""
    prompt_s: float = 0.0
    """Expected duration of the whole prompt where it is in no cache; 0: unknown."""
    nodes: tuple[str, ...] = ()
    """Patterns of the nodes that may serve the model: ``gpu*``; empty: all."""
    excluded: frozenset[str] = frozenset()
    """Nodes that failed to serve this request."""
    pull_bytes: int | None = None
    """Size of the model's download; None if it is not downloaded: it has no source, or the user does not want it."""
    no_pull: Mapping[str, str] = field(default_factory=dict)
    """Nodes that it cannot be downloaded to, each with why, as a clause."""


@dataclass(slots=True, kw_only=True)
class Choice:
    """The node of a request. Immutable by convention."""

    node: str
    model_name: str
    """The name of the model at the node; for a download, its name in the cluster."""
    estimate: Estimate
    is_conversation_node: bool = False

    @property
    def reason(self) -> str:
        """A clause for logs and users: ``ready, 1 of 4 slots in use``."""
        words = _WORDS[self.estimate.step].format(requests=self.estimate.requests, slots=self.estimate.slots)
        return f"has the conversation, {words}" if self.is_conversation_node else words


_WORDS = {
    Step.READY: "ready, {requests} of {slots} slots in use",
    Step.LOADING: "loading, {requests} requests before",
    Step.SLOTS_BUSY: "ready, {requests} requests for {slots} slots",
    Step.LOAD: "has the files and free memory",
    Step.EVICT: "has the files, evicts idle models",
    Step.DRAIN: "has the files, waits for models in use",
    Step.FAILED: "has the files, where the last load failed",
    Step.PULL: "downloads the files",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class NoNode:
    """No node can serve a request."""

    model: str
    reasons: tuple[tuple[str, str], ...]
    """For each node its name and why it cannot, as a clause."""
    with_files: tuple[str, ...]
    """The nodes that have the model's files."""

    def __str__(self) -> str:
        """Return all reasons, as clauses."""
        return "; ".join(f"{node} {reason}" for node, reason in self.reasons)


def choose(
    request: PlacementRequest,
    views: Sequence[NodeView],
    times: ResponseTimes,
    now: float,
    *,
    load_weight: float = LOAD_WEIGHT,
) -> Choice | NoNode:
    """Return the node of a request. ``now`` is the time of the clock of the snapshots, in seconds."""
    with_files = [view for view in views if view.name in request.copies]
    considered = with_files if request.pull_bytes is None else views
    candidates = [
        _candidate(request, view, times, now) for view in considered if _exclusion(request, view) is None
    ]
    if not candidates:
        reasons = ((view.name, _exclusion(request, view)) for view in views)
        return NoNode(
            model=request.model,
            reasons=tuple((name, reason) for name, reason in reasons if reason is not None),
            with_files=tuple(view.name for view in with_files),
        )
    return _best(_serious(candidates), load_weight).choice()


# --- 1: nodes that cannot serve it ---

_STATES = {
    NodeState.UNKNOWN: "has not answered yet",
    NodeState.DRAINING: "takes no new requests",
    NodeState.DOWN: "is down",
    NodeState.REFUSED: "refuses this gglib",
}


def _exclusion(request: PlacementRequest, view: NodeView) -> str | None:
    """Return why a node cannot serve a request, as a clause; None if it can."""
    if not view.snapshot.takes_requests:
        return _STATES[view.snapshot.state]
    if view.name in request.excluded:
        return "failed to serve this request"
    if request.nodes and not is_allowed(view.name, request.nodes):
        return f"is not among the model's nodes ({', '.join(request.nodes)})"
    model = request.copies.get(view.name)
    if model is None:
        return _pull_exclusion(request, view)
    return _memory_exclusion(view, model)


def is_allowed(node: str, patterns: Collection[str]) -> bool:
    """Whether one of the patterns matches the node's name, ignoring case; ``*`` stands for any characters."""
    return any(fnmatchcase(node.casefold(), pattern.casefold()) for pattern in patterns)


def _pull_exclusion(request: PlacementRequest, view: NodeView) -> str | None:
    """Return why a model cannot be downloaded to a node, as a clause; None if it can.

    The memory that it needs is that of its files, or at other nodes.
    """
    if request.pull_bytes is None:
        return "does not have its files"
    limits = [limit for device, limit in view.limits.items() if device != MODELS]
    needs = (sum(copy.need.values()) for copy in request.copies.values())
    if limits and sum(limits) < max((request.pull_bytes, *needs)):
        return "allows less memory than it needs"
    return request.no_pull.get(view.name)


def _memory_exclusion(view: NodeView, model: NodeModel) -> str | None:
    if view.is_remote(model) or view.resident(model.name) is not None:
        return None
    devices = view.exceeded(model)
    if devices:
        needed, limits = (describe_device_bytes(sizes, devices) for sizes in (model.need, view.limits))
        return f"allows {limits}, and it needs {needed}"
    if view.exceeded(model, beside_pinned=True):
        return "has no room beside its pinned models"
    return None


# --- 2 to 5: the best of the others ---


@dataclass(slots=True)
class _Candidate:
    view: NodeView
    estimate: Estimate
    model_name: str
    cost_s: float
    is_conversation_node: bool

    def choice(self) -> Choice:
        return Choice(
            node=self.view.name,
            model_name=self.model_name,
            estimate=self.estimate,
            is_conversation_node=self.is_conversation_node,
        )

    def rank(self) -> tuple[bool, Step, float]:
        found = self.estimate
        return (not self.is_conversation_node, found.step, found.requests / found.slots)

    def rank_of_node(self) -> tuple[int, int, int, str]:
        """Return what decides between nodes that are equal for the model: it takes longer to find out."""
        view = self.view
        return (view.all_requests(), -view.free_bytes(), view.order, view.name)


def _candidate(request: PlacementRequest, view: NodeView, times: ResponseTimes, now: float) -> _Candidate:
    response_s = times.expected_s(view.name, request.model)
    model = request.copies.get(view.name)
    if model is None:
        wait_s = (request.pull_bytes or 0) / PULL_BYTES_S + estimated_load_s(request.pull_bytes or 0)
        found, model_name = Estimate(step=Step.PULL, wait_s=wait_s), request.model
    else:
        found = estimate(view, model, context=request.context, response_s=response_s, now=now)
        model_name = model.name
    is_known_there = request.conversation_node == view.name and found.step in _WITH_CACHE
    prompt_s = 0.0 if is_known_there else PROMPT_WEIGHT * request.prompt_s
    crowding_s = CROWDING_SHARE * min(found.requests, found.slots) * response_s
    cost_s = found.wait_s + response_s + prompt_s + crowding_s + LOST_WEIGHT * found.lost_s
    return _Candidate(view, found, model_name, cost_s, is_known_there)


_IN_MEMORY = (Step.READY, Step.LOADING, Step.SLOTS_BUSY)
_WITH_CACHE = (Step.READY, Step.SLOTS_BUSY)
"""The model is still in memory, and so may be what it computed for the conversation."""


def _serious(candidates: Sequence[_Candidate]) -> Sequence[_Candidate]:
    """Return the candidates that count: failed loads and downloads are the last resorts."""
    if len(candidates) == 1:
        return candidates
    for last_resorts in ((Step.FAILED, Step.PULL), (Step.PULL,)):
        kept = [candidate for candidate in candidates if candidate.estimate.step not in last_resorts]
        if kept:
            return kept
    return candidates


def _best(candidates: Sequence[_Candidate], load_weight: float) -> _Candidate:
    """Return the candidate with the least cost, or the best one of those that cost nearly the same."""
    if len(candidates) == 1:
        return candidates[0]
    if not any(c.estimate.step in _IN_MEMORY and not c.estimate.requests for c in candidates):
        for candidate in candidates:
            candidate.cost_s += load_weight * candidate.estimate.load_s
    least_s = min(candidate.cost_s for candidate in candidates)
    equal_s = least_s + max(EQUAL_S, EQUAL_SHARE * least_s)
    equal = [candidate for candidate in candidates if candidate.cost_s <= equal_s]
    best = min(map(_Candidate.rank, equal))
    equal = [candidate for candidate in equal if candidate.rank() == best]
    return equal[0] if len(equal) == 1 else min(equal, key=_Candidate.rank_of_node)
