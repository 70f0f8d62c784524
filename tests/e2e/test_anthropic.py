"""Anthropic's dialect with the real engine: what it would refuse or ignore without the changes."""

import json
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from gglib.testing import write_tiny_gguf

from .conftest import Gglib, make_home

STRICT = (
    "{%- if messages[0].role == 'system' %}{% set first = 1 %}<s>{{ messages[0].content }}{% else %}{% set first = 0 %}"
    "{% endif %}{%- for m in messages[first:] -%}"
    "{%- if m.role == 'system' -%}{{ raise_exception('System message must be at the beginning.') }}{%- endif -%}"
    "{%- if (m.role == 'user') != (loop.index0 % 2 == 0) -%}{{ raise_exception('Roles must alternate.') }}{%- endif -%}"
    "<{{ m.role }}>{{ m.content }}"
    "{%- endfor -%}<assistant>{% if enable_thinking is defined and not enable_thinking %}<no>{% endif %}"
)
"""As the templates of many models: system messages at the beginning only, roles alternate, thinking by a variable."""
SCHEMA = {
    "type": "object",
    "properties": {"a": {"type": "boolean"}},
    "required": ["a"],
    "additionalProperties": False,
}


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gglib]:
    """Serve a model with such a template."""
    gglib = make_home(tmp_path_factory.mktemp("home"))
    path = write_tiny_gguf(gglib.home / "files" / "strict.gguf", name="strict", chat_template=STRICT)
    gglib.command("add", str(path), "--name", "strict", "--engine-args", "--threads 1")
    gglib.serve("--ctx", "4096")
    yield gglib
    assert gglib.stop() == 0


def ask(gglib: Gglib, path: str = "", **members: Any) -> httpx2.Response:
    """Return the response to a request."""
    body = {"model": "strict", "messages": [{"role": "user", "content": "hi"}], **members}
    if not path:
        body = {"max_tokens": 8, **body}
    return httpx2.post(f"{gglib.url}/v1/messages{path}", json=body, trust_env=False, timeout=60)


def tokens(gglib: Gglib, **members: Any) -> int:
    """Return the number of tokens of the prompt, which are its bytes."""
    return int(ask(gglib, "/count_tokens", **members).json()["input_tokens"])


def test_a_conversation_as_agents_send_it(strict: Gglib) -> None:
    """System messages in the middle, and two messages of the user in a row."""
    messages = [
        {"role": "user", "content": "a"},
        {"role": "system", "content": "be brief"},
        {"role": "assistant", "content": "b"},
        {"role": "user", "content": "c"},
        {"role": "user", "content": [{"type": "text", "text": "d"}]},
    ]
    response = ask(strict, messages=messages)
    assert response.status_code == 200, response.text
    assert ask(strict, "/count_tokens", messages=messages).status_code == 200


def test_thinking_is_switched_off(strict: Gglib) -> None:
    """By the variable of the template: the prompt is longer by its mark."""
    plain = tokens(strict)
    assert tokens(strict, thinking={"type": "disabled"}) == plain + len("<no>")
    assert tokens(strict, thinking={"type": "adaptive"}) == plain


def test_the_billing_line_is_not_counted(strict: Gglib) -> None:
    """What is counted is what is sent."""
    line = {"type": "text", "text": "x-anthropic-billing-header: cc_version=2.1.197.b3f; cc_entrypoint=cli;"}
    rest = {"type": "text", "text": "You are an agent."}
    assert tokens(strict, system=[line, rest]) == tokens(strict, system=[rest])


def test_a_document_is_read(strict: Gglib) -> None:
    """The engine alone would drop it."""
    document = {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "x" * 100}}
    assert tokens(strict, messages=[{"role": "user", "content": [document]}]) > 100


def test_an_answer_has_the_requested_format(strict: Gglib) -> None:
    """Whole and streamed; a tiny model would write anything else."""
    config = {"format": {"type": "json_schema", "schema": SCHEMA}}
    (block,) = ask(strict, output_config=config, max_tokens=200).json()["content"]
    assert set(json.loads(block["text"])) == {"a"}
    stream = ask(strict, output_config=config, max_tokens=200, stream=True).text
    events = [json.loads(event.partition("\ndata: ")[2]) for event in stream.split("\n\n")[:-1]]
    text = "".join(event["delta"]["text"] for event in events if event["type"] == "content_block_delta")
    assert set(json.loads(text)) == {"a"}
    assert events[-1]["type"] == "message_stop"
    assert events[-2]["usage"]["output_tokens"] > 0


def test_an_overflow_has_the_words_that_clients_parse(strict: Gglib) -> None:
    """With both numbers."""
    error = ask(strict, messages=[{"role": "user", "content": "x" * 5000}]).json()["error"]
    assert error["type"] == "invalid_request_error"
    assert error["message"].startswith("prompt is too long: 50")
    assert " tokens > 4096 maximum" in error["message"]
