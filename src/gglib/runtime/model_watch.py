"""Polls the catalogue for pins and for removed or changed models, and checks for overwritten model files."""

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping

from gglib.core.models import ModelLaunchSpec, ModelSettings
from gglib.core.ports import ModelCatalogPort
from gglib.runtime.launcher import EngineRun
from gglib.runtime.scheduler.events import Event, FileChanged, ModelRemoved, PinsChanged, Superseded
from gglib.runtime.scheduler.scheduler import Scheduler

logger = logging.getLogger("gglib.runtime")


class ModelWatch:
    """Compares the scheduler's models with the catalogue, and the loaded models with their files."""

    def __init__(
        self,
        catalog: ModelCatalogPort,
        scheduler: Scheduler,
        runs: Mapping[int, EngineRun],
        dispatch: Callable[[Event], None],
        *,
        on_models: Callable[[Collection[int]], None] = lambda _: None,
    ) -> None:
        """Watch ``runs``, the current launches by generation; ``on_models`` gets the ids of all models that exist."""
        self._catalog = catalog
        self._scheduler = scheduler
        self._runs = runs
        self._dispatch = dispatch
        self._on_models = on_models
        self._pinned: frozenset[int] = frozenset()
        self._pin_reads = 0
        """How often the pins were read, including reads that have not ended."""
        self._last_applied_read = 0

    async def run(self, interval_s: float) -> None:
        """Poll now and every ``interval_s`` seconds, until cancelled."""
        logged = None
        while True:
            try:
                await self.poll()
                logged = None
            except Exception as error:  # noqa: BLE001 - an embedder's catalogue may raise anything; polling continues
                if str(error) != logged:  # not again at each poll
                    logger.warning("the catalogue could not be compared with the loaded models: %s", error)
                    logged = str(error)
            await asyncio.sleep(interval_s)

    async def poll(self) -> tuple[str, ...]:
        """Compare once, and return the names of the models that are unloaded. Errors of the catalogue propagate."""
        await self.apply_pins()
        # Listed before the catalogue is read: a launch that becomes ready meanwhile may be newer than the specs.
        ready = [run for run in self._runs.values() if run.ready_at is not None]
        specs = await self._current_specs()
        remaining = {r.generation for r in self._scheduler.residents if not r.is_terminating}
        unloaded = []
        for run in ready:
            if not run.unavailable.is_set() and run.launch.generation in remaining:
                event = await _change(run, specs.get(run.spec.model_id, run.spec))
                if event is not None:
                    self._dispatch(event)
                    unloaded.append(run.spec.model_name)
        return tuple(unloaded)

    async def apply_pins(self) -> None:
        """Dispatch ``PinsChanged`` if the catalogue's pinned models differ from the last ones dispatched.

        Runs get the settings that they read at their stop.
        The result of a read that ends after a later one is ignored: it may be older.
        """
        self._pin_reads = number = self._pin_reads + 1
        models = await self._catalog.list_models()
        if number < self._last_applied_read:
            return
        self._last_applied_read = number
        self._on_models(frozenset(model.id for model in models))
        self._apply_to_runs({model.id: model.settings for model in models})
        pinned = frozenset(model.id for model in models if model.settings.is_pinned)
        if pinned != self._pinned:
            self._pinned = pinned
            self._dispatch(PinsChanged(pinned))

    def _apply_to_runs(self, settings: Mapping[int, ModelSettings]) -> None:
        for run in self._runs.values():
            own = settings.get(run.spec.model_id)
            if own is not None:
                run.keep_conversations = own.keep_conversations

    async def _current_specs(self) -> dict[int, ModelLaunchSpec]:
        """Return the current specs of the scheduler's models. Dispatches ``ModelRemoved`` for models that are gone."""
        specs: dict[int, ModelLaunchSpec] = {}
        for model_id, spec in self._relevant_specs().items():
            current = await self._current_spec(spec)
            if current is None:
                logger.info("'%s' was removed from the catalogue", spec.model_name)
                self._dispatch(ModelRemoved(model_id))
            else:
                specs[model_id] = current
        return specs

    async def _current_spec(self, spec: ModelLaunchSpec) -> ModelLaunchSpec | None:
        """Return the current spec of a model, also if it has another name by now; None if it is gone."""
        current = await self._catalog.resolve_for_launch(spec.model_name)
        if current is not None and current.model_id == spec.model_id:
            return current
        for model in await self._catalog.list_models():
            if model.id == spec.model_id:
                return await self._catalog.resolve_for_launch(model.name)
        return None

    def _relevant_specs(self) -> dict[int, ModelLaunchSpec]:
        """Return the models, by id, that are resident, waited for, pending or failed."""
        scheduler = self._scheduler
        specs = [resident.spec for resident in scheduler.residents if not resident.is_terminating]
        specs += [waiter.spec for waiter in (*scheduler.waiters, *scheduler.pending_loads)]
        specs += [failure.spec for failure in scheduler.failures]
        return {spec.model_id: spec for spec in specs}


async def _change(run: EngineRun, current: ModelLaunchSpec) -> Superseded | FileChanged | None:
    """Return the event for a launch that differs from its model's current spec or files; None if it does not."""
    name, generation = run.spec.model_name, run.launch.generation
    if current.path.absolute() != run.spec.path.absolute():
        logger.info("'%s' was updated: unloading its older version", name)
        return Superseded(generation)
    if current.model_name != name:  # the status, the log and the commands name the launch by its model's name
        logger.info("'%s' is now '%s': unloading it after its requests", name, current.model_name)
        return Superseded(generation)
    if _launch_options(current) != _launch_options(run.spec):
        logger.info("the options of '%s' were changed: unloading it after its requests", name)
        return Superseded(generation)
    if await run.is_file_overwritten():
        logger.warning("the file of '%s' changed while it was loaded", name)
        return FileChanged(generation)
    return None


def _launch_options(spec: ModelLaunchSpec) -> tuple[object, ...]:
    """Return the user's settings of a model that an engine only reads at its launch.

    ``idle_ttl_s`` is read for each request, and ``keep_conversations`` at the stop.
    """
    settings = spec.settings
    projector = None if spec.projector is None else spec.projector.absolute()
    own = settings.context, settings.engine_args, settings.kind, settings.environment, settings.extra_args
    return *own, projector, spec.backend
