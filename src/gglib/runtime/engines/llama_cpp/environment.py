"""The environment variables that a model's engine may get. Pure."""

import re
from collections.abc import Iterable

from gglib.core.errors import EngineArgumentError

ALLOWED_VARIABLES = frozenset(
    {
        "CUDA_DEVICE_ORDER", "CUDA_LAUNCH_BLOCKING", "CUDA_SCALE_LAUNCH_QUEUES", "CUDA_VISIBLE_DEVICES",
        "GOMP_CPU_AFFINITY", "GOMP_SPINCOUNT", "GPU_DEVICE_ORDINAL", "HIP_VISIBLE_DEVICES", "HSA_ENABLE_SDMA",
        "HSA_OVERRIDE_GFX_VERSION", "KMP_AFFINITY", "KMP_BLOCKTIME", "OMP_NUM_THREADS", "OMP_PLACES", "OMP_PROC_BIND",
        "OMP_WAIT_POLICY", "ONEAPI_DEVICE_SELECTOR", "ROCBLAS_USE_HIPBLASLT", "ROCR_VISIBLE_DEVICES",
        "SYCL_CACHE_PERSISTENT", "ZES_ENABLE_SYSMAN", "ZE_AFFINITY_MASK",
    }
)  # fmt: skip
"""Devices and threads, by the libraries that read them."""
ALLOWED_PREFIX = "GGML_"
"""ggml's own variables, such as ``GGML_CUDA_ENABLE_UNIFIED_MEMORY`` or ``GGML_VK_VISIBLE_DEVICES``."""
_REFUSED = {
    "GGML_BACKEND_PATH": "it makes the engine load another library",
    "LLAMA_": "it sets an option of the engine: use '--engine-args'",
    "GGML_LOG": "gglib reads the engine's log",
    "LD_": "it makes the engine load other libraries",
    "DYLD_": "it makes the engine load other libraries",
    "PYTHON": "it makes the embedded engine run other code",
}
"""Why a name or the names with a beginning are refused."""
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_MAX_VALUE = 4096


def check_environment(variables: Iterable[tuple[str, str]], *, is_any_allowed: bool = False) -> None:
    """Raise ``EngineArgumentError`` for a variable that an engine may not get, or whose value is not plain text.

    ``is_any_allowed`` is for models that a command serves: the user chooses what it runs anyway.
    """
    for name, value in variables:
        if not _NAME.fullmatch(name):
            raise EngineArgumentError(
                f"'{name}' is no name of an environment variable: give --env NAME=VALUE."
            )
        if not is_any_allowed and (reason := _refusal(name)) is not None:
            raise EngineArgumentError(
                f"The environment variable '{name}' cannot be set for an engine: {reason}."
            )
        if len(value) > _MAX_VALUE or not value.isprintable():
            raise EngineArgumentError(
                f"The value of '{name}' must be one line of at most {_MAX_VALUE} characters."
            )


def _refusal(name: str) -> str | None:
    for beginning, reason in _REFUSED.items():
        if name.startswith(beginning):
            return reason
    if name in ALLOWED_VARIABLES or name.startswith(ALLOWED_PREFIX):
        return None
    return f"only {ALLOWED_PREFIX}… and the variables of GPUs and threads in docs/engine-options.md can"
