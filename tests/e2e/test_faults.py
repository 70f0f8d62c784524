"""Real faults: damaged files, dying engines and clients that disconnect."""

import asyncio
import http.client
import json
import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx2
import openai
import pytest
from tests.support.engines import EMBEDDED

from gglib.testing import write_tiny_gguf

if TYPE_CHECKING:
    from tests.e2e.conftest import Gglib
else:
    Gglib = object

pytestmark = pytest.mark.e2e

HELLO: Any = [{"role": "user", "content": "Hello"}]


def chat(model: str, **fields: Any) -> dict[str, Any]:
    """Return the body of a chat request."""
    return {"model": model, "messages": HELLO, "max_tokens": 2, **fields}


def post(gglib: Gglib, **options: Any) -> httpx2.Response:
    """Send a request to the chat endpoint."""
    return httpx2.post(f"{gglib.url}/v1/chat/completions", timeout=30, **options)


def error_of(answer: httpx2.Response) -> dict[str, Any]:
    """Return the error of a response, after checking its format."""
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-request-id"]
    assert set(answer.json()) == {"error"}
    error: dict[str, Any] = answer.json()["error"]
    facts = {"loading"} if error["code"] == "model_loading" else set()
    assert set(error) == {"message", "type", "param", "code"} | facts
    assert error["code"] is None or isinstance(error["code"], str)
    return error


@pytest.mark.only_engine(EMBEDDED)  # no engine runs
@pytest.mark.parametrize(
    ("body", "param"),
    [
        (b"{", None),
        (b"[]", None),
        (b'{"messages": []}', "model"),
        (b'{"model": 7}', "model"),
        (b'{"model": "tiny-a", "num_ctx": 0}', "num_ctx"),
        (b'{"model": "tiny-a", "num_ctx": "8192"}', "num_ctx"),
        (b'{"model": "tiny-a", "num_ctx": true}', "num_ctx"),
    ],
)
def test_a_broken_request_is_a_400_that_says_which_field(
    gglib: Gglib, body: bytes, param: str | None
) -> None:
    """No engine is launched for the request."""
    answer = post(gglib, content=body)
    assert answer.status_code == 400
    assert error_of(answer)["param"] == param


@pytest.mark.only_engine(EMBEDDED)  # no engine runs
def test_unknown_paths_methods_and_sizes_are_json_errors(gglib: Gglib) -> None:
    """The responses are 404, 405 with Allow, and 413."""
    unknown = httpx2.get(f"{gglib.url}/v1/nothing")
    assert (unknown.status_code, bool(error_of(unknown))) == (404, True)
    wrong = httpx2.get(f"{gglib.url}/v1/chat/completions")
    assert (wrong.status_code, wrong.headers["allow"], bool(error_of(wrong))) == (405, "POST", True)
    large = post(gglib, content=b" " * (64 * 1024 * 1024 + 1))
    assert (large.status_code, bool(error_of(large))) == (413, True)


@pytest.mark.only_engine(EMBEDDED)  # no engine runs
def test_a_missing_file_is_a_404_that_leaks_no_path(home: Gglib) -> None:
    """The model is in the catalogue, but its file is missing."""
    (home.home / "files" / "tiny-a.gguf").unlink()
    answer = post(home.serve(), json=chat("tiny-a"))
    assert answer.status_code == 404
    assert error_of(answer)["code"] == "model_file_not_found"
    assert str(home.home) not in answer.text


def test_a_truncated_file_is_a_500_that_says_how_much_is_missing(home: Gglib) -> None:
    """The error comes at once, without an engine, and says that a retry cannot help."""
    path = home.home / "files" / "tiny-a.gguf"
    whole = path.stat().st_size
    path.write_bytes(path.read_bytes()[:100_000])
    home.serve()
    started = time.monotonic()
    answer = post(home, json=chat("tiny-a"))
    assert time.monotonic() - started < 10
    assert answer.status_code == 500
    assert answer.headers["x-should-retry"] == "false"
    error = error_of(answer)
    assert error["code"] == "model_load_failed"
    assert f"it has 100000 of the {whole} bytes that it needs" in error["message"]
    assert post(home, json=chat("Tiny-B")).status_code == 200


def test_prefer_wait_0_on_a_cold_model_is_a_503_while_the_load_goes_on(home: Gglib) -> None:
    """The 503 has Retry-After; a later request that waits is served by the same load."""
    home.serve()
    answer = post(home, json=chat("tiny-a"), headers={"Prefer": "wait=0"})
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) >= 1
    assert error_of(answer)["code"] == "model_loading"
    assert post(home, json=chat("tiny-a")).status_code == 200
    assert (home.home / "logs" / "engines" / "tiny-a.log").read_text().count("loading model '") == 1


async def test_an_engine_killed_in_mid_stream_ends_it_with_an_error_and_the_next_request_works(
    gglib: Gglib,
) -> None:
    """The client receives an error and no clean end; the next request loads the model again."""
    async with gglib.async_openai(max_retries=0) as client:
        stream = await client.chat.completions.create(
            model="tiny-a", messages=HELLO, max_tokens=4000, stream=True
        )
        received = 0
        with pytest.raises(openai.APIError) as caught:  # noqa: PT012 - raised somewhere in the iteration
            async for _ in stream:
                received += 1
                if received == 20:
                    os.kill(gglib.engines()[0], signal.SIGKILL)
        assert received >= 20
        assert isinstance(caught.value.body, dict)
        assert caught.value.body["code"] == "upstream_error"
        await stream.close()
        again = await client.chat.completions.create(model="tiny-a", messages=HELLO, max_tokens=2)
        assert again.choices[0].message.content


