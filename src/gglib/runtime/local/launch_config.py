"""The common configuration of all launches on this machine, and how long a load may take."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from gglib.core.defaults import HEARTBEAT_S
from gglib.core.runtime.slots import DEFAULT_SLOTS
from gglib.runtime.engines.base import Engine, FitSlots, PromptCacheLimit
from gglib.runtime.local.kept_prompts.service import KeepSettings
from gglib.runtime.local.version_lock import Resolve
from gglib.system import MemoryState, Ram, read_cores, read_ram
from gglib.system.gpus import GpuState

_MIB = 1024 * 1024


def home_directory() -> Path | None:
    """Return the user's home directory, or None."""
    try:
        return Path.home()
    except RuntimeError:
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchConfig:
    """The common configuration of all launches."""

    engine: Engine
    engines_dir: Path
    """Parent of the launches' private directories; absolute, because an engine's working directory differs."""
    log_dir: Path
    slots: int = DEFAULT_SLOTS
    """How many requests a model processes at a time, unless its own engine arguments set it."""
    fit_slots: FitSlots | None = None
    """Reduces the wanted slots to those that fit into memory; None: always as many as wanted."""
    read_ram: Callable[[], Ram] = read_ram
    """Reads the memory size, which limits the engine's prompt cache; blocks for a moment."""
    prompt_cache: PromptCacheLimit | None = None
    """Limits the engine's prompt cache where several models share the memory; None: by ``read_ram``."""
    read_gpus: Callable[[], Sequence[GpuState]] | None = None
    """Reads the GPUs, to wait until a stopped engine's memory is free there; blocks for a moment. None: no wait."""
    read_cores: Callable[[], int | None] = read_cores
    """Reads how many processor cores the engines may use, None if unknown; blocks for a moment."""
    concurrent_engines: int = 1
    """How many engines may compute at once: how long their threads spin depends on it, and how many there are."""
    running_engines: int | None = None
    """How many engines run at this launch, this one included; None: ``concurrent_engines``."""
    heartbeat_s: float = HEARTBEAT_S
    """Interval of the pings in an idle stream; 0: none."""
    use_unix_socket: bool = True
    min_start_timeout_s: float = 120.0
    min_load_bytes_s: int = 20 * _MIB
    """Throughput of a slow network disk; the start timeout grows with the file's size accordingly."""
    load_stall_s: float = 60.0
    """A load that exceeds its start timeout is only stopped once the engine has logged nothing for this time."""
    load_limit_factor: float = 5.0
    """Upper limit of a load, as a multiple of its start timeout: an engine that logs for ever may be stuck too."""
    home: Path | None = field(default_factory=home_directory)
    """Shortened to ``~`` in errors for clients."""
    memory_state: Callable[[], MemoryState] | None = None
    """Reads the system's memory state, to explain a SIGKILL; blocks for a moment."""
    keep: KeepSettings | None = None
    """How prompts are kept while their engine is not in memory; None: they are not."""
    resolve: Resolve | None = None
    """Resolves a model again if its files were deleted for a newer version."""


def start_timeout_s(size_bytes: int, config: LaunchConfig) -> float:
    """Return the start timeout: how long a load may take even if the engine logs nothing. Pure."""
    return config.min_start_timeout_s + size_bytes / config.min_load_bytes_s


def load_deadline_s(size_bytes: int, last_progress_s: float, config: LaunchConfig) -> float:
    """Return when a load times out, in seconds since its start, given when the log last grew. Pure."""
    timeout_s = start_timeout_s(size_bytes, config)
    return min(max(timeout_s, last_progress_s + config.load_stall_s), timeout_s * config.load_limit_factor)
