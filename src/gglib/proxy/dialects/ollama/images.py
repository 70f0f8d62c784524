"""Images in Ollama's requests: base64 without a media type, which becomes a data URL. Pure."""

_DATA_PREFIX = "data:"
_MAGIC = (
    ("iVBORw0KGgo", "image/png"),
    ("/9j/", "image/jpeg"),
    ("R0lGOD", "image/gif"),
    ("UklGR", "image/webp"),
    ("Qk", "image/bmp"),
)
"""The base64 form of the first bytes of each format, and its media type."""
_OTHER = "image/jpeg"
"""For other bytes: the engine recognizes the format by itself and refuses what is no image."""


def data_url(image: str) -> str:
    """Return the data URL of an image in base64. A data URL stays as it is; no other URL is possible."""
    if image.startswith(_DATA_PREFIX):
        return image
    media_type = next((type_ for magic, type_ in _MAGIC if image.startswith(magic)), _OTHER)
    return f"data:{media_type};base64,{image}"
