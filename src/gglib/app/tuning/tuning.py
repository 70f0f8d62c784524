"""Tunes one model of a home: composes the search from the settings, and keeps its result in the catalogue."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from gglib.app.memory.accounts import open_accounts
from gglib.app.memory.fitting import default_context, launch_facts
from gglib.app.serving.configurations import launch_config
from gglib.app.settings import Settings
from gglib.app.tuning.engine_trials import EngineTrials
from gglib.app.tuning.measured import Turn, fitted_turn
from gglib.app.tuning.search import Found, search
from gglib.app.tuning.trial_log import Progress
from gglib.core.backends import CommandBackend
from gglib.core.context import ContextRequest
from gglib.core.errors import AlreadyRunningError, GglibError, InvalidSettingError
from gglib.core.models import ModelEdit, ModelLaunchSpec, ModelSummary
from gglib.core.ports.catalog import ModelStorePort
from gglib.core.shell_quoting import quoted_command
from gglib.db import SqliteCatalog
from gglib.library.edit import edit_model
from gglib.runtime import LaunchConfig
from gglib.runtime.engines import Engine
from gglib.runtime.engines.llama_cpp.tuning.steps import MachineFacts, StepKind, tuning_steps
from gglib.runtime.local.workspace import reap_orphans
from gglib.system.files.locks import lock_file
from gglib.system.processors import read_cores, read_cpus

DIRECTORY, LOCK = "tuning", "tuning.lock"


@dataclass(frozen=True, slots=True, kw_only=True)
class TuningOptions:
    """What to measure."""

    context: int | None = None
    """In tokens; None: that of a request without a context."""
    prompt_tokens: int
    tokens: int
    """Generated ones."""
    rounds: int
    is_quick: bool = False
    only: Collection[StepKind] = ()
    """Empty: all kinds of options."""
    allows_lossy: bool = False
    """Whether quantised K/V caches may be kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TuningResult:
    """The result of a search, and what it was measured with."""

    found: Found
    context: int
    turn: Turn
    rounds: int


def check_is_tunable(spec: ModelLaunchSpec) -> None:
    """Raise ``InvalidSettingError`` for a model that generates no text, or that no engine of gglib serves."""
    if spec.backend is not None:
        what = "a command" if isinstance(spec.backend, CommandBackend) else "a server elsewhere"
        raise InvalidSettingError(
            f"'{spec.model_name}' is served by {what}: 'gglib tune' measures models that llama.cpp serves."
        )
    if spec.capabilities.embedding or spec.capabilities.rerank:
        kind = "a reranker" if spec.capabilities.rerank else "an embedding model"
        raise InvalidSettingError(
            f"'{spec.model_name}' is {kind}: 'gglib tune' measures models that generate text."
        )


async def tune(  # noqa: PLR0913 - what a tuning is made of
    settings: Settings,
    engine: Engine,
    catalog: SqliteCatalog,
    spec: ModelLaunchSpec,
    options: TuningOptions,
    *,
    on_progress: Callable[[Progress], None],
) -> TuningResult:
    """Measure a model with other engine arguments; changes nothing.

    Raises the errors of a launch if the current settings cannot be loaded, and ``AlreadyRunningError`` if another
    tuning uses this home. A cancellation stops the engine that is measured.
    """
    check_is_tunable(spec)
    accounts = await open_accounts(engine, catalog, slots=settings.slots, memory=settings.memory)
    context = _context(spec, settings, options.context)
    turn = fitted_turn(context, prompt_tokens=options.prompt_tokens, tokens=options.tokens)
    facts = await asyncio.to_thread(_machine_facts, engine, spec, turn, options)
    async with _own_directory(settings, launch_config(settings, engine, catalog, accounts)) as config:
        trials = EngineTrials(
            spec=spec, context=context, turn=turn, rounds=options.rounds, config=config, accounts=accounts
        )
        steps = tuning_steps(facts, options.only)
        found = await search(
            trials,
            steps,
            spec.settings.engine_args,
            allows_lossy=options.allows_lossy,
            on_progress=on_progress,
        )
    return TuningResult(found=found, context=context, turn=turn, rounds=options.rounds)


async def keep(found: Found, model: ModelSummary, store: ModelStorePort) -> ModelSummary:
    """Set the engine arguments that were found.

    Raises ``GglibError`` if another command has changed them since they were measured.
    """

    def edit(now: ModelSummary) -> ModelEdit:
        if now.settings.engine_args != found.start:
            command = quoted_command("tune", now.name)
            raise GglibError(
                f"The engine arguments of '{now.name}' were changed while it was measured, so nothing was kept: run "
                f"{command} again."
            )
        return ModelEdit(settings=replace(now.settings, engine_args=found.best))

    return await edit_model(str(model.id), edit, store=store)


def _context(spec: ModelLaunchSpec, settings: Settings, asked: int | None) -> int:
    if asked is None:
        return default_context(spec, settings)
    request = ContextRequest(requested=asked, model_setting=None, default=asked, trained=spec.trained_context)
    return request.needed


def _machine_facts(engine: Engine, spec: ModelLaunchSpec, turn: Turn, options: TuningOptions) -> MachineFacts:
    """Return the facts for the steps; blocks for seconds: a llama-server lists its devices."""
    facts = launch_facts(spec)
    return MachineFacts(
        cores=read_cores(),
        cpus=read_cpus(),
        has_gpu=bool(engine.gpu_devices()),
        layers=None if facts is None else facts.block_count,
        has_experts=facts is not None and bool(facts.layers.experts_used),
        prompt_tokens=turn.prompt_tokens,
        is_quick=options.is_quick,
    )


@asynccontextmanager
async def _own_directory(settings: Settings, config: LaunchConfig) -> AsyncIterator[LaunchConfig]:
    """Launch engines in a directory of their own for the block: a server that starts meanwhile stops those in its own.

    Stops the engines that an interrupted tuning has left. The lock ends with this process, however it ends.
    """
    run_dir = settings.run_dir.absolute()
    descriptor = await asyncio.to_thread(_lock, run_dir)
    try:
        await asyncio.to_thread(reap_orphans, run_dir / DIRECTORY)
        yield replace(config, engines_dir=run_dir / DIRECTORY, log_dir=settings.log_dir / DIRECTORY)
    finally:
        os.close(descriptor)


def _lock(run_dir: Path) -> int:
    run_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        return lock_file(run_dir / LOCK)
    except BlockingIOError:
        raise AlreadyRunningError(
            "Another 'gglib tune' measures with this home: wait until it has ended, or stop it."
        ) from None
