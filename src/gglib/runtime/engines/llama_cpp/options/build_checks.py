"""Checks engine arguments against the help page of a llama-server's build. Pure."""

from collections import Counter
from collections.abc import Mapping, Sequence

from gglib.core.errors import EngineArgumentError
from gglib.runtime.engines.llama_cpp.help_entries import HelpEntry
from gglib.runtime.engines.llama_cpp.options.option import EngineOption, Kind
from gglib.runtime.engines.llama_cpp.options.parsing import passed_arguments
from gglib.runtime.engines.llama_cpp.options.spelling import known_name

_UPGRADE = "leave it out, or install a newer llama.cpp"


def check_build(arguments: Sequence[str], entries: Mapping[str, HelpEntry]) -> None:
    """Raise ``EngineArgumentError`` for what this build's help page excludes. Raises like ``parse_engine_args``, too.

    Options that the page does not describe are not checked.
    """
    counts: Counter[str] = Counter()
    for option, text in passed_arguments(arguments):
        name = known_name(option, text, entries) if _is_described(option, entries) else None
        if name is None:
            continue
        counts[name] += 1
        _check_value(name, option, text, entries[name])
        if (
            option.is_list
            and counts[name] > 1
            and not entries[name].takes_lists
            and option.kind is not Kind.JSON
        ):
            raise EngineArgumentError(f"This llama-server takes '{name}' only once: {_UPGRADE}.")


def _is_described(option: EngineOption, entries: Mapping[str, HelpEntry]) -> bool:
    return any(name in entries for name in (*option.names, *option.off_names))


def _check_value(name: str, option: EngineOption, text: str, entry: HelpEntry) -> None:
    if entry.is_removed:
        raise EngineArgumentError(f"This llama-server has no '{name}' any more: leave it out.")
    if not option.is_switch and not entry.value:
        raise EngineArgumentError(f"This llama-server's '{name}' takes no value: {_UPGRADE}.")
    if (
        option.kind is Kind.CHOICE
        and entry.choices
        and text not in entry.choices
        and not _is_range(entry.value)
    ):
        raise EngineArgumentError(
            f"This llama-server's '{name}' takes one of {', '.join(entry.choices)}, not '{text}'."
        )


def _is_range(value: str) -> bool:
    """Whether a placeholder is a range of numbers, such as ``<0|1>`` for a level of polling."""
    return value.startswith("<")
