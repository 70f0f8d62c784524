"""The model for a client whose user named none."""

import pytest

from gglib.cli.clients.model_choice import check_chats, choose_model, context_warning
from gglib.core.errors import GglibError
from gglib.core.models import ModelCapabilities, ModelSummary


def chat(name: str) -> ModelSummary:
    """Return a model that chats."""
    return ModelSummary(id=1, name=name, capabilities=ModelCapabilities(chat=True))


EMBEDDER = ModelSummary(id=9, name="e", capabilities=ModelCapabilities(embedding=True))


@pytest.mark.parametrize(
    ("names", "default_model", "in_memory", "expected"),
    [
        (("a", "b"), "x:y", ("b",), "x:y"),
        (("a",), None, (), "a"),
        (("a", "b"), None, ("b", "e"), "b"),
    ],
)
def test_the_rule_of_requests_without_a_model(
    names: tuple[str, ...], default_model: str | None, in_memory: tuple[str, ...], expected: str
) -> None:
    """The setting, the only one that chats, the only one in memory."""
    models = [*map(chat, names), EMBEDDER]
    assert choose_model(models, default_model=default_model, in_memory=in_memory) == expected


def test_several_models_are_listed() -> None:
    """At most ten of them; also if two are in memory."""
    with pytest.raises(GglibError, match=r"with --model: a, b\."):
        choose_model([chat("a"), EMBEDDER, chat("b")], default_model=None, in_memory=("a", "b"))
    with pytest.raises(GglibError, match=r"m9 and 2 more\."):
        choose_model([chat(f"m{n}") for n in range(12)], default_model=None, in_memory=())


def test_without_a_model_the_commands_that_add_one_are_named() -> None:
    """An embedder is none."""
    with pytest.raises(GglibError, match="gglib pull"):
        choose_model([EMBEDDER], default_model=None, in_memory=("e",))


def test_a_model_that_does_not_chat_is_refused() -> None:
    """One of unknown capabilities may generate text."""
    check_chats("m", ["chat", "tools"])
    check_chats("m", [])
    for capability in ("embedding", "rerank"):
        with pytest.raises(GglibError, match="'m' does not chat"):
            check_chats("m", [capability])


@pytest.mark.parametrize(
    ("context", "trained", "end"),
    [
        (18_001, None, None),
        (8192, 131_072, "'gglib set m --ctx 32768' gives it more."),
        (8192, 20_000, "'gglib set m --ctx 20000' gives it more."),
        (8192, None, "'gglib set m --ctx 32768' gives it more."),
        (8192, 18_000, "has a context of 8192 and was trained for 18000: use another model."),
    ],
)
def test_a_prompt_that_does_not_fit_is_announced(context: int, trained: int | None, end: str | None) -> None:
    """With the command that gives the model more, if it was trained for more."""
    warning = context_warning("Claude Code", 18_000, "m", context, trained)
    if end is None:
        assert warning is None
    else:
        assert warning is not None
        assert warning.startswith("The first prompt of Claude Code has about 18000 tokens, and 'm' has ")
        assert warning.endswith(end)
