"""The models of ``/api/tags``, ``/api/show`` and ``/api/ps``. Pure.

Names are those of the catalogue, which resolves them with and without ``:latest``. No path of the machine is shown.
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from gglib.core.context import ContextRequest
from gglib.core.hub.shown_source import pull_target
from gglib.core.kinds import max_context
from gglib.core.memory import RAM
from gglib.core.models import GgufFacts, ModelSummary
from gglib.core.profiles import Profile
from gglib.core.runtime.status import ResidentStatus
from gglib.proxy.dialects.ollama.lines import timestamp
from gglib.proxy.dialects.ollama.options import parameters_text

FOREVER_S = 100 * 365 * 24 * 3600.0
"""The remaining time of a model that is not unloaded by time: ``expires_at`` needs a date."""
_GGUF = "gguf"
_CAPABILITIES = (
    ("tools", "tools"),
    ("vision", "vision"),
    ("reasoning", "thinking"),
    ("embedding", "embedding"),
)
"""Fields of ``ModelCapabilities``, and Ollama's names for them."""
_SHOWN_STATES = frozenset(("ready", "draining"))

_UNITS = ((10**12, "T"), (10**9, "B"), (10**6, "M"), (10**3, "K"))

_COUNTS = (
    ("block_count", "block_count"),
    ("embedding_length", "embedding_length"),
    ("head_count", "attention.head_count"),
    ("head_count_kv", "attention.head_count_kv"),
    ("key_length", "attention.key_length"),
    ("value_length", "attention.value_length"),
    ("vocabulary_size", "vocab_size"),
)
"""Fields of ``GgufFacts``, and their keys in ``model_info`` after the architecture."""


def listed_model(model: ModelSummary, *, name: str | None = None, parent: str = "") -> dict[str, Any]:
    """Return a model of ``/api/tags``; with another ``name`` for an alias list, or a profile of ``parent``."""
    shown = name or model.name
    return {
        "name": shown,
        "model": shown,
        "modified_at": timestamp(model.added_at),
        "size": model.size_bytes or 0,
        "digest": digest_of(model),
        "details": details_of(model, parent=parent),
    }


def running_model(model: ModelSummary, resident: ResidentStatus, now: float) -> dict[str, Any]:
    """Return a model of ``/api/ps``. Its size is its memory; if that is unknown, the size of its files."""
    size = sum(resident.size.values())
    on_gpus = size - resident.size.get(RAM, 0)
    return {
        "name": model.name,
        "model": model.name,
        "size": size or model.size_bytes or 0,
        "digest": digest_of(model),
        "details": details_of(model),
        "expires_at": timestamp(now + _remaining_s(resident)),
        "size_vram": on_gpus,
        "context_length": resident.effective_ctx,
    }


def is_running(resident: ResidentStatus) -> bool:
    """Whether a resident is listed by ``/api/ps``: it serves requests."""
    return resident.state in _SHOWN_STATES


def _remaining_s(resident: ResidentStatus) -> float:
    if resident.idle_ttl_s is None or resident.is_pinned:
        return FOREVER_S
    return max(0.0, resident.idle_ttl_s - (resident.idle_s or 0.0))


