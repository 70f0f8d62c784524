"""Sends mutants to a proxy, and compares the results with the reference parser."""

import asyncio
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from tests.integration.proxy.support import connect

from .cases import FOLLOWER
from .mutate import Mutant, mutant
from .reference import Reading, Stage, read_connection
from .upstream import Recorder, digest, shown
from .wire import Listener, NotHttpError, Reply, count_whole, read_replies

FOLLOWER_READ = read_connection(FOLLOWER).requests[0]
OURS = frozenset((400, 403, 404, 405, 408, 413, 414, 417, 431, 501, 505))
"""Statuses that the proxy may generate for an invalid request.

Of the 5xx only 501 (a transfer coding other than chunked) and 505 (another version of HTTP): the upstream of these
tests never fails.
"""
_REFUSED = frozenset((Stage.HEAD_REFUSED, Stage.BODY_REFUSED))


@dataclass
class Verdict:
    """The results; ``complaints`` is empty on success."""

    complaints: list[str] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    stages: Counter[Stage] = field(default_factory=Counter)
    words: Counter[str] = field(default_factory=Counter)
    """Upstream responses as clients received them."""


async def run_mutants(port: int, seeds: Iterable[int], upstream: Recorder, *, at_once: int) -> Verdict:
    """Send the mutants of ``seeds``, several at a time, and judge; clears the upstream's record."""
    verdict = Verdict()
    upstream.requests.clear()
    waiting = iter(seeds)

    async def send_some() -> None:
        for seed in waiting:
            await _judge(port, mutant(seed), verdict)

    async with asyncio.TaskGroup() as group:
        for _ in range(at_once):
            group.create_task(send_some())
    if Counter(upstream.digests) != verdict.words:
        verdict.complaints.append("what the upstream saw is not what clients were shown of it")
    verdict.complaints += upstream.complaints
    upstream.requests.clear()
    return verdict


async def _judge(port: int, sent: Mutant, verdict: Verdict) -> None:
    reading = read_connection(sent.raw)
    try:
        replies = await _talk(port, sent, reading)
        verdict.statuses.update(reply.status for reply in replies)
        verdict.stages[reading.stage] += 1
        verdict.words.update(word for reply in replies if (word := shown(reply.body)))
        complaint = judge(reading, replies)
    except (TimeoutError, NotHttpError, EOFError) as error:
        complaint = f"{type(error).__name__}: {error}"
    if complaint:
        verdict.complaints.append(f"seed {sent.seed}, {reading.stage.value} ({reading.reason}): {complaint}")


async def _talk(port: int, sent: Mutant, reading: Reading) -> list[Reply]:
    """Send a mutant and return all responses; after a complete mutant a valid request follows."""
    methods = [request.method for request in reading.requests]
    async with await connect(port) as client:
        listener = Listener(client)
        for part in sent.parts:
            client.writer.write(part)
            await asyncio.sleep(0)
        if not _is_over(reading):
            await listener.until(lambda data: count_whole(data, methods) >= len(methods))
            if reading.stage is Stage.BETWEEN:
                client.writer.write(FOLLOWER)
            else:
                client.writer.write_eof()
        return _read(await listener.to_the_end(), methods, reading)


def _read(data: bytes, methods: list[bytes], reading: Reading) -> list[Reply]:
    """Return the responses. One to HEAD has no body; if that head is faulty, it may have one."""
    try:
        return read_replies(data, methods)
    except (EOFError, NotHttpError):
        if not reading.rest.startswith(b"HEAD "):
            raise
        return read_replies(data, [*methods, b"HEAD"])


def _is_over(reading: Reading) -> bool:
    """Whether the proxy closes the connection by itself."""
    is_told = reading.stage in _REFUSED and reading.is_certain
    return is_told or bool(reading.requests and reading.requests[-1].is_last)


def judge(reading: Reading, replies: list[Reply]) -> str:
    """Return the faults of a connection's responses; empty if there is none. Pure."""
    expected = list(reading.requests)
    if not _is_over(reading) and reading.stage is Stage.BETWEEN:
        expected.append(FOLLOWER_READ)
    for request, reply in zip(expected, replies, strict=False):
        word = shown(reply.body)
        if word is not None and word != digest(*request.content):
            return "the upstream saw another request than was sent"
        if word is None and reply.status == 200 and request.method not in {b"GET", b"HEAD"}:
            return "200 without the upstream's word"
    extra = [reply.status for reply in replies[len(expected) :]]
    if any(shown(reply.body) for reply in replies[len(expected) :]):
        return "what must be refused, or is not whole, was served"
    statuses = [reply.status for reply in replies]
    if not {*statuses} <= OURS | {200}:
        return f"an answer that is none of ours: {statuses}"
    is_short = len(replies) < len(expected) and not (replies and replies[-1].says_close)
    if is_short or (len(replies) >= len(expected) and len(extra) not in _extras(reading)):
        return f"{len(expected)} requests, answers {statuses}"
    return ""


def _extras(reading: Reading) -> tuple[int, ...]:
    """Return how many responses may follow those to complete requests."""
    if reading.stage is Stage.BETWEEN:
        return (0,)
    return (1,) if _is_over(reading) else (0, 1)
