"""Decides the priority of a request: by its header, else by its key, else by its model. Pure."""

from gglib.core.priority import Priority
from gglib.http.headers import Headers
from gglib.proxy.errors import BadRequestError

PRIORITY_HEADER = b"x-gglib-priority"

_INTERACTIVE = Priority.INTERACTIVE
"""A module constant because an enum member lookup takes as long as a call (CPython 3.11)."""
_BY_NAME = {priority.name.lower().encode(): priority for priority in Priority}


def requested_priority(headers: Headers) -> Priority | None:
    """Return the priority of the header ``x-gglib-priority``, in any case; None without it.

    Raises ``BadRequestError`` for an unknown value, and for several headers with different values.
    """
    values = {value.strip(b" \t").lower() for name, value in headers if name == PRIORITY_HEADER}
    if not values:
        return None
    if len(values) > 1 or (priority := _BY_NAME.get(values.pop())) is None:
        names = " or ".join(f"'{name.decode()}'" for name in _BY_NAME)
        raise BadRequestError(f"The header 'x-gglib-priority' must be {names}.")
    return priority


def caller_priority(header: Priority | None, key: Priority | None) -> Priority | None:
    """Return the priority that the caller determines, or None: then the model's setting decides.

    The header precedes the key's priority, but cannot raise a key with ``BATCH``.
    """
    if header is None or key is Priority.BATCH:
        return key
    return header


def request_priority(caller: Priority | None, model: Priority | None = None) -> Priority:
    """Return the priority of a request, from ``caller_priority`` and the setting of its model."""
    if caller is not None:
        return caller
    return _INTERACTIVE if model is None else model
