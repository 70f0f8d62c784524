"""The quoting of systemd's unit files."""

import pytest

from gglib.app.service.systemd_text import command_line, quoted, section
from gglib.core.errors import InvalidSettingError


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("/opt/gglib/bin/gglib", "/opt/gglib/bin/gglib"),
        ("/opt/my gglib", '"/opt/my gglib"'),
        ("50%", '"50%%"'),
        ('a"b\\c', '"a\\"b\\\\c"'),
        ("", '""'),
        ("é", '"é"'),
    ],
)
def test_a_word_stays_one_word(text: str, shown: str) -> None:
    """Specifiers, quotes and spaces have no meaning."""
    assert quoted(text) == shown


def test_variables_are_expanded_in_arguments_only() -> None:
    """A dollar sign is doubled there; a program's path is taken as it is."""
    assert command_line(("/a$b/gglib", "--home", "$HOME")) == '"/a$b/gglib" --home "$$HOME"'


def test_control_characters_are_refused() -> None:
    """A line break would begin another option."""
    with pytest.raises(InvalidSettingError, match="use a path without control characters"):
        quoted("/home/x\nExecStartPre=/bin/true")


def test_sections_have_a_line_for_each_value() -> None:
    """In the given order."""
    assert section("Unit", [("After", "a"), ("After", "b")]) == "[Unit]\nAfter=a\nAfter=b\n"
