"""Encodes the catalogue as LM Studio's lists of models. Pure.

Source: LM Studio's documentation of its REST API, ``GET /api/v0/models`` and ``GET /api/v1/models``. LM Studio has no
type for rerankers, so the lists have none.
"""

from collections.abc import Iterable, Mapping

from gglib.core.kinds import max_context
from gglib.core.models import ModelSummary
from gglib.core.ports import RuntimeStatus
from gglib.proxy.errors import to_json

_LOADED = frozenset(("ready", "draining"))
_BILLION, _MILLION = 1_000_000_000, 1_000_000


def list_v0(models: Iterable[ModelSummary], status: RuntimeStatus) -> bytes:
    """Return the list of ``/api/v0/models``."""
    loaded = _loaded_contexts(status)
    data = [_object_v0(model, loaded.get(model.name)) for model in models if _is_listed(model)]
    return to_json({"object": "list", "data": data})


def list_v1(models: Iterable[ModelSummary], status: RuntimeStatus) -> bytes:
    """Return the list of ``/api/v1/models``."""
    loaded = _loaded_contexts(status)
    return to_json(
        {"models": [_object_v1(model, loaded.get(model.name)) for model in models if _is_listed(model)]}
    )


def _loaded_contexts(status: RuntimeStatus) -> Mapping[str, int]:
    """Return the context of each loaded model in tokens, by name."""
    return {
        resident.model_name: resident.effective_ctx
        for resident in status.residents
        if resident.state in _LOADED
    }


def _is_listed(model: ModelSummary) -> bool:
    return not model.capabilities.rerank


def _object_v0(model: ModelSummary, context: int | None) -> dict[str, object]:
    capabilities = model.capabilities
    type_ = "embeddings" if capabilities.embedding else "vlm" if capabilities.vision else "llm"
    shown: dict[str, object] = {
        "id": model.name,
        "object": "model",
        "type": type_,
        "publisher": _publisher(model),
        "arch": model.architecture,
        "compatibility_type": "gguf",
        "quantization": model.quantization,
        "state": "not-loaded" if context is None else "loaded",
        "max_context_length": max_context(model),
        "capabilities": ["tool_use"] if capabilities.tools else [],
    }
    if context is not None:
        shown["loaded_context_length"] = context
    return shown


def _object_v1(model: ModelSummary, context: int | None) -> dict[str, object]:
    capabilities = model.capabilities
    instances = [] if context is None else [{"id": model.name, "config": {"context_length": context}}]
    shown: dict[str, object] = {
        "type": "embedding" if capabilities.embedding else "llm",
        "publisher": _publisher(model),
        "key": model.name,
        "display_name": model.name,
        "architecture": model.architecture,
        "quantization": {"name": model.quantization, "bits_per_weight": None},
        "size_bytes": model.size_bytes,
        "params_string": _params(model.parameter_count),
        "loaded_instances": instances,
        "max_context_length": max_context(model),
        "format": "gguf",
        "description": model.description,
    }
    if not capabilities.embedding:
        shown["capabilities"] = {"vision": capabilities.vision, "trained_for_tool_use": capabilities.tools}
    return shown


def _publisher(model: ModelSummary) -> str:
    """Return the owner of the model's repository; ``local`` for a file of this machine."""
    owner, slash, _ = (model.source.repo or "").partition("/")
    return owner if slash else "local"


def _params(count: int | None) -> str | None:
    """Return a number of parameters as ``7B``, ``1.5B`` or ``135M``."""
    if count is None:
        return None
    unit, name = (_BILLION, "B") if count >= _BILLION else (_MILLION, "M")
    return f"{count / unit:.1f}".removesuffix(".0") + name
