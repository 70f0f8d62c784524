"""Sorting options by what the engine in use accepts."""

from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from gglib.library.importers.configurations.engine_options import (
    SortedOptions,
    sorted_options,
    sorted_variables,
)
from gglib.library.importers.configurations.plan import Leftover

OPTIONS = (("--temp", "0.5"), ("--new", "1"), ("--mlock",))


@dataclass(frozen=True, slots=True)
class Check:
    """An engine that refuses one option."""

    takes_unchecked: bool

    def refusal(self, arguments: Sequence[str]) -> str | None:
        """Refuse ``--new`` and ``--host``."""
        refused = arguments[0] in {"--new", "--host"}
        return f"Engine argument '{arguments[0]}' is unknown." if refused else None

    def unchecked_refusal(self, arguments: Sequence[str]) -> str | None:
        """Refuse ``--host``."""
        return "It is taken." if arguments[0] == "--host" else None

    def variable_refusal(self, variable: tuple[str, str], *, is_command: bool) -> str | None:
        """Refuse all but ``GOOD`` for engines."""
        return None if is_command or variable[0] == "GOOD" else "It cannot be set."


def test_a_llama_server_gets_the_rest_unchecked() -> None:
    """Known options are engine arguments all the same."""
    assert sorted_options(OPTIONS, "m", Check(takes_unchecked=True)) == SortedOptions(
        ("--temp", "0.5", "--mlock"), ("--new", "1")
    )


def test_with_the_embedded_engine_the_rest_is_listed() -> None:
    """With the reason, and what makes it possible."""
    found = sorted_options(OPTIONS, "m", Check(takes_unchecked=False))
    assert found.extra_args == ()
    assert found.leftovers == (
        Leftover(
            "m --new",
            "engine argument '--new' is unknown",
            "'gglib config set engine PATH' selects a llama-server, and importing again adds the option",
        ),
    )


@pytest.mark.parametrize("takes_unchecked", [True, False])
def test_what_gglib_sets_itself_is_listed_with_each_engine(*, takes_unchecked: bool) -> None:
    """Another engine would not take it either, so none is advised."""
    assert sorted_options((("--host", "x"),), "m", Check(takes_unchecked=takes_unchecked)) == SortedOptions(
        leftovers=(Leftover("m --host", "engine argument '--host' is unknown"),)
    )


def test_variables_that_an_engine_may_not_have_are_listed_without_values() -> None:
    """A command may have any."""
    variables = (("GOOD", "1"), ("BAD", "s3cret"))
    check = Check(takes_unchecked=True)
    assert sorted_variables(variables, "m", check, is_command=True) == (variables, ())
    assert sorted_variables(variables, "m", check, is_command=False) == (
        variables[:1],
        (Leftover("m.env BAD", "it cannot be set"),),
    )
