"""Extracts the token usage of a response from excerpts of its body. Pure.

Most dialects report usage at the end of the response or stream: ``usage`` in OpenAI's, Anthropic's and the Responses
API, the counts of Ollama's API, and llama-server's ``timings``, which its streams have even if ``usage`` was not
requested. Embeddings and rerankings report it at the beginning, before ``data`` and ``results``, and Anthropic's
streams report the prompt in ``message_start``. With ``n_probs`` llama-server's own format reports it in the middle,
before the probabilities (all observed with b11549). These keys cannot occur in generated text, where their quotes would
be escaped. ``read_usage`` says how other objects are distinguished.
"""

import re
from collections.abc import Callable, Iterator
from typing import Annotated, NamedTuple, TypeVar

import msgspec
from msgspec import Meta, Struct

TAIL_BYTES = 2048
"""The last event of a response, with usage and timings, has about 700 bytes; ``[DONE]`` may follow."""

START_BYTES = 2048
"""``message_start`` has about 400 bytes, embeddings have 100 before their data; model names may be longer."""

_EXCERPT_BYTES = 512
"""More than the size of a ``usage`` or ``timings`` object, about 100 and 300 bytes."""
_USAGE, _TIMINGS = _OBJECTS = (b'"usage":', b'"timings":')
_FIRST_EVENT_BYTES = 256
"""The first bytes of a stream that contain the type of its first event, after any comments."""

_OLLAMA_PATHS = frozenset(("/api/chat", "/api/generate", "/api/embed"))
_DONE, _NOT_DONE = b'"done":true', b'"done":false'
_NUMBER = re.compile(rb" ?(\d{1,12})(?![\d.])")
_STARTS = (b"{", b" {")
"""llama-server's JSON is compact; other servers may write a space."""
_BACKSLASH = ord("\\")
_NS_PER_S = 1e9
_MIN_PROMPT_TOKENS = 64
"""The time for fewer computed tokens is mostly that of the call: it says nothing of the speed."""


class Usage(NamedTuple):
    """Token usage of a response, as far as it reports it; else None."""

    prompt_tokens: int | None = None
    """With those that came from the engine's cache."""
    completion_tokens: int | None = None
    cached_tokens: int | None = None
    tokens_per_s: float | None = None
    """Speed of the generation."""
    prompt_tokens_per_s: float | None = None
    """Speed of the prompt, without the tokens that came from the cache."""


_NO_USAGE = Usage()
_Count = Annotated[int, Meta(ge=0, lt=10**12)] | None


class _Details(Struct):
    cached_tokens: _Count = None


class _UsageObject(Struct):
    """``usage``, with OpenAI's names first, then those of Anthropic and the Responses API."""

    prompt_tokens: _Count = None
    completion_tokens: _Count = None
    prompt_tokens_details: _Details | None = None
    input_tokens: _Count = None
    output_tokens: _Count = None
    input_tokens_details: _Details | None = None
    cache_read_input_tokens: _Count = None
    """This and the next are Anthropic's, and not part of ``input_tokens``."""
    cache_creation_input_tokens: _Count = None


class _Timings(Struct):
    """llama-server's ``timings``."""

    cache_n: _Count = None
    """Not part of ``prompt_n``."""
    prompt_n: _Count = None
    prompt_per_second: float | None = None
    predicted_n: _Count = None
    predicted_per_second: float | None = None


_decode_usage = msgspec.json.Decoder(_UsageObject).decode
_decode_timings = msgspec.json.Decoder(_Timings).decode
_Decoded = TypeVar("_Decoded")


def read_usage(excerpts: bytes, path: str) -> Usage:
    """Return the usage reported in the excerpts of a response to a request for ``path``; later reports win.

    Only the members of ``usage`` and ``timings`` count, and Ollama's counts only on its own paths, after the text:
    elsewhere the same names may occur in what the model or the client wrote, as in the arguments of a tool, which
    Anthropic and Ollama have as objects. So a count of tokens without a generation (``count_tokens``) is no usage.
    """
    if path in _OLLAMA_PATHS:
        return _ollama_usage(excerpts)
    return _engine_usage(excerpts)


