"""One output item of a streamed response while it grows: which events open, extend and close it. Pure."""

from abc import ABC, abstractmethod
from collections.abc import Iterator

from gglib.proxy.dialects.responses.objects import (
    IN_PROGRESS,
    call_item,
    custom_input,
    message_item,
    reasoning_item,
    reasoning_part,
    text_part,
)
from gglib.proxy.dialects.responses.tools import Object, Tool

Event = tuple[str, Object]
"""The type of an event after ``response.``, and its fields."""


class OpenItem(ABC):
    """An output item that is not complete. ``place`` are the fields that locate it in each of its events."""

    def __init__(self, id_: str, index: int) -> None:
        self.id = id_
        self.place: Object = {"item_id": id_, "output_index": index}
        self._index = index
        self._parts: list[str] = []

    @property
    def text(self) -> str:
        """What the item has received."""
        return "".join(self._parts)

    def open(self) -> Iterator[Event]:
        """Yield the events that begin the item."""
        yield "output_item.added", {"output_index": self._index, "item": self.item(IN_PROGRESS)}

    @abstractmethod
    def extend(self, text: str, logprobs: list[object]) -> Event | None:
        """Add text and return its event."""

    @abstractmethod
    def close_content(self) -> Iterator[Event]:
        """Yield the events that end the content of the item."""

    def close(self, status: str) -> Iterator[Event]:
        """Yield the events that end the item."""
        yield from self.close_content()
        yield "output_item.done", {"output_index": self._index, "item": self.item(status)}

    @abstractmethod
    def item(self, status: str) -> Object:
        """Return the item as it is."""


class OpenMessage(OpenItem):
    """A message of the model."""

    def __init__(self, id_: str, index: int) -> None:
        super().__init__(id_, index)
        self._content_place = {**self.place, "content_index": 0}
        self._logprobs: list[object] = []

    def open(self) -> Iterator[Event]:
        """Yield the beginnings of the item and of its text."""
        yield from super().open()
        yield "content_part.added", {**self._content_place, "part": text_part("", [])}

    def extend(self, text: str, logprobs: list[object]) -> Event:
        """Add text, with the log probabilities of its tokens."""
        self._parts.append(text)
        self._logprobs += logprobs
        return "output_text.delta", {**self._content_place, "delta": text, "logprobs": logprobs}

    def close_content(self) -> Iterator[Event]:
        """Yield the complete text."""
        text = self.text
        yield "output_text.done", {**self._content_place, "text": text, "logprobs": self._logprobs}
        yield "content_part.done", {**self._content_place, "part": text_part(text, self._logprobs)}

    def item(self, status: str) -> Object:
        """Return the message; at its beginning without content."""
        content = [] if status == IN_PROGRESS else [text_part(self.text, self._logprobs)]
        return message_item(self.id, content, status)


class OpenReasoning(OpenItem):
    """The reasoning of the model."""

    def __init__(self, id_: str, index: int) -> None:
        super().__init__(id_, index)
        self._content_place = {**self.place, "content_index": 0}

    def open(self) -> Iterator[Event]:
        """Yield the beginnings of the item and of its text."""
        yield from super().open()
        yield "content_part.added", {**self._content_place, "part": reasoning_part("")}

    def extend(self, text: str, logprobs: list[object]) -> Event:
        """Add text."""
        del logprobs
        self._parts.append(text)
        return "reasoning_text.delta", {**self._content_place, "delta": text}

    def close_content(self) -> Iterator[Event]:
        """Yield the complete text."""
        text = self.text
        yield "reasoning_text.done", {**self._content_place, "text": text}
        yield "content_part.done", {**self._content_place, "part": reasoning_part(text)}

    def item(self, status: str) -> Object:
        """Return the reasoning; at its beginning without content."""
        return reasoning_item(self.id, [] if status == IN_PROGRESS else [reasoning_part(self.text)], status)


class OpenCall(OpenItem):
    """A call of a function or of a custom tool. The input of the latter is known at the end only."""

    def __init__(self, id_: str, index: int, call_id: str, tool: Tool) -> None:
        super().__init__(id_, index)
        self._call_id = call_id
        self._tool = tool

    def extend(self, text: str, logprobs: list[object]) -> Event | None:
        """Add a part of the arguments."""
        del logprobs
        self._parts.append(text)
        if self._tool.is_custom or not text:
            return None
        return "function_call_arguments.delta", {**self.place, "delta": text}

    def close_content(self) -> Iterator[Event]:
        """Yield the complete arguments, or the input."""
        text = self.text
        if self._tool.is_custom:
            value = custom_input(text)
            yield "custom_tool_call_input.delta", {**self.place, "delta": value}
            yield "custom_tool_call_input.done", {**self.place, "input": value}
        else:
            yield (
                "function_call_arguments.done",
                {**self.place, "name": self._tool.name, "arguments": text},
            )

    def item(self, status: str) -> Object:
        """Return the call; at its beginning without arguments."""
        arguments = self.text
        if self._tool.is_custom and status == IN_PROGRESS:
            arguments = '{"input":""}'
        return call_item(self.id, self._call_id, self._tool, arguments, status)
