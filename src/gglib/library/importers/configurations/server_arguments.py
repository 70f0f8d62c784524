"""What the options of a llama-server mean for a model of gglib. Pure.

Options come from a command line, from a preset of llama.cpp's router, or from environment variables.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from gglib.core.context import UNLIMITED_CONTEXT
from gglib.core.models import ModelKind
from gglib.library.importers.configurations.plan import EngineOption, HubModel, Leftover, LocalFile
from gglib.library.importers.configurations.server_options import (
    FLAGS,
    ROLES,
    SHORT_NAMES,
    UNAVAILABLE,
    VARIABLES,
    Role,
)

Option = tuple[str, str | None]
"""A name with its dashes, and its value; None for a switch."""
_NUMBER = re.compile(r"-[0-9.]")
_TRUE, _FALSE = ("on", "enabled", "true", "1"), ("off", "disabled", "false", "0")
"""llama.cpp's words (``common/arg.cpp``, ``is_truthy`` and ``is_falsey``)."""
_FLASH_ATTENTION = ("--flash-attn", "-fa")
_PARALLEL = ("--parallel", "-np")
_UNIFIED = ("--kv-unified", "-kvu")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerUse:
    """The model that a llama-server serves, and how."""

    model: str | None = None
    """The value of ``--model``."""
    hub: HubModel | None = None
    projector: str | None = None
    has_projector: bool = True
    context: int | None = None
    """Of each request, in tokens."""
    aliases: tuple[str, ...] = ()
    kind: ModelKind | None = None
    idle_ttl_s: float | None = None
    is_loaded_at_start: bool = False
    options: tuple[EngineOption, ...] = ()
    """The others, in order: the model's engine arguments."""
    leftovers: tuple[Leftover, ...] = ()

    @property
    def file(self) -> LocalFile | None:
        """The file of the model; None without ``--model``."""
        if self.model is None:
            return None
        projector = None if self.projector is None else Path(self.projector)
        return LocalFile(Path(self.model), projector, self.has_projector)


def options_of_arguments(arguments: Sequence[str]) -> Iterator[Option]:
    """Yield the options of a command line.

    llama-server takes no words without an option, so the word after an option is its value, unless it is one itself.
    """
    rest = list(arguments)
    while rest:
        name, has_value, value = rest.pop(0).partition("=")
        if has_value and name.startswith("--"):
            yield name, value
        elif name in FLAGS or not rest or _is_option(rest[0]):
            yield name + has_value + value, None
        else:
            yield name + has_value + value, rest.pop(0)


def options_of_keys(keys: Mapping[str, str]) -> Iterator[Option]:
    """Yield the options of a preset: their names without dashes, or their environment variables, with values."""
    for key, value in keys.items():
        name = VARIABLES.get(key) or (f"-{key}" if f"-{key}" in SHORT_NAMES else f"--{key}")
        is_switch = name in FLAGS or (value.lower() in ("true", "false") and name not in ROLES)
        if not is_switch or (name in _FLASH_ATTENTION):
            yield name, value
        elif value.lower() in _TRUE:
            yield name, None
        elif value.lower() in _FALSE and (opposite := _opposite(name)) is not None:
            yield opposite, None


def split_environment(
    variables: Iterable[tuple[str, str]],
) -> tuple[list[Option], tuple[tuple[str, str], ...]]:
    """Return the options that environment variables stand for, and the other variables."""
    pairs = list(variables)
    options = list(options_of_keys({name: value for name, value in pairs if name in VARIABLES}))
    return options, tuple((name, value) for name, value in pairs if name not in VARIABLES)


