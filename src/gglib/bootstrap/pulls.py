"""A catalogue and a hub become pulls: plans, their execution, and the repair of what was interrupted."""

from gglib.bootstrap.memory import usable_memory
from gglib.core.models import ModelSummary
from gglib.core.ports import ModelHubPort, ModelStorePort
from gglib.core.pull_target import read_target
from gglib.gguf import read_model, read_partial_facts
from gglib.settings import Settings
from gglib.usecases.plan_pull import PullPlanner
from gglib.usecases.pull_journal import PullJournal
from gglib.usecases.pull_model import Puller, TellPull


async def planner(settings: Settings, store: ModelStorePort, hub: ModelHubPort) -> PullPlanner:
    """Return what decides what is pulled, for this machine's memory as it is now."""
    return PullPlanner(
        hub=hub,
        store=store,
        models_dir=settings.models_dir,
        read_facts=read_partial_facts,
        memory=await usable_memory(settings),
        default_ctx=settings.default_ctx,
        slots=settings.slots,
    )


def puller(settings: Settings, store: ModelStorePort, hub: ModelHubPort) -> Puller:
    """Return what carries plans out."""
    return Puller(hub=hub, store=store, journal=journal(settings), read_model=read_model)


def journal(settings: Settings) -> PullJournal:
    """Return the notes on pulls that have not ended."""
    return PullJournal(settings.models_dir)


async def pull_named(
    settings: Settings, store: ModelStorePort, hub: ModelHubPort, target: str, progress: TellPull
) -> ModelSummary:
    """Pull what a text names, with the choice that fits where it leaves one: for programs, which nobody asks."""
    plan = await (await planner(settings, store, hub)).plan(read_target(target))
    return await puller(settings, store, hub).pull(plan, progress)
