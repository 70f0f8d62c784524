"""Gathers the facts for the checks of ``gglib doctor``."""

import asyncio
import os
import shutil
import sys
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

from gglib.app.catalog import model_load_errors, open_catalog
from gglib.app.doctor import (
    Check,
    Finding,
    Verdict,
    check_access,
    check_config,
    check_disk,
    check_engine,
    check_memory,
    check_models,
    check_python,
)
from gglib.app.memory import default_fit, usable_memory
from gglib.app.settings import Settings, prepare_home
from gglib.app.supervisor import OLLAMA_BUSY_ADVICE, bind
from gglib.cli.server.instance import find_instance
from gglib.core.models import ModelSummary
from gglib.library.file_state import FileState, file_state
from gglib.runtime.engines import Engine, find_engine


def doctor_checks(settings: Settings) -> list[Check]:
    """Return the checks for these settings, in the order of their dependencies."""

    async def engine() -> Finding:
        found, description = await asyncio.to_thread(_engine, settings)
        return check_engine(description, found.reason, found.warning)

    async def home() -> Finding:
        prepare_home(settings)
        is_writable = os.access(settings.home, os.W_OK)
        return Finding(Verdict.OK if is_writable else Verdict.FAIL, str(settings.home))

    async def models() -> Finding:
        found = await _models(settings)
        states = {model.name: {file_state(path) for path in model.all_files} for model in found}
        present = [model for model in found if states[model.name] == {FileState.HERE}]
        return check_models(
            found,
            [name for name, seen in states.items() if FileState.GONE in seen],
            [name for name, seen in states.items() if FileState.HIDDEN in seen],
            await asyncio.to_thread(model_load_errors, present, settings),
        )

    async def address() -> Finding:
        instance = find_instance(settings)
        if instance is not None:
            return Finding(Verdict.OK, f"gglib runs at {instance.url or '(starting)'}, pid {instance.pid}")
        bind(settings.host, settings.port).close()
        return Finding(Verdict.OK, f"{settings.host}:{settings.port} is free")

    async def access() -> Finding:
        return check_access(
            settings.host,
            tuple(settings.api_keys),
            is_insecure=settings.insecure,
            warnings=settings.warnings,
        )

    async def disk() -> Finding:
        return check_disk(shutil.disk_usage(settings.home).free)

    async def memory() -> Finding:
        available = await usable_memory(settings)
        async with open_catalog(settings) as catalog:
            largest = max(await catalog.list_models(), key=lambda model: model.size_bytes or 0, default=None)
            spec = None if largest is None else await catalog.resolve_for_launch(largest.name)
        fit = None if spec is None else await asyncio.to_thread(default_fit, spec, settings, available)
        return check_memory(available.available_bytes, None if largest is None else largest.name, fit)

    port = settings.ollama_port
    ollama = [] if port is None else [("ollama port", partial(_check_ollama_port, settings, port))]
    return [
        ("python", _python),
        ("config", partial(_config, settings)),
        *_with_names((engine, home, models, address)),
        *ollama,
        *_with_names((access, disk, memory)),
    ]


async def _python() -> Finding:
    version = sys.version_info
    return check_python((version.major, version.minor, version.micro))


async def _config(settings: Settings) -> Finding:
    return check_config(
        settings.config_path, exists=settings.config_state is not None, ignored=settings.ignored
    )


def _with_names(checks: Sequence[Callable[[], Awaitable[Finding]]]) -> list[Check]:
    return [(check.__name__, check) for check in checks]


async def _check_ollama_port(settings: Settings, port: int) -> Finding:
    """Check the second port. Raises ``InvalidSettingError`` if it is in use."""
    if find_instance(settings) is not None:
        return Finding(Verdict.OK, f"{port}; not checked while gglib runs")
    bind(settings.host, port, busy_advice=OLLAMA_BUSY_ADVICE).close()
    return Finding(Verdict.OK, f"{settings.host}:{port} is free")


def _engine(settings: Settings) -> tuple[Engine, str]:
    """Return the engine and its description; both run the program, which may take seconds."""
    found = find_engine(settings.engine)
    return found, found.description


async def _models(settings: Settings) -> list[ModelSummary]:
    async with open_catalog(settings) as catalog:
        return await catalog.list_models()
