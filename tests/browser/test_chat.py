"""The chat page, with a server whose answers the tests write."""

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from playwright.sync_api import FilePayload, Locator, Page, Route, expect
from tests.support.page_files import ORIGIN, fulfil_status, serve_page

from .conftest import Problems

MODELS = [
    {"id": "llama-3b", "capabilities": ["chat"]},
    {"id": "llama-3b:brief", "capabilities": ["chat"]},
    {"id": "qwen-vl", "capabilities": ["chat", "vision", "reasoning"]},
    {"id": "embed", "capabilities": ["embedding"]},
]
END = {
    "choices": [],
    "usage": {"prompt_tokens": 812, "completion_tokens": 3, "prompt_tokens_details": {"cached_tokens": 640}},
    "timings": {"predicted_per_second": 45.4},
}
PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


def stream(*texts: str, thinking: str = "", finish: str = "stop", is_complete: bool = True) -> str:
    """Return the events of an answer."""
    deltas: list[dict[str, str]] = [{"reasoning_content": thinking}] if thinking else []
    deltas += [{"content": text} for text in texts]
    events: list[object] = [{"choices": [{"delta": delta, "finish_reason": None}]} for delta in deltas]
    events += [{"choices": [{"delta": {}, "finish_reason": finish}]}, END]
    done = "data: [DONE]\n\n" if is_complete else ""
    return "".join(f"data: {json.dumps(event)}\n\n" for event in events) + done


@dataclass
class Chat:
    """A page at the chat, and what it sends."""

    page: Page
    answers: list[str | tuple[int, str] | None] = field(default_factory=list)
    """Bodies of the next responses, or a status with a message; None: no response until the page leaves."""
    bodies: list[dict[str, Any]] = field(default_factory=list)

    def respond(self, route: Route) -> None:
        """Answer a request of the page."""
        path = route.request.url.removeprefix(ORIGIN).partition("?")[0]
        if path == "/v1/models":
            route.fulfill(json={"object": "list", "data": MODELS})
        elif path == "/v1/chat/completions":
            self.bodies.append(json.loads(route.request.post_data or ""))
            answer = self.answers.pop(0)
            if isinstance(answer, tuple):
                error = {"message": answer[1], "type": "server_error", "param": None, "code": "x"}
                route.fulfill(status=answer[0], json={"error": error})
            elif answer is not None:
                route.fulfill(body=answer, content_type="text/event-stream")
        else:
            assert fulfil_status(route), path

    def say(self, text: str, answer: str | tuple[int, str] | None) -> None:
        """Send a message."""
        self.answers.append(answer)
        self.page.get_by_role("textbox", name="Message to").fill(text)
        self.page.keyboard.press("Enter")

    def last_answer(self) -> Locator:
        """Return the view of the last answer."""
        return self.page.locator(".chat-answer").last


@pytest.fixture
def chat(page: Page) -> Chat:
    """Yield the chat page."""
    chat = Chat(page)
    serve_page(page, chat.respond)
    page.goto(f"{ORIGIN}/#/chat")
    expect(page.get_by_role("textbox", name="Message to llama-3b")).to_be_focused()
    return chat


def test_an_answer_is_rendered_with_its_figures(chat: Chat) -> None:
    """Markdown, thinking folded, and the numbers of the engine."""
    chat.say("Hi", stream("Use **this**:\n\n```py", "thon\nprint(1)\n```\n", thinking="Hm."))
    answer = chat.last_answer()
    expect(answer.locator("strong")).to_have_text("this")
    expect(answer.locator("pre")).to_have_text("print(1)")
    expect(answer.locator(".code-head span").first).to_have_text("python")
    expect(answer.locator("summary")).to_contain_text("Thought for")
    expect(answer.get_by_text("Hm.")).not_to_be_visible()
    expect(answer.get_by_text("45.4 tokens/s")).to_be_visible()
    expect(answer.get_by_text("812 prompt tokens, 640 cached")).to_be_visible()
    assert chat.bodies == [
        {
            "model": "llama-3b",
            "messages": [{"role": "user", "content": "Hi"}],
            "stream": True,
            "stream_options": {"include_usage": True},
            "max_tokens": 2048,
        }
    ]