async def test_an_engine_killed_before_its_first_byte_is_a_502(
    gglib: Gglib, home: Gglib, smollm2: Path
) -> None:
    """The engine dies while it processes a long prompt; no status has been sent yet.

    The batches are small because the engine reports its slots between them.
    """
    batches = "--batch-size 128 --ubatch-size 128"
    home.command("add", str(smollm2), "--name", "smollm2", "--engine-args", batches)
    home.serve()
    assert post(home, json=chat("smollm2")).status_code == 200
    prompt: Any = [{"role": "user", "content": "once upon a time " * 1500}]
    async with httpx2.AsyncClient(timeout=30) as client:
        request = asyncio.create_task(
            client.post(f"{home.url}/v1/chat/completions", json=chat("smollm2", messages=prompt))
        )
        await asyncio.to_thread(home.wait_until, lambda: home.slots_at_work() == 1)
        os.kill(home.engines()[0], signal.SIGKILL)
        answer = await request
    assert answer.status_code == 502
    assert error_of(answer)["code"] == "upstream_error"
    assert post(home, json=chat("smollm2")).status_code == 200


async def test_a_client_that_leaves_in_mid_stream_frees_the_slot(home: Gglib, smollm2: Path) -> None:
    """The engine stops generating, long before its 2,000 tokens would have ended."""
    home.command("add", str(smollm2), "--name", "smollm2")
    async with home.serve().async_openai() as client:
        stream = await client.chat.completions.create(
            model="smollm2", messages=HELLO, max_tokens=2000, stream=True, extra_body={"ignore_eos": True}
        )
        async for _ in stream:
            break
        assert home.slots_at_work() == 1
        await stream.close()
        home.wait_until(
            lambda: home.slots_at_work() == 0, within_s=20
        )  # 0.11 s on an idle machine; 2,000 tokens take 60 s
    assert httpx2.get(f"{home.url}/gglib/status").json()["residents"][0]["in_flight"] == 0


async def test_a_client_that_leaves_during_the_load_does_not_break_it_for_others(home: Gglib) -> None:
    """The second request is served by the launch that the first one caused."""
    home.serve()
    async with httpx2.AsyncClient(timeout=30) as client:
        url = f"{home.url}/v1/chat/completions"
        impatient = asyncio.create_task(client.post(url, json=chat("tiny-a")))
        patient = asyncio.create_task(client.post(url, json=chat("tiny-a")))
        await asyncio.to_thread(home.wait_until, lambda: bool(home.engines()))
        impatient.cancel()
        assert (await patient).status_code == 200
    assert (home.home / "logs" / "engines" / "tiny-a.log").read_text().count("loading model '") == 1


def test_a_request_that_follows_at_once_on_a_stream_is_answered(gglib: Gglib) -> None:
    """The engine closes its connection after each stream; one in two such requests once got a 502."""
    address = gglib.url.removeprefix("http://")
    statuses = set()
    for _ in range(40):
        for is_stream in (True, False):
            connection = http.client.HTTPConnection(address, timeout=20)
            connection.request("POST", "/v1/chat/completions", json.dumps(chat("tiny-a", stream=is_stream)))
            answer = connection.getresponse()
            answer.read()
            statuses.add(answer.status)
            connection.close()
    assert statuses == {200}


def test_kill_9_of_gglib_leaves_no_engine(home: Gglib) -> None:
    """No engine process is left soon after (2 s at most on an idle machine), and the home can be served again."""
    for _ in range(3):
        assert post(home.serve(), json=chat("tiny-a")).status_code == 200
        assert len(home.engines()) == 1
        assert home.stop(signal.SIGKILL) == -signal.SIGKILL
        home.wait_until(lambda: home.engines() == [], within_s=20)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_ends_everything_also_with_a_stream_open(home: Gglib, number: int) -> None:
    """The stream of 30,000 tokens ends with an error, the exit code is 0, and no process is left."""
    async with home.serve().async_openai(max_retries=0) as client:
        stream = await client.chat.completions.create(
            model="tiny-a", messages=HELLO, max_tokens=30_000, stream=True
        )
        async for _ in stream:
            break
        assert await asyncio.to_thread(home.stop, number) == 0
        assert home.engines() == []
        with pytest.raises(openai.APIError) as caught:
            async for _ in stream:
                pass
        assert isinstance(caught.value.body, dict)
        assert caught.value.body["code"] == "shutting_down"
        await stream.close()


def test_a_model_added_beside_a_running_server_is_served(gglib: Gglib) -> None:
    """No restart is needed."""
    path = write_tiny_gguf(gglib.home / "files" / "late.gguf", name="late", seed=9)
    gglib.command("add", str(path), "--name", "late")
    assert post(gglib, json=chat("late")).json()["model"] == "late"
    gglib.command("rm", "late")
    assert post(gglib, json=chat("late")).status_code == 404
