"""Adds models with backends to a home, as ``gglib add --command`` and ``gglib add --url`` do."""

import asyncio
import sys
from pathlib import Path

from tests.support import command_program

from gglib.core.backends import Backend, CommandBackend
from gglib.core.models import GgufFacts, ModelCapabilities, NewModel
from gglib.db import SqliteCatalog

PROGRAM = (sys.executable, command_program.__file__)


def add_backend(home: Path, name: str, backend: Backend) -> None:
    """Add a chat model that a backend serves."""
    model = NewModel(
        name=name,
        paths=(),
        size_bytes=0,
        facts=GgufFacts(architecture="", capabilities=ModelCapabilities(chat=True)),
        backend=backend,
    )

    async def add() -> None:
        async with SqliteCatalog(home / "gglib.db") as catalog:
            await catalog.add_model(model)

    asyncio.run(add())


def add_program(home: Path, name: str, *arguments: str, **backend: object) -> Path:
    """Add a model that ``tests/support/command_program.py`` serves; return the record of its starts."""
    record = home / f"{name}.starts"
    argv = (*PROGRAM, *(arguments or ("--port", "{port}")), "--start-on", str(record))
    add_backend(home, name, CommandBackend(argv=argv, **backend))  # type: ignore[arg-type]
    return record
