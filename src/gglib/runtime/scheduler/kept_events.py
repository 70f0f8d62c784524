"""What a run reports of the prompts in its slots. The scheduler ignores it; the swap history and events have it."""

from dataclasses import dataclass

from gglib.core.runtime.kept_prompts import KeptTransfer


@dataclass(frozen=True, slots=True)
class PromptsSaved:
    """Prompts of a launch were saved, for its next launch: at its stop, or while it drains."""

    generation: int
    transfer: KeptTransfer


@dataclass(frozen=True, slots=True)
class PromptsRestored:
    """Prompts of an earlier launch were restored. ``BecameReady`` follows."""

    generation: int
    transfer: KeptTransfer


KeptEvent = PromptsSaved | PromptsRestored