def _engine_usage(excerpts: bytes) -> Usage:
    """Return the usage in ``usage`` and ``timings``, as all dialects but Ollama's have it."""
    prompt = completion = cached = None
    for usage in _objects(excerpts, _USAGE, _decode_usage):
        if completion is None:
            completion = usage.output_tokens if usage.completion_tokens is None else usage.completion_tokens
        if prompt is None:
            prompt, cached = _prompt_of(usage)
        if prompt is not None and completion is not None:
            break
    for timings in _objects(excerpts, _TIMINGS, _decode_timings):
        if prompt is None and completion is None and timings.prompt_n is not None:
            prompt, completion = timings.prompt_n + (timings.cache_n or 0), timings.predicted_n
        return Usage(
            prompt,
            completion,
            timings.cache_n if cached is None else cached,
            timings.predicted_per_second,
            timings.prompt_per_second if (timings.prompt_n or 0) >= _MIN_PROMPT_TOKENS else None,
        )
    return Usage(prompt, completion, cached)


def _prompt_of(usage: _UsageObject) -> tuple[int | None, int | None]:
    """Return the tokens of the prompt, and those of them that came from the cache."""
    prompt, details = usage.prompt_tokens, usage.prompt_tokens_details
    if prompt is None:
        prompt, details = usage.input_tokens, usage.input_tokens_details
        if prompt is not None:
            prompt += (usage.cache_read_input_tokens or 0) + (usage.cache_creation_input_tokens or 0)
    return prompt, usage.cache_read_input_tokens if details is None else details.cached_tokens


def _ollama_usage(excerpts: bytes) -> Usage:
    """Return the counts of an object of Ollama's; of a stream, only if it ended."""
    done = excerpts.rfind(_DONE)
    if done < excerpts.rfind(_NOT_DONE):
        return _NO_USAGE
    counts = excerpts[max(done, 0) :]
    completion, duration_ns = _number(counts, b'"eval_count":'), _number(counts, b'"eval_duration":')
    speed = completion / duration_ns * _NS_PER_S if completion and duration_ns else None
    return Usage(_number(counts, b'"prompt_eval_count":'), completion, None, speed)


def _objects(excerpts: bytes, name: bytes, decode: Callable[[bytes], _Decoded]) -> Iterator[_Decoded]:
    """Yield each object with this name, the last one first, without those of other forms."""
    position = excerpts.rfind(name)
    while position >= 0:
        start = position + len(name)
        if excerpts.startswith(_STARTS, start) and (not position or excerpts[position - 1] != _BACKSLASH):
            try:  # noqa: SIM105 - ``suppress`` would cost 0.4 us
                yield decode(excerpts[start : _end_of_object(excerpts, start)])
            except msgspec.DecodeError:  # another form, or cut off
                pass
        position = excerpts.rfind(name, 0, position)


def _end_of_object(excerpts: bytes, start: int) -> int:
    """Return the end of an object, whose texts have no braces; 0 if it is cut off."""
    end = excerpts.find(b"}", start) + 1
    closing = 1
    while end and excerpts.count(b"{", start, end) != closing:
        end = excerpts.find(b"}", end) + 1
        closing += 1
    return end


def _number(counts: bytes, name: bytes) -> int | None:
    position = counts.rfind(name)
    if position < 0:
        return None
    number = _NUMBER.match(counts, position + len(name))
    return None if number is None else int(number[1])


def has_usage(excerpt: bytes) -> bool:
    """Whether an excerpt reports usage completely: its end may cut the report off. Not for Ollama's dialect."""
    return _engine_usage(excerpt) != _NO_USAGE


def starts_with_usage(stream: bytes) -> bool:
    """Whether the first bytes of an event stream report usage, as Anthropic's ``message_start`` does."""
    return stream.find(b"message_start", 0, _FIRST_EVENT_BYTES) >= 0


def find_usage(part: bytes, before: bytes) -> bytes:
    """Return an excerpt that may report usage, of ``part`` or across its boundary with ``before``; else ``b""``.

    A part of 64 KiB takes 0.14 ms.
    """
    boundary = before[-_EXCERPT_BYTES:] + part[:_EXCERPT_BYTES] if before else b""
    for name in _OBJECTS:
        position = part.rfind(name)
        if position >= 0:
            return part[position : position + _EXCERPT_BYTES]
        position = boundary.rfind(name)
        if position >= 0:
            return boundary[position : position + _EXCERPT_BYTES]
    return b""
