"""The llama-server binary as an engine: builds its argv from a launch plan.

Builds differ, and an unknown option ends the binary with "invalid argument". Its options are therefore read from
``--help`` before the first launch, and again when its file has changed: it may be upgraded while gglib runs.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from gglib.core.errors import EngineArgumentError, EngineBrokenError
from gglib.runtime.engines.llama_cpp.device_list import LIST_OPTION, parse_devices
from gglib.runtime.engines.llama_cpp.engine import OPTION_VARIABLES, LlamaCppEngine
from gglib.runtime.engines.llama_cpp.help_entries import HelpEntry, parse_entries
from gglib.runtime.engines.llama_cpp.help_page import exec_error_reason, parse_options, unusable_reason
from gglib.runtime.engines.llama_cpp.launch_plan import LaunchPlan
from gglib.runtime.engines.llama_cpp.options.build_checks import check_build
from gglib.runtime.engines.llama_cpp.options.context_override import context_override
from gglib.runtime.engines.llama_cpp.options.files import check_files
from gglib.runtime.engines.llama_cpp.options.parsing import final_values
from gglib.runtime.engines.llama_cpp.options.reserved import check_extra_args
from gglib.runtime.engines.llama_cpp.options.rules import check_combinations
from gglib.runtime.engines.llama_cpp.options.spelling import binary_arguments
from gglib.runtime.engines.llama_cpp.pooling import pooling_launch
from gglib.runtime.engines.llama_cpp.slot_files import digest
from gglib.runtime.engines.program_output import ProgramOutput, run_program

SAVE_OPTION = "--slot-save-path"
HELP_TIMEOUT_S = 20.0
"""A CUDA build enumerates its devices before it prints its help."""

_LIBRARIES = tuple(
    f"{name}{suffix}" for name in ("libllama", "libllama-server-impl") for suffix in (".so", ".dylib")
)
"""Since 2026 the program is a thin wrapper of its libraries: an upgrade may leave the program unchanged."""

_FileIdentity = tuple[tuple[int, int, int, int], ...]
RunProgram = Callable[[str], ProgramOutput]


@dataclass(frozen=True, slots=True)
class _Help:
    """The options of a binary, and the identity of its files."""

    identity: _FileIdentity
    options: frozenset[str]
    entries: Mapping[str, HelpEntry]


class LlamaServerEngine(LlamaCppEngine):
    """A llama-server executable."""

    kind = "llama-server"
    warning: str | None = None

    def __init__(self, path: Path, *, reason: str, run: RunProgram | None = None) -> None:
        self.path = path
        self.reason = reason
        self._run = run or self._run_program
        self._help: _Help | None = None
        self._version: tuple[_FileIdentity, str] | None = None
        self._devices: tuple[_FileIdentity, tuple[str, ...] | None] | None = None
        self._probe_lock = threading.Lock()

    @property
    def description(self) -> str:
        """Its path and version. Blocks and raises like ``version``."""
        return f"{self.path} ({self.version or 'version unknown'})"

    @property
    def version(self) -> str | None:
        """Its version; None if it does not say. Blocks for up to 20 s, once for each version of the file.

        Raises ``EngineBrokenError`` if the file is gone.
        """
        identity = self._identity()
        with self._probe_lock:
            if self._version is None or self._version[0] != identity:
                self._version = identity, self._read_version()
            return self._version[1] or None

    @property
    def build(self) -> str:
        """The program and its libraries. Raises ``EngineBrokenError`` if the file is gone."""
        return f"{self.kind} {digest(self.path, self._identity())}"

    @property
    def known_options(self) -> frozenset[str]:
        """All options named by its help.

        Blocks for up to 20 s, once for each version of the file: call it in a worker thread. Raises
        ``EngineBrokenError`` if the output is not a usable help page, and does not cache it.
        """
        return self._read_help().options

    @property
    def help_entries(self) -> Mapping[str, HelpEntry]:
        """What its help says of each option, by name. Blocks and raises like ``known_options``."""
        return self._read_help().entries

    def gpu_devices(self) -> tuple[str, ...] | None:
        """Return the names of its GPUs; None for a build that cannot list them. Blocks as ``known_options`` does."""
        try:
            if LIST_OPTION not in self.known_options:
                return None
            identity = self._identity()
        except EngineBrokenError:
            return None
        with self._probe_lock:
            if self._devices is None or self._devices[0] != identity:
                self._devices = identity, self._read_devices()
            return self._devices[1]

    def check_engine_args(self, arguments: Sequence[str]) -> None:
        """Raise ``EngineArgumentError`` for an argument that this build does not know, or whose file is missing."""
        if arguments:
            check_combinations(arguments)
            check_files(arguments)
            binary_arguments(arguments, self.known_options)
            check_build(arguments, self.help_entries)

    def can_save_slots(self) -> bool:
        """Whether this build can save slots. Blocks and raises like ``known_options``."""
        return SAVE_OPTION in self.known_options

    def command(self, plan: LaunchPlan) -> list[str]:
        """Return the argv, without the optional arguments that this build does not know.

        Blocks and raises like ``known_options``.
        """
        known = self.known_options
        return [str(self.path), *build_arguments(plan, known, has_gpu=self.gpu_devices() != ())]

    def _identity(self) -> _FileIdentity:
        """Return the file identities of the program and its libraries, which change with an upgrade."""
        try:
            real = self.path.resolve(strict=True)
            own = _identity_of(real)
        except OSError as error:
            raise EngineBrokenError(self.path, f"it cannot be found ({error.strerror})") from None
        places = (real.parent, real.parent.parent / "lib")
        return (own, *(_identity_or_zeros(place / name) for place in places for name in _LIBRARIES))

    def _read_help(self) -> _Help:
        identity = self._identity()
        with self._probe_lock:  # concurrent callers share one run
            if self._help is None or self._help.identity != identity:
                page = self._help_page()
                self._help = _Help(identity, parse_options(page), parse_entries(page))
            return self._help

    def _help_page(self) -> str:
        try:
            output = self._run("--help")
        except OSError as error:
            raise EngineBrokenError(self.path, exec_error_reason(error)) from None
        why = unusable_reason(output.text, output.exit_code, limit_s=HELP_TIMEOUT_S)
        if why is not None:
            raise EngineBrokenError(self.path, why)
        return output.text

    def _read_version(self) -> str:
        try:
            lines = self._run("--version").text.splitlines()
        except OSError:
            return ""
        return next(
            (line.removeprefix("version:").strip() for line in lines if line.startswith("version:")), ""
        )

    def _read_devices(self) -> tuple[str, ...] | None:
        try:
            return parse_devices(self._run(LIST_OPTION).text)
        except OSError:
            return None

    def _run_program(self, option: str) -> ProgramOutput:
        return run_program([self.path, option], limit_s=HELP_TIMEOUT_S, dropped_variables=OPTION_VARIABLES)


def _identity_of(path: Path) -> tuple[int, int, int, int]:
    status = path.stat()
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def _identity_or_zeros(path: Path) -> tuple[int, int, int, int]:
    try:
        return _identity_of(path)
    except OSError:
        return 0, 0, 0, 0


def build_arguments(plan: LaunchPlan, known: frozenset[str], *, has_gpu: bool = True) -> list[str]:
    """Return the arguments of a launch for a binary that knows the options ``known``. Pure.

    Without a GPU, the fit of parameters to devices is switched off: it takes 60 ms of a load and changes nothing.
    """
    required = [
        *("--model", str(plan.spec.path)),
        *("--alias", plan.spec.model_name),
        *("--host", plan.host),
        *("--port", "0"),
        *("--ctx-size", str(plan.cache_tokens)),
        *("--api-key-file", str(plan.key_file)),
        # With an explicit number of slots, every build splits the context between them.
        *("--parallel", str(plan.slots)),
        *(("--mmproj", str(plan.spec.projector)) if plan.spec.projector is not None else ()),
    ]
    desired = (
        ("--no-kv-unified",),
        *(() if has_gpu else (("--fit", "off"),)),
        *((("--threads", str(plan.threads)),) if plan.threads is not None else ()),
        ("--cache-ram", str(plan.cache_ram_mib)),
        ("--sse-ping-interval", str(plan.ping_s)),
        ("--jinja",),
        ("--metrics",),
        ("--slots",),
        *(((SAVE_OPTION, plan.slot_save_path),) if plan.slot_save_path is not None else ()),
        ("--no-ui",) if "--no-ui" in known else ("--no-webui",),
    )
    settings = plan.spec.settings
    own = final_values(settings.engine_args)
    optional = [word for group in desired if group[0] in known and group[0] not in own for word in group]
    check_extra_args(settings.extra_args)
    return [
        *required,
        *optional,
        *_pooling_arguments(plan, known),
        *binary_arguments(context_override(plan.spec, plan.context), known),
        *settings.extra_args,
    ]


def _pooling_arguments(plan: LaunchPlan, known: frozenset[str]) -> list[str]:
    """Return the arguments for embedding or reranking."""
    launch = pooling_launch(plan)
    if launch is None:
        return []
    switch = "--reranking" if plan.spec.capabilities.rerank else "--embeddings"
    if switch not in known:
        raise EngineArgumentError(f"This llama-server does not know '{switch}': install a newer one.")
    result = [switch]
    if launch.pooling is not None:
        result += ["--pooling", launch.pooling]
    if launch.batch is not None:
        result += ["--batch-size", str(launch.batch), "--ubatch-size", str(launch.batch)]
    return result
