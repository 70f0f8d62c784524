"""Pulls a model: plans, prompts, downloads, and adds it to the catalogue."""

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from gglib.cli.pull import plan_text
from gglib.cli.pull.reporters import PullOutcome, PullReporter
from gglib.cli.views import render
from gglib.core.errors import GglibError

if TYPE_CHECKING:
    from gglib.app.settings import Settings
    from gglib.cli.pull.prompts import PullPrompts
    from gglib.core.models import ModelSummary
    from gglib.core.ports.store import HomeStorePort
    from gglib.library.pull.execute import PulledModel
    from gglib.library.pull.plan import PullPlan


def pull_model(  # noqa: PLR0913 - the user's options, prompts and the reporter
    settings: "Settings",
    target: str,
    *,
    name: str | None,
    aliases: Sequence[str],
    prompts: "PullPrompts",
    reporter: PullReporter,
) -> None:
    """Pull ``target``: plan, prompt, download, add to the catalogue. After Ctrl-C the partial files are kept."""
    from gglib.cli.sessions import catalog_session

    try:
        with catalog_session(settings) as catalog:
            # Prompts between the calls, where Ctrl-C interrupts them (see ``catalog_session``).
            plan = prompts.confirmed(
                catalog.run(lambda store: _plan(settings, store, target, name, aliases)),
                lambda other: catalog.run(lambda store: _plan(settings, store, other, name, aliases)),
                lambda plan: _show_plan(settings, plan, reporter),
            )
            started_s = time.monotonic()
            try:
                result = catalog.run(lambda store: _download(settings, store, plan, reporter))
                models = catalog.run(lambda store: store.list_models())
            except KeyboardInterrupt:
                render.echo(f"\n{plan_text.interrupted_text(plan)}", is_error=True)
                raise
    except GglibError as error:
        reporter.failed(error)
        raise
    reporter.pulled(_outcome(settings, plan, result, models, took_s=time.monotonic() - started_s))


async def _plan(
    settings: "Settings", store: "HomeStorePort", target: str, name: str | None, aliases: Sequence[str]
) -> "PullPlan":
    from gglib.app.models.hub import open_hub
    from gglib.app.models.pulls import planner
    from gglib.library.pull.resume import resumed_target
    from gglib.library.variants.pull_target import read_target

    async with open_hub() as hub:
        parsed = resumed_target(read_target(target), await store.list_pulls())
        return await (await planner(settings, store, hub)).plan(parsed, name=name, aliases=aliases)


def _show_plan(settings: "Settings", plan: "PullPlan", reporter: PullReporter) -> None:
    """Report the plan. Raises ``GglibError`` if the disk has too little space for it."""
    from gglib.library.pull.disk_space import check_disk_space, place_of

    directory = settings.models_dir / plan.folder
    reporter.planned(plan, place_of(directory))
    check_disk_space(plan.name, plan.needs_bytes, directory)


async def _download(
    settings: "Settings", store: "HomeStorePort", plan: "PullPlan", reporter: PullReporter
) -> "PulledModel":
    from gglib.app.models.hub import open_hub
    from gglib.app.models.pulls import puller

    async with open_hub() as hub:
        with reporter.progress() as on_progress:
            return await puller(settings, store, hub).pull(plan, on_progress)


def _outcome(
    settings: "Settings",
    plan: "PullPlan",
    result: "PulledModel",
    models: "Sequence[ModelSummary]",
    *,
    took_s: float,
) -> PullOutcome:
    from gglib.cli.server.instance import model_states
    from gglib.proxy.names.alias_table import lists_by_model
    from gglib.proxy.names.aliases import AliasLists

    return PullOutcome(
        plan=plan,
        result=result,
        took_s=took_s,
        is_in_memory=result.is_updated and result.model.id in model_states(settings),
        alias_lists=lists_by_model(models, AliasLists(settings.aliases)).get(result.model.id, ()),
    )
