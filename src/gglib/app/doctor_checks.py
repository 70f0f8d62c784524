"""Gathers the facts for the checks of ``gglib doctor``."""

import asyncio
import os
import shutil
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial

from gglib.app.certificates.loading import read_certificate
from gglib.app.doctor import (
    Check,
    Finding,
    Verdict,
    check_access,
    check_config,
    check_disk,
    check_engine,
    check_gpu,
    check_memory,
    check_models,
    check_node,
    check_python,
    check_recording,
    check_tls,
)
from gglib.app.memory.fitting import default_fit, usable_memory
from gglib.app.memory.gpu_use import gpu_names, gpu_text, read_gpu_use
from gglib.app.models.catalog import model_load_errors, open_catalog
from gglib.app.nodes import look_at, peers_of
from gglib.app.serving.busy_port import check_ollama_port, check_port
from gglib.app.serving.instance import Instance, running_instance
from gglib.app.serving.recording import recorded
from gglib.app.settings import Settings, config_reader, prepare_home
from gglib.app.settings.name_checks import name_warnings
from gglib.core.errors import EngineNotFoundError
from gglib.core.models import ModelSummary
from gglib.core.ports.store import HomeStorePort
from gglib.core.profiles import Profile
from gglib.library.file_state import FileState, file_state
from gglib.runtime.engines import EmbeddedEngine, Engine, find_engine
from gglib.runtime.engines.registry import plugin_faults
from gglib.system.present_gpus import read_present_gpus

READ_HEADERS_S = 10.0
"""How long the headers of models are read; a header takes 1 to 50 ms, and a catalogue may have thousands of models."""

OpenCatalog = Callable[[], AbstractAsyncContextManager[HomeStorePort]]
"""Opens the catalogue for one check."""


def doctor_checks(settings: Settings, open_store: OpenCatalog | None = None) -> list[Check]:
    """Return the checks for these settings, in the order of their dependencies. None blocks the event loop.

    ``open_store`` is for a server, which has the catalogue open; the default opens that of the home.
    """
    opened = open_store or partial(open_catalog, settings)

    async def engine() -> Finding:
        found, description, fault, plugins = await asyncio.to_thread(_engine, settings)
        return check_engine(description, found.reason, found.warning, plugins, fault=fault)

    async def home() -> Finding:
        return await asyncio.to_thread(_home, settings)

    async def models() -> Finding:
        found, profiles = await _models(opened)
        states = await asyncio.to_thread(_file_states, found)
        present = [model for model in found if states[model.name] == {FileState.HERE}]
        load_errors, unread = await asyncio.to_thread(_load_errors, present, settings)
        return check_models(
            found,
            [name for name, seen in states.items() if FileState.GONE in seen],
            [name for name, seen in states.items() if FileState.HIDDEN in seen],
            load_errors,
            tuple(name_warnings(settings, found, profiles)),
            unread=unread,
        )

    async def address() -> Finding:
        instance = await _find_instance(settings)
        if instance is not None:
            return Finding(Verdict.OK, f"gglib runs at {instance.url or '(starting)'}, pid {instance.pid}")
        await check_port(settings.host, settings.port, "serve")
        return Finding(Verdict.OK, f"{settings.host}:{settings.port} is free")

    async def access() -> Finding:
        if settings.ignored:  # the keys and the address may be among the values that are not used
            return Finding(Verdict.FAIL, "not checked: the settings cannot be used")
        return check_access(
            settings.host,
            tuple(settings.api_keys),
            is_insecure=settings.insecure,
            warnings=settings.warnings,
        )

    async def disk() -> Finding:
        return check_disk((await asyncio.to_thread(shutil.disk_usage, settings.home)).free)

    async def memory() -> Finding:
        available = await usable_memory(settings)
        async with opened() as catalog:
            largest = max(await catalog.list_models(), key=lambda model: model.size_bytes or 0, default=None)
            spec = None if largest is None else await catalog.resolve_for_launch(largest.name)
        fit = None if spec is None else await asyncio.to_thread(default_fit, spec, settings, available)
        return check_memory(available.available_bytes, None if largest is None else largest.name, fit)

    port = settings.ollama_port
    ollama = [] if port is None else [("ollama port", partial(_check_ollama_port, settings, port))]
    clause = recorded(settings)
    recording = [] if clause is None else [("recording", partial(_recording, clause))]
    return [
        ("python", _python),
        ("config", partial(_config, settings)),
        *_with_names((engine,)),
        ("gpu", partial(_gpu, settings)),
        *_with_names((home, models, address)),
        *ollama,
        *_with_names((access,)),
        ("tls", partial(_tls, settings)),
        *recording,
        *_with_names((disk, memory)),
        *_node_checks(settings),
    ]


