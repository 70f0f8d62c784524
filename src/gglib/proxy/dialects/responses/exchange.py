"""The exchanges of the Responses API: a response, and the count of its input tokens. Pure."""

import msgspec

from gglib.proxy.dialects.base import Exchange
from gglib.proxy.dialects.responses.objects import (
    COMPLETED,
    INCOMPLETE,
    call_item,
    constant_fields,
    message_item,
    reasoning_item,
    reasoning_part,
    response_object,
    text_part,
    token_logprobs,
    usage_object,
)
from gglib.proxy.dialects.responses.request import ResponsesRequest, translate_request
from gglib.proxy.dialects.responses.stream import LENGTH, ResponsesTranslator
from gglib.proxy.dialects.responses.tools import Object, Tools

CHAT_PATH = "/v1/chat/completions"


class ResponsesExchange(Exchange):
    """A request for a response. ``request_id`` is part of the ids that it returns."""

    def __init__(self, request: ResponsesRequest, request_id: str) -> None:
        super().__init__(CHAT_PATH, request.body)
        self._request = request
        self._request_id = request_id

    @classmethod
    def read(cls, body: bytes, request_id: str) -> "ResponsesExchange":
        """Return the exchange of a request body. Raises as ``translate_request``."""
        return cls(translate_request(body), request_id)

    def open_stream(self) -> ResponsesTranslator:
        """Return a translator for the events of the chat."""
        return ResponsesTranslator(self._request, self._request_id)

    def translate_body(self, body: bytes) -> bytes:
        """Return the response for a complete chat."""
        chat = msgspec.json.decode(body)
        choices = chat.get("choices") if isinstance(chat, dict) else None
        if not isinstance(choices, list) or not choices:
            raise ValueError("the engine's response has no choice")
        choice = choices[0]
        status = INCOMPLETE if choice.get("finish_reason") == LENGTH else COMPLETED
        content = response_object(
            constant_fields(self._request),
            id_=f"resp_{self._request_id}",
            created_at=chat.get("created", 0),
            model=chat.get("model", ""),
            status=status,
            output=self._items(choice, status),
            usage=usage_object(chat.get("usage")),
        )
        return msgspec.json.encode(content)

    def _items(self, choice: Object, status: str) -> list[Object]:
        """Return the output items. Only the last one can be incomplete."""
        message = choice.get("message")
        fields = message if isinstance(message, dict) else {}
        items: list[Object] = []
        reasoning, text, calls = (
            fields.get("reasoning_content"),
            fields.get("content"),
            fields.get("tool_calls"),
        )
        if isinstance(reasoning, str) and reasoning:
            items.append(reasoning_item(self._id("rs", items), [reasoning_part(reasoning)], COMPLETED))
        if isinstance(text, str) and text:
            logprobs = token_logprobs(choice, self._request.fields.get("top_logprobs"))
            items.append(message_item(self._id("msg", items), [text_part(text, logprobs)], COMPLETED))
        for call in calls if isinstance(calls, list) else ():
            items.append(self._call(call, items, self._request.tools))
        if items:
            items[-1]["status"] = status
        return items

    def _call(self, call: Object, items: list[Object], tools: Tools) -> Object:
        function = call.get("function")
        fields = function if isinstance(function, dict) else {}
        tool = tools.find(str(fields.get("name", "")))
        id_ = self._id("ctc" if tool.is_custom else "fc", items)
        call_id = str(call.get("id") or self._id("call", items))
        return call_item(id_, call_id, tool, str(fields.get("arguments", "")), COMPLETED)

    def _id(self, prefix: str, items: list[Object]) -> str:
        return f"{prefix}_{self._request_id}_{len(items)}"


class InputTokensExchange(ResponsesExchange):
    """A count of the tokens of a request's input. The engine's response has OpenAI's form already."""

    def __init__(self, request: ResponsesRequest, request_id: str) -> None:
        super().__init__(request, request_id)
        self.path = f"{CHAT_PATH}/input_tokens"

    def translate_body(self, body: bytes) -> bytes:
        """Return the engine's response."""
        return body
