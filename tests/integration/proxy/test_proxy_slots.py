"""The slots of an engine that gglib launched: each request goes to the one that has its conversation."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import pytest
from tests.support.waiting import until

from gglib.core.models import RunningTarget
from gglib.core.runtime.slots import SlotCopy
from gglib.proxy.slots import slot_table
from gglib.testing import FakeRuntime

from .support import (
    CHAT,
    MODEL,
    SSE_HEAD,
    Engine,
    Exchange,
    Proxy,
    ask,
    chat_body,
    chunked,
    connect,
    engine_running,
    json_answer,
    proxy_running,
)

SYSTEM = {"role": "system", "content": "Be brief. " * 60}
ANSWER = {"choices": [{"message": {"role": "assistant", "content": "Hi."}}]}
COUNTED = {**ANSWER, "usage": {"prompt_tokens": 9, "prompt_tokens_details": {"cached_tokens": 0}}}
TOO_LONG = {"error": {"code": 400, "message": "too long", "type": "exceed_context_size_error"}}


def body(*messages: str, **fields: object) -> bytes:
    """Return a chat with these messages of the user after a system message."""
    users = [{"role": "user", "content": text} for text in messages]
    return json.dumps({"model": MODEL.name, "messages": [SYSTEM, *users], **fields}).encode()


class CopyingRuntime(FakeRuntime):
    """Copies slots as the test has it."""

    def __init__(self, target: RunningTarget, *, copies: bool = True) -> None:
        super().__init__({MODEL.name: target})
        self.is_done = copies
        self.noted: list[int] = []
        self.goes_on = asyncio.Event()
        self.goes_on.set()

    def note_cached(self, model_name: str, cached_tokens: int, ended_at_s: float) -> None:  # noqa: ARG002 - of the port
        """Keep what is noted."""
        self.noted.append(cached_tokens)

    async def copy_slot(self, target: RunningTarget, copy: SlotCopy) -> bool:
        """Note the copy; it ends when the test has it so."""
        await super().copy_slot(target, copy)
        await self.goes_on.wait()
        return self.is_done


@dataclass
class Slots:
    """An engine that answers all requests, and the proxy before it."""

    engine: Engine
    proxy: Proxy
    runtime: CopyingRuntime
    answers: dict[str, bytes] = field(default_factory=dict)

    async def slot_of(self, content: bytes, path: str = CHAT, **headers: str) -> object:
        """Send a request, and return the ``id_slot`` that the engine got; None without one."""
        lines = tuple((name.replace("_", "-"), value) for name, value in headers.items())
        await ask(self.proxy.port, path=path, body=content, headers=lines)
        return self.last_slot

    @property
    def last_slot(self) -> object:
        """The ``id_slot`` of the last request that reached the engine."""
        return json.loads(self.engine.exchanges[-1].body).get("id_slot")


@asynccontextmanager
async def slots_running(count: int | None = 3, *, copies: bool = True) -> AsyncIterator[Slots]:
    """Run an engine with slots, and a proxy, for the block.

    Its streams have no end, and it refuses "too long".
    """

    async def script(exchange: Exchange) -> None:
        if b"too long" in exchange.body:
            await exchange.write(json_answer(TOO_LONG, b"400 Bad Request"))
        elif b"counted" in exchange.body:
            await exchange.write(json_answer(COUNTED))
        elif b'"stream": true' in exchange.body:
            await exchange.write(SSE_HEAD + chunked(b'data: {"choices":[{"delta":{"content":"a"}}]}\n\n'))
            await exchange.peer_left()
        else:
            await exchange.write(json_answer(ANSWER))

    async with engine_running(script) as engine:
        runtime = CopyingRuntime(replace(engine.target, slots=count), copies=copies)
        async with proxy_running(runtime) as proxy:
            yield Slots(engine, proxy, runtime)


async def test_conversations_keep_their_slots() -> None:
    """A new one goes to an empty slot, with a copy of the slot that has its system prompt."""
    async with slots_running() as running:
        assert await running.slot_of(body("a")) == 0
        assert await running.slot_of(body("b")) == 1
        assert await running.slot_of(body("a", "c")) == 0
        assert await running.slot_of(body("b", "d")) == 1
        assert [(copy.source, copy.destination) for copy in running.runtime.copies] == [(0, 1)]


async def test_body_is_otherwise_unchanged() -> None:
    """Its length is right, and the field is the first."""
    async with slots_running() as running:
        await running.slot_of(body("a"))
        assert running.engine.exchanges[0].body == body("a").replace(b"{", b'{"id_slot":0,', 1)


async def test_translated_dialects_are_chats() -> None:
    """Ollama's chat and the Responses API."""
    async with slots_running() as running:
        ollama = {"model": MODEL.name, "stream": False, "messages": json.loads(body("a"))["messages"]}
        responses = {"model": MODEL.name, "input": "Hello"}
        assert await running.slot_of(json.dumps(ollama).encode(), "/api/chat") == 0
        assert await running.slot_of(json.dumps(responses).encode(), "/v1/responses") == 1


