"""The model of a kind for requests that name none, or a name of the model in memory."""

from collections.abc import Mapping

import pytest

from gglib.core.models import ModelCapabilities, ModelKind, ModelSummary
from gglib.core.names import find_model
from gglib.core.ports import ResidentStatus, RuntimeStatus
from gglib.core.runtime.status import WaitingStatus
from gglib.proxy.names.aliases import AliasLists, members_of
from gglib.proxy.names.kind_defaults import choose_default, choose_in_memory

CHAT = ModelSummary(id=1, name="chat", aliases=("c",), capabilities=ModelCapabilities(chat=True))
OTHER = ModelSummary(id=2, name="other", capabilities=ModelCapabilities(chat=True, tools=True))
EMBED = ModelSummary(id=3, name="embed", capabilities=ModelCapabilities(embedding=True))
ALIASES = AliasLists({"fast": ("chat", "embed"), "vectors": ("embed",)})
UNKNOWN = ModelSummary(id=4, name="unknown")
NO_WAITERS: Mapping[str, float] = {}


def choose(
    models: list[ModelSummary], kind: ModelKind, configured: str | None = None, current: str | None = None
) -> str | None:
    """Return the default of a catalogue with these models."""
    meant = () if configured is None else meant_by(configured, models)
    return choose_default(models, kind, configured=configured, meant=meant, current=current)


def meant_by(name: str, models: list[ModelSummary]) -> tuple[ModelSummary, ...]:
    """Return the models of a name of the catalogue, or of an alias list."""
    model, entry = find_model(name, models), ALIASES.find(name)
    if model is not None:
        return (model,)
    return () if entry is None else members_of(entry, models)


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


def status(*residents: tuple[str, str], waiting: Mapping[str, float] = NO_WAITERS) -> RuntimeStatus:
    """Return a status with models and their states, in the order of their launches, and the longest waits by model."""
    return RuntimeStatus(
        residents=tuple(
            ResidentStatus(model_id=0, model_name=name, state=state, effective_ctx=1)
            for name, state in residents
        ),
        waiting=tuple(
            WaitingStatus(model_name=name, waiting=1, longest_wait_s=wait_s)
            for name, wait_s in waiting.items()
        ),
    )


@pytest.mark.parametrize(
    ("current", "state", "chosen"),
    [
        (None, status(), None),
        ("chat", status(("chat", "ready")), "chat"),
        ("chat", status(("chat", "ready"), ("other", "ready")), "chat"),
        # An embedder was used last.
        ("embed", status(("chat", "ready"), ("other", "ready"), ("embed", "ready")), "other"),
        ("embed", status(("other", "ready"), ("chat", "ready"), ("embed", "ready")), "chat"),
        ("embed", status(("embed", "ready")), None),
        # Nothing is ready yet: the next model is known.
        (None, status(("other", "loading")), "other"),
        ("embed", status(("embed", "ready"), ("other", "loading")), "other"),
        (None, status(("chat", "loading"), ("other", "ready")), "other"),
        (None, status(("chat", "draining"), waiting={"other": 1.0}), "other"),
        (None, status(("chat", "stopping"), waiting={"chat": 1.0, "other": 2.0}), "other"),
        (None, status(("chat", "draining"), ("other", "loading"), waiting={"chat": 9.0}), "other"),
        (None, status(waiting={"embed": 1.0}), None),
        # A model that is gone, or hidden from the caller.
        ("secret", status(("secret", "ready")), None),
        ("secret", status(("secret", "ready"), ("chat", "loading"), waiting={"other": 1.0}), "chat"),
    ],
)
def test_the_model_in_memory_is_one_whose_use_causes_no_swap(
    current: str | None, state: RuntimeStatus, chosen: str | None
) -> None:
    """The most recently used chat model, else the last loaded, else the next one."""
    found = choose_in_memory([CHAT, OTHER], current=current, status=state)
    assert (None if found is None else found.name) == chosen
