"""The launch plan and the engine protocol, independent of the options of any engine. Pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from gglib.core.models import ModelLaunchSpec

FitSlots = Callable[[ModelLaunchSpec, int, int], int]
"""Model, context in tokens and wanted slots -> the slots that fit into memory now, at least 1. May block."""


PromptCacheLimit = Callable[[ModelLaunchSpec, int, int], int]
"""Model, context in tokens and slots -> the limit of the engine's prompt cache in MiB. May block."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchPlan:
    """One launch of one model."""

    spec: ModelLaunchSpec
    context: int
    """In tokens, for each request, independent of concurrent requests."""
    slots: int
    """How many requests the engine processes at a time; it queues others."""
    cache_ram_mib: int
    """Size limit of the engine's host-RAM prompt cache."""
    ping_s: int
    """Interval of the pings in an idle stream. The engine sends a stream's head before it processes the prompt (seen in
    llama.cpp b11549), so only the engine can send pings from then on. -1: none."""
    key_file: Path
    """File with the bearer key of this launch; on the command line the key would be visible in the process list."""
    plan_file: Path
    """File with the parameters of the embedded engine."""
    socket_path: Path | None
    """None: a loopback port chosen by the kernel."""
    threads: int | None = None
    """Threads that compute; None: set by the model's arguments, or the engine's default."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Environment variables of the process, in addition to gglib's own."""

    @property
    def cache_tokens(self) -> int:
        """The size of the KV cache in tokens: each slot has a separate cache for a whole context.

        A unified cache is not used. With the size of one context, requests that fit alone make each other fail:
        llama.cpp responds to all of them with "Context size has been exceeded". With a context for each slot
        (``kv_unified_per_slot``), its masks are as large as all slots together (SmolLM2 with 4 slots of 8,192 tokens:
        47 MiB of buffers instead of 23), and the engine treats the total as the length of one sequence: it selects
        Phi-3's factors for long texts, and warns of a context beyond the trained one.
        """
        return self.context * self.slots

    @property
    def host(self) -> str:
        """The address for the engine to listen on."""
        return str(self.socket_path) if self.socket_path else "127.0.0.1"


class Engine(Protocol):
    """A way to run llama.cpp's server on this machine."""

    @property
    def kind(self) -> str:
        """``llama-server`` or ``embedded``."""
        ...

    @property
    def path(self) -> Path | None:
        """The path of its program; None if it is a package of Python."""
        ...

    @property
    def description(self) -> str:
        """Its path and version, in one line."""
        ...

    @property
    def version(self) -> str | None:
        """Its version; None if it does not say. May block for up to 20 s: read it in a worker thread."""
        ...

    @property
    def reason(self) -> str:
        """Why this engine was chosen, in one sentence."""
        ...

    @property
    def warning(self) -> str | None:
        """A problem with this choice and its fix, in one sentence; None if there is none."""
        ...

    def gpu_devices(self) -> tuple[str, ...] | None:
        """Return the engine's names of the GPUs that it can use: empty for none, None if it cannot say.

        May block for up to 20 s, once for each version of a binary: call it in a worker thread.
        """
        ...

    def check_engine_args(self, arguments: Sequence[str]) -> None:
        """Raise ``EngineArgumentError`` for an engine argument of a model that this engine does not support.

        May block: a binary is run once for each version of its file, to read its options. Raises
        ``EngineBrokenError`` if it cannot run.
        """
        ...

    def command(self, plan: LaunchPlan) -> list[str]:
        """Return the argv of a launch, after writing the files that the engine reads. May block for seconds.

        Raises ``EngineArgumentError`` for a model's engine argument that this engine does not support, and
        ``EngineBrokenError`` if the engine's program cannot run.
        """
        ...
