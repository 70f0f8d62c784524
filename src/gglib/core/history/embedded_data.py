"""Replaces parts of a body that are not text: images, sound and other files in base64, long lists of numbers. Pure.

Every pattern takes linear time, as in ``secrets``.
"""

import json
import re
from typing import Any

from gglib.core.sizes import format_size

MIN_BASE64 = 512
"""In characters: longer than keys and hashes."""
MIN_NUMBERS = 16
"""Shorter lists of numbers stay. Lists of token ids encode a text, and embeddings are long."""

_BASE64 = r"A-Za-z0-9+/_=\-"
_RUN_START = rf"(?:(?<![{_BASE64}\\])|(?<=\\[nrt]))"
_DATA_URL = re.compile(
    r"data:([A-Za-z0-9.+\-]{1,64}\\{0,4}/[A-Za-z0-9.+\-]{1,64})?(?:;[A-Za-z0-9=._+\-]{1,64}){0,8};base64,"
    rf"((?:[{_BASE64}]++|\\[/nr]|%2[BbFf]|%3[Dd])*+)"
)
_BLOB = re.compile(rf"{_RUN_START}(?=[{_BASE64}\\]{{{MIN_BASE64}}})(?:[{_BASE64}]++|\\/)*+")
_LINES = re.compile(rf"{_RUN_START}((?:[{_BASE64}]{{60,80}}(?:\\[rn]|[\r\n])++){{7,}}[{_BASE64}]*+)")
_NUMBERS = re.compile(r"\[[\s\d.,eE+\-]{512,}+\]?")
_MAY_HAVE_NUMBERS = re.compile(r"\[[\s\d.,eE+\-]{31}")
_PROBABILITIES = ("logprobs", "top_logprobs", "completion_probabilities", "top_probs", "probs")
"""Fields with one object for each token: a secret in the text would be there, too, in pieces."""
_PROBABILITY_FIELD = re.compile(rf'"(?:{"|".join(_PROBABILITIES)})"\s{{0,8}}:\s{{0,8}}[\[{{]')
_MEDIA_TYPES = {
    "iVBORw0KGgo": "image/png",
    "/9j/": "image/jpeg",
    "R0lGOD": "image/gif",
    "UklGR": "image/webp or audio/wav",
    "SUQz": "audio/mpeg",
    "T2dnUw": "audio/ogg",
    "ZkxhQ": "audio/flac",
    "JVBERi0": "application/pdf",
}


def without_data(text: str) -> str:
    """Return a text with data in base64 replaced: ``[image/png, 1.2 MB]``."""
    if ";base64," in text:
        text = _DATA_URL.sub(lambda match: _described(match[1], match[2]), text)
    text = _BLOB.sub(_described_if_long, text)
    return _LINES.sub(lambda match: _described(None, match[1]), text)


def _described_if_long(match: "re.Match[str]") -> str:
    return match[0] if len(match[0]) < MIN_BASE64 else _described(None, match[0])


def _described(media_type: str | None, content: str) -> str:
    if media_type is None:
        media_type = next((name for start, name in _MEDIA_TYPES.items() if content.startswith(start)), "data")
    escapes = content.count("\\")
    media_type = media_type.replace("\\", "")
    return f"[{media_type}, {format_size((len(content) - escapes) * 3 // 4)}]"


def without_numbers(document: str) -> str:
    """Return a JSON document without long lists of numbers and without token probabilities.

    A document that cannot be parsed, as one that is cut, ends before its first token probability.
    """
    if _MAY_HAVE_NUMBERS.search(document) is None and _PROBABILITY_FIELD.search(document) is None:
        return document
    try:
        return json.dumps(compacted(json.loads(document)), ensure_ascii=False)
    except (ValueError, RecursionError):
        probabilities = _PROBABILITY_FIELD.search(document)
        if probabilities is not None:
            document = document[: probabilities.start()] + "[the rest has token probabilities]"
        return _NUMBERS.sub("[numbers]", document)


def compacted(value: Any) -> Any:  # noqa: ANN401 - any JSON
    """Return a JSON value without long lists of numbers and without token probabilities. Raises RecursionError."""
    match value:
        case dict():
            return {
                name: "[left out]"
                if name in _PROBABILITIES and isinstance(item, dict | list)
                else compacted(item)
                for name, item in value.items()
            }
        case list():
            if len(value) >= MIN_NUMBERS and all(isinstance(item, int | float) for item in value):
                return f"[{len(value)} numbers]"
            return [compacted(item) for item in value]
    return value
