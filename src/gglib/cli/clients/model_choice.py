"""Chooses the model that a client gets. Pure."""

from collections.abc import Collection, Sequence

from gglib.core.errors import GglibError
from gglib.core.kinds import models_of_kind
from gglib.core.models import ModelSummary

MAX_NAMED = 10


def choose_model(
    models: Sequence[ModelSummary], *, default_model: str | None, in_memory: Collection[str]
) -> str:
    """Return the name of the model for a client whose user named none.

    In this order: ``default_model``, the only model that can chat, the only one of them in memory. Otherwise raises
    ``GglibError``, which lists the models.
    """
    if default_model is not None:
        return default_model
    names = [model.name for model in models_of_kind(models, "chat")]
    if not names:
        raise GglibError(
            "No model in the catalogue can chat: 'gglib pull REPO' downloads one, 'gglib add FILE' adds a GGUF file."
        )
    loaded = [name for name in names if name in in_memory]
    for candidates in (names, loaded):
        if len(candidates) == 1:
            return candidates[0]
    more = f" and {len(names) - MAX_NAMED} more" if len(names) > MAX_NAMED else ""
    raise GglibError(f"Several models can chat: name one with --model: {', '.join(names[:MAX_NAMED])}{more}.")


def check_chats(name: str, capabilities: Collection[str]) -> None:
    """Raise ``GglibError`` for a model that only computes embeddings or ranks texts."""
    if "chat" not in capabilities and ({"embedding", "rerank"} & set(capabilities)):
        raise GglibError(f"Model '{name}' does not chat: name another one with --model.")


def context_warning(
    title: str, prompt_tokens: int, model: str, context: int, trained: int | None
) -> str | None:
    """Return the warning that the first prompt of a client does not fit into the context; None if it does.

    ``prompt_tokens`` depends on the tokenizer of the model, so the sentence says *about*.
    """
    if context > prompt_tokens:
        return None
    need = 1 << prompt_tokens.bit_length()
    sentence = f"The first prompt of {title} has about {prompt_tokens} tokens, and '{model}' has a context of {context}"
    if trained is not None and trained <= prompt_tokens:
        return f"{sentence} and was trained for {trained}: use another model."
    size = need if trained is None else min(need, trained)
    return f"{sentence}: 'gglib set {model} --ctx {size}' gives it more."
