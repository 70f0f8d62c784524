"""What a request may not say to the engine: fields that control the server, and grammars that bring it down.

Pure. It looks at pieces of the body as they stand. The rules come from llama.cpp's sources (``server-schema.cpp``,
``server-context.cpp``, ``llama-grammar.cpp``), from its issues, whose numbers stand here, and from trying each on the
engine that is shipped (xllamacpp 2026.10.11549).
"""

import json
import re
import sys
from typing import NamedTuple, NoReturn

from gglib.proxy.errors import BadRequestError
from gglib.proxy.guards.schema_cost import (
    DEFAULT_MAX_BYTES,
    DEFAULT_MAX_COST,
    TooManyPartsError,
    grammar_cost,
    schema_cost,
)

ENGINE_FIELDS = {
    "id_slot": "it takes a slot away from whoever has it, and waits for that one while others are free",
    "lora": "it changes the adapters, and the engine computes only requests with the same ones together",
    "sse_ping_interval": "gglib sets it: clients and the watch for a hanging engine count on its pings",
    "grammar_triggers": "the engine writes it for itself; an unknown type or a nested pattern ends its process",
    "chat_parser": "the engine writes it for itself; one that refers to itself ends its process (#25959)",
    "n_discard": "a negative one writes beyond the heap of engines before April 2026 (CVE-2026-21869)",
}
"""Fields at the root of a body that are not about this answer, and why each is refused. Nobody's ordinary client sends
them. Tried and harmless, so not here: ``grammar_lazy``, ``preserved_tokens``, ``chat_format``, ``n_keep``,
``cache_prompt``, ``n_cache_reuse``, ``backend_sampling``, ``reasoning_control``, and a schema's nested ``pattern``."""

NEUTRAL_VALUES: dict[str, object] = {
    "id_slot": -1,
    "lora": [],
    "grammar_triggers": [],
    "chat_parser": "",
    "n_discard": 0,
}
"""The engine's defaults (``server-schema.cpp``; tried on the engine that is shipped): a client that sends one of them,
because its form has all fields, asks for nothing, as with ``null``. ``sse_ping_interval`` has none: gglib's own holds.
Of ``lora`` the default is the scales of the launch, and gglib launches none."""
_LONGEST_NEUTRAL_BYTES = 16
"""With white space in an array, or as ``-1.0``."""

LLGUIDANCE = "%llguidance"
"""What a grammar in llguidance's own language begins with. It ends a llama.cpp that was built without it, as it is by
default (#25960). In ``allowed_engine_fields`` it is a name like the others."""

_LIMITED_FIELDS = ("n_probs", "top_logprobs", "logprobs", "dry_sequence_breakers")
GUARDED_FIELDS = frozenset((*ENGINE_FIELDS, LLGUIDANCE, *_LIMITED_FIELDS))
"""What may be allowed by name."""

MAX_GRAMMAR_BYTES = 64 * 1024
MAX_GRAMMAR_DEPTH = 256
"""llama.cpp recurses for each group and dies of 20,000 (#26600, measured); rules in a chain do no harm up to 64 KiB."""

_TOO_MANY_PARTS = sys.maxsize
_WHOLE_NUMBER = re.compile(rb"[0-9.eE+]+\Z")

_TOKENS = re.compile(
    r'"[^"\\]*+(?:\\.[^"\\]*+)*"?'  # a literal, and a set of characters: nothing nests in them
    r"|\[[^\]\\]*+(?:\\.[^\]\\]*+)*\]?"
    r"|#[^\r\n]*+"
    r'|<(?:\[[0-9]*+\]|[^>"()\[\]#]*+)>'  # a token of the model
    r"|[()<]",
    re.DOTALL,
)


SCHEMA_FIELDS = frozenset(
    ("json_schema", "response_format", "tools", "functions", "text", "output_config", "output_format")
)
"""Where the dialects have schemas that an engine samples by: llama.cpp's own, OpenAI's chat and responses,
Anthropic's messages."""

MAX_COUNTS = {"n_probs": 1_000, "top_logprobs": 1_000, "logprobs": 1_000}
"""Numbers that the computing thread pays for with each token: 100,000 probabilities hold up all others for 0.1 s and
more a token. OpenAI allows 20."""
MAX_ITEMS = {"dry_sequence_breakers": 64}
"""Each is compared with the whole vocabulary before the first token: 10,000 held up everybody for more than 10 s."""

_KNOWN_COSTS: dict[int, int] = {}
"""By the hash of a value, which is keyed with a secret of this process: an agent sends the same tools with each
request, and to look through 80 KB of them takes 1 ms."""
_MAX_KNOWN_COSTS = 1_000


class SchemaLimits(NamedTuple):
    """What the schemas and tools of a request may be and cost at most; ``docs/settings.md`` says what costs are."""

    max_bytes: int = DEFAULT_MAX_BYTES
    """Of one field, as JSON."""
    max_cost: int = DEFAULT_MAX_COST
    """Alternatives that are open at one place; a value of an ``enum`` counts 1."""


