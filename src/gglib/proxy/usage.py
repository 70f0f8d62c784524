"""How many tokens an answer says that it took, read off its last bytes. Pure.

Every dialect tells them at the end of the answer or of its stream: OpenAI's ``usage``, Anthropic's and the responses
API's, and llama-server's own ``timings``, which its streams carry even when nobody asked for ``usage``. Nothing of the
answer is parsed for it: names like these cannot stand in a text, where their quotes would be escaped.
"""

import re
from typing import NamedTuple

TAIL_BYTES = 2048
"""An answer's last event with usage and timings has some 700 bytes; ``[DONE]`` may follow."""

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


def read_usage(tail: bytes) -> Usage:
    """Return what the end of an answer tells."""
    prompt, completion = _last_number(tail, _PROMPT), _last_number(tail, _COMPLETION)
    return Usage(
        _prompt_of_others(tail) if prompt is None else prompt,
        _completion_of_others(tail) if completion is None else completion,
    )


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
