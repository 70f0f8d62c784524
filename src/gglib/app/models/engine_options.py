"""The options that a model may set, as one engine has them."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gglib.app.settings import Settings
from gglib.core.errors import EngineNotFoundError
from gglib.runtime.engines import Engine, LlamaServerEngine, find_engine
from gglib.runtime.engines.llama_cpp.help_entries import HelpEntry
from gglib.runtime.engines.llama_cpp.options import OPTION_GROUPS, EngineOption

EMBEDDED, BINARY = "embedded", "llama-server"


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedOption:
    """An option for a listing."""

    group: str
    option: EngineOption
    choices: tuple[str, ...]
    default: str
    is_supported: bool
    """Whether the engine of the listing has it; True if there is no engine."""

    @property
    def names_line(self) -> str:
        """The long name, that of its negation, and a short one."""
        shown = [self.option.name, *self.option.off_names[:1]]
        short = next((name for name in self.option.names if not name.startswith("--")), None)
        return ", ".join(shown + ([short] if short is not None else []))

    @property
    def value(self) -> str:
        """Its kind of value."""
        if self.option.is_switch:
            return ""
        return "|".join(self.choices) if self.choices else str(self.option.kind)

    @property
    def engines(self) -> str:
        """The kinds of engines that have it."""
        return f"{EMBEDDED}, {BINARY}" if self.option.field is not None else BINARY

    @property
    def help(self) -> str:
        """What it does, and whether the engine lacks it."""
        return self.option.help if self.is_supported else f"{self.option.help} (not in this engine)"

    @property
    def searched(self) -> str:
        """The text that a pattern is looked for in."""
        return " ".join((*self.option.names, *self.option.off_names, self.option.help, self.group)).casefold()

    def as_json(self) -> dict[str, Any]:
        """Return it for programs."""
        return {
            "names": self.option.names,
            "off_names": self.option.off_names,
            "group": self.group,
            "value": self.value,
            "choices": self.choices,
            "default": self.default or None,
            "is_list": self.option.is_list,
            "names_files": self.option.names_files,
            "engines": self.engines.split(", "),
            "is_supported": self.is_supported,
            "help": self.option.help,
        }


def listed_options(settings: Settings, engine: Path | None) -> list[ListedOption]:
    """Return all options in the order of the table. Blocks: a binary is run for its help page.

    ``engine`` is ``Path("embedded")`` or the path of a llama-server; None is the engine in use, and without one all
    options count as supported. Raises ``EngineNotFoundError`` for a given engine that cannot be used.
    """
    try:
        found = find_engine(settings.engine if engine is None else engine)
    except EngineNotFoundError:
        if engine is not None:
            raise
        found = None
    entries = found.help_entries if isinstance(found, LlamaServerEngine) else None
    return [
        _listed(group, option, found, entries)
        for group, options in OPTION_GROUPS.items()
        for option in options
    ]


def _listed(
    group: str, option: EngineOption, engine: Engine | None, entries: Mapping[str, HelpEntry] | None
) -> ListedOption:
    entry = (
        next((entries[name] for name in option.names if name in entries), None)
        if entries is not None
        else None
    )
    if entries is not None:
        is_supported = entry is not None and not entry.is_removed
    else:
        is_supported = engine is None or option.field is not None
    own_choices = entry.choices if entry is not None and option.choices else ()
    return ListedOption(
        group=group,
        option=option,
        choices=tuple(text for text in option.choices if not own_choices or text in own_choices),
        default=option.default,
        is_supported=is_supported,
    )
