"""Replace generated text between two markers of a document; the text around them is written by hand. Pure."""


def with_marked(document: str, begin: str, end: str, text: str) -> str:
    """Return the document with ``text`` between the markers. Raises ValueError if it lacks one."""
    before, found, rest = document.partition(begin)
    _, found_end, after = rest.partition(end)
    if not found or not found_end:
        raise ValueError(f"it has no markers: put {begin!r} and {end!r} around the place of the text")
    return f"{before}{begin}\n\n{text}\n\n{end}{after}"
