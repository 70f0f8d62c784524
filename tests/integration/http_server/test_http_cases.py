"""The table of malformed and ambiguous requests, row by row and all at once."""

import asyncio
from collections import Counter

import pytest
from tests.integration.proxy.support import connect, proxy_running

from gglib.proxy import ProxyOptions

from .cases import FOLLOWER, FOLLOWER_BODY, PATH, After, Case
from .cases_flow import FLOW
from .cases_framing import FRAMING
from .cases_head import HEAD
from .reference import Stage, read_connection
from .upstream import Recorder, digest, recording, shown
from .wire import Listener, Reply, check_error_head, read_replies

CASES = FRAMING + HEAD + FLOW
AT_ONCE = 8
OPTIONS = ProxyOptions(head_timeout_s=2, body_timeout_s=2)
"""No row should wait for a deadline; the 408 of one that does is an unexpected status for nearly every row."""

each_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


def test_the_table_is_as_large_as_promised() -> None:
    """It has more than 110 rows with unique names."""
    assert len(CASES) == len({case.name for case in CASES}) > 110


@each_case
def test_the_reference_agrees_with_the_table(case: Case) -> None:
    """The reference parser accepts and refuses what the table says."""
    reading = read_connection(case.raw)
    refuses = reading.stage in {Stage.HEAD_REFUSED, Stage.BODY_REFUSED}
    if case.after is After.UNFINISHED:
        assert reading.stage in {Stage.HEAD_UNFINISHED, Stage.BODY_UNFINISHED}
        assert not reading.requests
    elif refuses:
        assert reading.status in case.answers[-1], reading.reason
        assert len(reading.requests) == len(case.answers) - 1
        assert case.after is After.CLOSED
    elif "expect: where nothing is" not in case.name:
        assert reading.stage is Stage.BETWEEN
        assert len(reading.requests) == len(case.answers)
        assert all(statuses & {200, 204, 400, 404, 405, 415} for statuses in case.answers)
    assert set(case.upstream) <= {request.body for request in reading.requests}


@each_case
async def test_case(case: Case) -> None:
    """A row is refused or served as the table says, and data behind it is served separately or never."""
    async with recording() as upstream, proxy_running(upstream.runtime, options=OPTIONS) as proxy:
        await check_alone(proxy.port, case)
        alone = [body for body in upstream.bodies if body != FOLLOWER_BODY]
        assert alone == list(case.upstream)
        check_headers(case, upstream)
        upstream.requests.clear()
        expected = await check_glued(proxy.port, case)
        assert upstream.bodies == expected


async def test_the_whole_table_at_once() -> None:
    """All rows, several at a time: responses with upstream content match what the upstream received."""
    received_digests: list[str] = []
    free = asyncio.Semaphore(AT_ONCE)
    async with recording() as upstream, proxy_running(upstream.runtime, options=OPTIONS) as proxy:

        async def run(case: Case) -> None:
            async with free:
                received_digests.extend(
                    word for reply in await replies_to(proxy.port, case) if (word := _word(reply))
                )

        async with asyncio.TaskGroup() as group:
            for case in CASES:
                group.create_task(run(case))
    expected = [body for case in CASES for body in case.upstream]
    assert Counter(body for body in upstream.bodies if body != FOLLOWER_BODY) == Counter(expected)
    assert Counter(received_digests) == Counter(upstream.digests)


def _word(reply: Reply) -> str | None:
    return shown(reply.body) if reply.status == 200 else None


async def replies_to(port: int, case: Case) -> list[Reply]:
    """Send a row and, if the connection stays open, another request; return all responses."""
    async with await connect(port) as client:
        listener = Listener(client)
        for n, data in enumerate(case.writes):
            if n and case.interim:
                await listener.until(lambda seen: seen.startswith(b"HTTP/1.1 100 "))
            client.writer.write(data)
        if case.after is After.UNFINISHED:
            client.writer.write_eof()
            return await _what_is_left(listener)
        replies = await listener.replies(len(case.answers), case.methods)
        if case.after is After.OPEN or (case.after is After.AS_SAID and not replies[-1].says_close):
            client.writer.write(FOLLOWER)
        return read_replies(await listener.to_the_end(), case.methods)


async def check_alone(port: int, case: Case) -> None:
    """Check the responses of a row, and the state of the connection after it."""
    replies = await replies_to(port, case)
    if case.after is After.UNFINISHED:
        assert all(reply.status in {400, 408} for reply in replies)
        return
    check_answers(case, replies)
    check_end(case, replies)


async def check_glued(port: int, case: Case) -> list[bytes]:
    """Check the same with a pipelined request; return what the upstream must have received."""
    if case.interim:
        return []  # the body must wait: nothing can be pipelined after it
    async with await connect(port) as client:
        listener = Listener(client)
        client.writer.write(case.raw + FOLLOWER)
        if case.after is After.UNFINISHED:
            client.writer.write_eof()
            replies = await _what_is_left(listener)
            assert all(400 <= reply.status < 500 for reply in replies)
            return []
        replies = read_replies(await listener.to_the_end(), case.methods)
    check_answers(case, replies)
    check_end(case, replies)
    return [*case.upstream, FOLLOWER_BODY] if len(replies) > len(case.answers) else [*case.upstream]


async def _what_is_left(listener: Listener) -> list[Reply]:
    try:
        return read_replies(await listener.to_the_end(), ())
    except EOFError:
        return []


def check_answers(case: Case, replies: list[Reply]) -> None:
    """Compare the responses with the row."""
    statuses = [reply.status for reply in replies]
    assert len(statuses) >= len(case.answers), f"{statuses} are too few"
    for reply, allowed in zip(replies, case.answers, strict=False):
        assert reply.status in allowed, f"{statuses}: {reply.body!r}"
    if case.answers:
        assert replies[0].interim == (100,) * case.interim
    for n, reply in enumerate(replies):
        assert n == 0 or not reply.interim
        method = case.methods[n] if n < len(case.methods) else b"POST"
        if reply.status >= 400 and method == b"HEAD":
            check_error_head(reply)
        elif reply.status >= 400:
            assert reply.error["type"]


def check_headers(case: Case, upstream: Recorder) -> None:
    """Check that the upstream received only headers of the requests, and those that the proxy adds."""
    sent = {name for seen in read_connection(case.raw + FOLLOWER).requests for name, _ in seen.headers}
    received_digests = {name for seen in upstream.requests for name, _ in seen.headers}
    assert received_digests <= sent | {b"host", b"content-length", b"x-request-id"}


def check_end(case: Case, replies: list[Reply]) -> None:
    """Check that the second request was served if and only if it should have been."""
    more = [reply.status for reply in replies[len(case.answers) :]]
    last = replies[len(case.answers) - 1]
    is_open = case.after is After.OPEN or (case.after is After.AS_SAID and not last.says_close)
    assert more == ([200] if is_open else [])
    if is_open:
        assert shown(replies[-1].body) == digest(b"POST", PATH, FOLLOWER_BODY)
    else:
        assert last.says_close, "the answer before the end does not say that it is the last one"
