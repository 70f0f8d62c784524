"""Applies the plan of an import: adds models, fills in what known models lack, and adds profiles."""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace

from gglib.core.errors import GglibError
from gglib.core.models import ModelSummary
from gglib.core.ports.store import HomeStorePort
from gglib.core.profiles import Profile
from gglib.library.add import adopted_or_added
from gglib.library.edit import edit_model
from gglib.library.importers.configurations.planned import PlannedModel, PlanState, edit_of

AddProfile = Callable[[Profile, str], Awaitable[None]]
"""Adds a profile to a model, unless it has one of this name. Raises ``GglibError``."""


async def apply_plan(
    models: Iterable[PlannedModel], store: HomeStorePort, add_profile: AddProfile
) -> list[PlannedModel]:
    """Apply what is to do, and return all models with their results; a failure does not affect the others."""
    return [await _applied(model, store, add_profile) if model.is_to_do else model for model in models]


async def _applied(planned: PlannedModel, store: HomeStorePort, add_profile: AddProfile) -> PlannedModel:
    try:
        model = await _stored(planned, store)
        for profile in planned.profiles:
            await add_profile(profile, str(model.id))
    except GglibError as error:
        return replace(planned, state=PlanState.FAILED, reason=str(error).rstrip("."))
    state = PlanState.ADDED if planned.state is PlanState.NEW else PlanState.UPDATED
    return replace(planned, state=state, name=model.name)


async def _stored(planned: PlannedModel, store: HomeStorePort) -> ModelSummary:
    if planned.new is not None:
        return await adopted_or_added(planned.new, store)
    assert planned.known is not None  # noqa: S101 - a change is of a known model
    return await edit_model(str(planned.known.id), lambda now: edit_of(planned, now), store=store)
