"""What gglib adds to OpenAI's dialects, with the real engine and the official client."""

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx2
import openai
import pytest
from openai.types.responses import Response, ResponseFunctionToolCall
from pydantic import BaseModel
from tests.e2e.conftest import make_home

from gglib.testing import write_tiny_gguf
from gglib.testing.tiny_gguf import write_tiny_encoder

if TYPE_CHECKING:
    from tests.e2e.conftest import Gglib
else:
    Gglib = object

pytestmark = pytest.mark.e2e

TOOLS_TEMPLATE = (
    "{%- if tools -%}<|start|>system\n{{ tools | tojson }}<|end|>\n{%- endif -%}"
    "{%- for message in messages -%}<|start|>{{ message['role'] }}\n"
    "{%- if message.tool_calls -%}{%- for call in message.tool_calls -%}"
    '{"name": "{{ call.function.name }}", "parameters": {{ call.function.arguments | tojson }}}'
    "{%- endfor -%}{%- else -%}{{ message['content'] }}{%- endif -%}<|end|>\n{%- endfor -%}"
    "{%- if add_generation_prompt -%}<|start|>assistant\n{%- endif -%}"
)
"""Calls are plain JSON, so that a bias on ``{`` makes a model of noise begin one; the grammar does the rest."""
BEGIN_CALL: dict[str, Any] = {"logit_bias": [["{", 50.0]], "seed": 1, "parallel_tool_calls": False}
PARAMETERS = {
    "type": "object",
    "properties": {"a": {"type": "integer", "minimum": 0, "maximum": 9}},
    "required": ["a"],
    "additionalProperties": False,
}
FUNCTIONS = [{"name": name, "parameters": PARAMETERS} for name in ("get", "put")]


class Flag(BaseModel):
    """A structured output."""

    is_on: bool


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gglib]:
    """Serve a model with tools, one without, one that fills in, and an encoder."""
    home = make_home(tmp_path_factory.mktemp("home"))
    files = home.home / "files"
    write_tiny_gguf(files / "able.gguf", name="able", chat_template=TOOLS_TEMPLATE)
    write_tiny_gguf(files / "fills.gguf", name="fills", has_infill_tokens=True)
    write_tiny_encoder(files / "encoder.gguf", name="encoder")
    for name in ("able", "fills", "encoder"):
        home.command("add", str(files / f"{name}.gguf"), "--name", name, "--engine-args", "--threads 1")
    yield home.serve("--ctx", "4096", "--max-models", "4")
    assert home.stop() == 0


def test_a_response_and_its_stream_are_complete(server: Gglib) -> None:
    """By the official types; a token limit is incomplete in both."""
    client = server.openai()
    whole = client.responses.create(model="tiny-a", input="Hello", max_output_tokens=5)
    Response.model_validate(whole.to_dict())
    assert (whole.status, len(whole.output_text)) == ("incomplete", 5)
    assert whole.usage is not None
    assert whole.usage.output_tokens == 5
    events = list(client.responses.create(model="tiny-a", input="Hello", max_output_tokens=5, stream=True))
    for event in events:
        type(event).model_validate(event.to_dict())
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert events[-1].type == "response.incomplete"
    assert len(events[-1].response.output_text) == 5


def test_structured_output(server: Gglib) -> None:
    """``text.format`` constrains the response; the stream helper ends with it, too."""
    client = server.openai()
    parsed = client.responses.parse(model="tiny-a", input="Hello", text_format=Flag, max_output_tokens=60)
    assert isinstance(parsed.output_parsed, Flag)
    with client.responses.stream(
        model="tiny-a", input="Hello", text_format=Flag, max_output_tokens=60
    ) as stream:
        final = stream.get_final_response()
    assert isinstance(final.output_parsed, Flag)


