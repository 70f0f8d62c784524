"""Engines: each plans how its process is launched, and explains its exit."""

import os
import shutil
from pathlib import Path

from gglib.core.errors import EngineBrokenError, EngineNotFoundError
from gglib.core.runtime.engine_choice import EMBEDDED, plugin_name
from gglib.runtime.engines.base import Engine, FitSlots, PromptCacheLimit
from gglib.runtime.engines.llama_cpp.embedded import EmbeddedEngine
from gglib.runtime.engines.llama_cpp.server import LlamaServerEngine
from gglib.runtime.engines.registry import open_plugin

__all__ = [
    "EmbeddedEngine",
    "Engine",
    "FitSlots",
    "LlamaServerEngine",
    "PromptCacheLimit",
    "find_engine",
]

_PROGRAM = "llama-server"
_INSTALL = "run 'pip install xllamacpp', or install llama.cpp so that llama-server is on the PATH"


def find_engine(configured: Path | None = None) -> Engine:
    """Return the engine to use: the configured one, else ``llama-server`` on PATH, else the embedded one.

    ``configured`` is the path of a llama-server, ``Path("embedded")`` for the embedded engine, or a plug-in
    (``core.runtime.engine_choice.plugin_choice``).

    Runs the program with ``--help`` first, which may take 20 s: call this in a worker thread. An unusable program on
    PATH is skipped, and the engine used instead has a ``warning``; a configured one is never skipped.

    Raises ``EngineNotFoundError`` if there is no engine, or its subclass ``EngineBrokenError`` if the configured one is
    unusable.
    """
    if configured == EMBEDDED:
        if not EmbeddedEngine.is_installed():
            raise EngineNotFoundError("The embedded engine is not installed: run 'pip install xllamacpp'.")
        return EmbeddedEngine(reason="it is the configured engine")
    if configured is not None and (plugin := plugin_name(configured)) is not None:
        return open_plugin(plugin)
    if configured is not None:
        return _configured(configured.expanduser().absolute())
    on_path = shutil.which(_PROGRAM)
    if on_path is None:
        return _embedded(_unusable_entry(os.get_exec_path()))
    engine = LlamaServerEngine(Path(on_path).absolute(), reason="llama-server is on the PATH")
    try:
        _ = engine.known_options
    except EngineBrokenError as error:
        return _embedded(error)
    return engine


def _configured(path: Path) -> Engine:
    why = _not_executable_reason(path)
    if why is not None:
        raise EngineBrokenError(path, why)
    engine = LlamaServerEngine(path, reason="it is the configured engine")
    _ = engine.known_options
    return engine


def _embedded(broken: EngineBrokenError | None) -> Engine:
    """Return the embedded engine; ``broken`` says why the llama-server on the PATH is unusable, None without one."""
    if not EmbeddedEngine.is_installed():
        if broken is not None:
            raise broken
        raise EngineNotFoundError(f"No engine: {_INSTALL}.")
    if broken is None:
        return EmbeddedEngine(
            reason="no llama-server is configured or on the PATH, and the xllamacpp wheel is installed"
        )
    return EmbeddedEngine(
        reason="the llama-server on the PATH cannot be used",
        warning=(
            f"{broken.path} is on the PATH but cannot be used: {broken.why}. The embedded engine is used instead: "
            "reinstall llama.cpp, or remove that file."
        ),
    )


def _unusable_entry(directories: list[str]) -> EngineBrokenError | None:
    """Return why the first llama-server on the PATH is not executable; None if there is none."""
    for directory in directories:
        path = Path(directory, _PROGRAM).absolute()
        if os.path.lexists(path) and (why := _not_executable_reason(path)) is not None:
            return EngineBrokenError(path, why)
    return None


def _not_executable_reason(path: Path) -> str | None:
    """Return why a file cannot be executed; None if it can."""
    try:
        if path.is_dir():
            return "it is a directory, not the program in it"
        if not path.exists():
            return (
                "it does not exist" if not path.is_symlink() else "the file that it links to does not exist"
            )
    except OSError as error:
        return f"it is not accessible ({error.strerror})"
    if not path.is_file():
        return "it is not a regular file"
    if not os.access(path, os.X_OK):
        return "it is not executable"
    return None
