"""Responses about models and the memory of this machine. Values only."""

from dataclasses import dataclass
from enum import Enum
from typing import Annotated, Self

from msgspec import Meta

from gglib.core import model_fits
from gglib.core.memory import Fit
from gglib.proxy.routes.responses.hub import Memory, Need


class FitVerdict(Enum):
    """Whether a model of the catalogue can run in the free memory."""

    FITS = Fit.FITS.value
    TIGHT = Fit.TIGHT.value
    TOO_LARGE = Fit.TOO_LARGE.value
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFit:
    """How a model of the catalogue fits, with its own context and slots."""

    model_id: int
    model_name: str
    fit: Annotated[FitVerdict, Meta(description="Whether it fits now; a model in memory does.")]
    need: Annotated[Need | None, Meta(description="With `slots` slots; null without all its files.")]
    slots: Annotated[int | None, Meta(description="Number of requests that it would serve at a time.")]
    context: Annotated[int, Meta(description="Context of each request, in tokens.")]
    reason: Annotated[str, Meta(description="The reason of `fit`, as a sentence.")]

    @classmethod
    def of(cls, fit: model_fits.ModelFit) -> Self:
        """Return the JSON form of a fit."""
        return cls(
            model_id=fit.model_id,
            model_name=fit.model_name,
            fit=FitVerdict.UNKNOWN if fit.fit is None else FitVerdict(fit.fit.value),
            need=None if fit.need is None else Need.of(fit.need),
            slots=fit.slots,
            context=fit.context,
            reason=fit.reason,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFits:
    """How the models of the catalogue fit."""

    memory: Memory
    fits: Annotated[tuple[ModelFit, ...], Meta(description="In the order in which the models were added.")]
