"""What the user sets for the choice of nodes. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class FrontRules:
    """The settings of a front that the choice of a node depends on."""

    pulls_models: bool = False
    """Whether a model that no node has that takes requests is downloaded to one."""
    model_nodes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Patterns of the nodes that may serve a model, by its name in the cluster in lower case (``casefold``). Others run
    on all nodes."""

    def nodes_of(self, model_name: str) -> tuple[str, ...]:
        """Return the patterns of the nodes that may serve a model; empty: all may."""
        if not self.model_nodes:
            return ()  # the usual case
        return self.model_nodes.get(model_name.casefold(), ())
