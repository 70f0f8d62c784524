"""The models, as OpenAI's clients and their kin list them."""

from urllib.parse import unquote_to_bytes

from gglib.core.context import ContextWish
from gglib.core.errors import ModelNotFoundError
from gglib.core.models import ModelSummary
from gglib.core.ports import RuntimeStatus
from gglib.proxy.answer import Answer
from gglib.proxy.asgi import Request
from gglib.proxy.forward import find_model
from gglib.proxy.interrupt import Interruptible
from gglib.proxy.options import Services

MODELS_PATH = "/v1/models"

_SHOWN_STATES = {"loading": "loading", "ready": "loaded", "draining": "loaded"}
"""What clients call the states of a resident; one that is stopping counts as unloaded."""


async def list_models(request: Request, answer: Answer, services: Services, block: Interruptible) -> None:
    """``GET /v1/models``: every model of the catalogue, loaded or not."""
    del request, block
    states = _states(await services.runtime.status())
    models = await services.catalog.list_models()
    data = [_model_object(model, services.default_ctx, states) for model in models]
    await answer.send_json({"object": "list", "data": data})


async def show_model(request: Request, answer: Answer, services: Services, block: Interruptible) -> None:
    """``GET /v1/models/{id}``: one model, by any of its names; a name may hold slashes and percent signs."""
    del block
    name = _decoded(request.raw_path.removeprefix(MODELS_PATH + "/"))
    model = await find_model(services, name)
    request.model = model.name
    states = _states(await services.runtime.status())
    await answer.send_json(_model_object(model, services.default_ctx, states))


def _decoded(quoted: str) -> str:
    try:
        return unquote_to_bytes(quoted).decode()
    except UnicodeDecodeError as error:
        raise ModelNotFoundError(quoted) from error


def _states(status: RuntimeStatus) -> dict[str, str]:
    states = {name: "failed" for name, _ in status.failed}
    for resident in status.residents:
        states[resident.model_name] = _SHOWN_STATES.get(resident.state, "unloaded")
    return states


def _model_object(model: ModelSummary, default_ctx: int, states: dict[str, str]) -> dict[str, object]:
    context = ContextWish(
        requested=None,
        model_setting=model.settings.context,
        default=default_ctx,
        trained=model.trained_context,
    ).needed
    return {
        "id": model.name,
        "object": "model",
        "created": model.added_at,
        "owned_by": "gglib",
        "name": model.name,
        "description": model.description,
        "aliases": model.aliases,
        "architecture": model.architecture,
        "quantization": model.quantization,
        "capabilities": model.capabilities.names(),
        # Each family of clients reads the size of the context from a field of its own.
        "context_length": context,
        "max_model_len": context,
        "max_context_length": model.trained_context,
        "meta": {
            "n_ctx_train": model.trained_context,
            "n_params": model.parameter_count,
            "size": model.size_bytes,
        },
        "status": {"value": states.get(model.name, "unloaded")},
    }
