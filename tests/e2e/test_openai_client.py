"""The official OpenAI client against real models."""

from pathlib import Path
from typing import TYPE_CHECKING

import httpx2
import openai
import pytest
from openai.types.chat import ChatCompletionMessageParam
from tests.support.engines import EMBEDDED

if TYPE_CHECKING:
    from tests.e2e.conftest import Gglib
else:
    Gglib = object

pytestmark = pytest.mark.e2e

HELLO: list[ChatCompletionMessageParam] = [{"role": "user", "content": "Hello"}]


def test_a_real_model_answers_a_question(home: Gglib, smollm2: Path) -> None:
    """The user adds a file, requests it by its name, and gets a text response."""
    home.command("add", str(smollm2), "--name", "smollm2")
    question: list[ChatCompletionMessageParam] = [
        {"role": "user", "content": "Write a sentence about the sea."}
    ]
    answer = (
        home.serve()
        .openai()
        .chat.completions.create(model="smollm2", messages=question, max_tokens=40, temperature=0)
    )
    assert "sea" in (answer.choices[0].message.content or "").lower()
    assert answer.model == "smollm2"
    assert answer.usage is not None
    assert answer.usage.completion_tokens > 0


def test_two_models_asked_in_turn_both_answer_and_one_engine_exists(gglib: Gglib) -> None:
    """A request for the other model swaps the engine; two engine processes never exist at once."""
    client = gglib.openai()
    for name in ("tiny-a", "Tiny-B", "tiny-a", "Tiny-B"):
        answer = client.chat.completions.create(model=name, messages=HELLO, max_tokens=5)
        assert answer.model == name
        assert answer.choices[0].message.content
        assert len(gglib.engines()) == 1


def test_a_stream_arrives_chunk_by_chunk(gglib: Gglib) -> None:
    """The first words arrive while the engine still generates."""
    stream = gglib.openai().chat.completions.create(
        model="tiny-a", messages=HELLO, max_tokens=1500, stream=True, stream_options={"include_usage": True}
    )
    next(stream)
    assert [
        resident["in_flight"] for resident in gglib.residents() if resident["model_name"] == "tiny-a"
    ] == [1]
    *chunks, last = stream
    assert last.usage is not None
    assert last.usage.completion_tokens == 1500
    assert len(chunks) > 500


@pytest.mark.only_engine(EMBEDDED)  # no engine runs
def test_models_are_listed_and_retrieved(gglib: Gglib) -> None:
    """The list matches the catalogue; a model is retrieved by name and by alias."""
    client = gglib.openai()
    assert [model.id for model in client.models.list()] == ["tiny-a", "Tiny-B"]
    assert client.models.retrieve("tiny-a").owned_by == "gglib"
    assert client.models.retrieve("alias-b").id == "Tiny-B"


@pytest.mark.only_engine(EMBEDDED)  # no engine runs
def test_an_unknown_model_is_not_found(gglib: Gglib) -> None:
    """The client raises NotFoundError with the code that programs check, and suggests similar names."""
    client = gglib.openai()
    with pytest.raises(openai.NotFoundError, match="tiny-a") as caught:
        client.chat.completions.create(model="tiny-aa", messages=HELLO)
    assert caught.value.code == "model_not_found"
    assert caught.value.request_id
    with pytest.raises(openai.NotFoundError) as caught:
        client.models.retrieve("nothing-like-it")
    assert caught.value.code == "model_not_found"


@pytest.mark.parametrize("name", ["Tiny-B", "alias-b", "2", "TINY-B"])
def test_name_alias_id_and_other_case_resolve(gglib: Gglib, name: str) -> None:
    """Name, alias, id and other letter case each resolve to the model."""
    answer = gglib.openai().chat.completions.create(model=name, messages=HELLO, max_tokens=2)
    assert answer.model == "Tiny-B"


def test_num_ctx_relaunches_once_and_a_later_request_without_it_does_not(gglib: Gglib) -> None:
    """The request enlarges the context, and the model keeps it."""
    client = gglib.openai()

    def engine_after(**extra: int) -> tuple[int, int]:
        client.chat.completions.create(model="tiny-a", messages=HELLO, max_tokens=2, extra_body=extra)
        (engine,) = gglib.engines()
        return engine, httpx2.get(f"{gglib.url}/gglib/status").json()["residents"][0]["effective_ctx"]

    client.chat.completions.create(model="Tiny-B", messages=HELLO, max_tokens=2)
    small, grown = engine_after(), engine_after(num_ctx=8192)
    assert (small[1], grown[1]) == (4096, 8192)
    assert small[0] != grown[0]
    assert engine_after() == grown
    assert engine_after(num_ctx=2048) == grown


