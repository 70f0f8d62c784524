"""Engines: each turns a launch plan into the argv of one build of llama.cpp's server."""

import shutil
from pathlib import Path

from gglib.core.errors import EngineNotFoundError
from gglib.runtime.engine.embedded import EmbeddedEngine
from gglib.runtime.engine.llama_server import LlamaServerEngine
from gglib.runtime.engine.plan import Engine, LaunchPlan, SlotsFor

__all__ = ["EmbeddedEngine", "Engine", "LaunchPlan", "LlamaServerEngine", "SlotsFor", "find_engine"]


def find_engine(configured: Path | None = None) -> Engine:
    """Return the engine to use: the configured path, else ``llama-server`` on PATH, else the embedded one.

    Raises ``EngineNotFoundError`` when the configured one cannot be run, or when there is none at all.
    """
    if configured is not None:
        path = shutil.which(configured.expanduser().absolute())
        if path is None:
            raise EngineNotFoundError(f"The configured engine {configured} is not an executable file.")
        return LlamaServerEngine(Path(path), reason="it is the configured engine")
    on_path = shutil.which("llama-server")
    if on_path is not None:
        return LlamaServerEngine(Path(on_path).absolute(), reason="llama-server is on the PATH")
    if EmbeddedEngine.is_installed():
        return EmbeddedEngine(
            reason="no llama-server is configured or on the PATH, and the xllamacpp wheel is here"
        )
    raise EngineNotFoundError(
        "No engine: run 'pip install xllamacpp', or install llama.cpp so that llama-server is on the PATH."
    )
