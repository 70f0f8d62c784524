"""The kind of a model: chat, embedding or rerank. The user's setting overrides the header. Pure."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Protocol, TypeVar

from gglib.core.context_extension import extended_context
from gglib.core.models import ModelCapabilities, ModelKind, ModelLaunchSpec, ModelSummary, Pooling

# Architectures for which llama.cpp only computes embeddings (or ranks).
ENCODERS = frozenset(
    {
        "bert",
        "eurobert",
        "gemma-embedding",
        "jina-bert-v2",
        "jina-bert-v3",
        "llama-embed",
        "modern-bert",
        "neo-bert",
        "nomic-bert",
        "nomic-bert-moe",
        "t5encoder",
    }
)

MAX_SINGLE_BATCH_CONTEXT = 32_768
"""Largest context, in tokens, of a model that reads each input in one physical batch.

The engine's attention mask for such a batch has context squared entries of 2 bytes: 2 GiB here, 32 GiB at 131,072
(compute buffer measured with llama.cpp b11549: 2,122 MiB at 32,768 for a model of 64 dimensions).
"""


class HasCapabilities(Protocol):
    """A model, or what stands for it."""

    @property
    def capabilities(self) -> ModelCapabilities:
        """The effective capabilities."""
        ...


Model = TypeVar("Model", bound=HasCapabilities)


def models_of_kind(models: Iterable[Model], kind: ModelKind) -> list[Model]:
    """Return the models that requests of a kind may use, in order.

    A model without known capabilities (a base model without a chat template, or a model of an embedding program)
    generates text like a chat model. For embeddings and reranking it is returned only if no other model is.
    """
    models = list(models)
    fitting = [model for model in models if getattr(model.capabilities, kind)]
    if fitting and kind != "chat":
        return fitting
    return [
        model for model in models if getattr(model.capabilities, kind) or not has_kind(model.capabilities)
    ]


def has_kind(capabilities: ModelCapabilities) -> bool:
    """Whether the kind of a model is known."""
    return capabilities.chat or capabilities.embedding or capabilities.rerank


def effective_capabilities(detected: ModelCapabilities, kind: ModelKind | None) -> ModelCapabilities:
    """Return the capabilities of a model served as ``kind``; None: those of its header."""
    match kind:
        case "embedding":
            return ModelCapabilities(embedding=True)
        case "rerank":
            return ModelCapabilities(rerank=True)
        case "chat":
            return replace(detected, chat=True, embedding=False, rerank=False)
    return detected


def effective_pooling(
    own: Pooling | None, detected: ModelCapabilities, kind: ModelKind | None, *, architecture: str | None
) -> Pooling | None:
    """Return the pooling to launch with; None if the engine decides, or the model only chats.

    ``own`` is the header's. Without pooling, an embedding model fails each request with "Pooling type 'none' is not OAI
    compatible" (seen in llama.cpp b11549). A model that the user declares as an embedding model therefore gets its
    family's usual pooling: the mean for encoders, the last token for decoders.
    """
    served = effective_capabilities(detected, kind)
    if served.rerank:
        return "rank"
    if not served.embedding:
        return None
    if detected.embedding:
        return own
    return "mean" if architecture in ENCODERS else "last"


def is_single_batch(capabilities: ModelCapabilities, pooling: Pooling | None) -> bool:
    """Whether each input has to fit into one physical batch of the engine.

    True for embeddings and ranks, except with ``last`` pooling: there the engine splits inputs (``can_split`` of
    llama.cpp's server, b11549).
    """
    return (capabilities.embedding or capabilities.rerank) and pooling != "last"


def context_ceiling(
    trained: int | None, capabilities: ModelCapabilities, pooling: Pooling | None
) -> int | None:
    """Return the largest context for a launch, in tokens; None if unknown."""
    if capabilities.chat or not is_single_batch(capabilities, pooling):
        return trained
    return min(trained or MAX_SINGLE_BATCH_CONTEXT, MAX_SINGLE_BATCH_CONTEXT)


def launch_pooling(model: ModelSummary) -> Pooling | None:
    """Return the pooling for a launch; None if the engine decides, or the model only chats."""
    detected = model.detected or model.capabilities
    return effective_pooling(model.pooling, detected, model.settings.kind, architecture=model.architecture)


def max_context(model: ModelSummary) -> int | None:
    """Return the largest context that a model is served with, in tokens; None if unknown."""
    extended = extended_context(model.trained_context, model.settings.engine_args)
    return context_ceiling(extended, model.capabilities, launch_pooling(model))


def with_kind(model: ModelSummary) -> ModelSummary:
    """Return the model with the capabilities from its header and settings."""
    header, kind = model.detected or model.capabilities, model.settings.kind
    return replace(
        model,
        capabilities=effective_capabilities(header, kind),
        detected=None if kind is None else header,
    )


def launch_spec(model: ModelSummary, path: Path, *, hold_path: Path | None = None) -> ModelLaunchSpec:
    """Return what an engine needs to load ``model`` from ``path``, its file or first shard.

    ``hold_path`` is its version's (``NewVersion.hold_path``).
    """
    return ModelLaunchSpec(
        model_id=model.id,
        model_name=model.name,
        path=path,
        backend=model.backend,
        paths=model.paths,
        size_bytes=model.size_bytes or 0,
        trained_context=max_context(model),
        architecture=model.architecture,
        capabilities=model.capabilities,
        pooling=launch_pooling(model),
        settings=model.settings,
        projector=model.projector,
        hold_path=hold_path,
    )
