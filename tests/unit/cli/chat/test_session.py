"""The course of a chat: what the conversation keeps of prompts and answers."""

from collections.abc import Callable
from contextlib import suppress

import pytest

from gglib.cli.chat import session as session_module
from gglib.cli.chat.conversation import Conversation
from gglib.cli.chat.exchange import BrokenAnswerError
from gglib.cli.chat.models import ChatModel
from gglib.cli.chat.output.printers import SilentPrinter
from gglib.cli.chat.response import ChatEnd
from gglib.cli.chat.session import ChatSession
from gglib.cli.chat.statistics import Answer
from gglib.core.addresses import Endpoint
from gglib.core.errors import GglibError

Result = Answer | BaseException
MODEL = ChatModel(name="m", expected="m", has_vision=False)


def answer(text: str, *, reason: str | None = "stop", is_interrupted: bool = False) -> Answer:
    """Return an answer."""
    return Answer(
        text=text,
        reasoning="",
        end=ChatEnd(finish_reason=reason),
        first_token_s=0.1,
        total_s=0.2,
        is_interrupted=is_interrupted,
    )


@pytest.fixture
def chat(monkeypatch: pytest.MonkeyPatch) -> Callable[..., ChatSession]:
    """Return a function that begins a chat whose requests have the given results."""

    def begin(*results: Result) -> ChatSession:
        left = list(results)

        class Scripted:
            def __init__(self, *_: object) -> None:
                pass

            def run(self, _: dict[str, object]) -> Answer:
                result = left.pop(0)
                if isinstance(result, BaseException):
                    raise result
                return result

        monkeypatch.setattr(session_module, "Exchange", Scripted)
        return ChatSession(Endpoint("http://x"), MODEL, Conversation("m"), SilentPrinter)

    return begin


def texts(session: ChatSession) -> list[str]:
    """Return the texts of the conversation."""
    return [message.text for message in session.conversation.messages]


Begin = Callable[..., ChatSession]


def test_an_interrupted_answer_is_kept(chat: Begin) -> None:
    """It is partial, and can be continued until it is complete."""
    session = chat(answer("One", is_interrupted=True), answer(", two", reason="length"), answer(", three."))
    session.ask("Count")
    assert session.conversation.messages[-1].is_partial
    session.go_on()
    session.go_on()
    assert texts(session) == ["Count", "One, two, three."]
    with pytest.raises(GglibError, match="complete"):
        session.go_on()


def test_an_answer_that_breaks_off_is_kept(chat: Begin) -> None:
    """The error is raised all the same, also while an answer is continued."""
    broken = BrokenAnswerError("The engine died.", answer("One", is_interrupted=True))
    session = chat(broken, BrokenAnswerError("Again.", answer(", two", is_interrupted=True)))
    with pytest.raises(BrokenAnswerError):
        session.ask("Count")
    with pytest.raises(BrokenAnswerError):
        session.go_on()
    assert texts(session) == ["Count", "One, two"]


@pytest.mark.parametrize("failure", [GglibError("no"), KeyboardInterrupt(), answer("", is_interrupted=True)])
def test_a_prompt_without_an_answer_is_dropped_and_can_be_sent_again(failure: Result, chat: Begin) -> None:
    """Its images are sent again, too."""
    session = chat(failure, answer("Yes."))
    session.images.append("data:x")
    with suppress(GglibError, KeyboardInterrupt):
        session.ask("Hi")
    assert (texts(session), session.has_unanswered_prompt) == ([], True)
    session.ask_again()
    assert texts(session) == ["Hi", "Yes."]
    assert session.conversation.messages[0].images == ("data:x",)
    assert (session.has_unanswered_prompt, session.images) == (False, [])


def test_another_answer_replaces_the_last_one(chat: Begin) -> None:
    """A request that fails leaves the answer as it was."""
    session = chat(answer("Yes."), answer("No."), KeyboardInterrupt(), answer("", is_interrupted=True))
    session.ask("Hi")
    session.ask_again()
    assert texts(session) == ["Hi", "No."]
    with pytest.raises(KeyboardInterrupt):
        session.ask_again()
    session.ask_again()
    assert texts(session) == ["Hi", "No."]
    assert not session.has_unanswered_prompt


def test_without_a_prompt_there_is_nothing_to_send_again(chat: Begin) -> None:
    """The commands say so."""
    session = chat()
    for action in (session.ask_again, session.go_on):
        with pytest.raises(GglibError):
            action()


def test_a_refused_continuation_is_asked_for(chat: Begin) -> None:
    """The request for it is not part of the conversation."""
    session = chat(answer("One", reason="length"), GglibError("no prefill"), answer(", two."))
    session.ask("Count")
    session.go_on()
    assert texts(session) == ["Count", "One, two."]


def test_the_limit_is_that_of_the_settings_or_of_the_profile(chat: Begin) -> None:
    """A profile with a limit of its own is not overridden, unless the user sets one."""
    session = chat()
    limits = [session.limit]
    session.use(ChatModel(name="m:p", expected="m", has_own_limit=True))
    limits.append(session.limit)
    for limit in (5, 0):
        session.conversation.settings["max_tokens"] = limit
        limits.append(session.limit)
    assert limits == [2048, None, 5, None]


def test_a_model_without_vision_gets_no_image(chat: Begin) -> None:
    """Of an alias list it is unknown: the server decides."""
    session = chat()
    with pytest.raises(GglibError, match="does not accept images"):
        session.add_image("data:x")
    session.use(ChatModel(name="any", expected="m"))
    session.add_image("data:x")
    session.clear()
    assert session.images == []
