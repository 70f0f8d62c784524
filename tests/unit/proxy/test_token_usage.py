"""Token counts, parsed from the end of a response; the responses are from a real llama-server (b11549, embedded)."""

import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gglib.proxy.response import Response
from gglib.proxy.token_usage import TAIL_BYTES, Usage, find_usage, read_usage

CHAT = "/v1/chat/completions"

TIMINGS = (
    b'"timings":{"cache_n":53,"prompt_n":1,"prompt_ms":0.345,"prompt_per_token_ms":0.345,'
    b'"prompt_per_second":2898.5507246376815,"predicted_n":3,"predicted_ms":0.723,'
    b'"predicted_per_token_ms":0.3615,"predicted_per_second":2766.2517289073307}'
)
CHUNK = b'"created":1795503871,"id":"chatcmpl-osZr","model":"tiny-a","object":"chat.completion.chunk"'
USAGE = (
    b'"usage":{"completion_tokens":3,"prompt_tokens":54,"total_tokens":57,'
    b'"prompt_tokens_details":{"cached_tokens":53}}'
)
ANTHROPIC_USAGE = b'"usage":{"cache_read_input_tokens":53,"input_tokens":1,"output_tokens":3}'
RESPONSES_USAGE = (
    b'"usage":{"input_tokens":54,"output_tokens":3,"total_tokens":57,'
    b'"input_tokens_details":{"cached_tokens":53}}'
)
DONE = b"data: [DONE]\n\n"

ANSWERS = {
    "chat": (
        b'{"choices":[{"message":{"content":"ewo"}}],' + USAGE + b',"id":"chatcmpl-z",' + TIMINGS + b"}",
        (54, 3),
    ),
    "chat, streamed": (
        b'data: {"choices":[{"finish_reason":"length","index":0,"delta":{}}],'
        + CHUNK
        + b","
        + TIMINGS
        + b"}\n\n"
        + DONE,
        (54, 3),
    ),
    "chat, streamed with usage": (
        b'data: {"choices":[],' + CHUNK + b"," + USAGE + b"," + TIMINGS + b"}\n\n" + DONE,
        (54, 3),
    ),
    "messages": (
        b'{"id":"chatcmpl-i","type":"message","role":"assistant","content":[{"type":"text","text":"nel"}],'
        b'"model":"tiny-a","stop_reason":"max_tokens","stop_sequence":null,' + ANTHROPIC_USAGE + b"}",
        (54, 3),
    ),
    "messages, a short stream": (
        (
            b'event: message_start\ndata: {"type":"message_start","message":{"id":"chatcmpl-V","usage":'
            b'{"cache_read_input_tokens":53,"input_tokens":1,"output_tokens":0}}}\n\n'
            b'event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"max_tokens",'
            b'"stop_sequence":null},"usage":{"output_tokens":3}}\n\n'
            b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
        ),
        (54, 3),
    ),
    "messages, the end of a long stream": (
        (
            b'event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"max_tokens",'
            b'"stop_sequence":null},"usage":{"output_tokens":3}}\n\n'
            b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
        ),
        (None, 3),
    ),
    "responses": (b'{"output":[{"text":"toh"}],"status":"completed",' + RESPONSES_USAGE + b"}", (54, 3)),
    "responses, streamed": (
        b'event: response.completed\ndata: {"type":"response.completed","response":{"status":"completed",'
        + RESPONSES_USAGE
        + b"},"
        + TIMINGS
        + b"}\n\n",
        (54, 3),
    ),
    "ollama, chat": (
        (
            b'{"model":"m","message":{"content":""},"done":true,"done_reason":"stop","total_duration":1,'
            b'"prompt_eval_count":54,"prompt_eval_duration":2,"eval_count":3,"eval_duration":4}\n'
        ),
        (54, 3),
    ),
    "ollama, embed": (
        b'{"model":"m","embeddings":[[1]],"total_duration":1,"prompt_eval_count":54}',
        (54, None),
    ),
    "ollama, load": (b'{"model":"m","done":true,"done_reason":"load"}\n', (None, None)),
    "count_tokens": (b'{"input_tokens":54}', (None, None)),
    "embeddings": (b'{"data":[],"usage":{"prompt_tokens": 6,"total_tokens": 6}}', (6, None)),
    "an error": (b'{"error":{"message":"no","code":null}}', (None, None)),
    "nothing": (b"", (None, None)),
}


