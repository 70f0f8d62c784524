"""The models among which a chat, or a client, can choose."""

from gglib.cli.models.chat_models import several_models_error
from gglib.core.models import ModelSummary


def test_the_error_lists_the_names_and_how_to_choose_one() -> None:
    """It is short for a large catalogue."""
    models = [ModelSummary(id=n, name=f"m{n}") for n in range(12)]
    assert str(several_models_error(models, "name one with --model")) == (
        "Several models can chat: name one with --model: m0, m1, m2, m3, m4, m5, m6, m7, m8, m9 and 2 more."
    )
