"""Which requests are stored in the history and shown while they run. Pure.

Those that reach a model, change something, or fail. Successful reads are not: a page or a monitor that polls would fill
the history. The end of an event stream is no failure: it has none of its own.
"""

from gglib.core.history.records import CLIENT_CLOSED_REQUEST, FAILED_STATUS, RequestRecord
from gglib.proxy.telemetry.access_log import is_quiet

_READ_METHODS = frozenset(("GET", "HEAD", "OPTIONS"))
_POSTED_READS = frozenset(("/api/show",))


def is_read(method: str, path: str) -> bool:
    """Whether a request only reads, unless it is forwarded to a model."""
    return method in _READ_METHODS or path in _POSTED_READS


def is_stored(record: RequestRecord) -> bool:
    """Whether a finished request is stored."""
    if record.waited_s is not None:
        return True  # a model served it
    status = record.status
    if is_read(record.method, record.path):
        if status is None or status < FAILED_STATUS or status == CLIENT_CLOSED_REQUEST:
            return False
        return not is_quiet(record)
    return not (status == 404 and is_quiet(record))
