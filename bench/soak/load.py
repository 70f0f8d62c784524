"""The load of a soak: chats with several models, clients that leave, engines that are killed, pulls, scrapes."""

import asyncio
import json
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

MODELS = ("one", "two", "three", "four")
WEIGHTS = (8, 4, 2, 1)
CHAT_PATH = "/v1/chat/completions"
LEAVING_SHARE = 0.1
STREAM_SHARE = 0.7
KILL_GRACE_S = 5.0
"""After an engine was killed, its requests may fail for this long."""
_LIMIT_S = 120.0
_END_BYTES = 64
"""The last event of a stream, and the last chunk."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadPlan:
    """How often what happens."""

    seed: int = 1
    requests_s: float = 5.0
    kill_every_s: float = 20.0
    pull_every_s: float = 45.0
    scrape_every_s: float = 5.0
    repository: str = "ada/small-GGUF"


@dataclass(slots=True)
class Outcomes:
    """How requests ended, and complaints."""

    ends: Counter[str] = field(default_factory=Counter)
    complaints: list[str] = field(default_factory=list)
    killed_s: list[float] = field(default_factory=list)
    """When engines were killed (``time.monotonic``)."""


class Load:
    """Runs the load against a server on a port of this machine, while its block is open."""

    def __init__(self, port: int, plan: LoadPlan, outcomes: Outcomes) -> None:
        self._port = port
        self._plan = plan
        self._outcomes = outcomes
        self._random = random.Random(plan.seed)  # the same seed makes the same requests
        self._requests: set[asyncio.Task[None]] = set()

    async def run(self, seconds: float) -> None:
        """Send requests for so long, and return after the last response."""
        plan = self._plan
        repeated = [
            asyncio.create_task(self._repeat(action, every_s))
            for action, every_s in (
                (self._kill_an_engine, plan.kill_every_s),
                (self._pull, plan.pull_every_s),
                (self._scrape, plan.scrape_every_s),
            )
        ]
        end_s = time.monotonic() + seconds
        while time.monotonic() < end_s:
            task = asyncio.create_task(self._chat())
            self._requests.add(task)
            task.add_done_callback(self._requests.discard)
            await asyncio.sleep(self._random.expovariate(plan.requests_s))
        for task in repeated:
            task.cancel()
        await asyncio.gather(*repeated, *self._requests, return_exceptions=True)

    async def _chat(self) -> None:
        choice = self._random
        is_stream, leaves = choice.random() < STREAM_SHARE, choice.random() < LEAVING_SHARE
        body = {
            "model": choice.choices(MODELS, WEIGHTS)[0],
            "stream": is_stream,
            "messages": [{"role": "user", "content": "x" * choice.randrange(10, 4000)}],
            "x_script": {"chunks": choice.randrange(1, 40), "chunk_interval_s": 0.02},
        }
        began_s = time.monotonic()
        try:
            async with asyncio.timeout(_LIMIT_S):
                answer = await self._ask(
                    "POST", CHAT_PATH, body, leave_after=choice.random() if leaves else None
                )
        except (OSError, asyncio.IncompleteReadError, TimeoutError) as error:
            self._end(f"no response: {type(error).__name__}", began_s, is_wrong=True)
            return
        if leaves:
            self._end("left", began_s)
        elif answer.startswith(b"HTTP/1.1 200") and b'"error"' not in answer:
            is_whole = not is_stream or b"[DONE]" in answer[-_END_BYTES:]
            self._end("answered" if is_whole else "cut off", began_s, is_wrong=not is_whole)
        else:
            self._end("error: " + _code(answer), began_s, is_wrong=True)

    def _end(self, name: str, began_s: float, *, is_wrong: bool = False) -> None:
        now_s = time.monotonic()
        was_killed = any(began_s - KILL_GRACE_S <= killed_s <= now_s for killed_s in self._outcomes.killed_s)
        self._outcomes.ends[name + (", its engine was killed" if is_wrong and was_killed else "")] += 1
        if is_wrong and not was_killed:
            self._outcomes.complaints.append(f"{name} after {now_s - began_s:.1f} s")

    async def _repeat(self, action: Callable[[], Awaitable[None]], every_s: float) -> None:
        while True:
            await asyncio.sleep(every_s)
            try:
                await action()
            except (OSError, ValueError, KeyError) as error:
                self._outcomes.complaints.append(f"{action.__name__}: {error!r}"[:300])

    async def _kill_an_engine(self) -> None:
        status = json.loads(_body(await self._ask("GET", "/gglib/status")))
        pids = [resident["pid"] for resident in status["residents"] if resident.get("pid")]
        if pids:
            self._outcomes.killed_s.append(time.monotonic())
            self._outcomes.ends["engines killed"] += 1
            with suppress(ProcessLookupError):
                os.kill(self._random.choice(pids), signal.SIGKILL)

    async def _pull(self) -> None:
        """Pull a model, wait for it, and remove it again."""
        answer = await self._ask("POST", "/gglib/downloads", {"target": self._plan.repository})
        download = json.loads(_body(answer))
        while download.get("state") in {"queued", "running"}:
            await asyncio.sleep(0.5)
            download = json.loads(_body(await self._ask("GET", f"/gglib/downloads/{download['id']}")))
        if download.get("state") != "done":
            self._outcomes.complaints.append(f"a download ended as {download}"[:300])
            return
        name = download["model_name"]
        removed = await self._ask("DELETE", f"/gglib/models/{name}?files=true")
        if not removed.startswith(b"HTTP/1.1 20"):
            self._outcomes.complaints.append(f"'{name}' could not be removed: {removed[:300]!r}")
            return
        self._outcomes.ends["models pulled and removed"] += 1

    async def _scrape(self) -> None:
        for path in ("/metrics", "/v1/models", "/gglib/requests?limit=20"):
            answer = await self._ask("GET", path)
            if not answer.startswith(b"HTTP/1.1 200"):
                self._outcomes.complaints.append(f"{path}: {answer[:200]!r}")
        self._outcomes.ends["scrapes"] += 1

    async def _ask(
        self, method: str, path: str, body: dict[str, Any] | None = None, *, leave_after: float | None = None
    ) -> bytes:
        """Return the whole response. ``leave_after``: close the connection so many seconds after the first byte."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        try:
            content = b"" if body is None else json.dumps(body).encode()
            head = (
                f"{method} {path} HTTP/1.1\r\nhost: 127.0.0.1:{self._port}\r\nconnection: close\r\n"
                f"content-type: application/json\r\ncontent-length: {len(content)}\r\n\r\n"
            )
            writer.write(head.encode() + content)
            if leave_after is None:
                return await reader.read(-1)
            first = await reader.read(1)
            await asyncio.sleep(leave_after)
            return first
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()


def _body(answer: bytes) -> bytes:
    return answer.partition(b"\r\n\r\n")[2]


def _code(answer: bytes) -> str:
    """Return the code of an error, or the status line."""
    _, found, rest = answer.partition(b'"code":"')
    return rest.partition(b'"')[0].decode() if found else answer[:40].decode(errors="replace")
