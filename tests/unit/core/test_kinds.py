"""What a model is served as, by its header and by the user's word."""

from dataclasses import replace
from pathlib import Path

import pytest

from gglib.core.kinds import (
    MAX_SINGLE_BATCH_CONTEXT,
    context_ceiling,
    effective_capabilities,
    effective_pooling,
    launch_spec,
    max_context,
    models_of_kind,
    with_kind,
)
from gglib.core.models import ModelCapabilities, ModelKind, ModelSettings, ModelSummary, Pooling

CHAT = ModelCapabilities(chat=True, tools=True, vision=True)
EMBEDDING = ModelCapabilities(embedding=True)
RERANK = ModelCapabilities(rerank=True)
NOTHING = ModelCapabilities()


@pytest.mark.parametrize(
    ("detected", "kind", "expected"),
    [
        (CHAT, None, CHAT),
        (CHAT, "chat", CHAT),
        (CHAT, "embedding", EMBEDDING),
        (CHAT, "rerank", RERANK),
        (EMBEDDING, "chat", ModelCapabilities(chat=True)),
        (EMBEDDING, "rerank", RERANK),
        (RERANK, "embedding", EMBEDDING),
        (NOTHING, "chat", ModelCapabilities(chat=True)),
        (NOTHING, None, NOTHING),
    ],
)
def test_what_the_user_says_wins(
    detected: ModelCapabilities, kind: ModelKind | None, expected: ModelCapabilities
) -> None:
    """A model is what the user says, and nothing beside it; without a word it is what its header says."""
    assert effective_capabilities(detected, kind) == expected


@pytest.mark.parametrize(
    ("own", "detected", "kind", "architecture", "expected"),
    [
        (None, CHAT, None, "llama", None),
        ("mean", EMBEDDING, None, "bert", "mean"),
        ("last", EMBEDDING, None, "qwen3", "last"),
        (None, EMBEDDING, None, "bert", None),  # of a row from before this was stored: the engine decides
        ("rank", RERANK, None, "bert", "rank"),
        (None, CHAT, "rerank", "llama", "rank"),
        ("mean", EMBEDDING, "rerank", "bert", "rank"),
        (None, CHAT, "embedding", "llama", "last"),
        ("rank", RERANK, "embedding", "bert", "mean"),
        ("cls", EMBEDDING, "embedding", "bert", "cls"),
        ("cls", EMBEDDING, "chat", "bert", None),
    ],
)
def test_the_pooling_of_a_launch(
    own: Pooling | None,
    detected: ModelCapabilities,
    kind: ModelKind | None,
    architecture: str,
    expected: Pooling | None,
) -> None:
    """A reranker pools into a rank; an embedding model as its header says, or as its family does."""
    assert effective_pooling(own, detected, kind, architecture=architecture) == expected


@pytest.mark.parametrize(
    ("trained", "capabilities", "pooling", "expected"),
    [
        (131_072, CHAT, None, 131_072),
        (None, CHAT, None, None),
        (512, EMBEDDING, "mean", 512),
        (131_072, EMBEDDING, "mean", MAX_SINGLE_BATCH_CONTEXT),
        (131_072, RERANK, "rank", MAX_SINGLE_BATCH_CONTEXT),
        (131_072, EMBEDDING, None, MAX_SINGLE_BATCH_CONTEXT),
        (131_072, EMBEDDING, "last", 131_072),
        (None, EMBEDDING, "mean", MAX_SINGLE_BATCH_CONTEXT),
    ],
)
def test_the_ceiling_of_a_context(
    trained: int | None, capabilities: ModelCapabilities, pooling: Pooling | None, expected: int | None
) -> None:
    """An input that is read in one batch is bounded by what that batch costs, others by the training alone."""
    assert context_ceiling(trained, capabilities, pooling) == expected


def test_a_kind_that_is_taken_back_leaves_what_the_header_says() -> None:
    """The header's capabilities are kept beside the user's word."""
    model = ModelSummary(id=1, name="m", capabilities=CHAT, settings=ModelSettings(kind="rerank"))
    reranker = with_kind(model)
    assert (reranker.capabilities, reranker.detected) == (RERANK, CHAT)
    assert with_kind(reranker) == reranker
    assert with_kind(replace(reranker, settings=ModelSettings())) == replace(model, settings=ModelSettings())


def test_a_launch_carries_what_holds() -> None:
    """An engine is launched for the effective kind, its pooling and its largest context."""
    model = with_kind(
        ModelSummary(
            id=1,
            name="m",
            architecture="llama",
            trained_context=131_072,
            capabilities=CHAT,
            settings=ModelSettings(kind="rerank"),
        )
    )
    spec = launch_spec(model, Path("/m.gguf"))
    assert (spec.capabilities, spec.pooling, spec.trained_context) == (
        RERANK,
        "rank",
        MAX_SINGLE_BATCH_CONTEXT,
    )
    assert max_context(model) == MAX_SINGLE_BATCH_CONTEXT


def test_a_model_without_a_setting_is_launched_as_its_header_says() -> None:
    """With the header's pooling, and a context that fits into one batch."""
    model = ModelSummary(
        id=1,
        name="m",
        trained_context=131_072,
        capabilities=EMBEDDING,
        pooling="cls",
        paths=(Path("/m.gguf"),),
    )
    spec = launch_spec(with_kind(model), Path("/m.gguf"))
    assert (spec.capabilities, spec.pooling, spec.trained_context) == (
        EMBEDDING,
        "cls",
        MAX_SINGLE_BATCH_CONTEXT,
    )
    assert spec.size_bytes == 0


_MODELS = {
    "chat": ModelSummary(id=1, name="chat", capabilities=CHAT),
    "base": ModelSummary(id=2, name="base"),
    "embed": ModelSummary(id=3, name="embed", capabilities=EMBEDDING),
    "rank": ModelSummary(id=4, name="rank", capabilities=RERANK),
}


@pytest.mark.parametrize(
    ("names", "kind", "fitting"),
    [
        ("embed base rank chat", "chat", "base chat"),
        ("embed rank", "chat", ""),
        ("base chat embed", "embedding", "embed"),
        ("base chat rank", "embedding", "base"),
        ("chat rank", "embedding", ""),
        ("base rank embed", "rerank", "rank"),
        ("embed base", "rerank", "base"),
        ("", "rerank", ""),
    ],
)
def test_requests_of_a_kind_may_use_some_models(names: str, kind: ModelKind, fitting: str) -> None:
    """In their order; a base model chats, and embeds or ranks only if no other does."""
    found = models_of_kind([_MODELS[name] for name in names.split()], kind)
    assert [model.name for model in found] == fitting.split()
