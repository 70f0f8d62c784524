"""The models of llama-swap's configuration. Pure.

A model whose command runs llama-server on a file becomes a model of the catalogue; any other command serves its model
itself. A URL of another machine is a server that runs elsewhere.
"""

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from gglib.core.backends import DEFAULT_HEALTH_PATH, CommandBackend, UrlBackend
from gglib.core.models import ModelSettings
from gglib.core.shell_quoting import quoted_command
from gglib.library.importers.configurations.files.documents import Fields, MacroError, Scalar
from gglib.library.importers.configurations.files.field_rules import leftovers_of
from gglib.library.importers.configurations.llama_swap.command_lines import (
    CommandError,
    ServerCommand,
    server_command,
    words_of,
)
from gglib.library.importers.configurations.llama_swap.filters import read_filters
from gglib.library.importers.configurations.llama_swap.macros import AT_RUN_TIME, PORT, Macros, names_in
from gglib.library.importers.configurations.llama_swap.rules import MODEL_RULES
from gglib.library.importers.configurations.plan import Leftover, LocalFile, Served, WantedModel
from gglib.library.importers.configurations.server_arguments import (
    ServerUse,
    options_of_arguments,
    split_environment,
    use_of,
)

_LOOPBACK = ("localhost", "127.0.0.1", "::1", "0.0.0.0")  # noqa: S104 - compared, nothing listens
MIN_START_TIMEOUT_S = 15
"""llama-swap takes less for this."""
_CAPABILITIES = ("in", "out", "tools", "context")
_MEDIA = ("in", "out")
_ROUTES = {
    ("audio", "text"): ("/v1/audio/transcriptions", "/v1/audio/translations"),
    ("text", "audio"): ("/v1/audio/speech",),
    ("text", "image"): ("/v1/images/generations",),
    ("image", "image"): ("/v1/images/edits", "/v1/images/variations"),
}
"""OpenAI's paths by what a model takes and makes."""


@dataclass(frozen=True, slots=True)
class ReadModel:
    """A model, unless it cannot be imported, and what was left out."""

    model: WantedModel | None
    leftovers: tuple[Leftover, ...] = ()


@dataclass(frozen=True, slots=True)
class _Served:
    """What serves a model, and the meaning of its llama-server's options."""

    served: Served
    environment: tuple[tuple[str, str], ...]
    use: ServerUse


@dataclass(frozen=True, slots=True, kw_only=True)
class Defaults:
    """What applies to all models of a configuration."""

    directory: Path
    """The working directory of commands."""
    ttl_s: int = 0
    start_timeout_s: int | None = None
    """How long a command may take to become ready."""


def read_model(name: str, fields: Fields, macros: Macros, defaults: Defaults) -> ReadModel:
    """Return the model ``name``."""
    own = Fields(fields.file, fields.where, fields.nodes, macros.of_model(fields, name).expand)
    leftovers = []
    try:
        leftovers += leftovers_of(own, MODEL_RULES, model=name)
        served = _served(own, defaults)
        model, lost = _wanted(name, own, served, defaults.ttl_s)
    except (MacroError, CommandError) as error:
        return ReadModel(None, (Leftover(own.where, str(error)),))
    return ReadModel(model, (*leftovers, *served.use.leftovers, *lost))


def _wanted(
    name: str, fields: Fields, served: _Served, global_ttl_s: int
) -> tuple[WantedModel, tuple[Leftover, ...]]:
    aliases, lost = _aliases(fields)
    filtered = read_filters(fields, name, aliases)
    ttl_s = fields.integer("ttl", minimum=-1)
    idle_ttl_s = global_ttl_s if ttl_s in (None, -1) else ttl_s
    capabilities = fields.fields("capabilities")
    kind = "rerank" if capabilities.boolean("reranker") else served.use.kind
    model = WantedModel(
        where=fields.where,
        name=name,
        served=served.served,
        aliases=tuple(dict.fromkeys((*aliases, *filtered.aliases, *served.use.aliases))),
        description=_description(fields),
        settings=ModelSettings(
            context=served.use.context,
            idle_ttl_s=float(idle_ttl_s) if idle_ttl_s else served.use.idle_ttl_s,
            kind=kind,
            environment=served.environment,
        ),
        options=served.use.options,
        profiles=filtered.profiles,
    )
    lost += [
        Leftover(capabilities.path(each), "it is read from the model's file")
        for each in _CAPABILITIES
        if each in capabilities.nodes
        and not (isinstance(served.served, CommandBackend | UrlBackend) and each in _MEDIA)
    ]
    limit = fields.integer("concurrencyLimit")
    if limit and not isinstance(served.served, CommandBackend):
        lost.append(_lost_limit(fields, name, limit, is_file=isinstance(served.served, LocalFile)))
    return model, (*filtered.leftovers, *lost)


def _lost_limit(fields: Fields, name: str, limit: int, *, is_file: bool) -> Leftover:
    """Return the limit of requests at once as what it is for models other than commands."""
    reason = "requests beyond the slots of a model wait instead of getting 429"
    command = quoted_command("set", "--engine-args", f"--parallel {limit}", name)
    return Leftover(fields.path("concurrencyLimit"), reason, f"{command} sets its slots" if is_file else None)


