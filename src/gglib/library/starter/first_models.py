"""The list of first models: known instruct models of the hub for machines of several sizes, and how they fit this one.

The facts are in ``first_models.toml``.
"""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

from gglib.core.memory import Fit, MachineMemory
from gglib.core.models import GgufFacts, LayerFacts, ModelCapabilities
from gglib.library.fit.slots import SlotFit, model_fit
from gglib.library.variants.fits import context_to_judge

_NAMED_TENTHS = 11
"""A machine of 8 GB reports at least 7.3 GB."""
FILE = Path(__file__).with_suffix(".toml")
_LAYER_FIELDS = frozenset(field.name for field in fields(LayerFacts))


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstModel:
    """A model of the list."""

    title: str
    repo: str
    quantization: str
    size_bytes: int
    licence: str
    """As the hub writes it: ``apache-2.0``."""
    machine_gb: int
    """The memory of a machine that it is meant for."""
    facts: GgufFacts
    """Its published shape: what a header says of it, as far as the fit needs it."""

    @property
    def target(self) -> str:
        """The target of ``gglib pull``."""
        return f"{self.repo}:{self.quantization}"


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstModels:
    """The list, smallest model first."""

    as_of: date
    models: tuple[FirstModel, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A model of the list, and how it fits this machine."""

    model: FirstModel
    slot_fit: SlotFit

    @property
    def fit(self) -> Fit:
        """Whether it fits the free memory."""
        return self.slot_fit.fit


@cache
def first_models() -> FirstModels:
    """Return the list of the package."""
    return parse_first_models(FILE.read_text(encoding="utf-8"))


def parse_first_models(text: str) -> FirstModels:
    """Parse the list. Raises ``ValueError``, ``KeyError`` or ``TypeError`` for anything that it cannot be. Pure."""
    content = tomllib.loads(text)
    return FirstModels(as_of=content["as_of"], models=tuple(map(_model, content["model"])))


def offers(
    models: Sequence[FirstModel], *, memory: MachineMemory, default_ctx: int, slots: int
) -> list[Offer]:
    """Return how each model fits with the default context, in tokens, for up to ``slots`` requests. Pure."""
    return [
        Offer(
            model=model,
            slot_fit=model_fit(
                model.facts,
                weights_bytes=model.size_bytes,
                context=context_to_judge(default_ctx, model.facts, None),
                slots=slots,
                memory=memory,
            ),
        )
        for model in models
    ]


def recommended(offered: Sequence[Offer], memory: MachineMemory) -> Offer | None:
    """Return the largest model that fits and is meant for machines of this size; None if none fits. Pure.

    A model may fit a smaller machine while no other program runs; it would be in the way of the first that is started.
    """
    fitting = [offer for offer in offered if offer.fit is Fit.FITS]
    total = max(memory.total_bytes or 0, sum(gpu.total_bytes for gpu in memory.gpus))
    meant = [offer for offer in fitting if not total or _is_meant_for(offer.model, total)]
    return next(reversed(meant or fitting[:1]), None)


def _is_meant_for(model: FirstModel, total_bytes: int) -> bool:
    """Whether a machine has the memory; firmware and graphics take some of what its vendor names."""
    return total_bytes * _NAMED_TENTHS >= model.machine_gb * 10**9 * 10


def _model(entry: Mapping[str, Any]) -> FirstModel:
    shape = dict(entry["shape"])
    layers = LayerFacts(**{name: shape.pop(name) for name in _LAYER_FIELDS & shape.keys()})
    facts = GgufFacts(
        **shape,
        value_length=shape["key_length"],
        quantization=entry["quantization"],
        layers=layers,
        capabilities=ModelCapabilities(chat=True),
    )
    return FirstModel(facts=facts, **{name: value for name, value in entry.items() if name != "shape"})
