"""The answer to what is refused before it is a request. Pure."""

from gglib.proxy.dialects.errors import dialect_of
from gglib.proxy.errors import describe
from gglib.proxy.http1.errors import HttpError
from gglib.proxy.http1.writer import AnswerWriter, header_lines


def refusal(error: HttpError, *, request_id: str, date_line: bytes, path: str = "") -> bytes:
    """Return the whole answer, after which the connection ends; ``path`` decides the dialect of its body."""
    problem = describe(error)
    dialect = dialect_of(path)
    body = dialect.body(problem, request_id)
    writer = AnswerWriter(method="", minor_version=1)
    head = writer.head(
        problem.status,
        header_lines(
            [
                *problem.all_headers(),
                *dialect.headers(request_id),
                (b"x-request-id", request_id.encode()),
            ]
        ),
        length=len(body),
        date_line=date_line,
        may_keep_alive=False,
        says_keep_alive=False,
    )
    return head + writer.part(body)
