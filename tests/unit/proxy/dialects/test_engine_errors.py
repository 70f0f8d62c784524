"""Classification of the engine's errors: status, code and message for the client."""

import json

import pytest
from tests.support.golden import Golden

from gglib.core.models import ModelCapabilities, ModelSummary
from gglib.proxy.dialects.engine_errors import explain, read_event, read_response
from gglib.proxy.errors import (
    ContextLengthExceededError,
    EngineError,
    RefusedByEngineError,
    UnsupportedByModelError,
    to_error_response,
)

TINY = ModelSummary(id=1, name="my tiny", trained_context=32_768)


def answer(message: str, *, status: int = 500, type_: str = "server_error", **more: object) -> bytes:
    """Return an error body as llama-server sends it."""
    return json.dumps({"error": {"code": status, "message": message, "type": type_, **more}}).encode()


def read(message: str, *, status: int = 500, type_: str = "server_error") -> EngineError:
    """Return the classified error of an engine response."""
    error = read_response(status, answer(message, status=status, type_=type_))
    assert error is not None
    return error


REFUSED = [
    "'messages' is required",
    'Failed to parse messages: Missing \'role\' in message: {"content":"x"}',
    "Failed to parse messages: [json.exception.out_of_range.403] key 'text' not found",
    'Failed to parse messages: Missing tool call function: {"type":"function","id":"1"}',
    "Failed to parse messages: Missing tool call type: {}",
    'Failed to parse messages: Unsupported tool call type: {"type":"custom","id":"1"}',
    "Failed to parse messages: [json.exception.type_error.302] type must be string, but is null",
    "Failed to parse tools: Expected 'tools' to be an array, got {}; tools = {}",
    'Failed to parse tools: Missing tool type: "x"; tools = [\n  "x"\n]',
    'Failed to parse tools: Unsupported tool type: {"type":"foo"}; tools = []',
    "Failed to parse tools: [json.exception.out_of_range.403] key 'name' not found; tools = []",
    "Cannot use both json_schema and grammar",
    "Unknown reasoning format: foo",
    "Unknown reasoning format: ",
    "Failed to load image or audio file",
    "Failed to initialize samplers: bad",
    "Invalid 'content' type: expected string or array, got 1",
    "tool_choice param requires --jinja flag is not supported",
    "\n------------\nWhile executing CallExpression at line 1, column 205\nError: Jinja Exception: no",
]
UNSUPPORTED = [
    (
        "image input is not supported - hint: if this is unexpected, you may need to provide the mmproj",
        500,
        "vision",
    ),
    (
        "audio input is not supported - hint: if this is unexpected, you may need to provide the mmproj",
        500,
        None,
    ),
    (
        "video input is not supported - hint: if this is unexpected, you may need to provide the mmproj",
        500,
        None,
    ),
    ("image input is not supported", 400, "vision"),
    ("This server does not support embeddings. Start it with `--embeddings`", 501, "embedding"),
    ("This server does not support reranking. Start it with `--reranking`", 501, "rerank"),
    ("Infill is not supported by this model: prefix token is missing. ", 501, "infill"),
    ("the current context does not support logits computation. skipping", 500, "chat"),
    ("This model is not a decision model", 501, None),
    ("Something else that this build lacks", 501, None),
]


@pytest.mark.parametrize("message", REFUSED)
def test_parse_error_of_the_request_is_400(message: str) -> None:
    """A 500 that reports a fault in the body becomes a 400 in the engine's words, so that no client retries."""
    error = read(message)
    assert type(error) is RefusedByEngineError
    error_response = to_error_response(error)
    assert (error_response.status, error_response.type_, error_response.code) == (
        400,
        "invalid_request_error",
        "invalid_request",
    )
    assert error_response.message == message
    assert error_response.headers == ()


