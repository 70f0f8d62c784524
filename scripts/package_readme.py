"""Write the description of the package: the README without what works in a checkout only. A hook of hatchling.

A registry shows this text on a page of its own, where links to ``docs/`` and pictures lead nowhere. The project has no
public address that could stand in front of them, so links become their texts, and pictures are left out.
"""

import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

README = Path(__file__).resolve().parents[1] / "README.md"
NOTE = "The pages that this text names are in the source archive."
_FENCED = re.compile(r"(^```.*?^```$)", re.MULTILINE | re.DOTALL)
_PICTURE = re.compile(r" ?!\[[^\]]*\]\((?!https?:)[^)]*\)")
_LINK = re.compile(r"(?<!!)\[([^\]]*)\]\((?!https?:|mailto:)[^)]*\)")


class PackageReadme(MetadataHookInterface):
    """Sets ``project.readme``, which ``pyproject.toml`` names as dynamic."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Add the text to the project's metadata. Raises OSError."""
        text = description(README.read_text(encoding="utf-8"))
        metadata["readme"] = {"content-type": "text/markdown", "text": text}


def description(readme: str) -> str:
    """Return Markdown without relative links and pictures, and with a note where the pages are. Pure."""
    parts = _FENCED.split(readme)
    # Every second part is a code block, which stays as it is.
    parts[::2] = [_LINK.sub(r"\1", _PICTURE.sub("", part)) for part in parts[::2]]
    text = re.sub(r"\n{3,}", "\n\n", "".join(parts)).strip()
    return f"{text}\n\n{NOTE}\n"