@pytest.mark.parametrize(("tail", "tokens"), ANSWERS.values(), ids=ANSWERS.keys())
def test_usage_of_each_dialect(tail: bytes, tokens: tuple[int | None, int | None]) -> None:
    """Prompt tokens include those that came from the engine's cache."""
    path = "/api/embed" if b'"embeddings"' in tail else "/api/chat" if b'"done"' in tail else "/v1/x"
    assert read_usage(tail[-TAIL_BYTES:], path)[:2] == tokens


REPORTS = {
    "at the beginning, embeddings": (
        b'{"model":"tiny","object":"list","usage":{"prompt_tokens":54,"total_tokens":54},"data":[',
        b"0.25,",
        b"0.5]}",
        (54, None),
    ),
    "at the beginning, rerank": (
        b'{"model":"tiny","object":"list","usage":{"prompt_tokens":1400,"total_tokens":1400},"results":[',
        b'{"index":135,"relevance_score":3.0646252632141113},',
        b'{"index":1,"relevance_score":0.5}]}',
        (1400, None),
    ),
    "in between, native with n_probs": (
        b'{"content":"' + b"x" * 5000 + b'","tokens_predicted":3,"tokens_evaluated":54,' + TIMINGS + b",",
        b'"completion_probabilities":[{"id":337,"token":"n","logprob":-2.09}],',
        b'"stop":true}',
        (54, 3),
    ),
    "at the end, chat": (
        b'{"choices":[{"message":{"content":"',
        b"ewo ",
        b'"}}],' + USAGE + b',"id":"chatcmpl-z",' + TIMINGS + b"}",
        (54, 3),
    ),
}


@pytest.mark.parametrize("repeats", [0, 1, 400, 20_000], ids=lambda n: f"x{n}")
@pytest.mark.parametrize("part_bytes", [700, 2049, 4096, 65_536, 10**7], ids=lambda n: f"parts of {n}")
@pytest.mark.parametrize(("begin", "more", "end", "tokens"), REPORTS.values(), ids=REPORTS.keys())
async def test_usage_is_found_anywhere(  # noqa: PLR0917 - the parameters of one case
    begin: bytes,
    more: bytes,
    end: bytes,
    tokens: tuple[int | None, int | None],
    part_bytes: int,
    repeats: int,
) -> None:
    """The token counts are read at any length and segmentation of the response."""
    body = begin + more * repeats + end
    answer = Response(SilentTransport(), method="POST", minor_version=1, request_id="r")
    await answer.start(200, [(b"content-type", b"application/json")])
    for at in range(0, len(body), part_bytes):
        await answer.write(body[at : at + part_bytes])
    assert read_usage(answer.usage_excerpt, CHAT)[:2] == tokens


@pytest.mark.parametrize("text_bytes", range(1600, 2050, 20))
async def test_usage_cut_off_by_the_end_of_the_start_is_found(text_bytes: int) -> None:
    """The start of a body is kept to this length: what it reports may continue beyond."""
    begin, more, end, tokens = REPORTS["in between, native with n_probs"]
    body = begin.replace(b"x" * 5000, b"x" * text_bytes) + more * 400 + end
    answer = Response(SilentTransport(), method="POST", minor_version=1, request_id="r")
    await answer.start(200, [(b"content-type", b"application/json")])
    await answer.write(body)
    assert read_usage(answer.usage_excerpt, CHAT)[:2] == tokens


@given(st.lists(st.integers(1, 9_000), min_size=1, max_size=20), st.sampled_from(sorted(REPORTS)))
async def test_usage_is_found_at_any_segmentation(sizes: list[int], name: str) -> None:
    """Short parts may come between long ones."""
    begin, more, end, tokens = REPORTS[name]
    body = begin + more * 400 + end
    answer = Response(SilentTransport(), method="POST", minor_version=1, request_id="r")
    await answer.start(200, [(b"content-type", b"application/json")])
    for size in itertools.cycle(sizes):
        part, body = body[:size], body[size:]
        if not part:
            break
        await answer.write(part)
    assert read_usage(answer.usage_excerpt, CHAT)[:2] == tokens


