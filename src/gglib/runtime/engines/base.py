"""What a launch needs, before it is put into the words of one engine. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from gglib.core.models import ModelLaunchSpec

FitSlots = Callable[[ModelLaunchSpec, int, int], int]
"""Model, context in tokens and wanted slots -> the slots for which there is memory now, at least one. May block."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchPlan:
    """One launch of one model."""

    spec: ModelLaunchSpec
    context: int
    """In tokens, for each request, whatever runs beside it."""
    slots: int
    """How many requests are computed at a time; the engine lets others wait."""
    cache_ram_mib: int
    """Bound of the engine's host-RAM prompt cache."""
    ping_s: int
    """How often a stream says that it lives while it has nothing to tell; the head of one leaves before its prompt is
    processed (seen in llama.cpp b11549), so from then on this is the engine's to do. -1: never."""
    key_file: Path
    """Holds the bearer key of this launch; on the command line the key itself would show in the process list."""
    plan_file: Path
    """Where the embedded engine is told what to do."""
    socket_path: Path | None
    """None: a loopback port that the kernel chooses."""

    @property
    def cache_tokens(self) -> int:
        """The cache in tokens: each slot has one of its own that holds the whole context.

        Not one cache for all slots. If that holds one context, requests that fit alone fail each other: llama.cpp
        answers all of them with "Context size has been exceeded". If it holds a context for each slot
        (``kv_unified_per_slot``), its masks are as large as all slots together (SmolLM2 with 4 slots of 8,192 tokens:
        47 MiB of buffers instead of 23), and the engine takes the whole for the length of one sequence: it chooses
        Phi-3's factors for long texts, and warns of a context beyond the trained one.
        """
        return self.context * self.slots

    @property
    def host(self) -> str:
        """What the engine has to listen on."""
        return str(self.socket_path) if self.socket_path else "127.0.0.1"


class Engine(Protocol):
    """A way to run llama.cpp's server on this machine."""

    @property
    def kind(self) -> str:
        """``llama-server`` or ``embedded``."""
        ...

    @property
    def description(self) -> str:
        """Where it is and which version, in one line."""
        ...

    @property
    def reason(self) -> str:
        """Why this engine was chosen, in one sentence."""
        ...

    @property
    def warning(self) -> str | None:
        """What is wrong with the choice, in one sentence that says what to do; None when nothing is."""
        ...

    def check_engine_args(self, arguments: Sequence[str]) -> None:
        """Raise ``EngineArgumentError`` for an engine argument of a model that this engine does not take.

        May block: a binary is asked which options it knows, once for each version of its file. Raises
        ``EngineBrokenError`` when it cannot run.
        """
        ...

    def command(self, plan: LaunchPlan) -> list[str]:
        """Return the argv of a launch, after writing what the engine reads from files. May block for seconds.

        Raises ``EngineArgumentError`` for a model's engine argument that this engine does not take, and
        ``EngineBrokenError`` where the engine's program cannot run.
        """
        ...
