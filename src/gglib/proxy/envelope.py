"""Reads ``model``, ``stream`` and ``num_ctx`` from a request body without changing it.

Pure. The body goes to the engine byte for byte, except token limits that the engine would misread. Large bodies are
scanned, never parsed into objects.
"""

import json
import re
from functools import lru_cache
from typing import Any, NamedTuple, NoReturn

from gglib.proxy.errors import BadRequestError
from gglib.proxy.guards.engine_fields import (
    ENGINE_FIELDS,
    MAX_COUNTS,
    MAX_GRAMMAR_BYTES,
    MAX_ITEMS,
    SCHEMA_FIELDS,
    SchemaLimits,
    refuse_costly_grammar,
    refuse_costly_schema,
    refuse_engine_field,
    refuse_high_count,
    refuse_unsafe_grammar,
)
from gglib.proxy.guards.remote_media import refuse_remote_media
from gglib.proxy.guards.schema_cost import cost_upper_bound, parsed_cost
from gglib.proxy.guards.token_limits import TOKEN_LIMITS, clamped_limit, has_out_of_range_limit
from gglib.proxy.guards.tool_choice import (
    ToolUse,
    chosen_tools,
    read_choice,
    read_plain_choice,
    read_tool_use,
)
from gglib.proxy.json_scan import MAX_DEPTH, JsonRefusedError, Member, RootScanner

MAX_MODEL_NAME_CHARS = 512
"""Longer than any catalogue name. The name is compared with all of them and repeated in the error."""

_MAX_BYTES_PER_CHAR = 12
"""The longest JSON form of a character: an escaped surrogate pair."""

_MAX_VALUE_BYTES = MAX_GRAMMAR_BYTES + 1
"""Longer values, except schemas and arrays, are cut to this length before they are checked."""

_MAX_FAST_BYTES = 4096
"""Longer bodies are scanned: parsing would build large objects, and scanning runs at the speed of memchr."""

_OWN_FIELDS = ("model", "stream", "num_ctx")
_GUARDED = frozenset(("grammar", *ENGINE_FIELDS, *SCHEMA_FIELDS, *MAX_COUNTS, *MAX_ITEMS))
_SCANNED_ONLY = _GUARDED - SCHEMA_FIELDS - frozenset(MAX_COUNTS)
"""Rare fields that only ``_read_scanned`` checks."""
_DEFAULT_LIMITS = SchemaLimits()
_TOOLS, _TOOL_CHOICE = _TOOL_FIELDS = ("tools", "tool_choice")
_SCANNER = RootScanner((*_OWN_FIELDS, _TOOL_CHOICE, *sorted(_GUARDED | TOKEN_LIMITS)))
_POSITIVE_INTEGER = re.compile(rb"[1-9][0-9]*")
_NO_FIELDS: frozenset[str] = frozenset()
_OPENING_BRACKET = ord("[")


Edit = tuple[int, int, bytes]
"""Start and end of a value in the body, and its replacement."""


class Envelope(NamedTuple):
    """The fields of a body that the proxy uses. ``num_ctx`` is in tokens, None if the request does not set it."""

    model: str | None
    """None if the request names none: the field is missing, null or empty."""
    is_stream: bool
    num_ctx: int | None
    edits: tuple[Edit, ...] = ()
    """Changes to the body before it goes to the engine, in body order."""
    tool_use: ToolUse | None = None
    """None: the request has no tools, or forbids them."""


def apply_edits(body: bytes, edits: tuple[Edit, ...]) -> bytes:
    """Return ``body`` with ``edits`` applied; all other bytes stay unchanged."""
    parts: list[bytes] = []
    position = 0
    for start, end, replacement in edits:
        parts += (body[position:start], replacement)
        position = end
    return b"".join((*parts, body[position:]))