def refuse_costly_schema(name: str, value: bytes, limits: SchemaLimits) -> None:
    """Raise where the field ``name`` has schemas that would hold up the engine for all its requests.

    ``value`` is its JSON, or more of it than ``limits.max_bytes``.
    """
    if len(value) > limits.max_bytes:
        raise BadRequestError(
            f"'{name}' is larger than {limits.max_bytes // 1024} KiB: shorten it, or raise the setting "
            "max_schema_kb and restart gglib.",
            name,
        )
    if value[:1] not in {b"{", b"["}:
        return
    _refuse_cost(name, _known_cost(value), limits)


def refuse_costly_grammar(value: bytes, limits: SchemaLimits) -> None:
    """Raise if the JSON ``value`` of a ``grammar``, checked by ``refuse_unsafe_grammar``, would block the engine."""
    if value.startswith(b'"'):
        grammar: str = json.loads(value)
        if not grammar.startswith(LLGUIDANCE):
            _refuse_cost("grammar", grammar_cost(grammar), limits)


def refuse_high_count(name: str, value: bytes, allowed: frozenset[str]) -> None:
    """Raise where ``value`` asks for more than ``MAX_COUNTS`` or ``MAX_ITEMS`` have for ``name``."""
    if name in allowed:
        return
    if name in MAX_ITEMS:
        is_many = value.startswith(b"[") and value.count(b",") >= MAX_ITEMS[name]
        if is_many and (len(value) > MAX_GRAMMAR_BYTES or len(json.loads(value)) > MAX_ITEMS[name]):
            _refuse_count(name, f"has more than {MAX_ITEMS[name]} items")
    elif _WHOLE_NUMBER.match(value) and float(value) > MAX_COUNTS[name]:
        _refuse_count(name, f"is higher than {MAX_COUNTS[name]}")


def _refuse_count(name: str, what: str) -> NoReturn:
    raise BadRequestError(
        f"'{name}' {what}, which would hold up all other requests for the model: lower it, or add it to the setting "
        "allowed_engine_fields and restart gglib.",
        name,
    )


def _known_cost(value: bytes) -> int:
    key = hash(value)
    cost = _KNOWN_COSTS.get(key)
    if cost is None:
        try:
            cost = schema_cost(value)
        except TooManyPartsError:
            cost = _TOO_MANY_PARTS
        if len(_KNOWN_COSTS) >= _MAX_KNOWN_COSTS:
            _KNOWN_COSTS.clear()
        _KNOWN_COSTS[key] = cost
    return cost


def _refuse_cost(name: str, cost: int, limits: SchemaLimits) -> None:
    if cost > limits.max_cost:
        shown = "far more" if cost == _TOO_MANY_PARTS else str(cost)
        raise BadRequestError(
            f"'{name}' would hold up all other requests for the model: its alternatives cost {shown} where "
            f"{limits.max_cost} are allowed. Use fewer values in 'enum' and 'anyOf', fewer optional properties or a "
            "simpler pattern, or raise the setting max_schema_cost and restart gglib.",
            name,
        )


def refuse_engine_field(name: str, value: bytes, allowed: frozenset[str]) -> None:
    """Raise where ``name`` is a field of the engine that is not allowed, unless its value asks for nothing."""
    if name in ENGINE_FIELDS and name not in allowed and not _is_neutral(name, value):
        raise BadRequestError(
            f"'{name}' is not for requests to set: {ENGINE_FIELDS[name]}. "
            "The setting allowed_engine_fields can let it through.",
            name,
        )


def _is_neutral(name: str, value: bytes) -> bool:
    if value == b"null":
        return True
    if name not in NEUTRAL_VALUES or len(value) > _LONGEST_NEUTRAL_BYTES:
        return False
    given, neutral = json.loads(value), NEUTRAL_VALUES[name]
    return not isinstance(given, bool) and bool(given == neutral)  # False is 0 in Python, not in JSON


def refuse_unsafe_grammar(value: bytes, allowed: frozenset[str]) -> None:
    """Raise where ``value``, the JSON of a ``grammar``, would end the engine. What is not a string never does."""
    if not value.startswith(b'"'):
        return
    if len(value) > MAX_GRAMMAR_BYTES:
        raise BadRequestError(f"'grammar' is longer than {MAX_GRAMMAR_BYTES} bytes.", "grammar")
    grammar: str = json.loads(value)
    if grammar.startswith(LLGUIDANCE):
        if LLGUIDANCE not in allowed:
            raise BadRequestError(
                f"'grammar' is in the language of {LLGUIDANCE}, which not every engine survives. "
                "The setting allowed_engine_fields can let it through.",
                "grammar",
            )
        return  # its parser is another one, and has a limit of its own
    if _depth(grammar) > MAX_GRAMMAR_DEPTH:
        raise BadRequestError(f"'grammar' is nested more than {MAX_GRAMMAR_DEPTH} deep.", "grammar")


def _depth(grammar: str) -> int:
    """Return at least how deep the groups of a GBNF grammar are nested, wherever the engine stops reading it.

    Exact as long as the text reads as it does to the engine. Behind a fault the engine reads no further, so what is
    counted there only makes it more. The one thing that could be read in two ways, a token with quotes or brackets in
    it, ends the trust: from there on every opening parenthesis counts, wherever it stands, and no closing one.
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
