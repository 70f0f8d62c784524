"""The choice of a model for a chat without one."""

import pytest

from gglib.cli.chat.model_choice import (
    chat_models,
    looks_like_prompt,
    model_first_hint,
)
from gglib.core.errors import GglibError
from gglib.core.models import ModelCapabilities, ModelSummary

CHAT = ModelCapabilities(chat=True)


OLD = ModelSummary(id=1, name="old", capabilities=CHAT, last_used_at=100, added_at=1)
USED = ModelSummary(id=2, name="used", capabilities=CHAT, last_used_at=200, added_at=1)
NEW = ModelSummary(id=3, name="new", capabilities=CHAT, added_at=9)
VECTORS = ModelSummary(id=4, name="vectors", capabilities=ModelCapabilities(embedding=True))


def test_the_last_used_comes_first() -> None:
    """Then the newest; models that cannot chat are left out."""
    models = chat_models([NEW, OLD, VECTORS, USED])
    assert [model.name for model in models] == ["used", "old", "new"]


def test_without_a_chat_model_the_error_says_how_to_get_one() -> None:
    """A catalogue of embedding models has none either."""
    with pytest.raises(GglibError, match="gglib pull REPO"):
        chat_models([VECTORS])


@pytest.mark.parametrize(
    ("name", "has_prompt", "expected"),
    [("what is this", False, True), ("Hello,", True, True), ("qwen", True, False), ("v1.", False, False)],
)
def test_a_prompt_in_the_place_of_the_model_is_noticed(
    name: str,
    has_prompt: bool,  # noqa: FBT001
    expected: bool,  # noqa: FBT001
) -> None:
    """The hint is a command that can be typed."""
    assert looks_like_prompt(name, has_prompt=has_prompt) is expected
    assert model_first_hint("m", "Hi there") == (
        "The name of the model comes first: \"gglib run m 'Hi there'\"."
    )
