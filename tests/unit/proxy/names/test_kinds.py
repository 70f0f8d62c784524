"""The kind of model that a path needs."""

import pytest

from gglib.core.models import ModelCapabilities, ModelKind
from gglib.proxy.names.candidates import kind_of, lacks_kind, wrong_kind

CHAT = ModelCapabilities(chat=True, vision=True)
EMBED = ModelCapabilities(embedding=True)
RANK = ModelCapabilities(rerank=True)
UNKNOWN = ModelCapabilities()


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/v1/chat/completions", "chat"),
        ("/v1/messages/count_tokens", "chat"),
        ("/infill", "chat"),
        ("/embedding", "embedding"),
        ("/v1/embeddings", "embedding"),
        ("/reranking", "rerank"),
        ("/v2/rerank", "rerank"),
        ("/tokenize", None),
        ("/apply-template", None),
    ],
)
def test_the_path_determines_the_kind(path: str, kind: ModelKind | None) -> None:
    """Tokens and templates need no particular kind."""
    assert kind_of(path) == kind


@pytest.mark.parametrize(
    ("capabilities", "kind", "lacks"),
    [
        (CHAT, "chat", False),
        (CHAT, "embedding", True),
        (CHAT, "rerank", True),
        (EMBED, "chat", True),
        (EMBED, "embedding", False),
        (RANK, "embedding", True),
        (RANK, "rerank", False),
        *((UNKNOWN, kind, False) for kind in ("chat", "embedding", "rerank")),
        *((capabilities, None, False) for capabilities in (CHAT, EMBED, RANK, UNKNOWN)),
    ],
)
def test_a_known_kind_is_compared(
    *, capabilities: ModelCapabilities, kind: ModelKind | None, lacks: bool
) -> None:
    """A model of unknown kind may be of any."""
    assert lacks_kind(capabilities, kind) is lacks


def test_the_error_says_what_the_path_needs() -> None:
    """Also if the catalogue does not know the model."""
    error = wrong_kind("m", "rerank")
    assert (error.capability, error.status) == ("rerank", 400)
    assert str(error) == "Model 'm' cannot serve this path, which needs one that is served for reranking."