def test_errors_are_shown_in_place_and_can_be_retried(chat: Chat, problems: Problems) -> None:
    """The failed answer gives way to the new one."""
    problems.expect("500")
    chat.say("Hi", (500, "The file is damaged."))
    expect(chat.page.get_by_role("alert")).to_contain_text("The file is damaged.")
    chat.answers.append(stream("Hello"))
    chat.page.get_by_role("button", name="Retry").click()
    expect(chat.last_answer()).to_contain_text("Hello")
    expect(chat.page.locator(".chat-answer")).to_have_count(1)


def test_an_error_is_an_alert_while_it_is_new(chat: Chat, problems: Problems) -> None:
    """It is not said to be complete; later the error is a text, and other ends are announced as what they are."""
    problems.expect("500")
    page = chat.page
    chat.say("Hi", (500, "The file is damaged."))
    expect(page.get_by_role("alert")).to_contain_text("The file is damaged.")
    announced = page.locator(".chat-view > [role=status]")
    expect(announced).to_have_text("")
    page.evaluate("location.hash = '#/elsewhere'")
    expect(page.get_by_role("heading", name="There is no such page")).to_be_visible()
    page.get_by_role("link", name="Chat").click()
    expect(page.get_by_text("The file is damaged.")).to_be_visible()
    expect(page.get_by_role("alert")).to_have_count(0)
    chat.say("Again", stream("Hello"))
    expect(announced).to_have_text("The answer is complete.")
    chat.say("More", stream("Hello", finish="length"))
    expect(announced).to_have_text("The answer stopped at a limit.")


def test_a_broken_answer_keeps_its_text_and_continues(chat: Chat, problems: Problems) -> None:
    """First by the engine; where it refuses, the model is asked to continue."""
    problems.expect("400")
    chat.say("Count", stream("one ", is_complete=False))
    expect(chat.page.get_by_role("alert")).to_contain_text("The answer ended early")
    chat.answers += [(400, "no"), stream("two")]
    chat.page.get_by_role("button", name="Continue").click()
    expect(chat.last_answer().locator(".markdown")).to_have_text("one two")
    first, second = chat.bodies[1:]
    assert first["messages"][-1] == {"role": "assistant", "content": "one "}
    assert first["chat_template_kwargs"] == {"enable_thinking": False}
    assert second["messages"][-1]["role"] == "user"


def test_escape_stops_an_answer(chat: Chat) -> None:
    """Also one that has not begun; the prompt can be answered again."""
    chat.say("Hi", None)
    expect(chat.page.get_by_role("button", name="Stop")).to_be_visible()
    chat.page.keyboard.press("Escape")
    expect(chat.last_answer()).to_contain_text("Stopped before the answer began.")
    chat.answers.append(stream("Hello"))
    chat.page.get_by_role("button", name="Answer again").click()
    expect(chat.last_answer()).to_contain_text("Hello")


def test_editing_a_message_cuts_what_follows(chat: Chat) -> None:
    """The edited message is sent with what precedes it."""
    for text in ("first", "second"):
        chat.say(text, stream(f"answer to {text}"))
        expect(chat.last_answer()).to_contain_text(f"answer to {text}")
        expect(chat.page.get_by_role("button", name="Send")).to_be_visible()
    chat.page.get_by_role("button", name="Edit the message").first.click()
    chat.page.get_by_role("textbox", name="The message").fill("other")
    chat.answers.append(stream("answer to other"))
    chat.page.keyboard.press("Control+Enter")
    expect(chat.last_answer()).to_contain_text("answer to other")
    expect(chat.page.locator(".chat-answer")).to_have_count(1)
    assert chat.bodies[-1]["messages"] == [{"role": "user", "content": "other"}]


def test_the_chat_survives_a_reload_and_ends_with_a_new_one(chat: Chat) -> None:
    """It is kept in the tab."""
    chat.say("Hi", stream("Hello"))
    expect(chat.last_answer()).to_contain_text("Hello")
    expect(chat.last_answer()).to_contain_text("in all")
    chat.page.reload()
    expect(chat.last_answer()).to_contain_text("Hello")
    chat.page.get_by_role("button", name="New chat").click()
    chat.page.get_by_role("dialog").get_by_role("button", name="New chat").click()
    expect(chat.page.get_by_role("heading", name="Ask llama-3b something")).to_be_visible()


