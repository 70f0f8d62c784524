"""The tiny model is a valid model: the real engine loads it and generates tokens."""

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from gglib.testing import write_tiny_gguf

from .conftest import Running

pytestmark = pytest.mark.e2e

ENGINE = """
import signal, sys, xllamacpp
params = xllamacpp.CommonParams()
params.model.path, params.hostnames, params.port = sys.argv[1], [sys.argv[2]], 0
params.n_ctx, params.n_parallel, params.ui = 4096, 1, False
params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
server = xllamacpp.Server(params)
print("listening on", server.listening_address, file=sys.stderr, flush=True)
signal.pause()
"""


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Yield the real engine with a tiny model loaded."""
    directory = tmp_path_factory.mktemp("e")
    model = write_tiny_gguf(directory / "tiny.gguf")
    socket_path = directory / "x.sock"
    with (directory / "stderr").open("wb") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-c", ENGINE, model, socket_path], stderr=stderr, start_new_session=True
        )
    running = Running(process=process, directory=directory, socket_path=socket_path)
    try:
        running.wait_until_ready()
        yield running
    finally:
        running.end()


def complete(engine: Running, **body: Any) -> bytes:
    """Return the body of a chat completion."""
    connection = engine.connect()
    connection.request("POST", "/v1/chat/completions", json.dumps(body))
    response = connection.getresponse()
    content = response.read()
    connection.close()
    assert response.status == 200, content
    return content


@pytest.mark.parametrize("temperature", [0.0, 0.8, 2.0])
def test_it_generates_printable_text_up_to_the_token_limit(engine: Running, temperature: float) -> None:
    """With any sampling, a response has ``max_tokens`` printable characters and never stops earlier."""
    messages = [{"role": "user", "content": "Grüße, 世界"}]
    answer = json.loads(complete(engine, messages=messages, max_tokens=700, temperature=temperature))
    choice = answer["choices"][0]
    text = choice["message"]["content"]
    assert choice["finish_reason"] == "length"
    assert answer["usage"]["completion_tokens"] == 700
    assert text.isascii()
    assert text.isprintable()


def test_it_streams_token_by_token(engine: Running) -> None:
    """Every token is a separate event."""
    messages = [{"role": "user", "content": "hi"}]
    events = complete(engine, messages=messages, max_tokens=64, stream=True).split(b"\n\n")
    assert events[-2] == b"data: [DONE]"
    assert len([event for event in events if b'"delta":{"content"' in event]) >= 60


def test_what_it_says_depends_on_the_prompt(engine: Running) -> None:
    """Different prompts have different responses, equal prompts equal ones, so mixed-up requests are detectable."""

    def said(prompt: str) -> str:
        messages = [{"role": "user", "content": prompt}]
        answer = json.loads(complete(engine, messages=messages, max_tokens=64, temperature=0))
        return str(answer["choices"][0]["message"]["content"])

    assert said("one") == said("one")
    assert said("one") != said("two")
