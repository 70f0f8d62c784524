"""llama-swap's macros."""

import pytest

from gglib.core.errors import InvalidSettingError
from gglib.library.importers.configurations.files.documents import MacroError
from gglib.library.importers.configurations.files.yaml_files import read_yaml
from gglib.library.importers.configurations.llama_swap.macros import (
    MAX_EXPANDED_CHARACTERS,
    Macros,
    variable_of,
)

GLOBAL = "macros: {ctx: 4096, args: '--ctx ${ctx}', all: '${args} --port ${PORT}', home: '${env.HOME}/m'}"


def macros(text: str = GLOBAL) -> Macros:
    """Return the macros of a document, with one environment variable."""
    return Macros.read(read_yaml(text, "c.yaml"), {"HOME": "/home/${ctx}"})


def test_macros_contain_earlier_ones() -> None:
    """Numbers keep their digits; the port is left for the run."""
    assert macros().expand("x ${all}") == "x --ctx 4096 --port ${PORT}"


def test_a_model_overrides_in_place() -> None:
    """A global macro that uses an overridden one gets the model's value; the id of the model is a macro, too."""
    model = read_yaml("macros: {ctx: 1, own: '${MODEL_ID}-${ctx}'}", "c.yaml")
    own = macros().of_model(model, "qwen")
    assert own.expand("${args} ${own}") == "--ctx 1 qwen-1"


def test_the_environment_is_replaced_before_macros() -> None:
    """A variable in a macro, and a macro in the value of a variable, are replaced, as in llama-swap."""
    assert macros("macros: {ctx: 1}").expand("${env.HOME}") == "/home/1"
    assert macros().expand("${home}") == "/home/4096/m"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("${nope}", "the macro '${nope}' is not defined"),
        ("${env.NOPE}", "the environment variable NOPE is not set: set it and import again"),
    ],
)
def test_what_is_unknown_is_named(text: str, reason: str) -> None:
    """A misspelt name would otherwise reach a command."""
    with pytest.raises(MacroError) as caught:
        macros().expand(text)
    assert str(caught.value) == reason


def test_later_macros_are_not_replaced_in_earlier_ones() -> None:
    """So no macro can contain itself, and the result is finite."""
    with pytest.raises(MacroError, match="'\\$\\{b\\}' is not defined"):
        macros("macros: {a: '${b}', b: '${a}'}").expand("${a}")


def test_macros_cannot_multiply_without_a_bound() -> None:
    """Each of 40 macros doubles the one before it."""
    lines = ["  m0: xxxxxxxxxx", *(f"  m{n}: ${{m{n - 1}}}${{m{n - 1}}}" for n in range(1, 40))]
    with pytest.raises(MacroError, match=f"more than {MAX_EXPANDED_CHARACTERS} characters"):
        macros("\n".join(["macros:", *lines])).expand("${m39}")


def test_a_long_macro_is_counted_before_it_is_repeated() -> None:
    """A file of a megabyte would otherwise make a text of many gigabytes."""
    with pytest.raises(MacroError, match=f"more than {MAX_EXPANDED_CHARACTERS} characters"):
        macros(f"macros: {{a: {'x' * 400_000}}}").expand("${a}" * 100_000)


def test_a_macro_is_a_scalar() -> None:
    """A list in place of one is refused with its place."""
    with pytest.raises(
        InvalidSettingError, match=r"line 1, column 13: 'macros\.a' must be a text, a number or a"
    ):
        macros("macros: {a: [1]}")


@pytest.mark.parametrize(
    ("text", "name"), [("${env.KEY}", "KEY"), (" ${env.KEY} ", "KEY"), ("x${env.KEY}", None), ("sk-1", None)]
)
def test_a_text_that_is_one_variable(text: str, name: str | None) -> None:
    """Its name is enough: the value may be a secret."""
    assert variable_of(text) == name