def test_embeddings_and_completions_pass_too(gglib: Gglib) -> None:
    """The plain completion endpoint works; an error of the engine is passed on in the engine's words."""
    client = gglib.openai()
    assert client.completions.create(model="tiny-a", prompt="abc", max_tokens=3).choices[0].text
    with pytest.raises(openai.APIStatusError, match="embedding"):
        client.embeddings.create(model="tiny-a", input="abc")


def test_a_prompt_that_is_too_long_has_openais_error_code(gglib: Gglib) -> None:
    """Clients shorten the conversation when they receive this code."""
    too_long: list[ChatCompletionMessageParam] = [{"role": "user", "content": "abc " * 20_000}]
    with pytest.raises(openai.BadRequestError) as caught:
        gglib.openai().chat.completions.create(model="tiny-a", messages=too_long)
    assert caught.value.code == "context_length_exceeded"
    body = caught.value.body
    assert isinstance(body, dict)
    assert body["n_prompt_tokens"] > body["n_ctx"] > 0
    assert "gglib set tiny-a --ctx 32768" in body["message"]


IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
AUDIO = {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}


@pytest.mark.parametrize(
    ("path", "fields", "code"),
    [
        ("/chat/completions", {"messages": [{"role": "user", "content": [IMAGE]}]}, "unsupported_by_model"),
        ("/chat/completions", {"messages": [{"role": "user", "content": [AUDIO]}]}, "unsupported_by_model"),
        ("/chat/completions", {"messages": [{"content": "hi"}]}, "invalid_request"),
        ("/chat/completions", {"messages": [{"role": None, "content": "hi"}]}, "invalid_request"),
        (
            "/chat/completions",
            {"messages": [{"role": "user", "content": "hi"}], "tools": {}},
            "invalid_request",
        ),
        ("/responses", {"input": "hi", "reasoning_format": "foo"}, "invalid_request"),
        ("/embeddings", {"input": "hi"}, "unsupported_by_model"),
        ("/rerank", {"query": "a", "documents": ["b"]}, "unsupported_by_model"),
        ("/messages", {"max_tokens": 2, "messages": [{"content": "hi"}]}, None),
        ("/messages", {"max_tokens": 2}, None),
        ("/messages/count_tokens", {"messages": [{"content": "hi"}]}, None),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_what_the_engine_refuses_with_a_5xx_is_a_400(
    gglib: Gglib, path: str, fields: dict[str, object], code: str | None, *, stream: bool
) -> None:
    """The engine's 500 and 501 for an invalid body or an unsuitable model never cause three tries of a client."""
    reply = httpx2.post(
        f"{gglib.url}/v1{path}", json={"model": "tiny-a", "stream": stream, **fields}, timeout=30
    )
    error = reply.json()["error"]
    assert (reply.status_code, error["type"]) == (400, "invalid_request_error")
    assert error.get("code") == code
    assert ("request_id" in reply.json()) is path.startswith("/messages")


def test_an_overflow_in_anthropics_dialect_has_its_words(gglib: Gglib) -> None:
    """Claude Code shortens the conversation when it reads this message."""
    messages = [{"role": "user", "content": "abc " * 20_000}]
    for stream in (False, True):
        body = {"model": "tiny-a", "max_tokens": 2, "stream": stream, "messages": messages}
        reply = httpx2.post(f"{gglib.url}/v1/messages", json=body, timeout=30)
        assert (reply.status_code, reply.json()["type"]) == (400, "error")
        error = reply.json()["error"]
        assert error["type"] == "invalid_request_error"
        begin = f"prompt is too long: {error['n_prompt_tokens']} tokens > {error['n_ctx']} maximum: shorten"
        assert error["message"].startswith(begin)


@pytest.mark.parametrize("path", ["/chat/completions", "/completions", "/responses", "/messages"])
def test_engine_fields_that_ask_for_nothing_are_served(gglib: Gglib, path: str) -> None:
    """A request with every field of llama-server set to its default is served."""
    neutral: dict[str, object] = {"id_slot": -1, "lora": [], "n_discard": 0, "grammar_triggers": []}
    if gglib.engine == EMBEDDED:  # b10068 parses the empty text as JSON, and refuses it
        neutral["chat_parser"] = ""
    content: dict[str, object] = {
        "messages": [{"role": "user", "content": "hi"}],
        "prompt": "hi",
        "max_tokens": 2,
    }
    if path == "/responses":  # its 'prompt' is a stored one, which is refused
        content = {"input": "hi"}
    reply = httpx2.post(
        f"{gglib.url}/v1{path}",
        json={"model": "tiny-a", "max_output_tokens": 2, **content, **neutral},
        timeout=30,
    )
    assert reply.status_code == 200, reply.text
