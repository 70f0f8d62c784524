"""Sorts the options and variables of a llama-server by what the engine in use accepts. The engine is passed in."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from gglib.library.importers.configurations.plan import EngineOption, Leftover

_NEEDS_BINARY = "'gglib config set engine PATH' selects a llama-server, and importing again adds the option"


class EngineCheck(Protocol):
    """What the engine in use accepts."""

    @property
    def takes_unchecked(self) -> bool:
        """Whether it is a llama-server, which gets arguments unchecked."""
        ...

    def refusal(self, arguments: Sequence[str]) -> str | None:
        """Return why these are no engine arguments of a model, as a sentence; None if they are."""
        ...

    def unchecked_refusal(self, arguments: Sequence[str]) -> str | None:
        """Return why no llama-server may get these unchecked, as a sentence; None if one may."""
        ...

    def variable_refusal(self, variable: tuple[str, str], *, is_command: bool) -> str | None:
        """Return why a model may not have this environment variable, as a sentence; None if it may.

        ``is_command``: a command serves the model, which may have any.
        """
        ...


@dataclass(frozen=True, slots=True)
class SortedOptions:
    """The options of one model."""

    engine_args: tuple[str, ...] = ()
    extra_args: tuple[str, ...] = ()
    leftovers: tuple[Leftover, ...] = ()


def sorted_options(options: Sequence[EngineOption], where: str, engine: EngineCheck) -> SortedOptions:
    """Return each option as an engine argument, else as one that a llama-server gets unchecked, else as a leftover.

    What gglib sets itself is a leftover with each engine: a launch would refuse it.
    """
    engine_args: list[str] = []
    extra_args: list[str] = []
    leftovers: list[Leftover] = []
    for option in options:
        refusal = engine.refusal(option)
        if refusal is None:
            engine_args += option
        elif engine.unchecked_refusal(option) is not None:
            leftovers.append(Leftover(f"{where} {option[0]}", _phrase(refusal)))
        elif engine.takes_unchecked:
            extra_args += option
        else:
            leftovers.append(Leftover(f"{where} {option[0]}", _phrase(refusal), _NEEDS_BINARY))
    return SortedOptions(tuple(engine_args), tuple(extra_args), tuple(leftovers))


def sorted_variables(
    variables: Sequence[tuple[str, str]], where: str, engine: EngineCheck, *, is_command: bool
) -> tuple[tuple[tuple[str, str], ...], tuple[Leftover, ...]]:
    """Return the environment variables that a model may have, and the others as leftovers, without their values."""
    refusals = [engine.variable_refusal(variable, is_command=is_command) for variable in variables]
    found = list(zip(variables, refusals, strict=True))
    return (
        tuple(variable for variable, refusal in found if refusal is None),
        tuple(
            Leftover(f"{where}.env {name}", _phrase(refusal))
            for (name, _), refusal in found
            if refusal is not None
        ),
    )


def _phrase(sentence: str) -> str:
    return f"{sentence[:1].lower()}{sentence[1:].rstrip('.')}"
