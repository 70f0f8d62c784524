"""Conversations with one system prompt keep their slots, on the real engine, and copies change no answer."""

import sys
from collections.abc import Sequence
from typing import Any

import httpx2
import pytest
from tests.e2e.conftest import Gglib

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(sys.platform == "win32", reason="lists the files of a launch"),
]

SYSTEM = {"role": "system", "content": "Answer in one short sentence. " * 15}
LIMIT_S = 120.0


def chat(gglib: Gglib, messages: Sequence[dict[str, str]]) -> Any:
    """Send a greedy request of a fixed length, and return the response."""
    body = {
        "model": "tiny-a",
        "messages": [SYSTEM, *messages],
        "max_tokens": 8,
        "temperature": 0,
        "ignore_eos": True,
    }
    answer = httpx2.post(f"{gglib.url}/v1/chat/completions", json=body, timeout=LIMIT_S, trust_env=False)
    assert answer.status_code == 200, answer.text
    return answer.json()


def user(text: str) -> dict[str, str]:
    """Return a message of the user."""
    return {"role": "user", "content": text}


def reply_of(answer: Any) -> str:
    """Return the text of a response."""
    text: str = answer["choices"][0]["message"]["content"]
    return text


def prompt_of(answer: Any) -> tuple[int, int]:
    """Return the tokens of a prompt that were reused, and those that were computed."""
    return answer["timings"]["cache_n"], answer["timings"]["prompt_n"]


def test_conversations_with_one_system_prompt_keep_their_slots(home: Gglib) -> None:
    """Each finds its whole last prompt; the second one computes the system prompt no more. No file stays."""
    gglib = home.serve("--ctx", "2048")
    first = [chat(gglib, [user(f"Question {one}")]) for one in "AB"]
    lengths = [sum(prompt_of(answer)) for answer in first]
    for one, answer, length in zip("AB", first, lengths, strict=True):
        history = [user(f"Question {one}"), {"role": "assistant", "content": reply_of(answer)}]
        reused, _ = prompt_of(chat(gglib, [*history, user("And then?")]))
        assert reused >= length

    reused, computed = prompt_of(first[1])
    assert reused > len(SYSTEM["content"])
    assert computed < 100
    assert not list(home.home.glob("run/engines/*/slots/*"))


def test_answer_in_a_copy_is_that_of_an_empty_slot(home: Gglib) -> None:
    """Greedy, on a new engine of another server: prompts are not kept over its restart."""
    cold = chat(home.serve("--ctx", "2048"), [user("Question B")])
    home.stop()
    gglib = home.serve("--ctx", "2048")
    chat(gglib, [user("Something else")])
    in_copy = chat(gglib, [user("Question B")])

    assert prompt_of(in_copy)[0] > prompt_of(cold)[0] == 0
    assert reply_of(in_copy) == reply_of(cold)


def test_another_question_on_a_document_does_not_read_it_again(home: Gglib) -> None:
    """Although all slots are in use; the conversation on the document keeps its own."""
    gglib = home.serve("--ctx", "2048")
    document = "The river has a bridge of stone, and a mill. " * 12
    first = [user(f"{document}Who built it?")]
    history = [*first, {"role": "assistant", "content": reply_of(chat(gglib, first))}, user("And when?")]
    answer = chat(gglib, history)
    for one in "ABC":
        chat(gglib, [user(f"{one} question of its own")])

    reused, computed = prompt_of(chat(gglib, [user(f"{document}How long is it?")]))
    assert reused > len(SYSTEM["content"]) + len(document)
    assert computed < 100
    history += [{"role": "assistant", "content": reply_of(answer)}, user("Why?")]
    assert prompt_of(chat(gglib, history))[0] >= sum(prompt_of(answer))
