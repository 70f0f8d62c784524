"""The first models for this machine: the list, the fit of each, and whether the hub has them now."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from gglib.app.memory.fitting import usable_memory
from gglib.app.models.hub import load_client, open_hub
from gglib.app.settings import Settings
from gglib.core.errors import GatedRepositoryError, HubError, RepositoryNotFoundError
from gglib.core.hub.first_models import FirstModelList, OfferedModel
from gglib.core.hub.quantizations import folded
from gglib.core.hub.repository import Gating
from gglib.core.memory import MachineMemory
from gglib.core.ports.hub import ModelHubPort
from gglib.library.starter.first_models import FirstModel, Offer, first_models, offers, recommended
from gglib.library.variants.find import find_variants

HUB_CHECK_S = 2.0
"""Longest wait for the hub, without the import of its client: the question must not keep the user waiting."""


class Presence(Enum):
    """Whether the hub has a model of the list."""

    THERE = "there"
    GONE = "gone"
    UNKNOWN = "unknown"
    """The hub did not respond in time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstModelOffers:
    """What a user without a model is offered."""

    offers: tuple[Offer, ...]
    """Smallest first, without those that are gone from the hub."""
    recommended: Offer | None
    """None: none fits, or the hub cannot be reached."""
    is_hub_reachable: bool


def judged(offered: Sequence[Offer], presences: Sequence[Presence], best: Offer | None) -> FirstModelOffers:
    """Return the offers that are left. Pure.

    ``best`` is the recommended one of all of them; if it is gone, a smaller one that fits is.
    """
    left = tuple(
        offer for offer, presence in zip(offered, presences, strict=True) if presence is not Presence.GONE
    )
    is_reachable = any(presence is not Presence.UNKNOWN for presence in presences)
    smaller = [
        offer for offer in left if best is not None and offer.model.size_bytes <= best.model.size_bytes
    ]
    return FirstModelOffers(
        offers=left,
        recommended=smaller[-1] if smaller and is_reachable else None,
        is_hub_reachable=is_reachable,
    )


async def first_model_offers(settings: Settings) -> FirstModelOffers:
    """Return the offers for the memory that is free now; asks the hub, for at most ``HUB_CHECK_S``."""
    await load_client()
    async with open_hub() as hub:
        offered, _ = await _offers_of(settings, hub)
    return offered


async def first_model_list(settings: Settings, hub: ModelHubPort) -> FirstModelList:
    """Return the same for programs, with the memory that the fits were judged against."""
    await load_client()
    offered, memory = await _offers_of(settings, hub)
    best = offered.recommended
    return FirstModelList(
        as_of=first_models().as_of,
        memory=memory,
        models=tuple(map(_offered_model, offered.offers)),
        recommended=None if best is None else best.model.target,
        is_hub_reachable=offered.is_hub_reachable,
    )


def _offered_model(offer: Offer) -> OfferedModel:
    model, found = offer.model, offer.slot_fit
    return OfferedModel(
        title=model.title,
        target=model.target,
        size_bytes=model.size_bytes,
        licence=model.licence,
        machine_gb=model.machine_gb,
        need=found.need,
        fit=found.fit,
        slots=found.slots,
    )


async def _offers_of(settings: Settings, hub: ModelHubPort) -> tuple[FirstModelOffers, MachineMemory]:
    models = first_models().models
    memory, presences = await asyncio.gather(usable_memory(settings), _presences(models, hub))
    offered = offers(models, memory=memory, default_ctx=settings.default_ctx, slots=settings.slots)
    return judged(offered, presences, recommended(offered, memory)), memory


async def local_offers(settings: Settings) -> FirstModelOffers:
    """Return the offers without asking the hub."""
    models, memory = first_models().models, await usable_memory(settings)
    offered = offers(models, memory=memory, default_ctx=settings.default_ctx, slots=settings.slots)
    return judged(offered, [Presence.THERE] * len(models), recommended(offered, memory))


async def _presences(models: Sequence[FirstModel], hub: ModelHubPort) -> list[Presence]:
    checks = [asyncio.create_task(presence_of(model, hub)) for model in models]
    try:
        await asyncio.wait(checks, timeout=HUB_CHECK_S)
        return [check.result() if check.done() else Presence.UNKNOWN for check in checks]
    finally:
        for check in checks:
            check.cancel()
        await asyncio.gather(*checks, return_exceptions=True)


async def presence_of(model: FirstModel, hub: ModelHubPort) -> Presence:
    """Return whether the hub has the model's quantization, without a gate."""
    try:
        repository = await hub.repository(model.repo)
    except (RepositoryNotFoundError, GatedRepositoryError):
        return Presence.GONE
    except HubError:
        return Presence.UNKNOWN
    if repository.gate is not Gating.OPEN:
        return Presence.GONE
    labels = {folded(variant.quantization or "") for variant in find_variants(repository.files).models}
    return Presence.THERE if folded(model.quantization) in labels else Presence.GONE
