"""The placeholders in the words of a command."""

import pytest

from gglib.core.command_templates import PLACEHOLDERS, check_template, expand, placeholders
from gglib.core.errors import InvalidSettingError


def check(*words: str, has_unix_sockets: bool = True, has_file: bool = True) -> None:
    """Check the words on a system with everything, unless something is missing."""
    check_template(words, has_unix_sockets=has_unix_sockets, has_file=has_file)


@pytest.mark.parametrize(
    ("word", "expanded"),
    [
        ("{port}", "8000"),
        ("--port={port}", "--port=8000"),
        ("127.0.0.1:{port}/{name}", "127.0.0.1:8000/m"),
        ("{{port}}", "{port}"),
        ("{{{port}}}", "{8000}"),
        ('{{"a": {{"b": {port}}}}}', '{"a": {"b": 8000}}'),
        ("{{}}", "{}"),
        ("plain $HOME `ls` *", "plain $HOME `ls` *"),
        ("", ""),
    ],
)
def test_a_word_is_expanded(word: str, expanded: str) -> None:
    """Placeholders are replaced anywhere in a word, doubled braces are braces, and no shell interprets the rest."""
    assert expand([word], {"port": "8000", "name": "m"}) == (expanded,)


def test_a_value_is_not_expanded_again() -> None:
    """A model may be named after a placeholder."""
    assert expand(["{name}"], {"name": "{port}", "port": "1"}) == ("{port}",)


@pytest.mark.parametrize(
    "word", ["{", "}", "a{b", "{port", "port}", '{"a": 1}', "{por t}", "{}", "{PORT}", "{x}"]
)
def test_a_word_that_cannot_be_read_is_refused(word: str) -> None:
    """A brace alone, and a name that is no placeholder, are errors that show how braces are written."""
    with pytest.raises(InvalidSettingError, match="for braces"):
        placeholders([word])
    with pytest.raises(InvalidSettingError):
        check(word, "{port}")


def test_all_placeholders_are_known() -> None:
    """Each of the documented names is accepted."""
    assert placeholders([f"{{{name}}}" for name in PLACEHOLDERS]) == PLACEHOLDERS.keys()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "empty"),
        (("", "{port}"), "empty"),
        (("serve",), "does not say where to listen"),
        (("serve", "{{port}}"), "does not say where to listen"),
        (("serve", "{port}", "{socket}"), "both"),
    ],
)
def test_a_command_needs_a_program_and_one_address(words: tuple[str, ...], message: str) -> None:
    """A command that gglib could not reach is refused when it is added."""
    with pytest.raises(InvalidSettingError, match=message):
        check(*words)


def test_what_this_system_or_the_model_lacks_is_refused() -> None:
    """A socket where there are none, and the file of a model without one."""
    check("serve", "{socket}", "{model}")
    with pytest.raises(InvalidSettingError, match="no unix sockets"):
        check("serve", "{socket}", has_unix_sockets=False)
    with pytest.raises(InvalidSettingError, match="has no file"):
        check("serve", "{port}", "{model}", has_file=False)


def test_a_placeholder_without_a_value_is_an_error() -> None:
    """The launch has no value for it, for example because the file was removed."""
    with pytest.raises(InvalidSettingError, match=r"\{model\}"):
        expand(["{model}"], {"port": "1"})