@pytest.mark.parametrize(("message", "status", "capability"), UNSUPPORTED)
def test_unsupported_capability_is_400(message: str, status: int, capability: str | None) -> None:
    """A retry does not give a model a missing capability."""
    error = read(message, status=status, type_="not_supported_error")
    assert isinstance(error, UnsupportedByModelError)
    assert error.capability == capability
    error_response = to_error_response(error)
    assert (error_response.status, error_response.type_, error_response.code) == (
        400,
        "invalid_request_error",
        "unsupported_by_model",
    )


@pytest.mark.parametrize(
    "message",
    [
        "Compute error.",
        "Invalid input batch.",
        "failed to process speculative batch",
        "failed to find free space in the KV cache",
        "Failed to decode the batch",
    ],
)
def test_compute_error_stays_a_retryable_500(message: str) -> None:
    """The engine's own fault is not reported as the client's."""
    error_response = to_error_response(read(message))
    assert (error_response.status, error_response.code, error_response.headers) == (500, "engine_error", ())


def test_unknown_500_is_not_retryable() -> None:
    """A running engine that refuses a request refuses it each time."""
    error_response = to_error_response(read("a sentence of a later build", type_="odd"))
    assert (error_response.status, error_response.type_, error_response.code) == (500, "odd", "engine_error")
    assert error_response.headers == ((b"x-should-retry", b"false"),)


@pytest.mark.parametrize(
    ("status", "type_", "expected"),
    [
        (503, "unavailable_error", (503, "server_error", "model_loading", ())),
        (
            401,
            "authentication_error",
            (502, "upstream_error", "upstream_error", ((b"x-should-retry", b"false"),)),
        ),
        (400, "invalid_request_error", (400, "invalid_request_error", None, ())),
        (404, "not_found_error", (404, "not_found_error", None, ())),
    ],
)
def test_other_statuses_keep_their_meaning(status: int, type_: str, expected: tuple[object, ...]) -> None:
    """Loading is retried; the key between gglib and its engine is never the client's fault; a 4xx is passed on."""
    error_response = to_error_response(read("anything", status=status, type_=type_))
    assert (
        error_response.status,
        error_response.type_,
        error_response.code,
        error_response.headers,
    ) == expected


def test_string_code_is_kept_and_number_is_not() -> None:
    """OpenAI's clients expect a string or null."""
    busy = read_response(429, b'{"error":{"code":"busy","message":"no","type":"t"}}')
    assert busy is not None
    assert to_error_response(busy).error == {"message": "no", "type": "t", "param": None, "code": "busy"}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'"error"',
        b'{"error":"no"}',
        b'{"error":{}}',
        b'{"detail":[1]}',
        b"[" * 100_000,
        b"\xff",
    ],
)
def test_unrecognized_body_is_not_an_error(body: bytes) -> None:
    """The body is relayed unchanged."""
    assert read_response(500, body) is None
    assert read_event(b"data: " + body + b"\n\n") is None


def test_long_message_is_cut() -> None:
    """The engine repeats all tools in a message about one of them."""
    assert str(read("Failed to parse tools: " + "x" * 5000)) == "Failed to parse tools: " + "x" * 977 + "..."


@pytest.mark.parametrize(
    ("message", "details"),
    [
        (
            "input (901 tokens) is too large to process. increase the physical batch size (current batch size: 512)",
            {"n_prompt_tokens": 901, "n_ctx": 512},
        ),
        (
            "input (9 tokens) is larger than the max context size (8 tokens). skipping",
            {"n_prompt_tokens": 9, "n_ctx": 8},
        ),
        ("Context size has been exceeded.", {}),
        ("the question and its options (9 tokens) are too large to process.", {"n_prompt_tokens": 9}),
        ("failed to get embeddings, the question and its options must fit in one batch", {}),
    ],
)
def test_every_overflow_has_the_same_code(message: str, details: dict[str, int]) -> None:
    """Clients shorten their request at this code, by the numbers that the engine names."""
    error = read(message)
    assert isinstance(error, ContextLengthExceededError)
    assert error.details == details
    assert error.is_cache_full is message.startswith("Context size")
    error_response = to_error_response(error)
    assert (error_response.status, error_response.code, error_response.headers) == (
        400,
        "context_length_exceeded",
        (),
    )


