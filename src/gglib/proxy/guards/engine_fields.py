"""Refuses body fields that control the engine, and grammars and schemas that would crash or block it.

Pure. Works on raw slices of the body. The rules come from llama.cpp's sources (``server-schema.cpp``,
``server-context.cpp``, ``llama-grammar.cpp``), from its issues (numbers given), and from tests of each rule with the
shipped engine (xllamacpp 2026.10.11549).
"""

import json
import re
import sys
from typing import NamedTuple, NoReturn

from gglib.proxy.errors import BadRequestError
from gglib.proxy.guards.remote_media import REMOTE_MEDIA
from gglib.proxy.guards.schema_cost import (
    DEFAULT_MAX_BYTES,
    DEFAULT_MAX_COST,
    TooManyPartsError,
    grammar_cost,
    schema_cost,
)

ENGINE_FIELDS = {
    "id_slot": "it waits for one slot even while others are free, and discards its cache",
    "lora": "it changes the adapters, and the engine batches only requests with the same adapters",
    "sse_ping_interval": "gglib sets it: clients and the stall detection rely on the pings",
    "grammar_triggers": "the engine sets it internally; an unknown type or a nested pattern crashes it",
    "chat_parser": "the engine sets it internally; a self-referencing parser crashes it (#25959)",
    "n_discard": "a negative value overflows the heap of engines before April 2026 (CVE-2026-21869)",
}
"""Root fields of a body that affect more than this response, and why each is refused. Ordinary clients do not send
them. Tested and harmless, so not listed: ``grammar_lazy``, ``preserved_tokens``, ``chat_format``, ``n_keep``,
``cache_prompt``, ``n_cache_reuse``, ``backend_sampling``, ``reasoning_control``, and a schema's nested ``pattern``."""

NEUTRAL_VALUES: dict[str, object] = {
    "id_slot": -1,
    "lora": [],
    "grammar_triggers": [],
    "chat_parser": "",
    "n_discard": 0,
}
"""The engine's defaults (``server-schema.cpp``; tested with the shipped engine). Clients that always send all fields
send them; like ``null`` they change nothing. ``sse_ping_interval`` has none, because gglib sets its own. The default of
``lora`` is the launch scales, and gglib launches without adapters."""
_MAX_NEUTRAL_BYTES = 16
"""Enough for an array with white space in it, and for ``-1.0``."""

LLGUIDANCE = "%llguidance"
"""Prefix of grammars in the llguidance language. It crashes a llama.cpp built without llguidance, which is the default
(#25960). ``allowed_engine_fields`` accepts it as a name."""

_LIMITED_FIELDS = ("n_probs", "top_logprobs", "logprobs", "dry_sequence_breakers")
GUARDED_FIELDS = frozenset((*ENGINE_FIELDS, LLGUIDANCE, REMOTE_MEDIA, *_LIMITED_FIELDS))
"""All names that ``allowed_engine_fields`` accepts."""

MAX_GRAMMAR_BYTES = 64 * 1024
MAX_GRAMMAR_DEPTH = 256
"""llama.cpp recurses per group and crashes at 20,000 (#26600, measured); chained rules up to 64 KiB are harmless."""

_TOO_MANY_PARTS = sys.maxsize
_WHOLE_NUMBER = re.compile(rb"[0-9.eE+]+\Z")

_TOKENS = re.compile(
    r'"[^"\\]*+(?:\\.[^"\\]*+)*"?'  # a literal, then a character class: neither can nest
    r"|\[[^\]\\]*+(?:\\.[^\]\\]*+)*\]?"
    r"|#[^\r\n]*+"
    r'|<(?:\[[0-9]*+\]|[^>"()\[\]#]*+)>'  # a model token
    r"|[()<]",
    re.DOTALL,
)


SCHEMA_FIELDS = frozenset(
    ("json_schema", "response_format", "tools", "functions", "text", "output_config", "output_format")
)
"""Fields with schemas for constrained sampling: llama.cpp's own, OpenAI's chat and Responses, Anthropic's Messages."""

MAX_COUNTS = {"n_probs": 1_000, "top_logprobs": 1_000, "logprobs": 1_000}
"""Counts with a cost per token in the compute thread: 100,000 probabilities block all other requests for 0.1 s or
more per token. OpenAI allows 20."""
MAX_ITEMS = {"dry_sequence_breakers": 64}
"""Each item is compared with the whole vocabulary before the first token: 10,000 blocked the model for over 10 s."""

_COST_CACHE: dict[int, int] = {}
"""Costs by the hash of a value (randomized per process): agents send the same tools with each request, and checking
80 KB takes 1 ms."""
_MAX_CACHED_COSTS = 1_000


class SchemaLimits(NamedTuple):
    """Limits on the schemas and tools of a request; ``docs/settings.md`` explains the cost."""

    max_bytes: int = DEFAULT_MAX_BYTES
    """Maximum size of one field, as JSON."""
    max_cost: int = DEFAULT_MAX_COST
    """Maximum number of alternatives at one place of a schema; an ``enum`` value counts as 1."""


