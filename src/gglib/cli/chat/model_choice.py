"""Chooses the model of a chat whose user named none. Pure."""

from collections.abc import Sequence

from gglib.cli.models.chat_models import require_chat_models
from gglib.core.models import ModelSummary
from gglib.core.shell_quoting import quoted_command


def chat_models(models: Sequence[ModelSummary]) -> list[ModelSummary]:
    """Return the models that can chat: the last used first, then the newest. Raises ``GglibError`` if there is none."""
    return sorted(
        require_chat_models(models),
        key=lambda model: (-(model.last_used_at or 0), -model.added_at, model.name),
    )


def looks_like_prompt(name: str, *, has_prompt: bool) -> bool:
    """Whether the argument for the model is rather the prompt, or its first word."""
    return " " in name.strip() or (has_prompt and name.endswith(("?", ".", "!", ",")))


def model_first_hint(model: str, prompt: str) -> str:
    """Return the sentence for a command whose first argument is the prompt; ``model`` is a model's name."""
    return f"The name of the model comes first: {quoted_command('run', model, prompt)}."
