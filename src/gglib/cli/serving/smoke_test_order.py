"""The order in which ``gglib up`` tests the models. Pure."""

from collections.abc import Collection, Sequence

from gglib.core.models import ModelSummary


def smoke_test_order(
    models: Sequence[ModelSummary], *, default: Collection[str], preloaded: Collection[str]
) -> list[ModelSummary]:
    """Return the chat models, then the others; each group: default model, ``preload``, last used, smallest.

    ``default`` and ``preloaded`` are names of models. A preloaded model comes before one that was used later, because
    a test of the latter could unload the former.
    """
    return sorted(
        models,
        key=lambda model: (
            not model.capabilities.chat,
            model.name not in default,
            model.name not in preloaded,
            -(model.last_used_at or 0),
            model.size_bytes or 0,
        ),
    )
