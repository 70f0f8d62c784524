"""gglib's placement as a policy of the simulation."""

from dataclasses import replace

from bench.nodes.front import Front

from gglib.nodes.placement import LOAD_WEIGHT, Choice, PlacementRequest, choose


class Ours:
    """gglib's placement, or a variant of it."""

    def __init__(
        self,
        *,
        moves_waiters: bool = True,
        knows_conversations: bool = True,
        load_weight: float = LOAD_WEIGHT,
    ) -> None:
        self.moves_waiters = moves_waiters
        self._knows_conversations = knows_conversations
        self._load_weight = load_weight

    def choose(self, request: PlacementRequest, front: Front) -> str | None:
        """Return the node that gglib chooses."""
        if not self._knows_conversations:
            request = replace(request, conversation_node=None)
        views = list(front.views.values())
        choice = choose(request, views, front.times, front.clock.now, load_weight=self._load_weight)
        return choice.node if isinstance(choice, Choice) else None