def overflow(*, requested: int | None, most: int, model: ModelSummary = TINY) -> EngineError:
    """Return an overflow as the client gets it."""
    if requested is None:
        error = read("Context size has been exceeded.")
        error.n_ctx = most
    else:
        message = f"request ({requested} tokens) exceeds the available context size ({most} tokens), try increasing it"
        body = answer(
            message, status=400, type_="exceed_context_size_error", n_prompt_tokens=requested, n_ctx=most
        )
        found = read_response(400, body)
        assert found is not None
        error = found
    return explain(error, model, [])


def test_overflow_keeps_its_numbers_and_names_the_command() -> None:
    """The message has llama.cpp's words and OpenAI's, the next power of two, and a command ready to paste."""
    error_response = to_error_response(overflow(requested=18_049, most=1024))
    assert error_response.error == {
        "message": "request (18049 tokens) exceeds the available context size (1024 tokens); the maximum context "
        "length is 1024 tokens as the model is loaded "
        "(context_length_exceeded): shorten the request, send 'num_ctx': 32768 with it, or run "
        "\"gglib set 'my tiny' --ctx 32768\" (the model was trained for 32768).",
        "type": "exceed_context_size_error",
        "param": None,
        "code": "context_length_exceeded",
        "n_prompt_tokens": 18_049,
        "n_ctx": 1024,
    }


@pytest.mark.parametrize(
    ("message", "begin"),
    [
        (
            "input (901 tokens) is too large to process. increase the physical batch size (current batch size: 512)",
            "input (901 tokens) is too large to process; the maximum context length is 512 tokens as",
        ),
        (
            "input (9 tokens) is larger than the max context size (8 tokens). skipping",
            "input (9 tokens) is larger than the max context size (8 tokens); the maximum context length is 8 tokens",
        ),
        ("a later wording", "a later wording; the maximum context length is 64 tokens as"),
    ],
)
def test_engine_options_are_removed_from_the_message(message: str, begin: str) -> None:
    """The engine's sentence stays, without the command-line option that the client does not have."""
    found = read_response(400, answer(message, status=400, type_="exceed_context_size_error"))
    error = read(message) if found is None or "later" not in message else found
    error.n_ctx = 64
    assert str(explain(error, TINY, [])).startswith(begin)


def test_full_cache_names_the_context_size() -> None:
    """The engine does not report its context size in mid-stream; the launch configuration has it."""
    error = overflow(requested=None, most=1024)
    assert str(error) == (
        "Context size has been exceeded; the maximum context length is 1024 tokens as the model is loaded "
        "(context_length_exceeded): shorten the "
        "request, send 'num_ctx': 2048 with it, or run \"gglib set 'my tiny' --ctx 2048\" "
        "(the model was trained for 32768)."
    )
    assert error.details == {"n_ctx": 1024}
    assert isinstance(error, ContextLengthExceededError)
    assert error.is_cache_full


@pytest.mark.parametrize(
    ("requested", "most", "trained", "end"),
    [
        (
            9000,
            8192,
            8192,
            ": shorten the request; the model was trained for 8192 tokens and supports no more.",
        ),
        (
            9000,
            8192,
            2048,
            ": shorten the request; the model was trained for 2048 tokens and supports no more.",
        ),
        (
            9000,
            4096,
            8192,
            "'num_ctx': 8192 with it, or run 'gglib set m --ctx 8192' (the model was trained for 8192).",
        ),
        (8192, 4096, 40_960, "--ctx 16384' (the model was trained for 40960)."),
        (8191, 4096, 40_960, "--ctx 8192' (the model was trained for 40960)."),
        (9000, 4096, None, "'num_ctx': 16384 with it, or run 'gglib set m --ctx 16384'."),
        (None, 8192, None, "'num_ctx': 16384 with it, or run 'gglib set m --ctx 16384'."),
    ],
)
def test_advised_context_is_at_most_the_trained_one(
    requested: int | None, most: int, trained: int | None, end: str
) -> None:
    """At the trained context size, only a shorter request helps."""
    model = ModelSummary(id=1, name="m", trained_context=trained)
    assert str(overflow(requested=requested, most=most, model=model)).endswith(end)


