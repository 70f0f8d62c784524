"""Paths that a launch knows are replaced with file names."""

import json
from pathlib import Path

import pytest

from gglib.runtime.local.path_redaction import PathRedactor, shorten_home

HOME = Path("/home/ann")
NAMES = PathRedactor([Path("/data/my models"), HOME / "gguf", Path("/run/user/7/gglib"), Path("/")], HOME)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("failed to load model '/data/my models/a.gguf'", "failed to load model 'a.gguf'"),
        ("open /home/ann/gguf/a.gguf: no such file", "open a.gguf: no such file"),
        ("open ~/gguf/a.gguf, then ~/other/b", "open a.gguf, then ~/other/b"),
        ('{"file": "\\/data\\/my models\\/a.gguf"}', '{"file": "a.gguf"}'),
        ("GET /data/my%20models/a.gguf", "GET a.gguf"),
        ("url=%2Fdata%2Fmy%20models%2Fa.gguf", "url=a.gguf"),
        ("file:///data/my%20models/a.gguf", "a.gguf"),
        ("listening on unix:///run/user/7/gglib/engines/1-2/engine.sock", "listening on engine.sock"),
        ("/run/user/7/gglib/engines/1-2/key and /home/ann/gguf/a.gguf", "key and a.gguf"),
        ("cannot search /data/my models.", "cannot search my models."),
        ("open /home/ann/.config/x", "open ~/.config/x"),
        ("open /mnt/data/my models/a.gguf", "open /mnt/data/my models/a.gguf"),
        ("/data/my models2/a.gguf", "/data/my models2/a.gguf"),
        ("1/2 of the tensors, -> /usr/lib/libc.so", "1/2 of the tensors, -> /usr/lib/libc.so"),
    ],
)
def test_known_paths_become_file_names(text: str, shown: str) -> None:
    """Literal, escaped for JSON or a URL, or with a tilde; unknown paths stay, with the home directory shortened."""
    assert NAMES.redact(text) == shown


@pytest.mark.parametrize(
    ("directory", "text", "shown"),
    [
        ("/data/M\udce9lodie", "open /data/M\N{REPLACEMENT CHARACTER}lodie/a.gguf", "open a.gguf"),
        ("/data/M\udce9lodie", repr("/data/M\udce9lodie/a.gguf"), "'a.gguf'"),
        ("/data/हिन्दी", "open /data/हिन्दी/a.gguf", "open a.gguf"),
        ("/data/हिन्दी", json.dumps("/data/हिन्दी/a.gguf"), '"a.gguf"'),
        ("/data/it's", repr("/data/it's/a.gguf"), '"a.gguf"'),
        ("/data/a\nb", repr("/data/a\nb/a.gguf"), "'a.gguf'"),
    ],
)
def test_paths_with_special_characters_are_known_too(directory: str, text: str, shown: str) -> None:
    """A directory's name in another encoding, in letters beyond ASCII, with a quote or a line break in it."""
    assert PathRedactor([Path(directory)], None).redact(text) == shown


def test_no_known_path_changes_nothing() -> None:
    """No directory, or only the root: every path begins with the root."""
    assert PathRedactor([], None).redact("/a/b") == "/a/b"
    assert PathRedactor([Path("/")], None).redact("/a/b") == "/a/b"


def test_home_directory_is_shown_as_a_tilde() -> None:
    """A root home stays: every path begins with it."""
    assert shorten_home("open /home/ann/m.gguf", HOME) == "open ~/m.gguf"
    assert shorten_home("open /m.gguf", Path("/")) == "open /m.gguf"
    assert shorten_home("open /m.gguf", None) == "open /m.gguf"
    assert shorten_home("open /home/ann2/m.gguf, /home/ann", HOME) == "open /home/ann2/m.gguf, ~"
