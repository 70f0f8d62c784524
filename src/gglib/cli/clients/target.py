"""Finds out what a client has to know: the server, a model, its context, and the key."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from gglib.app.clients.client import Connection, Key
from gglib.app.clients.entries import KEY_VARIABLE
from gglib.app.clients.keys import client_key, key_names_for
from gglib.cli.clients.keys import checked_variable
from gglib.cli.clients.model_choice import check_chats, choose_model
from gglib.cli.context import Options
from gglib.core.addresses import Endpoint
from gglib.core.context import ContextRequest
from gglib.core.errors import GglibError
from gglib.core.kinds import max_context
from gglib.core.models import ModelSummary
from gglib.core.names import find_model, not_found

if TYPE_CHECKING:
    from gglib.app.settings import Settings

NO_SERVER = "No gglib is running with this home: start one with 'gglib up', then launch the client."


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A server and a model for a client."""

    connection: Connection
    is_running: bool
    """Whether the server runs; else the address is the configured one."""
    trained: int | None
    """The context that the model was trained for, in tokens."""
    key_names: tuple[str, ...] = ()
    """The names of the keys that may use the model; empty if there are none, or they are not known here."""
    key_value: str | None = field(default=None, repr=False)
    """The key itself, for ``gglib launch``."""


def find_target(options: Options, model: str | None, variable: str | None) -> Target:
    """Return the target on the running server, or as it is configured if none runs. Raises ``GglibError``.

    ``variable`` is the environment variable that the user named for the key.
    """
    found = find_running_target(options, model, variable)
    if found is not None:
        return found
    settings = options.settings()
    with _naming_the_setting(settings, model):
        return _configured_target(settings, model, variable)


def find_running_target(options: Options, model: str | None, variable: str | None) -> Target | None:
    """Return the target on the running server; None if none runs. Raises ``GglibError``."""
    checked_variable(variable)
    if options.remote is not None:
        return _remote_target(options, options.remote, model, variable)
    from gglib.cli.server.instance import find_instance, require_endpoint

    settings = options.settings()
    if find_instance(settings) is None:
        return None
    with _naming_the_setting(settings, model):
        return _local_target(settings, require_endpoint(settings), model, variable)


@contextmanager
def _naming_the_setting(settings: "Settings", model: str | None) -> Iterator[None]:
    """Name the setting in an error about the default model: the user has not typed this name."""
    name = settings.default_model
    try:
        yield
    except GglibError as error:
        if model is not None or name is None or f"Model '{name}'" not in str(error):
            raise
        raise GglibError(f"Setting 'default_model': {error}") from error


def _remote_target(options: Options, server: Endpoint, model: str | None, variable: str | None) -> Target:
    from gglib.cli.remote.address import KEY_VARIABLE as REMOTE_KEY_VARIABLE

    served = _served_model(server, model, default_model=None)
    key = Key(variable=variable or options.key_variable or REMOTE_KEY_VARIABLE)
    own = os.environ.get(variable) if variable else None
    return Target(
        connection=_connection(server.url, served, key if server.key else None),
        is_running=True,
        trained=served["max_context_length"],
        key_value=own or server.key,
    )


def _local_target(settings: "Settings", server: Endpoint, model: str | None, variable: str | None) -> Target:
    from gglib.cli.server.client import reachable

    served = _served_model(server, model, default_model=settings.default_model)
    names = key_names_for(settings.api_keys, served["summary"])
    key = client_key(names, variable)
    if key is None and server.key is not None:  # keys from the environment of the server
        key = Key(variable=variable or KEY_VARIABLE)
    own = os.environ.get(variable or KEY_VARIABLE)
    configured = settings.api_keys[names[0]].key if names else server.key
    return Target(
        connection=_connection(reachable(server.url), served, key),
        is_running=True,
        trained=served["max_context_length"],
        key_names=names,
        key_value=None if key is None else own or configured,
    )


def _connection(url: str, served: dict[str, Any], key: Key | None) -> Connection:
    return Connection(url=url, model=served["id"], context=served["context_length"], key=key)


def _served_model(server: Endpoint, model: str | None, *, default_model: str | None) -> dict[str, Any]:
    """Return the model object of ``/v1/models`` for the chosen model, with its ``summary``. Raises ``GglibError``."""
    from gglib.cli.server.client import get_json
    from gglib.cli.server.models import complete_for_request, served_models

    models = served_models(server)
    if model is not None:
        name = complete_for_request(server, model)
    else:
        objects: list[dict[str, Any]] = get_json(server, "/v1/models")["data"]
        in_memory = {found["id"] for found in objects if found["status"]["value"] == "loaded"}
        name = choose_model(models, default_model=default_model, in_memory=in_memory)
    served: dict[str, Any] = dict(get_json(server, f"/v1/models/{quote(name, safe='')}"))
    check_chats(served["id"], served["capabilities"])
    return {**served, "summary": _summary(served["id"], models)}


def _summary(name: str, models: Sequence[ModelSummary]) -> ModelSummary:
    """Return the model of a name, also of ``model:profile``; for an alias list one that has only the name."""
    found = find_model(name, models) or find_model(name.rpartition(":")[0], models)
    return found or ModelSummary(id=0, name=name)


def _configured_target(settings: "Settings", model: str | None, variable: str | None) -> Target:
    """Return the target of the server that would be started with these settings. Raises ``GglibError``."""
    from gglib.app.certificates.configured import configured_url
    from gglib.cli.models.typed_names import find_typed
    from gglib.cli.sessions import with_catalog

    if settings.port == 0:
        raise GglibError(
            "The port is chosen when gglib starts: start it first, with 'gglib serve' or 'gglib up'."
        )
    models = with_catalog(settings, lambda store: store.list_models())
    name = model or choose_model(models, default_model=settings.default_model, in_memory=())
    found = find_typed(name, models, settings.aliases)
    if found is None:
        raise not_found(name, models)
    check_chats(found.name, found.capabilities.names())
    names = key_names_for(settings.api_keys, found)
    return Target(
        connection=Connection(
            url=configured_url(settings),
            model=found.name,
            context=context_of(found, settings.default_ctx),
            key=client_key(names, variable),
        ),
        is_running=False,
        trained=max_context(found),
        key_names=names,
    )


def context_of(model: ModelSummary, default_ctx: int) -> int:
    """Return the context in tokens that a model gets without a request for more."""
    return ContextRequest(
        requested=None,
        model_setting=model.settings.context,
        default=default_ctx,
        trained=max_context(model),
    ).needed
