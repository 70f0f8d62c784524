"""Which model ``gglib up`` tests first."""

from gglib.cli.serving.smoke_test_order import smoke_test_order
from gglib.core.models import ModelCapabilities, ModelSummary

CHATS = ModelCapabilities(chat=True)
SMALL = ModelSummary(id=1, name="small", size_bytes=1, capabilities=CHATS)
BIG = ModelSummary(id=2, name="big", size_bytes=9, capabilities=CHATS)
USED = ModelSummary(id=3, name="used", size_bytes=5, last_used_at=100, capabilities=CHATS)
EARLIER = ModelSummary(id=4, name="earlier", size_bytes=5, last_used_at=50, capabilities=CHATS)
EMBEDDER = ModelSummary(
    id=5, name="embedder", last_used_at=200, capabilities=ModelCapabilities(chat=False, embedding=True)
)
ALL = [EMBEDDER, BIG, EARLIER, SMALL, USED]


def names(*, default: tuple[str, ...] = (), preloaded: tuple[str, ...] = ()) -> list[str]:
    """Return the names in the order of the test."""
    return [model.name for model in smoke_test_order(ALL, default=default, preloaded=preloaded)]


def test_last_used_chat_model_is_first_and_the_smallest_follows() -> None:
    """A model that was used later but does not chat is last."""
    assert names() == ["used", "earlier", "small", "big", "embedder"]


def test_default_model_precedes_all() -> None:
    """Then those that are preloaded."""
    assert names(default=("big",), preloaded=("small",))[:3] == ["big", "small", "used"]


def test_default_that_does_not_chat_is_the_first_of_the_rest() -> None:
    """A chat model is tested before it."""
    assert names(default=("embedder",))[-1] == "embedder"
