"""How many tokens an answer says that it took, read off its last bytes. Pure.

Every dialect tells them at the end of the answer or of its stream: OpenAI's ``usage``, Anthropic's and the responses
API's, and llama-server's own ``timings``, which its streams carry even when nobody asked for ``usage``. Nothing of the
answer is parsed for it: names like these cannot stand in a text, where their quotes would be escaped.
"""

import re
from typing import NamedTuple

TAIL_BYTES = 2048
"""An answer's last event with usage and timings has some 700 bytes; ``[DONE]`` may follow."""

_PROMPT = (b'"prompt_tokens":', b'"input_tokens":', b'"prompt_n":')
_COMPLETION = (b'"completion_tokens":', b'"output_tokens":', b'"predicted_n":')
_NUMBER = re.compile(rb" ?(\d{1,12})\b")
_BACKSLASH = ord("\\")


class Usage(NamedTuple):
    """Tokens in and out; None where the answer does not say."""

    prompt_tokens: int | None
    completion_tokens: int | None


def read_usage(tail: bytes) -> Usage:
    """Return what the end of an answer tells."""
    return Usage(_last_number(tail, _PROMPT), _last_number(tail, _COMPLETION))


def _last_number(tail: bytes, names: tuple[bytes, ...]) -> int | None:
    for name in names:
        position = tail.rfind(name)
        if position >= 0 and (position == 0 or tail[position - 1] != _BACKSLASH):
            number = _NUMBER.match(tail, position + len(name))
            if number is not None:
                return int(number[1])
    return None