async def test_long_anthropic_stream_reports_at_both_ends() -> None:
    """Anthropic's streams have the prompt's tokens in the first event and the response's in the last but one."""
    answer = Response(SilentTransport(), method="POST", minor_version=1, request_id="r")
    await answer.start(200, [(b"content-type", b"text/event-stream")])
    await answer.write(
        b'event: message_start\ndata: {"type":"message_start","message":{"id":"chatcmpl-V","usage":'
        b'{"cache_read_input_tokens":53,"input_tokens":1,"output_tokens":0}}}\n\n'
    )
    for _ in range(500):
        await answer.write(
            b'event: content_block_delta\ndata: {"delta":{"type":"text_delta","text":"a"}}\n\n'
        )
    await answer.write(
        b'event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"max_tokens"},'
        b'"usage":{"output_tokens":500}}\n\nevent: message_stop\ndata: {"type":"message_stop"}\n\n'
    )
    assert read_usage(answer.usage_excerpt, CHAT) == Usage(54, 500, 53)


class SilentTransport:
    """A transport that accepts and drops everything."""

    date_line = b""
    can_keep_alive = True
    is_write_paused = False
    peer_host = server_host = None

    async def drain(self) -> None:
        """Return at once."""

    def write(self, data: bytes) -> None:
        """Drop the bytes."""

    def end(self, *, may_keep_alive: bool) -> None:
        """Ignore the end."""


LOOK_ALIKES = st.lists(
    st.sampled_from(
        [
            '"prompt_tokens":7',
            '"completion_tokens":7,',
            '{"usage":{"input_tokens": 7}}',
            '"predicted_n":7',
            "\\",
            '"',
            "x",
        ]
    ),
    max_size=6,
).map("".join)


@given(LOOK_ALIKES, LOOK_ALIKES)
def test_generated_text_is_never_taken_for_usage(before: str, after: str) -> None:
    """In any generated text, in a response or in the last event of a stream, quotes are escaped."""
    text = json.dumps(
        {"content": before, "usage": {"completion_tokens": 3, "prompt_tokens": 54}, "note": after}
    ).encode()
    assert read_usage(text, CHAT) == Usage(54, 3)
    assert read_usage(json.dumps({"content": before, "note": after}).encode(), CHAT) == Usage()


@pytest.mark.parametrize(
    "member",
    [
        b'"prompt_tokens":null',
        b'"prompt_tokens":-5',
        b'"prompt_tokens":"5"',
        b'"prompt_tokens":1.5',
        b'"prompt_tokens":1234567890123',
        b'"prompt_tokens":',
        b'"a\\"prompt_tokens":5',
        b'rompt_tokens":5',
    ],
)
def test_invalid_count_is_none(member: bytes) -> None:
    """Without a number of a plausible size after the whole name there is no count."""
    assert read_usage(b'{"usage":{' + member + b"}}", CHAT).prompt_tokens is None


def test_cached_tokens_and_speed() -> None:
    """As each dialect reports them; the speed is the engine's."""
    chat = b'{"choices":[],' + USAGE + b"," + TIMINGS + b"}"
    assert read_usage(chat, CHAT) == Usage(54, 3, 53, 2766.2517289073307)
    assert read_usage(b"{" + TIMINGS + b"}", CHAT) == Usage(54, 3, 53, 2766.2517289073307)
    assert read_usage(b"{" + ANTHROPIC_USAGE + b"}", CHAT) == Usage(54, 3, 53)
    assert read_usage(b"{" + RESPONSES_USAGE + b"}", CHAT) == Usage(54, 3, 53)
    ollama = b'{"done":true,"prompt_eval_count":54,"eval_count":3,"eval_duration":1500000000}'
    assert read_usage(ollama, "/api/chat") == Usage(54, 3, None, 2.0)
    assert read_usage(ollama.replace(b"1500000000", b"0"), "/api/chat") == Usage(54, 3)
    written = b'{"usage":{"input_tokens":1,"cache_creation_input_tokens":7,"cache_read_input_tokens":2}}'
    assert read_usage(written, CHAT) == Usage(10, None, 2)


