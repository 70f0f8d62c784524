"""Sends one request of a chat and prints its answer."""

import time
from contextlib import ExitStack, suppress

from gglib.cli.chat.input.terminal_modes import deferred_interrupt, hidden_typing
from gglib.cli.chat.output.printers import Printer
from gglib.cli.chat.response import ChatEnd
from gglib.cli.chat.statistics import Answer
from gglib.cli.chat.stream import stream_chat
from gglib.cli.server.wait_line import wait_line
from gglib.core.addresses import Endpoint
from gglib.core.errors import GglibError


class BrokenAnswerError(GglibError):
    """An answer that failed after its first part; ``answer`` is what came."""

    def __init__(self, message: str, answer: Answer) -> None:
        super().__init__(message)
        self.answer = answer


class Exchange:
    """One request and its answer."""

    def __init__(self, server: Endpoint, expected_model: str, printer: Printer) -> None:
        """``expected_model`` is the model in the catalogue whose load is shown."""
        self._server = server
        self._expected_model = expected_model
        self._printer = printer
        self._text: list[str] = []
        self._reasoning: list[str] = []
        self._end = ChatEnd()
        self._started_s = time.monotonic()
        self._first_s: float | None = None

    def run(self, body: dict[str, object]) -> Answer:
        """Print the answer and return it; after Ctrl-C what came until then.

        Raises ``KeyboardInterrupt`` if nothing came, ``GglibError`` for a request that failed, ``BrokenAnswerError``
        for an answer that did.
        """
        is_interrupted = False
        try:
            self._receive(body)
        except KeyboardInterrupt:
            if self._first_s is None:
                raise
            is_interrupted = True
        except GglibError as error:
            if self._first_s is None:
                raise
            self._end_line()
            raise BrokenAnswerError(str(error), self._answer(is_interrupted=True)) from error
        self._end_line()
        return self._answer(is_interrupted=is_interrupted)

    def _end_line(self) -> None:
        """Print what was held back; Ctrl-C has nothing to stop any more."""
        with suppress(KeyboardInterrupt), deferred_interrupt():
            self._printer.finish()

    def _receive(self, body: dict[str, object]) -> None:
        with hidden_typing(), ExitStack() as waiting:
            waiting.enter_context(wait_line(self._server, self._expected_model))
            with stream_chat(self._server, body) as stream:
                for delta in stream:
                    if self._first_s is None:
                        self._first_s = time.monotonic() - self._started_s
                        waiting.close()
                    (self._reasoning if delta.is_reasoning else self._text).append(delta.text)
                    with deferred_interrupt():
                        self._printer.write(delta)
                self._end = stream.end

    def _answer(self, *, is_interrupted: bool) -> Answer:
        return Answer(
            text="".join(self._text),
            reasoning="".join(self._reasoning),
            end=self._end,
            first_token_s=self._first_s,
            total_s=time.monotonic() - self._started_s,
            is_interrupted=is_interrupted,
        )
