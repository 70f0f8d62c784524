"""How many tokens an answer reports, read off a few pieces of it. Pure.

Nearly every dialect reports them at the end of the answer or of its stream: OpenAI's ``usage``, Anthropic's and the
responses API's, and llama-server's own ``timings``, which its streams carry even when no ``usage`` was asked for. At
the beginning they stand in embeddings and rerankings, before ``data`` and ``results``, and in a stream of Anthropic's,
whose ``message_start`` has the prompt's. In between they stand in llama-server's own format with ``n_probs``, before
the probabilities (all seen in answers of b11549). Nothing of the answer is parsed for it: names like these cannot stand
in a text, where their quotes would be escaped.
"""

import re
from typing import NamedTuple

TAIL_BYTES = 2048
"""An answer's last event with usage and timings has some 700 bytes; ``[DONE]`` may follow."""

HEAD_BYTES = 2048
"""``message_start`` has some 400 bytes and embeddings 100 before their data; the model's name may be longer."""

_SPAN_BYTES = 512
"""A whole ``usage`` or ``timings`` object, of 100 and 300 bytes."""
_USAGE, _TIMINGS = _OBJECTS = (b'"usage":', b'"timings":')
_FIRST_EVENT_BYTES = 256
"""The type of a stream's first event stands in so many bytes, comments before it included."""

_PROMPT, _COMPLETION = b'"prompt_tokens":', b'"completion_tokens":'
"""OpenAI's names, and those of nearly every answer."""
_OTHER_PROMPTS = (
    (b'"input_tokens":', b'"cache_read_input_tokens":'),
    (b'"prompt_n":', b'"cache_n":'),
)
"""Each with what is to be added: Anthropic's dialect and the timings count what came from the cache apart, OpenAI's
does not (seen in llama-server's answers)."""
_OTHER_COMPLETIONS = (b'"output_tokens":', b'"predicted_n":')
_NUMBER = re.compile(rb" ?(\d{1,12})\b")
_BACKSLASH = ord("\\")


class Usage(NamedTuple):
    """Tokens in and out; None where the answer does not say."""

    prompt_tokens: int | None
    completion_tokens: int | None


_NO_USAGE = Usage(None, None)
_TOKENS, _N = b'_tokens":', b'_n":'
"""How every name above ends: in an answer that reports nothing, two searches instead of one for each name."""


def read_usage(tail: bytes) -> Usage:
    """Return what an answer reports, from its last pieces; the last number of a name counts."""
    if tail.rfind(_TOKENS) < 0 and tail.rfind(_N) < 0:
        return _NO_USAGE
    prompt, completion = _last_number(tail, _PROMPT), _last_number(tail, _COMPLETION)
    return Usage(
        _prompt_of_others(tail) if prompt is None else prompt,
        _completion_of_others(tail) if completion is None else completion,
    )


def has_usage(piece: bytes) -> bool:
    """Whether a piece of an answer may report tokens."""
    # By ``find``: to look with ``in`` for bytes in bytes raises an exception inside first (CPython 3.11).
    return piece.find(_USAGE) >= 0 or piece.find(_TIMINGS) >= 0


def starts_with_usage(stream: bytes) -> bool:
    """Whether the first bytes of an event stream report tokens: those of Anthropic's do, in ``message_start``."""
    return stream.find(b"message_start", 0, _FIRST_EVENT_BYTES) >= 0


def find_usage(part: bytes, before: bytes) -> bytes:
    """Return a piece of ``part`` that may report tokens, the seam with what came ``before`` it included; else nothing.

    A part of 64 KiB takes 0.14 ms.
    """
    seam = before[-_SPAN_BYTES:] + part[:_SPAN_BYTES] if before else b""
    for name in _OBJECTS:
        position = part.rfind(name)
        if position >= 0:
            return part[position : position + _SPAN_BYTES]
        position = seam.rfind(name)
        if position >= 0:
            return seam[position : position + _SPAN_BYTES]
    return b""


def _prompt_of_others(tail: bytes) -> int | None:
    for name, cached_name in _OTHER_PROMPTS:
        number = _last_number(tail, name)
        if number is not None:
            return number + (_last_number(tail, cached_name) or 0)
    return None


def _completion_of_others(tail: bytes) -> int | None:
    for name in _OTHER_COMPLETIONS:
        number = _last_number(tail, name)
        if number is not None:
            return number
    return None


def _last_number(tail: bytes, name: bytes) -> int | None:
    position = tail.rfind(name)
    if position < 0 or (position > 0 and tail[position - 1] == _BACKSLASH):
        return None
    number = _NUMBER.match(tail, position + len(name))
    return None if number is None else int(number[1])