def _node_checks(settings: Settings) -> list[Check]:
    """Return a check for each node. The first one probes them all at once."""
    findings: dict[str, Finding] = {}

    async def node(name: str) -> Finding:
        if not findings:
            for found in await look_at(peers_of(settings.nodes, os.environ)):
                findings[found.name] = check_node(found, is_drained=settings.nodes[found.name].is_drained)
        return findings[name]

    return [(f"node {name}", partial(node, name)) for name in settings.nodes]


async def _python() -> Finding:
    version = sys.version_info
    return check_python((version.major, version.minor, version.micro))


async def _config(settings: Settings) -> Finding:
    """Check the settings; a server has valid ones, while its file may have become invalid since."""
    path = settings.config_path
    problems = await asyncio.to_thread(config_reader.check_config, path)
    return check_config(path, exists=settings.config_state is not None, ignored=settings.ignored or problems)


async def _tls(settings: Settings) -> Finding:
    if settings.ignored:  # the files and the address may be among the values that are not used
        return Finding(Verdict.FAIL, "not checked: the settings cannot be used")
    files = settings.certificate_files
    facts = None if files is None else (await asyncio.to_thread(read_certificate, files)).facts
    return check_tls(facts, settings.host, time.time())


async def _recording(clause: str) -> Finding:
    return check_recording(clause)


async def _gpu(settings: Settings) -> Finding:
    try:
        use = await asyncio.to_thread(lambda: read_gpu_use(find_engine(settings.engine)))
    except EngineNotFoundError:  # reported by the check of the engine
        return check_gpu(gpu_names(await asyncio.to_thread(read_present_gpus)) or None, is_lost=False)
    return check_gpu(gpu_text(use), is_lost=use.is_lost)


def _with_names(checks: Sequence[Callable[[], Awaitable[Finding]]]) -> list[Check]:
    return [(check.__name__, check) for check in checks]


async def _check_ollama_port(settings: Settings, port: int) -> Finding:
    """Check the second port. Raises ``InvalidSettingError`` if it is in use."""
    if await _find_instance(settings) is not None:
        return Finding(Verdict.OK, f"{port}; not checked while gglib runs")
    await check_ollama_port(settings.host, port)
    return Finding(Verdict.OK, f"{settings.host}:{port} is free")


def _engine(settings: Settings) -> tuple[Engine, str, str | None, tuple[str, ...]]:
    """Return the engine, its description, its fault and those of plug-ins. It runs programs, which may take seconds."""
    found = find_engine(settings.engine)
    fault = found.fault() if isinstance(found, EmbeddedEngine) else None
    return found, found.description, fault, tuple(plugin_faults())


def _home(settings: Settings) -> Finding:
    """Check the home; creates it if it is missing."""
    prepare_home(settings)
    is_writable = os.access(settings.home, os.W_OK)
    return Finding(Verdict.OK if is_writable else Verdict.FAIL, str(settings.home))


def _file_states(models: Sequence[ModelSummary]) -> dict[str, set[FileState]]:
    return {model.name: {file_state(path) for path in model.all_files} for model in models}


def _load_errors(
    models: Sequence[ModelSummary], settings: Settings, limit_s: float = READ_HEADERS_S
) -> tuple[dict[str, str], int]:
    """Return the models that cannot be loaded with the reasons, and how many were not looked at within ``limit_s``.

    Those that were used last are first.
    """
    deadline_s = time.monotonic() + limit_s
    waiting = sorted(models, key=lambda model: model.last_used_at or 0)

    def in_time() -> Iterator[ModelSummary]:
        while waiting and time.monotonic() < deadline_s:
            yield waiting.pop()

    return model_load_errors(in_time(), settings), len(waiting)


async def _find_instance(settings: Settings) -> Instance | None:
    return await asyncio.to_thread(running_instance, settings.run_dir)


async def _models(opened: OpenCatalog) -> tuple[list[ModelSummary], list[Profile]]:
    async with opened() as catalog:
        return await catalog.list_models(), await catalog.list_profiles()
