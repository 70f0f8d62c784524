"""One prompt and its answer: formatted on a terminal, unchanged in a pipe, or as a JSON object."""

from gglib.cli.chat.conversation import Conversation
from gglib.cli.chat.models import ChatModel
from gglib.cli.chat.options import ChatOptions
from gglib.cli.chat.output.printers import Printer, SilentPrinter, answer_printer
from gglib.cli.chat.session import ChatSession
from gglib.cli.chat.statistics import Answer, end_note, verbose_line
from gglib.cli.views import render
from gglib.core.addresses import Endpoint


def new_session(
    server: Endpoint,
    model: ChatModel,
    conversation: Conversation,
    options: ChatOptions,
    *,
    as_json: bool = False,
) -> ChatSession:
    """Return a session that prints its answers as the options say."""

    def new_printer() -> Printer:
        return SilentPrinter() if as_json else answer_printer(markdown=options.has_markdown)

    return ChatSession(server, model, conversation, new_printer)


def chat_once(session: ChatSession, prompt: str, options: ChatOptions, *, as_json: bool) -> None:
    """Send a prompt and print the answer; notes about it go to stderr.

    Raises ``GglibError``, and ``KeyboardInterrupt`` after Ctrl-C.
    """
    answer = session.ask(prompt)
    if answer.is_interrupted:
        raise KeyboardInterrupt
    if as_json:
        render.show_json(answer_fields(session.model.name, answer))
    note = None if as_json else end_note(answer, session.limit, is_chat=False)
    for line in (note, verbose_line(answer) if options.is_verbose else None):
        if line is not None:
            render.echo(line, is_error=True)


def answer_fields(model: str, answer: Answer) -> dict[str, object]:
    """Return the JSON object of an answer; ``usage`` and ``timings`` are those of the server."""
    return {
        "model": model,
        "text": answer.text,
        "reasoning": answer.reasoning or None,
        "finish_reason": answer.end.finish_reason,
        "usage": answer.end.usage or None,
        "timings": answer.end.timings or None,
    }
