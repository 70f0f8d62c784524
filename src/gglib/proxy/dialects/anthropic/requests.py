"""Adapts the body of a Messages request to the engine, which speaks the dialect itself. Pure.

A request that needs no change is forwarded byte for byte; of others only the members that change are written anew.
What the engine (b11549, ``server_chat_convert_anthropic_to_oai``) does with a member, and what is changed:

| member | engine | change |
|---|---|---|
| ``system`` | text | the line of ``billing_line`` is removed |
| ``messages`` | passed to the template as they are | ``turns``, ``documents`` |
| ``tools``, ``tool_choice`` | see ``tools`` | see ``tools`` |
| ``thinking`` | reads only the budget of ``enabled`` | ``enable_thinking`` of the template, unless ``adaptive`` |
| ``output_config.effort`` | ignored | ``reasoning_effort`` of the template, see ``_EFFORTS`` |
| ``output_config.format`` | ignored | the request is translated, see ``chat_request`` |
| ``context_management``, ``cache_control``, ``metadata``, ``service_tier``, ``container`` | ignored | none |
"""

from itertools import pairwise
from typing import Literal, NamedTuple

import msgspec

from gglib.proxy.dialects.anthropic import tools as tool_rules
from gglib.proxy.dialects.anthropic import turns
from gglib.proxy.dialects.anthropic.billing_line import NAME, may_have_billing_line, without_billing_line
from gglib.proxy.dialects.anthropic.raw_json import (
    ABSENT,
    RawJson,
    array_of,
    is_set,
    is_string,
    items_of,
    members_of,
    object_of,
    text_block,
    to_json,
)

_TEMPLATE_KWARGS = "chat_template_kwargs"
_EFFORTS = {"low": "low", "xhigh": "high", "max": "high"}
"""``reasoning_effort`` by Anthropic's effort. ``high`` is Anthropic's default: clients send it without a meaning of
their own, and some templates write it as a demand for the longest thinking (DeepSeek-V4). ``medium`` is refused by some
(Hy3). For both the model's default stays."""
_MAX_PLAIN_BYTES = 4096
_BILLING_LINE = NAME.decode()
_WITHOUT_THINKING = frozenset(("disabled", "between_tools"))


class AdaptedRequest(NamedTuple):
    """A request as it is sent to the engine."""

    body: bytes
    ignored_tools: tuple[str, ...] = ()
    """Kinds of tools that were taken out because Anthropic's servers run them."""
    needs_chat: bool = False
    """Whether only the engine's chat completions have what the request asks for."""


class _PlainMessage(msgspec.Struct, gc=False):
    role: Literal["user", "assistant"]
    content: str


class _PlainRequest(msgspec.Struct, gc=False):
    """A request of which nothing may change; other values of its members are no such request."""

    messages: list[_PlainMessage]
    system: str | None = None
    tools: None = None
    tool_choice: None = None
    thinking: None = None
    output_config: None = None
    output_format: None = None


class _Request(msgspec.Struct, gc=False):
    messages: list[turns.Message]
    system: msgspec.Raw = ABSENT
    tools: msgspec.Raw = ABSENT
    tool_choice: msgspec.Raw = ABSENT
    thinking: msgspec.Raw = ABSENT
    output_config: msgspec.Raw = ABSENT
    output_format: msgspec.Raw = ABSENT


class _Thinking(msgspec.Struct, gc=False):
    type: str = ""


class _OutputConfig(msgspec.Struct, gc=False):
    effort: str | None = None
    format: msgspec.Raw = ABSENT


_plain_request = msgspec.json.Decoder(_PlainRequest).decode
_request = msgspec.json.Decoder(_Request).decode
_thinking = msgspec.json.Decoder(_Thinking).decode
_output_config = msgspec.json.Decoder(_OutputConfig).decode


def adapt_request(body: bytes) -> AdaptedRequest:
    """Return the request for the engine. Raises ``BadRequestError`` for what cannot be mapped.

    A body that is not a valid request stays as it is: the checks of every forwarded body, or the engine, refuse it.
    """
    if is_certainly_plain(body):
        return AdaptedRequest(body)
    try:
        request = _request(body)
        return AdaptedRequest(body) if _is_plain(request) else _adapt(body, request)
    except (ValueError, RecursionError):  # also of text that is not UTF-8
        return AdaptedRequest(body)