def test_copying_keeps_the_focus_without_https(chat: Chat) -> None:
    """There a hidden text is selected for a moment."""
    chat.say("Hi", stream("Hello"))
    chat.page.get_by_role("button", name="Copy the answer").click()
    expect(chat.page.get_by_role("button", name="Copied")).to_be_focused()


def test_settings_are_sent_and_checked(chat: Chat) -> None:
    """A wrong value stops the sending, and says so."""
    page = chat.page
    page.get_by_role("button", name="Settings").click()
    page.get_by_label("Temperature").fill("9")
    expect(page.get_by_text("Enter a number from 0 to 5.")).to_be_visible()
    page.get_by_role("textbox", name="Message to").fill("x")
    expect(page.get_by_role("button", name="Send")).to_be_disabled()
    page.get_by_label("Temperature").fill("0.5")
    page.get_by_label("System prompt").fill("Be brief.")
    page.get_by_label("Stop texts").fill("END")
    page.get_by_label("Thinking").select_option("Off")
    page.get_by_role("combobox", name="Model").select_option("llama-3b:brief")
    chat.say("Hi", stream("Hello"))
    expect(chat.last_answer()).to_contain_text("Hello")
    body = chat.bodies[0]
    assert body["model"] == "llama-3b:brief"
    assert body["messages"][0] == {"role": "system", "content": "Be brief."}
    assert (body["temperature"], body["stop"]) == (0.5, ["END"])
    assert body["chat_template_kwargs"] == {"enable_thinking": False}
    assert "max_tokens" not in body  # the profile may have its own


def test_images_need_a_model_with_vision(chat: Chat) -> None:
    """They are sent as they are, before the text."""
    page = chat.page
    image: FilePayload = {"name": "dot.png", "mimeType": "image/png", "buffer": PIXEL}
    page.set_input_files("input[type=file]", [image])
    expect(page.get_by_text("llama-3b cannot see images")).to_be_visible()
    page.get_by_role("combobox", name="Model").select_option("qwen-vl")
    page.set_input_files("input[type=file]", [image])
    expect(page.get_by_role("img", name="dot.png")).to_be_visible()
    chat.say("What is it?", stream("A dot"))
    expect(chat.last_answer()).to_contain_text("A dot")
    picture, text = chat.bodies[0]["messages"][0]["content"]
    assert picture["image_url"]["url"] == f"data:image/png;base64,{base64.b64encode(PIXEL).decode()}"
    assert text == {"type": "text", "text": "What is it?"}


def test_models_are_loaded_after_the_key_is_entered(page: Page, problems: Problems) -> None:
    """The chat needs no reload of the page."""
    problems.expect("401")
    chat = Chat(page)

    def respond(route: Route) -> None:
        if route.request.headers.get("authorization") == "Bearer sk-1":
            chat.respond(route)
        else:
            error = {"message": "A key is needed.", "type": "x", "param": None, "code": "invalid_api_key"}
            route.fulfill(status=401, json={"error": error})

    serve_page(page, respond)
    page.goto(f"{ORIGIN}/#/chat")
    page.get_by_label("Access key").fill("sk-1")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Ask llama-3b something")).to_be_visible()


@pytest.mark.parametrize("width", [1280, 390])
def test_accessibility(page: Page, axe: Callable[[Page], list[str]], width: int) -> None:
    """Of an empty chat, of one with an answer, and of the settings; nothing is wider than the window."""
    chat = Chat(page)
    serve_page(page, chat.respond)
    page.set_viewport_size({"width": width, "height": 800})
    page.goto(f"{ORIGIN}/#/chat")
    expect(page.get_by_role("heading", name="Ask llama-3b something")).to_be_visible()
    assert axe(page) == []
    text = "# Title\n\n- a\n- b\n\n```python\nx = 1\n```\n\n| a | b |\n|---|---|\n| 1 | [link](https://example.com) |"
    chat.say("Hi", stream(text, thinking="Hm."))
    expect(chat.last_answer()).to_contain_text("in all")
    assert axe(page) == []
    page.get_by_role("button", name="Settings").click()
    expect(page.get_by_label("Temperature")).to_be_visible()
    assert axe(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
