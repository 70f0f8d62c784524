"""The seam between the runtime and engines: what a launch asks of an engine, and what an engine answers. Pure.

``ProcessEngine`` is enough to launch a model (``engines/command``). An ``Engine`` is also chosen for all models without
a backend of their own, so it describes itself. ``docs/adding-an-engine.md`` shows how to write one.
"""

import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from gglib.core.models import ModelKind, ModelLaunchSpec
from gglib.runtime.engines.slot_files import SlotFiles
from gglib.system.ram import Ram

FitSlots = Callable[[ModelLaunchSpec, int, int], int]
"""Model, context in tokens and wanted slots -> the slots that fit into memory now, at least 1. May block."""

PromptCacheLimit = Callable[[ModelLaunchSpec, int, int], int]
"""Model, context in tokens and slots -> the limit of the engine's prompt cache in MiB. May block."""

StopEscalation = tuple[tuple[signal.Signals, float], ...]
"""Signals to the process group, each with the seconds to wait for the exit before the next one."""

STOP_ESCALATION: StopEscalation = ((signal.SIGTERM, 1.5), (signal.SIGTERM, 1.5), (signal.SIGKILL, 3.0))
"""With a request in flight, llama-server only exits at the second SIGTERM; when it hangs or is suspended (SIGSTOP),
only at SIGKILL."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchRequest:
    """What gglib decides about a launch before its engine plans it."""

    spec: ModelLaunchSpec
    """With absolute paths: the engine's working directory differs."""
    context: int
    """In tokens, for each request, independent of concurrent requests."""
    directory: Path
    """The private directory of this launch (mode 0700); removed after the exit."""
    socket_path: Path | None
    """A path for a unix socket in a private directory, short enough for each system; None where there are none."""
    key: str = field(repr=False)
    """A random key of this launch: what the engine may require as a bearer token."""
    key_file: Path
    """A file with that key (mode 0600), because the command line is visible in the process list."""
    plan_file: Path
    """The path of a file that the engine may write for its process."""
    slot_directory: Path
    """A directory of this launch (mode 0700) for the prompts in its slots; removed after the exit."""
    slots: int
    """The wanted number of requests at a time, unless the model's arguments set it."""
    fit_slots: FitSlots | None
    """Reduces the slots to those that fit into memory; None: as many as wanted."""
    prompt_cache: PromptCacheLimit | None
    """Limits a prompt cache in RAM where several models share the memory; None: by ``read_ram``."""
    read_ram: Callable[[], Ram]
    read_cores: Callable[[], int | None]
    """Reads how many processor cores the engines may use, None if unknown."""
    concurrent_engines: int
    """How many engines may compute at once by the settings."""
    running_engines: int
    """How many engines may compute at once now, this one included."""
    heartbeat_s: float
    """Interval of the heartbeats in an idle stream; 0: none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadyCheck:
    """Where a process listens, and how it shows that it is ready. One of the first three is set."""

    socket_path: Path | None = None
    port: int | None = None
    """A port of 127.0.0.1 that was chosen before the launch."""
    find_port: Callable[[Sequence[str]], int | None] | None = None
    """Finds the port in the last lines of the log; None while the log does not have it."""
    health_path: str = "/health"
    """A GET request for it with status 200 shows that the process is ready."""
    key: str | None = field(default=None, repr=False)
    """The bearer token of the probe, if it needs one."""
    logs_probes: bool = False
    """Whether the process may log each probe: its output then triggers no probe, and the probes are fewer."""
    checks_owner: bool = False
    """Whether the listener on the port must belong to the launched process or one of its descendants: a port that was
    chosen before the launch may be taken by another program. Checked on Linux."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedLaunch:
    """One launch as its engine has planned it."""

    argv: tuple[str, ...]
    """The program by its absolute path, and its arguments."""
    ready: ReadyCheck
    environment: Mapping[str, str] = field(default_factory=dict)
    """Environment variables in addition to gglib's own. Those of the model (``ModelSettings.environment``) come after
    them."""
    dropped_variables: tuple[str, ...] = ()
    """Prefixes of variables that are not inherited; secrets never are."""
    directory: Path = Path("/")
    """The working directory."""
    logs_stdout: bool = False
    """Whether the standard output belongs to the log, too; else it is discarded."""
    starts_processes: bool = False
    """Whether it may start further processes: they are stopped with it, also those in sessions of their own."""
    bearer_key: str | None = field(default=None, repr=False)
    """The bearer token of all requests; None: none is sent."""
    served_name: str | None = None
    """The model's name in the process, for ``model`` in the bodies sent to it; None: bodies are sent as they are."""
    stop_escalation: StopEscalation = STOP_ESCALATION
    start_timeout_s: float | None = None
    """How long the start may take, whatever the log shows; None: by the size of the model's files, and longer as long
    as the log grows."""
    slots: int | None = None
    """How many requests it processes at a time; None: any number, or unknown."""
    prompt_cache_mib: int | None = None
    """The limit of its prompt cache in MiB; None: it has none, or it is unknown."""
    threads: int | None = None
    """How many threads compute; None: the engine's default."""
    slot_directory: Path | None = None
    """Where the engine saves the prompts in its slots, and restores them from; None: it cannot. A request can choose
    a slot of such an engine by ``id_slot``."""
    slot_files: SlotFiles | None = None
    """How its prompts are kept while it is not in memory; None: they are not."""
    has_private_files: bool = False
    """Whether what the process writes is readable for this user only."""
    before_spawn: Callable[[], None] = lambda: None
    """Called right before the process is started: releases what was reserved for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptCost:
    """How the time to process the prompts in an engine's cache again follows from its own HTTP routes."""

    paths: tuple[bytes, ...]
    """The routes to GET, in the order of the arguments of ``seconds``."""
    seconds: Callable[..., float | None]
    """The bodies of the responses -> the seconds; None if they do not say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineAbilities:
    """What an engine can do."""

    kinds: frozenset[ModelKind] = frozenset({"chat", "embedding", "rerank"})
    """The kinds of models that it serves."""
    has_estimate: bool = False
    """Whether the estimate by llama.cpp's rules (``library.fit``) holds for its memory. Otherwise the size of a model
    is that of its files until it was measured."""


class ProcessEngine(Protocol):
    """What a launch needs of an engine. All methods are called in a worker thread, except ``reason_for_exit``."""

    @property
    def prompt_cost(self) -> PromptCost | None:
        """How to read the cost of the prompts in its cache; None: unknown."""
        ...

    def check(self, spec: ModelLaunchSpec) -> None:
        """Check what is known without a launch, before another model is evicted for this one.

        Raises a ``GglibError``: ``EngineArgumentError``, ``EngineBrokenError``, ``ModelLoadFailedError``.
        """
        ...

    def prepare(self, request: LaunchRequest) -> PreparedLaunch:
        """Plan one launch, and write the files that its process reads.

        Raises as ``check`` does.
        """
        ...

    def reason_for_exit(
        self, lines: Sequence[str], exit_code: int, *, was_ready: bool, memory: str | None
    ) -> str:
        """Return why the process exited, as a phrase that continues "Model 'm' could not be loaded: ".

        ``lines`` are the last of its log, ``exit_code`` is a negative signal number if a signal ended it, ``memory`` is
        the evidence that it was killed for a lack of memory. A reason that begins with "out of memory" makes gglib free
        memory and load the model again. Called in the event loop.
        """
        ...


class Engine(ProcessEngine, Protocol):
    """An engine for the models without a backend of their own."""

    @property
    def kind(self) -> str:
        """``llama-server``, ``embedded``, or the name of a plug-in."""
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

    @property
    def abilities(self) -> EngineAbilities:
        """What it can do."""
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
