"""A chat in progress: the conversation, its model, and the requests that go on with it."""

from collections.abc import Callable

from gglib.cli.chat.conversation import Conversation, Message
from gglib.cli.chat.exchange import BrokenAnswerError, Exchange
from gglib.cli.chat.models import ChatModel
from gglib.cli.chat.output.printers import Printer
from gglib.cli.chat.settings import DEFAULT_MAX_TOKENS, MAX_TOKENS
from gglib.cli.chat.statistics import Answer
from gglib.core.addresses import Endpoint
from gglib.core.errors import GglibError
from gglib.core.shell_quoting import quoted_command


class ChatSession:
    """One conversation with one model at a time. Requests raise ``GglibError`` and ``KeyboardInterrupt``."""

    def __init__(
        self,
        server: Endpoint,
        model: ChatModel,
        conversation: Conversation,
        new_printer: Callable[[], Printer],
    ) -> None:
        self.server = server
        self.conversation = conversation
        self.images: list[str] = []
        """``data:`` URLs for the next prompt."""
        self.last_answer: Answer | None = None
        self._new_printer = new_printer
        self._unanswered: Message | None = None
        """The last prompt, if it got no answer: it is not part of the conversation."""
        self.use(model)

    @property
    def model(self) -> ChatModel:
        """The model of the next request."""
        return self._model

    @property
    def has_unanswered_prompt(self) -> bool:
        """Whether the last prompt got no answer, and can be sent again."""
        return self._unanswered is not None

    @property
    def limit(self) -> int | None:
        """The limit on the tokens of an answer; None: none."""
        conversation = self.conversation
        return conversation.settings.get(MAX_TOKENS, conversation.default_max_tokens) or None

    def use(self, model: ChatModel) -> None:
        """Go on with a model. The conversation stays."""
        self._model = model
        self.conversation.model = model.name
        self.conversation.default_max_tokens = None if model.has_own_limit else DEFAULT_MAX_TOKENS

    def resume(self, conversation: Conversation) -> None:
        """Go on with another conversation; the model stays."""
        self.conversation = conversation
        self.last_answer, self._unanswered, self.images = None, None, []
        self.use(self._model)

    def clear(self) -> None:
        """Forget the conversation. The settings stay."""
        self.conversation.clear()
        self.last_answer, self._unanswered, self.images = None, None, []

    def add_image(self, url: str) -> None:
        """Add an image to the next prompt. Raises ``GglibError`` if the model does not accept images."""
        if self._model.has_vision is False:
            name = self._model.name
            command = quoted_command("set", "--mmproj", "FILE", name)
            raise GglibError(
                f"Model '{name}' does not accept images: use another model, or set its projector with {command}."
            )
        self.images.append(url)

    def ask(self, prompt: str) -> Answer:
        """Send a prompt with the images, and print the answer. A prompt without an answer is dropped."""
        images, self.images = tuple(self.images), []
        prompt = prompt.encode(errors="replace").decode()  # bytes of the terminal that are not UTF-8
        return self._ask(Message("user", prompt, images))

    def ask_again(self) -> Answer:
        """Send the last prompt again; its answer is replaced, unless the new one does not begin."""
        if self._unanswered is not None:
            return self._ask(self._unanswered)
        before = self.conversation.drop_answer()
        prompt = self.conversation.messages.pop()
        try:
            return self._ask(prompt)
        finally:
            self._restore(before)

    def go_on(self) -> Answer:
        """Continue the last answer, which was interrupted or stopped at a limit."""
        messages = self.conversation.messages
        if not messages or messages[-1].role != "assistant":
            raise GglibError("There is no answer to continue.")
        if not messages[-1].is_partial:
            raise GglibError("The last answer is complete.")
        try:
            answer = self._continuation()
        except BrokenAnswerError as error:
            self.conversation.extend_answer(error.answer.text, is_partial=True)
            raise
        self.conversation.extend_answer(answer.text, is_partial=answer.is_partial)
        return answer

    def _continuation(self) -> Answer:
        """Continue the answer itself; if the engine refuses that, ask the model to go on."""
        try:
            return self._exchange(self.conversation.continuation())
        except BrokenAnswerError:
            raise
        except GglibError:
            return self._exchange(self.conversation.requested_continuation())

    def _restore(self, before: Message | None) -> None:
        """Put the prompt back with its earlier answer, if it got no other."""
        if self._unanswered is not None and before is not None:
            self.conversation.messages += [self._unanswered, before]
            self._unanswered = None

    def _ask(self, prompt: Message) -> Answer:
        body = self.conversation.add_prompt(prompt.text, prompt.images)
        self._unanswered = prompt
        try:
            answer = self._exchange(body)
        except BrokenAnswerError as error:
            self._keep(error.answer)
            raise
        except BaseException:
            self.conversation.drop_prompt()
            raise
        self._keep(answer)
        return answer

    def _keep(self, answer: Answer) -> None:
        """Add an answer to the conversation; without text, as after an interrupted reasoning, the prompt is dropped."""
        if answer.text.strip():
            self.conversation.add_answer(answer.text, is_partial=answer.is_partial)
            self._unanswered = None
        else:
            self.conversation.drop_prompt()

    def _exchange(self, body: dict[str, object]) -> Answer:
        self.last_answer = Exchange(self.server, self._model.expected, self._new_printer()).run(body)
        return self.last_answer
