"""How a request ended, for the access log and the metrics. Pure."""

from typing import NamedTuple

from gglib.core.errors import ErrorSource, GglibError
from gglib.core.history.records import RequestRecord
from gglib.http.errors import HttpError
from gglib.http.server.request import ClientDisconnectedError, ClientStalledError
from gglib.proxy.errors import EngineError

MAX_MESSAGE_CHARS = 500
"""Of a recorded error message."""


class Outcome(NamedTuple):
    """How a request ended."""

    error_code: str | None = None
    """Code of the error; None on success, and if the client left."""
    cut: str | None = None
    """Why a started response is incomplete, see ``RequestRecord.cut``."""
    has_left: bool = False
    """Whether the client closed the connection before the end of the response: recorded as 499."""


SUCCESS = Outcome()


class Refusal(NamedTuple):
    """A connection or malformed request that the HTTP server refused without calling a handler."""

    status: int
    reason: str
    request_id: str
    code: str | None = None

    def record(self, at_s: float) -> RequestRecord:
        """Return its record for the history: the rest of the request is not known."""
        return RequestRecord(
            method="",
            path="",
            model=None,
            status=self.status,
            request_id=self.request_id,
            waited_s=None,
            first_byte_s=None,
            duration_s=0.0,
            chunks=0,
            is_streamed=False,
            error_code=self.code,
            sent_status=self.status,
            ended_at_s=at_s,
        )


def outcome_of(error: Exception, *, is_started: bool, is_ended: bool, is_disconnected: bool) -> Outcome:
    """Return the outcome of a request whose handler raised ``error``.

    ``is_started`` and ``is_ended`` describe its response before the error was sent, ``is_disconnected`` its client.
    Errors of a request whose client has left are consequences of that, except for bugs: nothing can be sent, so
    whatever happened, the client got no complete response.
    """
    is_cut = is_started and not is_ended
    if isinstance(error, ClientStalledError):
        return Outcome(error.code, error.code if is_cut else None, has_left=not is_started)
    if isinstance(error, ClientDisconnectedError) or is_disconnected:
        is_bug = not isinstance(error, ClientDisconnectedError | GglibError | HttpError)
        code = GglibError.code if is_bug else None
        return Outcome(code, ClientDisconnectedError.code if is_cut else None, has_left=not is_ended)
    code = _error_code(error, is_started=is_started)
    return Outcome(code, code if is_cut else None)


def recorded_message(error: Exception) -> str | None:
    """Return the message of an error that the operator can mend; None for others.

    Those of clients and engines may quote a prompt, and so may unexpected ones.
    """
    if (
        not isinstance(error, GglibError)
        or isinstance(error, EngineError)
        or error.source is ErrorSource.CLIENT
    ):
        return None
    return str(error)[:MAX_MESSAGE_CHARS]


def _error_code(error: Exception, *, is_started: bool) -> str | None:
    """Return the code of an error.

    None for an unclassified engine error sent with its own status: the status is recorded already.
    """
    if type(error) is EngineError and not is_started:
        return None
    return error.code if isinstance(error, GglibError | HttpError) else GglibError.code
