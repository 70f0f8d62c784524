"""The notes and counts after an answer."""

from dataclasses import replace
from typing import Any

import pytest

from gglib.cli.chat.response import ChatEnd
from gglib.cli.chat.statistics import Answer, end_note, verbose_line


def answer(
    *,
    text: str = "x",
    reason: str | None = "stop",
    tokens: int | None = 5,
    interrupted: bool = False,
    **timings: Any,
) -> Answer:
    """Return an answer of so many tokens."""
    usage = {} if tokens is None else {"prompt_tokens": 1036, "completion_tokens": tokens}
    return Answer(
        text=text,
        reasoning="",
        end=ChatEnd(finish_reason=reason, usage=usage, timings=timings),
        first_token_s=0.5,
        total_s=2.5,
        is_interrupted=interrupted,
    )


@pytest.mark.parametrize(
    ("given", "limit", "chat", "single"),
    [
        (answer(), 2048, None, None),
        (
            answer(reason="length", tokens=2048),
            2048,
            "(stopped at 2,048 tokens; /more goes on)",
            "(stopped at 2,048 tokens; --max-tokens N allows more, 'off' any number)",
        ),
        (
            answer(reason="length", tokens=None),
            1,
            "(stopped at 1 token; /more goes on)",
            "(stopped at 1 token; --max-tokens N allows more, 'off' any number)",
        ),
        (
            answer(reason="length", tokens=2048, text=" "),
            2048,
            "(stopped at 2,048 tokens; /set max_tokens N allows more, /retry asks again)",
            "(stopped at 2,048 tokens; --max-tokens N allows more, 'off' any number)",
        ),
        (
            answer(reason="length", tokens=100),
            2048,
            "(stopped: the context is full; /clear forgets the conversation, /set num_ctx N asks for more)",
            "(stopped: the context is full; --ctx N asks for more)",
        ),
        (
            answer(reason="length", tokens=9999),
            None,
            "(stopped: the context is full; /clear forgets the conversation, /set num_ctx N asks for more)",
            "(stopped: the context is full; --ctx N asks for more)",
        ),
    ],
    ids=["complete", "limit", "limit-without-counts", "only-reasoning", "context", "context-without-limit"],
)
def test_an_answer_that_ended_early_says_why(
    given: Answer, limit: int | None, chat: str | None, single: str | None
) -> None:
    """The note names the command or the option that helps: the limit, or the context."""
    assert end_note(given, limit, is_chat=True) == chat
    assert end_note(given, limit, is_chat=False) == single


def test_an_interrupted_answer_says_how_to_go_on() -> None:
    """An answer can be continued; without text only the prompt can be sent again."""
    assert end_note(answer(interrupted=True, reason=None), 9, is_chat=True) == "(interrupted; /more goes on)"
    silent = answer(text="", interrupted=True, reason=None)
    assert end_note(silent, 9, is_chat=True) == "(interrupted; /retry sends the prompt again)"
    assert (silent.is_partial, answer(reason="length").is_partial, answer().is_partial) == (True, True, False)


def test_counts_and_speeds_are_those_of_the_engine() -> None:
    """Without the engine's speed it is measured here; what is unknown is left out."""
    assert verbose_line(answer(cache_n=24, predicted_per_second=12.84)) == (
        "1,036 prompt tokens (24 cached), first token 0.50 s, 5 tokens at 12.8/s, 2.5 s in all"
    )
    assert verbose_line(answer(tokens=4)) == (
        "1,036 prompt tokens, first token 0.50 s, 4 tokens at 2.0/s, 2.5 s in all"
    )
    assert verbose_line(replace(answer(tokens=None), first_token_s=None)) == "2.5 s in all"
    assert verbose_line(answer(tokens=None)) == "first token 0.50 s, 2.5 s in all"
