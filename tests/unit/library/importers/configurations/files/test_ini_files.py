"""Parsing the presets of llama.cpp's router."""

import pytest

from gglib.core.errors import InvalidSettingError
from gglib.library.importers.configurations.files.ini_files import MAX_KEYS, read_ini


def test_sections_keys_and_comments() -> None:
    """Comments stand alone or after a value; ``=`` and braces are part of a value; both line ends are known."""
    text = 'version = 1\r\n; one\n# two\n[*]\nc=1024;x\n[ a/b:Q4 ] ; end\nchat-template-kwargs = {"a": "b=c"}\ntemp =\n'
    assert read_ini(text, "p.ini") == {
        "default": {"version": "1"},
        "*": {"c": "1024"},
        "a/b:Q4": {"chat-template-kwargs": '{"a": "b=c"}', "temp": ""},
    }


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[a]\nwords", "p.ini, line 2: it is neither a [section] nor a line 'key = value'."),
        ("[a\nb = 1", "p.ini, line 1: it is neither a [section] nor a line 'key = value'."),
        ("[]", "p.ini, line 1: the section has no name."),
        ("[a]\nb = 1\nb = 2", "p.ini, line 3: 'b' is there twice in its section: keep one."),
        ("[a]\nb = 1\n[a]", "p.ini, line 3: the section [a] is there twice: keep one."),
        ("--ctx = 1", "p.ini, line 1: it is neither a [section] nor a line 'key = value'."),
    ],
)
def test_faults_are_one_sentence_with_their_line(text: str, sentence: str) -> None:
    """Nothing is guessed."""
    with pytest.raises(InvalidSettingError) as caught:
        read_ini(text, "p.ini")
    assert str(caught.value) == sentence


def test_the_number_of_keys_is_bounded() -> None:
    """A larger file is no configuration."""
    with pytest.raises(InvalidSettingError, match="more than 20000 keys"):
        read_ini("".join(f"k{n} = 1\n" for n in range(MAX_KEYS + 1)), "p.ini")


@pytest.mark.parametrize("line", ["[m]\na =" + " " * 900_000 + "x", "[" + " " * 900_000 + "m]\na = x"])
def test_many_blanks_are_read_in_one_pass(line: str) -> None:
    """A pattern that tries each of them took hours."""
    assert read_ini(line, "p.ini")["m"] == {"a": "x"}


def test_blanks_within_a_value_stay() -> None:
    """Those around it, and before a comment, do not."""
    assert read_ini("[m]\na = \t x  y \t; z", "p.ini")["m"] == {"a": "x  y"}