def _description(fields: Fields) -> str:
    """Return the description, after the name for display if there is one, in one line."""
    parts = (fields.text("name"), fields.text("description"))
    return " ".join(": ".join(filter(None, parts)).split())


def _served(fields: Fields, defaults: Defaults) -> _Served:
    """Return what serves a model. Raises ``CommandError`` and ``MacroError``."""
    proxy = (fields.text("proxy") or "").strip()
    if proxy and not _is_here(proxy):
        return _Served(_url(fields, proxy), (), ServerUse())
    words = words_of(fields.text("cmd") or "")
    command = server_command(words)
    environment = _environment(fields)
    if command is None:
        return _Served(_command(fields, words, defaults), environment, ServerUse())
    return _of_server(fields, command, environment)


def _of_server(fields: Fields, command: ServerCommand, variables: tuple[tuple[str, str], ...]) -> _Served:
    """Return the model of a llama-server: a file, or a model of the hub."""
    where = fields.path("cmd")
    options, environment = split_environment((*command.environment, *variables))
    # A word on the command line overrides the variable, as in llama.cpp.
    use = use_of((*options, *options_of_arguments(command.arguments)), where)
    if use.hub is not None:
        return _Served(use.hub, environment, use)
    if use.file is None:
        raise CommandError("its llama-server has neither --model nor --hf-repo")
    at_run_time = names_in(word for option in use.options for word in option)
    if at_run_time:
        raise CommandError(f"its llama-server needs '${{{min(at_run_time)}}}' in another option than --port")
    return _Served(use.file, environment, use)


def _command(fields: Fields, words: tuple[str, ...], defaults: Defaults) -> CommandBackend:
    """Return the backend of another command. Raises ``CommandError`` if its port is fixed."""
    if not any(PORT in word for word in words):
        raise CommandError(
            "its command has no ${PORT}, and gglib chooses the port of a program: write ${PORT} in it"
        )
    unknown = names_in(words) - {"PORT"}
    if unknown:
        raise CommandError(f"its command has '${{{min(unknown)}}}', which gglib cannot replace")
    check = (fields.text("checkEndpoint") or DEFAULT_HEALTH_PATH).strip()
    if not check.startswith("/"):  # "none": any path that answers with 200
        check = "/"
    timeout_s = defaults.start_timeout_s
    return CommandBackend(
        argv=tuple(map(_as_word, words)),
        health_path=check,
        routes=_routes(fields),
        directory=defaults.directory,
        start_timeout_s=None if timeout_s is None else float(max(timeout_s, MIN_START_TIMEOUT_S)),
        slots=fields.integer("concurrencyLimit") or None,
        model=fields.text("useModelName") or None,
    )


def _url(fields: Fields, proxy: str) -> UrlBackend:
    name = fields.text("useModelName") or None
    return UrlBackend(base_url=base_url(proxy), model=name, routes=_routes(fields))


def _routes(fields: Fields) -> tuple[str, ...]:
    """Return the paths that a model serves by its capabilities; empty for text, and if they say nothing."""
    capabilities = fields.fields("capabilities")
    kinds = {(first, second) for first in capabilities.texts("in") for second in capabilities.texts("out")}
    if ("text", "text") in kinds:
        return ()
    return tuple(route for kind, routes in _ROUTES.items() if kind in kinds for route in routes)


def base_url(proxy: str) -> str:
    """Return the URL before OpenAI's routes: llama-swap appends the whole path of a request to its own URL."""
    return f"{proxy.rstrip('/')}/v1"


def _is_here(proxy: str) -> bool:
    """Whether a URL is of this machine: the program that the command starts."""
    if any(f"${{{name}}}" in proxy for name in AT_RUN_TIME):
        return True
    try:
        host = urlsplit(proxy).hostname
    except ValueError:
        raise CommandError(f"its proxy '{proxy}' is not a URL") from None
    if host is None:
        raise CommandError(f"its proxy '{proxy}' is not a URL")
    return host in _LOOPBACK


def _environment(fields: Fields) -> tuple[tuple[str, str], ...]:
    """Return the variables of ``env``; of one that is there twice, the last one counts."""
    pairs = {}
    for text in fields.texts("env"):
        name, mark, value = text.partition("=")
        if not mark or not name.strip():
            fields.refuse("env", "a list of texts of the form NAME=value")
        pairs[name.strip()] = value
    return tuple(pairs.items())


def _aliases(fields: Fields) -> tuple[tuple[str, ...], list[Leftover]]:
    """Return the aliases: texts, or mappings with an ``id``."""
    names: list[str] = []
    leftovers: list[Leftover] = []
    for index, item in enumerate(fields.items("aliases")):
        if isinstance(item.value, Scalar):
            names.append(fields.expand(item.value.text))
        elif isinstance(item.value, dict):
            entry = Fields(fields.file, f"{fields.path('aliases')}[{index}]", item.value, fields.expand)
            names.append(entry.text("id") or "")
            leftovers += [
                Leftover(entry.path(key), "an alias has no fields of its own")
                for key in entry.nodes
                if key != "id"
            ]
        else:
            fields.refuse("aliases", "a list of names")
    return tuple(dict.fromkeys(name for name in names if name)), leftovers


def _as_word(word: str) -> str:
    """Return a word of a command as a backend has it: braces are doubled, and ``{port}`` is the port."""
    return "{port}".join(part.replace("{", "{{").replace("}", "}}") for part in word.split(PORT))
