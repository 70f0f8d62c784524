"""Translates the event stream of a chat completion to the events of the Responses API. Pure.

Each event has all fields of OpenAI's types. ``sequence_number`` is the last one, so that the error events that may end
the stream find it in the last bytes that were sent.
"""

from collections.abc import Iterator

import msgspec

from gglib.proxy.dialects.event_translator import EventTranslator
from gglib.proxy.dialects.responses.objects import (
    COMPLETED,
    IN_PROGRESS,
    INCOMPLETE,
    constant_fields,
    response_object,
    token_logprobs,
    usage_object,
)
from gglib.proxy.dialects.responses.open_item import Event, OpenCall, OpenItem, OpenMessage, OpenReasoning
from gglib.proxy.dialects.responses.request import ResponsesRequest
from gglib.proxy.dialects.responses.tools import Object

LENGTH = "length"
"""The finish reason of a response that ended at its token limit, or at the end of the context."""


class ResponsesTranslator(EventTranslator):
    """Translates one stream. Items follow one another: reasoning, message, calls, as the engine sends them."""

    def __init__(self, request: ResponsesRequest, request_id: str) -> None:
        super().__init__()
        self._tools = request.tools
        self._top_logprobs = request.fields.get("top_logprobs")
        self._constants = constant_fields(request)
        self._request_id = request_id
        self._number = 0
        self._created_at: object = 0
        self._model: object = ""
        self._is_open = False
        self._item: OpenItem | None = None
        self._call_index: object = None
        """The engine's index of the open call."""
        self._output: list[Object] = []
        self._finish_reason: object = None
        self._usage: object = None

    @property
    def is_complete(self) -> bool:
        """Whether the engine has sent a finish reason."""
        return self._finish_reason is not None

    def translate(self, name: str, content: Object) -> bytes:
        """Return the events for one chunk of the chat."""
        del name
        return b"".join(self._encode(event) for event in self._events(content))

    def end(self) -> bytes:
        """Return the end of the last item, and of the response."""
        is_incomplete = self._finish_reason == LENGTH
        status = INCOMPLETE if is_incomplete else COMPLETED
        closing = b"".join(map(self._encode, self._close_item(status)))
        return closing + self._encode((status, {"response": self._response(status)}))

    def _events(self, chunk: Object) -> Iterator[Event]:
        if not self._is_open:
            self._is_open = True
            self._created_at, self._model = chunk.get("created", 0), chunk.get("model", "")
            yield "created", {"response": self._response(IN_PROGRESS)}
            yield "in_progress", {"response": self._response(IN_PROGRESS)}
        self._usage = chunk.get("usage") or self._usage
        choices = chunk.get("choices")
        if not isinstance(choices, list) or not choices:
            return
        choice = choices[0]
        delta = choice.get("delta")
        if isinstance(delta, dict):
            yield from self._delta_events(choice, delta)
        self._finish_reason = choice.get("finish_reason") or self._finish_reason

    def _delta_events(self, choice: Object, delta: Object) -> Iterator[Event]:
        reasoning, text, calls = delta.get("reasoning_content"), delta.get("content"), delta.get("tool_calls")
        if isinstance(reasoning, str) and reasoning:
            yield from self._switch_to(OpenReasoning, "rs")
            yield from self._extend(reasoning, [])
        if isinstance(text, str) and text:
            yield from self._switch_to(OpenMessage, "msg")
            yield from self._extend(text, token_logprobs(choice, self._top_logprobs))
        for call in calls if isinstance(calls, list) else ():
            yield from self._call_events(call)

    def _call_events(self, call: Object) -> Iterator[Event]:
        function = call.get("function")
        fields = function if isinstance(function, dict) else {}
        if not isinstance(self._item, OpenCall) or call.get("index") != self._call_index:
            yield from self._close_item(COMPLETED)
            self._call_index = call.get("index")
            tool, index = self._tools.find(str(fields.get("name", ""))), len(self._output)
            call_id = str(call.get("id") or self._new_id("call"))
            yield from self._begin(
                OpenCall(self._new_id("ctc" if tool.is_custom else "fc"), index, call_id, tool)
            )
        arguments = fields.get("arguments")
        if isinstance(arguments, str):
            yield from self._extend(arguments, [])

    def _switch_to(self, kind: type[OpenMessage | OpenReasoning], prefix: str) -> Iterator[Event]:
        """Close the open item and begin one of another kind, unless one of this kind is open."""
        if not isinstance(self._item, kind):
            yield from self._close_item(COMPLETED)
            yield from self._begin(kind(self._new_id(prefix), len(self._output)))

    def _begin(self, item: OpenItem) -> Iterator[Event]:
        self._item = item
        yield from item.open()

    def _extend(self, text: str, logprobs: list[object]) -> Iterator[Event]:
        event = None if self._item is None else self._item.extend(text, logprobs)
        if event is not None:
            yield event

    def _close_item(self, status: str) -> Iterator[Event]:
        if self._item is not None:
            yield from self._item.close(status)
            self._output.append(self._item.item(status))
            self._item = None

    def _new_id(self, prefix: str) -> str:
        """Return the id of the next item."""
        return f"{prefix}_{self._request_id}_{len(self._output)}"

    def _response(self, status: str) -> Object:
        return response_object(
            self._constants,
            id_=f"resp_{self._request_id}",
            created_at=self._created_at,
            model=self._model,
            status=status,
            output=self._output,
            usage=usage_object(self._usage),
        )

    def _encode(self, event: Event) -> bytes:
        kind, fields = f"response.{event[0]}", event[1]
        data = msgspec.json.encode({"type": kind, **fields, "sequence_number": self._number})
        self._number += 1
        return b"event: %b\ndata: %b\n\n" % (kind.encode(), data)