def test_a_named_function_is_called(server: Gglib) -> None:
    """In chats and in Responses, and the next turn accepts the call and its result."""
    client = server.openai()
    functions: Any = [{"type": "function", "function": function} for function in FUNCTIONS]
    chat = client.chat.completions.create(
        model="able",
        messages=[{"role": "user", "content": "Hello"}],
        tools=functions,
        tool_choice={"type": "function", "function": {"name": "put"}},
        max_tokens=80,
        extra_body=BEGIN_CALL,
    )
    (call,) = chat.choices[0].message.tool_calls or []
    assert call.type == "function"
    assert (call.function.name, set(json.loads(call.function.arguments))) == ("put", {"a"})
    tools: Any = [{"type": "function", **function} for function in FUNCTIONS]
    response = client.responses.create(
        model="able",
        input="Hello",
        tools=tools,
        tool_choice={"type": "function", "name": "put"},
        max_output_tokens=80,
        extra_body=BEGIN_CALL,
    )
    (item,) = response.output
    assert isinstance(item, ResponseFunctionToolCall)
    assert (item.name, set(json.loads(item.arguments))) == ("put", {"a"})
    turn: Any = [
        {"role": "user", "content": "Hello"},
        item.to_dict(),
        {"type": "function_call_output", "call_id": item.call_id, "output": "9"},
    ]
    assert client.responses.create(model="able", input=turn, tools=tools, max_output_tokens=3).output_text


def test_a_model_without_tools_says_so(server: Gglib) -> None:
    """A required call is refused with a model that can; others get the header."""
    client = server.openai()
    body: dict[str, Any] = {
        "model": "tiny-a",
        "messages": [{"role": "user", "content": "Hello"}],
        "tools": [{"type": "function", "function": FUNCTIONS[0]}],
        "max_tokens": 2,
    }
    with pytest.raises(openai.BadRequestError, match="such as able") as caught:
        client.chat.completions.create(**body, tool_choice="required")
    assert caught.value.code == "unsupported_by_model"
    raw = client.chat.completions.with_raw_response.create(**body)
    assert "no tools" in raw.headers["x-gglib-warning"]


def test_input_tokens_are_counted(server: Gglib) -> None:
    """As many as the response reports."""
    client = server.openai()
    counted = client.responses.input_tokens.count(model="tiny-a", input="Hello", instructions="Be brief.")
    used = client.responses.create(
        model="tiny-a", input="Hello", instructions="Be brief.", max_output_tokens=1
    ).usage
    assert used is not None
    assert counted.input_tokens == used.input_tokens


def test_many_embeddings_with_few_dimensions(server: Gglib) -> None:
    """200 inputs are batches for the engine and one response for the client; each vector is that of its input."""
    client = server.openai()
    texts = [f"text {number}" for number in range(200)]
    many = client.embeddings.create(model="encoder", input=texts, dimensions=16).data
    assert [entry.index for entry in many] == list(range(200))
    one = client.embeddings.create(model="encoder", input=texts[150], dimensions=16).data[0].embedding
    assert many[150].embedding == pytest.approx(one, abs=1e-4)
    assert math.hypot(*one) == pytest.approx(1.0, abs=1e-4)
    with pytest.raises(openai.BadRequestError, match="have 64"):
        client.embeddings.create(model="encoder", input="a", dimensions=65)


def test_a_suffix_is_filled_or_refused(server: Gglib) -> None:
    """The official client reads the completion and the stream."""
    client = server.openai()
    asked: dict[str, Any] = {"prompt": "ab", "suffix": "cd", "max_tokens": 4}
    whole = client.completions.create(model="fills", **asked)
    assert (len(whole.choices[0].text), whole.choices[0].finish_reason) == (4, "length")
    chunks = list(client.completions.create(model="fills", stream=True, **asked))
    assert len("".join(chunk.choices[0].text for chunk in chunks)) == 4
    with pytest.raises(openai.BadRequestError, match="infill") as caught:
        client.completions.create(model="tiny-a", **asked)
    assert caught.value.code == "unsupported_by_model"


def test_sound_for_a_model_without_it(server: Gglib, tmp_path: Path) -> None:
    """The engine's refusal is a 400, which the client sends once."""
    sound = tmp_path / "a.wav"
    sound.write_bytes(b"RIFF")
    with pytest.raises(openai.BadRequestError, match="audio") as caught, sound.open("rb") as file:
        server.openai().audio.transcriptions.create(model="tiny-a", file=file)
    assert caught.value.code == "unsupported_by_model"


def test_streams_have_no_usage_that_was_not_asked_for(server: Gglib) -> None:
    """A chat's stream reports usage if the client asks, and is the engine's otherwise."""
    body: dict[str, Any] = {
        "model": "tiny-a",
        "messages": [{"role": "user", "content": "Hello"}],
        "max_tokens": 2,
        "stream": True,
    }
    for options, has_usage in (({}, False), ({"stream_options": {"include_usage": True}}, True)):
        reply = httpx2.post(f"{server.url}/v1/chat/completions", json={**body, **options}, timeout=30)
        assert ('"usage":' in reply.text) is has_usage
