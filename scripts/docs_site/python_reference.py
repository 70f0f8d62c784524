"""Writes the pages of the Python API: the public names, whose docstrings mkdocstrings inserts. Pure."""

from collections.abc import Sequence

_INTRODUCTION = (
    "Made from the docstrings of the public names. [Embedding](../embedding.md) has whole programs "
    "that use them."
)


def python_reference(packages: Sequence[tuple[str, str, Sequence[str]]]) -> str:
    """Return the page. A package is its title, its module and its public names."""
    parts = ["# Python API", _INTRODUCTION]
    for title, module, names in packages:
        parts += [f"## {title}", f"`from {module} import …`"]
        parts += [f"::: {module}.{name}" for name in names if not name.startswith("_")]
    return "\n\n".join(parts) + "\n"
