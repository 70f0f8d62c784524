"""Lists how the models of this machine fit into its memory."""

from dataclasses import replace

from gglib.core import errors
from gglib.core.memory import Fit
from gglib.core.model_fits import ModelFit
from gglib.proxy.response import Response
from gglib.proxy.routes import responses
from gglib.proxy.routes.admin.groups import MODELS_GROUP
from gglib.proxy.routes.admin.models import states_of
from gglib.proxy.routes.dispatch import Call, operation
from gglib.proxy.routes.operation_spec import OperationSpec


async def list_fits(call: Call[None, None], response: Response) -> None:
    """Send how each model fits now; a model in memory does."""
    states = await states_of(call)
    found = await call.library.list_fits()
    fits = (_in_memory(fit) if fit.model_id in states else fit for fit in found.fits)
    await response.send(
        responses.ModelFits(
            memory=responses.Memory.of(found.memory), fits=tuple(map(responses.ModelFit.of, fits))
        )
    )


def _in_memory(fit: ModelFit) -> ModelFit:
    """Return the fit of a model in memory: what it occupies is not free, and it needs no more."""
    return replace(fit, fit=Fit.FITS, reason="It is in memory.")


OPERATIONS = (
    operation(
        list_fits,
        OperationSpec(
            id="listFits",
            method="GET",
            path="/gglib/fits",
            group=MODELS_GROUP,
            summary="List whether the models fit into the memory",
            text="Judges each model of the catalogue against the memory that is free now, with its own context and "
            "slots, from its header. Headers are read for at most a second: models beyond it are estimated from their "
            "sizes (`need.is_exact` is false) until the next request.",
            response=responses.ModelFits,
            needs_library=True,
            errors=(errors.CatalogError,),
        ),
    ),
)