def use_of(options: Iterable[Option], where: str) -> ServerUse:
    """Return what the options mean; of an option that is there twice, the last one counts, as in llama.cpp."""
    all_options = [_normalized(option) for option in options]
    use = ServerUse()
    repo = file = None
    for name, value in all_options:
        role = ROLES.get(name)
        if role is Role.HUB_REPO:
            repo = value
        elif role is Role.HUB_FILE:
            file = value
        elif role is Role.URL and value is not None:
            use = replace(use, hub=HubModel(value))
        else:
            use = _with_option(use, role, name, value, where)
    if repo is not None:
        use = replace(use, hub=HubModel(repo if file is None else f"{repo.partition(':')[0]}/{file}"))
    return replace(use, context=_context_of_request(use.context, all_options))


def _with_option(use: ServerUse, role: Role | None, name: str, value: str | None, where: str) -> ServerUse:  # noqa: PLR0911 - one case a role
    """Return the use with one more option."""
    match role:
        case None:
            return replace(use, options=(*use.options, (name,) if value is None else (name, value)))
        case Role.EMBEDDING:
            return replace(use, kind=use.kind or "embedding")
        case Role.RERANK:
            return replace(use, kind="rerank")
        case Role.NO_PROJECTOR:
            return replace(use, has_projector=False)
        case Role.LOAD_AT_START:
            return replace(use, is_loaded_at_start=True)
        case Role.OURS:
            return use
        case Role.LISTED:
            return replace(use, leftovers=(*use.leftovers, Leftover(f"{where} {name}", *UNAVAILABLE[name])))
        case _:
            return _with_value(use, role, name, value, where)


def _with_value(use: ServerUse, role: Role, name: str, value: str | None, where: str) -> ServerUse:
    """Return the use with one more option that needs a value."""
    if value is None:
        return _refused(use, where, name, "it has no value")
    match role:
        case Role.MODEL:
            return replace(use, model=value)
        case Role.PROJECTOR:
            return replace(use, projector=value)
        case Role.ALIAS:
            names = tuple(name for part in value.split(",") if (name := part.strip()))
            return replace(use, aliases=(*use.aliases, *names))
        case _:
            return _with_number(use, role, name, value, where)


def _with_number(use: ServerUse, role: Role, name: str, value: str, where: str) -> ServerUse:
    """Return the use with one more option that needs a number."""
    try:
        number = int(value)
    except ValueError:
        return _refused(use, where, name, f"'{value}' is not a whole number")
    if role is Role.IDLE_TTL:
        return replace(use, idle_ttl_s=float(number) if number > 0 else None)
    if number < 0:
        return _refused(use, where, name, f"'{value}' is not a number of tokens")
    return replace(use, context=number or UNLIMITED_CONTEXT)


def _context_of_request(context: int | None, options: Sequence[Option]) -> int | None:
    """Return the context of one request: llama-server divides ``--ctx-size`` among its slots, unless they share it."""
    slots = [int(value) for name, value in options if name in _PARALLEL and value and value.isdecimal()]
    is_shared = any(name in _UNIFIED for name, _ in options)
    if context in (None, UNLIMITED_CONTEXT) or is_shared or not slots or slots[-1] < 2:
        return context
    return max(context // slots[-1], 1)


def _normalized(option: Option) -> Option:
    """Return an option in the form of current llama.cpp: ``--flash-attn`` was a switch, and takes several words."""
    name, value = option
    if name not in _FLASH_ATTENTION:
        return option
    if value is None or value.lower() in _TRUE:
        return name, "on"
    return name, "off" if value.lower() in _FALSE else value


def _refused(use: ServerUse, where: str, name: str, reason: str) -> ServerUse:
    return replace(use, leftovers=(*use.leftovers, Leftover(f"{where} {name}", reason)))


def _opposite(name: str) -> str | None:
    """Return the switch for the opposite; None if there is none."""
    opposite = name.replace("--no-", "--", 1) if name.startswith("--no-") else name.replace("--", "--no-", 1)
    return opposite if opposite in FLAGS else None


def _is_option(word: str) -> bool:
    return word.startswith("-") and len(word) > 1 and not _NUMBER.match(word)
