"""Profiles with the real engine and the official OpenAI client."""

from typing import TYPE_CHECKING, Any

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

PROMPT = "Answer in the words of a pirate."
HELLO: list[ChatCompletionMessageParam] = [{"role": "user", "content": "Hello"}]
WITH_PROMPT: list[ChatCompletionMessageParam] = [{"role": "system", "content": PROMPT}, *HELLO]


def test_the_engine_gets_the_profile(gglib: Gglib) -> None:
    """The prompt is part of the conversation, and the sampling is that of the profile."""
    gglib.command(
        *("profile", "set", "pirate", "--model", "tiny-a", "--system", PROMPT),
        *("--temperature", "0.25", "--seed", "7", "--max-tokens", "5"),
    )
    client = gglib.openai()
    explicit = client.chat.completions.create(
        model="tiny-a", messages=WITH_PROMPT, temperature=0.25, seed=7, max_tokens=5
    )
    profiled = client.chat.completions.create(model="tiny-a:pirate", messages=HELLO)
    plain = client.chat.completions.create(model="tiny-a", messages=HELLO, max_tokens=5)
    assert explicit.usage is not None
    assert profiled.usage is not None
    assert plain.usage is not None
    assert profiled.usage.prompt_tokens == explicit.usage.prompt_tokens > plain.usage.prompt_tokens
    assert profiled.usage.completion_tokens == 5
    assert profiled.choices[0].message.content == explicit.choices[0].message.content
    assert len(gglib.engines()) == 1


def test_the_engine_reports_the_sampling(gglib: Gglib) -> None:
    """What the request sets wins, and the profile sets the rest."""
    gglib.command("profile", "set", "cold", "--temperature", "0.25", "--top-k", "3")

    def settings(**fields: Any) -> dict[str, Any]:
        body = {"model": "tiny-a:cold", "prompt": "Hello", "n_predict": 2, **fields}
        reply = httpx2.post(f"{gglib.url}/completions", json=body, trust_env=False, timeout=60)
        assert reply.status_code == 200, reply.text
        found: dict[str, Any] = reply.json()["generation_settings"]
        return found

    cold, hot = settings(), settings(temperature=1.5)
    assert (round(cold["temperature"], 3), cold["top_k"]) == (0.25, 3)
    assert (round(hot["temperature"], 3), hot["top_k"]) == (1.5, 3)


@pytest.mark.only_engine(EMBEDDED)  # no engine runs
def test_profiles_are_listed_and_retrieved(gglib: Gglib) -> None:
    """An unknown profile is not found, with the code that programs check."""
    gglib.command("profile", "set", "cold", "--model", "Tiny-B", "--temperature", "0")
    with gglib.openai() as client:
        listed = [model.id for model in client.models.list()]
        retrieved = client.models.retrieve("alias-b:cold")
        with pytest.raises(openai.NotFoundError, match="It has cold") as caught:
            client.chat.completions.create(model="Tiny-B:hot", messages=HELLO)
    assert listed[:2] == ["tiny-a", "Tiny-B"]
    assert "Tiny-B:cold" in listed
    assert retrieved.id == "Tiny-B:cold"
    assert caught.value.code == "profile_not_found"
