"""Sizes in messages have one style: ``core.sizes.format_size``."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCES = Path(__file__).parents[3] / "src" / "gglib"
FORMATTER = SOURCES / "core" / "sizes.py"
UNIT = re.compile(r" ?(?:kB|KB|MB|GB|TB|MiB|GiB|TiB)\b")


def formatted_sizes(source: str) -> Iterator[int]:
    """Yield the lines of f-strings in which a unit follows a value."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.JoinedStr):
            continue
        for value, text in zip(node.values, node.values[1:], strict=False):
            unit = text.value if isinstance(text, ast.Constant) else ""
            if isinstance(value, ast.FormattedValue) and UNIT.match(str(unit)):
                yield node.lineno


@pytest.mark.parametrize(
    "source", ['f"{x:.1f} GB free"', 'f"{x} {y}MiB"', 'print(f"needs {x / 1e6:.0f} MB")']
)
def test_other_style_is_noticed(source: str) -> None:
    """The check finds a unit that a message formats itself."""
    assert list(formatted_sizes(source)) == [1]


def test_no_message_formats_a_size_itself() -> None:
    """A second formatter would show the same model with two sizes."""
    found = {
        f"{path.relative_to(SOURCES)}:{line}"
        for path in SOURCES.rglob("*.py")
        if path != FORMATTER
        for line in formatted_sizes(path.read_text(encoding="utf-8"))
    }
    assert found == set()