def able(number: int, **capabilities: bool) -> ModelSummary:
    """Return a model with capabilities."""
    return ModelSummary(id=number, name=f"m{number}", capabilities=ModelCapabilities(**capabilities))


def test_an_unsupported_capability_names_models_that_have_it(golden: Golden) -> None:
    """The message names at most five models and, if there is one, the command that adds the capability."""
    catalogue = [
        able(1, vision=True),
        able(2, embedding=True),
        *(able(number, vision=True) for number in range(3, 10)),
    ]
    model = able(1, vision=True)
    image = explain(read(UNSUPPORTED[0][0]), model, catalogue)
    assert golden(str(image))
    assert "m3, m4, m5, m6, m7," in str(image)
    assert "m2" not in str(image)
    assert "'gglib set m1 --mmproj FILE'" in str(image)
    embedding = explain(read(UNSUPPORTED[4][0], status=501), able(9, chat=True), catalogue)
    assert golden(str(embedding))
    assert "m2," in str(embedding)
    assert "'gglib set m9 --embedding'" in str(embedding)
    infill = explain(read(UNSUPPORTED[6][0], status=501), model, catalogue)
    assert golden(str(infill))
    assert "'gglib list'" in str(infill)
    audio = explain(read(UNSUPPORTED[1][0]), model, catalogue)
    assert str(audio).startswith("Model 'm1': audio input is not supported")


def test_error_event_formats() -> None:
    """The engine has one format for OpenAI's routes and one for Anthropic's; a status in it counts."""
    for event in (
        b'data: {"error":{"code":503,"message":"m","type":"unavailable_error"}}\n\n',
        b'event: error\ndata: {"code":503,"message":"m","type":"unavailable_error"}\n\n',
        b'event: error\r\ndata: {"code":503,\r\ndata: "message":"m","type":"unavailable_error"}\r\n\r\n',
    ):
        error = read_event(event)
        assert error is not None
        assert (error.status, str(error)) == (503, "m")
    for event in (
        b'data: {"code":503,"message":"m","type":"t"}\n\n',
        b'event: message\ndata: {"code":503,"message":"m"}\n\n',
        b'data: {"error":null}\n\n',
    ):
        assert read_event(event) is None


def test_error_without_a_remedy_is_returned_as_it_is() -> None:
    """Neither an ordinary error nor an overflow without a known context gets a hint."""
    ordinary = EngineError("no", status=500, type_="server_error", shown_code=None)
    unknown = ContextLengthExceededError("too long", details={})
    assert explain(ordinary, TINY, []) is ordinary
    assert explain(unknown, TINY, []) is unknown


def test_a_busy_engine_keeps_its_503() -> None:
    """``GET /slots?fail_on_no_slot=1`` is for load balancers."""
    error = read("no slot available", status=503, type_="unavailable_error")
    assert (error.status, error.is_retryable) == (503, True)


def test_a_reranker_that_should_chat_ranks() -> None:
    """An embedding model only creates embeddings."""
    rank = ModelSummary(id=1, name="r", capabilities=ModelCapabilities(rerank=True))
    embed = ModelSummary(id=2, name="e", capabilities=ModelCapabilities(embedding=True))
    error = UnsupportedByModelError("x", "chat")
    assert str(explain(error, rank, [])).startswith("Model 'r' only ranks texts: use another model")
    assert str(explain(error, embed, [])).startswith("Model 'e' only creates embeddings: use another model")
