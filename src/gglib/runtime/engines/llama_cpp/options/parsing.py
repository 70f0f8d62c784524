"""Reads the engine arguments of a model. Pure."""

from collections.abc import Iterator, Sequence

from gglib.core.errors import EngineArgumentError
from gglib.core.runtime.slots import clamp_slots
from gglib.runtime.engines.llama_cpp.options.compute import SLOTS
from gglib.runtime.engines.llama_cpp.options.option import OFF, ON, EngineOption, Kind
from gglib.runtime.engines.llama_cpp.options.reserved import refuse_unknown
from gglib.runtime.engines.llama_cpp.options.table import OPTIONS_BY_NAME
from gglib.runtime.engines.llama_cpp.options.values import expected_value


def parse_engine_args(arguments: Sequence[str]) -> Iterator[tuple[EngineOption, str]]:
    """Yield each option with the text of its value; of a switch, ``on``, or ``off`` for its negation.

    Accepts ``--name value`` and ``--name=value``. The value of a range is two words. Raises ``EngineArgumentError`` for
    an option that is not in the table, a missing value or a value of the wrong type.
    """
    rest = iter(arguments)
    for argument in rest:
        name, has_value, value = argument.partition("=")
        option = OPTIONS_BY_NAME.get(name)
        if option is None:
            raise refuse_unknown(name)
        if option.is_switch:
            if has_value:
                raise EngineArgumentError(f"Engine argument '{name}' takes no value.")
            yield option, OFF if name in option.off_names else ON
            continue
        text = value if has_value else next(rest, None)
        if option.kind is Kind.RANGE and text is not None and not has_value:
            text = f"{text} {next(rest, '')}"
        yield option, _validated(name, option, text)


def launch_slots(arguments: Sequence[str], *, setting: int, context: int) -> int:
    """Return the wanted number of slots of ``context`` tokens, before memory is considered.

    The model's arguments set it, the last one if there are several; otherwise, and for values below 1 (automatic in
    llama-server), it is ``setting``. Raises like ``parse_engine_args``.
    """
    wanted = int(final_values(arguments).get(SLOTS.name, 0))
    return clamp_slots(wanted if wanted > 0 else setting, context)


def passed_arguments(arguments: Sequence[str]) -> Iterator[tuple[EngineOption, str]]:
    """Yield the arguments that are passed to the engine: all except the number of slots, which the launch plan sets."""
    return (parsed for parsed in parse_engine_args(arguments) if parsed[0] is not SLOTS)


def final_values(arguments: Sequence[str]) -> dict[str, str]:
    """Return the text of each option by its name; the last one applies, of lists all together."""
    values: dict[str, str] = {}
    for option, text in parse_engine_args(arguments):
        before = values.get(option.name)
        values[option.name] = (
            f"{before},{text}" if before and option.is_list and option.kind is not Kind.JSON else text
        )
    return values


def without_options(arguments: Sequence[str], names: Sequence[str]) -> tuple[str, ...]:
    """Return the arguments without some options, given by ``EngineOption.name``; the others are as they were."""
    kept: list[str] = []
    rest = list(arguments)
    while rest:
        option = OPTIONS_BY_NAME.get(rest[0].partition("=")[0])
        count = 1
        if option is not None and not option.is_switch and "=" not in rest[0]:
            count = 3 if option.kind is Kind.RANGE else 2
        if option is None or option.name not in names:
            kept += rest[:count]
        del rest[:count]
    return tuple(kept)


def _validated(name: str, option: EngineOption, text: str | None) -> str:
    if text is None:
        raise EngineArgumentError(f"Engine argument '{name}' needs a value.")
    needed = expected_value(option, text)
    if needed is not None:
        raise EngineArgumentError(f"Engine argument '{name}' needs {needed}, not '{text}'.")
    return text
