"""Reads ``model``, ``stream`` and ``num_ctx`` out of a request body, and leaves every other byte alone.

Pure. The body itself goes to the engine as it came; nothing here ever writes one.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NoReturn

from gglib.proxy.errors import BadRequestError

MAX_MODEL_NAME_CHARS = 512
"""No catalogue name is that long; a name is compared with all of them and is echoed in the error."""

_OWN_FIELDS = ("model", "stream", "num_ctx")


@dataclass(frozen=True, slots=True)
class Envelope:
    """What the proxy needs to know of a body. ``num_ctx`` is in tokens, None when the request does not say."""

    model: str
    is_stream: bool
    num_ctx: int | None


def read_envelope(body: bytes) -> Envelope:
    """Return what ``body`` asks for; raises ``BadRequestError`` naming the field at fault.

    Stricter than JSON where two readers could disagree: a duplicate of a field that is read here, NaN and Infinity
    (RFC 8259 has neither) are refused, so that the engine never sees another model than the proxy did.
    """
    fields = _own_fields(_parse(body))
    return Envelope(
        model=_model(fields),
        is_stream=_stream(fields.get("stream")),
        num_ctx=_num_ctx(fields.get("num_ctx")),
    )


_Members = list[tuple[str, Any]]
"""An object's members as they stand, duplicates and all."""


def _object(members: _Members) -> tuple[_Members]:
    # JSON has no tuple: what is one was an object. Cheaper than a class, and called for every object there is.
    return (members,)


def _refuse_constant(constant: str) -> NoReturn:
    raise BadRequestError(f"The request body is not valid JSON: {constant} is not a JSON number.")


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_refuse_constant)


def _parse(body: bytes) -> _Members:
    try:
        # "utf-8-sig": some shells on Windows put a byte order mark first, and the engine skips it too.
        root = _DECODER.decode(body.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise BadRequestError("The request body is not valid UTF-8.") from error
    except RecursionError as error:
        raise BadRequestError("The request body is nested too deeply.") from error
    except ValueError as error:  # a JSONDecodeError, or an integer of more than 4,300 digits
        raise BadRequestError(f"The request body is not valid JSON: {_reason(error)}.") from error
    if not isinstance(root, tuple):
        raise BadRequestError("The request body must be a JSON object.")
    members: _Members = root[0]
    return members


def _reason(error: ValueError) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg} at line {error.lineno}, column {error.colno}"
    return "a number in it is too long"


def _own_fields(members: _Members) -> dict[str, Any]:
    _refuse_duplicates(name for name, _ in members if name in _OWN_FIELDS)
    return dict(members)


def _refuse_duplicates(names: Iterable[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise BadRequestError(f"'{name}' is in the request body twice.", name)
        seen.add(name)


def _model(fields: dict[str, Any]) -> str:
    model = fields.get("model")
    if model is None:
        raise BadRequestError("The request body must name a 'model'.", "model")
    if not isinstance(model, str) or not model or len(model) > MAX_MODEL_NAME_CHARS:
        raise BadRequestError(f"'model' must be a string of 1 to {MAX_MODEL_NAME_CHARS} characters.", "model")
    if any("\ud800" <= char <= "\udfff" for char in model):
        raise BadRequestError("'model' is not valid Unicode.", "model")
    return model


def _stream(value: object) -> bool:
    if value is None or isinstance(value, bool):
        return bool(value)
    raise BadRequestError("'stream' must be true or false.", "stream")


def _num_ctx(value: object) -> int | None:
    # A boolean is an int to Python, not to JSON. How large is too large is for the model to say, not here.
    if value is None or (isinstance(value, int) and not isinstance(value, bool) and value > 0):
        return value
    raise BadRequestError("'num_ctx' must be a positive integer.", "num_ctx")
