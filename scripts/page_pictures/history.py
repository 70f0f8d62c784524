"""The history of the example: requests of a month by people, agents and a nightly job, the same at each run."""

import json
import math
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from gglib.core.history.records import RecordedBodies, RequestRecord
from gglib.db import SqliteHistory

DAYS = 30
DAY_S = 86_400
_BATCH = 500


@dataclass(frozen=True, slots=True)
class Habit:
    """How one program is used: its key, its models, its route, and how many requests it sends on a working day."""

    program: str
    key: str
    models: tuple[str, ...]
    route: str
    per_day: int
    prompt_tokens: int
    completion_tokens: int


HABITS = (
    Habit("claude-code", "ada", ("gpt-oss-20b", "qwen3-coder-30b"), "/v1/messages", 90, 9_400, 420),
    Habit("aider", "ada", ("qwen2.5-coder-7b", "qwen3-coder-30b"), "/v1/chat/completions", 35, 5_200, 310),
    Habit(
        "open-webui",
        "ben",
        ("gemma-3-12b", "gpt-oss-20b", "llama-3.2-3b"),
        "/v1/chat/completions",
        28,
        1_900,
        540,
    ),
    Habit("zed", "ben", ("qwen2.5-coder-7b",), "/v1/chat/completions", 40, 2_600, 160),
    Habit("openai-python", "ci", ("nomic-embed-text",), "/v1/embeddings", 60, 740, 0),
    Habit(
        "openai-python", "ci", ("mistral-small-24b", "llama-3.2-3b"), "/v1/chat/completions", 12, 3_100, 280
    ),
)
_SPEED = {
    "gpt-oss-20b": 148,
    "qwen3-coder-30b": 112,
    "gemma-3-12b": 71,
    "llama-3.2-3b": 184,
    "mistral-small-24b": 46,
}
"""Tokens per second; others: 96."""
_LOAD_S = {"qwen3-coder-30b": 9.4, "mistral-small-24b": 7.8, "gpt-oss-20b": 6.1, "gemma-3-12b": 4.6}
_FAILURES = (
    ("context_length_exceeded", 400, None),
    ("rate_limit_exceeded", 429, None),
    ("client_left", 499, None),
    ("upstream_error", 502, None),
    (
        "model_load_failed",
        500,
        "The engine exited with status 1: cudaMalloc failed: out of memory. Set a smaller context.",
    ),
)


async def write_history(path: Path) -> None:
    """Write the requests of the last month."""
    records = sorted(_records(random.Random(20), time.time()), key=lambda record: record.ended_at_s)
    async with SqliteHistory(path, max_bytes=1 << 28, max_age_s=90 * DAY_S) as history:
        records.append(example_record())
        for start in range(0, len(records), _BATCH):
            history.record(records[start : start + _BATCH])
            history.flush()


def _records(rng: random.Random, now: float) -> Iterator[RequestRecord]:
    for habit in HABITS:
        for day in range(DAYS):
            is_weekend = day % 7 in {5, 6}
            wanted = habit.per_day * rng.uniform(0.6, 1.3) * (0.15 if is_weekend and habit.key != "ci" else 1)
            for _ in range(round(wanted)):
                age = (DAYS - day - 1) * DAY_S + rng.uniform(90, DAY_S * 0.6)
                yield _record(rng, habit, now - age)


def _record(rng: random.Random, habit: Habit, ended_at: float) -> RequestRecord:
    model = rng.choices(habit.models, range(len(habit.models), 0, -1))[0]
    is_swap = rng.random() < 0.05
    waited = _LOAD_S.get(model, 2.2) * rng.uniform(0.9, 1.4) if is_swap else rng.random() * 0.002
    code, status, message = rng.choice(_FAILURES) if rng.random() < 0.016 else (None, 200, None)
    prompt = round(habit.prompt_tokens * rng.lognormvariate(0, 0.7)) + 12
    completion = round(habit.completion_tokens * rng.lognormvariate(0, 0.6))
    speed = _SPEED.get(model, 96) * rng.uniform(0.86, 1.08)
    first = waited + 0.04 + prompt * 0.1 / 4000 * rng.uniform(0.5, 1.5)
    others = [name for name in _SPEED if name != model]
    return RequestRecord(
        method="POST",
        path=habit.route,
        route=habit.route,
        model=model,
        status=status,
        request_id=f"req_{rng.getrandbits(48):012x}",
        waited_s=waited,
        first_byte_s=None if code else first,
        duration_s=first + completion / speed,
        chunks=completion,
        is_streamed=completion > 0,
        error_code=code,
        error_message=message,
        key_name=habit.key,
        client="127.0.0.1" if habit.key == "ada" else "192.168.1.24",
        program=habit.program,
        prompt_tokens=None if code else prompt,
        completion_tokens=None if code or not completion else completion,
        cached_tokens=None if code else math.floor(prompt * rng.betavariate(4, 1.5)) if completion else 0,
        tokens_per_s=None if code or not completion else speed,
        ended_at_s=ended_at,
        swap=f"{rng.choice(others)} -> {model}" if is_swap else None,
        requested_model="gpt-4o" if habit.program == "open-webui" and model == "gpt-oss-20b" else None,
    )


EXAMPLE_ID = "req_7c41e09b52d8"
"""The id of a request with recorded bodies."""
_PROMPT = "Why does this test fail only in CI? It compares two timestamps that are taken 50 ms apart."
_ANSWER = (
    "The test depends on the speed of the machine: in CI the second timestamp may be taken much later. Pass the clock "
    "as an argument, and let the test set it."
)


def example_record() -> RequestRecord:
    """Return a request of some minutes ago that caused a swap, with its bodies."""
    body = {
        "model": "gpt-4o",
        "stream": False,
        "temperature": 0.3,
        "messages": [
            {"role": "system", "content": "You review Python code. Answer in short sentences."},
            {"role": "user", "content": _PROMPT},
        ],
    }
    usage = {"prompt_tokens": 2_318, "completion_tokens": 46, "total_tokens": 2_364}
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": _ANSWER},
        "finish_reason": "stop",
    }
    answer = {"object": "chat.completion", "model": "gpt-oss-20b", "choices": [choice], "usage": usage}
    return RequestRecord(
        method="POST",
        path="/v1/chat/completions",
        route="/v1/chat/completions",
        model="gpt-oss-20b",
        requested_model="gpt-4o",
        status=200,
        request_id=EXAMPLE_ID,
        waited_s=6.31,
        first_byte_s=6.84,
        duration_s=7.16,
        chunks=1,
        is_streamed=False,
        error_code=None,
        key_name="ada",
        client="127.0.0.1",
        program="openai-python",
        prompt_tokens=2_318,
        completion_tokens=46,
        cached_tokens=1_920,
        tokens_per_s=146.2,
        swap="gemma-3-12b -> gpt-oss-20b",
        ended_at_s=time.time() - 75,
        bodies=RecordedBodies(json.dumps(body).encode(), json.dumps(answer).encode()),
    )
