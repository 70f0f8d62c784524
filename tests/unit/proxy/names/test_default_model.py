"""The default model of requests that name none."""

import pytest

from gglib.core.models import ModelCapabilities, ModelKind, ModelSummary
from gglib.proxy.names.aliases import AliasLists
from gglib.proxy.names.default_model import choose_default

CHAT = ModelSummary(id=1, name="chat", aliases=("c",), capabilities=ModelCapabilities(chat=True))
OTHER = ModelSummary(id=2, name="other", capabilities=ModelCapabilities(chat=True, tools=True))
EMBED = ModelSummary(id=3, name="embed", capabilities=ModelCapabilities(embedding=True))
ALIASES = AliasLists({"fast": ("chat", "embed"), "vectors": ("embed",)})
UNKNOWN = ModelSummary(id=4, name="unknown")


def choose(
    models: list[ModelSummary], kind: ModelKind, configured: str | None = None, current: str | None = None
) -> str | None:
    """Return the default of a catalogue with these models."""
    meant = () if configured is None else ALIASES.models_of(configured, models)
    return choose_default(models, kind, configured=configured, meant=meant, current=current)


@pytest.mark.parametrize(
    ("models", "configured", "current", "chosen"),
    [
        ([CHAT, OTHER], "c", "other", "c"),
        ([CHAT, EMBED], "embed", None, "chat"),
        ([CHAT, OTHER], "unknown", "other", "other"),
        ([CHAT, OTHER], "unknown", None, None),
        ([CHAT, EMBED], None, None, "chat"),
        ([CHAT, EMBED], None, "embed", "chat"),
        ([CHAT, OTHER], None, "other", "other"),
        ([CHAT, OTHER, EMBED], "embed", "other", "other"),
        ([CHAT, OTHER, EMBED], None, "embed", None),
        ([CHAT, OTHER], None, None, None),
        ([EMBED], None, "embed", None),
        ([EMBED], "embed", None, None),
        ([], None, None, None),
        ([CHAT, OTHER, EMBED], "fast", None, "fast"),
        ([CHAT, EMBED], "vectors", None, "chat"),
        ([OTHER, EMBED], "Fast", None, "other"),
    ],
)
def test_the_first_rule_that_applies_chooses(
    models: list[ModelSummary], configured: str | None, current: str | None, chosen: str | None
) -> None:
    """For a chat: the configured model, the only chat model, the one in memory."""
    assert choose(models, "chat", configured, current) == chosen


@pytest.mark.parametrize("kind", ["chat", "embedding", "rerank"])
def test_a_model_without_known_capabilities_may_be_of_any_kind(kind: ModelKind) -> None:
    """Embedding programs need to set only id and name."""
    for configured in (None, "unknown"):
        assert choose([UNKNOWN], kind, configured) == "unknown"


def test_a_model_without_known_capabilities_chats() -> None:
    """For embeddings a model that is known to create them comes first."""
    found = [choose([UNKNOWN, CHAT, EMBED], kind, "unknown") for kind in ("chat", "embedding", "rerank")]
    assert found == ["unknown", "embed", "unknown"]


def test_each_kind_has_its_own_model() -> None:
    """A chat model serves no embeddings, and an embedder does not rank."""
    found = [choose([CHAT, EMBED], kind, current="chat") for kind in ("chat", "embedding", "rerank")]
    assert found == ["chat", "embed", None]
