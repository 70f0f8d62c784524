"""The models among which a chat, or a client, can choose. Pure."""

from collections.abc import Sequence

from gglib.core.errors import GglibError
from gglib.core.kinds import models_of_kind
from gglib.core.models import ModelSummary
from gglib.core.names import MAX_OTHERS


def require_chat_models(models: Sequence[ModelSummary]) -> list[ModelSummary]:
    """Return the models that can chat. Raises ``GglibError`` with the commands that add one if there is none."""
    found = list(models_of_kind(models, "chat"))
    if not found:
        raise GglibError(
            "No model in the catalogue can chat: 'gglib pull REPO' downloads one, 'gglib add FILE' adds a GGUF file, "
            "'gglib up' downloads a small one."
        )
    return found


def several_models_error(models: Sequence[ModelSummary], advice: str) -> GglibError:
    """Return the error for a command that cannot prompt; ``advice`` is how its user names a model."""
    names = [model.name for model in models]
    more = f" and {len(names) - MAX_OTHERS} more" if len(names) > MAX_OTHERS else ""
    return GglibError(f"Several models can chat: {advice}: {', '.join(names[:MAX_OTHERS])}{more}.")
