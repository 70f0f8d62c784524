"""Joins the style sheets of the page to one file: a browser paints nothing before it has all of them. Pure.

The links of ``index.html`` stay the list of the style sheets, and their order.
"""

import re
from collections.abc import Mapping

JOINED = "style.css"
"""The path of the joined style sheet."""
_LINK = re.compile(rb'<link rel="stylesheet" href="\{\{base\}\}/([^"]+)">\n')


def join_styles(index: bytes, files: Mapping[str, bytes]) -> tuple[bytes, dict[str, bytes]]:
    """Return the index with one link to a style sheet, and the files with that one instead of the linked ones.

    It is at the place of the first link. Without a link, nothing changes.

    Style sheets must load no other files, because relative URLs would change. Raises KeyError if one is missing.
    """
    links = list(_LINK.finditer(index))
    if not links:
        return index, dict(files)
    paths = [link[1].decode() for link in links]
    link = b'<link rel="stylesheet" href="{{base}}/%b">\n' % JOINED.encode()
    first = links[0].start()
    filled = index[:first] + link + _LINK.sub(b"", index[first:])
    rest = {path: content for path, content in files.items() if path not in paths}
    return filled, rest | {JOINED: b"".join(files[path] for path in paths)}
