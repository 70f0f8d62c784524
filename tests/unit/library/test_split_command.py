"""The words of a command as a user types them."""

import pytest

from gglib.core.errors import InvalidSettingError
from gglib.library.backend_rules import split_command


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("serve --port {port}", ("serve", "--port", "{port}")),
        ("'/my dir/serve' \"a b\" {port}", ("/my dir/serve", "a b", "{port}")),
        ("sh -c 'exec a {port} 2>> log | b && c'", ("sh", "-c", "exec a {port} 2>> log | b && c")),
        ("env A=1 serve --x=~/y B=2 {port}", ("env", "A=1", "serve", "--x=~/y", "B=2", "{port}")),
        ("serve a|b 2x {port}", ("serve", "a|b", "2x", "{port}")),
        ("", ()),
    ],
)
def test_words_are_those_of_a_shell(text: str, words: tuple[str, ...]) -> None:
    """Quotes are removed, and what is within a word stays as it is."""
    assert split_command(text) == words


@pytest.mark.parametrize("operator", ["|", "||", "&", "&&", ";", "<", ">", ">>", "2>", "2>&1", "&>"])
def test_operators_of_a_shell_are_refused(operator: str) -> None:
    """The program would get them as arguments; the message has a command that works."""
    with pytest.raises(InvalidSettingError, match="no shell runs it: start one, such as") as raised:
        split_command(f"serve {{port}} {operator} x")
    assert f"'{operator}'" in str(raised.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [("A_1=x serve {port}", "begins with 'A_1=x'"), ("~/serve {port}", "instead of '~'"), ("a ~/m", "'~/m'")],
)
def test_variables_and_home_directories_are_refused(text: str, message: str) -> None:
    """No shell sets or replaces them."""
    with pytest.raises(InvalidSettingError, match=message):
        split_command(text)