def read_envelope(
    body: bytes,
    *,
    allowed_engine_fields: frozenset[str] = _NO_FIELDS,
    schema_limits: SchemaLimits = _DEFAULT_LIMITS,
) -> Envelope:
    """Return the envelope of ``body``. Raises ``BadRequestError``, which names the invalid field.

    Stricter than JSON where two parsers could disagree, so that the engine never reads another model than the proxy
    did: see ``json_scan``. A duplicate of a field that is read here is refused, even if its keys are escaped
    differently.
    """
    return _read_fast(body, schema_limits) or _read_scanned(body, allowed_engine_fields, schema_limits)


def _read_fast(body: bytes, limits: SchemaLimits = _DEFAULT_LIMITS) -> Envelope | None:
    """Return the envelope of a short, plain body; None for all other bodies and for invalid ones.

    The C parser of the standard library takes half the time of the scanner but does not enforce the rules. Bodies that
    could violate a rule are left to ``_read_scanned``, which must agree with this result: nesting, escaped code units,
    non-ASCII bytes (without its C part the parser accepts the digits of any script), NaN, duplicates, engine fields,
    token limits out of range. Numbers in a short body are below the length limit.
    """
    if len(body) > _MAX_FAST_BYTES:
        return None
    try:
        text = body.decode("ascii")
        if (
            "\\u" in text
            or '"http' in text  # perhaps the address of remote media
            or text.count("[") + text.count("{") > MAX_DEPTH  # str.count is faster than bytes.count
        ):
            return None
        members, end = _parse(text)
    except ValueError:
        return None
    if not isinstance(members, tuple) or end != len(text):
        return None
    fields = dict(members)
    model, is_stream, num_ctx = fields.get("model"), fields.get("stream"), fields.get("num_ctx")
    if (
        isinstance(model, str)
        and 0 < len(model) <= MAX_MODEL_NAME_CHARS
        and (is_stream is None or isinstance(is_stream, bool))
        and (num_ctx is None or (type(num_ctx) is int and num_ctx > 0))  # bool is a subclass of int
        and len(fields) == len(members)
        and not has_out_of_range_limit(fields)
    ):
        envelope = Envelope(model, is_stream is True, num_ctx)
        return envelope if _GUARDED.isdisjoint(fields) else _read_guarded(envelope, fields, text, limits)
    return None


def _read_guarded(
    envelope: Envelope, fields: dict[str, Any], text: str, limits: SchemaLimits
) -> Envelope | None:
    """Return the envelope of a short body with guarded fields; None unless they are certainly allowed."""
    if not _passes_guards(fields, text, limits):
        return None
    tool_use = read_tool_use(fields.get(_TOOLS), read_plain_choice(fields.get(_TOOL_CHOICE)))
    return envelope if tool_use is None else envelope._replace(tool_use=tool_use)


def _passes_guards(fields: dict[str, Any], text: str, limits: SchemaLimits) -> bool:
    """Whether the guarded fields of a short body are certainly allowed. Schemas and log probabilities are frequent."""
    if not _SCANNED_ONLY.isdisjoint(fields) or limits.max_bytes < _MAX_FAST_BYTES:
        return False
    if isinstance(fields.get(_TOOL_CHOICE), tuple):  # an object, which may need edits
        return False
    is_cheap = cost_upper_bound(text) <= limits.max_cost
    for name, value in fields.items():
        if not is_cheap and name in SCHEMA_FIELDS and parsed_cost(value) > limits.max_cost:
            return False
        if name in MAX_COUNTS and not (
            value is None or (isinstance(value, int) and value <= MAX_COUNTS[name])
        ):
            return False
    return True


def _refuse_constant(_: str) -> NoReturn:
    raise ValueError


_parse = json.JSONDecoder(object_pairs_hook=tuple, parse_constant=_refuse_constant).raw_decode
"""Returns a value and its end. Objects become tuples of their members, including duplicates; arrays become lists.
``raw_decode`` does not skip white space around the value; ``decode`` does, at the cost of two more matches per body.
"""


