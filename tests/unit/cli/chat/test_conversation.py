"""The requests of a conversation."""

from typing import Any

import pytest

from gglib.cli.chat.conversation import CONTINUE_PROMPT, Conversation
from gglib.core.errors import GglibError

IMAGE = "data:image/png;base64,AA=="


def messages_of(body: dict[str, object]) -> list[dict[str, Any]]:
    """Return the messages of a request."""
    messages = body["messages"]
    assert isinstance(messages, list)
    return messages


def test_conversation_sends_answered_turns_only() -> None:
    """Each request carries the answered turns before it, and no failed one."""
    conversation = Conversation("m", settings={"num_ctx": 99})
    conversation.add_prompt("first")
    conversation.add_answer("reply")
    conversation.add_prompt("lost")
    conversation.drop_prompt()
    body = conversation.add_prompt("second")
    assert [message["content"] for message in messages_of(body)] == ["first", "reply", "second"]
    assert (body["model"], body["num_ctx"], body["stream"]) == ("m", 99, True)
    assert body["stream_options"] == {"include_usage": True}


def test_the_system_prompt_comes_first_and_is_no_field() -> None:
    """The system prompt is a message of each request, as it is at that time."""
    conversation = Conversation("m", settings={"system": "Be brief."})
    body = conversation.add_prompt("Hi")
    assert messages_of(body)[0] == {"role": "system", "content": "Be brief."}
    assert "system" not in body
    conversation.settings["system"] = "Be long."
    assert messages_of(conversation.request())[0]["content"] == "Be long."


def test_an_image_precedes_the_text_of_its_message() -> None:
    """A message with images has parts; later messages of the conversation carry them, too."""
    conversation = Conversation("m")
    conversation.add_prompt("What is this?", (IMAGE,))
    conversation.add_answer("A dot.")
    assert messages_of(Conversation("m").add_prompt("", (IMAGE,)))[0]["content"] == [
        {"type": "image_url", "image_url": {"url": IMAGE}}
    ]
    (first, *_rest) = messages_of(conversation.add_prompt("Sure?"))
    assert first["content"] == [
        {"type": "image_url", "image_url": {"url": IMAGE}},
        {"type": "text", "text": "What is this?"},
    ]


@pytest.mark.parametrize(
    ("settings", "default", "limit"),
    [
        ({}, 2048, 2048),
        ({}, None, None),
        ({"max_tokens": 5}, 2048, 5),
        ({"max_tokens": 5}, None, 5),
        ({"max_tokens": 0}, 2048, None),
    ],
    ids=["default", "of-a-profile", "set", "set-over-profile", "off"],
)
def test_an_answer_is_limited(settings: dict[str, Any], default: int | None, limit: int | None) -> None:
    """A request has the limit of the settings, else the default; 0 means none."""
    conversation = Conversation("m", settings=settings, default_max_tokens=default)
    assert conversation.add_prompt("Hi").get("max_tokens") == limit


def test_a_continuation_ends_with_the_answer_and_does_not_think() -> None:
    """The engine continues the last message if thinking is off; other arguments of the template stay."""
    conversation = Conversation("m", settings={"think": "high"})
    conversation.add_prompt("Count.")
    conversation.add_answer("One, two", is_partial=True)
    body = conversation.continuation()
    assert messages_of(body)[-1] == {"role": "assistant", "content": "One, two"}
    assert body["chat_template_kwargs"] == {"enable_thinking": False, "reasoning_effort": "high"}
    asked = messages_of(conversation.requested_continuation())
    assert asked[-1] == {"role": "user", "content": CONTINUE_PROMPT}
    conversation.extend_answer(", three")
    assert conversation.messages[-1].text == "One, two, three"
    assert not conversation.messages[-1].is_partial
    assert len(conversation.messages) == 2


def test_without_an_answer_there_is_nothing_to_continue_or_replace() -> None:
    """The errors are sentences, and nothing is removed."""
    conversation = Conversation("m")
    with pytest.raises(GglibError, match="no prompt yet"):
        conversation.drop_answer()
    conversation.add_prompt("Hi")
    for continuation in (conversation.continuation, conversation.requested_continuation):
        with pytest.raises(GglibError, match="no answer to continue"):
            continuation()
    assert conversation.drop_answer() is None
    assert len(conversation.messages) == 1
