"""Reads llama-swap's configuration. Pure."""

from dataclasses import replace
from pathlib import Path

from gglib.core.backends import UrlBackend
from gglib.core.errors import InvalidSettingError
from gglib.core.plain_text import escape_line
from gglib.core.shell_quoting import quoted_command
from gglib.library.importers.configurations.files.documents import Fields, MacroError, Scalar, is_null
from gglib.library.importers.configurations.files.field_rules import UNKNOWN, leftovers_of
from gglib.library.importers.configurations.files.yaml_files import read_yaml
from gglib.library.importers.configurations.llama_swap.filters import read_filters
from gglib.library.importers.configurations.llama_swap.macros import Macros, variable_of
from gglib.library.importers.configurations.llama_swap.models import Defaults, base_url, read_model
from gglib.library.importers.configurations.llama_swap.routing import Routing, read_routing
from gglib.library.importers.configurations.llama_swap.rules import PEER_RULES, TOP_RULES
from gglib.library.importers.configurations.plan import (
    Configuration,
    Environment,
    Leftover,
    WantedModel,
    WantedSetting,
)

_LOG_LEVELS = {"debug": "debug", "info": "info", "warn": "warning", "error": "error"}
_NO_KEY = "a key is never stored"
_NO_KEY_INSTEAD = "set it in an environment variable, and write apiKey: ${env.NAME}"


def read_llama_swap(text: str, file: str, *, environment: Environment, directory: Path) -> Configuration:
    """Return what a configuration describes; ``directory`` is the working directory of its commands.

    Raises ``InvalidSettingError`` with the place of a value that has the wrong form. A model that cannot be imported is
    a leftover.
    """
    document = read_yaml(text, file)
    if document.nodes.keys().isdisjoint(("models", "peers")):
        raise InvalidSettingError(
            f"{file} has neither 'models' nor 'peers': name a configuration of llama-swap."
        )
    macros = Macros.read(document, environment)
    try:
        return _read(replace(document, expand=macros.expand), macros, directory)
    except MacroError as error:  # outside of models and peers
        raise InvalidSettingError(escape_line(f"{file}: {error}.")) from None


def _read(document: Fields, macros: Macros, directory: Path) -> Configuration:
    leftovers = leftovers_of(document, TOP_RULES)
    routing = read_routing(document, document.fields("models").nodes.keys())
    defaults = Defaults(
        directory=directory,
        ttl_s=document.integer("globalTTL") or 0,
        start_timeout_s=document.integer("healthCheckTimeout"),
    )
    wanted: list[WantedModel] = []
    for name, fields in document.tables("models").items():
        found = read_model(name, fields, macros, defaults)
        leftovers += found.leftovers
        if found.model is not None:
            model, lost = _routed(found.model, routing)
            wanted.append(model)
            leftovers += lost
    for fields in document.tables("peers").values():
        models, lost = _peer(fields)
        wanted += models
        leftovers += lost
    settings, lost = _settings(document, routing)
    return Configuration(
        models=tuple(wanted),
        settings=tuple(settings),
        leftovers=tuple(dict.fromkeys((*leftovers, *_name_sets(document), *routing.leftovers, *lost))),
    )


def _routed(model: WantedModel, routing: Routing) -> tuple[WantedModel, list[Leftover]]:
    """Return a model with what the routing says of it; a pinned model would not obey its idle time."""
    is_persistent = model.name in routing.pinned
    is_pinned = is_persistent and model.settings.idle_ttl_s is None
    settings = replace(
        model.settings, is_pinned=is_pinned, priority=(routing.priorities or {}).get(model.name)
    )
    if not is_persistent or is_pinned:
        return replace(model, settings=settings), []
    reason = "its group is persistent, but a pinned model would ignore its idle time"
    left = Leftover(model.where, reason, quoted_command("pin", model.name))
    return replace(model, settings=settings), [left]


def _settings(document: Fields, routing: Routing) -> tuple[list[WantedSetting], list[Leftover]]:
    wanted: list[WantedSetting] = []
    level = document.text("logLevel")
    if level is not None:
        if level not in _LOG_LEVELS:
            document.refuse("logLevel", f"one of {', '.join(_LOG_LEVELS)}")
        wanted.append(WantedSetting("logLevel", "log_level", _LOG_LEVELS[level]))
    if routing.where is not None:
        wanted.append(WantedSetting(routing.where, "max_models", routing.at_once))
    hooks = document.fields("hooks")
    start = hooks.fields("on_startup")
    names = [name for text in start.texts("preload") if (name := text.strip())]
    if names:
        wanted.append(WantedSetting(start.path("preload"), "preload", names))
    unknown = [(hooks, name) for name in hooks.nodes if name != "on_startup"]
    unknown += [(start, name) for name in start.nodes if name != "preload"]
    return wanted, [Leftover(fields.path(name), UNKNOWN) for fields, name in unknown]


def _peer(fields: Fields) -> tuple[list[WantedModel], list[Leftover]]:
    """Return the models of a peer: servers that run elsewhere."""
    try:
        return _models_of_peer(fields)
    except MacroError as error:
        return [], [Leftover(fields.where, str(error))]


def _models_of_peer(fields: Fields) -> tuple[list[WantedModel], list[Leftover]]:
    proxy = fields.text("proxy")
    if not proxy:
        return [], [Leftover(fields.where, "it has no proxy, the URL of its server")]
    key_env, lost = _key(fields)
    leftovers = [*leftovers_of(fields, PEER_RULES), *lost]
    models: list[WantedModel] = []
    for name in fields.texts("models"):
        filtered = read_filters(fields, name, ())
        leftovers += filtered.leftovers
        models.append(
            WantedModel(
                where=fields.where,
                name=name,
                served=UrlBackend(base_url=base_url(proxy), key_env=key_env),
                aliases=filtered.aliases,
                profiles=filtered.profiles,
            )
        )
    return models, leftovers


def _key(fields: Fields) -> tuple[str | None, list[Leftover]]:
    """Return the environment variable that has the key of a peer. A key in the file itself is never read further."""
    node = fields.nodes.get("apiKey")
    if node is None or is_null(node):
        return None, []
    if not isinstance(node.value, Scalar):
        fields.refuse("apiKey", "a text")
    name = variable_of(node.value.text)
    if name is not None or not node.value.text:
        return name, []
    return None, [Leftover(fields.path("apiKey"), _NO_KEY, _NO_KEY_INSTEAD)]


def _name_sets(document: Fields) -> list[Leftover]:
    """Return the profiles of llama-swap, sets of names that are switched at run time, as commands."""
    found: list[Leftover] = []
    for fields in document.tables("profiles").values():
        pins = fields.fields("pins")
        for name in pins.nodes:
            model = pins.text(name)
            if model:
                command = quoted_command("alias", name, model)
                found.append(Leftover(pins.path(name), "there are no sets of names to switch", command))
            else:
                found.append(Leftover(pins.path(name), "a name cannot be switched off"))
    return found