def _read_scanned(
    body: bytes, allowed_engine_fields: frozenset[str], limits: SchemaLimits = _DEFAULT_LIMITS
) -> Envelope:
    try:
        members = _SCANNER.scan(body)
    except JsonRefusedError as error:
        raise BadRequestError(f"The request body {error}") from error
    refuse_remote_media(body, allowed_engine_fields)
    own: dict[str, bytes] = {}
    edits: list[Edit] = []
    for name, start, end in members:
        if name in SCHEMA_FIELDS:
            refuse_costly_schema(name, body[start : min(end, start + limits.max_bytes + 1)], limits)
            continue
        if name in MAX_ITEMS:
            refuse_high_count(name, body[start:end], allowed_engine_fields)
            continue
        value = body[start:end] if end - start < _MAX_VALUE_BYTES else body[start : start + _MAX_VALUE_BYTES]
        if name in TOKEN_LIMITS:
            if (replacement := clamped_limit(value)) is not None:
                edits.append((start, end, replacement))
        elif name not in _OWN_FIELDS:
            _refuse_guarded(name, value, allowed_engine_fields, limits)
        elif name in own:
            raise BadRequestError(f"'{name}' occurs twice in the request body.", name)
        else:
            own[name] = value
    tool_use, tool_edits = _read_tools(body, members)
    return Envelope(
        _read_model(own.get("model")),
        _read_stream(own.get("stream")),
        _read_num_ctx(own.get("num_ctx")),
        tuple(sorted((*edits, *tool_edits)) if tool_edits else edits),
        tool_use,
    )


def _read_tools(body: bytes, members: list[Member]) -> tuple[ToolUse | None, list[Edit]]:
    """Return the tool use of a body, and the edits that a choice of single tools needs. The last duplicate counts."""
    spans = {name: (start, end) for name, start, end in members if name in _TOOL_FIELDS}
    span = spans.get(_TOOLS)
    if span is None or body[span[0]] != _OPENING_BRACKET:
        return None, []
    choice_span = spans.get(_TOOL_CHOICE)
    choice = read_choice(None if choice_span is None else body[slice(*choice_span)])
    has_tools = body[span[0] + 1 : span[1] - 1].strip() != b""
    edits: list[Edit] = []
    if choice.names is not None:
        edits.append((*span, chosen_tools(body[slice(*span)], choice.names)))
    if choice_span is not None and choice.is_replaced:
        edits.append((*choice_span, json.dumps(choice.mode).encode()))
    return read_tool_use([None] if has_tools else [], choice.mode), edits


def _refuse_guarded(name: str, value: bytes, allowed: frozenset[str], limits: SchemaLimits) -> None:
    if name == "grammar":
        refuse_unsafe_grammar(value, allowed)
        refuse_costly_grammar(value, limits)
    elif name in MAX_COUNTS:
        refuse_high_count(name, value, allowed)
    else:
        refuse_engine_field(name, value, allowed)


@lru_cache(maxsize=256)
def _read_model(value: bytes | None) -> str | None:
    if value is None or value in {b"null", b'""'}:
        return None
    if value.startswith(b'"') and len(value) <= MAX_MODEL_NAME_CHARS * _MAX_BYTES_PER_CHAR + 2:
        model: str = json.loads(value) if b"\\" in value else value[1:-1].decode()
        if 0 < len(model) <= MAX_MODEL_NAME_CHARS:
            return model
    raise BadRequestError(f"'model' must be a string of 1 to {MAX_MODEL_NAME_CHARS} characters.", "model")


def _read_stream(value: bytes | None) -> bool:
    if value == b"true":
        return True
    if value is None or value in {b"false", b"null"}:
        return False
    raise BadRequestError("'stream' must be true or false.", "stream")


def _read_num_ctx(value: bytes | None) -> int | None:
    # The upper bound depends on the model and is not checked here.
    if value is None or value == b"null":
        return None
    if _POSITIVE_INTEGER.fullmatch(value):
        return int(value)
    raise BadRequestError("'num_ctx' must be a positive integer.", "num_ctx")
