"""The plan of a launch of llama.cpp's server, whichever way the server is started. Pure, except for ``plan_of``."""

import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from gglib.core.models import ModelLaunchSpec
from gglib.runtime.engines.base import LaunchRequest
from gglib.runtime.engines.llama_cpp.options import launch_slots
from gglib.runtime.engines.llama_cpp.prompt_cache import prompt_cache_mib
from gglib.runtime.engines.llama_cpp.threads import planned_threads, wait_environment

NO_PINGS = -1


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
    slot_directory: Path | None = None
    """Where slots are saved and restored; None: nowhere."""
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
    def slot_save_path(self) -> str | None:
        """``slot_directory`` as the server takes it: it appends the names of files to this text."""
        return None if self.slot_directory is None else f"{self.slot_directory}/"

    @property
    def host(self) -> str:
        """The address for the engine to listen on."""
        return str(self.socket_path) if self.socket_path else "127.0.0.1"


def plan_of(request: LaunchRequest) -> LaunchPlan:
    """Return the plan of a launch; blocks: reads the sizes of this machine. Raises ``EngineArgumentError``."""
    spec, context = request.spec, request.context
    slots = launch_slots(spec.settings.engine_args, setting=request.slots, context=context)
    if request.fit_slots is not None:
        slots = request.fit_slots(spec, context, slots)
    return LaunchPlan(
        spec=spec,
        context=context,
        slots=slots,
        cache_ram_mib=_prompt_cache_mib(request, slots),
        ping_s=max(1, round(request.heartbeat_s)) if request.heartbeat_s else NO_PINGS,
        key_file=request.key_file,
        plan_file=request.plan_file,
        socket_path=request.socket_path,
        slot_directory=request.slot_directory,
        threads=planned_threads(
            spec.settings.engine_args, cores=request.read_cores(), engines=request.running_engines
        ),
        environment=wait_environment(
            os.environ | dict(spec.settings.environment),
            platform.machine(),
            engines=request.concurrent_engines,
        ),
    )


def _prompt_cache_mib(request: LaunchRequest, slots: int) -> int:
    if request.prompt_cache is not None:
        return request.prompt_cache(request.spec, request.context, slots)
    return prompt_cache_mib(request.read_ram().total_bytes)
