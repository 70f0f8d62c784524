"""The answer to what is refused before it is a request. Pure."""

from gglib.proxy.errors import describe
from gglib.proxy.http1.errors import HttpError
from gglib.proxy.http1.writer import AnswerWriter, header_lines


def refusal(error: HttpError, *, request_id: str, date_line: bytes) -> bytes:
    """Return the whole answer, after which the connection ends."""
    problem = describe(error)
    writer = AnswerWriter(method="", minor_version=1)
    head = writer.head(
        problem.status,
        header_lines([*problem.all_headers(), (b"x-request-id", request_id.encode())]),
        length=len(problem.body),
        date_line=date_line,
        may_keep_alive=False,
        says_keep_alive=False,
    )
    return head + writer.part(problem.body)
