"""Reads ``model``, ``stream`` and ``num_ctx`` out of a request body, and leaves every other byte alone.

Pure. The body itself goes to the engine as it came, but for limits of tokens that the engine would misread; nothing
here builds a large one.
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
from gglib.proxy.guards.schema_cost import cost_upper_bound, parsed_cost
from gglib.proxy.guards.token_limits import TOKEN_LIMITS, clamped_limit, has_out_of_range_limit
from gglib.proxy.json_scan import MAX_DEPTH, JsonRefusedError, RootScanner

MAX_MODEL_NAME_CHARS = 512
"""No catalogue name is that long; a name is compared with all of them and is echoed in the error."""

_BYTES_PER_CHAR = 12
"""A character as JSON at its longest: a surrogate pair of escapes."""

_LONGEST_VALUE = MAX_GRAMMAR_BYTES + 1
"""Nothing that is read here may be longer, schemas and arrays apart: of what is, this much is enough to see that."""

_SHORT_BYTES = 4096
"""Beyond, what is built would be large, and what is looked through is searched at the speed of memchr."""

_OWN_FIELDS = ("model", "stream", "num_ctx")
_LIMITED = frozenset((*MAX_COUNTS, *MAX_ITEMS))
_GUARDED = frozenset(("grammar", *ENGINE_FIELDS, *SCHEMA_FIELDS, *_LIMITED))
_RARE = _GUARDED - SCHEMA_FIELDS - frozenset(MAX_COUNTS)
_DEFAULT_LIMITS = SchemaLimits()
_SCANNER = RootScanner((*_OWN_FIELDS, *sorted(_GUARDED | TOKEN_LIMITS)))
_POSITIVE_INTEGER = re.compile(rb"[1-9][0-9]*")
_NO_FIELDS: frozenset[str] = frozenset()


Edit = tuple[int, int, bytes]
"""Begin and end of a value in the body, and what is sent instead."""


class Envelope(NamedTuple):
    """What the proxy needs to know of a body. ``num_ctx`` is in tokens, None when the request does not say."""

    model: str
    is_stream: bool
    num_ctx: int | None
    edits: tuple[Edit, ...] = ()
    """What the engine is sent instead of some of the body, in the order of the body."""


def apply_edits(body: bytes, edits: tuple[Edit, ...]) -> bytes:
    """Return ``body`` with its edits; every other byte stays as it came."""
    parts: list[bytes] = []
    position = 0
    for start, end, written in edits:
        parts += (body[position:start], written)
        position = end
    return b"".join((*parts, body[position:]))


def read_envelope(
    body: bytes,
    *,
    allowed_engine_fields: frozenset[str] = _NO_FIELDS,
    schema_limits: SchemaLimits = _DEFAULT_LIMITS,
) -> Envelope:
    """Return what ``body`` asks for; raises ``BadRequestError`` naming the field at fault.

    Stricter than JSON where two readers could disagree, so that the engine never sees another model than the proxy
    did: see ``json_scan``; and a duplicate of a field that is read here is refused, however it is spelled.
    """
    return _read_fast(body, schema_limits) or _read_scanned(body, allowed_engine_fields, schema_limits)


def _read_fast(body: bytes, limits: SchemaLimits = _DEFAULT_LIMITS) -> Envelope | None:
    """Return what a short and plain body asks for; None for any other, and for one that is to be refused.

    The standard library's parser builds it, in C, in half the time that it takes to look through it. It knows none of
    our rules, so what could come near one of them is left to ``_read_scanned``, which has to agree with this result:
    nesting, code units, what is not ASCII (without its part in C the parser takes the digits of any script), NaN,
    duplicates, fields of the engine, limits that have to be corrected. Numbers are too short to matter.
    """
    if len(body) > _SHORT_BYTES:
        return None
    try:
        text = body.decode("ascii")
        if (
            "\\u" in text or text.count("[") + text.count("{") > MAX_DEPTH
        ):  # a text is searched quicker than bytes
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
        and (num_ctx is None or (type(num_ctx) is int and num_ctx > 0))  # a bool is an int, too
        and len(fields) == len(members)
        and (_GUARDED.isdisjoint(fields) or _passes_guards(fields, text, limits))
        and not has_out_of_range_limit(fields)
    ):
        return Envelope(model, is_stream is True, num_ctx)
    return None


def _passes_guards(fields: dict[str, Any], text: str, limits: SchemaLimits) -> bool:
    """Whether the guarded fields of a short body pass for sure. Schemas and probabilities are asked for every day."""
    if not _RARE.isdisjoint(fields) or limits.max_bytes < _SHORT_BYTES:
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
"""Reads a value and tells where it ends. Objects become tuples of their members, duplicates and all; arrays become
lists. White space around the value is not read over: ``decode`` does that, by two more matches for each body.
"""


def _read_scanned(
    body: bytes, allowed_engine_fields: frozenset[str], limits: SchemaLimits = _DEFAULT_LIMITS
) -> Envelope:
    try:
        members = _SCANNER.scan(body)
    except JsonRefusedError as error:
        raise BadRequestError(f"The request body {error}") from error
    own: dict[str, bytes] = {}
    edits: list[Edit] = []
    for name, start, end in members:
        if name in SCHEMA_FIELDS:
            refuse_costly_schema(name, body[start : min(end, start + limits.max_bytes + 1)], limits)
            continue
        if name in MAX_ITEMS:
            refuse_high_count(name, body[start:end], allowed_engine_fields)
            continue
        value = body[start:end] if end - start < _LONGEST_VALUE else body[start : start + _LONGEST_VALUE]
        if name in TOKEN_LIMITS:
            if (written := clamped_limit(value)) is not None:
                edits.append((start, end, written))
        elif name not in _OWN_FIELDS:
            _guard(name, value, allowed_engine_fields, limits)
        elif name in own:
            raise BadRequestError(f"'{name}' is in the request body twice.", name)
        else:
            own[name] = value
    return Envelope(
        _model(own.get("model")),
        _stream(own.get("stream")),
        _num_ctx(own.get("num_ctx")),
        tuple(edits),
    )


def _guard(name: str, value: bytes, allowed: frozenset[str], limits: SchemaLimits) -> None:
    if name == "grammar":
        refuse_unsafe_grammar(value, allowed)
        refuse_costly_grammar(value, limits)
    elif name in MAX_COUNTS:
        refuse_high_count(name, value, allowed)
    else:
        refuse_engine_field(name, value, allowed)


@lru_cache(maxsize=256)
def _model(value: bytes | None) -> str:
    if value is None or value == b"null":
        raise BadRequestError("The request body must name a 'model'.", "model")
    if value.startswith(b'"') and len(value) <= MAX_MODEL_NAME_CHARS * _BYTES_PER_CHAR + 2:
        model: str = json.loads(value) if b"\\" in value else value[1:-1].decode()
        if 0 < len(model) <= MAX_MODEL_NAME_CHARS:
            return model
    raise BadRequestError(f"'model' must be a string of 1 to {MAX_MODEL_NAME_CHARS} characters.", "model")


def _stream(value: bytes | None) -> bool:
    if value == b"true":
        return True
    if value is None or value in {b"false", b"null"}:
        return False
    raise BadRequestError("'stream' must be true or false.", "stream")


def _num_ctx(value: bytes | None) -> int | None:
    # How large is too large is for the model to say, not here.
    if value is None or value == b"null":
        return None
    if _POSITIVE_INTEGER.fullmatch(value):
        return int(value)
    raise BadRequestError("'num_ctx' must be a positive integer.", "num_ctx")