def digest_of(model: ModelSummary) -> str:
    """Return the digest of a model: the SHA-256 of its file; of several files, that of their hashes in order.

    If a hash is not known (a file that gglib did not download), it is the SHA-256 of what identifies the entry: it is
    stable and unique, but not that of the file.
    """
    hashes = model.hashes if model.hashes and None not in model.hashes else ()
    if len(hashes) == 1 and hashes[0] is not None:
        return hashes[0]
    parts = [*map(str, hashes)] or [model.name, str(model.size_bytes), str(model.added_at)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def details_of(model: ModelSummary, *, parent: str = "") -> dict[str, Any]:
    """Return ``details``: format, family, size and quantization."""
    family = model.architecture or ""
    return {
        "parent_model": parent,
        "format": _GGUF,
        "family": family,
        "families": [family] if family else [],
        "parameter_size": parameter_size(model.parameter_count),
        "quantization_level": model.quantization or "unknown",
    }


def parameter_size(count: int | None) -> str:
    """Return a number of parameters as Ollama writes it: ``8.0B``, ``134.52M``; empty if it is unknown."""
    if count is None:
        return ""
    unit, letter = next(((unit, letter) for unit, letter in _UNITS if count >= unit), (1, ""))
    if unit == 1:
        return str(count)
    return f"{count / unit:.1f}{letter}" if unit >= 10**9 else f"{count / unit:.2f}{letter}"


def capability_names(model: ModelSummary) -> list[str]:
    """Return the capabilities in Ollama's words. A model that is no embedding model or reranker completes texts."""
    capabilities = model.capabilities
    completes = not (capabilities.embedding or capabilities.rerank)
    names = ["completion"] if completes else []
    return names + [name for field, name in _CAPABILITIES if getattr(capabilities, field)]


def model_info(model: ModelSummary, facts: GgufFacts | None) -> dict[str, Any]:
    """Return ``model_info``: values of the header under their keys in GGUF.

    ``general.basename`` is the name of the catalogue, because clients expect a different one for each model.
    ``<architecture>.context_length`` is the largest context that the model is served with.
    """
    architecture = model.architecture or "unknown"
    info: dict[str, Any] = {"general.architecture": architecture, "general.basename": model.name}
    if facts is not None and facts.name is not None:
        info["general.name"] = facts.name
    if model.parameter_count is not None:
        info["general.parameter_count"] = model.parameter_count
    context = max_context(model)
    if context is not None:
        info[f"{architecture}.context_length"] = context
    for field, key in _COUNTS if facts is not None else ():
        value = getattr(facts, field)
        if value is not None:
            info[f"{architecture}.{key}"] = value
    return info


def shown_model(
    model: ModelSummary,
    facts: GgufFacts | None,
    *,
    default_ctx: int,
    profile: Profile | None = None,
) -> dict[str, Any]:
    """Return the response of ``/api/show``. ``facts`` is None if the header cannot be read.

    ``default_ctx`` is the context in tokens of requests that set none, if the model has no setting.
    """
    context = ContextRequest(
        requested=None, model_setting=model.settings.context, default=default_ctx, trained=max_context(model)
    ).needed
    defaults: Mapping[str, Any] = {} if profile is None else profile.defaults
    parameters = parameters_text({"num_ctx": context, **defaults})
    template = (facts and facts.chat_template) or ""
    system = (profile and profile.system) or ""
    source = model.name if profile is not None else _source(model)
    shown = {
        "modelfile": modelfile(source, template=template, system=system, parameters=parameters),
        "parameters": parameters,
        "template": template,
        "details": details_of(model, parent="" if profile is None else model.name),
        "model_info": model_info(model, facts),
        "capabilities": capability_names(model),
        "modified_at": timestamp(model.added_at),
    }
    return shown | ({"system": system} if system else {})


def modelfile(source: str, *, template: str, system: str, parameters: str) -> str:
    """Return a Modelfile. ``source`` is the name of a model or of its repository: never a path."""
    lines = ["# Modelfile generated by gglib", f"FROM {source}"]
    lines += [f'TEMPLATE """{template}"""'] if template else []
    lines += [f'SYSTEM """{system}"""'] if system else []
    lines += [f"PARAMETER {' '.join(line.split(maxsplit=1))}" for line in parameters.splitlines()]
    return "\n".join(lines) + "\n"


def _source(model: ModelSummary) -> str:
    """Return where a model can be pulled from, in Ollama's notation; its name if that is unknown."""
    target = pull_target(model)
    return model.name if target is None or "://" in target else f"hf.co/{target}"


def running_models(
    models: Sequence[ModelSummary], residents: Sequence[ResidentStatus], now: float
) -> list[dict[str, Any]]:
    """Return the list of ``/api/ps``: the models in memory that the caller may use."""
    by_id = {model.id: model for model in models}
    return [
        running_model(by_id[resident.model_id], resident, now)
        for resident in residents
        if is_running(resident) and resident.model_id in by_id
    ]
