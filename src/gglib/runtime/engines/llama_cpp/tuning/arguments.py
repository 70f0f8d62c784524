"""Changes engine arguments: sets or removes single options, the others stay in order. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from gglib.runtime.engines.llama_cpp.options import OPTIONS_BY_NAME, EngineOption, parse_engine_args
from gglib.runtime.engines.llama_cpp.options.option import OFF, Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class ArgumentChange:
    """A change of engine arguments. Options have their long names."""

    values: tuple[tuple[str, str | None], ...] = ()
    """The options to set; the value of a switch is None."""
    removed: tuple[str, ...] = ()
    """The options to leave out: the engine's default applies."""

    @property
    def label(self) -> str:
        """The change in words: the arguments to add, or those to leave out."""
        if self.values:
            return " ".join(_words(self.values))
        return f"without {' '.join(self.removed)}"


def option_values(arguments: Sequence[str]) -> dict[str, str | None]:
    """Return the value of each option, by its long name; the last one applies if an option is repeated.

    Raises ``EngineArgumentError`` like ``parse_engine_args``.
    """
    return dict(_spelled(option, text) for option, text in parse_engine_args(arguments))


def changed_arguments(arguments: Sequence[str], change: ArgumentChange) -> tuple[str, ...]:
    """Return the arguments with a change: options that it sets or removes leave, those that it sets are appended.

    Raises ``EngineArgumentError`` like ``parse_engine_args``.
    """
    replaced = {*change.removed, *(name for name, _ in change.values)}
    kept = [
        _spelled(option, text)
        for option, text in parse_engine_args(arguments)
        if replaced.isdisjoint((option.name, *option.off_names))
    ]
    return tuple(_words((*kept, *change.values)))


def _spelled(option: EngineOption, text: str) -> tuple[str, str | None]:
    """Return the long name of a parsed argument, and its value; None for a switch."""
    if not option.is_switch:
        return option.name, text
    return option.off_names[0] if text == OFF else option.name, None


def _words(values: Sequence[tuple[str, str | None]]) -> list[str]:
    return [
        word for name, text in values for word in (name, *(() if text is None else _value_words(name, text)))
    ]


def _value_words(name: str, text: str) -> list[str]:
    """Return the words of a value: two for a range."""
    return text.split() if OPTIONS_BY_NAME[name].kind is Kind.RANGE else [text]
