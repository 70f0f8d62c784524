"""Finds the model of a chat: in the catalogue of this home, or on a server."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import click

from gglib.cli.views.model_list import usage_hint
from gglib.core.addresses import Endpoint
from gglib.core.errors import GglibError
from gglib.core.models import ModelCapabilities, ModelSummary

if TYPE_CHECKING:
    from gglib.app.settings import Settings
    from gglib.core.ports.store import HomeStorePort
    from gglib.core.profiles import Profile

LIMIT_FIELDS = frozenset(("max_tokens", "max_completion_tokens", "max_output_tokens", "n_predict"))
"""Defaults of a profile that limit an answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatModel:
    """The model of a chat."""

    name: str
    """For requests: the model's, an alias list's, or ``MODEL:PROFILE``."""
    expected: str
    """The model of the catalogue that is expected to serve it."""
    has_vision: bool | None = None
    """Whether it accepts images; None: unknown."""
    has_own_limit: bool = False
    """Whether its profile may limit an answer, so that the chat must not."""


def find_local_model(settings: "Settings", name: str) -> ChatModel:
    """Return the model in the catalogue of this home, else of its nodes, which its running server knows.

    Raises ``ModelNotFoundError``, ``GglibError``.
    """
    from gglib.cli.server.nodes import front_of
    from gglib.cli.sessions import with_catalog
    from gglib.core.errors import ModelNotFoundError

    try:
        return with_catalog(settings, lambda store: _find_in(store, name, settings))
    except ModelNotFoundError:
        server = front_of(settings)
        if server is None:
            raise
        return find_served_model(server, name)


async def _find_in(store: "HomeStorePort", name: str, settings: "Settings") -> ChatModel:
    from gglib.cli.models.typed_names import complete_for_request
    from gglib.core.kinds import models_of_kind
    from gglib.proxy.names.aliases import AliasLists
    from gglib.proxy.names.resolution import require_name

    name = await complete_for_request(store, name, settings.aliases)
    found = await require_name(name, store, AliasLists(settings.aliases), store)
    fitting = found.models if found.alias is None else models_of_kind(found.models, "chat")
    model = next(iter(fitting), found.models[0])
    _check_chats(found.name, model)
    return ChatModel(
        name=found.name,
        expected=model.name,
        has_vision=model.capabilities.vision if found.alias is None else None,
        has_own_limit=_limits(found.profile),
    )


def find_served_model(server: Endpoint, name: str) -> ChatModel:
    """Return the model on a server. Raises ``GglibError``.

    Of an alias list the server shows the first model, and skips those that cannot chat.
    """
    from gglib.cli.remote.decode import model_of
    from gglib.cli.server.models import complete_for_request, show_model
    from gglib.core.names import find_model

    name = complete_for_request(server, name)
    found = model_of(show_model(server, name))
    if find_model(name, [found]) is None:  # an alias list, or MODEL:PROFILE
        _check_chats(name, replace(found, capabilities=ModelCapabilities()))
        return ChatModel(name=name, expected=found.name, has_own_limit=":" in name)
    _check_chats(found.name, found)
    return ChatModel(name=found.name, expected=found.name, has_vision=found.capabilities.vision)


def local_models(settings: "Settings") -> list[ModelSummary]:
    """Return the models in the catalogue of this home."""
    from gglib.cli.sessions import with_catalog

    return list(with_catalog(settings, lambda store: store.list_models()))


def ask_for_model(choices: Sequence[ModelSummary]) -> str:
    """List models on a terminal, and return the name of the one that the user chooses. Raises ``click.Abort``."""
    from gglib.cli.terminal.choices import ask_choice
    from gglib.cli.views import render

    click.echo("Chat with which model?")
    rows = [[f"{model.id}", model.name, render.size(model.size_bytes), _last_use(model)] for model in choices]
    render.show_table(
        ["ID", "MODEL", "SIZE", "LAST USED"], rows, droppable=("LAST USED", "SIZE"), spilled="MODEL"
    )
    numbers = [model.id for model in choices]  # as in ``gglib list``: 3 is the same model in ``gglib run 3``
    return choices[ask_choice([model.name for model in choices], numbers=numbers)].name


def _last_use(model: ModelSummary) -> str:
    import time

    from gglib.cli.views import render

    return render.ago(None if model.last_used_at is None else max(0.0, time.time() - model.last_used_at))


def _check_chats(name: str, model: ModelSummary) -> None:
    if model.capabilities.embedding or model.capabilities.rerank:
        raise GglibError(f"Model '{name}' does not chat. {usage_hint(model)}")


def _limits(profile: "Profile | None") -> bool:
    return profile is not None and not LIMIT_FIELDS.isdisjoint(profile.defaults)
