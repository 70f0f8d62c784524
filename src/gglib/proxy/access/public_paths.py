"""Paths that are open to all: with any host and origin, and without a key; and the page, which needs no key. Pure.

They are compared with the raw path, so ``/%68ealth`` does not match.
"""

from functools import lru_cache

_PROBE_PATHS = frozenset(("/health", "/v1/health", "/ready"))
"""Load balancers and service managers request them by the IP address, without a key."""
ODD_PATHS = ("/favicon.ico", "/robots.txt", "/apple-touch-icon.png", "/apple-touch-icon-precomposed.png")
"""Paths that browsers and crawlers request on their own. gglib has nothing there, and says so without a key."""
_WELL_KNOWN = "/.well-known/"
"""RFC 8615. Clients look there for authorization servers; one that gets 401 starts to authenticate."""
_ROOT = "/"
"""The page, or "Ollama is running"."""
PAGE_FILES = "/web/"
"""Prefix of the files of the page. They have no data: the page asks for a key, and requests the data with it."""


def needs_no_key(path: str) -> bool:
    """Whether a raw path is open without a key; the rules for hosts and origins still apply, unless it is public."""
    return path == _ROOT or path.startswith(PAGE_FILES) or is_public_path(path)


@lru_cache(maxsize=256)
def is_public_path(path: str) -> bool:
    """Whether a raw path is open to all, because its response reveals nothing."""
    return path in _PROBE_PATHS or is_odd_path(path)


def is_odd_path(path: str) -> bool:
    """Whether a path is one that clients request on their own, and that is never found."""
    return path in ODD_PATHS or path.startswith(_WELL_KNOWN)
