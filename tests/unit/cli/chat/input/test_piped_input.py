"""The text on stdin."""

import pytest

from gglib.cli.chat.input.piped_input import MAX_PIPED_BYTES, decode_piped, joined_prompt
from gglib.core.errors import GglibError

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 8


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"1\n2\n", "1\n2\n"),
        (b"\xef\xbb\xbfx", "x"),
        ("é".encode("utf-16"), "é"),
        (b"caf\xe9", "caf\N{REPLACEMENT CHARACTER}"),
        (b"\xff\xfe", "\N{REPLACEMENT CHARACTER}" * 2),
        (b"a\r\nb", "a\nb"),
        (b"", ""),
    ],
)
def test_bytes_become_text(content: bytes, text: str) -> None:
    """Marks at the start are removed, and bytes that are not UTF-8 are replaced."""
    assert decode_piped(content) == text


@pytest.mark.parametrize(
    ("content", "sentence"),
    [(b"a\0b", "is binary"), (PNG, "--image FILE"), (b"x" * (MAX_PIPED_BYTES + 1), "larger than 4 MB")],
)
def test_other_data_is_refused(content: bytes, sentence: str) -> None:
    """The error says what the data is."""
    with pytest.raises(GglibError, match=sentence):
        decode_piped(content)


@pytest.mark.parametrize(
    ("prompt", "piped", "joined"),
    [
        ("Sum:", "1\n2\n", "Sum:\n\n1\n2"),
        ("Sum:", "  \n", "Sum:"),
        ("", "  x\n", "  x"),
        ("", "", ""),
        ("caf\udce9", "", "caf?"),
    ],
)
def test_the_prompt_comes_first(prompt: str, piped: str, joined: str) -> None:
    """A blank line separates them; an empty pipe adds nothing."""
    assert joined_prompt(prompt, piped) == joined
