"""Requests that fit do not fail each other: each has the whole advertised context, whatever runs in parallel."""

import asyncio
import sys
from typing import Any

import httpx2
import pytest
from tests.e2e.conftest import Gglib

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(sys.platform != "linux", reason="counts processes by /proc"),
]

CONTEXT = 1024
PROMPT_TOKENS = CONTEXT * 7 // 10
ANSWER_TOKENS = CONTEXT // 20
ROUNDS = 3
LIMIT_S = 120.0


async def complete(gglib: Gglib, number: int, *, is_stream: bool, **fields: Any) -> str:
    """Request a completion of a prompt with unique tokens; return its text, or the error."""
    body = {
        "model": "tiny-a",
        "prompt": [260 + number % 90] * PROMPT_TOKENS,
        "max_tokens": ANSWER_TOKENS,
        "stream": is_stream,
        **fields,
    }
    async with httpx2.AsyncClient(trust_env=False, timeout=LIMIT_S) as client:
        answer = await client.post(f"{gglib.url}/v1/completions", json=body)
    assert answer.status_code == 200, answer.text
    assert "error" not in answer.text, answer.text[-300:]
    assert answer.headers["x-gglib-context"] == str(CONTEXT)
    if is_stream:
        assert answer.text.rstrip().endswith("[DONE]")
    return answer.text


@pytest.fixture
def small(home: Gglib) -> Gglib:
    """Serve with a context size that requests fill quickly."""
    return home.serve("--ctx", str(CONTEXT))


async def test_requests_that_fit_do_not_fail_each_other(small: Gglib) -> None:
    """2, 4 and 8 parallel requests that use three quarters of the context each, streamed or not, all succeed."""
    for _ in range(ROUNDS):
        for count in (2, 4, 8):
            for is_stream in (False, True):
                async with asyncio.TaskGroup() as group:
                    for number in range(count):
                        group.create_task(complete(small, number, is_stream=is_stream))
    assert small.launches("tiny-a") == 1


async def test_streams_that_grow_do_not_meet(small: Gglib) -> None:
    """Parallel responses that run to the end of the context can each use all of it."""
    async with asyncio.TaskGroup() as group:
        answers = [
            group.create_task(
                complete(small, number, is_stream=True, prompt=[260 + number] * 100, max_tokens=CONTEXT - 110)
            )
            for number in range(4)
        ]
    for answer in answers:
        assert answer.result().count("data: {") >= CONTEXT - 110


async def test_a_models_own_number_of_slots_has_the_whole_context_in_each(home: Gglib) -> None:
    """``--parallel`` in a model's engine arguments does not split the context."""
    home.command("set", "tiny-a", "--engine-args", "--threads 1 --parallel 2")
    home.serve("--ctx", str(CONTEXT))
    async with asyncio.TaskGroup() as group:
        for number in range(4):
            group.create_task(complete(home, number, is_stream=bool(number % 2)))
    (resident,) = home.residents()
    assert (resident["slots"], resident["effective_ctx"]) == (2, CONTEXT)


@pytest.mark.parametrize("field", ["max_tokens", "n_predict"])
async def test_a_limit_beyond_all_bounds_is_no_limit(small: Gglib, field: str) -> None:
    """A limit of 2^40 tokens means as many as the context has room for, not one; the response ends with the context."""
    limits = {"max_tokens": None, field: 2**40}
    text = await complete(small, 1, is_stream=False, prompt=[300] * 900, **limits)
    assert '"completion_tokens":124' in text.replace(" ", "")
