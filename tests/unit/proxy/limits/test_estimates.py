"""Estimates of a request's tokens."""

import pytest

from gglib.proxy.limits.estimates import MAX_PROMPT_TOKENS, completion_limit, prompt_tokens


def test_prompts_are_estimated_by_their_size() -> None:
    """Up to a bound."""
    assert [prompt_tokens(b"x" * size) for size in (0, 2, 300, 10**7)] == [0, 0, 100, MAX_PROMPT_TOKENS]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"max_tokens": 12}', 12),
        (b'{"max_completion_tokens":34,"messages":[]}', 34),
        (b'{"max_output_tokens" : 5}', 5),
        (b'{"options":{"num_predict":7}}', 7),
        (b'{"n_predict":8}', 8),
        (b'{"max_tokens":12,"max_completion_tokens":30}', 30),
        (b'{"max_tokens":-1}', None),
        (b'{"max_tokens":null}', None),
        (b'{"num_predict":-2}', None),
        (b'{"messages":[{"content":"\\"max_tokens\\": 99"}]}', None),
        (b'{"xmax_tokens":1}', None),
        (b'{"messages":"%b","max_tokens":3}' % (b"x" * 300_000), 3),
        (b'{"max_tokens":3,"messages":"%b"}' % (b"x" * 300_000), 3),
        (b"", None),
    ],
)
def test_the_limit_of_a_completion_is_found(body: bytes, expected: int | None) -> None:
    """In every dialect, also beside long messages; not in texts."""
    assert completion_limit(body) == expected
