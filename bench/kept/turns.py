"""Conversations with a running ``gglib serve``: prompts of a given length, streamed turns and their times."""

import http.client
import json
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from bench.swap import WITHOUT_LLAMA_SERVER, served

LIMIT_S = 600.0
WORDS = [
    "alpha",
    "beta",
    "gamma",
    "delta",
    "river",
    "stone",
    "cloud",
    "paper",
    "green",
    "seven",
    "quick",
    "lamp",
    "mountain",
    "window",
    "table",
    "engine",
    "letter",
    "garden",
    "silver",
    "bridge",
    "winter",
    "number",
    "forest",
    "school",
]
"""About a token each, in the vocabularies of both models."""
ANSWER_TOKENS = 8

Message = dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a turn returned."""

    text: str
    first_token_s: float
    """From the request to the first text of the response: swap, restore and prompt."""
    cached: int
    """Tokens of the prompt that were in a slot (``cache_n``)."""
    computed: int
    """The others (``prompt_n``)."""
    prompt_s: float
    """The engine's time for them."""


def document(seed: int | str, words: int) -> str:
    """Return reproducible words."""
    draw = Random(seed)
    return " ".join(draw.choice(WORDS) for _ in range(words))


def opening(seed: int | str, words: int, question: str) -> list[Message]:
    """Return the first messages of a conversation on a document of ``words`` words."""
    return [
        {"role": "system", "content": f"You are a helper. This is document {seed}."},
        {"role": "user", "content": f"{document(seed, words)}\n{question}"},
    ]


def next_turn(messages: Sequence[Message], answer: str, question: str) -> list[Message]:
    """Return the messages of the next turn."""
    return [
        *messages,
        {"role": "assistant", "content": answer},
        {"role": "user", "content": question},
    ]


def ask(address: str, model: str, messages: Sequence[Message]) -> Answer:
    """Send a turn, and return the response with its times. The text is greedy."""
    body = {
        "model": model,
        "messages": messages,
        "max_tokens": ANSWER_TOKENS,
        "temperature": 0,
        "ignore_eos": True,
        "stream": True,
    }
    connection = http.client.HTTPConnection(address, timeout=LIMIT_S)
    started_s = time.perf_counter()
    connection.request("POST", "/v1/chat/completions", json.dumps(body), {"content-type": "application/json"})
    response = connection.getresponse()
    first_s, text, timings = 0.0, "", None
    for event in _events(response):
        assert "error" not in event, event
        timings = event.get("timings") or timings
        for choice in event.get("choices", ()):
            content = choice["delta"].get("content")
            if content and not first_s:
                first_s = time.perf_counter() - started_s
            text += content or ""
    connection.close()
    assert response.status == 200, response.status
    assert timings is not None, "the engine sent no timings"
    return Answer(
        text=text,
        first_token_s=first_s,
        cached=timings["cache_n"],
        computed=timings["prompt_n"],
        prompt_s=timings["prompt_ms"] / 1000,
    )


def _events(response: http.client.HTTPResponse) -> Iterator[dict[str, Any]]:
    """Yield the events of a stream. A failed request is one event, too."""
    if response.status != 200:
        yield {"error": response.read().decode()}
        return
    for line in response:
        data = line.strip().removeprefix(b"data: ")
        if data != line.strip() and data != b"[DONE]":
            yield json.loads(data)


def serving(home: Path, *, engine: Path | None, keep: str) -> AbstractContextManager[str]:
    """Return a block that runs ``gglib serve`` with this ``kv_keep``, with its address; no engine: the embedded one."""
    chosen = WITHOUT_LLAMA_SERVER if engine is None else {"GGLIB_ENGINE": str(engine)}
    return served(home, {**chosen, "GGLIB_KV_KEEP": keep})
