"""Runs the program of an engine that is being installed, before it gets its name."""

from pathlib import Path

from gglib.core.errors import EngineBrokenError, EngineInstallError
from gglib.engine_store import ProbedProgram
from gglib.runtime.engines import LlamaServerEngine


def probe_program(program: Path) -> ProbedProgram:
    """Return the version and the devices of a llama-server. Raises ``EngineInstallError`` if it does not run here.

    Blocks for up to a minute if its devices respond slowly.
    """
    engine = LlamaServerEngine(program, reason="it is being installed")
    try:
        _ = engine.known_options
        return ProbedProgram(engine.version, engine.gpu_devices())
    except EngineBrokenError as error:
        raise EngineInstallError(
            f"Its {program.name} does not run on this machine, so it is not installed: {error.why}. Choose another "
            "build: 'gglib engine list --available' shows them."
        ) from None
