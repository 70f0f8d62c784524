"""Images of a prompt."""

from pathlib import Path

import pytest

from gglib.cli.chat.command_actions import unescaped
from gglib.cli.chat.input.images import MAX_IMAGE_BYTES, image_type, image_url, read_image
from gglib.core.errors import GglibError

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 8


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (PNG, "image/png"),
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"GIF89a", "image/gif"),
        (b"RIFF\0\0\0\0WEBPVP8", "image/webp"),
        (b"RIFF\0\0\0\0WAVE", None),
        (b"%PDF-", None),
        (b"", None),
    ],
)
def test_the_content_decides(content: bytes, kind: str | None) -> None:
    """The name of a file does not matter."""
    assert image_type(content) == kind
    url = image_url(content)
    assert url is None if kind is None else url is not None and url.startswith(f"data:{kind};base64,")


def test_a_file_is_read(tmp_path: Path) -> None:
    """The result is a data URL."""
    (tmp_path / "dot.txt").write_bytes(PNG)
    assert read_image(str(tmp_path / "dot.txt")) == image_url(PNG)


def test_other_files_are_refused(tmp_path: Path) -> None:
    """Directories, texts, missing and huge files are one sentence."""
    (tmp_path / "text.png").write_text("no image")
    with (tmp_path / "huge.png").open("wb") as huge:
        huge.truncate(MAX_IMAGE_BYTES + 1)
    for name, reason in (
        ("text.png", "not a PNG, JPEG, WebP or GIF"),
        ("huge.png", "larger than 16 MB"),
        ("missing.png", "No such file"),
        ("", "not a regular file"),
    ):
        with pytest.raises(GglibError, match=reason):
            read_image(str(tmp_path / name))


@pytest.mark.parametrize("given", ["'a b.png'", '"a b.png"', r"a\ b.png", "a b.png"])
def test_a_dragged_file_has_its_name(given: str) -> None:
    """Terminals quote the name of a file that is dropped on them."""
    assert unescaped(given) == "a b.png"
