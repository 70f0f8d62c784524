"""Says why a filter finds nothing: no request has the name of a key, model or client program that was typed."""

import difflib
from typing import TYPE_CHECKING

from gglib.core.history.usage import UsageField, UsageQuery

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from gglib.cli.history.sources import HistorySource

_MAX_LISTED = 12


def unknown_name_note(
    source: "HistorySource", *, key: str | None = None, model: str | None = None, client: str | None = None
) -> str | None:
    """Return a sentence about the first name that no request in all usage has; None if each has requests.

    Usage has the names of removed keys and models, too. None and ``""`` are no names. Raises ``GglibError``.
    """
    names = (
        (UsageField.KEY, "key", key),
        (UsageField.MODEL, "model", model),
        (UsageField.CLIENT, "client", client),
    )
    for field, noun, name in names:
        if name:
            known = list(_known(source, field))
            if name not in known:
                return f"No request has the {noun} '{name}' so far{ending(name, known)}"
    return None


def ending(name: str, known: "Sequence[str]") -> str:
    """Return the end of the sentence: similar names, else all names if they are few. Pure."""
    close = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    if close:
        return f": did you mean {' or '.join(close)}?"
    return f"; there are some with {', '.join(known)}." if 0 < len(known) <= _MAX_LISTED else "."


def _known(source: "HistorySource", field: UsageField) -> "Iterator[str]":
    for row in source.usage(UsageQuery(by=(field,))).usage:
        name = {UsageField.KEY: row.key, UsageField.MODEL: row.model, UsageField.CLIENT: row.client}[field]
        if name:
            yield name