def is_certainly_plain(body: bytes) -> bool:
    """Whether a short body has nothing that may change: questions and answers of text, as most chats have.

    The decoder tests nearly all of it while it reads, in 1 µs.
    """
    if len(body) > _MAX_PLAIN_BYTES:
        return False
    try:
        request = _plain_request(body)
    except (ValueError, RecursionError):
        return False
    if request.system is not None and request.system.startswith(_BILLING_LINE):
        return False
    messages = request.messages
    return len(messages) == 1 or all(one.role != other.role for one, other in pairwise(messages))


def _is_plain(request: _Request) -> bool:
    """Whether nothing changes; the cheap test, which ends it for most requests."""
    return (
        request.thinking is ABSENT
        and request.output_config is ABSENT
        and request.output_format is ABSENT
        and not turns.may_need_changes(request.messages)
        and not (request.system is not ABSENT and may_have_billing_line(request.system))
        and not tool_rules.may_need_changes(request.tools, request.tool_choice)
    )


def _adapt(body: bytes, request: _Request) -> AdaptedRequest:
    members: dict[str, RawJson] = dict(members_of(body))
    before = dict(members)
    system = without_billing_line(request.system) if is_set(request.system) else request.system
    normalized = turns.normalize_turns(request.messages, members["messages"])
    if normalized is not None:
        members["messages"] = normalized.messages
        system = _with_texts(system, normalized.system)
    tools = tool_rules.Tools(request.tools, request.tool_choice)
    if tool_rules.may_need_changes(request.tools, request.tool_choice):
        tools = tool_rules.adapt_tools(request.tools, request.tool_choice)
    config = _output_config(request.output_config) if is_set(request.output_config) else _OutputConfig()
    _set(members, "system", system)
    _set(members, "tools", tools.tools)
    _set(members, "tool_choice", tools.tool_choice)
    _set_template_kwargs(members, _template_kwargs(request, config))
    has_format = is_set(config.format) or is_set(request.output_format)
    is_same = members.keys() == before.keys() and all(members[name] is before[name] for name in members)
    return AdaptedRequest(
        body if is_same else object_of(members), tools.ignored, has_format or tools.is_one_call
    )


def _set(members: dict[str, RawJson], name: str, value: RawJson) -> None:
    """Set a member to a changed value; ``ABSENT`` removes it."""
    if value is ABSENT:
        members.pop(name, None)
    elif name not in members or memoryview(members[name]) != memoryview(value):
        members[name] = value


def _with_texts(system: RawJson, texts: tuple[bytes, ...]) -> RawJson:
    """Return ``system`` with further texts at its end; the engine joins blocks without a separator."""
    if not texts:
        return system
    blocks: list[RawJson] = []
    if is_set(system):
        blocks = [text_block(bytes(memoryview(system)[1:-1]))] if is_string(system) else [*items_of(system)]
    for text in texts:
        blocks.append(text_block(rb"\n\n" + text if blocks else text))
    return array_of(blocks)


def _template_kwargs(request: _Request, config: _OutputConfig) -> dict[str, object]:
    """Return the variables of the chat template that the request determines."""
    kind = _thinking(request.thinking).type if is_set(request.thinking) else ""
    if kind in _WITHOUT_THINKING:
        return {"enable_thinking": False}
    kwargs: dict[str, object] = {"enable_thinking": True} if kind == "enabled" else {}
    if config.effort in _EFFORTS:
        kwargs["reasoning_effort"] = _EFFORTS[config.effort]
    return kwargs


def _set_template_kwargs(members: dict[str, RawJson], kwargs: dict[str, object]) -> None:
    """Set variables of the template that the client does not set itself."""
    own = members.get(_TEMPLATE_KWARGS, ABSENT)
    given: dict[str, RawJson] = dict(members_of(own)) if is_set(own) else {}
    missing = {name: to_json(value) for name, value in kwargs.items() if name not in given}
    if missing:
        members[_TEMPLATE_KWARGS] = object_of({**given, **missing})
