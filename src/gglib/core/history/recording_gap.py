"""Marks what a recorded response lacks, between its kept beginning and end. Pure."""

import re

_GAP = re.compile(r"\n\n: gglib left out (\d{1,15}) bytes\n\n")


def gap_mark(missing_bytes: int) -> bytes:
    """Return the mark: a comment in a stream of events. No string of JSON has it, because of its line feeds."""
    return b"\n\n: gglib left out %d bytes\n\n" % missing_bytes


def split_at_gap(text: str) -> tuple[str, str, int]:
    """Return the text before and after the mark, and the number of bytes that are missing; 0 without a mark."""
    found = _GAP.search(text)
    if found is None:
        return text, "", 0
    return text[: found.start()], text[found.end() :], int(found[1])
