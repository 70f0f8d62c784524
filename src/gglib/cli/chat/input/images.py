"""Reads images for a prompt and encodes them as ``data:`` URLs: the server fetches no files and no addresses."""

import base64
from pathlib import Path

from gglib.core.errors import GglibError
from gglib.core.plain_text import escape_line
from gglib.system.files.small_files import read_small

MAX_IMAGE_BYTES = 16_000_000
"""A request has at most 64 MiB by default, and base64 adds a third."""
IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".gif")


def image_type(content: bytes) -> str | None:
    """Return the media type of an image by its first bytes; None if it is none that models accept."""
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if content.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if content.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    if content.startswith(b"RIFF") and content[8:12] == b"WEBP":
        return "image/webp"
    return None


def image_url(content: bytes) -> str | None:
    """Return an image as a ``data:`` URL; None if it is no image."""
    kind = image_type(content)
    return None if kind is None else f"data:{kind};base64,{base64.b64encode(content).decode()}"


def read_image(name: str) -> str:
    """Return an image file as a ``data:`` URL; ``~`` is the user's home. Raises ``GglibError``."""
    path = Path(name).expanduser()
    shown = escape_line(name)
    try:
        content = read_small(path, max_bytes=MAX_IMAGE_BYTES, follows_links=True)
    except OSError as error:
        raise GglibError(f"{shown} cannot be read as an image: {error.strerror}.") from error
    url = image_url(content)
    if url is None:
        raise GglibError(f"{shown} is not a PNG, JPEG, WebP or GIF image.")
    return url
