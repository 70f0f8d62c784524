"""Chooses the model of a request that names none."""

from collections.abc import Sequence

from gglib.core.models import ModelSummary
from gglib.core.names import MAX_OTHERS
from gglib.proxy.access.visible_catalog import VisibleCatalog
from gglib.proxy.errors import BadRequestError
from gglib.proxy.names.candidates import kind_of
from gglib.proxy.names.kind_defaults import default_of_kind
from gglib.proxy.names.resolution import require_name
from gglib.proxy.options import Services


async def default_model(path: str, services: Services) -> str:
    """Return the model for a request that names none.

    Raises ``BadRequestError``, which lists the models, or ``ModelNotFoundError`` for a configured name; not for a key
    that may use some models only: the configured one may be another.
    """
    name = await default_of_kind(kind_of(path), services)
    if name is not None:
        return name
    configured = services.options.default_model
    is_limited = isinstance(services.catalog, VisibleCatalog)
    if configured is not None and not is_limited:
        await require_name(configured, services.catalog, services.aliases, services.profiles)
    raise BadRequestError(
        _no_model_message(await services.catalog.list_models(), is_limited=is_limited), "model"
    )


def _no_model_message(models: Sequence[ModelSummary], *, is_limited: bool) -> str:
    if not models and is_limited:
        return "The request names no 'model', and this API key may use none of the models."
    if not models:
        return (
            "The request names no 'model', and the catalogue is empty: 'gglib pull' or 'gglib add' adds one."
        )
    names = ", ".join(model.name for model in models[:MAX_OTHERS])
    more = len(models) - MAX_OTHERS
    rest = f" and {more} more ('gglib list')" if more > 0 else ""
    return f"The request names no 'model', and no default fits: send one of {names}{rest}, or set 'default_model'."
