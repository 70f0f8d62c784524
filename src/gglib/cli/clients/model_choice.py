"""Chooses the model that a client gets. Pure."""

from collections.abc import Collection, Sequence

from gglib.cli.models.chat_models import require_chat_models, several_models_error
from gglib.core.errors import GglibError
from gglib.core.models import ModelSummary


def choose_model(
    models: Sequence[ModelSummary], *, default_model: str | None, in_memory: Collection[str]
) -> str:
    """Return the name of the model for a client whose user named none.

    In this order: ``default_model``, the only model that can chat, the only one of them in memory. Otherwise raises
    ``GglibError``, which lists the models.
    """
    if default_model is not None:
        return default_model
    able = require_chat_models(models)
    for candidates in (able, [model for model in able if model.name in in_memory]):
        if len(candidates) == 1:
            return candidates[0].name
    raise several_models_error(able, "name one with --model")


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
