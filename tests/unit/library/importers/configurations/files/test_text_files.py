"""Decoding configuration files."""

import pytest

from gglib.core.errors import InvalidSettingError
from gglib.library.importers.configurations.files.text_files import MAX_BYTES, decoded

TEXT = "models: {é: 1}\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_a_byte_order_mark_states_the_encoding(encoding: str) -> None:
    """Without a mark the text is UTF-8."""
    assert decoded(TEXT.encode(encoding), "c.yaml") == TEXT


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "c.yaml is empty: name a configuration file."),
        (b" \n\n", "c.yaml is empty: name a configuration file."),
        (b"a: 1\nb: \xff\n", "c.yaml, line 2: it is not valid UTF-8; save the file as UTF-8."),
        (b"GGUF\0\0\0", "c.yaml is not a text: name a configuration file."),
        (b"a" * (MAX_BYTES + 1), "c.yaml is larger than 1 MB: name a configuration file, not a model."),
    ],
)
def test_other_content_is_refused(content: bytes, sentence: str) -> None:
    """One sentence says what the file is, and what to name instead."""
    with pytest.raises(InvalidSettingError) as caught:
        decoded(content, "c.yaml")
    assert str(caught.value) == sentence


def test_the_largest_file_is_read() -> None:
    """The limit is the last size that is accepted."""
    assert len(decoded(b"a" * MAX_BYTES, "c.yaml")) == MAX_BYTES