@pytest.mark.parametrize("count", [None, 1])
async def test_without_a_choice_bodies_are_forwarded_as_they_are(count: int | None) -> None:
    """An engine with one slot, or one that gglib did not launch."""
    async with slots_running(count) as running:
        assert await running.slot_of(body("a")) is None
        assert running.engine.exchanges[0].body == body("a")


@pytest.mark.parametrize(
    ("content", "path"),
    [
        (body("a", n=2), CHAT),
        (json.dumps({"model": MODEL.name, "prompt": "x"}).encode(), "/v1/completions"),
        (body("a"), "/v1/messages"),
    ],
)
async def test_engine_chooses_for_other_requests(content: bytes, path: str) -> None:
    """Several choices take a slot each; Anthropic's Messages lose the field in the engine."""
    async with slots_running() as running:
        assert await running.slot_of(content, path) is None


async def test_session_header_keeps_conversations_apart() -> None:
    """Programs name their sessions."""
    async with slots_running() as running:
        assert await running.slot_of(body("a"), x_session_id="one") == 0
        assert await running.slot_of(body("a"), x_session_id="two") == 1
        assert await running.slot_of(body("a", "b"), x_session_id="one") == 0


async def test_single_requests_take_one_slot_by_turns_without_copies() -> None:
    """As the engine would have it."""
    async with slots_running(copies=False) as running:
        assert [await running.slot_of(body(text)) for text in "abc"] == [0, 0, 0]
        assert await running.slot_of(body("a", "d")) == 1


async def test_slot_of_a_refused_request_keeps_its_prompt() -> None:
    """The conversation is known afterwards."""
    async with slots_running(2) as running:
        assert await running.slot_of(body("a")) == 0
        assert await running.slot_of(body("b")) == 1
        assert await running.slot_of(body("too long")) == 0
        assert await running.slot_of(body("a", "c")) == 0


async def test_new_conversation_says_nothing_of_restored_slots() -> None:
    """That it reuses no token is no fault of theirs; that of one that goes on is."""
    async with slots_running() as running:
        await running.slot_of(body("a", "counted"))
        restored = replace(running.engine.target, slots=3, kept_slots=(0,))
        running.runtime.targets[MODEL.name] = restored
        await running.slot_of(body("counted"))
        await running.slot_of(body("a", "counted", "more"))
    assert running.runtime.noted == [0]


async def test_client_that_leaves_during_a_copy_frees_both_slots() -> None:
    """Nothing was sent to the engine."""
    async with slots_running() as running:
        await running.slot_of(body("a"))
        running.runtime.goes_on.clear()
        async with await connect(running.proxy.port) as client:
            await client.send(body=body("b"))
            await until(lambda: len(running.runtime.copies) == 1)
        await until(lambda: running.runtime.holds == 0)
        running.runtime.goes_on.set()
        assert len(running.engine.exchanges) == 1
        assert await running.slot_of(body("c")) == 1
        assert await running.slot_of(body("a", "d")) == 0


async def test_slot_of_an_aborted_request_is_not_chosen_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine may compute a moment longer."""
    monkeypatch.setattr(slot_table, "HOLD_S", 600.0)
    async with slots_running() as running:
        async with await connect(running.proxy.port) as client:
            await client.send(body=body("a", stream=True))
            await client.read_until(b"content")
            assert running.last_slot == 0
        await until(lambda: running.runtime.holds == 0)
        assert await running.slot_of(body("a", "b")) == 1


async def test_engine_chooses_while_a_slot_is_unknown() -> None:
    """A text completion may be in any slot."""
    async with slots_running() as running, await connect(running.proxy.port) as client:
        prompt = {"model": MODEL.name, "prompt": "x", "stream": True}
        await client.send(path="/v1/completions", body=json.dumps(prompt).encode())
        await client.read_until(b"content")
        assert await running.slot_of(body("a")) is None


async def test_long_conversation_is_read_in_a_thread() -> None:
    """It keeps its slot, too; one that is too long is the engine's."""
    long = "word " * 10_000
    async with slots_running() as running:
        assert await running.slot_of(body("a")) == 0
        assert await running.slot_of(body(long)) == 1
        assert await running.slot_of(body(long, "b")) == 1
        assert await running.slot_of(body(long * 21)) is None


@pytest.mark.parametrize(
    "field", [b'"id_slot":1', b'"id\\u005fslot":1', b'"id_slot" : 1.0', b'"id_slot":null,"id_slot":2']
)
async def test_clients_choose_no_slot(field: bytes) -> None:
    """However they spell it."""
    async with slots_running() as running:
        reply = await ask(running.proxy.port, body=chat_body().replace(b"{", b"{" + field + b",", 1))
        assert reply.status == 400
        assert not running.engine.exchanges


async def test_field_of_another_object_chooses_no_slot() -> None:
    """It is the root's that counts."""
    async with slots_running() as running:
        assert await running.slot_of(body("a", metadata={"id_slot": 2})) == 0
        assert await running.slot_of(body("a", "b", id_slot=-1)) == -1