def refuse_costly_schema(name: str, value: bytes, limits: SchemaLimits) -> None:
    """Raise if the schemas in the field ``name`` would block the engine for other requests.

    ``value`` is its JSON, possibly cut after ``limits.max_bytes`` + 1 bytes.
    """
    if len(value) > limits.max_bytes:
        raise BadRequestError(
            f"'{name}' is larger than {limits.max_bytes // 1024} KiB: shorten it, or raise the setting "
            "max_schema_kb.",
            name,
        )
    if value[:1] not in {b"{", b"["}:
        return
    _refuse_cost(name, _cached_cost(value), limits)


def refuse_costly_grammar(value: bytes, limits: SchemaLimits) -> None:
    """Raise if the JSON ``value`` of a ``grammar``, checked by ``refuse_unsafe_grammar``, would block the engine."""
    if value.startswith(b'"'):
        grammar: str = json.loads(value)
        if not grammar.startswith(LLGUIDANCE):
            _refuse_cost("grammar", grammar_cost(grammar), limits)


def refuse_high_count(name: str, value: bytes, allowed: frozenset[str]) -> None:
    """Raise if ``value`` exceeds ``MAX_COUNTS`` or ``MAX_ITEMS`` for ``name``."""
    if name in allowed:
        return
    if name in MAX_ITEMS:
        may_have_too_many = value.startswith(b"[") and value.count(b",") >= MAX_ITEMS[name]
        if may_have_too_many and (len(value) > MAX_GRAMMAR_BYTES or len(json.loads(value)) > MAX_ITEMS[name]):
            _refuse_count(name, f"has more than {MAX_ITEMS[name]} items")
    elif _WHOLE_NUMBER.match(value) and float(value) > MAX_COUNTS[name]:
        _refuse_count(name, f"is higher than {MAX_COUNTS[name]}")


def _refuse_count(name: str, what: str) -> NoReturn:
    raise BadRequestError(
        f"'{name}' {what}, which would block other requests for the model: lower it, or add it to the setting "
        "allowed_engine_fields.",
        name,
    )


def _cached_cost(value: bytes) -> int:
    key = hash(value)
    cost = _COST_CACHE.get(key)
    if cost is None:
        try:
            cost = schema_cost(value)
        except TooManyPartsError:
            cost = _TOO_MANY_PARTS
        if len(_COST_CACHE) >= _MAX_CACHED_COSTS:
            _COST_CACHE.clear()
        _COST_CACHE[key] = cost
    return cost


def _refuse_cost(name: str, cost: int, limits: SchemaLimits) -> None:
    if cost > limits.max_cost:
        shown = "far more" if cost == _TOO_MANY_PARTS else str(cost)
        raise BadRequestError(
            f"'{name}' would block other requests for the model: its alternatives cost {shown}, and the limit is "
            f"{limits.max_cost}. Use fewer values in 'enum' and 'anyOf', fewer optional properties or a "
            "simpler pattern, or raise the setting max_schema_cost.",
            name,
        )


def refuse_engine_field(name: str, value: bytes, allowed: frozenset[str]) -> None:
    """Raise if ``name`` is an engine control field that is not allowed, unless its value is neutral."""
    if name in ENGINE_FIELDS and name not in allowed and not _is_neutral(name, value):
        raise BadRequestError(
            f"'{name}' must not be set by requests: {ENGINE_FIELDS[name]}. "
            "To allow it, add it to the setting allowed_engine_fields.",
            name,
        )


def _is_neutral(name: str, value: bytes) -> bool:
    if value == b"null":
        return True
    if name not in NEUTRAL_VALUES or len(value) > _MAX_NEUTRAL_BYTES:
        return False
    given, neutral = json.loads(value), NEUTRAL_VALUES[name]
    return not isinstance(given, bool) and bool(given == neutral)  # False is 0 in Python, not in JSON


def refuse_unsafe_grammar(value: bytes, allowed: frozenset[str]) -> None:
    """Raise if ``value``, the JSON of a ``grammar``, would crash the engine. Other JSON types cannot."""
    if not value.startswith(b'"'):
        return
    if len(value) > MAX_GRAMMAR_BYTES:
        raise BadRequestError(f"'grammar' is longer than {MAX_GRAMMAR_BYTES} bytes.", "grammar")
    grammar: str = json.loads(value)
    if grammar.startswith(LLGUIDANCE):
        if LLGUIDANCE not in allowed:
            raise BadRequestError(
                f"'grammar' is in the language of {LLGUIDANCE}, which crashes some engines. "
                f"To allow it, add {LLGUIDANCE} to the setting allowed_engine_fields.",
                "grammar",
            )
        return  # llguidance has its own parser and limits
    if _depth(grammar) > MAX_GRAMMAR_DEPTH:
        raise BadRequestError(f"'grammar' is nested more than {MAX_GRAMMAR_DEPTH} deep.", "grammar")


def _depth(grammar: str) -> int:
    """Return an upper bound of the nesting depth of groups in a GBNF grammar.

    Exact for valid grammars. The engine stops at a syntax error, so counting beyond it only raises the bound.
    After an ambiguous construct (a model token with quotes or brackets in it) every opening parenthesis counts and no
    closing one.
    """
    depth = deepest = 0
    for match in _TOKENS.finditer(grammar):
        mark = match[0]
        if mark == "(":
            depth += 1
            deepest = max(deepest, depth)
        elif mark == ")":
            depth = max(depth - 1, 0)
        elif mark == "<":
            return max(deepest, depth + grammar.count("(", match.end()))
    return deepest
