"""Suggests names for a misspelt one. Pure."""

import difflib
from collections.abc import Sequence


def suggestion(name: str, known: Sequence[str]) -> str:
    """Return the end of an error message: similar names, or all of them."""
    close = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    return f": did you mean {' or '.join(close)}?" if close else f": valid names are {', '.join(known)}."