def test_arguments_of_tools_are_no_usage() -> None:
    """Anthropic and Ollama have them as objects, so that the names of counts are not escaped."""
    arguments = b'{"prompt_tokens":7,"completion_tokens":7,"prompt_eval_count":7,"usage":{"input_tokens":7}}'
    message = b'{"content":[{"type":"tool_use","input":' + arguments + b"}]," + ANTHROPIC_USAGE + b"}"
    assert read_usage(message, CHAT)[:2] == (54, 3)
    call = b'{"message":{"tool_calls":[{"function":{"arguments":' + arguments + b"}}]},"
    assert read_usage(call + b'"done":true,"prompt_eval_count":54,"eval_count":3}', "/api/chat")[:2] == (
        54,
        3,
    )
    assert read_usage(call + b'"done":false}\n', "/api/chat") == Usage()


def test_a_schema_named_usage_is_no_usage() -> None:
    """A response of the Responses API repeats the tools of the request."""
    tools = b'"tools":[{"parameters":{"usage":{"type":"object","properties":{"input_tokens":{"type":"integer"}}}}}]'
    assert read_usage(b"{" + RESPONSES_USAGE + b"," + tools + b"}", CHAT)[:2] == (54, 3)


def test_a_cancelled_stream_has_what_was_told_before() -> None:
    """Anthropic's first event has the prompt; OpenAI's chunks have a null, or the usage so far."""
    start = (
        b'event: message_start\ndata: {"type":"message_start","message":{"usage":'
        b'{"cache_read_input_tokens":53,"input_tokens":1,"output_tokens":0}}}\n\n'
    )
    assert read_usage(start + b'event: content_block_delta\ndata: {"delta":{"text":"a"}}\n\n', CHAT)[:2] == (
        54,
        0,
    )
    chunk = b'data: {"choices":[{"delta":{"content":"a"}}],"usage":null}\n\n'
    assert read_usage(chunk * 3, CHAT) == Usage()
    assert read_usage(b"data: {" + USAGE + b"}\n\n" + chunk, CHAT)[:2] == (54, 3)
    line = b'{"model":"m","message":{"role":"assistant","content":"a"},"done":false}\n'
    assert read_usage(line, "/api/chat") == Usage()


@pytest.mark.parametrize("cut", [1, 5, len(b'"usage"') - 1])
def test_usage_across_a_boundary_is_found(cut: int) -> None:
    """The excerpt begins at the name, although the name was received in two parts."""
    stream = b"x" * 50 + USAGE + b"}"
    at = stream.index(b'"usage"') + cut
    assert find_usage(stream[at:], stream[:at]).startswith(b'"usage":{"completion_tokens":3')
    assert find_usage(b"y", b"x") == b""


def test_timings_without_counts_have_the_speed_only() -> None:
    """Another build may leave the counts out."""
    assert read_usage(b'{"timings":{"predicted_per_second":12.5}}', CHAT) == Usage(None, None, None, 12.5)


def test_each_count_is_the_last_that_was_reported() -> None:
    """A later report need not repeat all counts of an earlier one."""
    stream = b'"usage":{"prompt_tokens":4,"completion_tokens":3} "usage":{"prompt_tokens":5}'
    assert read_usage(stream, CHAT) == Usage(5, 3, None)


@pytest.mark.parametrize(("computed", "speed"), [(63, None), (64, 2000.0)])
def test_the_speed_of_a_prompt_needs_some_tokens(computed: int, speed: float | None) -> None:
    """The time for a few is mostly that of the call."""
    timings = b'"timings":{"cache_n":53,"prompt_n":%d,"prompt_per_second":2000.0,"predicted_n":3}' % computed
    assert read_usage(b"{" + timings + b"}", CHAT).prompt_tokens_per_s == speed
